"""Bulk imports, the list of jobs with the dead ones among them, and live events of documents."""
