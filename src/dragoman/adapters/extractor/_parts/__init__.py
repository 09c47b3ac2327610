"""What several extractors share: pieces of formats, pictures, tables. No adapter is here."""
