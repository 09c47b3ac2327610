"""Durable jobs and the outbox of events: the truth is a row in PostgreSQL, Celery only carries its id."""
