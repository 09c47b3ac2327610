"""Collects usage records and writes them in batches, so that no question waits for its bookkeeping; sums them up.

What a crash may lose: the records of the last second, of free calls only. Paid ones are settled as they end (`budgets`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from uuid import UUID

from prometheus_client import Counter, Histogram

from dragoman.kit.buffer import Buffer
from dragoman.kit.database import Database
from dragoman.kit.pagination import Page, PageRequest
from dragoman.metering import repository
from dragoman.metering.entities import UsageLine, UsageRecord

_CAPACITY = 20_000

MODEL_CALLS = Counter("dragoman_model_calls_total", "Model calls.", ["purpose", "adapter", "outcome"])
MODEL_TOKENS = Counter("dragoman_model_tokens_total", "Tokens of model calls.", ["purpose", "direction"])
MODEL_COST = Counter("dragoman_model_cost_usd_total", "Cost of model calls in US dollars.", ["purpose", "adapter"])
MODEL_SECONDS = Histogram(
    "dragoman_model_call_seconds",
    "Duration of model calls until their last token.",
    ["purpose", "adapter"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)


class UsageBuffer:
    """A bounded buffer of usage records that is written every second, and in the end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._buffer: Buffer[UsageRecord] = Buffer(
            "usage", group_of=lambda record: record.tenant_id, write=self._write, capacity=_CAPACITY
        )

    def start(self) -> None:
        self._buffer.start()

    def add(self, record: UsageRecord) -> None:
        """Count the call at once and keep its record for the next flush; never blocks."""
        self.count(record)
        self.keep(record)

    def count(self, record: UsageRecord) -> None:
        """Add the call to the metrics."""
        metrics = _metrics_of(record.purpose, record.adapter)
        metrics.calls(record.error_code or "ok").inc()
        metrics.read.inc(record.input_tokens)
        metrics.written.inc(record.output_tokens)
        metrics.cost.inc(float(record.cost_usd))
        metrics.seconds.observe(record.latency_ms / 1000)

    def keep(self, record: UsageRecord) -> None:
        """Write the record down with the next flush."""
        self._buffer.add(record)

    async def flush(self) -> None:
        """Write what is there, and wait for what is being written. Records stay while the database is away."""
        await self._buffer.flush()

    async def close(self) -> None:
        await self._buffer.close()

    async def _write(self, records: Sequence[UsageRecord]) -> None:
        await self._database.write(records[0].tenant_id, repository.inserting_records(records))


@dataclass(frozen=True, slots=True)
class _Metrics:
    calls: Callable[[str], Counter]
    read: Counter
    written: Counter
    cost: Counter
    seconds: Histogram


@cache  # purposes are words of this program, adapters those of its settings; to look five metrics up takes 10 µs
def _metrics_of(purpose: str, adapter: str) -> _Metrics:
    return _Metrics(
        calls=cache(lambda outcome: MODEL_CALLS.labels(purpose, adapter, outcome)),
        read=MODEL_TOKENS.labels(purpose, "input"),
        written=MODEL_TOKENS.labels(purpose, "output"),
        cost=MODEL_COST.labels(purpose, adapter),
        seconds=MODEL_SECONDS.labels(purpose, adapter),
    )


async def read_usage(
    database: Database,
    tenant_id: UUID,
    *,
    chatbot_id: UUID | None,
    first_day: date,
    last_day: date,
    by: str,
    page: PageRequest,
) -> Page[UsageLine]:
    """Usage of days of UTC, both included, summed up `by` day, model, operation, kind, chatbot, user or session."""
    async with database.transaction(tenant_id) as connection:
        lines, total = await repository.sum_usage(
            connection,
            tenant_id=tenant_id,
            chatbot_id=chatbot_id,
            since=datetime.combine(first_day, time(), UTC),
            until=datetime.combine(last_day + timedelta(days=1), time(), UTC),
            by=by,
            limit=page.limit,
            offset=page.offset,
        )
    return Page(items=lines, total=total, limit=page.limit, offset=page.offset)
