"""Sessions, messages, turns, and the events of an answer.

Events of an answer, in order of appearance: any number of `Status` and `Token`, then the `Source`s, then exactly one
`Complete`; or, when nothing could be said at all, an exception instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from dragoman.generation.entities import Citation


class AuthorRole(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    AGENT = "agent"
    SYSTEM = "system"


class MessageState(StrEnum):
    """`interrupted`: the asker went away before the end; what was said until then is kept."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A conversation. Its messages are a tree: a question asked anew, or an answer written anew, begins a branch.

    Attributes:
        archived_at: it is left out of the list, and can be gone on with.
        leaf_id: the last message of the branch that the conversation is on; None: of the latest message.
    """

    id: UUID
    tenant_id: UUID
    chatbot_id: UUID
    asker: str
    title: str
    state: str
    is_active: bool
    settings: dict[str, Any]
    document_ids: tuple[UUID, ...] | None
    archived_at: datetime | None
    leaf_id: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSession:
    """A session in a list. `excerpt`: where it says what was searched for; None where its title does, or nothing was."""

    session: Session
    excerpt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A message's place in the tree of its session."""

    id: UUID
    parent_id: UUID | None
    role: AuthorRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """`citations` refer to chunks by id; their text is read when they are shown, so that deletion redacts them."""

    id: UUID
    session_id: UUID
    parent_id: UUID | None
    role: AuthorRole
    state: MessageState
    content: str
    language: str | None
    citations: Sequence[Mapping[str, Any]]
    tokens_used: int
    response_time_ms: float | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFacts:
    """The part of a turn that its asker is told."""

    answer_id: UUID
    provider_model: str
    answered: bool
    confidence: float | None
    timings: Mapping[str, float]
    usage: Mapping[str, Any]
    grounding: Mapping[str, Any]
    degraded: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(TurnFacts):
    """All that is known about how one question was answered; the raw material of evaluation and training."""

    id: UUID
    tenant_id: UUID
    chatbot_id: UUID
    session_id: UUID
    question_id: UUID
    asker: str
    language: str
    rewritten_question: str | None
    prompt_version: str | None
    rendered_prompt: Sequence[Mapping[str, Any]] | None
    retrieved: Sequence[Mapping[str, Any]]
    embedding_version: int
    variants: Mapping[str, str]
    knowledge_revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What happens now: `searching` or `writing`."""

    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    citation: Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    message: Message
    turn: Turn
    citations: Sequence[Citation] = field(default_factory=tuple)


AnswerEvent = Status | Token | Source | Complete
