"""Adapters of the port `keyword_index`."""
