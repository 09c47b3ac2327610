"""Adapters of the port `blob_store`."""
