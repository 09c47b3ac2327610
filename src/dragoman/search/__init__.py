"""Search as askers and answers use it: understanding and retrieval together, `/api/search`."""
