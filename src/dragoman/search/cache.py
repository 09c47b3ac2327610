"""Remembers what searches found, so that the same search over the same knowledge is done once.

The key holds everything that a result depends on: tenant, chatbot, its settings and knowledge revision, and all of the
query: scope with asker and filters, text, language, embedding version, mode, limits. The revision must have been read in
the request itself: then the first search after the commit of a deletion has another key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields, make_dataclass
from functools import cache
from typing import Any, Final, Literal, get_type_hints

from pydantic import TypeAdapter
from pydantic_core import to_json

from dragoman.deps import Deps
from dragoman.kit.cache import cache_key
from dragoman.retrieval.entities import Found, Query
from dragoman.tenancy.entities import Chatbot

CacheState = Literal["hit", "miss", "off"]


async def cached_search(
    deps: Deps, chatbot: Chatbot, query: Query, compute: Callable[[], Awaitable[Found]], *, bypass: bool = False
) -> tuple[Found, CacheState]:
    """What `compute` finds for this query, or found lately; a remembered result has no `question_vector`.

    However many search for the same at once, `compute` runs once. A degraded result is given, not remembered; what
    `compute` raises goes to all who wait for it. `chatbot` must be as this request read it.
    """
    if deps.search_results is None or bypass:
        return await compute(), "off"
    own: list[Found] = []

    async def found_and_encoded() -> tuple[bytes, bool]:
        found = await compute()
        own.append(found)
        return _encode(found), not found.degraded

    encoded, was_there = await deps.search_results.get(_key(chatbot, query), found_and_encoded)
    return (own[0] if own else _decode(encoded)), "hit" if was_there else "miss"


def _key(chatbot: Chatbot, query: Query) -> bytes:
    return cache_key(
        chatbot.tenant_id.bytes,
        chatbot.id.bytes,
        str(chatbot.knowledge_revision),
        to_json(chatbot.settings),
        to_json(query),
    )


# All of `Found` but the vector, which only answers need.
_KEPT: Final = tuple(field.name for field in fields(Found) if field.name != "question_vector")


@cache
def _adapter() -> TypeAdapter[Any]:
    types = get_type_hints(Found)
    return TypeAdapter(make_dataclass("_Kept", [(name, types[name]) for name in _KEPT]))  # 20 ms, so not at import


def _encode(found: Found) -> bytes:
    return to_json({name: getattr(found, name) for name in _KEPT})


def _decode(encoded: bytes) -> Found:
    kept = _adapter().validate_json(encoded)
    return Found(question_vector=None, **{name: getattr(kept, name) for name in _KEPT})
