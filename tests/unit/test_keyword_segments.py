"""Segments of the keyword index: what is packed is read again, and merging changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from dragoman.adapters.keyword_index._parts import segments
from dragoman.adapters.keyword_index._parts.segments import Block, Directory, Segment, Source, Terms, merge, pack

Versions = list[tuple[UUID, list[Terms]]]

words = st.text(st.sampled_from("abcäß東京0-"), min_size=1, max_size=4)
chunks = st.dictionaries(words, st.integers(1, 300), max_size=6).map(
    lambda frequencies: Terms(chunk_id=uuid7(), frequencies=Counter(frequencies))
)
versions = st.lists(
    st.lists(chunks, min_size=1, max_size=4).map(lambda terms: (uuid7(), terms)), min_size=1, max_size=6
)


def read(segment: Segment) -> dict[UUID, tuple[int, Mapping[str, int]]]:
    """For each chunk its length and its terms with their frequencies."""
    directory = Directory(segment.directory)
    ids = [UUID(bytes=one.ljust(16, b"\0")) for one in directory.chunk_ids.tolist()]
    found: dict[UUID, dict[str, int]] = {chunk_id: {} for chunk_id in ids}
    for block in map(Block, segment.blocks):
        for term in block.terms:
            part = block.find(term)
            assert part is not None
            for slot, frequency in zip(block.slots[part].tolist(), block.frequencies[part].tolist(), strict=True):
                found[ids[slot]][term.decode()] = frequency
    return {one: (length, found[one]) for one, length in zip(ids, directory.lengths.tolist(), strict=True)}


def expected(versions: Sequence[tuple[UUID, Sequence[Terms]]]) -> dict[UUID, tuple[int, Mapping[str, int]]]:
    return {
        chunk.chunk_id: (
            chunk.frequencies.total(),
            {term: min(frequency, 255) for term, frequency in chunk.frequencies.items()},
        )
        for _, of_version in versions
        for chunk in of_version
    }


@pytest.fixture(params=[8192, 16], ids=["one block", "many blocks"], autouse=True)
def block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "BLOCK_BYTES", request.param)


@given(versions)
def test_what_is_packed_is_read_again(versions: Versions) -> None:
    [segment] = pack(versions)
    assert read(segment) == expected(versions)
    assert [(place.version_id, place.chunk_count) for place in segment.places] == [(v, len(c)) for v, c in versions]


@given(versions, versions, st.data())
def test_a_merged_segment_is_that_of_all_that_is_still_wanted(
    first: Versions, second: Versions, data: st.DataObject
) -> None:
    sources, wanted = [], []
    for part in (first, second):
        [segment] = pack(part)
        kept = data.draw(st.sets(st.sampled_from(range(len(part)))))
        places = [place for place in segment.places if place.number in kept]
        sources.append(Source(directory=segment.directory, blocks=segment.blocks, places=places))
        wanted += [part[number] for number in sorted(kept)]
    merged = merge(sources)
    assert read(merged) == expected(wanted)
    if wanted:
        [anew] = pack(wanted)
        assert merged.blocks == anew.blocks
        assert [replace(place, segment_id=merged.id) for place in anew.places] == merged.places


@given(versions, words)
def test_every_term_and_prefix_is_found_through_the_directory(versions: Versions, beginning: str) -> None:
    [segment] = pack(versions)
    directory = Directory(segment.directory)
    blocks = [Block(content) for content in segment.blocks]
    for term in {term for _, of_version in versions for chunk in of_version for term in chunk.frequencies}:
        assert any(blocks[number].find(term.encode()) for number in directory.blocks_of(term.encode()))
    slots: set[int] = set()
    for number in directory.blocks_of_prefix(beginning.encode()):
        part = blocks[number].find_prefix(beginning.encode())
        slots |= set(blocks[number].slots[part].tolist()) if part else set()
    everything = [chunk for _, of_version in versions for chunk in of_version]
    assert slots == {
        slot for slot, chunk in enumerate(everything) if any(term.startswith(beginning) for term in chunk.frequencies)
    }


def test_more_chunks_than_a_segment_holds_become_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MOST_CHUNKS", 3)
    made: Versions = [
        (uuid7(), [Terms(chunk_id=uuid7(), frequencies=Counter("ab")) for _ in range(count)]) for count in (2, 5, 1)
    ]
    packed = pack(made)
    assert [segment.chunk_count for segment in packed] == [3, 3, 2]
    assert {key: value for segment in packed for key, value in read(segment).items()} == expected(made)
    parts = [(place.version_id, place.chunk_count) for segment in packed for place in segment.places]
    assert parts == [(made[0][0], 2), (made[1][0], 1), (made[1][0], 3), (made[1][0], 1), (made[2][0], 1)]


def test_chunks_are_found_by_their_ids() -> None:
    made = [Terms(chunk_id=UUID(int=number << 96 | 0xAB00), frequencies=Counter("a")) for number in (5, 1, 9, 0)]
    [segment] = pack([(uuid7(), made)])
    directory = Directory(segment.directory)
    asked = [made[2].chunk_id.bytes, uuid7().bytes, made[3].chunk_id.bytes]
    assert sorted(directory.slots_of(np.array(asked, "S16")).tolist()) == [2, 3]
