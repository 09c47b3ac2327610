"""Language-aware text analysis without models: terms for keyword search, sentences for quoting."""
