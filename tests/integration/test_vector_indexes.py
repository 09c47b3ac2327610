"""Own vector indexes: built beside writers, chosen by searches, never less right than they promise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import text
from tests.contract.test_vector_index_contract import DIMENSIONS, Shelf, scope_of, unit

from dragoman.embeddings.indexes import build as building
from dragoman.embeddings.indexes import measure, repository, service
from dragoman.embeddings.indexes.entities import Chatbot, IndexPolicy, VectorIndexRow, VectorPlace
from dragoman.entrypoints.cli import main
from dragoman.entrypoints.commands.terminal import ExitCode
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import JobState, NewJob
from dragoman.kit import registry
from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database, DatabaseUrls, NoAdministratorError
from dragoman.knowledge.service import INGEST_DOCUMENT
from dragoman.ports.vector_index import VectorIndex

POLICY = IndexPolicy(own_index_from=300, exact_below=100, sample=40)


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_GRACE_S", 0.0)


@pytest.fixture
def index() -> VectorIndex:
    adapter: VectorIndex = registry.create("vector_index", "pgvector")
    return adapter


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(20_26)


@pytest.fixture
def shelf(database: Database, index: VectorIndex, tenant: Any, make_document: Any) -> Shelf:
    return Shelf(database, index, tenant, make_document)


@pytest.fixture
async def full(shelf: Shelf, random: np.random.Generator) -> Shelf:
    """400 chunks in 20 documents."""
    for _ in range(20):
        await shelf.put(unit(20, random=random), owner="user:bob")
    return shelf


def chatbot_of(tenant: Any) -> Chatbot:
    place = VectorPlace(
        tenant_id=tenant.tenant_id, chatbot_id=tenant.chatbot_id, embedding_version=tenant.embedding_version
    )
    return Chatbot(place=place, name="Test", revision=0)


async def tell_nobody(step: str, fraction: float) -> None:
    del step, fraction


async def build(shelf: Shelf) -> VectorIndexRow:
    return await service.build(shelf.database, chatbot_of(shelf.tenant), POLICY, tell_nobody)


async def row_of(shelf: Shelf) -> VectorIndexRow | None:
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        return await repository.find_row(connection, chatbot_of(shelf.tenant).place)


async def indexes(database: Database, tenant: Any) -> list[repository.StoredIndex]:
    async with database.as_owner() as owner:
        return [each for each in await repository.list_indexes(owner) if each.place.chatbot_id == tenant.chatbot_id]


async def scans(shelf: Shelf) -> int:
    """How often the chatbot's index was asked."""
    [stored] = await indexes(shelf.database, shelf.tenant)
    async with shelf.database.as_owner() as owner:
        await owner.exec_driver_sql("select pg_stat_force_next_flush()")
        await asyncio.sleep(1.1)  # sessions tell what they did at most once a second
        found = await owner.execute(
            text("select idx_scan from pg_stat_user_indexes where indexrelname = :name"), {"name": stored.name}
        )
        counted: int = found.scalar_one()
    return counted


async def test_an_own_index_is_asked_and_finds_what_comparing_all_finds(
    full: Shelf, random: np.random.Generator
) -> None:
    row = await build(full)
    assert row.has_index
    assert row.recall is not None
    assert row.recall >= POLICY.least_recall
    before = await scans(full)
    shares = []
    for query in unit(40, random=random):
        hits = sorted(await full.search(query, 50), key=lambda hit: -hit.cosine)[:10]
        chunk, _ = full.brute_force(query)
        right = sorted(chunk, key=lambda key: -chunk[key])[:10]
        shares.append(len({hit.chunk_id for hit in hits} & set(right)) / 10)
        assert all(hit.cosine == pytest.approx(chunk[hit.chunk_id], abs=2e-3) for hit in hits)
    assert np.mean(shares) >= 0.98
    assert await scans(full) > before


