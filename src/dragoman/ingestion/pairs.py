"""Question-answer pairs: what they are, and how they are written as Markdown that the chunker cuts one by one."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dragoman.ingestion.chunk import LONGEST_PATH_ELEMENT, PairKind, PairSpan
from dragoman.ingestion.clean import clean_pages
from dragoman.ports.extractor import ExtractedPage

MOST_UNANSWERED_SHOWN: Final = 100
LONGEST_QUESTION_LINE: Final = 300  # characters; a longer line that ends with a question mark is a paragraph

TABULAR_TYPES: Final = frozenset({"text/csv", "text/tab-separated-values"})
JSON_TYPES: Final = frozenset({"application/json", "application/x-ndjson"})
QUESTION_MARKS: Final = ("?", "？", "؟", "\u037e")


@dataclass(frozen=True, slots=True, kw_only=True)
class QaPair:
    """A question and its answer.

    Attributes:
        kind: `faq` where somebody wrote it as such, `conversation` where it was said.
        provenance: what is known of `conversation`, `messages` (their ids), `rows` (from 1, the header is row 1),
            `speakers` (asker first), `asked_at`, `answered_at` (as written), `title`, `category`. JSON values only.
        page: from 1; None where the source has no pages.
    """

    question: str
    answer: str
    kind: PairKind
    provenance: dict[str, Any]
    page: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDocument:
    """A document in which pairs were found.

    Attributes:
        pages: what to chunk, in place of the cleaned pages; those themselves where the pairs were found in place.
        pair_spans: for `chunk_document`; offsets refer to `pages`.
        unanswered: questions without an answer and their provenance, the first 100 of `unanswered_count`.
    """

    pages: Sequence[ExtractedPage]
    pair_spans: Sequence[PairSpan]
    unanswered: Sequence[Mapping[str, Any]] = ()
    unanswered_count: int = 0


@dataclass(slots=True, kw_only=True)
class Found:
    """What a reader collects: the pairs, and the questions without an answer with their provenance."""

    pairs: list[QaPair] = field(default_factory=list)
    unanswered: list[dict[str, Any]] = field(default_factory=list)


def written(found: Found) -> PairedDocument | None:
    if not found.pairs:
        return None
    pages, spans = pairs_to_pages(found.pairs)
    return PairedDocument(
        pages=pages,
        pair_spans=spans,
        unanswered=found.unanswered[:MOST_UNANSWERED_SHOWN],
        unanswered_count=len(found.unanswered),
    )


def add_pair(
    found: Found, question: str, answer: str, kind: PairKind, provenance: dict[str, Any], page: int | None = None
) -> None:
    if question and answer:
        found.pairs.append(QaPair(question=question, answer=answer, kind=kind, provenance=provenance, page=page))
    elif question:
        found.unanswered.append({"question": question[:LONGEST_QUESTION_LINE], **provenance})


# --- writing pairs as pages ------------------------------------------------------------------------------------------

_HIGH_HEADING: Final = re.compile(r"^ {0,3}#{1,2}(?=[ \t])", re.MULTILINE)
_UNDERLINE: Final = re.compile(r"(?<=\S)\n(?= {0,3}(?:=+|-{3,})[ \t]*$)", re.MULTILINE)
_FENCE: Final = re.compile(r"^ {0,3}```", re.MULTILINE)


def pairs_to_pages(pairs: Sequence[QaPair]) -> tuple[list[ExtractedPage], list[PairSpan]]:
    """Writes pairs as Markdown, a page for each run of pairs that comes from the same page, and says where each is.

    A question too long for a heading is shortened there and stands in full below it. The text is clean already.
    """
    pages: list[ExtractedPage] = []
    spans: list[PairSpan] = []
    offset = 0
    for number, group in itertools.groupby(pairs, key=lambda pair: pair.page):
        sections = []
        start = offset
        for pair in group:
            headline, text = _section(pair)
            sections.append(text)
            spans.append(
                PairSpan(
                    start=start, end=start + len(text), kind=pair.kind, question=headline, provenance=pair.provenance
                )
            )
            start += len(text) + 2
        pages.append(ExtractedPage(number=number, markdown="\n\n".join(sections)))
        offset = start
    return pages, spans


def _section(pair: QaPair) -> tuple[str, str]:
    """Headline and whole text. What in the answer would end the section or swallow the next one is disarmed."""
    question = " ".join(pair.question.split())
    headline = question if len(question) <= LONGEST_PATH_ELEMENT else _headline(question)
    body = [] if headline == question else [_disarmed(pair.question)]
    return headline, "\n\n".join([f"## {headline}", *body, _disarmed(pair.answer)])


def _headline(question: str) -> str:
    """The first sentence that asks, if it fits a heading, else the beginning."""
    asking = re.search(r"(?:^|(?<=[.!?。！？]))\s*([^.!?。！？]{3,158}[?？؟])", question)
    if asking:
        return asking[1].strip()
    cut = question[: LONGEST_PATH_ELEMENT - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[80:] else cut) + "…"


def _disarmed(text: str) -> str:
    text = _UNDERLINE.sub("\n\n", _HIGH_HEADING.sub("###", text)).strip()
    return text + "\n```" if len(_FENCE.findall(text)) % 2 else text


def clean_message(text: str) -> str:
    """As the cleaner leaves text, since these pages are not cleaned again; markup of web mail is taken off."""
    if text.isascii() and text.isprintable() and "<" not in text:
        return text.strip()  # most messages: ten times faster
    if _TAG.search(text):
        text = html.unescape(_ANY_TAG.sub("", _BREAK_TAG.sub("\n", text)))
    return clean_pages([ExtractedPage(number=None, markdown=text)]).text


_TAG: Final = re.compile(
    r"</?(?:p|br|div|span|a|b|i|strong|em|ul|ol|li|img|h[1-6]|table|tr|td)\b[^<>]*>", re.IGNORECASE
)
_BREAK_TAG: Final = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])\b[^<>]*>", re.IGNORECASE)
_ANY_TAG: Final = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
