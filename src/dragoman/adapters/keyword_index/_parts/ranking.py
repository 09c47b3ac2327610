"""BM25 over the postings of segments, in numpy: every chunk that matches is scored, so the best are exact."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from dragoman.adapters.keyword_index._parts.segments import Block, Directory, Ids, Numbers

_NO_NUMBERS: Final[Numbers] = np.zeros(0, np.int64)
_NO_VALUES: Final[NDArray[np.float32]] = np.zeros(0, np.float32)


class Snapshot:
    """The chunks of a chatbot's segments in one row, and which of them a scope may see.

    Attributes:
        is_visible, lengths: an entry for each chunk; `lengths` in terms.
        chunk_count, average_length: of what is visible; the length is at least 1.
        sees_all: whether everything is visible.
    """

    def __init__(self, segments: Sequence[tuple[UUID, Directory]], is_visible: NDArray[np.bool_]) -> None:
        self.segments = segments
        self.bases = np.cumsum([0, *(len(directory) for _, directory in segments)])
        self.lengths = np.concatenate([np.zeros(0, np.uint16), *(directory.lengths for _, directory in segments)])
        self._see(is_visible)

    @classmethod
    def seen(cls, segments: Sequence[tuple[UUID, Directory]], numbers: Mapping[UUID, NDArray[Any]]) -> Snapshot:
        """`numbers`: of the visible versions, for each segment that has any."""
        return cls(segments, _visible(segments, numbers))

    def with_more(self, numbers: Mapping[UUID, NDArray[Any]]) -> Snapshot:
        """The same with more versions visible."""
        if not numbers:
            return self
        more = Snapshot.__new__(Snapshot)
        more.segments, more.bases, more.lengths = self.segments, self.bases, self.lengths
        more._see(self.is_visible | _visible(self.segments, numbers))
        return more

    def _see(self, is_visible: NDArray[np.bool_]) -> None:
        self.is_visible = is_visible
        self.chunk_count = int(is_visible.sum())
        self._norms: NDArray[np.float32] | None = None
        self.sees_all = self.chunk_count == len(is_visible)
        total = int(self.lengths.sum(where=is_visible, dtype=np.int64))
        self.average_length = max(1.0, total / self.chunk_count) if self.chunk_count else 1.0

    def norms(self, k1: float, b: float) -> NDArray[np.float32]:
        """What BM25 adds to the frequency below the line, for each chunk."""
        if self._norms is None:
            self._norms = (k1 * (1 - b) + self.lengths * np.float32(k1 * b / self.average_length)).astype(np.float32)
        return self._norms

    @property
    def byte_count(self) -> int:
        return 7 * len(self.lengths) + 200 * len(self.segments)

    def with_ids(self, chunks: Numbers) -> list[tuple[int, bytes]]:
        """Chunks, given by their places in the row, each with its id."""
        of_segment = np.searchsorted(self.bases, chunks, side="right") - 1
        ids: Ids = np.empty(len(chunks), "S16")
        for number in np.unique(of_segment).tolist():
            own = of_segment == number
            ids[own] = self.segments[number][1].chunk_ids[chunks[own] - self.bases[number]]
        return [(chunk, one.ljust(16, b"\0")) for chunk, one in zip(chunks.tolist(), ids.tolist(), strict=True)]

    def find_chunks(self, chunk_ids: Sequence[UUID]) -> Numbers:
        """The places of those chunks that are indexed."""
        if not chunk_ids:
            return _NO_NUMBERS
        wanted: Ids = np.array([chunk_id.bytes for chunk_id in chunk_ids], "S16")
        found = [
            directory.slots_of(wanted) + base
            for (_, directory), base in zip(self.segments, self.bases.tolist(), strict=False)
            if len(directory)
        ]
        return np.unique(np.concatenate([_NO_NUMBERS, *found]))


def _visible(segments: Sequence[tuple[UUID, Directory]], numbers: Mapping[UUID, NDArray[Any]]) -> NDArray[np.bool_]:
    parts = [
        directory.slots_of_versions(numbers[segment_id])
        if segment_id in numbers
        else np.zeros(len(directory), np.bool_)
        for segment_id, directory in segments
    ]
    return np.concatenate([np.zeros(0, np.bool_), *parts])


# --- what is looked for ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """One token: the forms it is looked for in; of a prefix, the beginnings. `factor` lowers what it counts."""

    forms: tuple[str, ...]
    is_prefix: bool = False
    corrected_from: str = ""
    factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Tokens of the question that belong together, and other words for all of them."""

    tokens: tuple[int, ...]
    others: Sequence[Sequence[Token]] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """The chunks that hold a token, in ascending order, and how far each saturates BM25 (0 to k1 + 1); of what is corrected, `factor` times."""

    chunks: Numbers
    saturations: NDArray[np.float32]
    idf: float
    factor: float = 1.0

    def holds(self, chunks: Numbers) -> NDArray[np.bool_]:
        """Which of these chunks hold it."""
        if not len(self.chunks):
            return np.zeros(len(chunks), np.bool_)
        at = np.minimum(np.searchsorted(self.chunks, chunks), len(self.chunks) - 1)
        held: NDArray[np.bool_] = self.chunks[at] == chunks
        return held


