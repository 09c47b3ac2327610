"""Adapters of the port `reranker`."""
