"""From passages to an answer: extractive or written by a language model, with verified citations."""
