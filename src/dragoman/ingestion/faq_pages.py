"""FAQ pages: the pairs stay where they stand, and the text as it is. Found are headings, bold lines and marked lines that ask."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dragoman.ingestion.chunk import PairSpan
from dragoman.ingestion.clean import whole_text
from dragoman.ingestion.conversation_words import ASKING_WORDS, MARKED_QUESTION, NAME_OF_FAQ
from dragoman.ingestion.pairs import (
    JSON_TYPES,
    LONGEST_QUESTION_LINE,
    MOST_UNANSWERED_SHOWN,
    QUESTION_MARKS,
    TABULAR_TYPES,
    PairedDocument,
)
from dragoman.kit.text.markdown import heading_text
from dragoman.ports.extractor import ExtractedPage

FEWEST_FAQ_HEADINGS: Final = 3  # in an ordinary document; where its section is called FAQ two are enough
FAQ_HEADING_SHARE: Final = 0.6  # of the sibling headings

_BOLD_LINE: Final = re.compile(r"\s*(?:[-*+]\s+|\d{1,3}[.)]\s+)?(?:\*\*|__)(?P<text>[^*_].*?)(?:\*\*|__)\s*:?\s*$")
_NUMBERING: Final = re.compile(r"\s*(?:(?:\d{1,3}\.)*\d{1,3}[.)]?|[A-Za-z][.)]|[Qq]\d{0,3}[.:)])\s+")
_HEADING_LINE: Final = re.compile(r" {0,3}(#{1,6})[ \t]+\S")

_Style = Literal["heading", "marker", "bold", "line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line that may open a question. `level`: of a heading, 0 for all else; `section`: the headings above it."""

    start: int
    end: int
    page: int | None
    style: _Style
    text: str
    level: int
    section: tuple[tuple[int, str], ...]
    number: int

    @property
    def asks(self) -> bool:
        return self.text.rstrip('*_ )"”»').endswith(QUESTION_MARKS)

    @property
    def seems_to_ask(self) -> bool:
        return self.asks or bool(ASKING_WORDS.match(_NUMBERING.sub("", self.text)))

    @property
    def is_in_faq(self) -> bool:
        return any(NAME_OF_FAQ.search(name) for _, name in self.section)


def faq_in_place(
    pages: Sequence[ExtractedPage], mime_type: str, raw: bytes | None, stated: str | None
) -> PairedDocument | None:
    """Headings, bold lines, or lines marked Q that ask, each with the text below it. The text stays as it is."""
    del raw
    if mime_type in TABULAR_TYPES or mime_type in JSON_TYPES:
        return None
    whole = whole_text(pages)
    if stated != "faq" and not any(mark in whole for mark in QUESTION_MARKS):
        return None
    lines = list(_question_lines(pages))
    questions = _chosen(lines, stated)
    if not questions:
        return None
    spans: list[PairSpan] = []
    unanswered: list[dict[str, Any]] = []
    for question, end in zip(questions, _ends(questions, lines, len(whole)), strict=True):
        text = whole[question.start : end].rstrip()
        asked = _NUMBERING.sub("", question.text).strip() if question.style != "marker" else question.text
        provenance: dict[str, Any] = {"section": [name for _, name in question.section], "rows": [question.number]}
        if question.page is not None:
            provenance["page"] = question.page
        if len(text) <= question.end - question.start:
            unanswered.append({"question": asked, **provenance})
            continue
        spans.append(
            PairSpan(
                start=question.start, end=question.start + len(text), kind="faq", question=asked, provenance=provenance
            )
        )
    if not spans:
        return None
    shown = unanswered[:MOST_UNANSWERED_SHOWN]
    return PairedDocument(pages=pages, pair_spans=spans, unanswered=shown, unanswered_count=len(unanswered))


def _question_lines(pages: Sequence[ExtractedPage]) -> Iterator[_Line]:
    """Headings, whether they ask or not, and all other lines that look like a question of a FAQ."""
    section: list[tuple[int, str]] = []
    offset = number = 0
    for page in pages:
        fenced = False
        lines = page.markdown.split("\n")
        for at, line in enumerate(lines):
            number += 1
            start, offset = offset, offset + len(line) + 1
            if line.lstrip().startswith(("```", "~~~")):
                fenced = not fenced
            if fenced or not line.strip():
                continue
            level = _level(lines, at)
            opened = _opened(lines, at, level)
            if level:
                name = (heading_text(line) or line).strip().strip("*_")
                section = [entry for entry in section if entry[0] < level]
            if opened:
                style, text = opened
                yield _Line(
                    start=start,
                    end=start + len(line),
                    page=page.number,
                    style=style,
                    text=text,
                    level=level,
                    section=tuple(section),
                    number=number,
                )
            if level:
                section.append((level, name))
        offset += 1  # pages are joined by a blank line, of which the last line has counted one


