"""People: how they are invited, prove who they are, and stay signed in."""
