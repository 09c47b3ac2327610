"""Embedding versions: which exist, which is active, and where their vectors lie."""
