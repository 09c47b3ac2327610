"""Feedback counted by day, so that a year is read in days and not in ratings."""
