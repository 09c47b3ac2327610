"""Chatbots' documents, their versions and their chunks."""
