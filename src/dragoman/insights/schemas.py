"""Analytics as the HTTP API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.insights import sketch
from dragoman.insights.entities import Bar, Counts, Dimension, Report
from dragoman.insights.service import total_latency_ms

_RATE = "0 to 1; null where there was nothing to have a share of."


class QuantilesOut(BaseModel):
    """In milliseconds, at most 2.5 % off: they come from a sketch with fixed buckets."""

    p50: float
    p95: float
    p99: float


class CountsOut(BaseModel):
    questions: int
    answered: int
    refused: int = Field(description='Answers that say "I don\'t know".')
    interrupted: int
    answer_rate: float | None = Field(description=f"Share of the questions that were answered, {_RATE}")
    refusal_rate: float | None = Field(description=f"Share of the questions that were refused, {_RATE}")
    degraded: int = Field(description="Answers that missed something: see `degraded_rungs`.")
    cached_exact: int = Field(description="Answers that were remembered from the same question.")
    cached_similar: int = Field(description="Answers that were remembered from a similar question.")
    cache_hit_rate: float | None = Field(description=f"Share of the questions that got a remembered answer, {_RATE}")
    ratings_up: int
    ratings_down: int
    satisfaction: float | None = Field(description=f"Share of the ratings that are up, {_RATE}")
    input_tokens: int = Field(description="Of language models, for answers.")
    output_tokens: int
    answer_cost_usd: float
    saved_usd: float = Field(description="What remembered answers would have cost.")
    cost_usd: float = Field(description="Of all model calls, for answers and anything else.")
    model_calls: int
    failed_model_calls: int
    model_error_rate: float | None = Field(description=_RATE)
    searches: int
    zero_results: int
    low_confidence: int
    searches_cached: int
    searches_degraded: int
    documents_read: int = Field(description="Reading of documents that ended, well or not.")
    documents_failed: int
    jobs: int
    jobs_failed: int
    job_error_rate: float | None = Field(description=_RATE)

    @classmethod
    def values(cls, counts: Counts) -> dict[str, Any]:
        return {
            "questions": counts.turns,
            "answered": counts.answered,
            "refused": counts.refused,
            "interrupted": counts.interrupted,
            "answer_rate": _share(counts.answered, counts.turns),
            "refusal_rate": _share(counts.refused, counts.turns),
            "degraded": counts.degraded,
            "cached_exact": counts.cached_exact,
            "cached_similar": counts.cached_similar,
            "cache_hit_rate": _share(counts.cached_exact + counts.cached_similar, counts.turns),
            "ratings_up": counts.rated_up,
            "ratings_down": counts.rated_down,
            "satisfaction": _share(counts.rated_up, counts.rated_up + counts.rated_down),
            "input_tokens": counts.input_tokens,
            "output_tokens": counts.output_tokens,
            "answer_cost_usd": round(counts.answer_cost_usd, 6),
            "saved_usd": round(counts.saved_usd, 6),
            "cost_usd": round(counts.cost_usd, 6),
            "model_calls": counts.calls,
            "failed_model_calls": counts.failed_calls,
            "model_error_rate": _share(counts.failed_calls, counts.calls),
            "searches": counts.searches,
            "zero_results": counts.zero_results,
            "low_confidence": counts.low_confidence,
            "searches_cached": counts.searches_cached,
            "searches_degraded": counts.searches_degraded,
            "documents_read": counts.documents,
            "documents_failed": counts.failed_documents,
            "jobs": counts.jobs,
            "jobs_failed": counts.failed_jobs,
            "job_error_rate": _share(counts.failed_jobs, counts.jobs),
        }


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole > 0 else None


class TotalOut(CountsOut):
    latency_ms: dict[str, QuantilesOut] = Field(
        description="By stage. Of answers: `total`, `load`, `understand`, `retrieve`, `generate`. `search`: of "
        "searches. `wait` and `run`: of documents, until their reading began and until it ended."
    )

    @classmethod
    def of(cls, counts: Counts) -> TotalOut:
        stages = {} if counts.latencies is None else sketch.by_stage(counts.latencies)
        return cls(**CountsOut.values(counts), latency_ms={name: QuantilesOut(**each) for name, each in stages.items()})


class BarOut(CountsOut):
    starts_at: datetime = Field(description="Begin of the hour or day (UTC); spans without anything are left out.")
    latency_ms: QuantilesOut | None

    @classmethod
    def of(cls, bar: Bar) -> BarOut:
        return cls(**CountsOut.values(bar.counts), starts_at=bar.starts_at, latency_ms=_quantiles(bar.latency_ms))


def _quantiles(values: Mapping[str, float] | None) -> QuantilesOut | None:
    return None if values is None else QuantilesOut(**values)


class LanguageOut(BaseModel):
    language: str
    questions: int
    answered: int
    refused: int
    satisfaction: float | None
    latency_ms: QuantilesOut | None


class AnswererOut(BaseModel):
    answerer: str = Field(description="What wrote the answers: a model, or `extractive`.")
    questions: int
    answered: int
    cost_usd: float
    latency_ms: QuantilesOut | None


class ModelOut(BaseModel):
    model: str
    calls: int
    failed_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


class RungOut(BaseModel):
    rung: str = Field(description="What an answer missed: see `degraded` of an answer.")
    answers: int


class ErrorOut(BaseModel):
    code: str
    model_calls: int
    jobs: int
    documents: int = Field(description="That could not be read for this reason; among the jobs.")


class JobOut(BaseModel):
    kind: str
    ended: int
    failed: int


class IngestionStepOut(BaseModel):
    step: str = Field(description="`extracting`, `recognising`, `chunking`, `embedding` or `indexing`.")
    documents: int = Field(description="That were read, and went through it.")
    latency_ms: QuantilesOut | None = Field(
        description="How long a document was in it. Small documents that are read together are in a step together."
    )


class CitedDocumentOut(BaseModel):
    document_id: UUID
    title: str
    answers: int = Field(description="That cite it. Of each past day the 100 most cited documents are kept.")


class UnansweredOut(BaseModel):
    message_id: UUID = Field(description="The answer.")
    question: str | None = Field(description="As the chatbot's `query_log` allows: null, masked, or as it was asked.")
    language: str
    asked_at: datetime
    degraded: list[str]


class AnalyticsReportOut(BaseModel):
    chatbot_id: UUID
    first_day: date
    last_day: date
    language: str | None
    by: str
    total: TotalOut
    before: TotalOut = Field(description="As many days before.")
    bars: list[BarOut] = Field(description="By hour or day.")
    languages: list[LanguageOut]
    answerers: list[AnswererOut] = Field(description="Empty for one language, as what follows until `errors`.")
    models: list[ModelOut]
    degraded_rungs: list[RungOut]
    jobs: list[JobOut]
    ingestion_steps: list[IngestionStepOut] = Field(description="In the order in which a document goes through them.")
    errors: list[ErrorOut]
    top_documents: list[CitedDocumentOut] = Field(description="Of all languages; counted within seconds, not at once.")
    unanswered: list[UnansweredOut] = Field(description="The newest, empty where the chatbot keeps no query log.")
    query_log: str

    @classmethod
    def of(cls, report: Report) -> AnalyticsReportOut:
        parts = {dimension: report.parts.get(dimension, ()) for dimension in Dimension}
        return cls(
            chatbot_id=report.chatbot_id,
            first_day=report.period.first,
            last_day=report.period.last,
            language=report.period.language,
            by=report.by,
            total=TotalOut.of(report.total),
            before=TotalOut.of(report.before),
            bars=[BarOut.of(bar) for bar in report.bars],
            languages=[_language(*each) for each in parts[Dimension.LANGUAGE]],
            answerers=[_answerer(*each) for each in parts[Dimension.ANSWERER]],
            models=[_model(*each) for each in parts[Dimension.MODEL]],
            degraded_rungs=[RungOut(rung=rung, answers=counts.turns) for rung, counts in parts[Dimension.RUNG]],
            jobs=[
                JobOut(kind=kind, ended=counts.jobs, failed=counts.failed_jobs) for kind, counts in parts[Dimension.JOB]
            ],
            ingestion_steps=_steps(parts[Dimension.STEP]),
            errors=_errors(parts[Dimension.ERROR]),
            top_documents=[
                CitedDocumentOut(document_id=each.document_id, title=each.title, answers=each.cited)
                for each in report.documents
            ],
            unanswered=[
                UnansweredOut(
                    message_id=each.message_id,
                    question=each.question,
                    language=each.language,
                    asked_at=each.asked_at,
                    degraded=list(each.degraded),
                )
                for each in report.unanswered
            ],
            query_log=report.query_log,
        )


def _language(language: str, counts: Counts) -> LanguageOut:
    return LanguageOut(
        language=language,
        questions=counts.turns,
        answered=counts.answered,
        refused=counts.refused,
        satisfaction=_share(counts.rated_up, counts.rated_up + counts.rated_down),
        latency_ms=_quantiles(total_latency_ms(counts)),
    )


def _answerer(answerer: str, counts: Counts) -> AnswererOut:
    return AnswererOut(
        answerer=answerer,
        questions=counts.turns,
        answered=counts.answered,
        cost_usd=round(counts.answer_cost_usd, 6),
        latency_ms=_quantiles(total_latency_ms(counts)),
    )


def _model(model: str, counts: Counts) -> ModelOut:
    return ModelOut(
        model=model,
        calls=counts.calls,
        failed_calls=counts.failed_calls,
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        cost_usd=round(counts.cost_usd, 6),
    )


_STEPS = ("extracting", "recognising", "chunking", "embedding", "indexing")


def _steps(found: Sequence[tuple[str, Counts]]) -> list[IngestionStepOut]:
    order = {step: number for number, step in enumerate(_STEPS)}
    return [
        IngestionStepOut(step=step, documents=counts.documents, latency_ms=_quantiles(total_latency_ms(counts)))
        for step, counts in sorted(found, key=lambda each: (order.get(each[0], len(order)), each[0]))
    ]


def _errors(found: Sequence[tuple[str, Counts]]) -> list[ErrorOut]:
    return [
        ErrorOut(code=code, model_calls=counts.failed_calls, jobs=counts.failed_jobs, documents=counts.failed_documents)
        for code, counts in found
    ]