async def test_what_comes_after_the_build_is_found_and_what_goes_is_not(
    full: Shelf, random: np.random.Generator, delete_document: Any
) -> None:
    await build(full)
    query = unit(random=random)
    new = await full.put(query[None])
    private = await full.put(query[None], visibility="private", owner="user:ada")
    assert (await full.search(query, 5))[0].chunk_id == new.chunk_ids[0]
    assert private.chunk_ids[0] not in await full.found(query)
    assert private.chunk_ids[0] in await full.found(query, scope=scope_of(full.tenant, owner="user:ada"))
    newer = await full.put(query[None], document_id=new.document_id)
    found = await full.found(query)
    assert newer.chunk_ids[0] in found
    assert new.chunk_ids[0] not in found
    await delete_document(full.tenant, newer)
    assert newer.chunk_ids[0] not in await full.found(query)


async def test_filters_hold_with_an_own_index_however_few_they_leave(full: Shelf, random: np.random.Generator) -> None:
    rare = await full.put(unit(3, random=random), languages=["th", "th", "en"], category="rare")
    await build(full)
    query = unit(random=random)
    thai = set(rare.chunk_ids[:2])
    assert await full.found(query, scope=scope_of(full.tenant, languages=["th"])) == thai
    assert await full.found(query, scope=scope_of(full.tenant, categories=["rare"])) == set(rare.chunk_ids)
    assert await full.found(query, scope=scope_of(full.tenant, document_ids=[rare.document_id])) == set(rare.chunk_ids)
    english = await full.search(query, 10, scope=scope_of(full.tenant, languages=["en"]))
    chunk, _ = full.brute_force(query)
    right = sorted((key for key in chunk if key not in thai), key=lambda key: -chunk[key])[:10]
    assert [hit.chunk_id for hit in english][:5] == right[:5]


async def test_no_other_tenant_reaches_the_index(
    full: Shelf, random: np.random.Generator, make_tenant: Callable[[], Awaitable[Any]]
) -> None:
    row = await build(full)
    stranger, query = await make_tenant(), unit(random=random)
    for scope in (scope_of(full.tenant), replace(scope_of(full.tenant), tenant_id=stranger.tenant_id)):
        options: dict[str, Any] = {"scope": scope, "embedding_version": full.tenant.embedding_version, "query": query}
        async with full.database.transaction(stranger.tenant_id) as connection:
            assert await full.index.search(connection, limit=10, **options) == []
            assert row.search_function is not None
            assert await repository.nearest_by_function(connection, row.search_function, query, limit=10) == {}


async def test_writers_go_on_while_an_index_is_built(full: Shelf, random: np.random.Generator) -> None:
    async with full.database.transaction(full.tenant.tenant_id) as held:  # the build waits for this writer
        await held.execute(
            text("update chunk_embeddings set document_id = document_id where tenant_id = :t"),
            {"t": full.tenant.tenant_id},
        )
        task = asyncio.create_task(build(full))
        await asyncio.sleep(0.5)
        new = await asyncio.wait_for(full.put(unit(1, random=random)), 10)
        assert not task.done()
    row = await asyncio.wait_for(task, 30)
    assert row.has_index
    [vector] = [full.vectors[chunk_id].chunk for chunk_id in new.chunk_ids]
    assert (await full.search(vector, 1))[0].chunk_id == new.chunk_ids[0]


async def test_what_a_killed_build_left_is_dropped_or_taken_over(full: Shelf, database: Database) -> None:
    place = chatbot_of(full.tenant).place
    valid, broken = (repository.new_index_name(place, new_id()) for _ in range(2))
    async with database.as_owner() as owner:
        for name, parameters in ((valid, building.PARAMETERS[0]), (broken, building.PARAMETERS[1])):
            await repository.create_index(
                owner, place, name, dimensions=DIMENSIONS, parameters=parameters, memory_mib=64
            )
    async with database.as_owner() as owner:
        await owner.exec_driver_sql("set role none")
        await owner.exec_driver_sql(f"update pg_index set indisvalid = false where indexrelid = '{broken}'::regclass")
    assert [each.is_valid for each in await indexes(database, full.tenant)].count(False) == 1
    row = await build(full)
    assert row.index_name == valid
    assert [each.name for each in await indexes(database, full.tenant)] == [valid]


