"""Figures that belong to the installation and not to a process: the scheduler takes them, every few seconds.

Where several schedulers run each shows the same: take the largest, not the sum.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from prometheus_client import Gauge

from dragoman.jobs import repository
from dragoman.jobs.entities import JobState, Priority
from dragoman.kit.database import Database

JOBS = Gauge("dragoman_jobs", "Jobs that are not finished, by state and priority.", ["state", "priority"])
OLDEST = Gauge(
    "dragoman_jobs_oldest_waiting_seconds", "How long the oldest job that may run waits, by priority.", ["priority"]
)
EVENTS = Gauge("dragoman_outbox_waiting", "Events that are not published yet.")
DATABASE_BYTES = Gauge("dragoman_database_bytes", "Size of the database on the disk of PostgreSQL.")
FREE_BYTES = Gauge("dragoman_home_free_bytes", "Free space where this installation keeps its files.")

_STATES = (JobState.QUEUED, JobState.PAUSED, JobState.RUNNING)


async def measure(database: Database, home: Path) -> int:
    """Set the gauges; how many jobs are not finished.

    Raises:
        DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        counted = await repository.count_waiting(connection)
        EVENTS.set(await repository.count_unpublished(connection))
    DATABASE_BYTES.set(await database.size_bytes())
    FREE_BYTES.set((await asyncio.to_thread(shutil.disk_usage, home)).free)
    found = {(row.state, row.priority): row for row in counted}
    for priority in Priority:
        for state in _STATES:
            row = found.get((state.value, priority))
            JOBS.labels(state.value, priority.name.lower()).set(row.jobs if row else 0)
        waiting = found.get((JobState.QUEUED.value, priority))
        OLDEST.labels(priority.name.lower()).set(waiting.oldest_s if waiting else 0)
    return sum(row.jobs for row in counted)
