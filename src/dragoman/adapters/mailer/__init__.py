"""Adapters of the port `mailer`."""