@dataclass(frozen=True, slots=True)
class Scores:
    """For each chunk its score; what it was made of, unit by unit; and the IDF mass of the question."""

    score: NDArray[np.float64]
    made_of: Sequence[tuple[Sequence[Part], Sequence[Part]]]
    total: float

    def masses(self, chunks: Numbers) -> NDArray[np.float64]:
        """The IDF mass that each of these chunks matches."""
        masses = np.zeros(len(chunks))
        for own, others in self.made_of:
            mass = np.zeros(len(chunks))
            for part in own:
                mass += part.holds(chunks) * (part.idf * part.factor)
            for part in others:
                mass = np.maximum(mass, part.holds(chunks) * part.idf)
            masses += mass
        return masses


Blocks = Mapping[tuple[UUID, int], Block]


class Ranking:
    """Scores of one snapshot."""

    def __init__(self, snapshot: Snapshot, blocks: Blocks, *, k1: float, b: float, synonym_weight: float) -> None:
        self._snapshot, self._blocks = snapshot, blocks
        self._k1, self._synonym_weight = k1, synonym_weight
        self._norms: NDArray[np.float32] = snapshot.norms(k1, b)

    def part(self, token: Token) -> Part:
        """Where a token is; of several forms in one chunk the best counts."""
        found = [self._saturated(*self._find(form.encode("utf-8", "replace"), token.is_prefix)) for form in token.forms]
        held = [(chunks, saturations) for chunks, saturations in found if len(chunks)]
        if not held:
            return Part(_NO_NUMBERS, _NO_VALUES, self._idf(0))
        chunks, saturations = held[0]
        if len(held) > 1:
            best = np.zeros(len(self._snapshot.lengths), np.float32)
            for own, values in held:
                best[own] = np.maximum(best[own], values)
            chunks = np.flatnonzero(best)
            saturations = best[chunks]
        return Part(chunks, saturations * np.float32(token.factor), self._idf(len(chunks)), token.factor)

    def count(self, form: bytes) -> int:
        """How many visible chunks hold a term."""
        return len(self._find(form, is_prefix=False)[0])

    def _find(self, form: bytes, is_prefix: bool) -> tuple[Numbers, NDArray[Any]]:
        """The visible chunks that hold a term, or a term that begins so, and how often."""
        chunks: list[Numbers] = []
        frequencies: list[NDArray[Any]] = []
        for (segment_id, directory), base in zip(self._snapshot.segments, self._snapshot.bases.tolist(), strict=False):
            for number in directory.blocks_of_prefix(form) if is_prefix else directory.blocks_of(form):
                block = self._blocks[segment_id, number]
                part = block.find_prefix(form) if is_prefix else block.find(form)
                if part is not None:
                    chunks.append(np.add(block.slots[part], base, dtype=np.int64))
                    frequencies.append(block.frequencies[part])
        if not chunks:
            return _NO_NUMBERS, _NO_VALUES
        places = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
        counts: NDArray[Any] = frequencies[0] if len(chunks) == 1 else np.concatenate(frequencies)
        if not self._snapshot.sees_all:
            seen = self._snapshot.is_visible[places]
            places, counts = places[seen], counts[seen]
        if is_prefix:
            places, inverse = np.unique(places, return_inverse=True)
            counts = np.bincount(inverse, counts, len(places))
        return places, counts

    def _saturated(self, chunks: Numbers, counts: NDArray[Any]) -> tuple[Numbers, NDArray[np.float32]]:
        frequencies = counts.astype(np.float32)
        return chunks, frequencies * np.float32(self._k1 + 1) / (frequencies + self._norms[chunks])

    def _idf(self, holders: int) -> float:
        return math.log(1 + (self._snapshot.chunk_count - holders + 0.5) / (holders + 0.5))

    # --- the whole question

    def scores(self, units: Sequence[Unit], parts: Sequence[Part]) -> Scores:
        """`parts` has one for each token that the units point to."""
        score = np.zeros(len(self._snapshot.lengths))
        made_of: list[tuple[Sequence[Part], Sequence[Part]]] = []
        for unit in units:
            own = [parts[number] for number in unit.tokens]
            idf = sum(part.idf for part in own)
            others = [part for tokens in unit.others if (part := self._together(tokens, idf)) is not None]
            made_of.append((own, others))
            value = np.zeros_like(score) if others else score
            for part in own:
                value[part.chunks] += part.saturations * np.float32(part.idf)
            for part in others:  # for each chunk the words of the question or another, whichever is more
                value[part.chunks] = np.maximum(value[part.chunks], part.saturations * np.float32(part.idf))
            if others:
                score += value
        return Scores(score, made_of, sum(part.idf for own, _ in made_of for part in own))

    def _together(self, tokens: Sequence[Token], most: float) -> Part | None:
        """Other words as one part: the chunks that hold all of them. Its `idf` is at most that of the words it stands for."""
        parts = [self.part(token) for token in tokens]
        holders = np.zeros(len(self._snapshot.lengths), np.int64)
        value = np.zeros(len(self._snapshot.lengths))
        for part in parts:
            holders[part.chunks] += 1
            value[part.chunks] += part.idf * part.saturations
        chunks = np.flatnonzero(holders == len(parts))
        if not len(chunks):
            return None
        idf = sum(part.idf for part in parts)
        return Part(chunks, (value[chunks] / idf).astype(np.float32), min(idf, most) * self._synonym_weight)
