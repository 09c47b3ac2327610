"""Finds personal data in a document's pages and, where the chatbot asks for it, masks it before anything is stored.

Runs after cleaning and before cutting, on each `ExtractedPage`. A finding is replaced by a placeholder such as
`[PERSON_2]`: the same value has the same number throughout the document, so that the text stays readable and questions
about "who signed" can still be answered. Values are neither stored nor logged nor reported: only counts and page numbers
leave this module, and placeholders are looked up by a keyed hash whose key is forgotten with the document.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from dragoman.ports.extractor import ExtractedPage
from dragoman.ports.pii_detector import PiiDetector, PiiSpan, settle_overlaps

PiiMode = Literal["report", "mask"]

# Found, but part of what a company writes about itself and its products: masked only where they are named.
WIDE_TYPES: Final = frozenset({"AGE", "DATE_TIME", "LOCATION", "NRP", "ORGANIZATION", "SWIFT_CODE", "URL"})
DEFAULT_MIN_SCORE: Final = 0.5
MAX_REPORTED_PAGES: Final = 50  # of each type

_BLOCK_CHARACTERS: Final = 40_000  # a finding never spans two blocks: they end with a line
_BATCH_CHARACTERS: Final = 120_000  # handed to a detector at a time
_LONGEST_NAME_WORDS: Final = 5

# What carries the structure of the Markdown is never replaced.
_STRUCTURE: Final = re.compile(r"\n|(?<!\\)\||!\[|\]\(image:\d+\)")
_EDGES: Final = " \t>#*_\u2022-"
_SEPARATORS_OF_NAMES: Final = re.compile(r"[_+.-]")
_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PiiChoice:
    """What a chatbot wants: `mode`, the types (empty: all but `WIDE_TYPES`) and the lowest score, 0 to 1."""

    mode: PiiMode
    types: frozenset[str] = frozenset()
    min_score: float = DEFAULT_MIN_SCORE

    def wants(self, span: PiiSpan) -> bool:
        is_chosen = span.type in self.types if self.types else span.type not in WIDE_TYPES
        return is_chosen and span.score >= self.min_score


@dataclass(frozen=True, slots=True, kw_only=True)
class PiiReport:
    """What was found, without any value.

    Attributes:
        counts: findings by type, the most frequent first.
        pages: by type the numbers of pages that hold it, `MAX_REPORTED_PAGES` at most; empty without page numbers.
        masked: how many findings were replaced in the text, the title and the file name; 0 in mode `report`.
    """

    mode: PiiMode
    counts: Mapping[str, int]
    pages: Mapping[str, Sequence[int]]
    masked: int

    def as_json(self) -> dict[str, Any]:
        pages = {kind: list(numbers) for kind, numbers in self.pages.items()}
        return {"mode": self.mode, "counts": dict(self.counts), "pages": pages, "masked": self.masked}


@dataclass(slots=True)
class Placeholders:
    """The numbers of one document's placeholders. It knows values by a keyed hash only. Not for several threads."""

    _key: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)
    _numbers: dict[tuple[str, bytes], int] = field(default_factory=dict, repr=False)
    _last: Counter[str] = field(default_factory=Counter, repr=False)

    def name(self, kind: str, value: str) -> str:
        """`[PERSON_1]` for this value, whenever it comes up."""
        entry = (kind, self._hash(value))
        if entry not in self._numbers:
            self._last[kind] += 1
            self._numbers[entry] = self._last[kind]
        return f"[{kind}_{self._numbers[entry]}]"

    def knows(self, kind: str, value: str) -> bool:
        return (kind, self._hash(value)) in self._numbers

    def _hash(self, value: str) -> bytes:
        compact = "".join(c for c in value.casefold() if c.isalnum())
        return hashlib.blake2b(compact.encode("utf-8", "surrogatepass"), digest_size=16, key=self._key).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The pages (masked in mode `mask`, else as they came), what was found, and the placeholders for the title."""

    pages: Sequence[ExtractedPage]
    report: PiiReport
    placeholders: Placeholders


def known_types(detectors: Sequence[PiiDetector]) -> frozenset[str]:
    """The types that may stand in a chatbot's setting."""
    return frozenset().union(*(detector.types for detector in detectors))


