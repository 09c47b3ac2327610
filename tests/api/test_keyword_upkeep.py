"""What the jobs of the keyword index do: words of removed documents go, and an index that an upgrade emptied is filled."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from dragoman.adapters.keyword_index._parts.segments import Block
from dragoman.ingestion.refill import REFILL_KEYWORD_INDEX, enqueue_refills
from dragoman.knowledge.publish import TIDY_KEYWORD_INDEX

_TABLES = ("keyword_postings", "keyword_segments", "keyword_versions")


async def _stored_terms(company: Any) -> set[bytes]:
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        rows = await connection.execute(text("select content from keyword_postings"))
        return {term for row in rows for term in Block(row.content).terms}


async def _count_jobs(company: Any, kind: str) -> int:
    query = text("select count(*) from jobs where kind = :kind")
    async with company.service.deps.database.system_transaction() as connection:
        count: int = (await connection.execute(query, {"kind": kind})).scalar_one()
        return count


async def _found(company: Any, word: str) -> list[str]:
    return [hit["title"] for hit in (await company.search(word, mode="keyword"))["results"]]


async def test_no_word_of_a_deleted_document_stays_in_the_stored_index(company: Any) -> None:
    for number in range(12):  # so that the one that goes is a small part of what is stored together
        await company.know(f"# Pump {number}\n\nPump {number} is cleaned with warm water.", f"pump-{number}.md")
    secret = await company.know("# Secret\n\nThe nightingale sings at midnight.", "secret.md")
    assert any(b"nightingal" in term for term in await _stored_terms(company))
    deleted = await company.api().delete(f"/api/chatbot/documents/{secret['id']}/")
    assert deleted.status_code == 204
    await company.service.run_jobs()
    assert not any(b"nightingal" in term for term in await _stored_terms(company))
    assert len(await _found(company, "warm water")) == 10


async def test_many_deletions_wait_for_one_upkeep(company: Any) -> None:
    documents = [await company.know(f"# Pump {number}\n\nText {number}.", f"pump-{number}.md") for number in range(3)]
    before = await _count_jobs(company, TIDY_KEYWORD_INDEX)
    for document in documents:
        await company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    await company.service.run_jobs(kind="knowledge.purge_document")
    assert await _count_jobs(company, TIDY_KEYWORD_INDEX) == before + 1


async def test_an_index_that_an_upgrade_emptied_is_filled_again(company: Any) -> None:
    await company.know("# Pump\n\nThe pump is cleaned with warm water.", "pump.md")
    deps = company.service.deps
    async with deps.database.transaction(company.tenant_id) as connection:
        for table in _TABLES:
            await connection.execute(text(f"delete from {table}"))
    assert await enqueue_refills(deps.database, deps.keyword_index, deps.sender) == 1
    assert await enqueue_refills(deps.database, deps.keyword_index, deps.sender) == 0  # one waits already
    assert await _count_jobs(company, REFILL_KEYWORD_INDEX) == 1
    await company.service.run_jobs()
    assert await _found(company, "warm water") == ["Pump"]
    assert await enqueue_refills(deps.database, deps.keyword_index, deps.sender) == 0
