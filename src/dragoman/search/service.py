"""Search: from what a caller sends to the passages it may see.

load chatbot and conversation -> understand (language, follow-up, other names) -> retrieve -> the page -> note it
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from dragoman.deps import Deps
from dragoman.deps.conversation import Conversation
from dragoman.embeddings import service as embeddings
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.inference.service import CallContext
from dragoman.kit.clock import new_id, now
from dragoman.kit.errors import DragomanError
from dragoman.kit.reading import ReadConnection
from dragoman.kit.telemetry import StageTimer
from dragoman.metering.entities import NOBODY, Spender
from dragoman.ports.search_scope import SearchScope
from dragoman.retrieval import service as retrieval
from dragoman.retrieval.entities import Found, Mode, Query
from dragoman.search.cache import cached_search
from dragoman.search.entities import Origin, SearchEntry
from dragoman.search.filters import NO_FILTER, Filter
from dragoman.search.recent import Check, RecentChatbot, recent_chatbots
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot
from dragoman.tenancy.settings import ChatbotSettings
from dragoman.understanding.entities import Prepared
from dragoman.understanding.history import Said
from dragoman.understanding.question_language import understand
from dragoman.understanding.service import prepare_question

MAX_OFFSET: Final = 100  # each arm brings its 50 best: there is nothing behind
_BATCH_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What a caller wants; None leaves it to the chatbot's settings.

    Attributes:
        offset: results to skip: the pages of a search are cut from the same ranking.
        history: what was said before the question, oldest first; or
        session_id: the session that it was said in, which also gives the chatbot and its documents.
    """

    text: str
    chatbot_id: UUID | None = None
    mode: Mode | None = None
    limit: int = 10
    offset: int = 0
    threshold: float = 0.0
    language: str | None = None
    explain: bool = False
    document_ids: Sequence[UUID] | None = None
    languages: Sequence[str] | None = None
    content_types: Sequence[str] | None = None
    categories: Sequence[str] | None = None
    filter: Filter = NO_FILTER
    history: Sequence[Said] = ()
    session_id: UUID | None = None
    reranker: str | None = None
    origin: Origin = "search"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """One page of what a search found.

    Attributes:
        search_id: for clicks and ratings; None where the chatbot keeps no query log.
        prepared: the question with what its conversation adds and its other names.
        found: with the passages of this page.
        is_cached: it was found by an earlier search.
    """

    search_id: UUID | None
    chatbot: Chatbot
    language: str
    mode: Mode
    prepared: Prepared
    found: Found
    is_cached: bool
    degraded: tuple[str, ...]
    timings_ms: dict[str, float]


async def search(deps: Deps, caller: Caller, request: SearchRequest) -> SearchResult:
    """Search one chatbot's knowledge, shared and the caller's own private documents.

    Raises:
        ChatbotNotFoundError, SessionNotFoundError, DatabaseUnavailableError.
    """
    timer = StageTimer("search")
    recent = None if request.session_id else recent_chatbots.find(caller, request.chatbot_id)
    if recent is not None:
        opened = await _understood(deps, caller, recent, request, timer)
        check = Check(recent, caller, request.chatbot_id)
        with timer.stage("retrieve"):
            found, is_cached = await retrieve(deps, caller, opened, request, begin=check.begin)
            if await check.holds(deps.database):
                return finish(deps, caller, opened, timer, found=found, is_cached=is_cached)
    opened = await open_search(deps, caller, request, timer)
    with timer.stage("retrieve"):
        found, is_cached = await retrieve(deps, caller, opened, opened.request)
    return finish(deps, caller, opened, timer, found=found, is_cached=is_cached)