async def examine(
    detectors: Sequence[PiiDetector], pages: Sequence[ExtractedPage], *, language: str, choice: PiiChoice
) -> Examined:
    """Look through a document, a bounded piece at a time. Detectors compute outside the event loop.

    Args:
        detectors: all of them look; where they overlap the surer one decides, the rest of the weaker one is kept.
        pages: cleaned pages, whose Markdown structure survives masking.
        language: ISO 639-1 of the document, or `und`.
    """
    placeholders = Placeholders()
    counts: Counter[str] = Counter()
    numbers: dict[str, list[int]] = {}
    seen: list[ExtractedPage] = []
    for batch in _batches(pages):
        found = await _find(detectors, batch, language, choice)
        for at, page in enumerate(batch.pages):
            spans = found[at]
            counts.update(span.type for span in spans)
            _note_page(numbers, page.number, spans)
            if choice.mode == "mask" and spans:
                masked = await asyncio.to_thread(_mask, page.markdown, spans, placeholders)
                page = replace(page, markdown=masked)
            seen.append(page)
    report = PiiReport(
        mode=choice.mode,
        counts=dict(counts.most_common()),
        pages=numbers,
        masked=counts.total() if choice.mode == "mask" else 0,
    )
    return Examined(pages=seen, report=report, placeholders=placeholders)


async def mask_line(
    detectors: Sequence[PiiDetector], text: str, *, language: str, choice: PiiChoice, placeholders: Placeholders
) -> str:
    """A title or another short text with its personal data masked, with the numbers of the document."""
    found = await _find_in_texts(detectors, [text], language, choice)
    return _mask(text, settle_overlaps([*found[0], *_known_names(text, choice, placeholders)]), placeholders)


async def mask_file_name(
    detectors: Sequence[PiiDetector], name: str, *, language: str, choice: PiiChoice, placeholders: Placeholders
) -> str:
    """A file name with its personal data masked. Its ending stays, `Letter_Ann_Lee.pdf` is read as words."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > 5:
        stem, dot, ending = name, "", ""
    as_words = _SEPARATORS_OF_NAMES.sub(" ", stem)
    found = await _find_in_texts(detectors, [as_words, stem], language, choice)
    spans = settle_overlaps([*found[0], *found[1], *_known_names(as_words, choice, placeholders)])
    return _mask(stem, spans, placeholders) + dot + ending


# --- finding ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A piece of page `page` of the batch, `markdown[start:end]`. `head` is of the table that it continues, if it does."""

    page: int
    start: int
    head: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    pages: Sequence[ExtractedPage]
    blocks: Sequence[_Block]


def _batches(pages: Sequence[ExtractedPage]) -> Iterator[_Batch]:
    """Pages until there is enough text. One long page is a batch of its own; its blocks are still looked at in turn."""
    part: list[ExtractedPage] = []
    characters = 0
    for page in pages:
        if part and characters + len(page.markdown) > _BATCH_CHARACTERS:
            yield _batch(part)
            part, characters = [], 0
        part.append(page)
        characters += len(page.markdown)
    if part:
        yield _batch(part)


def _batch(pages: Sequence[ExtractedPage]) -> _Batch:
    blocks = [block for at, page in enumerate(pages) for block in _blocks(at, page.markdown)]
    return _Batch(pages=pages, blocks=blocks)


def _blocks(page: int, text: str) -> Iterator[_Block]:
    start, head = 0, ""
    while start < len(text):
        end = _block_end(text, start)
        block = text[start:end]
        yield _Block(page=page, start=start, head=head if block.startswith("|") else "", text=block)
        head = _last_table_head(block, head)
        start = end