async def test_a_rebuild_replaces_the_index_and_a_drop_leaves_nothing(full: Shelf, random: np.random.Generator) -> None:
    first = await build(full)
    second = await build(full)
    assert first.index_name != second.index_name
    assert [each.name for each in await indexes(full.database, full.tenant)] == [second.index_name]
    dropped = await service.drop(full.database, chatbot_of(full.tenant))
    assert (dropped.kind, dropped.has_index) == ("exact", False)
    assert await indexes(full.database, full.tenant) == []
    async with full.database.as_owner() as owner:
        left = await owner.execute(
            text("select count(*) from pg_proc where starts_with(proname, :name)"),
            {"name": f"nearest_{full.tenant.chatbot_id.hex}"},
        )
        assert left.scalar_one() == 0
    assert len(await full.search(unit(random=random), 10)) == 10


async def test_the_index_of_a_deleted_chatbot_is_swept(
    full: Shelf, make_tenant: Callable[[], Awaitable[Any]], make_document: Any, random: np.random.Generator
) -> None:
    await build(full)
    async with full.database.transaction(full.tenant.tenant_id) as connection:
        await connection.execute(
            text("delete from chatbots where tenant_id = :t and id = :b"),
            {"t": full.tenant.tenant_id, "b": full.tenant.chatbot_id},
        )
    other = Shelf(full.database, full.index, await make_tenant(), make_document)
    await other.put(unit(20, random=random))
    await build(other)
    payload = {
        "chatbot_id": str(full.tenant.chatbot_id),
        "embedding_version": full.tenant.embedding_version,
        "action": "build",
        "reason": "",
    }
    new = NewJob(kind=service.BUILD_VECTOR_INDEX, payload=payload)
    await service.run_job(
        full.database, POLICY, jobs._queued(new, full.tenant.tenant_id, JobState.RUNNING), tell_nobody
    )
    assert await indexes(full.database, full.tenant) == []
    assert len(await indexes(other.database, other.tenant)) == 1


async def test_an_index_that_cannot_reach_the_recall_is_not_used(
    full: Shelf, monkeypatch: pytest.MonkeyPatch, random: np.random.Generator
) -> None:
    monkeypatch.setattr(measure, "recall", lambda found, right: 0.9)
    row = await build(full)
    assert (row.state, row.has_index) == ("failed", False)
    assert "0.900" in row.reason
    assert await indexes(full.database, full.tenant) == []
    assert len(await full.search(unit(random=random), 10)) == 10


