"""What several embedders share: the lane of texts, safe text, and the packed e5 model. No adapter is here."""