def _block_end(text: str, start: int) -> int:
    end = start + _BLOCK_CHARACTERS
    if end >= len(text):
        return len(text)
    line = text.rfind("\n", start, end) + 1
    if line > start:
        return line
    space = text.rfind(" ", start, end) + 1
    return space if space > start else end


def _last_table_head(block: str, before: str) -> str:
    """The head (two lines) of the table in which a block ends, so that the next one knows its columns."""
    if not block.endswith("\n"):
        return ""
    lines = block.splitlines(keepends=True)
    first = len(lines)
    while first > 0 and lines[first - 1].startswith("|"):
        first -= 1
    if first == 0:
        return before or "".join(lines[:2])
    return "".join(lines[first : first + 2]) if len(lines) - first >= 2 else ""


async def _find(
    detectors: Sequence[PiiDetector], batch: _Batch, language: str, choice: PiiChoice
) -> list[list[PiiSpan]]:
    """The spans of each page of the batch."""
    found: list[list[PiiSpan]] = [[] for _ in batch.pages]
    for part in _by_size(batch.blocks):
        results = await _find_in_texts(detectors, [block.head + block.text for block in part], language, choice)
        for block, spans in zip(part, results, strict=True):
            found[block.page] += [
                replace(
                    span, start=span.start - len(block.head) + block.start, end=span.end - len(block.head) + block.start
                )
                for span in spans
                if span.start >= len(block.head)
            ]
    return found


def _by_size(blocks: Sequence[_Block]) -> Iterator[list[_Block]]:
    part: list[_Block] = []
    characters = 0
    for block in blocks:
        if part and characters + len(block.text) > _BATCH_CHARACTERS:
            yield part
            part, characters = [], 0
        part.append(block)
        characters += len(block.text)
    if part:
        yield part


async def _find_in_texts(
    detectors: Sequence[PiiDetector], texts: Sequence[str], language: str, choice: PiiChoice
) -> list[list[PiiSpan]]:
    found: list[list[PiiSpan]] = [[] for _ in texts]
    for detector in detectors:
        for spans, own in zip(found, await detector.detect(texts, language=language), strict=True):
            spans += [span for span in own if choice.wants(span)]
    return [settle_overlaps(spans) for spans in found]


def _known_names(text: str, choice: PiiChoice, placeholders: Placeholders) -> Iterator[PiiSpan]:
    """Names of people that were found in the document. A title gives a detector little to go by."""
    words = list(_WORD.finditer(text))
    for first in range(len(words)):
        for last in range(first, min(len(words), first + _LONGEST_NAME_WORDS)):
            start, end = words[first].start(), words[last].end()
            span = PiiSpan(start=start, end=end, type="PERSON", score=max(0.9, choice.min_score))
            if choice.wants(span) and placeholders.knows("PERSON", text[start:end]):
                yield span


def _note_page(numbers: dict[str, list[int]], number: int | None, spans: Sequence[PiiSpan]) -> None:
    if number is None:
        return
    for kind in {span.type for span in spans}:
        own = numbers.setdefault(kind, [])
        if len(own) < MAX_REPORTED_PAGES:
            own.append(number)


# --- masking ---------------------------------------------------------------------------------------------------------


def _mask(text: str, spans: Sequence[PiiSpan], placeholders: Placeholders) -> str:
    written: list[str] = []
    at = 0
    for span in spans:
        name = placeholders.name(span.type, text[span.start : span.end])
        for start, end in _pieces(text, span.start, span.end):
            written += [text[at:start], name]
            # `[X](…)` and `[X]: …` would be read as a link and as the target of one.
            if text[end : end + 1] in ("(", ":", "["):
                written.append(" ")
            at = end
    written.append(text[at:])
    return "".join(written)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a span that may be replaced: line ends, borders of cells and marks of pictures stay."""
    at = start
    for mark in _STRUCTURE.finditer(text, start, end):
        yield from _trimmed(text, at, mark.start())
        at = mark.end()
    yield from _trimmed(text, at, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start] in _EDGES:
        start += 1
    while end > start and text[end - 1] in _EDGES:
        end -= 1
    if start < end:
        yield start, end
