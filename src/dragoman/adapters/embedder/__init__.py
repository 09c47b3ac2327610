"""Adapters of the port `embedder`."""
