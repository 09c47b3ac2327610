"""Takes the marks of pictures out of the cleaned text, remembers where they stood, and gives each picture to a chunk.

Extractors write `![description](image:N)` where a picture stood. A description is text that can be found and quoted; the
mark itself is none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dragoman.ingestion.chunk import ChunkDraft
from dragoman.ports.extractor import ExtractedPage

_MARK: Final = re.compile(r"!\[(?P<description>(?:\\.|[^\]\\\n])*)\]\(image:(?P<index>\d{1,6})\)")
_GAP: Final = re.compile(r"^\n+|\n{3,}|\n+\Z")
_ESCAPED: Final = re.compile(r"\\(?=[\[\]\\])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a picture stood.

    Attributes:
        image_index: in the images of the document.
        offset: into the pages joined by a blank line (`clean.whole_text`): where its description begins, else the end
            of the text before it.
        page: from 1; None where the format has no pages.
    """

    image_index: int
    offset: int
    page: int | None


def take_pictures(pages: Sequence[ExtractedPage]) -> tuple[list[ExtractedPage], list[Placement]]:
    """The pages without marks, as clean as they were, and where each mark stood, in reading order."""
    taken: list[ExtractedPage] = []
    placements: list[Placement] = []
    offset = 0
    for page in pages:
        text, marks = _without_marks(page.markdown)
        placements += [Placement(image_index=index, offset=offset + at, page=page.number) for index, at in marks]
        taken.append(page if text == page.markdown else replace(page, markdown=text))
        offset += len(text) + 2
    return taken, placements


def _without_marks(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text and, for each mark, its number and the offset at which it stood in that text."""
    if "](image:" not in text:
        return text, []
    written: list[str] = []
    marks: list[tuple[int, int]] = []
    length = last = 0

    def write(piece: str) -> None:
        nonlocal length
        written.append(piece)
        length += len(piece)

    for mark in _MARK.finditer(text):
        description = " ".join(_ESCAPED.sub("", mark["description"]).split())
        before, last = text[last : mark.start()], mark.end()
        if description or not _is_own_line(text, mark):
            write(before)
            marks.append((int(mark["index"]), length))
            write(description)
            continue
        write(before.rstrip("\n"))
        marks.append((int(mark["index"]), length))
        following = len(text) - len(text[last:].lstrip("\n")) if text[last : last + 1] == "\n" else last
        if length and following < len(text):
            write("\n\n")
        last = following
    write(text[last:])
    return _tidied("".join(written), marks)


def _tidied(text: str, marks: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """Without the blank lines that several marks in a row leave, as cleaning would have it."""
    kept: list[str] = []
    removed: list[tuple[int, int]] = []  # where something was taken out, and how much up to there
    at = total = 0
    for gap in _GAP.finditer(text):
        stays = "" if gap.start() == 0 or gap.end() == len(text) else "\n\n"
        kept += [text[at : gap.start()], stays]
        total += len(gap[0]) - len(stays)
        removed.append((gap.end(), total))
        at = gap.end()
    kept.append(text[at:])
    tidy = "".join(kept)
    if not removed:
        return tidy, marks
    ends = [end for end, _ in removed]

    def moved(offset: int) -> int:
        before = bisect_right(ends, offset)
        return min(len(tidy), offset - (removed[before - 1][1] if before else 0))

    return tidy, [(index, max(0, moved(offset))) for index, offset in marks]


def _is_own_line(text: str, mark: re.Match[str]) -> bool:
    return text[mark.start() - 1 : mark.start()] in ("", "\n") and text[mark.end() : mark.end() + 1] in ("", "\n")


def pictures_of_chunks(drafts: Sequence[ChunkDraft], placements: Sequence[Placement]) -> list[list[int]]:
    """For each chunk the indexes of its pictures, in reading order, each once.

    A picture belongs to the chunk in which it stood, else to the last one before it on its page, else to the first one
    after it there. A page without text has no chunk that its pictures could be shown with.
    """
    pictures: list[list[int]] = [[] for _ in drafts]
    starts = [draft.start for draft in drafts]
    for placement in placements:
        at = _chunk_at(drafts, starts, placement)
        if at is not None and placement.image_index not in pictures[at]:
            pictures[at].append(placement.image_index)
    return pictures


def _chunk_at(drafts: Sequence[ChunkDraft], starts: Sequence[int], placement: Placement) -> int | None:
    at = bisect_right(starts, placement.offset) - 1
    if at >= 0 and (placement.offset < drafts[at].end or drafts[at].page == placement.page):
        return at
    following = at + 1
    if following < len(drafts) and drafts[following].page == placement.page:
        return following
    return None
