"""Has the best candidates judged again by the re-ranker that the chatbot has chosen. It never fails a search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from dragoman.deps import Deps
from dragoman.inference.service import CallContext
from dragoman.ingestion.embed import chunk_input
from dragoman.kit.errors import DragomanError
from dragoman.knowledge.entities import ChunkInDocument
from dragoman.ports.embedder import Vectors
from dragoman.ports.reranker import RerankCandidate
from dragoman.ports.vector_index import SentenceHit
from dragoman.retrieval.candidates import Pool, Scored
from dragoman.retrieval.entities import Query

_log = structlog.get_logger(__name__)
RERANKER_SKIPPED = "reranker_skipped"
NONE = "none"
DEEPEST = 200  # candidates; each arm brings 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeup:
    """What is read of the candidates that are judged again: their sentences with their cosines, and their vectors."""

    sentences: Sequence[SentenceHit] = ()
    vectors: Mapping[UUID, Vectors] = field(default_factory=dict)


def depth_of(deps: Deps, query: Query) -> int:
    """How many candidates are to be judged: as the chatbot says, else as the re-ranker wants; 0 for none.

    Raises:
        DragomanError: there is no such re-ranker, or it cannot be made.
    """
    ranking = query.ranking
    if ranking.reranker == NONE:
        return 0
    wanted = deps.rerankers.depth(ranking.reranker)
    if wanted == 0:
        return 0
    return min(DEEPEST, wanted if ranking.rerank_depth is None else ranking.rerank_depth)


async def rerank(
    deps: Deps,
    query: Query,
    context: CallContext,
    pool: Pool,
    depth: int,
    texts: Mapping[UUID, ChunkInDocument],
    known: Closeup,
) -> bool:
    """Write into the pool what the re-ranker says of its first; False when it fails, and nothing is written then."""
    places = [place for place in range(min(depth, len(pool.chunk_ids))) if pool.chunk_ids[place] in texts]
    if not places:
        return True
    cosines: dict[UUID, list[float]] = defaultdict(list)
    for sentence in known.sentences:
        cosines[sentence.chunk_id].append(sentence.cosine)
    judged = [pool.scored(place) for place in places]
    candidates = [
        _candidate(scored, texts[scored.chunk_id], cosines.get(scored.chunk_id, ()), known.vectors.get(scored.chunk_id))
        for scored in judged
    ]
    try:
        scores = await deps.rerankers.rerank(
            context, query.ranking.reranker, query.completed or query.words or query.text, query.language, candidates
        )
    except DragomanError as error:
        _log.warning(
            "retrieval.reranker_skipped", reranker=query.ranking.reranker, code=error.code, reason=error.message
        )
        return False
    pool.reranked.update(zip(places, scores, strict=True))
    return True


def _candidate(
    scored: Scored, found: ChunkInDocument, sentence_cosines: Sequence[float], vector: Vectors | None
) -> RerankCandidate:
    chunk, features = found.chunk, scored.features
    return RerankCandidate(
        text=chunk_input(found.title, chunk.heading_path, chunk.text),
        title=found.title,
        heading_path=chunk.heading_path,
        language=chunk.language,
        score=scored.score,
        similarity=scored.similarity,
        dense=features.dense,
        keyword=features.keyword,
        matched_weight=features.matched_weight,
        sentence_cosines=tuple(sentence_cosines),
        vector=vector,
    )