async def search_many(
    deps: Deps, requests: Sequence[tuple[Caller, SearchRequest]]
) -> list[SearchResult | DragomanError]:
    """Several searches, a few at a time, each with its own result or error, in the order given."""
    turns = asyncio.Semaphore(_BATCH_AT_ONCE)

    async def one(caller: Caller, request: SearchRequest) -> SearchResult | DragomanError:
        async with turns:
            try:
                return await search(deps, caller, request)
            except DragomanError as error:
                return error

    return await asyncio.gather(*(one(caller, request) for caller, request in requests))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSearch:
    """What is known before anything is searched; `request` with what its session says."""

    chatbot: Chatbot
    settings: ChatbotSettings
    version: EmbeddingVersion
    language: str
    request: SearchRequest
    prepared: Prepared


async def open_search(deps: Deps, caller: Caller, request: SearchRequest, timer: StageTimer) -> OpenedSearch:
    """Load the chatbot and the conversation, and understand the question.

    Raises:
        ChatbotNotFoundError, SessionNotFoundError.
    """
    with timer.stage("load"):
        conversation: Conversation | None = None
        if request.session_id is not None:
            conversation = await deps.read_conversation(caller, request.session_id)
            request = _in_session(request, conversation)
        async with deps.database.reading(caller.tenant_id) as connection:
            chatbot = await tenancy.get_chatbot(connection, caller, request.chatbot_id)
            version = await embeddings.get_version(connection, chatbot.active_embedding_version)
        recent = recent_chatbots.keep(caller, request.chatbot_id, chatbot, version)
    previous = conversation.language if conversation else None
    return await _understood(deps, caller, recent, request, timer, previous=previous)


async def _understood(
    deps: Deps,
    caller: Caller,
    recent: RecentChatbot,
    request: SearchRequest,
    timer: StageTimer,
    *,
    previous: str | None = None,
) -> OpenedSearch:
    """Args: previous: the language that the conversation has been in."""
    chatbot = recent.chatbot
    with timer.stage("understand"):
        language = request.language or understand(deps.language_detector, request.text, previous=previous).language
        prepared = await prepare_question(
            deps,
            chatbot,
            request.text,
            language,
            history=request.history,
            purpose="search",
            operators=True,
            spender=Spender(asker=caller.asker),
        )
    return OpenedSearch(
        chatbot=chatbot,
        settings=tenancy.settings_of(chatbot),
        version=recent.version,
        language=language,
        request=request,
        prepared=prepared,
    )


def _in_session(request: SearchRequest, conversation: Conversation) -> SearchRequest:
    """The request with what its session says: the chatbot, the chosen documents, the messages."""
    wanted, chosen = request.document_ids, conversation.document_ids
    if wanted is not None and chosen is not None:
        chosen = [document_id for document_id in wanted if document_id in set(chosen)]
    return replace(
        request,
        chatbot_id=conversation.chatbot_id,
        document_ids=wanted if chosen is None else chosen,
        history=[Said(role="user" if role == "user" else "assistant", text=text) for role, text in conversation.said],
    )


async def retrieve(
    deps: Deps,
    caller: Caller,
    opened: OpenedSearch,
    request: SearchRequest,
    *,
    begin: Callable[[ReadConnection], object] | None = None,
) -> tuple[Found, bool]:
    """What is found, and whether an earlier search found it. An explanation is always of a search that is made now.

    Args:
        begin: called with the transaction of this request's own search; never, where another one finds.
    """
    query = query_of(
        opened.chatbot,
        opened.version,
        request,
        asker=caller.asker,
        language=opened.language,
        prepared=opened.prepared,
        is_told=request.explain,
        operators=True,  # a search box; in a chat "-5 degrees" forbids nothing
    )
    context = CallContext(
        tenant_id=caller.tenant_id, chatbot_id=opened.chatbot.id, purpose="search", spender=Spender(asker=caller.asker)
    )
    found, state = await cached_search(
        deps,
        opened.chatbot,
        query,
        lambda: retrieval.find_passages(deps, query, context, begin=begin),
        bypass=request.explain,
    )
    return found, state == "hit"


