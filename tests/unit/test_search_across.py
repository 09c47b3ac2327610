"""How passages of several content types become one list."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from dragoman.knowledge.entities import Chunk, ChunkInDocument
from dragoman.retrieval.entities import Passage
from dragoman.search.across import Arrangement, arrange

_TYPES = ("ticket", "faq", "product")


def _passage(content_type: str, similarity: float) -> Passage:
    chunk = Chunk(
        id=uuid4(),
        document_id=uuid4(),
        version_id=uuid4(),
        ordinal=0,
        text="Text",
        language="en",
        kind="text",
        heading_path=(),
        page=None,
        start_offset=0,
        end_offset=4,
        token_count=1,
        content_hash="",
        image_ids=(),
        provenance={},
    )
    found = ChunkInDocument(
        chunk=chunk, title="", file_name="", external_id=None, content_type=content_type, category=""
    )
    return Passage(rank=1, similarity_score=similarity, score=similarity, semantic=similarity, signals={}, found=found)


@st.composite
def _groups(draw: st.DrawFn) -> dict[str, list[Passage]]:
    groups = {}
    for name in draw(st.sets(st.sampled_from(_TYPES))):
        scores = draw(st.lists(st.floats(0, 1), min_size=1, max_size=12))
        groups[name] = [_passage(name, score) for score in sorted(scores, reverse=True)]
    return groups


@given(_groups(), st.integers(1, 20), st.sampled_from(["balanced", "ranked", "grouped"]))
def test_ranks_go_from_one_by_falling_similarity_without_doubles(
    groups: dict[str, list[Passage]], limit: int, arrangement: Arrangement
) -> None:
    shown = arrange(groups, limit, arrangement)
    assert [passage.rank for passage in shown] == list(range(1, len(shown) + 1))
    scores = [passage.similarity_score for passage in shown]
    assert scores == sorted(scores, reverse=True)
    assert len({passage.chunk_id for passage in shown}) == len(shown)
    if arrangement != "grouped":
        assert len(shown) == min(limit, sum(map(len, groups.values())))


@given(_groups(), st.integers(3, 20))
def test_balanced_leaves_no_type_less_than_its_share(groups: dict[str, list[Passage]], limit: int) -> None:
    counts = Counter(passage.found.content_type for passage in arrange(groups, limit, "balanced"))
    for name, passages in groups.items():
        assert counts[name] >= min(len(passages), limit // len(groups))


@given(_groups(), st.integers(1, 20))
def test_grouped_has_as_many_of_each_type(groups: dict[str, list[Passage]], limit: int) -> None:
    counts = Counter(passage.found.content_type for passage in arrange(groups, limit, "grouped"))
    assert counts == Counter({name: min(limit, len(passages)) for name, passages in groups.items()})
