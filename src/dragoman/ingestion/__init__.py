"""The document path: validate, extract, clean, chunk, embed, index."""
