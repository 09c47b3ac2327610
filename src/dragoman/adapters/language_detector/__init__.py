"""Adapters of the port `language_detector`."""
