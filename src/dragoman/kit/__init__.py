"""Shared machinery without domain words: database, cache, errors, registry, telemetry, clock, pagination, text."""
