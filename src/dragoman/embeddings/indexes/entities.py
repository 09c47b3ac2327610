"""What is known of the vector index of a chatbot, and what was measured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Kind = Literal["exact", "hnsw"]
State = Literal["ready", "building", "failed"]
Wanted = Literal["auto", "exact", "hnsw"]
Action = Literal["build", "check", "drop"]
Tell = Callable[[str, float], Awaitable[None]]
"""Told what is being done and how far it is, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPolicy:
    """When a chatbot gets an index of its own, and what is asked of it.

    With 384 dimensions, comparing all takes PostgreSQL 0.6 ms at 1,000 chunks, 1.3 at 2,000, 2.9 at 5,000, 7 at 10,000,
    12 at 20,000 and 65 at 100,000; an own index, looking at as many candidates as the recall needs, 0.5, 0.5, 0.8, 1.1,
    1.4 and 11 (processor time; a third of the last is reading pages that `shared_buffers` of 96 MB do not hold). Against
    that stand, for each chunk, 0.3 to 0.7 ms to build it, 1.2 kB to keep it and 1.3 to 2.3 ms to write another vector
    into it, and 10 µs of planning for each index of the same vectors where a plan is not kept.

    Attributes:
        own_index_from: chatbots with as many chunks get an index by themselves.
        exact_below: a chatbot that shrinks below gives its index up.
        least_recall: recall@10 against comparing all; an index that stays below is not used.
        sample: questions by which recall is measured.
        memory_mib: what building may use: enough for 200,000 chunks of 384 dimensions; beyond, building is slower.
        most_indexes: of one embedding version; larger chatbots come first.
    """

    own_index_from: int = 5000
    exact_below: int = 2500
    least_recall: float = 0.98
    sample: int = 200
    memory_mib: int = 256
    most_indexes: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorPlace:
    """The vectors of one version that a chatbot has."""

    tenant_id: UUID
    chatbot_id: UUID
    embedding_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chatbot:
    """A chatbot as far as its index goes. `revision` rises with each change of its knowledge."""

    place: VectorPlace
    name: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorIndexRow:
    """How the chunks of a chatbot are searched.

    Attributes:
        kind: `hnsw` where the chatbot has an index of its own.
        state: `building` and `failed` compare all meanwhile, as `exact` does; `reason` tells why.
        wanted: by a person: an index or none, whatever the size; `auto` leaves it to the policy.
        search_function: the function in PostgreSQL that asks the index.
        ef_search: how many candidates the index looks at, at least.
        chunks_at_build, chunks_at_check: how many there were.
        recall: recall@10 as measured last, 0 to 1.
        seen_revision: the knowledge revision at which the size was looked at last.
    """

    place: VectorPlace
    kind: Kind
    state: State
    wanted: Wanted
    search_function: str | None
    index_name: str | None
    m: int | None
    ef_construction: int | None
    ef_search: int | None
    chunks_at_build: int | None
    chunks_at_check: int | None
    recall: float | None
    reason: str
    seen_revision: int | None
    built_at: datetime | None
    checked_at: datetime | None

    @property
    def has_index(self) -> bool:
        """Whether searches use an index of the chatbot's own."""
        return self.kind == "hnsw" and self.state == "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexParameters:
    """Of an HNSW graph (Malkov and Yashunin 2018): links of a node, and candidates looked at while building."""

    m: int
    ef_construction: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds of a search, as the application waits for it."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCheck:
    """What searches find beside what comparing all finds.

    Attributes:
        chunks: with a vector, visible or not.
        recall: recall@10, 0 to 1; 1 where there was nothing to find.
        questions: how many were asked.
        index_bytes: None without an index.
    """

    chatbot: Chatbot
    kind: Kind
    chunks: int
    recall: float
    questions: int
    search: Times
    exact: Times
    index_bytes: int | None
    is_good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is gained by another way of searching. `action` None: all is well as it is."""

    chatbot: Chatbot
    kind: Kind
    state: State
    chunks: int
    action: Action | None
    reason: str
    expected_exact_ms: float
    expected_index_ms: float
    expected_bytes: int
    expected_build_s: float
