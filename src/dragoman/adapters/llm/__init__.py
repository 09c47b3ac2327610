"""Adapters of the port `llm`."""
