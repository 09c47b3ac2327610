"""Combines what the arms of a search found into one ranking score, and that score into a similarity from 0 to 1.

Called by retrieval with the union of the nearest chunks by vector and the best by keyword; every candidate carries all
its features, whichever arm found it. The score is a convex combination (Bruch, Gai and Ingber 2023, "An Analysis of
Fusion Functions for Hybrid Retrieval"): reciprocal rank fusion throws the distances away and was worse than the
vectors alone (partner-center-a nDCG@10: en 0.503 against 0.548, de 0.487 against 0.535).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dragoman.ports.embedder import Calibration

Mode = Literal["dense", "keyword", "hybrid"]

CANDIDATES_PER_ARM: Final = 50
BM25_K1: Final = 1.2  # Robertson & Zaragoza 2009; k1 = 0.9, b = 0.4 lost 0.02 to 0.05 nDCG@10 in five languages
BM25_B: Final = 0.75
SENTENCE_SHARE: Final = 0.5  # hit@1 xquad-a en 0.951 -> 0.976, es 0.905 -> 0.943, ar 0.690 -> 0.761; 1/3 and 2/3: less
KEYWORD_WEIGHT: Final = 0.03  # in cosine units; 0.01 to 0.05 are alike, 0.075 loses answers written in other languages
BACKGROUND_RANKS: Final = (10, 50)  # behind the first ten, which may all be relevant
BACKGROUND_SIZE: Final = 20  # fewer candidates than this are filled up with the typical background
KEYWORD_HALF: Final = 40.0  # the BM25 score that earns half the weight: two rare words earn a quarter of it


# Embedders of many languages rank text in the question's own language too high; text in others gets this back. On xquad-a
# with each article in one of five languages, answers in another language at rank 1: 0.50 -> 0.70 with 0.03, those in the
# same language 0.962 both times; on the sample questions the right document at rank 1: 0.919 -> 0.960 with 0.02.
FOREIGN_LANGUAGE_BONUS: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What is known of one candidate chunk for one question.

    Attributes:
        dense: Cosine of question and chunk; None when the chatbot's vectors cannot be reached.
        sentence: Best cosine of the question and a sentence of the chunk; None when it has no sentence vectors.
        keyword: BM25 score, 0 when no term matches. Terms come from `analyse_query` with the question's language, so
            that a foreign question leaves only names, numbers and codes here: no further discount is needed.
    """

    dense: float | None
    sentence: float | None = None
    keyword: float = 0.0


# Mode `keyword` has no vectors to stand out from: a BM25 score of 10, about two rare words, means 0.5. Not fitted.
KEYWORD_CALIBRATION: Final = Calibration(midpoint=10.0, slope=0.3)


def fuse(candidates: Sequence[Features], mode: Mode = "hybrid") -> list[float]:
    """The ranking score of each candidate, in the order given; greater is better.

    A candidate's score depends on itself alone, so scores compare across pages and across questions.
    `dense` leaves the keyword evidence out but keeps the sentences' (they are vectors too); `keyword` is BM25 alone;
    `hybrid` falls back to the evidence there is. A candidate without a vector ranks, in `dense` and `hybrid`, below all
    that have one.
    """
    return [_score(candidate, mode) for candidate in candidates]


def calibrate(score: float, calibration: Calibration, unrelated: float | None = None) -> float:
    """`similarity_score`, from 0 to 1: relevant passages mostly land above 0.5 and unrelated ones below 0.3.

    Args:
        score: From `fuse`.
        calibration: Of the embedding version that answered, or `KEYWORD_CALIBRATION` in mode `keyword`.
        unrelated: From `background`, for the same question; the typical one when None, which judges worse.
    """
    contrast = score - (calibration.typical_background if unrelated is None else unrelated)
    logit = calibration.slope * (score - calibration.midpoint) + calibration.contrast * contrast
    return 1.0 / (1.0 + math.exp(min(max(-logit, -60.0), 60.0)))


def background(pool: Sequence[float], typical: float) -> float:
    """The semantic score that an unrelated chunk gets from this question.

    Args:
        pool: `semantic_score` of every candidate of the search, in rank order.
        typical: `Calibration.typical_background`; stands in for the candidates that a small knowledge does not have.
    """
    first, last = BACKGROUND_RANKS
    tail = pool[first:last] if len(pool) > 2 * first else pool[1:]
    missing = max(0, BACKGROUND_SIZE - len(tail))
    return (sum(tail) + missing * typical) / (len(tail) + missing)


def semantic_score(candidate: Features) -> float:
    """The vectors' evidence: the mean of chunk and best sentence; 0 without vectors."""
    if candidate.dense is None:
        return candidate.sentence or 0.0
    if candidate.sentence is None:
        return candidate.dense
    return (1.0 - SENTENCE_SHARE) * candidate.dense + SENTENCE_SHARE * candidate.sentence


def _score(candidate: Features, mode: Mode) -> float:
    if mode == "keyword":
        return candidate.keyword
    semantic = semantic_score(candidate)
    if mode == "dense":
        return semantic
    return semantic + KEYWORD_WEIGHT * candidate.keyword / (candidate.keyword + KEYWORD_HALF)
