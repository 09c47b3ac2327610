"""Conversations: sessions, messages, turns, and `answer.py`, the whole question path on one screen."""
