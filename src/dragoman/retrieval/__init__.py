"""Finding the passages that may answer: dense and keyword search, fusion."""
