"""What a question is: its language (and, as more of it is built, what it refers to and what it wants)."""
