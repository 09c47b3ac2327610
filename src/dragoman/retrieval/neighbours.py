"""Chunks that follow each other in a document and were found together make one passage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dragoman.knowledge.entities import Chunk
from dragoman.retrieval.entities import Passage

MOST_TOGETHER: Final = 4  # chunks; a whole chapter is no passage


def belongs_to(chunk: Chunk, passage: Passage) -> bool:
    """Whether the chunk stands directly before or after the passage, which may have grown already."""
    together = [passage.found.chunk, *(other.found.chunk for other in passage.neighbours)]
    ordinals = [part.ordinal for part in together]
    return (
        chunk.version_id == passage.found.chunk.version_id
        and len(together) < MOST_TOGETHER
        and chunk.ordinal in (min(ordinals) - 1, max(ordinals) + 1)
    )


def merged_text(passage: Passage) -> str:
    """The text of the passage with its neighbours, in the order of the document.

    It stands in the document from `merged_span(passage)`: between the chunks is nothing but white space, so that a
    place in the text is a place in the document, but for a table's head that the first chunk repeats.
    """
    first, *others = _in_order(passage)
    text, end = first.text, first.end_offset
    for chunk in others:
        own = chunk.text[_repeated(chunk) :]
        gap = chunk.start_offset - end
        # Overlapping chunks repeat whole sentences.
        text += own[-gap:] if gap < 0 else _white_space(gap, chunk) + own
        end = max(end, chunk.end_offset)
    return text


def merged_span(passage: Passage) -> tuple[int, int]:
    """Where the passage with its neighbours begins and ends in the whole text of its document, in characters."""
    chunks = _in_order(passage)
    return chunks[0].start_offset, max(chunk.end_offset for chunk in chunks)


def _in_order(passage: Passage) -> Sequence[Chunk]:
    parts = [passage.found.chunk, *(other.found.chunk for other in passage.neighbours)]
    return sorted(parts, key=lambda chunk: chunk.ordinal)


def _white_space(length: int, chunk: Chunk) -> str:
    """What stood between two chunks: a space within a paragraph, else line breaks."""
    return " " if length == 1 and chunk.kind == "text" else "\n" * length


def _repeated(chunk: Chunk) -> int:
    """How much of the text is a table's head, repeated from the chunk before."""
    return len(chunk.text) - (chunk.end_offset - chunk.start_offset)
