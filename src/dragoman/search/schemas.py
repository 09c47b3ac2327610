"""Search as the HTTP API shows it (seed C's request and response fields)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.retrieval.entities import Mode, Passage
from dragoman.search.service import SearchResult
from dragoman.tenancy.http import RequestBody


class SearchIn(RequestBody):
    query: str = Field(min_length=1, max_length=8000, examples=["How do I reset my password?"])
    chatbot_id: UUID | None = Field(None, description="Without it the key's or the tenant's default chatbot.")
    user_id: str | None = Field(None, max_length=200, description="Your own name for the asker.")
    max_results: int = Field(10, ge=1, le=100)
    similarity_threshold: float = Field(0.0, ge=0.0, le=1.0, description="Results below this score are left out.")
    mode: Mode | None = Field(None, description="hybrid, dense or keyword; without it the chatbot's setting.")
    language: str | None = Field(
        None, min_length=2, max_length=8, description="Of the query; found out when not given."
    )
    document_ids: list[UUID] | None = Field(None, max_length=500)
    languages: list[str] | None = Field(None, max_length=50, description="Only passages in these languages.")
    content_types: list[str] | None = Field(None, max_length=10)
    categories: list[str] | None = Field(None, max_length=50)
    explain: bool = Field(False, description="Show the raw scores of each arm.")


class SearchHit(BaseModel):
    content: str
    similarity_score: float = Field(description="0 to 1; the same meaning for every embedding model.")
    rank: int
    chunk_id: UUID
    document_id: UUID
    title: str
    file_name: str
    content_type: str
    category: str
    language: str
    page: int | None
    heading_path: list[str]
    start: int = Field(description="Where the passage begins in the whole text of the document, in characters.")
    end: int
    images: list[UUID] = Field(description="Pictures that stand with the passage: `…/documents/{id}/images/{image}/`.")
    provenance: dict[str, Any] = Field(description="Where a question-answer pair of a conversation comes from.")
    external_id: str | None
    signals: dict[str, float | None] | None = Field(None, description="With `explain`: raw scores of each arm.")

    @classmethod
    def of(cls, passage: Passage, *, explain: bool) -> SearchHit:
        found, chunk = passage.found, passage.found.chunk
        return cls(
            content=chunk.text,
            similarity_score=round(passage.similarity_score, 4),
            rank=passage.rank,
            chunk_id=chunk.id,
            document_id=chunk.document_id,
            title=found.title,
            file_name=found.file_name,
            content_type=found.content_type,
            category=found.category,
            language=chunk.language,
            page=chunk.page,
            heading_path=list(chunk.heading_path),
            start=chunk.start_offset,
            end=chunk.end_offset,
            images=list(chunk.image_ids),
            provenance=chunk.provenance,
            external_id=found.external_id,
            signals={**passage.signals, "score": passage.score} if explain else None,
        )


class SearchOut(BaseModel):
    query: str
    chatbot_id: UUID
    language: str
    mode: Mode
    results: list[SearchHit]
    total_results: int
    search_time_ms: float
    timings_ms: dict[str, float]
    degraded: list[str] = Field(description="What was skipped or replaced, e.g. `keyword_only`.")

    @classmethod
    def of(cls, body: SearchIn, result: SearchResult) -> SearchOut:
        hits = [SearchHit.of(passage, explain=body.explain) for passage in result.found.passages]
        values: dict[str, Any] = {
            "query": body.query,
            "chatbot_id": result.chatbot.id,
            "language": result.language,
            "mode": result.mode,
            "results": hits,
            "total_results": len(hits),
            "search_time_ms": result.timings_ms["total"],
            "timings_ms": result.timings_ms,
            "degraded": list(result.found.degraded),
        }
        return cls(**values)
