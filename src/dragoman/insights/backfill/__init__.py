"""Counts what happened before anything was counted."""
