"""The title of a document: what it states, unless a program wrote that, otherwise its first heading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dragoman.ports.extractor import ExtractedPage

_JUNK: Final = re.compile(
    r"microsoft word|untitled|powerpoint presentation|\.(docx?|odt|indd|tex|rtf|pptx?|xlsx?|pages)$", re.IGNORECASE
)
_FIRST_HEADING: Final = re.compile(r"\s*#{1,3} ([^\n]{1,200}?)\s*(?:\n|$)")


def best_title(stated: object, pages: Sequence[ExtractedPage]) -> str | None:
    title = " ".join(str(stated or "").split())
    if not title or _JUNK.search(title):
        heading = _FIRST_HEADING.match(pages[0].markdown) if pages else None
        title = heading[1] if heading else ""
    return title or None
