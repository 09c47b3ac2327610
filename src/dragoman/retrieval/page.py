"""From the ranking to the page: what is left out, what is merged, what comes forward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from dragoman.deps import Deps
from dragoman.kit.reading import Reader
from dragoman.knowledge.entities import ChunkInDocument
from dragoman.knowledge.recent import recent_knowledge
from dragoman.retrieval.candidates import Pool
from dragoman.retrieval.diversity import diversify
from dragoman.retrieval.duplicates import are_alike
from dragoman.retrieval.entities import Candidate, Passage, Query
from dragoman.retrieval.fusion import semantic_score
from dragoman.retrieval.neighbours import belongs_to

_VARIED: Final = 50  # candidates among which passages come forward
Similarity = Callable[[int], float]  # of a candidate, by its place in the pool


class Texts:
    """The chunks of candidates, loaded when they are first asked for. One that was deleted since is never there."""

    def __init__(self, deps: Deps, query: Query) -> None:
        self._deps, self._query = deps, query
        self._asked: set[UUID] = set()
        self.known: dict[UUID, ChunkInDocument] = {}

    def was_asked(self, chunk_id: UUID) -> bool:
        return chunk_id in self._asked

    async def load(self, chunk_ids: Iterable[UUID], connection: Reader | None = None) -> None:
        missing = [chunk_id for chunk_id in chunk_ids if chunk_id not in self._asked]
        if not missing:
            return
        scope = self._query.scope
        if connection is None:
            async with self._deps.database.reading(scope.tenant_id) as own:
                await self.load(missing, own)
            return
        self._asked.update(missing)
        self.known |= await recent_knowledge.live_chunks(
            connection,
            tenant_id=scope.tenant_id,
            chatbot_id=scope.chatbot_id,
            revision=self._query.knowledge_revision,
            chunk_ids=missing,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Why a candidate is not among the passages; `because_of`: the passage that it repeats or was merged with."""

    reason: str
    because_of: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`places` of the pool in their final order, the similarity of each, and what was left out by place."""

    pool: Pool
    passages: Sequence[Passage]
    considered: int
    places: Sequence[int]
    similarity: Similarity
    left_out: Mapping[int, Left]

    def candidates(self) -> list[Candidate]:
        """What became of every candidate, in rank order."""
        return [self._candidate(place) for place in self.places]

    def _candidate(self, place: int) -> Candidate:
        pool, left = self.pool, self.left_out.get(place)
        return Candidate(
            chunk_id=pool.chunk_ids[place],
            score=pool.scores[place],
            similarity_score=self.similarity(place),
            dense_rank=pool.dense_ranks.get(place),
            keyword_rank=pool.keyword_ranks.get(place),
            reranked=pool.reranked.get(place),
            removed=left.reason if left else None,
            because_of=left.because_of if left else None,
        )


async def make_page(query: Query, pool: Pool, texts: Texts) -> Page:
    """The passages of one page, and what became of every candidate.

    Candidates are taken in order until the page is full. So the pages of one search fit together: each takes the same
    steps up to where it begins.
    """
    places = _by_similarity(pool)
    similarity = _similarity_in(pool)
    left_out: dict[int, Left] = {}
    if query.threshold > 0.0:
        left_out |= {place: Left(reason="threshold") for place in places if similarity(place) < query.threshold}
    waiting = [place for place in places if place not in left_out]
    if query.ranking.diversity > 0.0:
        waiting = await _varied(query, pool, waiting, similarity, texts)
    passages = _Passages(query, pool, similarity, left_out)
    for turn, place in enumerate(waiting):
        if len(passages.kept) == query.offset + query.limit:
            break
        if not texts.was_asked(pool.chunk_ids[place]):
            await texts.load(pool.chunk_ids[later] for later in waiting[turn : turn + query.limit])
        passages.take(place, texts.known.get(pool.chunk_ids[place]))
    return Page(
        pool=pool,
        passages=passages.kept[query.offset :],
        considered=len(pool.chunk_ids) - len(left_out),
        places=places,
        similarity=similarity,
        left_out=left_out,
    )


def _by_similarity(pool: Pool) -> list[int]:
    """Those that were judged again by what was said of them, before the others in their old order."""
    judged = sorted(pool.reranked, key=lambda place: (-pool.reranked[place], place))
    return [*judged, *(place for place in range(len(pool.chunk_ids)) if place not in pool.reranked)]


def _similarity_in(pool: Pool) -> Similarity:
    """One calibrated score for all. What stands behind those judged again cannot be more similar than the last of them."""
    lowest = min(pool.reranked.values(), default=1.0)

    def similarity(place: int) -> float:
        judged = pool.reranked.get(place)
        return min(lowest, pool.similarity(place)) if judged is None else judged

    return similarity


async def _varied(query: Query, pool: Pool, waiting: list[int], similarity: Similarity, texts: Texts) -> list[int]:
    front, rest = waiting[:_VARIED], waiting[_VARIED:]
    await texts.load(pool.chunk_ids[place] for place in front)
    present = [place for place in front if pool.chunk_ids[place] in texts.known]
    order = diversify(
        [similarity(place) for place in present],
        [texts.known[pool.chunk_ids[place]].chunk for place in present],
        query.ranking.diversity,
    )
    gone = [place for place in front if pool.chunk_ids[place] not in texts.known]
    return [*(present[place] for place in order), *gone, *rest]


class _Passages:
    """The passages that are kept, best first."""

    def __init__(self, query: Query, pool: Pool, similarity: Similarity, left_out: dict[int, Left]) -> None:
        self._query, self._pool, self._similarity, self._left_out = query, pool, similarity, left_out
        self.kept: list[Passage] = []

    def take(self, place: int, found: ChunkInDocument | None) -> None:
        """Keep a candidate as a passage of its own, or say why not."""
        kept = self.kept
        if found is None:
            self._left_out[place] = Left(reason="deleted")
            return
        twin = self._find_twin(found)
        if twin is not None:
            self._left_out[place] = Left(reason="near_duplicate", because_of=kept[twin].chunk_id)
            kept[twin] = replace(kept[twin], duplicates=(*kept[twin].duplicates, found))
            return
        passage = self._passage(place, found)
        beside = self._find_beside(found)
        if beside is not None:
            self._left_out[place] = Left(reason="merged", because_of=kept[beside].chunk_id)
            together = sorted((*kept[beside].neighbours, passage), key=lambda other: other.found.chunk.ordinal)
            kept[beside] = replace(kept[beside], neighbours=tuple(together))
            return
        kept.append(passage)

    def _passage(self, place: int, found: ChunkInDocument) -> Passage:
        features = self._pool.features[place]
        return Passage(
            rank=len(self.kept) + 1,
            similarity_score=self._similarity(place),
            score=self._pool.scores[place],
            semantic=semantic_score(features) if features.dense is not None else None,
            signals=self._pool.signals(place) if self._query.is_told else {},
            found=found,
        )

    def _find_twin(self, found: ChunkInDocument) -> int | None:
        if self._query.ranking.near_duplicates:
            return None
        chunk = found.chunk
        return next((place for place, other in enumerate(self.kept) if are_alike(chunk, other.found.chunk)), None)

    def _find_beside(self, found: ChunkInDocument) -> int | None:
        """The passage of the same page that the chunk belongs to: one of a page before has been shown without it."""
        if self._query.ranking.neighbours == "apart":
            return None
        kept = self.kept
        page_start = len(kept) - len(kept) % max(1, self._query.limit)
        return next((place for place in range(page_start, len(kept)) if belongs_to(found.chunk, kept[place])), None)
