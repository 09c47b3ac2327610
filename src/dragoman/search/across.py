"""Search across content types: each of them gets its share, so that a hundred tickets do not bury the one price list.

Every type is searched by itself with the same question; the scores compare, since each is calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dragoman.deps import Deps
from dragoman.kit.telemetry import StageTimer
from dragoman.retrieval.entities import Found, Passage
from dragoman.search import service
from dragoman.search.service import SearchRequest, SearchResult
from dragoman.tenancy.entities import Caller

Arrangement = Literal["balanced", "ranked", "grouped"]
"""balanced: each type its share of the places, the rest by score. ranked: by score alone. grouped: a list per type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossResult:
    """`result` holds all passages that are shown; `groups` the same by content type, best first."""

    result: SearchResult
    groups: Mapping[str, Sequence[Passage]]


async def search_across(
    deps: Deps, caller: Caller, request: SearchRequest, *, content_types: Sequence[str], arrangement: Arrangement
) -> AcrossResult:
    """Search each content type and put what was found together.

    Args:
        request: `limit` is how many results there are in all, or, `grouped`, of each type.

    Raises:
        ChatbotNotFoundError, DatabaseUnavailableError.
    """
    timer = StageTimer("search")
    opened = await service.open_search(deps, caller, request, timer)
    found: dict[str, Found] = {}
    all_cached = True
    with timer.stage("retrieve"):
        for content_type in content_types:
            wanted = replace(opened.request, content_types=[content_type])
            found[content_type], is_cached = await service.retrieve(deps, caller, opened, wanted)
            all_cached = all_cached and is_cached
    groups = {name: list(each.passages) for name, each in found.items() if each.passages}
    shown = arrange(groups, request.limit, arrangement)
    whole = Found(
        passages=shown,
        question_vector=None,
        considered=sum(each.considered for each in found.values()),
        degraded=tuple(dict.fromkeys(word for each in found.values() for word in each.degraded)),
    )
    result = service.finish(deps, caller, opened, timer, found=whole, is_cached=all_cached)
    return AcrossResult(result=result, groups=_by_type(shown))


def arrange(groups: Mapping[str, Sequence[Passage]], limit: int, arrangement: Arrangement) -> list[Passage]:
    """The passages to show, best first, with ranks from 1."""
    if arrangement == "grouped":
        chosen = [passage for passages in groups.values() for passage in passages[:limit]]
    else:
        share = limit // len(groups) if arrangement == "balanced" and groups else 0
        chosen = [passage for passages in groups.values() for passage in passages[:share]]
        rest = [passage for passages in groups.values() for passage in passages[share:]]
        chosen += sorted(rest, key=_order)[: limit - len(chosen)]
    return [replace(passage, rank=rank) for rank, passage in enumerate(sorted(chosen, key=_order), start=1)]


def _order(passage: Passage) -> tuple[float, float, str]:
    return (-passage.similarity_score, -passage.score, str(passage.chunk_id))


def _by_type(passages: Sequence[Passage]) -> dict[str, list[Passage]]:
    groups: dict[str, list[Passage]] = {}
    for passage in passages:
        groups.setdefault(passage.found.content_type, []).append(passage)
    return groups
