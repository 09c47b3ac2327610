"""Signing in with an identity provider of one's own (OpenID Connect)."""
