"""Adapters of the port `connector`."""
