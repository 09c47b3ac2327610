"""The union of the arms in rank order: what words of another language may do to it."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from dragoman.ports.embedder import Calibration
from dragoman.ports.keyword_index import KeywordHit, KeywordTerm
from dragoman.ports.vector_index import DenseHit
from dragoman.retrieval.arms import Arms
from dragoman.retrieval.candidates import Pool, rank_by_fusion
from dragoman.retrieval.entities import Mode
from dragoman.retrieval.fusion import CANDIDATES_PER_ARM

CALIBRATION = Calibration(midpoint=0.825, slope=38.8, contrast=87.6, typical_background=0.77)
CODE, WORD = KeywordTerm(alternatives=("365",), weight=3.0), KeywordTerm(alternatives=("offic",), weight=5.0)


def ranked(
    keywords: dict[int, tuple[float, float]],
    terms: Sequence[KeywordTerm],
    *,
    language: str = "fr",
    candidates: int = CANDIDATES_PER_ARM + 3,
    must_hold: bool = False,
    mode: Mode = "hybrid",
) -> Pool:
    """An English question; as many candidates, the vectors liking each less than the one before; the last three were
    found by their words. `keywords`: score and matched weight by place."""
    ids = [UUID(int=place) for place in range(candidates)]
    arms = Arms(
        chunk_ids=ids,
        near=candidates - 3,
        dense=[
            DenseHit(chunk_id=ids[place], cosine=0.9 - 0.001 * place, best_sentence_cosine=None)
            for place in range(candidates)
        ],
        keyword=[
            KeywordHit(ids[place], *keywords[place]) if place in keywords else None for place in range(candidates)
        ],
        languages=[language] * candidates,
        terms=terms,
    )
    query: Any = SimpleNamespace(
        language="en", must_hold=must_hold, embedding_version=SimpleNamespace(calibration=CALIBRATION)
    )
    return rank_by_fusion(arms, query, mode)


def order(pool: Pool) -> list[int]:
    return [chunk_id.int for chunk_id in pool.chunk_ids]


def test_words_that_stand_in_two_languages_change_neither_order_nor_candidates() -> None:
    found = {5: (12.0, 1.0), CANDIDATES_PER_ARM + 1: (14.0, 1.0)}
    assert order(ranked(found, [WORD])) == list(range(CANDIDATES_PER_ARM))
    assert order(ranked(found, [WORD], language="en"))[0] == 5
    assert len(order(ranked(found, [WORD], language="en"))) == CANDIDATES_PER_ARM + 3


def test_a_code_is_evidence_in_any_language() -> None:
    found = {5: (6.0, 3.0 / 8.0), CANDIDATES_PER_ARM + 1: (6.0, 3.0 / 8.0)}
    pool = ranked(found, [CODE, WORD])
    assert order(pool)[0] == 5
    assert len(order(pool)) == CANDIDATES_PER_ARM + 3


def test_shared_words_beside_a_code_do_not_outdo_the_code() -> None:
    code_alone, both = (6.0, 3.0 / 8.0), (16.0, 1.0)
    pool = ranked({6: code_alone, 5: both}, [CODE, WORD])
    scores = dict(zip(order(pool), pool.scores, strict=True))
    assert scores[6] - 0.894 > scores[5] - 0.895  # beyond what their vectors say
    own = ranked({6: code_alone, 5: both}, [CODE, WORD], language="en")
    scores = dict(zip(order(own), own.scores, strict=True))
    assert scores[6] - 0.894 < scores[5] - 0.895


def test_what_a_question_demands_is_not_left_out() -> None:
    found = dict.fromkeys(range(CANDIDATES_PER_ARM + 3), (12.0, 1.0))
    assert len(order(ranked(found, [WORD], must_hold=True))) == CANDIDATES_PER_ARM + 3
    assert len(order(ranked(found, [WORD], mode="keyword"))) == CANDIDATES_PER_ARM + 3


def test_the_raw_evidence_is_told_as_it_is() -> None:
    pool = ranked({5: (12.0, 1.0)}, [WORD])
    signals = pool.signals(order(pool).index(5))
    assert (signals["keyword"], signals["matched_weight"]) == (12.0, 1.0)
