"""Adapters of the port `vector_index`."""
