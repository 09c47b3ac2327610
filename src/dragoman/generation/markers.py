"""Citation markers `[n]` and `[n, m]` in text that a model streams: real ones pass, invented ones are taken out on the fly.

What stands between backticks is code, and no marker.
"""

from __future__ import annotations

import re

from dragoman.generation.code_blocks import find_open_span, masked, replaced_outside

_MARKER = re.compile(r"\[(\d{1,3}(?:[,;] ?\d{1,3}){0,7})\]")
_OPEN = re.compile(r"\[(?:\d{1,3}[,;] ?){0,7}\d{0,3}$")  # every beginning of a marker
_NUMBER = re.compile(r"\d+")


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
        opened = _OPEN.search(masked(text))
        ends = [opened.start() if opened else None, find_open_span(text)]
        upto = min((end for end in ends if end is not None), default=len(text))
        self._held = text[upto:]
        return replaced_outside(_MARKER, self._checked, text[:upto])

    def finish(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return replaced_outside(_MARKER, self._checked, held)

    def _checked(self, match: re.Match[str]) -> str:
        numbers = [int(number) for number in _NUMBER.findall(match.group(1))]
        real = [number for number in numbers if 1 <= number <= self._count]
        self.invented += len(numbers) - len(real)
        self.cited.extend(number for number in dict.fromkeys(real) if number not in self.cited)
        if len(real) == len(numbers):
            return match.group(0)
        return f"[{', '.join(map(str, real))}]" if real else ""
