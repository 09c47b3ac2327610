"""Finds the passages that may answer a question: both arms, one score, one ranking.

embed the question -> dense arm -> keyword arm -> the scores each arm lacks of the other's finds -> fuse -> load
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import add
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.inference.service import CallContext
from dragoman.kit.errors import UnavailableError
from dragoman.knowledge import repository as knowledge
from dragoman.ports.embedder import Vectors
from dragoman.ports.keyword_index import KeywordFound, KeywordHit
from dragoman.ports.vector_index import DenseHit
from dragoman.retrieval.entities import Candidate, Found, Passage, Query
from dragoman.retrieval.fusion import (
    CANDIDATES_PER_ARM,
    FOREIGN_LANGUAGE_BONUS,
    KEYWORD_CALIBRATION,
    Features,
    background,
    calibrate,
    fuse,
    semantic_score,
)

_log = structlog.get_logger(__name__)
KEYWORD_ONLY = "keyword_only"


async def find_passages(deps: Deps, query: Query, context: CallContext) -> Found:
    """The best passages for a question, within the scope.

    When the embedder is away, or does not serve the chatbot's embedding version, keywords alone are searched and
    `degraded` says `keyword_only`.

    Raises:
        DatabaseUnavailableError: nothing can be searched.
        EmbedderRejectedError: the embedder refuses, as with a wrong key.
    """
    vector = await _question_vector(deps, query, context)
    arms = await _search_arms(deps, query, vector)
    mode = query.mode if vector is not None else "keyword"
    features = [arms.features(chunk_id) for chunk_id in arms.chunk_ids]
    scores = fuse(features, mode)
    bonuses = [arms.bonus(chunk_id, query, mode) for chunk_id in arms.chunk_ids]
    ranked = sorted(
        zip(map(add, scores, bonuses), arms.chunk_ids, features, bonuses, strict=True),
        key=lambda candidate: (-candidate[0], str(candidate[1])),
    )
    calibration = KEYWORD_CALIBRATION if mode == "keyword" else query.embedding_version.calibration
    unrelated = uplifted = None
    if mode != "keyword":
        semantics = [(semantic_score(seen), bonus) for _, _, seen, bonus in ranked]
        unrelated = background([semantic for semantic, _ in semantics], calibration.typical_background)
        uplifted = background([semantic + bonus for semantic, bonus in semantics], calibration.typical_background)
    similar = [(calibrate(score, calibration, uplifted), score, chunk_id, seen) for score, chunk_id, seen, _ in ranked]
    kept = [entry for entry in similar if entry[0] >= query.threshold]
    passages = await _load(deps, query, kept[: query.limit], arms)
    return Found(
        passages=passages,
        question_vector=vector,
        terms=arms.keyword.terms,
        unrelated=unrelated or 0.0,
        candidates=[Candidate(chunk_id=entry[1], score=entry[0]) for entry in ranked],
        degraded=(KEYWORD_ONLY,) if vector is None and query.mode != "keyword" else (),
    )


async def _question_vector(deps: Deps, query: Query, context: CallContext) -> Vectors | None:
    if query.mode == "keyword":
        return None
    try:
        return await deps.inference.embed_question(context, query.embedding_version.name, query.text)
    except UnavailableError as error:
        _log.warning("retrieval.keyword_only", reason=error.message)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arms:
    dense: dict[UUID, DenseHit]
    keyword: KeywordFound
    keyword_hits: dict[UUID, KeywordHit]
    languages: dict[UUID, str]

    @property
    def chunk_ids(self) -> list[UUID]:
        return list(self.dense.keys() | self.keyword_hits.keys())

    def bonus(self, chunk_id: UUID, query: Query, mode: str) -> float:
        """What a chunk's vectors lose by being written in another language than the question."""
        is_foreign = mode != "keyword" and query.language not in ("und", self.languages.get(chunk_id, "und"))
        return FOREIGN_LANGUAGE_BONUS if is_foreign else 0.0

    def features(self, chunk_id: UUID) -> Features:
        dense, keyword = self.dense.get(chunk_id), self.keyword_hits.get(chunk_id)
        return Features(
            dense=dense.cosine if dense else None,
            sentence=dense.best_sentence_cosine if dense else None,
            keyword=keyword.score if keyword else 0.0,
        )


async def _search_arms(deps: Deps, query: Query, vector: Vectors | None) -> _Arms:
    async with deps.database.transaction(query.scope.tenant_id) as connection:
        dense: dict[UUID, DenseHit] = {}
        if vector is not None:
            hits = await deps.vector_index.search(
                connection,
                scope=query.scope,
                embedding_version=query.embedding_version.id,
                query=vector,
                limit=CANDIDATES_PER_ARM,
            )
            dense = {hit.chunk_id: hit for hit in hits}
        keyword = KeywordFound(hits=(), terms=())
        if query.mode != "dense":
            keyword = await deps.keyword_index.search(
                connection,
                scope=query.scope,
                query=query.text,
                languages=await _query_languages(connection, query),
                question_language="" if query.language == "und" else query.language,
                limit=CANDIDATES_PER_ARM,
                also=list(dense),
            )
        keyword_hits = {hit.chunk_id: hit for hit in keyword.hits}
        if vector is not None and (unseen := [chunk_id for chunk_id in keyword_hits if chunk_id not in dense]):
            scored = await deps.vector_index.score(
                connection,
                scope=query.scope,
                embedding_version=query.embedding_version.id,
                query=vector,
                chunk_ids=unseen,
            )
            dense |= {hit.chunk_id: hit for hit in scored}
        languages = await knowledge.list_chunk_languages(
            connection,
            tenant_id=query.scope.tenant_id,
            chatbot_id=query.scope.chatbot_id,
            chunk_ids=list(dense.keys() | keyword_hits.keys()),
        )
    return _Arms(dense=dense, keyword=keyword, keyword_hits=keyword_hits, languages=languages)


async def _query_languages(connection: AsyncConnection, query: Query) -> list[str]:
    """How the question's words are analysed: in each language of the knowledge, so that one question searches them all."""
    return await knowledge.list_live_languages(
        connection, tenant_id=query.scope.tenant_id, chatbot_id=query.scope.chatbot_id
    )


async def _load(
    deps: Deps, query: Query, best: list[tuple[float, float, UUID, Features]], arms: _Arms
) -> list[Passage]:
    """The text of the best candidates. One that was deleted since the search is left out."""
    scope = query.scope
    async with deps.database.transaction(scope.tenant_id) as connection:
        found = await knowledge.list_live_chunks(
            connection,
            tenant_id=scope.tenant_id,
            chatbot_id=scope.chatbot_id,
            chunk_ids=[entry[2] for entry in best],
        )
    present = [entry for entry in best if entry[2] in found]
    return [
        Passage(
            rank=rank,
            similarity_score=similarity,
            score=score,
            semantic=semantic_score(features) if features.dense is not None else None,
            signals={
                "dense": features.dense,
                "sentence": features.sentence,
                "keyword": features.keyword,
                "matched_weight": arms.keyword_hits[chunk_id].matched_weight if chunk_id in arms.keyword_hits else 0.0,
            },
            found=found[chunk_id],
        )
        for rank, (similarity, score, chunk_id, features) in enumerate(present, start=1)
    ]
