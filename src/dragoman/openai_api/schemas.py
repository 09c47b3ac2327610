"""Requests and answers of the OpenAI API, as far as a chatbot has them; and what Dragoman adds under `dragoman`.

Fields and their meaning: https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from dragoman.chat.entities import Complete
from dragoman.chat.schemas import AnswerFacts, SourceOut
from dragoman.tenancy.http import RequestBody

_MOST_MESSAGES = 2000
_MOST_CHARACTERS = 100_000  # of one message


class ContentPart(BaseModel):
    model_config = ConfigDict(extra="allow")

    type: str
    text: str | None = Field(None, max_length=_MOST_CHARACTERS)


class ChatMessageIn(BaseModel):
    """A message. What chatbots have no use for (`name`, `tool_calls`, …) may be there."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = Field(None, union_mode="left_to_right")


class StreamOptions(BaseModel):
    include_usage: bool | None = False


class DragomanOptions(RequestBody):
    """What Dragoman can do beside OpenAI's parameters."""

    session_id: UUID | None = Field(
        None, description="Ask in this session, after its latest message; earlier `messages` are not read then."
    )
    language: str | None = Field(
        None, min_length=2, max_length=8, description="Taken where the question's own cannot be told."
    )
    document_ids: list[UUID] | None = Field(None, max_length=500, description="Answer from these documents only.")
    include_sources: bool = True


class ChatCompletionIn(RequestBody):
    """Parameters that are not listed are taken and have no effect; the answer names them in `dragoman.ignored`."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(
        min_length=1, max_length=200, description="`dragoman` for your default chatbot, or an id of `GET /v1/models`."
    )
    messages: list[ChatMessageIn] = Field(
        min_length=1,
        max_length=_MOST_MESSAGES,
        description="The last one is the question; those of `user` and `assistant` before it are its conversation.",
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = Field(
        None, max_length=200, description="Your own name for the asker, for keys that may act for users."
    )
    safety_identifier: str | None = Field(None, max_length=200, description="As `user`, which it replaces at OpenAI.")
    n: int | None = Field(None, description="1 or nothing.")
    tools: list[Any] | None = Field(None, description="Not supported.")
    functions: list[Any] | None = Field(None, description="Not supported.")
    response_format: dict[str, Any] | None = Field(None, description='`{"type": "text"}` or nothing.')
    logprobs: bool | None = Field(None, description="Not supported.")
    modalities: list[str] | None = Field(None, description='`["text"]` or nothing.')
    audio: dict[str, Any] | None = Field(None, description="Not supported.")
    dragoman: DragomanOptions = Field(default_factory=DragomanOptions)


class DragomanFacts(AnswerFacts):
    """What OpenAI's answer has no place for."""

    chatbot_id: UUID
    session_id: UUID = Field(description="The conversation as it is kept: `GET /api/chatbot/sessions/{id}/`.")
    message_id: UUID
    language: str
    sources: list[SourceOut]
    ignored: list[str] = Field(description="Parameters of the request that have no effect here.")

    @classmethod
    def of(cls, complete: Complete, *, include_sources: bool, ignored: list[str]) -> DragomanFacts:
        return cls(
            chatbot_id=complete.turn.chatbot_id,
            session_id=complete.turn.session_id,
            message_id=complete.message.id,
            language=complete.turn.language,
            sources=[SourceOut.of(citation) for citation in complete.citations] if include_sources else [],
            ignored=ignored,
            **AnswerFacts.facts_of(complete.turn),
        )


class CompletionUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, facts: DragomanFacts) -> CompletionUsage:
        given, written = facts.usage.input_tokens, facts.usage.output_tokens
        return cls(prompt_tokens=given, completion_tokens=written, total_tokens=given + written)


class AssistantMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    index: int = 0
    message: AssistantMessage
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class ChatCompletion(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(description="Seconds since 1970.")
    model: str
    choices: list[Choice]
    usage: CompletionUsage
    dragoman: DragomanFacts


class EmbeddingsIn(RequestBody):
    """Parameters that are not listed are taken and have no effect."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(
        min_length=1,
        max_length=200,
        description="An embedding model of `GET /v1/models`, or a chatbot for the one it uses.",
    )
    input: str | list[str] | list[int] | list[list[int]] = Field(
        description="A text or up to 2,048 of them. Numbers of tokens are not supported."
    )
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = Field(None, description="That of the model or nothing.")
    user: str | None = Field(None, max_length=200)
    input_type: Literal["query", "passage"] | None = Field(
        None, description="What the texts are, for models that tell questions from texts; `passage` without it."
    )


class EmbeddingOut(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Numbers, or 32-bit floats (little endian) as base64.")


class EmbeddingUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: EmbeddingUsage


class ModelFacts(BaseModel):
    kind: Literal["chatbot", "embedding"]
    name: str
    description: str = ""
    chatbot_id: UUID | None = None
    dimensions: int | None = None
    max_tokens: int | None = None


class ModelOut(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Seconds since 1970.")
    owned_by: str = "dragoman"
    dragoman: ModelFacts


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelOut]


class ErrorDetails(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiError(BaseModel):
    error: ErrorDetails
