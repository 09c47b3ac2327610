"""What the adapters of the port are made of. No adapter is here."""
