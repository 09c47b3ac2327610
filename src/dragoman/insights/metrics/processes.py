"""Processes of the installation, on any machine: each tells Valkey of itself, and is forgotten when it falls silent.

`tell` (each process, every 15 s) -> a value that expires -> `list_processes`
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

import psutil
from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as InvalidValueError
from redis.exceptions import RedisError

from dragoman.kit.cache import Cache
from dragoman.kit.clock import now

_INTERVAL_S: Final = 15.0
_SILENT_AFTER_S: Final = 50
_PREFIX: Final = "dragoman:process:"


class ProcessReport(BaseModel):
    """A process as it told of itself last."""

    model_config = ConfigDict(frozen=True)

    role: str = Field(description="`api`, `worker` or `scheduler`.")
    host: str
    pid: int
    started_at: datetime
    reported_at: datetime
    cpu_percent: float = Field(description="Of one processor, since its report before.")
    memory_mib: float = Field(description="Resident.")
    threads: int
    uptime_s: float


@asynccontextmanager
async def reported(cache: Cache, role: str) -> AsyncIterator[None]:
    """Tell of this process while the block runs."""
    telling = asyncio.create_task(_tell_on(cache, role), name="report-process")
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling


async def _tell_on(cache: Cache, role: str) -> None:
    process, started_at = psutil.Process(), now()
    process.cpu_percent()  # the first asks since when
    while True:
        await tell(cache, role, process, started_at)
        await asyncio.sleep(_INTERVAL_S)


async def tell(cache: Cache, role: str, process: psutil.Process, started_at: datetime) -> None:
    """Tell of a process now; without Valkey nobody hears of it."""
    if cache.is_resting:
        return
    with process.oneshot():
        report = ProcessReport(
            role=role,
            host=socket.gethostname(),
            pid=process.pid,
            started_at=started_at,
            reported_at=now(),
            uptime_s=round((now() - started_at).total_seconds(), 1),
            cpu_percent=process.cpu_percent(),
            memory_mib=round(process.memory_info().rss / 1024**2, 1),
            threads=process.num_threads(),
        )
    try:
        await cache.client.set(f"{_PREFIX}{report.host}:{os.getpid()}", report.model_dump_json(), ex=_SILENT_AFTER_S)
    except (RedisError, OSError) as error:
        cache.rest(error)


async def list_processes(cache: Cache) -> list[ProcessReport]:
    """Those that told of themselves lately, by role and host; none while Valkey does not answer."""
    try:
        names = [name async for name in cache.client.scan_iter(match=f"{_PREFIX}*", count=500)]
        values = await cache.client.mget(names) if names else []
    except (RedisError, OSError) as error:
        cache.rest(error)
        return []
    reports = []
    for value in values:
        if value is not None:
            with suppress(InvalidValueError):  # of another release
                reports.append(ProcessReport.model_validate_json(value))
    return sorted(reports, key=lambda report: (report.role, report.host, report.pid))
