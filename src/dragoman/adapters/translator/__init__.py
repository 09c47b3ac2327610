"""Adapters of the port `translator`."""
