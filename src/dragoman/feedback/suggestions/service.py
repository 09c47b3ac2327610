"""Suggested questions: the owner's own, then what was asked before and what documents ask themselves.

A day (UTC) and a knowledge revision have the same ones. What is found in documents is remembered under the revision; what
people asked is looked up each time, so that nothing of an erased conversation is told again.

With 10,000 chunks in 100 documents on two busy cores: 6 ms (p50) over HTTP, and once after each change of the knowledge
330 ms, which is bounded: at most 20,000 chunks are looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from uuid import UUID

import structlog
from pydantic import TypeAdapter
from pydantic_core import to_json

from dragoman.deps import Deps
from dragoman.feedback.suggestions import questions, repository
from dragoman.feedback.suggestions.entities import Suggestion, SuggestionSource
from dragoman.ingestion.pii import PiiChoice, Placeholders, mask_line
from dragoman.kit.cache import cache_key
from dragoman.kit.clock import now
from dragoman.kit.errors import DragomanError
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot
from dragoman.tenancy.limits import VISITOR

MOST: Final = 12
_LOOK_BACK: Final = timedelta(days=90)
_CONFIDENT: Final = 0.6  # the built-in threshold, below which nothing is answered, is 0.42
_KEPT: Final = 60  # of documents, for each chatbot and language
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    chatbot: Chatbot
    items: Sequence[Suggestion]


async def suggest(deps: Deps, caller: Caller, chatbot_id: UUID, *, language: str | None, limit: int) -> Suggestions:
    """Up to `limit` questions that the knowledge of this chatbot answers, those in the language first.

    Where the language has too few questions, headings of its documents follow. Of other languages only what the owner
    wrote is told, unless nothing at all is in the language.

    Nothing of private documents, and no question that only one person asked.

    Raises:
        ChatbotNotFoundError.
    """
    async with deps.database.reading(caller.tenant_id) as reading:
        chatbot = await tenancy.get_chatbot(reading, caller, chatbot_id)
    found = _of_owner(deps, chatbot, language)
    if sum(language in (None, each.language) for each in found) < limit:
        seed = f"{now():%Y-%m-%d} {chatbot.knowledge_revision}"
        wanted = language or _main_language(found)
        candidates = [*await _asked(deps, chatbot, seed), *await _in_knowledge(deps, chatbot, wanted, seed)]
        found = questions.distinct([*found, *questions.ordered(candidates, language=wanted, seed=seed)])
        if language is not None and sum(each.language == language for each in found) < limit:
            found = questions.distinct([*found, *await _topics(deps, chatbot, language, seed)])
    if language is not None:
        found = questions.in_language_only(found, language)
    return Suggestions(chatbot=chatbot, items=found[:limit])


def _of_owner(deps: Deps, chatbot: Chatbot, language: str | None) -> list[Suggestion]:
    texts = tenancy.settings_of(chatbot).suggested_questions
    languages = [found.code for found in deps.language_detector.detect_many(texts)]
    own = [
        Suggestion(text=text, language=spoken, source=SuggestionSource.OWNER)
        for text, spoken in zip(texts, languages, strict=True)
    ]
    return own if language is None else questions.in_language_first(own, language)


def _main_language(own: Sequence[Suggestion]) -> str:
    return own[0].language if own else "und"


async def _asked(deps: Deps, chatbot: Chatbot, seed: str) -> list[Suggestion]:
    """Of the past: none where the owner keeps no text of questions, and none with personal data."""
    if tenancy.settings_of(chatbot).query_log != "full":
        return []
    today = datetime.combine(now().date(), time(), UTC)
    async with deps.database.transaction(chatbot.tenant_id) as connection:
        asked = await repository.list_asked(
            connection,
            tenant_id=chatbot.tenant_id,
            chatbot_id=chatbot.id,
            since=today - _LOOK_BACK,
            until=today,
            confidence=_CONFIDENT,
            visitor=VISITOR,
            seed=seed,
            limit=2 * MOST,
        )
    return [each for each in asked if questions.is_fit(each.text) and await _tells_of_nobody(deps, each)]


async def _tells_of_nobody(deps: Deps, asked: Suggestion) -> bool:
    try:
        masked = await mask_line(
            deps.pii_detectors,
            asked.text,
            language=asked.language,
            choice=PiiChoice(mode="mask"),
            placeholders=Placeholders(),
        )
    except DragomanError as error:
        _log.warning("suggestions.not_checked_for_personal_data", reason=error.message)
        return False
    return masked == asked.text


async def _in_knowledge(deps: Deps, chatbot: Chatbot, language: str, seed: str) -> list[Suggestion]:
    """What live shared documents ask."""

    async def read() -> list[Suggestion]:
        async with deps.database.transaction(chatbot.tenant_id) as connection:
            found = await repository.list_in_knowledge(
                connection, tenant_id=chatbot.tenant_id, chatbot_id=chatbot.id, language=language, seed=seed
            )
        return questions.ordered(questions.questions_of(found), language=language, seed=seed)[:_KEPT]

    return await _remembered(deps, cache_key("suggestions", *_key_of(chatbot, language, seed)), read)


async def _topics(deps: Deps, chatbot: Chatbot, language: str, seed: str) -> list[Suggestion]:
    """Headings of live shared documents in this language."""

    async def read() -> list[Suggestion]:
        async with deps.database.transaction(chatbot.tenant_id) as connection:
            found = await repository.list_topics(
                connection, tenant_id=chatbot.tenant_id, chatbot_id=chatbot.id, language=language, seed=seed
            )
        return questions.topics_of(found, language=language, seed=seed)[:_KEPT]

    return await _remembered(deps, cache_key("topics", *_key_of(chatbot, language, seed)), read)


def _key_of(chatbot: Chatbot, language: str, seed: str) -> tuple[bytes, bytes, str, str]:
    return chatbot.tenant_id.bytes, chatbot.id.bytes, language, seed


async def _remembered(deps: Deps, key: bytes, read: Callable[[], Awaitable[list[Suggestion]]]) -> list[Suggestion]:
    """With the results of searches."""

    async def found_and_encoded() -> tuple[bytes, bool]:
        return to_json(await read()), True

    if deps.search_results is None:
        return await read()
    encoded, _ = await deps.search_results.get(key, found_and_encoded)
    return _SUGGESTIONS.validate_json(encoded)


_SUGGESTIONS: Final = TypeAdapter(list[Suggestion])
