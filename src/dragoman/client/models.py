"""What the API sends. Fields that a newer server adds are kept (`extra="allow"`), so that `--json` shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class _Received(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Readiness(_Received):
    """What `/readyz` says. `embedding_version` is the one that new chatbots get."""

    status: str
    checks: dict[str, str] = Field(default_factory=dict)
    embedding_version: str | None = None


class Chatbot(_Received):
    id: UUID
    name: str
    description: str
    is_default: bool
    settings: dict[str, Any]
    knowledge_revision: int
    created_at: datetime
    updated_at: datetime


class ApiKey(_Received):
    id: UUID
    name: str
    prefix: str
    role: str
    user_id: UUID | None
    chatbot_id: UUID | None
    may_act_for_users: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class CreatedApiKey(ApiKey):
    """A new key; `api_key` is the secret itself, shown this once."""

    api_key: str


class Document(_Received):
    """`processed_at` is set when the newest version is searchable, `processed` when any version is."""

    id: UUID
    chatbot_id: UUID
    title: str
    file_name: str
    file_type: str
    size_bytes: int
    content_type: str
    category: str
    tags: list[str]
    visibility: str
    state: str
    processed: bool
    version: int
    language: str | None
    pages: int | None
    total_chunks: int
    total_tokens: int
    quality: dict[str, Any]
    metadata: dict[str, Any]
    uploaded_at: datetime
    processed_at: datetime | None
    external_id: str | None


class UploadedDocument(Document):
    is_duplicate: bool


class DocumentStatus(_Received):
    """How far the reading of a document is; `progress` from 0 to 1."""

    id: UUID
    state: str
    processed: bool
    step: str
    progress: float
    attempts: int
    total_chunks: int
    error_code: str | None
    error: str | None


class Passage(_Received):
    """One result of a search; `similarity_score` from 0 to 1."""

    content: str
    similarity_score: float
    rank: int
    chunk_id: UUID
    document_id: UUID
    title: str
    file_name: str
    language: str
    page: int | None
    heading_path: list[str]
    external_id: str | None


class SearchResult(_Received):
    query: str
    chatbot_id: UUID
    language: str
    mode: str
    results: list[Passage]
    total_results: int
    search_time_ms: float
    timings_ms: dict[str, float]
    degraded: list[str]


class Session(_Received):
    id: UUID
    chatbot_id: UUID
    title: str
    state: str
    is_active: bool
    settings: dict[str, Any]
    document_ids: list[UUID] | None
    created_at: datetime
    updated_at: datetime


class Source(_Received):
    """A citation: `number` is its marker in the answer, `excerpt` the words as they stand in the document."""

    number: int
    doc_id: UUID
    title: str
    excerpt: str
    chunk_id: UUID
    file_name: str
    external_id: str | None
    page: int | None
    heading_path: list[str]
    language: str
    similarity_score: float
    deleted: bool = False


class Message(_Received):
    id: UUID
    session_id: UUID
    parent_id: UUID | None
    role: str
    state: str
    content: str
    language: str | None
    sources: list[Source]
    tokens_used: int
    response_time: float | None
    created_at: datetime


class Usage(_Received):
    """What an answer took; `cost_usd` in US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    embedding_calls: int = 0
    llm_calls: int = 0
    cost_usd: float = 0.0


class _AnswerFacts(_Received):
    answered: bool
    confidence: float | None
    usage: Usage
    timings: dict[str, float]
    grounding: dict[str, Any]
    degraded: list[str]
    model: str


class Answer(Message, _AnswerFacts):
    """A whole answer. `answered` is False when the documents do not answer; `timings` in milliseconds."""


class StatusEvent(_Received):
    type: Literal["status"]
    stage: str


class TokenEvent(_Received):
    type: Literal["token"]
    content: str


class SourceEvent(Source):
    type: Literal["source"]


class CompleteEvent(_AnswerFacts):
    type: Literal["complete"]
    message_id: UUID
    session_id: UUID
    tokens: int
    language: str


class ErrorEvent(_Received):
    type: Literal["error"]
    code: str
    detail: str


StreamEvent = Annotated[
    StatusEvent | TokenEvent | SourceEvent | CompleteEvent | ErrorEvent, Field(discriminator="type")
]
"""Events of a stream, in order of appearance: `status` and `token`, then each `source`, then `complete`; or `error`."""
