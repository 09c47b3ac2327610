"""What is held about a person: given out as an archive, and erased everywhere."""
