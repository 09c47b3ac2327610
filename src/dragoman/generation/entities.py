"""An answer in the making, its citations and its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from dragoman.generation.screening import Screening
from dragoman.inference.ladder import Reused
from dragoman.inference.service import CallContext
from dragoman.retrieval.entities import Found
from dragoman.tenancy.settings import ChatbotSettings
from dragoman.understanding.translation import TextTranslator


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A place in a stored chunk that supports the answer.

    Attributes:
        number: the marker in the answer's text, `[1]`.
        start, end: the quote's place in the chunk's text; `quote == chunk.text[start:end]`, checked before it is sent.
        document_start: the quote's place in the whole text of the document, so that the page can show it.
        images: pictures of the document that stand with the passage.
    """

    number: int
    chunk_id: UUID
    document_id: UUID
    title: str
    file_name: str
    external_id: str | None
    page: int | None
    heading_path: tuple[str, ...]
    language: str
    quote: str
    start: int
    end: int
    similarity_score: float
    document_start: int
    images: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the answer took. `cost_usd` by the price list of the installation; `cached_calls` were made for an earlier one.

    Attributes:
        cached: how the text was found that an earlier answer had: `exact` or `semantic`; None: it was written now.
        saved_usd, saved_seconds: what the call took that was not made again.
        remembered_as: names the model's text in the answer cache, so that a rating can have it written anew.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    embedding_calls: int = 0
    llm_calls: int = 0
    cost_usd: float = 0.0
    cached_calls: int = 0
    cached: str | None = None
    saved_usd: float = 0.0
    saved_seconds: float = 0.0
    remembered_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTemplate:
    """A system message of a chatbot's owner, in Jinja (`templates`). Versions count from 1 and never change."""

    chatbot_id: UUID
    version: int
    text: str
    note: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMarks:
    """Words that nobody else can know, one set for each chatbot: the same prompt stays the same prompt.

    Attributes:
        boundary: stands in the marks around sources and question, so that no text can end them.
        canary: stands in the instructions; an answer that holds it reveals them. Empty: there is none.
    """

    boundary: str = "0"
    canary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What an answer is written from.

    Attributes:
        question, language: as it was searched: in the language of the knowledge where the chatbot translates questions.
        asked_in: the asker's language, which the answer is given in.
        translator: None where there is none; then a quote in another language is labelled with it.
        history: the messages before the question as (role, text), oldest first.
        system_message: what the language model is told before sources and question.
        template_version: of the chatbot's own template that says so; None for the built-in one.
        is_fresh: what was written before is not wanted again.
        standalone: the question as it can be understood without its conversation; None where that is not known.
        knowledge_revision: of the chatbot, read in this request.
        marks: what sets sources and question apart in the prompt.
        screening: whether the question speaks to the model, and what follows.
    """

    question: str
    language: str
    asked_in: str
    translator: TextTranslator | None = None
    found: Found
    settings: ChatbotSettings
    answerer: str
    context: CallContext
    history: Sequence[tuple[str, str]] = ()
    system_message: str = ""
    template_version: int | None = None
    is_fresh: bool = False
    standalone: str | None = None
    knowledge_revision: int = 0
    marks: PromptMarks = field(default_factory=PromptMarks)
    screening: Screening = field(default_factory=Screening)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The next words of the answer; `is_quoted`: of the sources, so that they may be in another language than it."""

    text: str
    is_quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The finished answer.

    Attributes:
        answered: False for "I don't know".
        confidence: 0 to 1, how likely the sources answer the question.
        grounding: how the text is supported: `method`, `score` 0 to 1.
        rendered_prompt: the messages given to the model, with passages as references.
        reused: the model wrote it for an earlier question; None: for this one, or nobody wrote it.
        remembered_as: names the model's text in the answer cache; empty where it is not kept there.
    """

    text: str
    citations: Sequence[Citation]
    answered: bool
    confidence: float
    provider_model: str
    grounding: Mapping[str, Any]
    prompt_version: str | None = None
    rendered_prompt: Sequence[Mapping[str, Any]] | None = None
    degraded: tuple[str, ...] = field(default_factory=tuple)
    reused: Reused | None = None
    remembered_as: str = ""
