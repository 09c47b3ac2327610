"""Tenants, chatbots, users, API keys, roles; turns a caller into a scope."""
