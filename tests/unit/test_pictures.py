"""Pictures leave the text, keep their place, and are shown with the chunk they stood in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dragoman.ingestion.chunk import ChunkDraft
from dragoman.ingestion.clean import clean_pages, whole_text
from dragoman.ingestion.pictures import Placement, pictures_of_chunks, take_pictures
from dragoman.ports.extractor import ExtractedPage


def pages_of(*texts: str) -> list[ExtractedPage]:
    return [ExtractedPage(number=at, markdown=text) for at, text in enumerate(texts, start=1)]


def draft(ordinal: int, start: int, end: int, page: int | None) -> ChunkDraft:
    return ChunkDraft(
        ordinal=ordinal, text="x", heading_path=(), page=page, start=start, end=end, kind="text", token_count=1
    )


def test_a_mark_without_description_leaves_no_gap() -> None:
    pages, placements = take_pictures(pages_of("Before.\n\n![](image:3)\n\nAfter."))
    assert pages[0].markdown == "Before.\n\nAfter."
    assert placements == [Placement(image_index=3, offset=7, page=1)]


def test_a_description_stays_as_text() -> None:
    pages, placements = take_pictures(pages_of("Before.\n\n![The pump, seen [above\\]](image:0)\n\nAfter."))
    assert pages[0].markdown == "Before.\n\nThe pump, seen [above]\n\nAfter."
    assert pages[0].markdown[placements[0].offset :].startswith("The pump")


def test_marks_at_the_edges_of_a_page_and_within_a_line() -> None:
    pages, placements = take_pictures(
        pages_of("![](image:0)\n\nText.\n\n![](image:1)", "| a | ![](image:2) |", "![](image:3)")
    )
    assert [page.markdown for page in pages] == ["Text.", "| a |  |", ""]
    whole = whole_text(pages)
    assert [(placed.image_index, whole[: placed.offset], placed.page) for placed in placements] == [
        (0, "", 1),
        (1, "Text.", 1),
        (2, "Text.\n\n| a | ", 2),
        (3, "Text.\n\n| a |  |\n\n", 3),
    ]


def test_pictures_from_the_web_are_left_alone() -> None:
    pages, placements = take_pictures(pages_of("![logo](https://example.org/a.png) and ![b](image:x)"))
    assert "https://example.org" in pages[0].markdown
    assert placements == []


def test_a_page_without_marks_is_the_same_object() -> None:
    pages = pages_of("Text.")
    assert take_pictures(pages)[0][0] is pages[0]


def test_a_picture_goes_to_the_chunk_around_it_else_to_the_one_before_it_on_its_page() -> None:
    drafts = [draft(0, 0, 10, 1), draft(1, 12, 20, 1), draft(2, 30, 40, 3), draft(3, 50, 60, 4)]
    placements = [
        Placement(image_index=0, offset=5, page=1),
        Placement(image_index=1, offset=10, page=1),
        Placement(image_index=2, offset=25, page=2),
        Placement(image_index=3, offset=28, page=3),
        Placement(image_index=4, offset=60, page=4),
        Placement(image_index=4, offset=60, page=4),
    ]
    assert pictures_of_chunks(drafts, placements) == [[0, 1], [], [3], [4]]


def test_a_chunk_across_two_pages_has_the_pictures_of_both() -> None:
    drafts = [draft(0, 0, 100, 1)]
    assert pictures_of_chunks(drafts, [Placement(image_index=7, offset=80, page=2)]) == [[7]]


def test_a_document_without_text_shows_no_pictures() -> None:
    assert pictures_of_chunks([], [Placement(image_index=0, offset=0, page=1)]) == []


_pieces = st.sampled_from(
    ["![](image:1)", "![a dog](image:2)", "text", "# head", "\n\n", "\n", "| ![](image:4) |", "![](image:"]
)


@given(st.lists(st.lists(_pieces, max_size=12).map("".join), min_size=1, max_size=3))
def test_taking_pictures_leaves_a_clean_text_and_valid_offsets(texts: list[str]) -> None:
    cleaned = clean_pages([ExtractedPage(number=None, markdown=text) for text in texts]).pages
    pages, placements = take_pictures(cleaned)
    whole = whole_text(pages)
    assert "(image:1)" not in whole
    assert all("\n\n\n" not in page.markdown and page.markdown == page.markdown.strip("\n") for page in pages)
    assert all(0 <= placed.offset <= len(whole) for placed in placements)
    assert [placed.offset for placed in placements] == sorted(placed.offset for placed in placements)
