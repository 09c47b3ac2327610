"""Collects usage records and writes them in batches, so that no question waits for its bookkeeping; sums them up.

What a crash may lose: the records of the last second, of free calls only. Paid ones are settled as they end (`budgets`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError
from dragoman.kit.pagination import Page, PageRequest
from dragoman.metering import repository
from dragoman.metering.entities import UsageLine, UsageRecord

_log = structlog.get_logger(__name__)
FLUSH_INTERVAL_S = 1.0
_CAPACITY = 20_000

MODEL_CALLS = Counter("dragoman_model_calls_total", "Model calls.", ["purpose", "adapter", "outcome"])
MODEL_TOKENS = Counter("dragoman_model_tokens_total", "Tokens of model calls.", ["purpose", "direction"])
MODEL_COST = Counter("dragoman_model_cost_usd_total", "Cost of model calls in US dollars.", ["purpose"])
RECORDS_LOST = Counter(
    "dragoman_usage_records_lost_total", "Usage records dropped: the buffer was full or the tenant gone."
)


class UsageBuffer:
    """A bounded buffer of usage records with a background task that flushes it every second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records: deque[UsageRecord] = deque()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._flush_forever(), name="usage-buffer")

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
        if len(self._records) >= _CAPACITY:
            RECORDS_LOST.inc()
            return
        self._records.append(record)

    async def flush(self) -> None:
        """Write what is there. Records stay in the buffer while the database is away."""
        batch = [self._records.popleft() for _ in range(len(self._records))]
        by_tenant: dict[UUID, list[UsageRecord]] = defaultdict(list)
        for record in batch:
            by_tenant[record.tenant_id].append(record)
        for tenant_id, records in by_tenant.items():
            try:
                async with self._database.transaction(tenant_id) as connection:
                    await repository.insert_records(connection, records)
            except DragomanError as error:
                _log.warning("metering.flush_postponed", records=len(records), reason=str(error))
                self._records.extendleft(reversed(records))
            except SQLAlchemyError as error:
                RECORDS_LOST.inc(len(records))
                _log.error("metering.records_lost", records=len(records), reason=str(error))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_INTERVAL_S)
            await self.flush()


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
