"""Implementations of the ports, one file each: `adapters/<port>/<name>.py`."""
