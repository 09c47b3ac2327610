"""Adapters of the port `ocr`."""
