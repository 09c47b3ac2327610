"""Dragoman inside other people's frameworks. Each file needs the framework and the typed client, nothing else."""
