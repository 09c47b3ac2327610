"""What askers think of answers, and what follows from it."""
