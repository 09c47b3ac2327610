"""Fusion: one ranking score from the arms of a search, and a similarity from 0 to 1."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dragoman.ports.embedder import Calibration
from dragoman.retrieval.fusion import (
    ABSOLUTE_WEIGHT,
    KEYWORD_CALIBRATION,
    RELATIVE_WEIGHT,
    TYPICAL_KEYWORDS,
    UNIT_OF_SPREADS,
    Features,
    Mode,
    background,
    calibrate,
    fuse,
    semantic_score,
    share_of_codes,
)

CALIBRATION = Calibration(midpoint=0.825, slope=38.8, contrast=87.6, typical_background=0.77)
UNMEASURED = Calibration(midpoint=0.5, slope=12.0)
UNIT = 0.055
COSINES = st.floats(0.6, 1.0)
FEATURES = st.builds(
    Features,
    dense=COSINES,
    sentence=st.one_of(st.none(), COSINES),
    keyword=st.floats(0.0, 300.0),
    matched_weight=st.floats(0.0, 1.0),
    evidence=st.floats(0.0, 1.0),
)


def hybrid(*candidates: Features, calibration: Calibration = CALIBRATION) -> list[float]:
    return fuse(candidates, "hybrid", calibration)


def test_keyword_evidence_decides_between_equal_vectors() -> None:
    plain, named = hybrid(Features(dense=0.85), Features(dense=0.85, keyword=12.0))
    assert named > plain


def test_keyword_evidence_cannot_overturn_a_clear_difference_of_meaning() -> None:
    meant, worded = hybrid(
        Features(dense=0.89, sentence=0.91), Features(dense=0.80, sentence=0.81, keyword=90.0, matched_weight=1.0)
    )
    assert meant > worded


def test_the_best_match_counts_for_little_when_it_holds_few_of_the_questions_words() -> None:
    def gain(matched: float) -> float:
        plain, best = hybrid(Features(dense=0.8), Features(dense=0.8, keyword=6.0, matched_weight=matched))
        return best - plain

    assert gain(0.1) < gain(0.9) / 3  # a German question to English text, and an English one


def test_words_in_text_of_another_language_are_no_evidence() -> None:
    plain, own = hybrid(Features(dense=0.8), Features(dense=0.8, keyword=9.0, matched_weight=0.5))
    _, other = hybrid(Features(dense=0.8), Features(dense=0.8, keyword=9.0, matched_weight=0.5, evidence=0.0))
    assert other == plain < own


def test_words_that_two_languages_share_add_nothing_to_a_code() -> None:
    codes = 3.0
    alone, beside_words = share_of_codes(codes, codes), share_of_codes(codes, 4 * codes)
    assert (alone, share_of_codes(codes, 1.5), share_of_codes(0.0, codes), share_of_codes(codes, 0.0)) == (1, 1, 0, 0)
    plain, code, more = hybrid(
        Features(dense=0.8),
        Features(dense=0.8, keyword=3.0, matched_weight=0.1, evidence=alone),
        Features(dense=0.8, keyword=12.0, matched_weight=0.4, evidence=beside_words),
    )
    assert plain < more < code


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0))
def test_the_share_of_codes_is_a_share(codes: float, matched: float) -> None:
    assert 0.0 <= share_of_codes(codes, matched) <= 1.0


def test_keyword_evidence_is_measured_in_what_a_models_cosines_are_worth() -> None:
    """A model that spreads its cosines ten times as wide gets ten times the keyword weight."""
    narrow = [Features(dense=0.80 + 0.001 * step, keyword=float(step % 3)) for step in range(20)]
    wide = [Features(dense=0.30 + 0.01 * step, keyword=float(step % 3)) for step in range(20)]
    scores, wide_scores = (hybrid(*each, calibration=UNMEASURED) for each in (narrow, wide))
    assert sorted(range(20), key=scores.__getitem__) == sorted(range(20), key=wide_scores.__getitem__)


def test_a_passage_with_the_answering_sentence_beats_one_that_is_near_as_a_whole() -> None:
    whole, exact = hybrid(Features(dense=0.86, sentence=0.84), Features(dense=0.85, sentence=0.90))
    assert exact > whole


def test_each_mode_hears_its_own_arms() -> None:
    near = Features(dense=0.9, sentence=0.9)
    worded = Features(dense=0.8, sentence=0.8, keyword=40.0, matched_weight=0.5)
    assert fuse([near, worded], "keyword", CALIBRATION) == [0.0, 40.0]
    assert fuse([near, worded], "dense", CALIBRATION) == pytest.approx([0.9, 0.8])
    keywords = ABSOLUTE_WEIGHT / 2 + RELATIVE_WEIGHT / 2
    assert hybrid(near, worded) == pytest.approx(
        [0.9 - UNIT * TYPICAL_KEYWORDS, 0.8 + UNIT * (keywords - TYPICAL_KEYWORDS)]
    )


@pytest.mark.parametrize("calibration", [CALIBRATION, UNMEASURED])
def test_without_any_vector_the_hybrid_ranks_by_keywords(calibration: Calibration) -> None:
    scores = hybrid(Features(dense=None, keyword=2.0), Features(dense=None, keyword=9.0), calibration=calibration)
    assert scores[1] > scores[0]


@pytest.mark.parametrize("calibration", [CALIBRATION, UNMEASURED])
def test_a_chunk_without_vectors_ranks_below_those_with_one(calibration: Calibration) -> None:
    unseen, seen, _ = hybrid(
        Features(dense=None, keyword=500.0), Features(dense=0.7), Features(dense=0.65), calibration=calibration
    )
    assert seen > unseen


def test_a_chatbot_without_sentence_vectors_is_scored_by_its_chunks() -> None:
    assert semantic_score(Features(dense=0.83)) == 0.83


def test_an_answer_and_a_stranger_lie_on_both_sides_of_the_middle() -> None:
    assert calibrate(0.88, CALIBRATION, 0.76) > 0.9  # xquad-a en: mean of the right passages
    assert calibrate(0.745, CALIBRATION, 0.76) < 0.1  # and of all others
    assert calibrate(0.81, CALIBRATION, 0.84) < 0.1  # in a narrow subject everything is near


def test_the_background_skips_what_may_be_relevant() -> None:
    pool = [0.9] * 10 + [0.75] * 40 + [0.1] * 50
    assert background(pool, 0.77) == pytest.approx(0.75)


def test_a_small_knowledge_borrows_the_typical_background() -> None:
    assert background([], 0.77) == pytest.approx(0.77)
    assert background([0.9], 0.77) == pytest.approx(0.77)
    assert 0.70 < background([0.9, 0.70, 0.70], 0.77) < 0.77


@given(st.lists(FEATURES, max_size=20), st.sampled_from(["dense", "keyword", "hybrid"]))
def test_the_order_of_the_candidates_changes_no_score(candidates: list[Features], mode: Mode) -> None:
    scores = fuse(candidates, mode, CALIBRATION)
    assert fuse(candidates[::-1], mode, CALIBRATION)[::-1] == scores


@given(FEATURES, st.floats(0.0, 50.0))
def test_more_keyword_evidence_never_lowers_the_score(candidate: Features, more: float) -> None:
    richer = Features(
        dense=candidate.dense,
        sentence=candidate.sentence,
        keyword=candidate.keyword + more,
        matched_weight=candidate.matched_weight,
    )
    before, after = hybrid(candidate, richer)
    assert before <= after <= before + UNIT * (ABSOLUTE_WEIGHT + RELATIVE_WEIGHT)


@example([Features(dense=1.0, keyword=2.2250738585e-313, matched_weight=1.0)], CALIBRATION)
@given(st.lists(FEATURES, max_size=20), st.sampled_from([CALIBRATION, UNMEASURED]))
def test_every_score_is_a_number(candidates: list[Features], calibration: Calibration) -> None:
    lowest = -1.0 - TYPICAL_KEYWORDS * max(UNIT, UNIT_OF_SPREADS)  # cosines spread by 1 at most
    assert all(lowest <= score < 20.0 for score in hybrid(*candidates, calibration=calibration))


@given(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0), st.floats(0.0, 1.0))
def test_similarity_rises_with_the_score_and_stays_in_bounds(one: float, other: float, unrelated: float) -> None:
    low, high = sorted((one, other))
    low_similarity = calibrate(low, CALIBRATION, unrelated)
    assert 0.0 <= low_similarity <= calibrate(high, CALIBRATION, unrelated) <= 1.0


@given(st.floats(0.0, 1.0))
def test_without_a_background_the_typical_one_is_assumed(score: float) -> None:
    typical = CALIBRATION.typical_background
    assert calibrate(score, CALIBRATION) == calibrate(score, CALIBRATION, typical)


def test_keyword_scores_have_their_own_curve() -> None:
    assert calibrate(0.0, KEYWORD_CALIBRATION) < 0.1
    assert calibrate(10.0, KEYWORD_CALIBRATION) == pytest.approx(0.5)
    assert calibrate(40.0, KEYWORD_CALIBRATION) > 0.9
