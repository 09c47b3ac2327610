"""Collects usage records and writes them in batches, so that no question waits for its bookkeeping; sums them up.

What a crash may lose: the records of the last second, of free calls only. Paid ones are settled as they end (`budgets`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from prometheus_client import Counter

from dragoman.kit.buffer import Buffer
from dragoman.kit.database import Database
from dragoman.kit.pagination import Page, PageRequest
from dragoman.metering import repository
from dragoman.metering.entities import UsageLine, UsageRecord

_CAPACITY = 20_000

MODEL_CALLS = Counter("dragoman_model_calls_total", "Model calls.", ["purpose", "adapter", "outcome"])
MODEL_TOKENS = Counter("dragoman_model_tokens_total", "Tokens of model calls.", ["purpose", "direction"])
MODEL_COST = Counter("dragoman_model_cost_usd_total", "Cost of model calls in US dollars.", ["purpose"])


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
        MODEL_CALLS.labels(record.purpose, record.adapter, record.error_code or "ok").inc()
        MODEL_TOKENS.labels(record.purpose, "input").inc(record.input_tokens)
        MODEL_TOKENS.labels(record.purpose, "output").inc(record.output_tokens)
        MODEL_COST.labels(record.purpose).inc(float(record.cost_usd))

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
