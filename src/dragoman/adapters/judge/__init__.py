"""Adapters of the port `judge`."""