def _level(lines: Sequence[str], at: int) -> int:
    found = _HEADING_LINE.match(lines[at])
    if found:
        return len(found[1])
    below = lines[at + 1].strip() if at + 1 < len(lines) else ""
    if len(below) > 2 and not lines[at].lstrip().startswith(("|", "-", "=")):
        return 1 if not below.strip("=") else 2 if not below.strip("-") else 0
    return 0


def _opened(lines: Sequence[str], at: int, level: int) -> tuple[_Style, str] | None:
    """How the line may open a question, and the question."""
    line = lines[at]
    if len(line) > LONGEST_QUESTION_LINE:
        return None
    marked = MARKED_QUESTION.match(line)
    if marked:
        return "marker", marked["text"]
    if level:
        return "heading", (heading_text(line) or line).strip().strip("*_").strip()
    bold = _BOLD_LINE.match(line)
    if bold and bold["text"].rstrip().endswith(QUESTION_MARKS):
        return "bold", bold["text"].strip()
    stands_alone = at == 0 or not lines[at - 1].strip()
    if stands_alone and line.rstrip().endswith(QUESTION_MARKS) and not line.startswith(("|", ">")):
        return "line", line.strip().lstrip("-*+ ")
    return None


def _chosen(lines: Sequence[_Line], stated: str | None) -> list[_Line]:
    """The questions: of one style in a FAQ; of the sections that surely are one in an ordinary document."""
    if stated == "faq":
        styles: tuple[_Style, ...] = ("heading", "marker", "bold", "line")
        sets = [_of_faq([line for line in lines if line.style == style], style) for style in styles]
        return max(sets, key=lambda chosen: sum(line.seems_to_ask for line in chosen))
    chosen: list[_Line] = []
    sections: dict[tuple[object, ...], list[_Line]] = {}
    for line in lines:
        if line.style != "line":
            sections.setdefault((line.style, line.level, line.section), []).append(line)
    for siblings in sections.values():
        asking = [line for line in siblings if line.asks]
        fewest = 2 if any(line.is_in_faq for line in asking) else FEWEST_FAQ_HEADINGS
        if len(asking) >= fewest and len(asking) >= FAQ_HEADING_SHARE * len(siblings):
            chosen += asking
    return _not_nested(sorted(chosen, key=lambda line: line.start))


def _of_faq(lines: Sequence[_Line], style: _Style) -> list[_Line]:
    """All headings of the level at which most questions stand, where at least half of them ask; else those that ask."""
    if style != "heading":
        return list(lines)
    asking = Counter(line.level for line in lines if line.seems_to_ask)
    if not asking:
        return []
    level = asking.most_common(1)[0][0]
    of_level = [line for line in lines if line.level == level]
    if asking[level] * 2 >= len(of_level):
        return _not_nested([line for line in lines if line.level == level or (line.asks and line.level != level)])
    return _not_nested([line for line in lines if line.seems_to_ask])


def _not_nested(questions: Sequence[_Line]) -> list[_Line]:
    """Without those that have another question below them, such as "Questions?" over a list of questions."""
    names = {(name, line.section[:at]) for line in questions for at, (_, name) in enumerate(line.section)}
    return [line for line in questions if line.style != "heading" or (line.text, line.section) not in names]


def _ends(questions: Sequence[_Line], lines: Sequence[_Line], last: int) -> Iterator[int]:
    """Where each answer ends: at the next question, or at a heading that is not below its question."""
    opening = {line.start for line in questions}
    numbers = {line.start: at for at, line in enumerate(lines)}
    for question in questions:
        following = (lines[at] for at in range(numbers[question.start] + 1, len(lines)))
        yield next((line.start for line in following if _closes(line, question, opening)), last)


def _closes(line: _Line, question: _Line, opening: set[int]) -> bool:
    if line.start in opening:
        return True
    return bool(line.level) and (question.level == 0 or line.level <= question.level)
