"""Text as tokenizers can take it."""

from __future__ import annotations


def make_safe(text: str) -> str:
    """NUL would end a text in C; a lone surrogate has no bytes in UTF-8."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
