"""Dragoman: a self-hosted, multilingual, multi-tenant knowledge chatbot platform."""

__version__ = "0.1.0"
