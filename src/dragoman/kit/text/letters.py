"""Texts reduced to their letters and digits, by which what was read out of a page is found on it again."""

from __future__ import annotations

import unicodedata


def letters_of(text: str) -> str:
    """The letters and digits without case, accents, ligatures and forms; of a part of a text the part of its letters."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in apart if sign.isalnum()).casefold()
