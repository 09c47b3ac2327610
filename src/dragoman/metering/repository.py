"""SQL of usage records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.metering.entities import UsageRecord
from dragoman.metering.tables import usage_records


async def insert_records(connection: AsyncConnection, records: Sequence[UsageRecord]) -> None:
    await connection.execute(insert(usage_records), [asdict(record) for record in records])
