"""HTTP: search."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from dragoman.deps.http import DepsDep
from dragoman.search import service
from dragoman.search.schemas import SearchIn, SearchOut
from dragoman.search.service import SearchRequest
from dragoman.tenancy.access import asker_of, require
from dragoman.tenancy.entities import Permission
from dragoman.tenancy.http import CallerWhoSearches

router = APIRouter()


@router.post("/api/search", tags=["search"])
async def search(body: SearchIn, caller: CallerWhoSearches, deps: DepsDep) -> SearchOut:
    """Find the passages of a chatbot's knowledge that are nearest to a question, in any language."""
    request = SearchRequest(
        text=body.query,
        chatbot_id=body.chatbot_id,
        mode=body.mode,
        limit=body.max_results,
        threshold=body.similarity_threshold,
        language=body.language,
        document_ids=body.document_ids,
        languages=body.languages,
        content_types=body.content_types,
        categories=body.categories,
    )
    if body.explain:
        require(caller, Permission.EXPLAIN)
    asking = replace(caller, asker=asker_of(caller, body.user_id))
    return SearchOut.of(body, await service.search(deps, asking, request))
