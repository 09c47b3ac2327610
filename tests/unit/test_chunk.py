"""Chunks lose nothing, fit their bounds, and know where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.ingestion.chunk import ChunkDraft, ChunkSettings, chunk_content_hash, chunk_document
from dragoman.ingestion.clean import whole_text
from dragoman.ports.extractor import ExtractedPage

SMALL = ChunkSettings(target_tokens=30, max_tokens=45, min_tokens=8)


async def count_words(texts: Sequence[str]) -> list[int]:
    """A tokenizer of words that adds two marks to every text, as models do."""
    return [len(text.split()) + 2 for text in texts]


async def count_characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def pages_of(*texts: str) -> list[ExtractedPage]:
    numbered = len(texts) > 1
    return [ExtractedPage(number=at if numbered else None, markdown=text) for at, text in enumerate(texts, start=1)]


async def chunks_of(*texts: str, settings: ChunkSettings = SMALL, title: str | None = None) -> list[ChunkDraft]:
    return await chunk_document(pages_of(*texts), title=title, count_tokens=count_words, settings=settings)


def sentences(count: int, word: str = "word") -> str:
    return " ".join(f"Sentence number {at} has {word} in it." for at in range(count))


# --- nothing is lost -------------------------------------------------------------------------------------------------

_words = st.text(alphabet="abcdeé中あ.!?", min_size=1, max_size=12)
_lines = st.lists(_words, min_size=1, max_size=40).map(" ".join)
_blocks = st.one_of(
    _lines,
    st.tuples(st.integers(1, 4), _words).map(lambda pair: f"{'#' * pair[0]} {pair[1]}"),
    st.lists(_lines, min_size=1, max_size=6).map(lambda items: "\n".join(f"- {item}" for item in items)),
    st.lists(st.tuples(_words, _words), min_size=1, max_size=30).map(
        lambda rows: "| a | b |\n| --- | --- |\n" + "\n".join(f"| {a} | {b} |" for a, b in rows)
    ),
    _lines.map(lambda line: f"```\n{line}\n```"),
    st.sampled_from(
        ["---", "```", "|", "Title\n=====", "1. one\n\n   more\n2. two", "> quoted", "| lone row |", "\u00a0", "#"]
    ),
)
_documents = st.lists(st.lists(_blocks, max_size=8).map("\n\n".join), min_size=1, max_size=3)


@settings(max_examples=150, deadline=None)
@given(texts=_documents, overlap=st.sampled_from([0, 12]))
async def test_every_character_is_in_a_chunk_in_order_and_bounds_hold(texts: list[str], overlap: int) -> None:
    limits = ChunkSettings(target_tokens=30, max_tokens=45, min_tokens=8, overlap_tokens=overlap)
    pages = pages_of(*texts)
    whole = whole_text(pages)
    drafts = await chunk_document(pages, title=None, count_tokens=count_words, settings=limits)
    covered = 0
    for ordinal, draft in enumerate(drafts):
        assert draft.ordinal == ordinal
        assert draft.text == draft.repeated_header + whole[draft.start : draft.end]
        assert not whole[covered : draft.start].strip()
        assert draft.end > covered
        if not overlap:
            assert draft.start >= covered
        covered = draft.end
        assert len(draft.text.split()) <= draft.token_count <= limits.max_tokens
    assert not whole[covered:].strip()


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="ab中 \n|.", max_size=400))
async def test_text_without_spaces_is_cut_rather_than_left_too_long(text: str) -> None:
    limits = ChunkSettings(target_tokens=20, max_tokens=25, min_tokens=5)
    drafts = await chunk_document(pages_of(text), title=None, count_tokens=count_characters, settings=limits)
    assert all(draft.token_count <= 25 for draft in drafts)
    assert "".join("".join(draft.text[len(draft.repeated_header) :].split()) for draft in drafts) == "".join(
        text.split()
    )


# --- structure -------------------------------------------------------------------------------------------------------


async def test_a_heading_opens_a_chunk_and_names_its_path() -> None:
    drafts = await chunks_of(f"# Manual\n\n## Care\n\n{sentences(3)}\n\n## Repair\n\n{sentences(3)}")
    assert [draft.heading_path for draft in drafts] == [("Manual", "Care"), ("Manual", "Repair")]
    assert drafts[1].text.startswith("## Repair")


async def test_a_heading_that_repeats_the_title_is_not_in_the_path() -> None:
    drafts = await chunks_of(f"# Manual\n\n## Care\n\n{sentences(3)}", title="manual")
    assert drafts[0].heading_path == ("Care",)
    assert drafts[0].text.startswith("# Manual")


async def test_all_chunks_of_a_long_section_carry_its_path() -> None:
    drafts = await chunks_of(f"# A\n\n{sentences(30)}\n\n# B\n\n{sentences(2)}")
    assert len(drafts) > 3
    assert {draft.heading_path for draft in drafts[:-1]} == {("A",)}
    assert drafts[-1].heading_path == ("B",)


async def test_tiny_sections_of_one_parent_share_a_chunk_and_keep_their_headings() -> None:
    drafts = await chunks_of("# Hours\n\n## Monday\n\nClosed.\n\n## Tuesday\n\nOpen.\n\n## Wednesday\n\nOpen.")
    assert len(drafts) == 1
    assert drafts[0].heading_path == ("Hours",)
    assert all(day in drafts[0].text for day in ("Monday", "Tuesday", "Wednesday"))


async def test_sentences_are_not_cut() -> None:
    drafts = await chunks_of(sentences(30))
    assert all(draft.text.startswith("Sentence") and draft.text.endswith("it.") for draft in drafts)


async def test_a_table_that_fits_is_whole() -> None:
    rows = "\n".join(f"| {at} | b |" for at in range(4))
    drafts = await chunks_of(f"{sentences(4)}\n\n| n | m |\n| --- | --- |\n{rows}\n\n{sentences(4)}")
    assert sum("| n | m |" in draft.text for draft in drafts) == 1
    assert all(row in next(d for d in drafts if "| n | m |" in d.text).text for row in rows.split("\n"))
    assert not any(draft.repeated_header for draft in drafts)


async def test_a_long_table_repeats_its_header_over_each_part() -> None:
    rows = [f"| item {at} | {at} |" for at in range(40)]
    drafts = await chunks_of("# Prices\n\n| name | price |\n| --- | --- |\n" + "\n".join(rows))
    assert len(drafts) > 2
    assert all("| name | price |\n| --- | --- |\n" in draft.text for draft in drafts)
    assert all(draft.kind == "table" and draft.heading_path == ("Prices",) for draft in drafts)
    assert [draft.repeated_header for draft in drafts] == [
        "",
        *["| name | price |\n| --- | --- |\n"] * (len(drafts) - 1),
    ]
    assert [row for draft in drafts for row in draft.text.split("\n") if row.startswith("| item")] == rows


async def test_a_list_stays_with_the_line_that_leads_in() -> None:
    items = "\n".join(f"- item {at} of the list" for at in range(5))
    drafts = await chunks_of(f"{sentences(4)}\n\nThe following apply:\n\n{items}")
    assert drafts[-1].text.startswith("The following apply:\n\n- item 0")
    assert drafts[-1].kind == "list"


async def test_code_that_fits_is_whole_and_is_known_as_code() -> None:
    code = "```python\n# no heading\nx = 1\n\ny = 2\n```"
    drafts = await chunks_of(f"# A\n\n{sentences(4)}\n\n{code}")
    assert any(code in draft.text and draft.kind == "code" for draft in drafts)
    assert all(draft.heading_path == ("A",) for draft in drafts)


async def test_a_chunk_knows_the_page_its_text_begins_on() -> None:
    drafts = await chunks_of(f"# A\n\n{sentences(3)}", f"# B\n\n{sentences(3)}")
    assert [draft.page for draft in drafts] == [1, 2]


async def test_overlap_repeats_whole_sentences() -> None:
    limits = ChunkSettings(target_tokens=30, max_tokens=45, min_tokens=8, overlap_tokens=10)
    drafts = await chunks_of(sentences(30), settings=limits)
    assert all(later.start < earlier.end for earlier, later in pairwise(drafts))
    assert all(draft.text.startswith("Sentence") for draft in drafts)


async def test_an_empty_document_has_no_chunks() -> None:
    assert await chunks_of("", "  \n") == []


async def test_tokens_are_counted_in_few_calls() -> None:
    calls: list[int] = []

    async def counting(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return await count_words(texts)

    text = "\n\n".join(f"## S{at}\n\n{sentences(20)}" for at in range(50))
    await chunk_document(pages_of(text), title=None, count_tokens=counting, settings=SMALL)
    assert len(calls) <= 6
    assert max(calls) <= 512


@pytest.mark.parametrize(("text", "path"), [("a", ("b",)), ("ab", ()), ("a", ()), ("", ("a", "b")), ("", ("ab",))])
def test_the_content_hash_tells_text_and_path_apart(text: str, path: tuple[str, ...]) -> None:
    others = [("a", ("b",)), ("ab", ()), ("a", ()), ("", ("a", "b")), ("", ("ab",))]
    same = [other for other in others if chunk_content_hash(*other) == chunk_content_hash(text, path)]
    assert same == [(text, path)]
