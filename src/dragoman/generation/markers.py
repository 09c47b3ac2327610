"""Citation markers `[n]` in text that a model streams: real ones pass, invented ones are taken out on the fly."""

from __future__ import annotations

import re

_MARKER = re.compile(r"\[(\d{1,3})\]")
_OPEN = re.compile(r"\[\d{0,3}$")


class MarkerFilter:
    """Feed it pieces of text; it returns what may be sent and remembers which sources were cited, in order."""

    def __init__(self, source_count: int) -> None:
        self._count = source_count
        self._held = ""
        self.cited: list[int] = []
        self.invented = 0

    def feed(self, piece: str) -> str:
        """The text that is safe to send now. The beginning of a marker is held back until its end is seen."""
        text = self._held + piece
        opened = _OPEN.search(text)
        self._held = text[opened.start() :] if opened else ""
        return _MARKER.sub(self._checked, text[: len(text) - len(self._held)])

    def finish(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return held

    def _checked(self, match: re.Match[str]) -> str:
        number = int(match.group(1))
        if not 1 <= number <= self._count:
            self.invented += 1
            return ""
        if number not in self.cited:
            self.cited.append(number)
        return match.group(0)
