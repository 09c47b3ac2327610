"""Finds the passages that may answer a question: both arms, one score, one ranking, one page.

embed the question -> search both arms -> fuse -> judge the best again -> leave out, merge, vary -> the page
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

import numpy as np
import structlog

from dragoman.deps import Deps
from dragoman.inference.service import CallContext
from dragoman.kit.clock import Stopwatch
from dragoman.kit.errors import DragomanError, UnavailableError
from dragoman.kit.reading import ReadConnection, Reader
from dragoman.metering.errors import BudgetExhaustedError
from dragoman.ports.embedder import Vectors
from dragoman.retrieval.arms import search_arms
from dragoman.retrieval.candidates import rank_by_fusion
from dragoman.retrieval.entities import Found, Mode, Query, Ranking
from dragoman.retrieval.page import Texts, make_page
from dragoman.retrieval.rerank import RERANKER_SKIPPED, Closeup, depth_of, rerank
from dragoman.tenancy.settings import ChatbotSettings

_log = structlog.get_logger(__name__)
KEYWORD_ONLY = "keyword_only"


def ranking_of(settings: ChatbotSettings) -> Ranking:
    """How the chatbot wants its passages ranked."""
    return Ranking(
        reranker=settings.reranker,
        rerank_depth=settings.rerank_depth,
        neighbours=settings.neighbours,
        near_duplicates=settings.near_duplicates,
        diversity=settings.diversity,
    )


async def find_passages(
    deps: Deps, query: Query, context: CallContext, *, begin: Callable[[ReadConnection], object] | None = None
) -> Found:
    """The best passages for a question, within the scope.

    When the embedder is away, does not serve the chatbot's embedding version, or there is no money for it, keywords alone are searched and
    `degraded` says `keyword_only`; when the re-ranker fails, the order stays and it says `reranker_skipped`.

    Args:
        begin: called with the transaction that everything is read in, before anything is; who gives it checks that the
            query's revision of the knowledge is the present one.

    Raises:
        DatabaseUnavailableError: nothing can be searched.
        EmbedderRejectedError: the embedder refuses, as with a wrong key.
    """
    timings = _Timings()
    if begin is not None:
        query = replace(query, scope=replace(query.scope, knowledge_revision=query.knowledge_revision))
    with timings.of("embed"):
        vector = await _question_vector(deps, query, context)
    mode: Mode = query.mode if vector is not None else "keyword"
    degraded = [KEYWORD_ONLY] if mode != query.mode else []
    depth = _rerank_depth(deps, query, degraded)
    async with deps.database.reading(query.scope.tenant_id) as connection:
        if begin is not None:
            begin(connection)
        with timings.of("arms"):
            arms = await search_arms(deps, connection, query, vector)
            pool = rank_by_fusion(arms, query, mode)
        with timings.of("load"):
            texts = Texts(deps, query)
            await texts.load(pool.chunk_ids[: max(depth, query.offset + query.limit)], connection)
            known = await _read_closely(deps, connection, query, vector, pool.chunk_ids[:depth])
        await connection.send_waiting()  # what `begin` asked, where everything was at hand
    if depth:
        with timings.of("rerank"):
            if not await rerank(deps, query, context, pool, depth, texts.known, known):
                degraded.append(RERANKER_SKIPPED)
    with timings.of("page"):
        page = await make_page(query, pool, texts)
    return Found(
        passages=page.passages,
        question_vector=vector,
        terms=arms.terms,
        unrelated=pool.unrelated,
        candidates=page.candidates() if query.is_told else (),
        considered=page.considered,
        degraded=tuple(degraded),
        timings_ms=timings.timings_ms,
    )


async def _question_vector(deps: Deps, query: Query, context: CallContext) -> Vectors | None:
    """The question's vector, moved towards its other wordings by their shares; None where keywords alone are searched.

    Follow-ups of mtrag-cloud that need their conversation, hybrid, recall@5 and nDCG@10: 0.501 and 0.538 as asked, 0.507
    and 0.508 with the better score of both wordings, 0.606 and 0.615 moved; 0.515 and 0.544 with a person's rewrite.
    """
    if query.mode == "keyword":
        return None
    name = query.embedding_version.name
    try:
        vector = await deps.inference.embed_question(context, name, query.words or query.text)
    except (UnavailableError, BudgetExhaustedError) as error:
        _log.warning("retrieval.keyword_only", reason=error.message)
        return None
    if not query.also_ask:
        return vector
    mixed = (1.0 - sum(query.also_ask.values())) * vector
    # One after the other: an embedder of this machine has one lane for questions.
    for text, share in query.also_ask.items():
        try:
            mixed = mixed + share * await deps.inference.embed_question(context, name, text)
        except (UnavailableError, BudgetExhaustedError) as error:
            _log.warning("retrieval.asked_without_other_wordings", reason=error.message)
            return vector
    moved: Vectors = (mixed / np.linalg.norm(mixed)).astype(vector.dtype)
    return moved


def _rerank_depth(deps: Deps, query: Query, degraded: list[str]) -> int:
    try:
        return depth_of(deps, query)
    except DragomanError as error:
        _log.warning(
            "retrieval.reranker_skipped", reranker=query.ranking.reranker, code=error.code, reason=error.message
        )
        degraded.append(RERANKER_SKIPPED)
        return 0


async def _read_closely(
    deps: Deps, connection: Reader, query: Query, vector: Vectors | None, chunk_ids: Sequence[UUID]
) -> Closeup:
    """What is stored of what is judged again."""
    if vector is None or not chunk_ids:
        return Closeup()
    index, scope, version = deps.vector_index, query.scope, query.embedding_version.id
    return Closeup(
        sentences=await index.score_sentences(
            connection, scope=scope, embedding_version=version, query=vector, chunk_ids=chunk_ids
        ),
        vectors=await index.vectors(connection, scope=scope, embedding_version=version, chunk_ids=chunk_ids),
    )


class _Timings:
    """Milliseconds of each step."""

    def __init__(self) -> None:
        self.timings_ms: dict[str, float] = {}

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        watch = Stopwatch()
        try:
            yield
        finally:
            self.timings_ms[step] = round(watch.elapsed_ms, 2)
