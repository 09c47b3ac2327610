"""How well it serves: roll-ups of what happened, analytics and metrics that are read from them, and alerts."""
