"""The two arms of a search: what lies near the question by meaning, and what holds its words.

Every chunk that either of them brought gets the scores of both, so that candidates compare whoever found them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from dragoman.deps import Deps
from dragoman.kit.reading import ReadConnection, Reader
from dragoman.knowledge import repository as knowledge
from dragoman.knowledge.recent import recent_knowledge
from dragoman.ports.embedder import Vectors
from dragoman.ports.keyword_index import KeywordFound, KeywordHit, KeywordTerm
from dragoman.ports.vector_index import DenseHit
from dragoman.retrieval.entities import Query
from dragoman.retrieval.fusion import CANDIDATES_PER_ARM


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """What was found, in no order.

    Attributes:
        chunk_ids: of the candidates; first those that the vectors found,
        near: so many.
        dense, keyword: what each arm says of them, in the order of `chunk_ids`; None where it says nothing.
        languages: of the chunks, in that order.
        terms: of the question.
    """

    chunk_ids: Sequence[UUID]
    near: int
    dense: Sequence[DenseHit | None]
    keyword: Sequence[KeywordHit | None]
    languages: Sequence[str]
    terms: Sequence[KeywordTerm]


async def search_arms(deps: Deps, connection: ReadConnection, query: Query, vector: Vectors | None) -> Arms:
    """Search with the question's words and its vector; None: keywords alone."""
    languages = await recent_knowledge.live_languages(
        connection,
        tenant_id=query.scope.tenant_id,
        chatbot_id=query.scope.chatbot_id,
        revision=query.knowledge_revision,
    )
    if query.mode != "dense":
        deps.keyword_index.prefetch(connection, scope=query.scope)
    dense = await _search_dense(deps, connection, query, vector)
    if query.mode == "dense" and vector is not None:
        chunk_ids: list[UUID] = [hit.chunk_id for hit in dense]
        return Arms(
            chunk_ids=chunk_ids,
            near=len(chunk_ids),
            dense=dense,
            keyword=[None] * len(dense),
            languages=await _languages_of(connection, query, chunk_ids, languages),
            terms=(),
        )
    found = await _search_keywords(deps, connection, query, [hit.chunk_id for hit in dense], languages)
    return await _united(deps, connection, query, vector, dense, found, languages)


async def _united(
    deps: Deps,
    connection: Reader,
    query: Query,
    vector: Vectors | None,
    dense: Sequence[DenseHit],
    found: KeywordFound,
    languages: Sequence[str],
) -> Arms:
    keyword = {hit.chunk_id: hit for hit in found.hits}
    if query.must_hold:  # what the question demands, only the keywords can tell
        dense = [hit for hit in dense if hit.chunk_id in keyword]
    chunk_ids = [hit.chunk_id for hit in dense]
    by_keyword = [keyword.pop(chunk_id, None) for chunk_id in chunk_ids]
    unseen = list(keyword)  # what only the keywords found
    scored: Mapping[UUID, DenseHit] = await _scores(deps, connection, query, vector, unseen)
    chunk_ids += unseen
    return Arms(
        chunk_ids=chunk_ids,
        near=len(dense),
        dense=[*dense, *map(scored.get, unseen)],
        keyword=[*by_keyword, *keyword.values()],
        languages=await _languages_of(connection, query, chunk_ids, languages),
        terms=found.terms,
    )


async def _search_dense(deps: Deps, connection: Reader, query: Query, vector: Vectors | None) -> list[DenseHit]:
    if vector is None:
        return []
    return await deps.vector_index.search(
        connection,
        scope=query.scope,
        embedding_version=query.embedding_version.id,
        query=vector,
        limit=CANDIDATES_PER_ARM,
    )


async def _search_keywords(
    deps: Deps, connection: Reader, query: Query, near: Sequence[UUID], languages: Sequence[str]
) -> KeywordFound:
    """The words are analysed in each language of the knowledge, so that one question searches them all."""
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


async def _scores(
    deps: Deps, connection: Reader, query: Query, vector: Vectors | None, chunk_ids: Sequence[UUID]
) -> dict[UUID, DenseHit]:
    if vector is None or not chunk_ids:
        return {}
    scored = await deps.vector_index.score(
        connection,
        scope=query.scope,
        embedding_version=query.embedding_version.id,
        query=vector,
        chunk_ids=chunk_ids,
    )
    return {hit.chunk_id: hit for hit in scored}


async def _languages_of(
    connection: Reader, query: Query, chunk_ids: Sequence[UUID], languages: Sequence[str]
) -> list[str]:
    """The language of each chunk; `languages` are those of the whole knowledge, mostly one."""
    if len(languages) == 1:
        return [languages[0]] * len(chunk_ids)
    known = await knowledge.list_chunk_languages(
        connection, tenant_id=query.scope.tenant_id, chatbot_id=query.scope.chatbot_id, chunk_ids=chunk_ids
    )
    return [known.get(chunk_id, "und") for chunk_id in chunk_ids]
