"""Sessions, messages and stream events as the HTTP API shows them (seed E's fields)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.chat.entities import Complete, Message, Session, Turn, TurnFacts
from dragoman.deps.given_feedback import GivenFeedback
from dragoman.generation.entities import Citation
from dragoman.knowledge.entities import ChunkInDocument
from dragoman.tenancy.http import RequestBody


class SessionIn(RequestBody):
    chatbot_id: UUID | None = None
    title: str = Field("", max_length=200, description="Made from the first question when empty.")
    user_id: str | None = Field(
        None, max_length=200, description="Your own name for the asker, for keys that may act for users."
    )
    settings: dict[str, Any] = Field(default_factory=dict, examples=[{"language": "de"}])
    document_ids: list[UUID] | None = Field(None, max_length=500, description="Chat over these documents only.")


class SessionPatch(RequestBody):
    title: str | None = Field(None, min_length=1, max_length=200)
    settings: dict[str, Any] | None = None
    is_active: bool | None = Field(None, description="False: it takes no more questions.")
    is_archived: bool | None = Field(None, description="True: it is left out of the list, until it is wanted again.")
    document_ids: list[UUID] | None = Field(
        None,
        max_length=500,
        description="From the next question on, chat over these documents only; null: over all again.",
    )

    def values(self) -> dict[str, Any]:
        """What is to be changed. Of the documents, null says something; elsewhere it says as little as nothing."""
        values = self.model_dump(exclude_none=True)
        return values | dict.fromkeys(self.model_fields_set & {"document_ids"}, self.document_ids)


class SessionOut(BaseModel):
    id: UUID
    chatbot_id: UUID
    title: str
    state: str
    is_active: bool
    is_archived: bool
    settings: dict[str, Any]
    document_ids: list[UUID] | None
    created_at: datetime
    updated_at: datetime
    excerpt: str | None = Field(None, description="In a search: where one of its messages says it.")

    @classmethod
    def of(cls, session: Session, *, excerpt: str | None = None) -> SessionOut:
        return cls(
            id=session.id,
            chatbot_id=session.chatbot_id,
            title=session.title,
            state=session.state,
            is_active=session.is_active,
            is_archived=session.archived_at is not None,
            settings=session.settings,
            document_ids=None if session.document_ids is None else list(session.document_ids),
            created_at=session.created_at,
            updated_at=session.updated_at,
            excerpt=excerpt,
        )


class SessionList(BaseModel):
    sessions: list[SessionOut]
    total: int
    limit: int
    offset: int


class AgainIn(RequestBody):
    """How an answer is wanted."""

    include_sources: bool = True
    language: str | None = Field(
        None, min_length=2, max_length=8, description="Taken where the question's own cannot be told."
    )
    resumable: bool = Field(
        False,
        description="For a stream: closing it does not stop the answer at once, so that `…/messages/{message_id}/stream/` "
        "can go on with it.",
    )


class MessageIn(AgainIn):
    message: str = Field(min_length=1, max_length=8000, examples=["How do I configure audio processing?"])
    replaces: UUID | None = Field(
        None, description="An earlier question that this one is asked instead of; the conversation goes on from there."
    )


class SourceOut(BaseModel):
    number: int = Field(description="The marker in the answer's text: 1 for [1].")
    doc_id: UUID
    title: str
    excerpt: str = Field(description="The quoted words, exactly as they stand in the document.")
    chunk_id: UUID
    file_name: str
    external_id: str | None
    page: int | None
    heading_path: list[str]
    language: str
    start: int = Field(description="Where the excerpt begins in the chunk, in characters.")
    end: int
    document_start: int | None = Field(description="Where it begins in the whole document; `…/pages/{page}/` shows it.")
    images: list[UUID] = Field(description="Pictures that stand with the passage: `…/documents/{id}/images/{image}/`.")
    similarity_score: float
    deleted: bool = Field(False, description="The document was deleted or replaced since; its text is not shown.")

    @classmethod
    def of(cls, citation: Citation) -> SourceOut:
        return cls(
            number=citation.number,
            doc_id=citation.document_id,
            title=citation.title,
            excerpt=citation.quote,
            chunk_id=citation.chunk_id,
            file_name=citation.file_name,
            external_id=citation.external_id,
            page=citation.page,
            heading_path=list(citation.heading_path),
            language=citation.language,
            start=citation.start,
            end=citation.end,
            document_start=citation.document_start,
            images=list(citation.images),
            similarity_score=citation.similarity_score,
        )

    @classmethod
    def of_reference(cls, reference: Mapping[str, Any], chunks: Mapping[UUID, ChunkInDocument]) -> SourceOut:
        """A stored citation, with the text as it stands now, or without any when it is gone."""
        found = chunks.get(UUID(reference["chunk_id"]))
        start, end = reference["start"], reference["end"]
        return cls(
            number=reference["number"],
            doc_id=UUID(reference["document_id"]),
            title=found.title if found else "",
            excerpt=found.chunk.text[start:end] if found else "",
            chunk_id=UUID(reference["chunk_id"]),
            file_name=found.file_name if found else "",
            external_id=found.external_id if found else None,
            page=found.chunk.page if found else None,
            heading_path=list(found.chunk.heading_path) if found else [],
            language=found.chunk.language if found else "und",
            start=start,
            end=end,
            document_start=found.chunk.offset_in_document(start) if found else None,
            images=list(found.chunk.image_ids) if found else [],
            similarity_score=reference["similarity_score"],
            deleted=found is None,
        )


class GivenFeedbackOut(BaseModel):
    rating: str = Field(description="`up` or `down`.")
    reason: str | None
    comment: str
    correction: str
    updated_at: datetime

    @classmethod
    def of(cls, feedback: GivenFeedback) -> GivenFeedbackOut:
        return cls(**{name: getattr(feedback, name) for name in cls.model_fields})


class MessageOut(BaseModel):
    id: UUID
    session_id: UUID
    parent_id: UUID | None
    role: str
    state: str
    content: str
    language: str | None
    sources: list[SourceOut]
    tokens_used: int
    response_time: float | None = Field(description="Seconds.")
    created_at: datetime
    alternatives: list[UUID] = Field(
        default_factory=list, description="What was said in its place, itself among them; empty where there is nothing."
    )
    feedback: GivenFeedbackOut | None = Field(None, description="What the asker said of it.")

    @classmethod
    def of(
        cls,
        message: Message,
        sources: list[SourceOut],
        alternatives: Sequence[UUID] = (),
        feedback: GivenFeedback | None = None,
    ) -> MessageOut:
        return cls(
            id=message.id,
            session_id=message.session_id,
            parent_id=message.parent_id,
            role=message.role.value,
            state=message.state.value,
            content=message.content,
            language=message.language,
            sources=sources,
            tokens_used=message.tokens_used,
            response_time=None if message.response_time_ms is None else round(message.response_time_ms / 1000, 4),
            created_at=message.created_at,
            alternatives=list(alternatives),
            feedback=None if feedback is None else GivenFeedbackOut.of(feedback),
        )


class UsageOut(BaseModel):
    input_tokens: int
    output_tokens: int
    embedding_calls: int
    llm_calls: int
    cost_usd: float
    cached_calls: int = Field(0, description="Texts that were taken from an earlier call.")
    cached: str | None = Field(
        None,
        description="How the answer's text was found that was written before: `exact`, for the very same prompt, or "
        "`semantic`, for a question that asks the same.",
    )
    saved_usd: float = Field(0.0, description="What the model call cost that was not made again.")
    saved_seconds: float = Field(0.0, description="How long that call took.")


class NearestDocument(BaseModel):
    doc_id: UUID
    title: str
    similarity_score: float


class AnswerFacts(BaseModel):
    """What every answer carries beside its text."""

    answered: bool = Field(description="False when the documents do not answer the question.")
    confidence: float | None = Field(description="0 to 1: how likely the sources answer the question.")
    quality: float | None = Field(
        None,
        description='0 to 1: support by the sources, how much of it is cited, and confidence in one number; of "I don\'t know" '
        "how sure it is. None where nothing was checked.",
    )
    usage: UsageOut
    timings: dict[str, float] = Field(description="Milliseconds by stage, and in total.")
    grounding: dict[str, Any] = Field(
        description="How the text is supported by the sources: `method`, `score` from 0 to 1, and of each of its `sentences` "
        "where it stands, whether it is `grounded`, in which `spans` of which sources, and else the `reason`."
    )
    nearest_documents: list[NearestDocument] = Field(
        default_factory=list, description='What "I don\'t know" offers instead; these say nothing of the answer.'
    )
    degraded: list[str] = Field(description="What was skipped or replaced; empty when all went as planned.")
    model: str

    @classmethod
    def facts_of(cls, turn: Turn | TurnFacts) -> dict[str, Any]:
        return {
            "answered": turn.answered,
            "confidence": turn.confidence,
            "quality": turn.grounding.get("quality"),
            "usage": UsageOut(**turn.usage),
            "timings": dict(turn.timings),
            "grounding": {name: value for name, value in turn.grounding.items() if name != "nearest_documents"},
            "nearest_documents": turn.grounding.get("nearest_documents", []),
            "degraded": list(turn.degraded),
            "model": turn.provider_model,
        }


class StoredMessageOut(MessageOut):
    facts: AnswerFacts | None = Field(
        None, description="Of an answer: what the end of its stream said; None for questions and for what people wrote."
    )

    @classmethod
    def of_stored(cls, message: MessageOut, turn: TurnFacts | None) -> StoredMessageOut:
        facts = None if turn is None else AnswerFacts(**AnswerFacts.facts_of(turn))
        return cls(**message.model_dump(), facts=facts)


class MessageList(BaseModel):
    messages: list[StoredMessageOut]
    total: int
    limit: int
    offset: int


class AnswerOut(MessageOut, AnswerFacts):
    @classmethod
    def of_complete(cls, complete: Complete, *, include_sources: bool) -> AnswerOut:
        sources = [SourceOut.of(citation) for citation in complete.citations] if include_sources else []
        message = MessageOut.of(complete.message, sources)
        return cls(**message.model_dump(), **AnswerFacts.facts_of(complete.turn))


class StatusEvent(BaseModel):
    type: Literal["status"] = "status"
    stage: str
    message_id: UUID = Field(description="Of the answer: for `…/messages/{message_id}/stream/` and `…/cancel/`.")


class TokenEvent(BaseModel):
    type: Literal["token"] = "token"
    content: str


class SourceEvent(SourceOut):
    type: Literal["source"] = "source"


class CompleteEvent(AnswerFacts):
    type: Literal["complete"] = "complete"
    message_id: UUID
    session_id: UUID
    state: str = Field(description="`complete`, or `interrupted`: it was stopped before its end.")
    tokens: int
    language: str

    @classmethod
    def of_complete(cls, complete: Complete) -> CompleteEvent:
        return cls.of_stored(complete.message, complete.turn)

    @classmethod
    def of_stored(cls, message: Message, turn: Turn) -> CompleteEvent:
        return cls(
            message_id=message.id,
            session_id=message.session_id,
            state=message.state.value,
            tokens=message.tokens_used,
            language=turn.language,
            **AnswerFacts.facts_of(turn),
        )


class ErrorEvent(BaseModel):
    type: Literal["error"] = "error"
    code: str
    detail: str


class CancelOut(BaseModel):
    message_id: UUID
    state: str = Field(description="`interrupted`: it was stopped; `complete`: it had ended before.")
