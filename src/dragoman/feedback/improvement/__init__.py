"""The improvement report: what is badly answered, which documents mislead, which knowledge is missing."""
