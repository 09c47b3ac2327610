"""Adapters of the port `extractor`."""
