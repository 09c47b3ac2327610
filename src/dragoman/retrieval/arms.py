"""The two arms of a search: what lies near the question by meaning, and what holds its words.

Every chunk that either of them brought gets the scores of both, so that candidates compare whoever found them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from dragoman.deps import Deps
from dragoman.kit.reading import Reader
from dragoman.knowledge import repository as knowledge
from dragoman.ports.embedder import Vectors
from dragoman.ports.keyword_index import KeywordFound, KeywordHit, KeywordTerm
from dragoman.ports.vector_index import DenseHit
from dragoman.retrieval.entities import Query
from dragoman.retrieval.fusion import CANDIDATES_PER_ARM, Features


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """What was found: by chunk, in no order. `terms` are the question's; `languages` are those of the chunks."""

    dense: dict[UUID, DenseHit]
    keyword: dict[UUID, KeywordHit]
    terms: Sequence[KeywordTerm]
    chunk_ids: Sequence[UUID]
    languages: dict[UUID, str]

    def features(self, chunk_id: UUID, *, is_foreign: bool) -> Features:
        dense, keyword = self.dense.get(chunk_id), self.keyword.get(chunk_id)
        return Features(
            dense=dense.cosine if dense else None,
            sentence=dense.best_sentence_cosine if dense else None,
            keyword=keyword.score if keyword else 0.0,
            matched_weight=keyword.matched_weight if keyword else 0.0,
            is_foreign=is_foreign,
        )


async def search_arms(deps: Deps, connection: Reader, query: Query, vector: Vectors | None) -> Arms:
    """Search with the question's words and its vector; None: keywords alone."""
    dense = await _search_dense(deps, connection, query, vector)
    found = await _search_keywords(deps, connection, query, list(dense))
    keyword = {hit.chunk_id: hit for hit in found.hits}
    if query.must_hold:  # what the question demands, only the keywords can tell
        dense = {chunk_id: hit for chunk_id, hit in dense.items() if chunk_id in keyword}
    chunk_ids = list(dense | keyword)
    await _add_scores(deps, connection, query, vector, dense, chunk_ids)
    languages = await knowledge.list_chunk_languages(
        connection, tenant_id=query.scope.tenant_id, chatbot_id=query.scope.chatbot_id, chunk_ids=chunk_ids
    )
    return Arms(dense=dense, keyword=keyword, terms=found.terms, chunk_ids=chunk_ids, languages=languages)


async def _search_dense(deps: Deps, connection: Reader, query: Query, vector: Vectors | None) -> dict[UUID, DenseHit]:
    if vector is None:
        return {}
    hits = await deps.vector_index.search(
        connection,
        scope=query.scope,
        embedding_version=query.embedding_version.id,
        query=vector,
        limit=CANDIDATES_PER_ARM,
    )
    return {hit.chunk_id: hit for hit in hits}


async def _search_keywords(deps: Deps, connection: Reader, query: Query, near: Sequence[UUID]) -> KeywordFound:
    """The words are analysed in each language of the knowledge, so that one question searches them all."""
    if query.mode == "dense":
        return KeywordFound(hits=(), terms=())
    languages = await knowledge.list_live_languages(
        connection, tenant_id=query.scope.tenant_id, chatbot_id=query.scope.chatbot_id
    )
    return await deps.keyword_index.search(
        connection,
        scope=query.scope,
        query=query.text,
        languages=languages,
        question_language="" if query.language == "und" else query.language,
        limit=CANDIDATES_PER_ARM,
        also=near,
        synonyms=query.synonyms,
        operators=query.uses_operators,
    )


async def _add_scores(
    deps: Deps,
    connection: Reader,
    query: Query,
    vector: Vectors | None,
    hits: dict[UUID, DenseHit],
    chunk_ids: Sequence[UUID],
) -> None:
    """The cosines of what only the keywords found."""
    unseen = [chunk_id for chunk_id in chunk_ids if chunk_id not in hits]
    if vector is None or not unseen:
        return
    scored = await deps.vector_index.score(
        connection,
        scope=query.scope,
        embedding_version=query.embedding_version.id,
        query=vector,
        chunk_ids=unseen,
    )
    hits |= {hit.chunk_id: hit for hit in scored}
