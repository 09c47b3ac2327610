"""What model calls cost: prices and usage records."""
