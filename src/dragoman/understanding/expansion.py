"""Other names for what a question names, as the chatbot's own knowledge tells them.

Names are learned from live shared documents only, by a job; what is read is checked to be live and shared still.
Within a process the names of a chatbot are kept for `KEPT_S`, or until its knowledge changes.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.jobs import repository as jobs_repository
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, JobSender, Priority, Progress
from dragoman.kit.database import Database
from dragoman.tenancy.entities import Chatbot
from dragoman.understanding import repository
from dragoman.understanding.expansion_patterns import find_names
from dragoman.understanding.expansion_table import EMPTY, Expansion, ExpansionTable, Told, make_table
from dragoman.understanding.repository import ChunkText

_log = structlog.get_logger(__name__)
_Kept = TypeVar("_Kept")

LEARN_EXPANSIONS: Final = "understanding.learn_expansions"
KEPT_S: Final = 60.0
WAIT_S: Final = 0.05
REQUESTED_S: Final = 5.0  # between two requests for a chatbot whose knowledge keeps changing
MOST_CHATBOTS: Final = 256
MOST_FINDS: Final = 5000  # those told most often; a chatbot of 4,851 chunks of IT documentation tells 809
VERSIONS_AT_ONCE: Final = 50


async def expand(deps: Deps, chatbot: Chatbot, question: str, language: str) -> Expansion:
    """Other names for what the question names; empty where nothing is known of it.

    Raises:
        DatabaseUnavailableError.
    """
    table = await tables.get(deps.database, deps.sender, chatbot)
    return table.expand(question, language)


class ExpansionTables:
    """The names of the chatbots asked lately, for this process."""

    def __init__(self, *, wait_s: float = WAIT_S) -> None:
        """`wait_s`: how long a question waits for names that are being read; it then goes without."""
        self.wait_s = wait_s
        self._kept: OrderedDict[UUID, tuple[int, float, ExpansionTable]] = OrderedDict()
        self._reading: dict[tuple[UUID, int], asyncio.Task[ExpansionTable]] = {}
        self._requested: OrderedDict[UUID, float] = OrderedDict()

    async def get(self, database: Database, sender: JobSender, chatbot: Chatbot) -> ExpansionTable:
        """The chatbot's names at its knowledge revision: those of a new one are read anew, once for all who ask.

        While documents come in the revision changes with each; a search does not wait longer than `wait_s` for that.

        Raises:
            DatabaseUnavailableError.
        """
        kept = self._kept.get(chatbot.id)
        if kept is not None and kept[0] == chatbot.knowledge_revision and kept[1] > time.monotonic():
            self._kept.move_to_end(chatbot.id)
            return kept[2]
        key = (chatbot.id, chatbot.knowledge_revision)
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._read(database, sender, chatbot))
            task.add_done_callback(lambda done: self._finish(key, done))
        await asyncio.wait({task}, timeout=self.wait_s)
        return task.result() if task.done() else EMPTY

    async def _read(self, database: Database, sender: JobSender, chatbot: Chatbot) -> ExpansionTable:
        """Reads the names; where documents were not read for names yet, asks for that, so that no hook can be missed."""
        ids = {"tenant_id": chatbot.tenant_id, "chatbot_id": chatbot.id}
        requested: list[Job] = []
        async with database.transaction(chatbot.tenant_id) as connection:
            told = await repository.list_told(connection, limit=MOST_FINDS, **ids)
            if self._requested.get(chatbot.id, 0.0) < time.monotonic():
                requested = await request_learning(connection, **ids)
        await jobs.announce_many(sender, requested)
        table = await asyncio.to_thread(make_table, told)
        moment = time.monotonic() + KEPT_S
        _remember(self._kept, chatbot.id, (chatbot.knowledge_revision, moment, table))
        if requested:
            _remember(self._requested, chatbot.id, time.monotonic() + REQUESTED_S)
        return table

    def _finish(self, key: tuple[UUID, int], task: asyncio.Task[ExpansionTable]) -> None:
        del self._reading[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("understanding.names_unread", reason=str(error))


def _remember(kept: OrderedDict[UUID, _Kept], chatbot_id: UUID, value: _Kept) -> None:
    kept[chatbot_id] = value
    kept.move_to_end(chatbot_id)
    while len(kept) > MOST_CHATBOTS:
        kept.popitem(last=False)


tables: Final = ExpansionTables()


# --- learning --------------------------------------------------------------------------------------------------------


async def request_learning(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> list[Job]:
    """A job that reads what was not read for names yet; none where nothing is new, or one waits already.

    Returns jobs to announce after the commit.
    """
    if await jobs_repository.is_queued(
        connection, tenant_id=tenant_id, kind=LEARN_EXPANSIONS, subject_id=chatbot_id
    ) or not await repository.has_unscanned(connection, tenant_id=tenant_id, chatbot_id=chatbot_id):
        return []
    job = await jobs.enqueue(
        connection,
        tenant_id=tenant_id,
        kind=LEARN_EXPANSIONS,
        payload={"chatbot_id": str(chatbot_id)},
        priority=Priority.BULK,
        subject_id=chatbot_id,
    )
    return [job]


async def learn_expansions(database: Database, job: Job, progress: Progress) -> None:
    """Body of the job: read the live shared documents that are new, up to `VERSIONS_AT_ONCE` in a transaction.

    A crash loses the work of one transaction; a second run finds nothing left to do. What goes live meanwhile is read
    too.
    """
    chatbot_id = UUID(job.payload["chatbot_id"])
    done = 0
    while read := await _learn_some(database, job.tenant_id, chatbot_id):
        done += read
        await progress("learning names", 1.0 - 1.0 / (1 + done))


async def _learn_some(database: Database, tenant_id: UUID, chatbot_id: UUID) -> int:
    """Reads some versions that were not read yet; how many."""
    async with database.transaction(tenant_id) as connection:
        versions = await repository.list_unscanned(
            connection, tenant_id=tenant_id, chatbot_id=chatbot_id, limit=VERSIONS_AT_ONCE
        )
        after: tuple[UUID, int] | None = None
        while texts := await repository.page_of_texts(
            connection, tenant_id=tenant_id, version_ids=versions, after=after
        ):
            after = texts[-1].place
            await repository.replace_finds(
                connection,
                tenant_id=tenant_id,
                chatbot_id=chatbot_id,
                chunk_ids=[chunk.id for chunk in texts],
                finds=await asyncio.to_thread(_finds, texts),
            )
        if versions:
            await repository.mark_scanned(connection, tenant_id=tenant_id, chatbot_id=chatbot_id, version_ids=versions)
    return len(versions)


def _finds(texts: Sequence[ChunkText]) -> list[tuple[UUID, Told]]:
    return [
        (chunk.id, Told(kind=find.kind, short=find.short, long=find.long, language=chunk.language, chunks=1))
        for chunk in texts
        for find in find_names(chunk.text, chunk.language)
    ]
