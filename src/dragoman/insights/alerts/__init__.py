"""Alerts: rules over what the installation and its tenants go through, their states, and how people are told."""
