"""How the chunks of each chatbot are searched by vector: by comparing all, or by an index of the chatbot's own."""
