"""Adapters of the port `pii_detector`."""
