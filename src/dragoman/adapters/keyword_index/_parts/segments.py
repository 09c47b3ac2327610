"""Segments: the postings of many chunks, packed in blocks that are never changed.

A segment holds up to 65,535 chunks in numbered slots. Its postings are sorted by term and cut into blocks of about
`BLOCK_BYTES`; the directory of a segment names the first term of each block, the chunk in each slot and its length in
terms. Segments are merged like those of a log-structured merge tree (O'Neil et al. 1996), by `merge`.

A block is the terms (UTF-8, sorted, one a line), how many chunks hold each, and for all of them in one row the distances
between slots (low bytes, then high bytes) and the frequencies, deflated.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from dragoman.kit.clock import new_id

MOST_CHUNKS: Final = (1 << 16) - 1
BLOCK_BYTES: Final = 8192  # before deflation
_LONGEST_TERM: Final = 200  # characters; nobody types more
_HIGHEST_FREQUENCY: Final = 255  # BM25 is flat long before
_LEVEL: Final = 1  # of zlib
_LAST: Final = b"\xff"  # after every UTF-8 text

Ids = NDArray[np.bytes_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of one chunk, and how often it has each."""

    chunk_id: UUID
    frequencies: Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the chunks of a version are: part `number` of a segment."""

    version_id: UUID
    segment_id: UUID
    number: int
    chunk_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment as it is stored."""

    id: UUID
    chunk_count: int
    directory: bytes
    blocks: Sequence[bytes]
    places: Sequence[Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Postings:
    """Postings sorted by term, then by slot. `counts` has an entry a term, the last two have one a posting."""

    terms: Sequence[bytes]
    counts: Numbers
    slots: Numbers
    frequencies: NDArray[np.uint8]


# --- reading ---------------------------------------------------------------------------------------------------------


class Directory:
    """What a segment holds where.

    Attributes:
        chunk_ids: 16 bytes for each slot.
        lengths: in terms, for each slot.
        starts: the first slot of each version, and at the end the number of slots.
        fences: the first term of each block.
    """

    def __init__(self, content: bytes) -> None:
        versions, chunks, size = _HEADER.unpack_from(content)
        at = _HEADER.size
        counts = np.frombuffer(content, "<u4", versions, at)
        self.starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        at += 4 * versions
        self.lengths: NDArray[np.uint16] = np.frombuffer(content, "<u2", chunks, at)
        at += 2 * chunks
        self.chunk_ids: Ids = np.frombuffer(content, "S16", chunks, at)
        at += 16 * chunks
        fences = zlib.decompress(content[at : at + size])
        self.fences = fences.split(b"\n") if fences else []
        self.byte_count = 2 * len(content)

    def __len__(self) -> int:
        return len(self.lengths)

    def blocks_of(self, term: bytes) -> range:
        """The block that holds the term, if any does."""
        last = bisect_right(self.fences, term)
        return range(max(0, last - 1), last)

    def blocks_of_prefix(self, prefix: bytes) -> range:
        """The blocks that may hold terms with this beginning."""
        return range(max(0, bisect_right(self.fences, prefix) - 1), bisect_left(self.fences, prefix + _LAST))

    @cached_property
    def _order(self) -> Numbers:
        return np.argsort(self.chunk_ids, kind="stable")

    def slots_of(self, chunk_ids: Ids) -> Numbers:
        """The slots of those chunks that are here, in no order."""
        at = np.searchsorted(self.chunk_ids, chunk_ids, sorter=self._order)
        slots = self._order[np.minimum(at, len(self) - 1)]
        found: Numbers = slots[self.chunk_ids[slots] == chunk_ids]
        return found

    def slots_of_versions(self, numbers: NDArray[Any]) -> NDArray[np.bool_]:
        """For each slot whether it belongs to one of these versions, given by their numbers."""
        chosen = np.zeros(len(self.starts) - 1, np.bool_)
        chosen[numbers] = True
        return np.repeat(chosen, np.diff(self.starts))


class Block:
    """The terms and postings of one block."""

    def __init__(self, content: bytes) -> None:
        raw = zlib.decompress(content)
        count, size = _BLOCK_HEADER.unpack_from(raw)
        at = _BLOCK_HEADER.size
        self._terms = b"\n" + raw[at : at + size] + b"\n"
        at += size
        self.counts = np.frombuffer(raw, "<u2", count, at)
        at += 2 * count
        self._ends = np.cumsum(self.counts, dtype=np.int64)
        postings = int(self._ends[-1])
        low, high = (np.frombuffer(raw, np.uint8, postings, at + part * postings) for part in (0, 1))
        self.frequencies: NDArray[np.uint8] = np.frombuffer(raw, np.uint8, postings, at + 2 * postings)
        self.slots = _without_distances(low.astype(np.int64) | high.astype(np.int64) << 8, self._ends, self.counts)
        self.byte_count = len(raw) + 2 * postings + 16 * count + 500

    @property
    def terms(self) -> list[bytes]:
        return self._terms[1:-1].split(b"\n")

    def find(self, term: bytes) -> slice | None:
        """The postings of a term."""
        at = self._terms.find(b"\n" + term + b"\n")
        if at < 0:
            return None
        number = self._terms.count(b"\n", 0, at)
        return slice(self._start(number), int(self._ends[number]))

    def find_prefix(self, prefix: bytes) -> slice | None:
        """The postings of all terms with this beginning, which lie side by side."""
        at = self._terms[:-1].find(b"\n" + prefix)
        if at < 0:
            return None
        first = self._terms.count(b"\n", 0, at)
        last = first + self._terms[:-1].count(b"\n" + prefix) - 1
        return slice(self._start(first), int(self._ends[last]))

    def _start(self, number: int) -> int:
        return int(self._ends[number - 1]) if number else 0


def _without_distances(distances: Numbers, ends: Numbers, counts: NDArray[Any]) -> NDArray[np.uint16]:
    """The slots: sums of distances that begin anew with each term."""
    sums = np.cumsum(distances)
    before = np.zeros(len(ends), np.int64)
    before[1:] = sums[ends[:-1] - 1]
    return (sums - np.repeat(before, counts)).astype(np.uint16)


# --- writing ---------------------------------------------------------------------------------------------------------


def pack(versions: Iterable[tuple[UUID, Sequence[Terms]]]) -> list[Segment]:
    """Segments of these versions; more than one only where they have more chunks than one can hold."""
    packed: list[Segment] = []
    parts: list[tuple[UUID, Sequence[Terms]]] = []
    free = MOST_CHUNKS
    for version_id, chunks in versions:
        rest = chunks
        while rest:
            part, rest = rest[:free], rest[free:]
            parts.append((version_id, part))
            free -= len(part)
            if not free:
                packed.append(_packed(parts))
                parts, free = [], MOST_CHUNKS
    return [*packed, *([_packed(parts)] if parts else [])]


def _packed(parts: Sequence[tuple[UUID, Sequence[Terms]]]) -> Segment:
    chunks = [chunk for _, of_version in parts for chunk in of_version]
    numbers: dict[str, int] = {}
    of_postings: list[int] = []
    frequencies: list[int] = []
    for chunk in chunks:
        of_postings += [numbers.setdefault(term, len(numbers)) for term in chunk.frequencies]
        frequencies += chunk.frequencies.values()
    terms = [term[:_LONGEST_TERM].encode("utf-8", "replace") for term in numbers]
    return _segment(
        [(version_id, len(of_version)) for version_id, of_version in parts],
        chunk_ids=b"".join(chunk.chunk_id.bytes for chunk in chunks),
        lengths=np.array([chunk.frequencies.total() for chunk in chunks]),
        postings=_sorted_postings(
            terms,
            np.array(of_postings, np.int64),
            np.repeat(np.arange(len(chunks)), [len(chunk.frequencies) for chunk in chunks]),
            np.array(frequencies, np.int64),
        ),
    )


def _segment(
    versions: Sequence[tuple[UUID, int]], *, chunk_ids: bytes, lengths: NDArray[Any], postings: _Postings
) -> Segment:
    segment_id = new_id()
    blocks, fences = _blocks(postings)
    fence_bytes = zlib.compress(b"\n".join(fences), _LEVEL)
    directory = b"".join(
        [
            _HEADER.pack(len(versions), len(lengths), len(fence_bytes)),
            np.array([count for _, count in versions], "<u4").tobytes(),
            np.minimum(lengths, MOST_CHUNKS).astype("<u2").tobytes(),
            chunk_ids,
            fence_bytes,
        ]
    )
    places = [
        Place(version_id=version_id, segment_id=segment_id, number=number, chunk_count=count)
        for number, (version_id, count) in enumerate(versions)
    ]
    return Segment(id=segment_id, chunk_count=len(lengths), directory=directory, blocks=blocks, places=places)


def _sorted_postings(
    terms: Sequence[bytes], of_postings: Numbers, slots: NDArray[Any], frequencies: NDArray[Any]
) -> _Postings:
    """`terms` may hold one twice (of several segments, or when cut), in any order; `of_postings` points into it."""
    distinct = sorted(set(terms))
    ranks = {term: rank for rank, term in enumerate(distinct)}
    rank_of = np.array([ranks[term] for term in terms], np.int64)
    keys = rank_of[of_postings] << 16 | slots.astype(np.int64)
    if len(distinct) == len(terms):
        order = np.argsort(keys, kind="stable")
        keys, frequencies = keys[order], frequencies[order]
    else:
        keys, inverse = np.unique(keys, return_inverse=True)
        frequencies = np.bincount(inverse, frequencies, len(keys))
    counts = np.bincount(keys >> 16, minlength=len(distinct))
    return _Postings(
        terms=[term for term, count in zip(distinct, counts, strict=True) if count],
        counts=counts[counts > 0],
        slots=keys & MOST_CHUNKS,
        frequencies=np.minimum(frequencies, _HIGHEST_FREQUENCY).astype(np.uint8),
    )


def _blocks(postings: _Postings) -> tuple[list[bytes], list[bytes]]:
    """The blocks, and the first term of each."""
    if not postings.terms:
        return [], []
    sizes = postings.counts * 3 + np.array([len(term) + 3 for term in postings.terms])
    block_of = (np.cumsum(sizes) - sizes) // BLOCK_BYTES
    firsts = np.flatnonzero(np.diff(block_of, prepend=-1)).tolist()
    ends = np.concatenate([[0], np.cumsum(postings.counts)])
    distances = np.diff(postings.slots, prepend=0)
    starts = ends[:-1]
    distances[starts] = postings.slots[starts]
    blocks = []
    for first, last in zip(firsts, [*firsts[1:], len(postings.terms)], strict=True):
        part = slice(int(ends[first]), int(ends[last]))
        terms = b"\n".join(postings.terms[first:last])
        raw = b"".join(
            [
                _BLOCK_HEADER.pack(last - first, len(terms)),
                terms,
                postings.counts[first:last].astype("<u2").tobytes(),
                (distances[part] & 255).astype(np.uint8).tobytes(),
                (distances[part] >> 8).astype(np.uint8).tobytes(),
                postings.frequencies[part].tobytes(),
            ]
        )
        blocks.append(zlib.compress(raw, _LEVEL))
    return blocks, [postings.terms[first] for first in firsts]


# --- merging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A stored segment to merge, and the places of those of its versions that are still wanted."""

    directory: bytes
    blocks: Sequence[bytes]
    places: Sequence[Place]


def merge(sources: Sequence[Source]) -> Segment:
    """One segment of all that is still wanted: at most `MOST_CHUNKS` chunks."""
    terms: list[bytes] = []
    of_postings, slots, frequencies = [], [], []
    versions: list[tuple[UUID, int]] = []
    chunk_ids, lengths = [], []
    taken = 0
    for source in sources:
        directory = Directory(source.directory)
        places = sorted(source.places, key=lambda place: place.number)
        kept = directory.slots_of_versions(np.array([place.number for place in places], np.int64))
        versions += [(place.version_id, place.chunk_count) for place in places]
        chunk_ids.append(directory.chunk_ids[kept].tobytes())
        lengths.append(directory.lengths[kept])
        new_slots = taken + np.cumsum(kept) - 1
        taken += int(kept.sum())
        for content in source.blocks:
            block = Block(content)
            chosen = kept[block.slots]
            of_block = np.repeat(np.arange(len(terms), len(terms) + len(block.counts)), block.counts)
            terms += block.terms
            of_postings.append(of_block[chosen])
            slots.append(new_slots[block.slots[chosen]])
            frequencies.append(block.frequencies[chosen])
    return _segment(
        versions,
        chunk_ids=b"".join(chunk_ids),
        lengths=np.concatenate(lengths) if lengths else np.zeros(0, np.int64),
        postings=_sorted_postings(
            terms,
            np.concatenate([np.zeros(0, np.int64), *of_postings]),
            np.concatenate([np.zeros(0, np.int64), *slots]),
            np.concatenate([np.zeros(0, np.int64), *frequencies]),
        ),
    )


_HEADER: Final = struct.Struct("<III")
_BLOCK_HEADER: Final = struct.Struct("<II")
