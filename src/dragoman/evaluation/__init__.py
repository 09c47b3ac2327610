"""Measures retrieval and answers on golden sets, through the HTTP API and the real pipeline."""
