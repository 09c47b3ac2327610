"""HTTP: questions to begin with."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from dragoman.deps.http import DepsDep
from dragoman.feedback.suggestions import service
from dragoman.feedback.suggestions.schemas import SuggestionList
from dragoman.tenancy.http import CallerWhoAsks

router = APIRouter()


@router.get("/api/chatbots/{chatbot_id}/suggestions/", tags=["chat"])
async def list_suggestions(
    chatbot_id: UUID,
    caller: CallerWhoAsks,
    deps: DepsDep,
    language: Annotated[
        str | None,
        Query(
            pattern="^[a-z]{2,3}$",
            description="ISO 639-1: questions in this language, else headings; others only where nothing is in it.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=service.MOST, description="How many at most.")] = 4,
) -> SuggestionList:
    """Suggest questions that this chatbot can answer: the owner's own, asked ones, and those in shared documents."""
    return SuggestionList.of(await service.suggest(deps, caller, chatbot_id, language=language, limit=limit))
