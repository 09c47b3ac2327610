"""How good an answer is as one number from 0 to 1, stored with its turn as `grounding.quality`.

Of an answer: sqrt(g * (1 + c) / 2 * p)

- g: grounding, the mean support of its sentences that state something (1 for quotations);
- c: citation coverage, the share of those sentences that carry a source (ALCE's citation recall, Gao et al. 2023, with
  the check in place of its model); an answer without any source keeps half of its grounding;
- p: confidence, how likely the sources answer the question.

The square root makes it the geometric mean of support and confidence: one that is low is not made good by the other. Of
"I don't know": 1 - p, since a refusal is worth as much as the sources are unlikely to answer. None where the check is off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from prometheus_client import Histogram

from dragoman.generation.entities import Draft

QUALITY = Histogram(
    "dragoman_answer_quality_score",
    "Quality of answers, 0 to 1: grounding, citation coverage and confidence in one number.",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)


def rated(draft: Draft) -> Draft:
    """The draft with its quality, where it has one."""
    quality = _quality(draft)
    if quality is None:
        return draft
    QUALITY.observe(quality)
    return replace(draft, grounding={**draft.grounding, "quality": quality})


def _quality(draft: Draft) -> float | None:
    if not draft.answered:
        return round(1.0 - draft.confidence, 4)
    score: float | None = draft.grounding.get("score")
    if score is None:
        return None
    return round(math.sqrt(score * (1.0 + _coverage(draft)) / 2.0 * draft.confidence), 4)


def _coverage(draft: Draft) -> float:
    kept = {citation.number for citation in draft.citations}
    sentences: list[Mapping[str, Any]] = [
        sentence for sentence in draft.grounding.get("sentences", ()) if sentence.get("claims", True)
    ]
    cited = sum(not kept.isdisjoint(sentence["sources"]) for sentence in sentences)
    return cited / len(sentences) if sentences else float(bool(kept))
