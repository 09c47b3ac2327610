"""Search: from what a caller sends to the passages it may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from dragoman.deps import Deps
from dragoman.embeddings import service as embeddings
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.inference.service import CallContext
from dragoman.kit.telemetry import StageTimer
from dragoman.ports.search_scope import SearchScope
from dragoman.retrieval import service as retrieval
from dragoman.retrieval.entities import Found, Mode, Query
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot
from dragoman.understanding.service import understand


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What a caller wants; None leaves it to the chatbot's settings."""

    text: str
    chatbot_id: UUID | None = None
    mode: Mode | None = None
    limit: int = 10
    threshold: float = 0.0
    language: str | None = None
    document_ids: Sequence[UUID] | None = None
    languages: Sequence[str] | None = None
    content_types: Sequence[str] | None = None
    categories: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    chatbot: Chatbot
    language: str
    mode: Mode
    found: Found
    timings_ms: dict[str, float]


async def search(deps: Deps, caller: Caller, request: SearchRequest) -> SearchResult:
    """Search one chatbot's knowledge, shared and the caller's own private documents.

    Raises:
        ChatbotNotFoundError, DatabaseUnavailableError.
    """
    timer = StageTimer("search")
    with timer.stage("load"):
        async with deps.database.transaction(caller.tenant_id) as connection:
            chatbot = await tenancy.get_chatbot(connection, caller, request.chatbot_id)
            version = await embeddings.get_version(connection, chatbot.active_embedding_version)
    with timer.stage("understand"):
        language = request.language or understand(deps.language_detector, request.text).language
    with timer.stage("retrieve"):
        found = await find_in_chatbot(
            deps, chatbot, version, request, asker=caller.asker, language=language, purpose="search"
        )
    mode = request.mode or tenancy.settings_of(chatbot).search_mode
    return SearchResult(chatbot=chatbot, language=language, mode=mode, found=found, timings_ms=timer.finish())


async def find_in_chatbot(
    deps: Deps,
    chatbot: Chatbot,
    version: EmbeddingVersion,
    request: SearchRequest,
    *,
    asker: str,
    language: str,
    purpose: str,
) -> Found:
    """The passages of this chatbot that the asker may see; the step that search and answers share."""
    query = Query(
        text=request.text,
        language=language,
        embedding_version=version,
        mode=request.mode or tenancy.settings_of(chatbot).search_mode,
        limit=request.limit,
        threshold=request.threshold,
        scope=scope_of(chatbot, request, asker=asker),
    )
    context = CallContext(tenant_id=chatbot.tenant_id, chatbot_id=chatbot.id, purpose=purpose)
    return await retrieval.find_passages(deps, query, context)


def scope_of(chatbot: Chatbot, request: SearchRequest, *, asker: str) -> SearchScope:
    return SearchScope(
        tenant_id=chatbot.tenant_id,
        chatbot_id=chatbot.id,
        owner=asker,
        document_ids=request.document_ids,
        languages=request.languages,
        content_types=request.content_types,
        categories=request.categories,
    )
