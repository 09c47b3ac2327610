"""Search as the HTTP API shows it (seed C's request and response fields).

The models of answers are what the documentation shows; the answers themselves are written from plain dicts of the same
fields (`…_json`), since making and checking ten models costs more than finding their passages in a small chatbot. A test
holds both to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, SkipValidation, ValidationError, model_validator
from pydantic_core import to_json

from dragoman.kit.errors import DragomanError, InvalidRequestError
from dragoman.retrieval.entities import Candidate, Mode, Passage
from dragoman.search.across import AcrossResult
from dragoman.search.entities import Origin, Rating
from dragoman.search.filters import parse_filter
from dragoman.search.service import MAX_OFFSET, SearchRequest, SearchResult
from dragoman.tenancy.http import RequestBody
from dragoman.understanding.history import Said

MAX_BATCH = 50
_FILTER_HELP = (
    'Which passages may be found: `language:de,fr category:"Price lists" -tags:internal date>=2025-01-01`, or the same '
    "as an object. Fields: language, document, content_type, category, tags, date, heading."
)
_FILTER_EXAMPLES: list[Any] = ["language:de -tags:internal", {"language": ["de"], "not": {"tags": "internal"}}]


class SaidIn(RequestBody):
    role: Literal["user", "assistant"]
    content: str = Field(max_length=8000)


class SearchIn(RequestBody):
    query: str = Field(min_length=1, max_length=8000, examples=["How do I reset my password?"])
    chatbot_id: UUID | None = Field(None, description="Without it the key's or the tenant's default chatbot.")
    user_id: str | None = Field(None, max_length=200, description="Your own name for the asker.")
    max_results: int = Field(10, ge=1, le=100)
    offset: int = Field(
        0, ge=0, le=MAX_OFFSET, description="Results to skip. A search considers the 50 best of each arm."
    )
    similarity_threshold: float = Field(0.0, ge=0.0, le=1.0, description="Results below this score are left out.")
    mode: Mode | None = Field(None, description="hybrid, dense or keyword; without it the chatbot's setting.")
    language: str | None = Field(
        None, min_length=2, max_length=8, description="Of the query; found out when not given."
    )
    filter: str | dict[str, Any] | None = Field(None, description=_FILTER_HELP, examples=_FILTER_EXAMPLES)
    document_ids: list[UUID] | None = Field(None, max_length=500)
    languages: list[str] | None = Field(None, max_length=50, description="Only passages in these languages.")
    content_types: list[str] | None = Field(None, max_length=10)
    categories: list[str] | None = Field(None, max_length=50)
    history: list[SaidIn] | None = Field(
        None,
        max_length=50,
        description="What was said before the query, oldest first: follow-ups are understood by it.",
    )
    session_id: UUID | None = Field(
        None,
        description="The session that the query belongs to: its chatbot, documents and messages, in place of `history`.",
    )
    explain: bool = Field(False, description="Show why each result is where it is.")
    reranker: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Who judges the best again, in this search only, in place of the chatbot's setting: one of "
        "`GET /api/search/rerankers`. Needs the permission `explain`.",
        examples=["sentences"],
    )

    @model_validator(mode="after")
    def _has_one_context(self) -> Self:
        if self.history is not None and self.session_id is not None:
            raise ValueError("give either `history` or `session_id`")
        return self

    def request(self, origin: Origin = "search") -> SearchRequest:
        """Raises InvalidFilterError."""
        return SearchRequest(
            text=self.query,
            chatbot_id=self.chatbot_id,
            mode=self.mode,
            limit=self.max_results,
            offset=self.offset,
            threshold=self.similarity_threshold,
            language=self.language,
            document_ids=self.document_ids,
            languages=self.languages,
            content_types=self.content_types,
            categories=self.categories,
            filter=parse_filter(self.filter),
            history=[Said(role=said.role, text=said.content) for said in self.history or ()],
            session_id=self.session_id,
            explain=self.explain,
            reranker=self.reranker,
            origin=origin,
        )


class BatchIn(RequestBody):
    queries: list[SkipValidation[SearchIn]] = Field(
        min_length=1, max_length=MAX_BATCH, description="Each is checked and searched by itself."
    )

    def items(self) -> list[SearchIn | DragomanError]:
        """The queries; in place of one that does not fit, the error that says why."""
        return [_item(query) for query in self.queries]


def _item(given: object) -> SearchIn | DragomanError:
    try:
        return SearchIn.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "query"
        return InvalidRequestError(f"The query does not fit: {where}: {first['msg']}.")


class ResultIn(RequestBody):
    """One result of a search, by its rank or its chunk."""

    user_id: str | None = Field(None, max_length=200, description="The `user_id` that the search was made with.")
    rank: int | None = Field(None, ge=1)
    chunk_id: UUID | None = None


class ClickIn(ResultIn):
    @model_validator(mode="after")
    def _names_a_result(self) -> Self:
        if self.rank is None and self.chunk_id is None:
            raise ValueError("give `rank` or `chunk_id` of the result that was opened")
        return self


class RatingIn(ResultIn):
    """Without `rank` and `chunk_id` the search as a whole is rated."""

    rating: Rating


# ---- answers


class RerankerList(BaseModel):
    rerankers: list[str] = Field(description="Their names.", examples=[["none", "sentences"]])


class Part(BaseModel):
    chunk_id: UUID
    start: int
    end: int
    page: int | None
    similarity_score: float


class Duplicate(BaseModel):
    chunk_id: UUID
    document_id: UUID
    title: str


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
    parts: list[Part] = Field(description="The chunks that were merged into this result, in the order of the text.")
    duplicates: list[Duplicate] = Field(description="What was left out because it says the same.")
    signals: dict[str, float | None] | None = Field(None, description="With `explain`: scores and ranks of each arm.")


class Term(BaseModel):
    """A word of the query."""

    forms: list[str] = Field(description="What it is looked for as.")
    weight: float = Field(description="The rarer in this knowledge, the greater.")
    corrected_from: str = Field(
        "", description="The word as it was typed, where nothing holds it and the forms are spelled most like it."
    )


class Considered(BaseModel):
    """A chunk that the search considered."""

    chunk_id: UUID
    score: float = Field(description="Of the fusion; compares within this search.")
    similarity_score: float
    dense_rank: int | None = Field(description="By vectors; null where these say nothing of it.")
    keyword_rank: int | None = Field(description="By keywords; null where no word matches.")
    reranked: float | None = Field(description="What the re-ranker said; null where it was not asked.")
    shown: bool
    left_out: str | None = Field(
        description="Why it is not among these results: `threshold`, `near_duplicate`, `merged`, `deleted`, or "
        "`other_page`."
    )
    because_of: UUID | None = Field(description="The result that it is a duplicate of, or was merged with.")


class AlsoAsked(BaseModel):
    """The query in other words."""

    query: str
    weight: float = Field(description="Its share of the search, 0 to 1.")


class Explanation(BaseModel):
    searched_query: str = Field(description="The query as it was searched, with what the conversation adds.")
    translated_to: str | None = Field(
        None, description="The language that it was translated to, by the policy of the chatbot; null where it was not."
    )
    rewritten_by: str = Field(description="Who completed it from the conversation: none, history or model.")
    rewritten_because: str = Field(description="By which sign it was taken for a follow-up.")
    also_asked: list[AlsoAsked]
    synonyms: dict[str, list[str]] = Field(description="Other names that this knowledge tells, by words of the query.")
    unrelated: float = Field(description="What an unrelated chunk scores for this query.")
    terms: list[Term]
    considered: list[Considered] = Field(description="Everything that was considered, in rank order.")


class _Found(BaseModel):
    search_id: UUID | None = Field(description="For clicks and ratings; null where the chatbot keeps no query log.")
    query: str
    chatbot_id: UUID
    language: str
    mode: Mode
    results: list[SearchHit]
    total_results: int = Field(description="Results on all pages together, of those that were considered.")
    knowledge_revision: int = Field(description="Pages with the same number are cut from the same knowledge.")
    search_time_ms: float
    timings_ms: dict[str, float]
    cached: bool = Field(description="The same was searched lately, and nothing has changed since.")
    degraded: list[str] = Field(description="What was skipped or replaced, e.g. `keyword_only`.")
    explanation: Explanation | None = Field(None, description="With `explain`.")


class SearchOut(_Found):
    offset: int


class HybridOut(_Found):
    arrangement: str
    groups: dict[str, list[int]] = Field(description="The ranks of the results of each content type.")


class BatchError(BaseModel):
    code: str
    status: int
    detail: str


class BatchItem(BaseModel):
    index: int
    result: SearchOut | None
    error: BatchError | None


class BatchOut(BaseModel):
    results: list[BatchItem] = Field(description="In the order of the queries.")
    failed: int


def search_json(body: SearchIn, result: SearchResult) -> bytes:
    return to_json(_search(body, result))


def hybrid_json(body: SearchIn, across: AcrossResult, arrangement: str) -> bytes:
    found = _found(body, across.result)
    groups = {name: [passage.rank for passage in passages] for name, passages in across.groups.items()}
    return to_json({**found, "arrangement": arrangement, "groups": groups})


def batch_json(items: Sequence[SearchIn | DragomanError], results: Sequence[SearchResult | DragomanError]) -> bytes:
    entries = [_entry(index, *pair) for index, pair in enumerate(zip(items, results, strict=True))]
    return to_json({"results": entries, "failed": sum(entry["error"] is not None for entry in entries)})


def _entry(index: int, body: SearchIn | DragomanError, result: SearchResult | DragomanError) -> dict[str, Any]:
    if isinstance(body, DragomanError) or isinstance(result, DragomanError):
        error = body if isinstance(body, DragomanError) else result
        assert isinstance(error, DragomanError)
        problem = {"code": error.code, "status": error.status, "detail": error.message}
        return {"index": index, "result": None, "error": problem}
    return {"index": index, "result": _search(body, result), "error": None}


def _search(body: SearchIn, result: SearchResult) -> dict[str, Any]:
    return {**_found(body, result), "offset": body.offset}


def _found(body: SearchIn, result: SearchResult) -> dict[str, Any]:
    explain = body.explain
    return {
        "search_id": result.search_id,
        "query": body.query,
        "chatbot_id": result.chatbot.id,
        "language": result.language,
        "mode": result.mode,
        "results": [_hit(passage, explain=explain) for passage in result.found.passages],
        "total_results": result.found.considered,
        "knowledge_revision": result.chatbot.knowledge_revision,
        "search_time_ms": result.timings_ms["total"],
        "timings_ms": result.timings_ms,
        "cached": result.is_cached,
        "degraded": result.degraded,
        "explanation": _explanation(result) if explain else None,
    }


def _hit(passage: Passage, *, explain: bool) -> dict[str, Any]:
    found, chunk = passage.found, passage.found.chunk
    hit = {
        "content": chunk.text,
        "similarity_score": round(passage.similarity_score, 4),
        "rank": passage.rank,
        "chunk_id": chunk.id,
        "document_id": chunk.document_id,
        "title": found.title,
        "file_name": found.file_name,
        "content_type": found.content_type,
        "category": found.category,
        "language": chunk.language,
        "page": chunk.page,
        "heading_path": chunk.heading_path,
        "start": chunk.start_offset,
        "end": chunk.end_offset,
        "images": chunk.image_ids,
        "provenance": chunk.provenance,
        "external_id": found.external_id,
        "parts": (),
        "duplicates": [
            {"chunk_id": twin.chunk.id, "document_id": twin.chunk.document_id, "title": twin.title}
            for twin in passage.duplicates
        ],
        "signals": {**passage.signals, "score": passage.score} if explain else None,
    }
    return {**hit, **_merged(passage)} if passage.neighbours else hit


def _merged(passage: Passage) -> dict[str, Any]:
    """What the chunks of a merged passage are together, in the order of the text."""
    parts = sorted(passage.apart, key=lambda part: part.found.chunk.ordinal)
    chunks = [part.found.chunk for part in parts]
    return {
        "content": "\n\n".join(chunk.text for chunk in chunks),
        "page": chunks[0].page,
        "start": chunks[0].start_offset,
        "end": chunks[-1].end_offset,
        "images": list(dict.fromkeys(image for chunk in chunks for image in chunk.image_ids)),
        "parts": [
            {
                "chunk_id": chunk.id,
                "start": chunk.start_offset,
                "end": chunk.end_offset,
                "page": chunk.page,
                "similarity_score": round(part.similarity_score, 4),
            }
            for part, chunk in zip(parts, chunks, strict=True)
        ],
    }


def _explanation(result: SearchResult) -> dict[str, Any]:
    prepared, found = result.prepared, result.found
    shown = {passage.chunk_id for passage in found.passages}
    return {
        "searched_query": prepared.completed or prepared.searched,
        "translated_to": prepared.translated.language if prepared.translated else None,
        "rewritten_by": prepared.rewritten.method,
        "rewritten_because": prepared.rewritten.reason,
        "also_asked": [{"query": also.text, "weight": also.weight} for also in prepared.also_ask],
        "synonyms": prepared.synonyms,
        "unrelated": found.unrelated,
        "terms": [
            {"forms": term.alternatives, "weight": term.weight, "corrected_from": term.corrected_from}
            for term in found.terms
        ],
        "considered": [_considered(candidate, candidate.chunk_id in shown) for candidate in found.candidates],
    }


def _considered(candidate: Candidate, shown: bool) -> dict[str, Any]:
    return {
        "chunk_id": candidate.chunk_id,
        "score": candidate.score,
        "similarity_score": candidate.similarity_score,
        "dense_rank": candidate.dense_rank,
        "keyword_rank": candidate.keyword_rank,
        "reranked": candidate.reranked,
        "shown": shown,
        "left_out": None if shown else candidate.removed or "other_page",
        "because_of": candidate.because_of,
    }
