"""A search within one chatbot, and the passages it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.kit.text.query_syntax import parse_query
from dragoman.knowledge.entities import ChunkInDocument
from dragoman.ports.embedder import Vectors
from dragoman.ports.keyword_index import KeywordTerm
from dragoman.ports.search_scope import SearchScope

Mode = Literal["hybrid", "dense", "keyword"]
Neighbours = Literal["apart", "merge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How what the arms found becomes a list of passages; `service.ranking_of` makes it from a chatbot's settings.

    Attributes:
        reranker: name of the adapter that judges the best again; `none` for nobody.
        rerank_depth: how many it judges; None for as many as it wants.
        neighbours: `merge` makes one passage of chunks that follow each other in a document.
        near_duplicates: whether a passage that says the same as a better one is shown too.
        diversity: 0 ranks by similarity alone; up to 1, passages unlike those above them come forward.
    """

    reranker: str = "none"
    rerank_depth: int | None = None
    neighbours: Neighbours = "apart"
    near_duplicates: bool = False
    diversity: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to find.

    Attributes:
        language: of the question, ISO 639-1 or `und`.
        knowledge_revision: of the chatbot, read in this request.
        limit: passages wanted at most.
        offset: passages to leave out first: those of the pages before.
        threshold: passages with a lower `similarity_score` are left out.
        also_ask: the question in other words, with the share (0 to 1, less than 1 together) of each: the question's vector
            moves towards theirs. Keywords are those of `text`.
        synonyms: other names of what the question names, for the keyword arm.
        completed: the question with what its conversation adds, as re-rankers read it; "" where that is nothing.
        is_told: whether `signals` and what becomes of every candidate are wanted, for an explanation or the turn record.
        operators: `"a phrase"`, `prefix*`, `+required` and `-forbidden` in `text` mean what they do in a search box.
    """

    text: str
    language: str
    scope: SearchScope
    embedding_version: EmbeddingVersion
    knowledge_revision: int
    mode: Mode = "hybrid"
    limit: int = 10
    offset: int = 0
    threshold: float = 0.0
    also_ask: Mapping[str, float] = field(default_factory=dict)
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    completed: str = ""
    is_told: bool = True
    operators: bool = False
    ranking: Ranking = field(default_factory=Ranking)

    @property
    def words(self) -> str:
        """What is asked, without operators."""
        return parse_query(self.text).words if self.uses_operators else self.text

    @property
    def uses_operators(self) -> bool:
        """Whether operators count in this text: not the quotation marks of a question, `an ("emergency") account`.

        Where vectors are searched too, a phrase with other words beside it is such a question.
        """
        if not self.operators:
            return False
        parsed = parse_query(self.text)
        is_exact = parsed.required or parsed.forbidden or parsed.forbidden_phrases or parsed.prefixes
        return self.mode == "keyword" or bool(is_exact) or parsed.words == " ".join(parsed.phrases)

    @property
    def must_hold(self) -> bool:
        """Whether the text says what a passage must hold or must not."""
        return self.mode != "dense" and self.uses_operators and parse_query(self.text).has_conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A chunk found by a search.

    Attributes:
        similarity_score: calibrated to 0..1, the same meaning for every embedding version and every re-ranker.
        score: of the fusion.
        semantic: the vectors' evidence alone; None when only keywords were searched.
        signals: the raw evidence where the query wants it told, for `explain` and the turn record: `dense`, `sentence`, `keyword`, `matched_weight`;
            `dense_rank` and `keyword_rank` among all that the arms brought; `fused`, the similarity before, and
            `reranked`, that after re-ranking.
        duplicates: passages left out because they say the same.
        neighbours: passages merged with this one, in the order of the text, each as it was found. Citations name the
            chunk that a quote stands in, so that each can be verified; `apart` lists them.
    """

    rank: int
    similarity_score: float
    score: float
    semantic: float | None
    signals: Mapping[str, float | None]
    found: ChunkInDocument
    duplicates: Sequence[ChunkInDocument] = ()
    neighbours: Sequence[Passage] = ()

    @property
    def chunk_id(self) -> UUID:
        return self.found.chunk.id

    @property
    def apart(self) -> list[Passage]:
        """This passage as it was before merging: one for each chunk, the best first."""
        return [self, *sorted(self.neighbours, key=lambda other: -other.similarity_score)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Any chunk that a search considered, shown or not; kept in the turn record.

    Attributes:
        score: of the fusion.
        similarity_score: as of a passage.
        dense_rank, keyword_rank: from 1, among all that the arms brought; None where the arm has nothing to say of it.
        reranked: what the re-ranker said; None where it was not asked.
        removed: why it is not among the passages: `threshold`, `near_duplicate`, `merged`, `deleted`; None for the others.
        because_of: the passage that it is a duplicate of, or was merged with.
    """

    chunk_id: UUID
    score: float
    similarity_score: float = 0.0
    dense_rank: int | None = None
    keyword_rank: int | None = None
    reranked: float | None = None
    removed: str | None = None
    because_of: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found, with what the next steps need of it.

    Attributes:
        question_vector: shape `(dimensions,)`; None when the embedder was away or keywords alone were asked for.
        terms: the question's terms with their weights in this knowledge.
        unrelated: what an unrelated chunk scores for this question: how far the best stand out tells whether they answer.
        candidates: all that were considered, in rank order, where the query wants them told.
        considered: how many passages there are on all pages together, as far as it is known: those that a later page
            would leave out as duplicates are counted.
        degraded: what was skipped or replaced: `keyword_only`, `reranker_skipped`.
        timings_ms: of the steps `embed`, `arms`, `rerank`, `load`; those that were taken.
    """

    passages: Sequence[Passage]
    question_vector: Vectors | None
    terms: Sequence[KeywordTerm] = ()
    unrelated: float = 0.0
    candidates: Sequence[Candidate] = ()
    considered: int = 0
    degraded: tuple[str, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
