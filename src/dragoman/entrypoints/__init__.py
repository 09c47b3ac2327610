"""The process roles, the settings and the wiring: the only place that reads settings and picks adapters."""
