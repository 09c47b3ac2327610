"""What Dragoman asks of the outside world: one Protocol per file, with its value types and its errors."""
