"""Ranks again by what is stored: the sentences of the passages, their length, and the passages nearest to each.

The fused score holds the best sentence of a chunk. Its cosine is the greatest of as many as the chunk has sentences, and
grows with their number whatever they say; long text also holds more of any question's words. What a chunk has more than
usual is taken off again. Then each gets a share of what the candidates nearest to it by their vectors have: passages
about one thing answer the same questions, and one that stands high among others that stand low did so by chance (Diaz
2007, "Regularizing query-based retrieval scores"). No model is called; `docs/decisions/0019` has the figures.

nDCG@10 of hybrid search, without and with it: cranfield 0.422, 0.439; mtrag-cloud 0.627, 0.643, with history 0.670,
0.678; partner-center-a en 0.556, 0.581, de 0.542, 0.572, fr 0.548, 0.568, ja 0.508, 0.531, zh 0.536, 0.575. On average
+0.022; by length alone +0.010, by the nearest alone +0.011. Questions in another language than the text: +0.010
(partner-center-a, 25 pairs), +0.002 (xquad-a). Twice the weights of length give partner-center-a more and take 0.02 from
mtrag-cloud.

Tried beside it by logistic regression, fitted on some collections and tested on the others, and left out since they gave
nothing there or took from one: the mean of the two, three or five best sentences and of all; the gap between the best
and the next; how far the best stands above its chunk; the question's words in one sentence, in two, in the passage, in
the title, in the last heading, and pairs of them; raw BM25; position in the document; the best other chunk of the same
document; pseudo-relevance feedback with vectors. Many of them together gave +0.07 to +0.08 from one language of
partner-center-a to another: they had learnt that its answers were put there without their headings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from dragoman.ports.embedder import Vectors
from dragoman.ports.reranker import RerankCandidate

_Numbers = NDArray[np.float64]

# Log odds of the similarity, for e times as much.
SENTENCES_WEIGHT: Final = 0.3
LENGTH_WEIGHT: Final = 0.3
NEAREST: Final = 6  # 5 to 10, with shares of 0.3 to 0.4: +0.017 to +0.023 on average, no collection below -0.003
NEAREST_SHARE: Final = 0.35
COPIES: Final = 0.98  # cosine of passages that say the same: the one tells nothing new of the other

# A logistic regression with relevant and other candidates weighted alike; the present evidence would have 0.50 and -2.21.
# Of relevant passages 67 to 98 % lie above 0.5 (30 and 69 % of those that answer a Chinese and a German question in
# English); of the other candidates, which all are the nearest of their collection, 0 to 44 %.
SLOPE: Final = 0.49
BIAS: Final = -2.12

_USUAL_SENTENCES: Final = 6  # of a chunk
_USUAL_BYTES: Final = 800  # of its text, title and headings; bytes, for a Chinese sign holds as much as three letters
_FURTHEST: Final = 30.0  # log odds: a similarity of 0 or 1 has none


class Settings(BaseModel):
    """Settings of the re-ranker `sentences`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    depth: int = Field(default=50, ge=1, le=200, description="How many of the best passages are judged.")


class Adapter:
    """The re-ranker `sentences`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def depth(self) -> int:
        return self._settings.depth

    @property
    def model(self) -> str | None:
        return None

    async def rerank(self, question: str, language: str, candidates: Sequence[RerankCandidate]) -> list[float]:  # noqa: ARG002 - of the port
        evidence = np.array([_evidence(candidate) for candidate in candidates])
        near = [place for place, candidate in enumerate(candidates) if candidate.vector is not None]
        if len(near) > 1:
            evidence[near] = _shared(evidence[near], np.stack([_vector(candidates[place]) for place in near]))
        probabilities: list[float] = (1.0 / (1.0 + np.exp(-(SLOPE * evidence + BIAS)))).tolist()
        return probabilities

    async def close(self) -> None:
        """Nothing is held."""


def _evidence(candidate: RerankCandidate) -> float:
    """Log odds of its similarity, as of a passage of the usual length."""
    length = len(candidate.text.encode("utf-8", "surrogatepass"))
    return (
        _log_odds(candidate.similarity)
        - SENTENCES_WEIGHT * _excess(len(candidate.sentence_cosines))
        - LENGTH_WEIGHT * math.log((length + 1) / (_USUAL_BYTES + 1))
    )


def _vector(candidate: RerankCandidate) -> Vectors:
    assert candidate.vector is not None
    return candidate.vector


def _shared(evidence: _Numbers, vectors: Vectors) -> _Numbers:
    """The evidence of each with a share of the mean of its nearest; its own where there are none but copies."""
    cosines = np.einsum("id,jd->ij", vectors, vectors)  # `@` may spread over several threads, which costs more
    cosines[cosines > COPIES] = -np.inf
    count = min(NEAREST, len(evidence) - 1)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    is_other = np.isfinite(np.take_along_axis(cosines, nearest, axis=1))
    found = is_other.sum(axis=1)
    means = np.where(is_other, evidence[nearest], 0.0).sum(axis=1) / np.maximum(found, 1)
    shared: _Numbers = np.where(found > 0, (1.0 - NEAREST_SHARE) * evidence + NEAREST_SHARE * means, evidence)
    return shared


def _log_odds(share: float) -> float:
    if share <= 0.0 or share >= 1.0:
        return math.copysign(_FURTHEST, share - 0.5)
    return min(max(math.log(share / (1.0 - share)), -_FURTHEST), _FURTHEST)


def _excess(sentences: int) -> float:
    """How many sentences against the usual number; 0 where none are stored, since none has helped."""
    return math.log((sentences + 1) / (_USUAL_SENTENCES + 1)) if sentences else 0.0
