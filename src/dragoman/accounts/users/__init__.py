"""The users of a tenant and their invitations."""
