"""Code in streamed Markdown: told from the words around it however the stream is cut, with its fences put right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dragoman.generation.code_blocks import CodeBlocks, find_open_span, masked

_PIECES = ["```", "````", "~~~", "sh", "\n", "\n", "\n\n", " ", "- ", "1. ", "> ", "   ", "[1]", "word", "`x`", "x. y"]


def _cut(text: str, sizes: list[int]) -> tuple[str, str]:
    """What is said, and what of it is code."""
    blocks, parts, rest = CodeBlocks(), [], text
    for size in sizes:
        parts += blocks.feed(rest[:size])
        rest = rest[size:]
    parts += blocks.feed(rest) + blocks.finish()
    assert not blocks.is_open
    return "".join(part.text for part in parts), "".join(part.text for part in parts if part.is_code)


@pytest.mark.parametrize(
    ("written", "said", "code"),
    [
        ("A\n```sh\nls\n```\nB", "A\n```sh\nls\n```\nB", "```sh\nls\n```"),
        ("A\n~~~\n```\n~~~\nB", "A\n~~~\n```\n~~~\nB", "~~~\n```\n~~~"),
        ("````md\n```\nx\n```\n````", "````md\n```\nx\n```\n````", "````md\n```\nx\n```\n````"),
        ("```sh\nls", "```sh\nls\n```", "```sh\nls\n```"),
        ("```sh\nls\n", "```sh\nls\n```", "```sh\nls\n```"),
        ("```sh\nls\n``", "```sh\nls\n``\n```", "```sh\nls\n``\n```"),
        ("```\nls\n``` [1]", "```\nls\n```\n[1]", "```\nls\n```"),
        ("```\nls\n```[1][2].\nB", "```\nls\n```\n[1][2]\nB", "```\nls\n```"),
        ("1. A\n   ```\n   ls", "1. A\n   ```\n   ls\n   ```", "   ```\n   ls\n   ```"),
        ("- ```\n  ls\n  ``` [1]", "- ```\n  ls\n  ```\n  [1]", "- ```\n  ls\n  ```"),
        ("> ```\n> ls\nB", "> ```\n> ls\nB", "> ```\n> ls\n"),
        ("> ```\n> ls", "> ```\n> ls\n> ```", "> ```\n> ls\n> ```"),
        ("```a``` b", "```a``` b", ""),
        ("A ``` b\nc", "A ``` b\nc", ""),
        ("plain `a` and ~b~", "plain `a` and ~b~", ""),
    ],
)
def test_what_is_code_and_how_its_fences_are_put_right(written: str, said: str, code: str) -> None:
    assert _cut(written, []) == (said, code)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.sampled_from(_PIECES), max_size=25), st.lists(st.integers(min_value=0, max_value=5), max_size=40))
def test_how_the_text_is_cut_into_pieces_changes_nothing(pieces: list[str], sizes: list[int]) -> None:
    text = "".join(pieces)
    assert _cut(text, sizes) == _cut(text, [])


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["```sh\n", "```\n", "ls\n", "a[1]\n", "\n", "word\n", "~~~\n", "``` [1]\n"]), max_size=20)
)
def test_markdown_reads_the_same_blocks_and_each_is_closed(pieces: list[str]) -> None:
    said, code = _cut("".join(pieces), [])
    fences = [token for token in MarkdownIt().parse(said) if token.type == "fence"]
    assert sum(line == fence.markup for fence in fences for line in said.split("\n")) >= len(fences)
    assert "".join(f"{fence.markup}{fence.info}\n{fence.content}{fence.markup}" for fence in fences) == code


def test_ordinary_words_are_not_held_back() -> None:
    blocks = CodeBlocks()
    for piece in ("So ", "it", " is.\n", "Then", " `x` ", "ends"):
        assert "".join(part.text for part in blocks.feed(piece)) == piece


def test_code_in_a_line_is_masked_in_its_place() -> None:
    assert masked("a `b[1]. c` d `e") == "a `xxxxxxx` d `e"
    assert masked(r"\`a[1]` b") == r"\`a[1]` b"
    assert (find_open_span("a `b` c"), find_open_span("a `b` `c[1")) == (None, 6)
