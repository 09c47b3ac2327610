"""What the adapters of the port share: the vectors in PostgreSQL. No adapter is here."""
