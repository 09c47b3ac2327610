"""From candidates to passages: near duplicates, neighbours, diversity."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ingestion.chunk import chunk_content_hash
from dragoman.knowledge.entities import Chunk, ChunkInDocument
from dragoman.retrieval.diversity import SAME_DOCUMENT, diversify
from dragoman.retrieval.duplicates import are_alike
from dragoman.retrieval.entities import Passage
from dragoman.retrieval.neighbours import MOST_TOGETHER, belongs_to, merged_span, merged_text

LONG = " ".join(
    first + last
    for first in "bdfgklmnprst"
    for last in ("anor", "elid", "imut", "oben", "ulack", "yris", "esto", "avin", "ophu", "urge")
)
DOCUMENT, VERSION = uuid4(), uuid4()


def chunk(text: str, *, ordinal: int = 0, start: int = 0, language: str = "en", **fields: object) -> Chunk:
    made = Chunk(
        id=uuid4(),
        document_id=DOCUMENT,
        version_id=VERSION,
        ordinal=ordinal,
        text=text,
        language=language,
        kind="text",
        heading_path=(),
        page=None,
        start_offset=start,
        end_offset=start + len(text),
        token_count=len(text) // 4,
        content_hash=chunk_content_hash(text, ()),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def passage(of: Chunk, neighbours: Sequence[Passage] = ()) -> Passage:
    found = ChunkInDocument(
        chunk=of, title="Manual", file_name="manual.md", external_id=None, content_type="document", category=""
    )
    return Passage(
        rank=1, similarity_score=0.8, score=0.8, semantic=0.8, signals={}, found=found, neighbours=tuple(neighbours)
    )


# --- near duplicates


def test_the_same_text_in_two_documents_is_a_duplicate() -> None:
    assert are_alike(chunk(LONG), chunk(LONG, document_id=uuid4(), version_id=uuid4()))


def test_another_edition_with_one_word_changed_is_a_duplicate() -> None:
    assert are_alike(chunk(LONG), chunk(LONG.replace("mulack", "yellow")))


def test_pages_of_two_models_are_no_duplicates_although_one_number_differs() -> None:
    one = chunk("The DX-4100 projector. " + LONG)
    other = chunk("The DX-4200 projector. " + LONG)
    assert not are_alike(one, other)


def test_text_of_two_languages_is_never_a_duplicate() -> None:
    assert not are_alike(chunk("Aurora 4K, Aurora HD"), chunk("Aurora 4K; Aurora HD", language="de"))


def test_a_part_is_no_duplicate_of_the_whole() -> None:
    assert not are_alike(chunk(LONG), chunk(LONG[: len(LONG) // 2]))


def test_unlike_text_is_no_duplicate() -> None:
    assert not are_alike(chunk(LONG), chunk("A discount of seventeen percent is given to gold partners. " * 12))


def test_japanese_text_is_compared_by_its_characters() -> None:
    text = "".join(
        f"{word}の返品は納品から以内に元の包装でお願いします。{word}の保証期間は長く、部品も含まれます。"
        for word in "赤青緑黒白灰"
    )
    assert are_alike(chunk(text, language="ja"), chunk(text.replace("元の", "もとの", 1), language="ja"))
    assert not are_alike(chunk(text, language="ja"), chunk("割引は金のパートナーに適用されます。" * 8, language="ja"))


@pytest.mark.parametrize("text", ["", "   ", "!", "a", "。"])
def test_text_without_words_is_compared_by_its_hash(text: str) -> None:
    assert are_alike(chunk(text), chunk(text))
    assert not are_alike(chunk(text), chunk(LONG))


@given(st.text(max_size=200), st.text(max_size=200))
def test_alike_is_the_same_both_ways(one: str, other: str) -> None:
    assert are_alike(chunk(one), chunk(other)) == are_alike(chunk(other), chunk(one))


# --- neighbours


def test_chunks_that_follow_each_other_belong_together() -> None:
    middle = passage(chunk("b", ordinal=5))
    assert belongs_to(chunk("a", ordinal=4), middle)
    assert belongs_to(chunk("c", ordinal=6), middle)
    assert not belongs_to(chunk("d", ordinal=7), middle)
    assert not belongs_to(chunk("c", ordinal=6, version_id=uuid4()), middle)


def test_a_grown_passage_grows_on_at_its_ends_up_to_a_bound() -> None:
    grown = passage(chunk("b", ordinal=5), [passage(chunk("c", ordinal=6))])
    assert belongs_to(chunk("d", ordinal=7), grown)
    full = passage(chunk("b", ordinal=0), [passage(chunk("c", ordinal=at)) for at in range(1, MOST_TOGETHER)])
    assert not belongs_to(chunk("e", ordinal=MOST_TOGETHER), full)


WHOLE = "# Returns\n\nGoods may be returned. In their box.\n\n# Warranty\n\nFive years. The lamp too."


@given(st.lists(st.integers(0, len(WHOLE)), min_size=2, max_size=3, unique=True), st.integers(0, 2), st.integers(0, 12))
def test_a_merged_passage_reads_as_the_document_does(cuts: list[int], best: int, overlap: int) -> None:
    bounds = sorted({0, *cuts, len(WHOLE)})
    parts: list[Chunk] = []
    for ordinal, (start, end) in enumerate(itertools.pairwise(bounds)):
        start = max(0, start - overlap)
        stripped = WHOLE[start:end].rstrip()
        parts.append(chunk(stripped, ordinal=ordinal, start=start))
    found = [passage(part) for part in parts if part.text.strip()][:MOST_TOGETHER]
    best = min(best, len(found) - 1)
    merged = replace(found[best], neighbours=tuple(other for other in found if other is not found[best]))
    start, end = merged_span(merged)
    text = merged_text(merged)
    assert len(text) == end - start
    assert text.split() == WHOLE[start:end].split()


def test_the_repeated_head_of_a_table_is_said_once() -> None:
    head = "| Model | Price |\n|---|---|\n"
    rows = "| A | 1 |\n| B | 2 |"
    first = chunk(head + "| A | 1 |", ordinal=0, start=10, kind="table")
    second = replace(
        chunk(head + "| B | 2 |", ordinal=1, start=first.end_offset + 1, kind="table"),
        end_offset=first.end_offset + 1 + len("| B | 2 |"),
    )
    merged = passage(second, [passage(first)])
    assert merged_text(merged) == head + rows
    assert merged_span(merged) == (10, 10 + len(head + rows))


def test_a_merged_passage_can_be_taken_apart_for_its_citations() -> None:
    best, other = passage(chunk("b", ordinal=1)), passage(chunk("a", ordinal=0))
    merged = replace(best, neighbours=(other,))
    assert [part.chunk_id for part in merged.apart] == [best.chunk_id, other.chunk_id]


# --- diversity


def test_without_strength_the_order_stays() -> None:
    chunks = [chunk(LONG), chunk(LONG), chunk("else")]
    assert diversify([0.9, 0.8, 0.7], chunks, 0.0) == [0, 1, 2]


def test_a_passage_of_another_document_comes_forward_when_it_is_as_good() -> None:
    chunks = [chunk("returns are free"), chunk("returns take time"), chunk("gold partners save", document_id=uuid4())]
    assert diversify([0.9, 0.89, 0.88], chunks, 0.2) == [0, 2, 1]


def test_a_much_better_passage_of_the_same_document_stays_ahead() -> None:
    chunks = [chunk("returns are free"), chunk("returns take time"), chunk("gold partners save", document_id=uuid4())]
    gap = SAME_DOCUMENT * 0.2 / 0.8
    assert diversify([0.9, 0.9, 0.9 - gap - 0.01], chunks, 0.2) == [0, 1, 2]


def test_what_says_the_same_goes_last() -> None:
    def of(document: UUID, text: str) -> Chunk:
        return chunk(text, document_id=document)

    chunks = [of(uuid4(), LONG), of(uuid4(), LONG), of(uuid4(), "Discounts are given to gold partners only.")]
    assert diversify([0.9, 0.9, 0.5], chunks, 0.5) == [0, 2, 1]


@given(st.lists(st.floats(0.0, 1.0), max_size=12), st.floats(0.0, 1.0))
def test_every_passage_stays_once(similarities: list[float], strength: float) -> None:
    chunks = [chunk(f"text {number % 4}") for number in range(len(similarities))]
    assert sorted(diversify(similarities, chunks, strength)) == list(range(len(similarities)))
