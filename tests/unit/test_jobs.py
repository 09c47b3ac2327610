"""Durable jobs with toy kinds against the real database: once, again, never, and after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from redis.exceptions import RedisError
from sqlalchemy import text

from dragoman.jobs import repository, service
from dragoman.jobs.entities import Job, JobKind, JobState, Priority, Progress
from dragoman.jobs.errors import BrokerUnavailableError
from dragoman.kit.cache import Cache
from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError, UnavailableError


class ColdKettleError(UnavailableError):
    """The kettle is cold. Wait for it."""

    code = "toy.cold_kettle"


class NoTeaError(DragomanError):
    """There is no tea. Buy some."""

    code, status = "toy.no_tea", 422


@dataclass
class Post:
    """A broker that keeps what it is told; it may be closed."""

    open: bool = True
    sent: list[UUID] = field(default_factory=list)

    async def send(self, *, tenant_id: UUID, job_id: UUID, priority: int, delay_s: float = 0.0) -> None:
        if not self.open:
            raise BrokerUnavailableError
        self.sent.append(job_id)


@dataclass
class Kitchen:
    """Runs jobs of the kind `tea` whose body is given, and tells what became of them."""

    database: Database
    tenant_id: UUID
    post: Post = field(default_factory=Post)
    failures: list[tuple[str, str]] = field(default_factory=list)

    async def order(self, **options: Any) -> Job:
        async with self.database.transaction(self.tenant_id) as connection:
            return await service.enqueue(
                connection, tenant_id=self.tenant_id, kind="tea", payload={"cups": 2}, **options
            )

    async def make(self, job: Job, body: Callable[[Job, Progress], Awaitable[None]]) -> None:
        async def failed(_job: Job, code: str, message: str) -> None:
            self.failures.append((code, message))

        kinds = {"tea": JobKind(name="tea", body=body, on_failed=failed)}
        await service.execute(self.database, kinds, tenant_id=self.tenant_id, job_id=job.id)

    async def look(self, job: Job) -> Job:
        async with self.database.system_transaction() as connection:
            found = await repository.find_job(connection, tenant_id=self.tenant_id, job_id=job.id)
        assert found is not None
        return found

    async def change(self, job: Job, assignment: str) -> None:
        async with self.database.system_transaction() as connection:
            await connection.execute(text(f"update jobs set {assignment} where id = :id"), {"id": job.id})


@pytest.fixture
async def kitchen(database: Database, tenant: Any) -> Kitchen:
    async with database.system_transaction() as connection:
        await connection.execute(text("delete from jobs"))
        await connection.execute(text("delete from outbox_events"))
    return Kitchen(database=database, tenant_id=tenant.tenant_id)


async def _fine(_job: Job, _progress: Progress) -> None:
    return


async def _cold(_job: Job, _progress: Progress) -> None:
    raise ColdKettleError


# ---- once


async def test_a_job_runs_and_its_row_tells_the_story(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    seen: list[Job] = []

    async def body(running: Job, progress: Progress) -> None:
        await progress("boiling", 0.5)
        seen.append(await kitchen.look(running))

    await kitchen.make(job, body)
    assert (seen[0].state, seen[0].step, seen[0].progress, seen[0].attempts) == (JobState.RUNNING, "boiling", 0.5, 1)
    assert seen[0].payload == {"cups": 2}
    done = await kitchen.look(job)
    assert (done.state, done.progress, done.step) == (JobState.SUCCEEDED, 1.0, "done")
    assert done.finished_at is not None


async def test_a_job_is_gone_when_the_transaction_that_wrote_it_fails(kitchen: Kitchen) -> None:
    with pytest.raises(NoTeaError):
        async with kitchen.database.transaction(kitchen.tenant_id) as connection:
            await service.enqueue(connection, tenant_id=kitchen.tenant_id, kind="tea", payload={})
            raise NoTeaError
    assert await service.reap(kitchen.database, kitchen.post) == 0


async def test_a_message_that_comes_twice_runs_the_job_once(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    runs = 0

    async def body(_job: Job, _progress: Progress) -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.05)

    await asyncio.gather(*(kitchen.make(job, body) for _ in range(4)))
    await kitchen.make(job, body)
    assert runs == 1
    assert (await kitchen.look(job)).attempts == 1


async def test_a_message_about_a_job_that_does_not_exist_does_nothing(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    async with kitchen.database.system_transaction() as connection:
        await connection.execute(text("delete from jobs where id = :id"), {"id": job.id})
    await kitchen.make(job, _cold)
    assert kitchen.failures == []


# ---- again, or never again


async def test_a_job_that_fails_for_a_passing_reason_waits_and_then_succeeds(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    await kitchen.make(job, _cold)
    waiting = await kitchen.look(job)
    assert (waiting.state, waiting.error_code) == (JobState.QUEUED, "toy.cold_kettle")
    assert waiting.error_message == "The kettle is cold. Wait for it."
    assert timedelta(seconds=1) < waiting.run_after - job.created_at < timedelta(seconds=10)
    await kitchen.make(job, _fine)
    assert (await kitchen.look(job)).state is JobState.QUEUED, "a message that comes too early is not heeded"
    await kitchen.change(job, "run_after = now()")
    await kitchen.make(job, _fine)
    done = await kitchen.look(job)
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert kitchen.failures == []


async def test_each_attempt_waits_longer_than_the_one_before(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    waits = []
    for _ in range(4):
        await kitchen.make(job, _cold)
        async with kitchen.database.system_transaction() as connection:
            left = await connection.execute(
                text("select extract(epoch from run_after - now()) from jobs where id = :id"), {"id": job.id}
            )
        waits.append(float(left.scalar_one()))
        await kitchen.change(job, "run_after = now()")
    assert waits == sorted(waits)
    assert waits[-1] > 60 * waits[0]


async def test_a_job_that_fails_every_time_is_given_up_and_tells_once(kitchen: Kitchen) -> None:
    job = await kitchen.order(max_attempts=3)
    for _ in range(5):
        await kitchen.make(job, _cold)
        await kitchen.change(job, "run_after = now()")
    done = await kitchen.look(job)
    assert (done.state, done.attempts, done.error_code) == (JobState.FAILED, 3, "toy.cold_kettle")
    assert kitchen.failures == [("toy.cold_kettle", "The kettle is cold. Wait for it.")]


async def test_a_job_whose_subject_is_at_fault_is_not_tried_again(kitchen: Kitchen) -> None:
    job = await kitchen.order()

    async def body(_job: Job, _progress: Progress) -> None:
        raise NoTeaError

    await kitchen.make(job, body)
    done = await kitchen.look(job)
    assert (done.state, done.attempts, done.error_code) == (JobState.FAILED, 1, "toy.no_tea")
    assert kitchen.failures == [("toy.no_tea", "There is no tea. Buy some.")]


async def test_an_error_nobody_foresaw_is_tried_again_and_shows_its_kind_only(kitchen: Kitchen) -> None:
    job = await kitchen.order()

    async def body(_job: Job, _progress: Progress) -> None:
        raise ValueError("the password is tea")

    await kitchen.make(job, body)
    waiting = await kitchen.look(job)
    assert (waiting.state, waiting.error_code) == (JobState.QUEUED, "internal")
    assert "ValueError" in (waiting.error_message or "")
    assert "password" not in (waiting.error_message or "")


async def test_a_job_of_a_kind_nobody_knows_fails_and_says_so(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    await service.execute(kitchen.database, {}, tenant_id=kitchen.tenant_id, job_id=job.id)
    assert (await kitchen.look(job)).error_code == "jobs.unknown_kind"


# ---- after a crash


async def test_a_job_whose_worker_died_is_taken_over_only_after_its_lease(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    await kitchen.change(job, "state = 'running', attempts = 1, lease = gen_random_uuid(), heartbeat_at = now()")
    await kitchen.make(job, _fine)
    assert (await kitchen.look(job)).state is JobState.RUNNING
    await kitchen.change(job, f"heartbeat_at = now() - interval '{service.LEASE_S + 1} seconds'")
    await kitchen.make(job, _fine)
    done = await kitchen.look(job)
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)


async def test_a_worker_that_lost_its_job_stops_and_does_not_touch_the_row(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "HEARTBEAT_S", 0.02)
    job = await kitchen.order()
    stopped = False

    async def slow(_job: Job, _progress: Progress) -> None:
        nonlocal stopped
        await kitchen.change(job, "lease = gen_random_uuid(), attempts = 2")  # somebody else took over
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            stopped = True
            raise

    await asyncio.wait_for(kitchen.make(job, slow), timeout=2)
    found = await kitchen.look(job)
    assert stopped
    assert (found.state, found.attempts, found.error_code) == (JobState.RUNNING, 2, None)
    assert kitchen.failures == []


async def test_a_long_job_keeps_its_lease(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "HEARTBEAT_S", 0.02)
    monkeypatch.setattr(service, "LEASE_S", 0.15)
    job = await kitchen.order()
    runs = 0

    async def body(_job: Job, _progress: Progress) -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.4)

    async def meddle() -> None:
        await asyncio.sleep(0.25)
        await kitchen.make(job, body)

    await asyncio.gather(kitchen.make(job, body), meddle())
    assert runs == 1


async def test_a_job_that_kills_its_worker_each_time_is_given_up(kitchen: Kitchen) -> None:
    job = await kitchen.order(max_attempts=2)
    await kitchen.change(job, "state = 'running', attempts = 2, heartbeat_at = now() - interval '1 hour'")
    await kitchen.make(job, _fine)
    done = await kitchen.look(job)
    assert (done.state, done.error_code) == (JobState.FAILED, "jobs.crashed")
    assert [code for code, _ in kitchen.failures] == ["jobs.crashed"]


async def test_a_heartbeat_that_the_database_refuses_does_not_fail_the_job(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "HEARTBEAT_S", 0.02)
    job = await kitchen.order()
    real, beats = repository.beat, 0

    async def beat(*args: Any, **kwargs: Any) -> bool:
        nonlocal beats
        beats += 1
        if beats == 1:
            await args[0].execute(text("select pg_terminate_backend(pg_backend_pid())"))
        return await real(*args, **kwargs)

    monkeypatch.setattr(repository, "beat", beat)

    async def body(_job: Job, _progress: Progress) -> None:
        await asyncio.sleep(0.2)

    await kitchen.make(job, body)
    assert beats >= 2
    assert (await kitchen.look(job)).state is JobState.SUCCEEDED


# ---- the reaper


async def test_while_the_broker_is_down_a_job_stays_for_the_reaper(kitchen: Kitchen) -> None:
    kitchen.post.open = False
    job = await kitchen.order()
    await service.announce(kitchen.database, kitchen.post, job)  # raises nothing: the upload was accepted
    with pytest.raises(BrokerUnavailableError):
        await service.reap(kitchen.database, kitchen.post)
    kitchen.post.open = True
    assert await service.reap(kitchen.database, kitchen.post) == 1, "it starts as soon as the broker is back"
    assert kitchen.post.sent == [job.id]


async def test_an_announced_job_is_not_announced_again_until_its_message_seems_lost(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    await service.announce(kitchen.database, kitchen.post, job)
    assert await service.reap(kitchen.database, kitchen.post) == 0
    await kitchen.change(job, f"sent_at = now() - interval '{service.RESEND_AFTER_S + 1} seconds'")
    assert await service.reap(kitchen.database, kitchen.post) == 1
    assert kitchen.post.sent == [job.id, job.id]


async def test_a_job_that_waits_for_its_next_attempt_is_announced_when_that_is_due(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    await service.announce(kitchen.database, kitchen.post, job)
    await kitchen.make(job, _cold)
    assert await service.reap(kitchen.database, kitchen.post) == 0
    await kitchen.change(job, "run_after = now()")
    assert await service.reap(kitchen.database, kitchen.post) == 1


async def test_the_job_of_a_silent_worker_is_announced_and_finished_ones_are_not(kitchen: Kitchen) -> None:
    job, finished = await kitchen.order(), await kitchen.order()
    await kitchen.make(finished, _fine)
    await kitchen.change(job, "state = 'running', heartbeat_at = now() - interval '1 minute', sent_at = null")
    assert await service.reap(kitchen.database, kitchen.post) == 1
    assert kitchen.post.sent == [job.id]


async def test_the_urgent_are_announced_first(kitchen: Kitchen) -> None:
    bulk, normal, user = [
        await kitchen.order(priority=priority) for priority in (Priority.BULK, Priority.NORMAL, Priority.USER)
    ]
    await service.reap(kitchen.database, kitchen.post)
    assert kitchen.post.sent == [user.id, normal.id, bulk.id]


async def test_old_finished_jobs_are_swept_and_failed_ones_stay(kitchen: Kitchen) -> None:
    old, fresh, failed = [await kitchen.order(max_attempts=1) for _ in range(3)]
    for job in (old, fresh):
        await kitchen.make(job, _fine)
    await kitchen.make(failed, _cold)
    for job in (old, failed):
        await kitchen.change(job, "finished_at = now() - interval '8 days'")
    assert await service.sweep(kitchen.database) == 1
    assert (await kitchen.look(fresh)).state is JobState.SUCCEEDED
    assert (await kitchen.look(failed)).state is JobState.FAILED


# ---- the outbox


@pytest.fixture
async def cache(cache_url: str) -> Any:
    cache = Cache(cache_url)
    await cache.client.delete(service.EVENT_STREAM)
    yield cache
    await cache.client.delete(service.EVENT_STREAM)
    await cache.close()


async def _emit(kitchen: Kitchen, *numbers: int) -> None:
    for number in numbers:
        async with kitchen.database.transaction(kitchen.tenant_id) as connection:
            await service.emit(connection, tenant_id=kitchen.tenant_id, topic="tea.made", payload={"number": number})


async def _published(cache: Cache) -> list[str]:
    return [fields[b"payload"].decode() for _, fields in await cache.client.xrange(service.EVENT_STREAM)]


async def test_events_are_published_in_order_and_once_when_all_goes_well(kitchen: Kitchen, cache: Cache) -> None:
    await _emit(kitchen, 1, 2, 3)
    assert await service.publish_events(kitchen.database, cache, limit=2) == 2
    assert await service.publish_events(kitchen.database, cache) == 1
    assert await service.publish_events(kitchen.database, cache) == 0
    assert await _published(cache) == ['{"number": 1}', '{"number": 2}', '{"number": 3}']


async def test_an_event_of_a_transaction_that_failed_is_never_published(kitchen: Kitchen, cache: Cache) -> None:
    with pytest.raises(NoTeaError):
        async with kitchen.database.transaction(kitchen.tenant_id) as connection:
            await service.emit(connection, tenant_id=kitchen.tenant_id, topic="tea.made", payload={})
            raise NoTeaError
    assert await service.publish_events(kitchen.database, cache) == 0


async def test_events_wait_while_the_stream_is_away_and_lose_nothing(
    kitchen: Kitchen, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _emit(kitchen, 1, 2)
    real, calls = cache.client.xadd, 0

    async def fail_second(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RedisError("away")
        return await real(*args, **kwargs)

    monkeypatch.setattr(cache.client, "xadd", fail_second)
    with pytest.raises(RedisError):
        await service.publish_events(kitchen.database, cache)
    await _emit(kitchen, 3)
    assert await service.publish_events(kitchen.database, cache) == 3
    assert await _published(cache) == ['{"number": 1}', '{"number": 1}', '{"number": 2}', '{"number": 3}']
