"""Chunks lose nothing, fit their bounds, and know where they stand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.ingestion.chunk import ChunkDraft, ChunkSettings, PairSpan, chunk_content_hash, chunk_document
from dragoman.ingestion.clean import whole_text
from dragoman.ingestion.previous import PreviousChunks
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


# --- pairs -----------------------------------------------------------------------------------------------------------


async def test_a_pair_shares_no_chunk_with_what_stands_beside_it() -> None:
    text = "Before.\n\n**How?**\n\nSo.\n\n**Why?**\n\nBecause.\n\nAfter."
    how, why, after = (text.index(mark) for mark in ("**How", "**Why", "After"))
    spans = [
        PairSpan(start=how, end=why - 2, kind="faq", question="How?", provenance={"rows": [3]}),
        PairSpan(start=why, end=after - 2, kind="faq", question="Why?"),
    ]
    drafts = await chunk_document(
        pages_of(text), title=None, count_tokens=count_words, settings=SMALL, pair_spans=spans
    )
    assert [draft.text for draft in drafts] == ["Before.", "**How?**\n\nSo.", "**Why?**\n\nBecause.", "After."]
    assert [draft.kind for draft in drafts] == ["text", "faq", "faq", "text"]
    assert [dict(draft.provenance) for draft in drafts] == [{}, {"rows": [3]}, {}, {}]


# --- a replacement keeps what did not change -------------------------------------------------------------------------

STABLE = ChunkSettings(target_tokens=60, max_tokens=85, min_tokens=10)


async def changed(before: str, after: str, *, overlap: int = 0) -> tuple[int, int]:
    """How many chunks the new text has, and how many of them have to be embedded."""
    limits = ChunkSettings(target_tokens=60, max_tokens=85, min_tokens=10, overlap_tokens=overlap)
    count = count_characters if ord(max(before)) > 0x3000 else count_words
    old = await chunk_document(pages_of(before), title=None, count_tokens=count, settings=limits)
    previous = PreviousChunks.of([draft.text for draft in old], [(draft.start, draft.end) for draft in old])
    new = await chunk_document(pages_of(after), title=None, count_tokens=count, settings=limits, previous=previous)
    whole = whole_text(pages_of(after))
    covered = 0
    for draft in new:
        assert draft.text == draft.repeated_header + whole[draft.start : draft.end]
        assert not whole[covered : draft.start].strip()
        assert draft.token_count <= limits.max_tokens
        covered = draft.end
    assert not whole[covered:].strip()
    known = {chunk_content_hash(draft.text, draft.heading_path) for draft in old}
    return len(new), sum(chunk_content_hash(draft.text, draft.heading_path) not in known for draft in new)


def latin(seed: int, sentences: int) -> str:
    return " ".join(
        "S" + " ".join(f"w{(seed * 31 + at * 7 + word * 13) % 997}" for word in range(4 + (seed + at) % 9)) + "."
        for at in range(sentences)
    )


def chinese(seed: int, sentences: int) -> str:
    return "".join(
        "".join(chr(0x4E00 + (seed * 131 + at * 37 + sign * 17) % 4000) for sign in range(5 + (seed + at) % 20)) + "。"
        for at in range(sentences)
    )


PARAGRAPHS = [latin(seed, 1 + seed % 5) for seed in range(500)]
CHINESE = [chinese(seed, 1 + seed % 5) for seed in range(300)]
HEADED = [f"{'#' * (1 + at % 3)} Part {at}\n\n{text}" if at % 5 == 0 else text for at, text in enumerate(PARAGRAPHS)]
ROWS = [f"| {at} | {latin(at, 1)} | {at * 7 % 100} |" for at in range(900)]
TABLE_HEAD = "| number | text | price |\n| --- | --- | --- |\n"

_edits = st.sampled_from(["change", "insert", "remove", "sentence"])


def edited(units: Sequence[str], edit: str, at: int, fresh: str) -> list[str]:
    units = list(units)
    if edit == "change":
        units[at] = fresh
    elif edit == "insert":
        units.insert(at, fresh)
    elif edit == "remove":
        del units[at]
    else:
        words = units[at]
        units[at] = f"{words[: len(words) // 2]} {fresh} {words[len(words) // 2 :]}"
    return units


@settings(max_examples=40, deadline=None)
@given(edit=_edits, at=st.integers(0, 499), length=st.integers(1, 4), overlap=st.sampled_from([0, 15]))
async def test_an_edited_paragraph_of_a_plain_text_changes_three_chunks_at_most(
    edit: str, at: int, length: int, overlap: int
) -> None:
    units = edited(PARAGRAPHS, edit, at, latin(at + 10_000, length))
    chunks, new = await changed("\n\n".join(PARAGRAPHS), "\n\n".join(units), overlap=overlap)
    assert chunks > 150
    assert new <= 3


@settings(max_examples=25, deadline=None)
@given(edit=_edits, at=st.integers(0, 499), length=st.integers(1, 4))
async def test_so_it_is_in_a_text_without_paragraphs(edit: str, at: int, length: int) -> None:
    units = edited(PARAGRAPHS, edit, at, latin(at + 10_000, length))
    assert (await changed(" ".join(PARAGRAPHS), " ".join(units)))[1] <= 3


@settings(max_examples=25, deadline=None)
@given(edit=_edits, at=st.integers(0, 499).filter(lambda at: at % 5 != 0), length=st.integers(1, 4))
async def test_so_it_is_under_headings(edit: str, at: int, length: int) -> None:
    units = edited(HEADED, edit, at, latin(at + 10_000, length))
    assert (await changed("\n\n".join(HEADED), "\n\n".join(units)))[1] <= 3


@settings(max_examples=25, deadline=None)
@given(edit=st.sampled_from(["change", "insert", "remove"]), at=st.integers(0, 899))
async def test_so_it_is_in_a_table(edit: str, at: int) -> None:
    units = edited(ROWS, edit, at, f"| new | {latin(at + 10_000, 2)} | 0 |")
    assert (await changed(TABLE_HEAD + "\n".join(ROWS), TABLE_HEAD + "\n".join(units)))[1] <= 3


@settings(max_examples=20, deadline=None)
@given(edit=_edits, at=st.integers(0, 299), length=st.integers(1, 2), joint=st.sampled_from(["\n\n", ""]))
async def test_so_it_is_in_chinese(edit: str, at: int, length: int, joint: str) -> None:
    units = edited(CHINESE, edit, at, chinese(at + 10_000, length))
    assert (await changed(joint.join(CHINESE), joint.join(units)))[1] <= 3


async def test_several_edits_and_a_moved_section_keep_all_the_rest() -> None:
    units = edited(PARAGRAPHS, "change", 50, latin(20_000, 3))
    units = edited(units, "insert", 200, latin(20_001, 3))
    units = edited(units, "remove", 400, "")
    units = [*units[:100], *units[140:300], *units[100:140], *units[300:]]
    chunks, new = await changed("\n\n".join(PARAGRAPHS), "\n\n".join(units))
    assert chunks > 150
    assert new <= 3 * 3 + 6


async def test_the_same_text_again_has_the_same_chunks() -> None:
    for text in ("\n\n".join(HEADED), TABLE_HEAD + "\n".join(ROWS), "".join(CHINESE)):
        assert (await changed(text, text, overlap=15))[1] == 0


async def test_another_text_altogether_is_cut_as_if_nothing_had_been_before() -> None:
    text = "\n\n".join(HEADED)
    fresh = await chunk_document(pages_of(text), title=None, count_tokens=count_words, settings=STABLE)
    previous = PreviousChunks.of(["Nothing of this stands any more. " * 4], [(0, 132)])
    again = await chunk_document(
        pages_of(text), title=None, count_tokens=count_words, settings=STABLE, previous=previous
    )
    assert again == fresh


async def test_a_sentence_that_goes_on_is_not_cut_where_it_ended_before() -> None:
    before = "\n\n".join(["- buy milk", *PARAGRAPHS[:6]])
    after = before.replace("- buy milk", "- buy milk and eggs")
    old = await chunk_document(pages_of(before), title=None, count_tokens=count_words, settings=STABLE)
    previous = PreviousChunks.of(
        ["- buy milk", *[draft.text for draft in old]], [(0, 10), *[(d.start, d.end) for d in old]]
    )
    new = await chunk_document(
        pages_of(after), title=None, count_tokens=count_words, settings=STABLE, previous=previous
    )
    assert new[0].text.startswith("- buy milk and eggs")


@settings(max_examples=80, deadline=None)
@given(before=_documents, after=_documents)
async def test_whatever_was_before_nothing_of_the_new_text_is_lost(before: list[str], after: list[str]) -> None:
    old = await chunk_document(pages_of(*before), title=None, count_tokens=count_words, settings=SMALL)
    previous = PreviousChunks.of([draft.text for draft in old], [(draft.start, draft.end) for draft in old])
    pages = pages_of(*after, *before)
    whole = whole_text(pages)
    drafts = await chunk_document(pages, title=None, count_tokens=count_words, settings=SMALL, previous=previous)
    covered = 0
    for draft in drafts:
        assert draft.text == draft.repeated_header + whole[draft.start : draft.end]
        assert not whole[covered : draft.start].strip()
        assert draft.token_count <= SMALL.max_tokens
        covered = draft.end
    assert not whole[covered:].strip()


# --- large documents -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(" ".join(PARAGRAPHS) * 12, id="one paragraph"),
        pytest.param("\n".join(["```a"] * 20_000), id="fences that never close"),
        pytest.param("ab" * 400_000, id="one word"),
        pytest.param(TABLE_HEAD + "\n".join(ROWS * 10), id="one table"),
    ],
)
async def test_time_and_memory_grow_with_the_text_and_not_with_its_square(text: str) -> None:
    """A paragraph of 25 MB, and 200,000 fences that never close, once took more than a minute each."""
    began = time.monotonic()
    drafts = await chunk_document(pages_of(text), title=None, count_tokens=count_words, settings=ChunkSettings())
    assert time.monotonic() - began < 15
    assert drafts
