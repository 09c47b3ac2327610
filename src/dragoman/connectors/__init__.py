"""Connectors keep documents in sync with where they come from; lists of URLs are fetched once."""