def finish(
    deps: Deps,
    caller: Caller,
    opened: OpenedSearch,
    timer: StageTimer,
    *,
    found: Found,
    is_cached: bool,
) -> SearchResult:
    """The result, noted for analytics; nothing is written here."""
    keeps_log = opened.settings.query_log != "off"
    search_id = new_id()
    result = SearchResult(
        search_id=search_id if keeps_log else None,
        chatbot=opened.chatbot,
        language=opened.language,
        mode=opened.request.mode or opened.settings.search_mode,
        prepared=opened.prepared,
        found=found,
        is_cached=is_cached,
        degraded=(*opened.prepared.degraded, *found.degraded),
        timings_ms=timer.finish() if is_cached else _with_steps(timer.finish(), found),
    )
    deps.search_log.add(_entry(caller, opened, result, search_id))
    return result


def _with_steps(timings_ms: dict[str, float], found: Found) -> dict[str, float]:
    """With the steps of `retrieve`, whose own `load` is that of the texts."""
    steps = {("texts" if step == "load" else step): spent_ms for step, spent_ms in found.timings_ms.items()}
    return {**steps, **timings_ms}


def _entry(caller: Caller, opened: OpenedSearch, result: SearchResult, search_id: UUID) -> SearchEntry:
    request, passages = opened.request, result.found.passages
    return SearchEntry(
        id=search_id,
        tenant_id=caller.tenant_id,
        chatbot_id=opened.chatbot.id,
        asker=caller.asker,
        origin=request.origin,
        text=request.text,
        query_log=opened.settings.query_log,
        language=result.language,
        mode=result.mode,
        first_rank=request.offset + 1,
        results=tuple(passage.chunk_id for passage in passages),
        total_results=result.found.considered,
        top_score=passages[0].similarity_score if passages else None,
        is_follow_up=result.prepared.rewritten.used,
        is_cached=result.is_cached,
        degraded=result.degraded,
        timings_ms=result.timings_ms,
        created_at=now(),
    )


async def find_in_chatbot(
    deps: Deps,
    chatbot: Chatbot,
    version: EmbeddingVersion,
    request: SearchRequest,
    *,
    asker: str,
    language: str,
    purpose: str,
    prepared: Prepared | None = None,
    spender: Spender = NOBODY,
) -> Found:
    """The passages of this chatbot that the asker may see, for an answer: never from the cache, which has no vector."""
    query = query_of(chatbot, version, request, asker=asker, language=language, prepared=prepared)
    context = CallContext(tenant_id=chatbot.tenant_id, chatbot_id=chatbot.id, purpose=purpose, spender=spender)
    return await retrieval.find_passages(deps, query, context)


def query_of(
    chatbot: Chatbot,
    version: EmbeddingVersion,
    request: SearchRequest,
    *,
    asker: str,
    language: str,
    prepared: Prepared | None,
    is_told: bool = True,
    operators: bool = False,
) -> Query:
    """What retrieval is asked: the question, moved towards its completed form, within what the asker may see."""
    settings = tenancy.settings_of(chatbot)
    ranking = retrieval.ranking_of(settings)
    return Query(
        text=prepared.searched if prepared else request.text,
        language=prepared.language(language) if prepared else language,
        embedding_version=version,
        knowledge_revision=chatbot.knowledge_revision,
        mode=request.mode or settings.search_mode,
        limit=request.limit,
        offset=request.offset,
        threshold=request.threshold,
        also_ask={also.text: also.weight for also in prepared.also_ask} if prepared else {},
        synonyms=prepared.synonyms if prepared else {},
        completed=prepared.completed if prepared else "",
        is_told=is_told,
        operators=operators,
        scope=scope_of(chatbot, request, asker=asker),
        ranking=ranking if request.reranker is None else replace(ranking, reranker=request.reranker),
    )


def scope_of(chatbot: Chatbot, request: SearchRequest, *, asker: str) -> SearchScope:
    return SearchScope(
        tenant_id=chatbot.tenant_id,
        chatbot_id=chatbot.id,
        owner=asker,
        document_ids=request.document_ids,
        languages=request.languages,
        content_types=request.content_types,
        categories=request.categories,
        conditions=request.filter.conditions,
        dated_from=request.filter.dated_from,
        dated_before=request.filter.dated_before,
    )
