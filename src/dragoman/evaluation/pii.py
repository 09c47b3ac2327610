"""How much personal data detectors find: texts with marked spans, in this process, without a server.

A marked span counts as found where a finding of an accepted type overlaps it by at least one character; a finding is
right where it overlaps a marked span that accepts its type. Overlap, not equality: masking half a name and leaving
the title before it is a matter of taste, whereas a name that nobody saw is a leak.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dragoman.evaluation.errors import DatasetError
from dragoman.ports.pii_detector import PiiDetector, PiiSpan, settle_overlaps

# Our types that count for a type of the data set, the one whose precision is stated first. Data sets mark the parts of an
# address one by one; we find it as one span, with the town and the postcode in it.
ACCEPTED: Final[Mapping[str, tuple[str, ...]]] = {
    "STREET_ADDRESS": ("STREET_ADDRESS", "LOCATION", "ZIP_CODE"),
    "GPE": ("LOCATION", "STREET_ADDRESS"),
    "ZIP_CODE": ("ZIP_CODE", "STREET_ADDRESS"),
    "DOMAIN_NAME": ("URL",),
    "DATE_TIME": ("DATE_TIME", "DATE_OF_BIRTH"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedText:
    """A text and its marked spans: start, end, type of the data set."""

    text: str
    spans: Sequence[tuple[int, int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFigures:
    """One type of the data set.

    Attributes:
        spans: marked in the data set.
        found: of them.
        findings: of the type of ours that stands for it.
        right: of them.
    """

    type: str
    spans: int
    found: int
    findings: int
    right: int

    @property
    def recall(self) -> float:
        return round(self.found / self.spans, 4)

    @property
    def precision(self) -> float | None:
        """None without findings."""
        return round(self.right / self.findings, 4) if self.findings else None

    def as_json(self) -> dict[str, Any]:
        return {
            "spans": self.spans,
            "recall": self.recall,
            "precision": self.precision,
            "findings": self.findings,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PiiFigures:
    """All types of the data set, the most frequent first, and findings of types that it does not mark."""

    texts: int
    characters: int
    seconds: float
    types: Sequence[TypeFigures]
    unmarked: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        return {
            "texts": self.texts,
            "characters": self.characters,
            "characters_per_second": round(self.characters / self.seconds) if self.seconds else None,
            "types": {each.type: each.as_json() for each in self.types},
            "unmarked": dict(self.unmarked),
        }


def read_marked_texts(path: Path) -> list[MarkedText]:
    """A file of one JSON object a line: `full_text`, `spans` of `start_position`, `end_position`, `entity_type`.

    Raises:
        DatasetError: a line is something else.
    """
    marked = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            spans = [(int(s["start_position"]), int(s["end_position"]), str(s["entity_type"])) for s in row["spans"]]
            marked.append(MarkedText(text=str(row["full_text"]), spans=spans))
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path.name}, line {number}, has no `full_text` with `spans`: {error!r}.") from error
    if not marked:
        raise DatasetError(f"{path.name} is empty.")
    return marked


async def evaluate_pii(
    detectors: Sequence[PiiDetector], marked: Sequence[MarkedText], *, language: str, min_score: float
) -> PiiFigures:
    """Run the detectors over the texts and compare. The first call, which loads models, is not timed."""
    texts = [each.text for each in marked]
    found: list[list[PiiSpan]] = [[] for _ in texts]
    for detector in detectors:
        await detector.detect(["Load the model."], language=language)
    started = time.perf_counter()
    for detector in detectors:
        for spans, own in zip(found, await detector.detect(texts, language=language), strict=True):
            spans += [span for span in own if span.score >= min_score]
    seconds = time.perf_counter() - started
    settled = [settle_overlaps(spans) for spans in found]
    types, unmarked = compare(marked, settled)
    return PiiFigures(
        texts=len(texts), characters=sum(map(len, texts)), seconds=seconds, types=types, unmarked=unmarked
    )


def compare(
    marked: Sequence[MarkedText], found: Sequence[Sequence[PiiSpan]]
) -> tuple[list[TypeFigures], dict[str, int]]:
    """The figures of each type of the data set, and the counts of findings that stand for none of them."""
    spans: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for each, own in zip(marked, found, strict=True):
        for gold in each.spans:
            spans[gold[2]] += 1
            seen[gold[2]] += any(_agrees(gold, span) for span in own)
        for span in own:
            findings[span.type] += 1
            right[span.type] += any(_agrees(gold, span) for gold in each.spans)
    figures = []
    for kind, count in spans.most_common():
        main = ACCEPTED.get(kind, (kind,))[0]
        figures.append(
            TypeFigures(type=kind, spans=count, found=seen[kind], findings=findings[main], right=right[main])
        )
    covered = {name for kind in spans for name in ACCEPTED.get(kind, (kind,))}
    return figures, {kind: count for kind, count in findings.most_common() if kind not in covered}


def _agrees(gold: tuple[int, int, str], span: PiiSpan) -> bool:
    start, end, kind = gold
    return span.type in ACCEPTED.get(kind, (kind,)) and span.start < end and start < span.end
