"""The audit log as a chain: written by `tenancy/audit.py`, put in order, verified, read, exported and thinned out here."""
