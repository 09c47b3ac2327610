"""Lets passages come forward that say something else than those above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dragoman.knowledge.entities import Chunk
from dragoman.retrieval.duplicates import fingerprint, overlap

SAME_DOCUMENT: Final = 0.5  # chunks of one document count as half the same, whatever their words


def diversify(similarities: Sequence[float], chunks: Sequence[Chunk], strength: float) -> list[int]:
    """The places of the passages in their new order, by maximal marginal relevance (Carbonell and Goldstein 1998).

    The next is always the one with the greatest `(1 - strength) * similarity - strength * overlap`, where the overlap is
    the greatest with any chosen before: the share of common runs of words, and no less than `SAME_DOCUMENT` within one
    document. Of the same value, the one that stood higher stays higher.
    """
    prints = [fingerprint(chunk.text) for chunk in chunks]
    left = list(range(len(chunks)))
    overlaps = [0.0] * len(chunks)
    order: list[int] = []
    while left:
        best = max(left, key=lambda place: (1.0 - strength) * similarities[place] - strength * overlaps[place])
        left.remove(best)
        order.append(best)
        for place in left:
            same_document = chunks[best].document_id == chunks[place].document_id
            shared = max(overlap(prints[best], prints[place]), SAME_DOCUMENT if same_document else 0.0)
            overlaps[place] = max(overlaps[place], shared)
    return order
