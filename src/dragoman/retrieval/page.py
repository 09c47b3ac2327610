"""From the ranking to the page: what is left out, what is merged, what comes forward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from dragoman.deps import Deps
from dragoman.kit.reading import Reader
from dragoman.knowledge import repository as knowledge
from dragoman.knowledge.entities import ChunkInDocument
from dragoman.ports.search_scope import SearchScope
from dragoman.retrieval.candidates import Scored
from dragoman.retrieval.diversity import diversify
from dragoman.retrieval.duplicates import are_alike
from dragoman.retrieval.entities import Candidate, Passage, Query
from dragoman.retrieval.fusion import semantic_score
from dragoman.retrieval.neighbours import belongs_to

_VARIED: Final = 50  # candidates among which passages come forward


class Texts:
    """The chunks of candidates, loaded when they are first asked for. One that was deleted since is never there."""

    def __init__(self, deps: Deps, scope: SearchScope) -> None:
        self._deps, self._scope = deps, scope
        self._asked: set[UUID] = set()
        self.known: dict[UUID, ChunkInDocument] = {}

    def was_asked(self, chunk_id: UUID) -> bool:
        return chunk_id in self._asked

    async def load(self, chunk_ids: Iterable[UUID], connection: Reader | None = None) -> None:
        missing = [chunk_id for chunk_id in chunk_ids if chunk_id not in self._asked]
        if not missing:
            return
        if connection is None:
            async with self._deps.database.reading(self._scope.tenant_id) as own:
                await self.load(missing, own)
            return
        self._asked.update(missing)
        self.known |= await knowledge.list_live_chunks(
            connection, tenant_id=self._scope.tenant_id, chatbot_id=self._scope.chatbot_id, chunk_ids=missing
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    passages: Sequence[Passage]
    candidates: Sequence[Candidate]
    considered: int


async def make_page(query: Query, ranked: Sequence[Scored], texts: Texts) -> Page:
    """The passages of one page, and what became of every candidate.

    Candidates are taken in order until the page is full. So the pages of one search fit together: each takes the same
    steps up to where it begins.
    """
    ordered = _by_similarity(ranked)
    similarities = dict(_similarities(ordered))
    wanted = query.offset + query.limit
    for scored in ordered:
        if similarities[scored.chunk_id] < query.threshold:
            scored.removed = "threshold"
    waiting = [scored for scored in ordered if scored.removed is None]
    if query.ranking.diversity > 0.0:
        waiting = await _varied(query, waiting, similarities, texts)
    kept: list[Passage] = []
    for place, scored in enumerate(waiting):
        if len(kept) == wanted:
            break
        if not texts.was_asked(scored.chunk_id):
            await texts.load(each.chunk_id for each in waiting[place : place + query.limit])
        _place(query, scored, similarities[scored.chunk_id], texts, kept)
    return Page(
        passages=kept[query.offset :],
        candidates=[scored.as_candidate(similarities[scored.chunk_id]) for scored in ordered],
        considered=sum(scored.removed is None for scored in waiting),
    )


def _by_similarity(ranked: Sequence[Scored]) -> list[Scored]:
    """Those that were judged again by what was said of them, before the others in their old order."""
    judged = [scored for scored in ranked if scored.reranked is not None]
    others = [scored for scored in ranked if scored.reranked is None]
    return [*sorted(judged, key=lambda scored: -(scored.reranked or 0.0)), *others]


def _similarities(ordered: Sequence[Scored]) -> Iterable[tuple[UUID, float]]:
    """One calibrated score for all. What stands behind those judged again cannot be more similar than the last of them."""
    lowest = 1.0
    for scored in ordered:
        if scored.reranked is not None:
            lowest = min(lowest, scored.reranked)
            yield scored.chunk_id, scored.reranked
        else:
            yield scored.chunk_id, min(lowest, scored.similarity)


async def _varied(query: Query, waiting: list[Scored], similarities: dict[UUID, float], texts: Texts) -> list[Scored]:
    front, rest = waiting[:_VARIED], waiting[_VARIED:]
    await texts.load(scored.chunk_id for scored in front)
    present = [scored for scored in front if scored.chunk_id in texts.known]
    order = diversify(
        [similarities[scored.chunk_id] for scored in present],
        [texts.known[scored.chunk_id].chunk for scored in present],
        query.ranking.diversity,
    )
    gone = [scored for scored in front if scored.chunk_id not in texts.known]
    return [*(present[place] for place in order), *gone, *rest]


def _place(query: Query, scored: Scored, similarity: float, texts: Texts, kept: list[Passage]) -> None:
    """Keep a candidate as a passage of its own, or say why not."""
    found = texts.known.get(scored.chunk_id)
    if found is None:
        scored.removed = "deleted"
        return
    twin = _find_twin(query, found, kept)
    if twin is not None:
        scored.removed, scored.because_of = "near_duplicate", kept[twin].chunk_id
        kept[twin] = replace(kept[twin], duplicates=(*kept[twin].duplicates, found))
        return
    passage = Passage(
        rank=len(kept) + 1,
        similarity_score=similarity,
        score=scored.score,
        semantic=semantic_score(scored.features) if scored.features.dense is not None else None,
        signals=scored.signals,
        found=found,
    )
    beside = _find_beside(query, found, kept)
    if beside is not None:
        scored.removed, scored.because_of = "merged", kept[beside].chunk_id
        together = sorted((*kept[beside].neighbours, passage), key=lambda other: other.found.chunk.ordinal)
        kept[beside] = replace(kept[beside], neighbours=tuple(together))
        return
    kept.append(passage)


def _find_twin(query: Query, found: ChunkInDocument, kept: Sequence[Passage]) -> int | None:
    if query.ranking.near_duplicates:
        return None
    return next((place for place, other in enumerate(kept) if are_alike(found.chunk, other.found.chunk)), None)


def _find_beside(query: Query, found: ChunkInDocument, kept: Sequence[Passage]) -> int | None:
    """The passage of the same page that the chunk belongs to: one of a page before has been shown without it."""
    if query.ranking.neighbours == "apart":
        return None
    page_start = len(kept) - len(kept) % max(1, query.limit)
    return next((place for place in range(page_start, len(kept)) if belongs_to(found.chunk, kept[place])), None)
