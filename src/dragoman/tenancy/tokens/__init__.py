"""Access tokens of those who have signed in: short JWTs, the keys that sign them, and the look-up that revocation needs."""
