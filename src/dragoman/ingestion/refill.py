"""Fills a keyword index inside PostgreSQL again where it lacks versions, as after a change of its layout by an upgrade.

scheduler, once at its start: `enqueue_refills` -> job `ingestion.refill_keyword_index`, one a chatbot -> `refill_keyword_index`
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from dragoman.deps import Deps
from dragoman.ingestion.external_indexes import chunks_to_index
from dragoman.jobs import repository as jobs_repository
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, JobSender, Priority, Progress
from dragoman.kit.database import Database
from dragoman.ports.keyword_index import KeywordIndex, StoredKeywordIndex
from dragoman.tenancy import repository as tenancy_repository

REFILL_KEYWORD_INDEX: Final = "ingestion.refill_keyword_index"
_VERSIONS_AT_ONCE: Final = 50


async def enqueue_refills(database: Database, index: KeywordIndex, sender: JobSender) -> int:
    """Jobs for the chatbots whose keyword index lacks something; how many.

    Raises:
        DatabaseUnavailableError.
    """
    if not isinstance(index, StoredKeywordIndex):
        return 0
    async with database.system_transaction() as connection:
        tenants = await tenancy_repository.list_tenants(connection)
    queued: list[Job] = []
    for tenant in tenants:
        async with database.transaction(tenant.id) as connection:
            for chatbot_id in await tenancy_repository.list_chatbot_ids(connection, tenant_id=tenant.id):
                missing = await index.list_missing(connection, tenant_id=tenant.id, chatbot_id=chatbot_id, limit=1)
                if missing and not await jobs_repository.is_queued(
                    connection, tenant_id=tenant.id, kind=REFILL_KEYWORD_INDEX, subject_id=chatbot_id
                ):
                    queued.append(
                        await jobs.enqueue(
                            connection,
                            tenant_id=tenant.id,
                            kind=REFILL_KEYWORD_INDEX,
                            payload={"chatbot_id": str(chatbot_id)},
                            priority=Priority.BULK,
                            subject_id=chatbot_id,
                        )
                    )
    await jobs.announce_many(sender, queued)
    return len(queued)


async def refill_keyword_index(deps: Deps, job: Job, progress: Progress) -> None:
    """Body of the job: each round commits, and a second run goes on where the first one stood."""
    index, chatbot_id = deps.keyword_index, UUID(job.payload["chatbot_id"])
    if not isinstance(index, StoredKeywordIndex):
        return
    done = 0
    while True:
        async with deps.database.transaction(job.tenant_id) as connection:
            missing = await index.list_missing(
                connection, tenant_id=job.tenant_id, chatbot_id=chatbot_id, limit=_VERSIONS_AT_ONCE
            )
            if not missing:
                return
            versions = {
                version_id: await chunks_to_index(connection, tenant_id=job.tenant_id, version_id=version_id)
                for version_id in missing
            }
            await deps.keyword_index.add(connection, tenant_id=job.tenant_id, chatbot_id=chatbot_id, versions=versions)
            await tenancy_repository.raise_knowledge_revision(
                connection, tenant_id=job.tenant_id, chatbot_id=chatbot_id
            )
        done += len(missing)
        await progress("indexing", 1.0 - 1.0 / (1 + done))