async def test_a_check_measures_searches_against_comparing_all(full: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    chatbot = chatbot_of(full.tenant)
    exact = await service.check(full.database, full.index, chatbot, POLICY)
    assert (exact.kind, exact.recall, exact.chunks, exact.questions) == ("exact", 1.0, 400, 40)
    await build(full)
    checked = await service.check(full.database, full.index, chatbot, POLICY)
    assert checked.is_good
    assert checked.index_bytes
    assert checked.search.p95_ms >= checked.search.p50_ms > 0

    async def find_nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    monkeypatch.setattr(type(full.index), "search", find_nothing)
    bad = await service.check(full.database, full.index, chatbot, POLICY)
    assert (bad.recall, bad.is_good) == (0.0, False)
    row = await row_of(full)
    assert row is not None
    assert row.recall == 0.0


async def test_an_index_that_has_become_worse_looks_at_more(full: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await build(full)
    assert before.ef_search == building.EF_SEARCH[0]
    measured = iter([0.5, 0.99])
    monkeypatch.setattr(measure, "recall", lambda found, right: next(measured))
    await service.keep_recall(full.database, chatbot_of(full.tenant).place, POLICY, tell_nobody)
    after = await row_of(full)
    assert after is not None
    assert (after.ef_search, after.recall, after.index_name) == (building.EF_SEARCH[1], 0.99, before.index_name)


class Silent:
    async def send(self, *, priority: int) -> None:
        del priority


async def set_revision(shelf: Shelf, revision: int) -> None:
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        await connection.execute(
            text("update chatbots set knowledge_revision = :r where tenant_id = :t and id = :b"),
            {"r": revision, "t": shelf.tenant.tenant_id, "b": shelf.tenant.chatbot_id},
        )


async def waiting_jobs(shelf: Shelf) -> list[dict[str, Any]]:
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        rows = await connection.execute(
            text("select payload from jobs where kind = :k and tenant_id = :t order by id"),
            {"k": service.BUILD_VECTOR_INDEX, "t": shelf.tenant.tenant_id},
        )
        return list(rows.scalars())


async def run_waiting(shelf: Shelf) -> None:
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        rows = await connection.execute(
            text("update jobs set state = 'succeeded' where kind = :k and state = 'queued' returning id, payload"),
            {"k": service.BUILD_VECTOR_INDEX},
        )
        found = rows.all()
    for job_id, payload in found:
        job = jobs._queued(
            NewJob(kind=service.BUILD_VECTOR_INDEX, payload=payload), shelf.tenant.tenant_id, JobState.RUNNING
        )
        assert job_id
        await service.run_job(shelf.database, POLICY, job, tell_nobody)


async def test_a_chatbot_that_has_grown_gets_its_index_once_the_load_has_ended(
    full: Shelf, delete_document: Any
) -> None:
    async with full.database.transaction(full.tenant.tenant_id) as connection:
        loading = await jobs.enqueue(
            connection,
            tenant_id=full.tenant.tenant_id,
            kind=INGEST_DOCUMENT,
            payload={"chatbot_id": str(full.tenant.chatbot_id)},
        )
    await service.enqueue_due(full.database, Silent(), POLICY)
    assert await waiting_jobs(full) == []
    async with full.database.system_transaction() as connection:
        await connection.execute(
            text("update jobs set state = 'succeeded', finished_at = now() where tenant_id = :t and id = :i"),
            {"t": loading.tenant_id, "i": loading.id},
        )
    for _ in range(2):
        await service.enqueue_due(full.database, Silent(), POLICY)
    [payload] = await waiting_jobs(full)
    assert payload["action"] == "build"
    await run_waiting(full)
    row = await row_of(full)
    assert row is not None
    assert row.has_index
    await service.enqueue_due(full.database, Silent(), POLICY)
    assert len(await waiting_jobs(full)) == 1

    async with full.database.transaction(full.tenant.tenant_id) as connection:
        await connection.execute(
            text(
                "delete from chunk_embeddings where tenant_id = :t and chunk_id not in "
                "(select chunk_id from chunk_embeddings where tenant_id = :t order by chunk_id limit 50)"
            ),
            {"t": full.tenant.tenant_id},
        )
    await set_revision(full, 7)
    await service.enqueue_due(full.database, Silent(), POLICY)
    assert [payload["action"] for payload in await waiting_jobs(full)] == ["build", "drop"]
    await run_waiting(full)
    assert await indexes(full.database, full.tenant) == []


async def test_a_job_that_waited_for_another_builder_of_the_same_index_builds_nothing(full: Shelf) -> None:
    await service.enqueue_due(full.database, Silent(), POLICY)
    assert [payload["action"] for payload in await waiting_jobs(full)] == ["build"]
    built = await build(full)  # an operator was faster
    await run_waiting(full)
    assert [each.name for each in await indexes(full.database, full.tenant)] == [built.index_name]
    assert (await row_of(full)) == built


async def test_without_the_administrators_connection_a_build_is_advised_and_refused(full: Shelf) -> None:
    urls = full.database.urls
    weak = Database(DatabaseUrls(admin="", app=urls.app, system=urls.system), pool_size=2)
    try:
        assert not weak.can_change_schema
        await service.enqueue_due(weak, Silent(), POLICY)
        assert await waiting_jobs(full) == []
        row = await row_of(full)
        assert row is not None
        assert "dragoman index build" in row.reason
        with pytest.raises(NoAdministratorError):
            await service.build(weak, chatbot_of(full.tenant), POLICY, tell_nobody)
    finally:
        await weak.close()


async def test_an_operator_builds_checks_and_drops_at_the_command_line(
    full: Shelf,
    admin_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DRAGOMAN_DATABASE_URL", admin_url)
    monkeypatch.setenv("DRAGOMAN_HOME", str(tmp_path))
    chatbot = str(full.tenant.chatbot_id)

    async def run(*arguments: str) -> tuple[int, Any]:
        code = await asyncio.to_thread(main, ["index", *arguments, "--json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out or printed.err)

    code, printed = await run("build")
    assert (code, "--all" in json.dumps(printed)) == (ExitCode.USAGE, True)
    code, printed = await run("build", "--chatbot", "nobody")
    assert (code, printed["error"]["code"]) == (ExitCode.NOT_FOUND, "index.no_such_chatbot")
    code, printed = await run("build", "--chatbot", chatbot)
    assert code == ExitCode.OK, printed
    assert printed["indexes"][0]["kind"] == "hnsw"
    code, printed = await run("check", "--chatbot", chatbot)
    [checked] = printed["chatbots"]
    assert (code, printed["ok"], checked["kind"], checked["chunks"]) == (ExitCode.OK, True, "hnsw", 400)
    code, printed = await run("advise", "--chatbot", chatbot)
    assert printed["chatbots"][0]["action"] is None
    code, printed = await run("drop", "--chatbot", chatbot)
    assert (code, printed["indexes"][0]["kind"]) == (ExitCode.OK, "exact")
    assert await indexes(full.database, full.tenant) == []
    monkeypatch.setattr(measure, "recall", lambda found, right: 0.97)
    code, printed = await run("check", "--chatbot", chatbot)
    assert (code, printed["ok"]) == (ExitCode.FAILED, False)


def test_what_is_done_follows_from_the_size() -> None:
    place = VectorPlace(tenant_id=UUID(int=1), chatbot_id=UUID(int=2), embedding_version=1)
    row = VectorIndexRow(
        place=place,
        kind="hnsw",
        state="ready",
        wanted="auto",
        search_function="f",
        index_name="i",
        m=16,
        ef_construction=64,
        ef_search=40,
        chunks_at_build=1000,
        chunks_at_check=1000,
        recall=0.99,
        reason="",
        seen_revision=1,
        built_at=now(),
        checked_at=now(),
    )
    policy = IndexPolicy(own_index_from=500, exact_below=200)
    cases: list[tuple[VectorIndexRow | None, int, str | None]] = [
        (None, 499, None),
        (None, 500, "build"),
        (row, 1000, None),
        (row, 1501, "check"),
        (row, 499, "build"),
        (row, 199, "drop"),
        (replace(row, wanted="hnsw", chunks_at_build=150), 150, None),
        (replace(row, wanted="exact"), 1000, "drop"),
        (replace(row, checked_at=now() - timedelta(days=8)), 1000, "check"),
        (replace(row, kind="exact", wanted="exact"), 9000, None),
        (replace(row, kind="exact", wanted="hnsw"), 10, "build"),
        (replace(row, state="failed"), 1000, None),
        (replace(row, state="failed"), 1600, "build"),
        (replace(row, state="building"), 1000, "build"),
    ]
    for given, chunks, expected in cases:
        assert service.decide(policy, given, chunks)[0] == expected, (given, chunks)


def test_recall_counts_a_chunk_as_near_as_the_last_right_one_as_right() -> None:
    one, two, three = (UUID(int=number) for number in range(3))
    assert measure.recall([{one: -0.9, three: -0.8}], [{one: -0.9, two: -0.8}]) == 1.0
    assert measure.recall([{one: -0.9, three: -0.7}], [{one: -0.9, two: -0.8}]) == 0.5
    assert measure.recall([{}], [{one: -0.9}]) == 0.0
    assert measure.recall([], []) == 1.0
