"""Questions to begin with, which the knowledge of a chatbot answers."""
