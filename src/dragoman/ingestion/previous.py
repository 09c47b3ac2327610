"""Finds the chunks of the version that is being replaced in the new text: what still stands need not be cut again.

Without it one edited sentence would move every later cut of its section, and all those chunks would be embedded again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

SAME_NEIGHBOUR: Final = 32  # characters beyond a cut that, unchanged, show that the cut is as good as it was
SHORTEST_LANDMARK: Final = 80  # characters; a shorter chunk is looked for only beside one that was found
SEARCH_BUDGET: Final = 64  # times the length of the text that may be read in looking for what is not in its place

_WIDE_END: Final = "。！？｡．।؟۔॥።។"
_END: Final = ".!?…:;|`"
_CLOSERS: Final = "\"'”’»›)]}」』）】〉》*_ "

Span = tuple[int, int]
_Place = tuple[int, int, int]  # number of the chunk, start and end in the new text


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousChunks:
    """The chunks of the version that is being replaced, in order, without repeated table heads and overlaps."""

    cores: Sequence[str]

    @classmethod
    def of(cls, texts: Sequence[str], spans: Sequence[Span]) -> Self:
        """From stored chunks.

        Args:
            texts: Their texts, in order.
            spans: Their start and end offsets; what a text has beyond its span is a repeated table head.
        """
        cores = []
        covered = 0
        for text, (start, end) in zip(texts, spans, strict=True):
            own = max(start, covered)
            core = text[max(0, len(text) - (end - own)) :].strip() if end > own else ""
            if core:
                cores.append(core)
            covered = max(covered, end)
        return cls(cores=cores)

    def kept_spans(self, whole: str) -> list[Span]:
        """Where chunks stand unchanged in `whole`: in order, not overlapping, without white space at their ends.

        From the front and from the back they are met one after the other. What lies between is searched after more
        than one edit, and so is what has moved; on a text that is new altogether that is given up soon. A chunk is
        dropped where the text around it has changed such that it would now begin or end within a sentence.
        """
        front = list(_from_the_front(whole, self.cores))
        lowest = front[-1][2] if front else 0
        back = list(_from_the_back(whole, self.cores, len(front), lowest))[::-1]
        highest = back[0][1] if back else len(whole)
        between = _in_between(whole, self.cores, range(len(front), len(self.cores) - len(back)), lowest, highest)
        places = [*front, *_without_overlaps(between), *back]
        return [
            (start, end)
            for at, start, end in places
            if _begins_well(whole, self.cores, at, start) and _ends_well(whole, self.cores, at, end)
        ]


def _from_the_front(whole: str, cores: Sequence[str]) -> Iterator[_Place]:
    end = 0
    for at, core in enumerate(cores):
        start = _after_space(whole, end)
        if not whole.startswith(core, start):
            return
        end = start + len(core)
        yield at, start, end


def _from_the_back(whole: str, cores: Sequence[str], first: int, lowest: int) -> Iterator[_Place]:
    start = len(whole)
    for at in range(len(cores) - 1, first - 1, -1):
        end = _before_space(whole, start)
        start = end - len(cores[at])
        if start < lowest or not whole.startswith(cores[at], start):
            return
        yield at, start, end


def _in_between(whole: str, cores: Sequence[str], numbers: range, lowest: int, highest: int) -> list[_Place]:
    """Beside the chunk found last, else anywhere from there on, else anywhere."""
    found: list[_Place] = []
    budget = SEARCH_BUDGET * (highest - lowest)
    end = lowest
    for at in numbers:
        start = _after_space(whole, end)
        if not whole.startswith(cores[at], start, highest):
            if len(cores[at]) < SHORTEST_LANDMARK or budget <= 0:
                continue
            start = whole.find(cores[at], end, highest)
            budget -= (start if start >= 0 else highest) - end
            if start < 0:
                start = whole.find(cores[at], lowest, end)
                budget -= (start if start >= 0 else end) - lowest
        if start >= 0:
            end = start + len(cores[at])
            found.append((at, start, end))
    return found


def _without_overlaps(places: Sequence[_Place]) -> list[_Place]:
    chosen: list[_Place] = []
    for place in sorted(places, key=lambda place: place[1]):
        if not chosen or place[1] >= chosen[-1][2]:
            chosen.append(place)
    return chosen


def _begins_well(whole: str, cores: Sequence[str], at: int, start: int) -> bool:
    """It begins where something else ended, or what stands before is what stood there."""
    end = _before_space(whole, start)
    if end == 0 or _is_ended(whole, end, start):
        return True
    return at > 0 and whole.endswith(cores[at - 1][-SAME_NEIGHBOUR:], max(0, end - SAME_NEIGHBOUR), end)


def _ends_well(whole: str, cores: Sequence[str], at: int, end: int) -> bool:
    """It ends at the end of a line or a sentence, or what follows is what followed."""
    start = _after_space(whole, end)
    if start == len(whole) or _is_ended(whole, end, start):
        return True
    return at + 1 < len(cores) and whole.startswith(cores[at + 1][:SAME_NEIGHBOUR], start)


def _is_ended(whole: str, end: int, following: int) -> bool:
    if "\n" in whole[end:following]:
        return True
    last = whole[max(0, end - 8) : end].rstrip(_CLOSERS)[-1:]
    return bool(last) and (last in _WIDE_END or (last in _END and following > end))


def _after_space(whole: str, at: int) -> int:
    while at < len(whole) and whole[at].isspace():
        at += 1
    return at


def _before_space(whole: str, at: int) -> int:
    while at > 0 and whole[at - 1].isspace():
        at -= 1
    return at


def borders(whole: str, spans: Sequence[Span]) -> list[int]:
    """Where a new chunk must begin, in order: at each span, and at what follows it."""
    return sorted({at for start, end in spans for at in (_after_space(whole, start), _after_space(whole, end))})


def borders_within(all_borders: Sequence[int], start: int, end: int) -> Sequence[int]:
    """Those strictly between `start` and `end`."""
    first = bisect_left(all_borders, start + 1)
    return all_borders[first : bisect_left(all_borders, end)]
