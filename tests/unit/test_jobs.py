"""Durable jobs with toy kinds against the real database: once, again, never, and after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.exceptions import RedisError
from sqlalchemy import text

from dragoman.jobs import drain as drain_module
from dragoman.jobs import groups, repository, service
from dragoman.jobs.drain import Drain
from dragoman.jobs.entities import GroupState, Job, JobGroup, JobKind, JobState, NewJob, Priority, Progress
from dragoman.jobs.errors import (
    BrokerUnavailableError,
    GroupCancelledError,
    GroupNotFoundError,
    JobNotCancellableError,
    JobNotFoundError,
    JobNotRetryableError,
)
from dragoman.jobs.live import Heard, Listener, LiveEvent, LiveFeed, SignalBoard
from dragoman.kit.cache import Cache
from dragoman.kit.clock import Stopwatch
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
    """A broker that keeps the priorities it is told; it may be closed."""

    open: bool = True
    sent: list[int] = field(default_factory=list)

    async def send(self, *, priority: int) -> None:
        if not self.open:
            raise BrokerUnavailableError
        self.sent.append(priority)


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

    async def make_next(self, body: Callable[[Job, Progress], Awaitable[None]], **options: Any) -> int:
        return await service.execute_next(self.database, {"tea": JobKind(name="tea", body=body)}, **options)

    async def look(self, job: Job) -> Job:
        async with self.database.system_transaction() as connection:
            found = await repository.find_job(connection, tenant_id=self.tenant_id, job_id=job.id)
        assert found is not None
        return found

    async def look_until(self, job: Job, is_there: Callable[[Job], bool]) -> Job:
        """The row as soon as it is so; progress is written within a second."""
        async with asyncio.timeout(5):
            while not is_there(row := await self.look(job)):
                await asyncio.sleep(0.05)
        return row

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
        seen.append(await kitchen.look_until(running, lambda row: row.step == "boiling"))

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

    async def beat(*args: Any, **kwargs: Any) -> set[UUID]:
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
    await service.announce_many(kitchen.post, [job])  # raises nothing: the upload was accepted
    with pytest.raises(BrokerUnavailableError):
        await service.reap(kitchen.database, kitchen.post)
    kitchen.post.open = True
    assert await service.reap(kitchen.database, kitchen.post) == 1, "it starts as soon as the broker is back"
    assert kitchen.post.sent == [Priority.NORMAL]


async def test_many_jobs_need_one_message_for_each_priority(kitchen: Kitchen) -> None:
    jobs = [await kitchen.order(priority=priority) for priority in 3 * [Priority.BULK, Priority.USER]]
    await service.announce_many(kitchen.post, jobs)
    assert kitchen.post.sent == [Priority.USER, Priority.BULK]


async def test_the_reaper_wakes_the_workers_as_long_as_a_job_waits(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    assert await service.reap(kitchen.database, kitchen.post) == 1
    assert await service.reap(kitchen.database, kitchen.post) == 1, "a message may have been lost"
    await kitchen.make(job, _fine)
    assert await service.reap(kitchen.database, kitchen.post) == 0


async def test_a_job_that_waits_for_its_next_attempt_wakes_nobody_before_that_is_due(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    await kitchen.make(job, _cold)
    assert await service.reap(kitchen.database, kitchen.post) == 0
    await kitchen.change(job, "run_after = now()")
    assert await service.reap(kitchen.database, kitchen.post) == 1


async def test_the_job_of_a_silent_worker_waits_again_and_finished_ones_do_not(kitchen: Kitchen) -> None:
    job, finished = await kitchen.order(), await kitchen.order()
    await kitchen.make(finished, _fine)
    await kitchen.change(job, "state = 'running', attempts = 1, heartbeat_at = now() - interval '1 minute'")
    assert await service.reap(kitchen.database, kitchen.post) == 1
    assert (await kitchen.look(job)).state is JobState.QUEUED
    assert (await kitchen.look(finished)).state is JobState.SUCCEEDED
    assert await kitchen.make_next(_fine) == 1
    assert ((await kitchen.look(job)).state, (await kitchen.look(job)).attempts) == (JobState.SUCCEEDED, 2)


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


# ---- whose turn it is


@dataclass
class Town:
    """Several kitchens that share the workers; tells whose jobs are taken, one after the other."""

    database: Database
    names: dict[UUID, str] = field(default_factory=dict)

    async def order(self, tenant: Any, number: int = 1, **options: Any) -> list[Job]:
        self.names.setdefault(tenant.tenant_id, chr(ord("A") + len(self.names)))
        new = [NewJob(kind="tea", payload={"chatbot_id": str(tenant.chatbot_id)}, **options) for _ in range(number)]
        async with self.database.transaction(tenant.tenant_id) as connection:
            return await service.enqueue_many(connection, new, tenant_id=tenant.tenant_id)

    async def take(self, times: int = 1, **options: Any) -> str:
        """Claim without finishing: the tenants, in the order in which they are served."""
        taken = ""
        for _ in range(times):
            for job in await self.claim(**options):
                taken += self.names[job.tenant_id]
        return taken

    async def claim(
        self, *, max_priority: int = Priority.BULK, batch_size: int = 1, small_batch: int | None = None
    ) -> list[Job]:
        async with self.database.system_transaction() as connection:
            return await repository.claim_best(
                connection,
                lease=uuid4(),
                max_priority=max_priority,
                ageing_s=service.AGEING_S,
                batch_sizes={"tea": (batch_size, small_batch or batch_size)},
            )

    async def change(self, assignment: str, **values: Any) -> None:
        async with self.database.system_transaction() as connection:
            await connection.execute(text(f"update {assignment}"), values)


@pytest.fixture
async def town(kitchen: Kitchen) -> Town:
    async with kitchen.database.system_transaction() as connection:
        await connection.execute(text("delete from job_queues"))
    return Town(database=kitchen.database)


async def test_ten_thousand_files_of_one_tenant_do_not_keep_another_waiting(town: Town, make_tenant: Any) -> None:
    large, small = await make_tenant(), await make_tenant()
    await town.order(large, 10_000, priority=Priority.BULK)
    await town.take(2)
    await town.order(small, 1, priority=Priority.BULK)
    assert await town.take(2) == "BA"


async def test_tenants_take_turns(town: Town, make_tenant: Any) -> None:
    for _ in range(3):
        await town.order(await make_tenant(), 5)
    first = await town.take(3)
    assert sorted(first) == ["A", "B", "C"]
    assert sorted(await town.take(3)) == ["A", "B", "C"]
    await town.change("jobs set state = 'succeeded' where state = 'running'")
    assert await town.take(3) == first, "who was served longest ago comes first when nobody runs more"


async def test_a_users_upload_overtakes_all_bulk_jobs(town: Town, make_tenant: Any) -> None:
    tenant = await make_tenant()
    bulk = await town.order(tenant, 50, priority=Priority.BULK)
    [normal] = await town.order(tenant, priority=Priority.NORMAL)
    [upload] = await town.order(tenant, priority=Priority.USER)
    assert [(await town.claim())[0].id for _ in range(3)] == [upload.id, normal.id, bulk[0].id]


async def test_within_a_queue_the_oldest_comes_first(town: Town, make_tenant: Any) -> None:
    jobs = await town.order(await make_tenant(), 5)
    assert [(await town.claim())[0].id for _ in range(5)] == [job.id for job in jobs]


async def test_bulk_is_served_even_if_users_never_stop_uploading(town: Town, make_tenant: Any) -> None:
    tenant = await make_tenant()
    [bulk, _] = await town.order(tenant, 2, priority=Priority.BULK)
    uploads = await town.order(tenant, 20, priority=Priority.USER)
    assert (await town.claim())[0].id == uploads[0].id
    waited_s = (Priority.BULK - Priority.USER + 1) * service.AGEING_S
    await town.change(f"jobs set run_after = now() - interval '{waited_s} seconds' where priority = 8")
    assert (await town.claim())[0].id == bulk.id
    assert (await town.claim())[0].id == uploads[1].id, "it was served, and is as urgent as it was"


async def test_the_express_lane_takes_uploads_of_users_only(town: Town, make_tenant: Any) -> None:
    tenant = await make_tenant()
    await town.order(tenant, priority=Priority.BULK)
    await town.change("jobs set run_after = now() - interval '1 day'")
    assert await town.claim(max_priority=Priority.USER) == []
    [upload] = await town.order(tenant, priority=Priority.USER)
    assert [job.id for job in await town.claim(max_priority=Priority.USER)] == [upload.id]


async def test_a_job_that_is_not_yet_due_is_not_taken(town: Town, make_tenant: Any) -> None:
    await town.order(await make_tenant())
    await town.change("jobs set run_after = now() + interval '1 minute'")
    assert await town.claim() == []


async def test_workers_that_claim_at_once_get_different_jobs(town: Town, make_tenant: Any) -> None:
    tenant = await make_tenant()
    await town.order(tenant, 40)
    claimed = await asyncio.gather(*(town.claim(batch_size=4) for _ in range(12)))
    ids = [job.id for batch in claimed for job in batch]
    assert len(ids) == len(set(ids))
    assert sum(bool(batch) for batch in claimed) >= 8  # whichever of them came first


async def test_claiming_stays_fast_among_many_waiting_jobs(town: Town, make_tenant: Any) -> None:
    """Measured: p50 2.4 ms with 20,000 jobs of 50 tenants on two cores; a scan of them would take ten times as long."""
    tenants = [await make_tenant() for _ in range(10)]
    for tenant in tenants:
        await town.order(tenant, 1000, priority=Priority.BULK)
    times = []
    for _ in range(30):
        watch = Stopwatch()
        assert await town.claim()
        times.append(watch.elapsed_ms)
    assert sorted(times)[10] < 15


# ---- batches


def _batch_kind(body: Any, *, single: Any = None, size: int = 8, **options: Any) -> dict[str, JobKind]:
    return {"tea": JobKind(name="tea", body=single or _fine, batch_size=size, batch_body=body, **options)}


async def _states(town: Town, jobs: list[Job]) -> list[tuple[str, int]]:
    async with town.database.system_transaction() as connection:
        found = [await repository.find_job(connection, tenant_id=job.tenant_id, job_id=job.id) for job in jobs]
    return [(job.state.value, job.attempts) for job in found if job is not None]


async def test_a_batch_is_of_one_tenant_chatbot_and_priority(town: Town, make_tenant: Any, make_chatbot: Any) -> None:
    first = await make_tenant()
    second, other = await make_chatbot(first), await make_tenant()
    mine = await town.order(first, 3)
    await town.order(second, 3)
    await town.order(other, 3)
    await town.order(first, 3, priority=Priority.BULK)
    mine += await town.order(first, 3)
    claimed = await town.claim(batch_size=100)
    assert [job.id for job in claimed] == [job.id for job in mine]
    assert len(await town.claim(batch_size=2)) == 2


async def test_the_last_jobs_are_taken_in_small_batches_so_that_workers_share_them(
    town: Town, make_tenant: Any
) -> None:
    await town.order(await make_tenant(), 50)
    sizes = [len(await town.claim(batch_size=12, small_batch=4)) for _ in range(9)]
    assert sizes == [12, 12, 8, 5, 4, 4, 4, 1, 0]


async def test_a_batch_succeeds_together_and_each_error_is_its_own(town: Town, make_tenant: Any) -> None:
    jobs = await town.order(await make_tenant(), 5)
    seen: list[int] = []
    told: list[str] = []

    async def body(batch: Any, progress: Any) -> dict[UUID, Exception]:
        await progress("boiling", 0.5)
        seen.append(len(batch))
        return {batch[1].id: ColdKettleError(), batch[2].id: NoTeaError()}

    async def failed(job: Job, code: str, _message: str) -> None:
        told.append(f"{job.id} {code}")

    assert await service.execute_next(town.database, _batch_kind(body, on_failed=failed)) == 5
    assert seen == [5]
    states = await _states(town, jobs)
    assert states == [("succeeded", 1), ("queued", 1), ("failed", 1), ("succeeded", 1), ("succeeded", 1)]
    assert told == [f"{jobs[2].id} toy.no_tea"]


async def test_when_a_batch_breaks_its_jobs_run_alone_and_only_the_bad_one_fails(town: Town, make_tenant: Any) -> None:
    jobs = await town.order(await make_tenant(), 4)

    async def body(_batch: Any, _progress: Any) -> dict[UUID, Exception]:
        raise ValueError

    async def single(job: Job, _progress: Progress) -> None:
        if job.id == jobs[2].id:
            raise NoTeaError

    kinds = _batch_kind(body, single=single)
    assert [await service.execute_next(town.database, kinds) for _ in range(6)] == [4, 1, 1, 1, 1, 0]
    assert await _states(town, jobs) == [("succeeded", 2), ("succeeded", 2), ("failed", 2), ("succeeded", 2)]


async def test_jobs_of_a_killed_batch_run_alone(town: Town, make_tenant: Any, kitchen: Kitchen) -> None:
    await town.order(await make_tenant(), 3)
    assert len(await town.claim(batch_size=8)) == 3
    await town.change("jobs set heartbeat_at = now() - interval '1 minute'")
    await service.reap(town.database, kitchen.post)
    assert [len(await town.claim(batch_size=8)) for _ in range(4)] == [1, 1, 1, 0]


async def test_a_cancelled_job_of_a_batch_is_lost_and_the_others_succeed(
    town: Town, make_tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CANCEL_CHECK_S", 0.02)
    tenant = await make_tenant()
    jobs = await town.order(tenant, 3)
    lost: list[UUID] = []

    async def body(_batch: Any, progress: Any) -> dict[UUID, Exception]:
        await _cancel(town.database, jobs[1])
        await asyncio.sleep(0.2)
        lost.extend(progress.lost)
        return {}

    await service.execute_next(town.database, _batch_kind(body))
    assert lost == [jobs[1].id]
    assert await _states(town, jobs) == [("succeeded", 1), ("cancelled", 1), ("succeeded", 1)]


async def test_a_batch_costs_little_for_each_job(town: Town, make_tenant: Any) -> None:
    """Measured: 0.3 ms a job on two cores, claim and success together."""
    await town.order(await make_tenant(), 640)

    async def body(_batch: Any, _progress: Any) -> dict[UUID, Exception]:
        return {}

    watch = Stopwatch()
    for _ in range(10):
        assert await service.execute_next(town.database, _batch_kind(body, size=64)) == 64
    assert watch.elapsed_ms / 640 < 3


# ---- groups: pause, resume, cancel, retry


async def _group(town: Town, tenant: Any, **options: Any) -> JobGroup:
    async with town.database.transaction(tenant.tenant_id) as connection:
        return await groups.create_group(
            connection,
            tenant_id=tenant.tenant_id,
            chatbot_id=tenant.chatbot_id,
            name="Archive",
            requested_by="user:ada",
            **options,
        )


async def _cancel(database: Database, job: Job, kinds: Any = None) -> Job:
    async with database.transaction(job.tenant_id) as connection:
        return await groups.cancel_job(connection, kinds or {}, tenant_id=job.tenant_id, job_id=job.id)


async def _steer(town: Town, group: JobGroup, action: Any, *kinds: Any) -> Any:
    async with town.database.transaction(group.tenant_id) as connection:
        return await action(connection, *kinds, tenant_id=group.tenant_id, group_id=group.id)


async def _counts(town: Town, group: JobGroup) -> dict[str, int]:
    async with town.database.transaction(group.tenant_id) as connection:
        progress = await groups.progress_of(connection, tenant_id=group.tenant_id, groups=[group])
    return {state.value: number for state, number in progress[group.id].counts.items()}


async def test_a_paused_group_starts_nothing_until_it_is_resumed(town: Town, tenant: Any) -> None:
    group = await _group(town, tenant)
    await town.order(tenant, 3, group_id=group.id)
    assert (await _steer(town, group, groups.pause_group)).state is GroupState.PAUSED
    await town.order(tenant, 2, group_id=group.id)
    assert await town.claim() == []
    assert await _counts(town, group) == {"paused": 5}
    assert (await _steer(town, group, groups.resume_group)).state is GroupState.RUNNING
    assert len(await town.claim(batch_size=8)) == 5


async def test_a_job_that_fails_while_its_group_is_paused_waits_with_it(town: Town, tenant: Any) -> None:
    group = await _group(town, tenant)
    [job] = await town.order(tenant, group_id=group.id)

    async def body(_job: Job, _progress: Progress) -> None:
        await _steer(town, group, groups.pause_group)
        raise ColdKettleError

    await service.execute_next(town.database, {"tea": JobKind(name="tea", body=body)})
    assert await _states(town, [job]) == [("paused", 1)]


async def test_the_job_of_a_dead_worker_waits_with_its_paused_group(town: Town, tenant: Any, kitchen: Kitchen) -> None:
    group = await _group(town, tenant)
    [job] = await town.order(tenant, group_id=group.id)
    await town.claim()
    await _steer(town, group, groups.pause_group)
    await town.change("jobs set heartbeat_at = now() - interval '1 minute'")
    await service.reap(town.database, kitchen.post)
    assert await _states(town, [job]) == [("paused", 1)]


async def test_cancelling_a_group_stops_what_runs_within_a_second_and_tells_its_kind(town: Town, tenant: Any) -> None:
    group = await _group(town, tenant)
    jobs = await town.order(tenant, 1200, group_id=group.id)
    told: list[UUID] = []
    started, stopped = asyncio.Event(), asyncio.Event()

    async def body(_job: Job, _progress: Progress) -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()

    async def cancelled(_connection: Any, some: Any) -> None:
        told.extend(job.id for job in some)

    kinds = {"tea": JobKind(name="tea", body=body, on_cancelled=cancelled)}
    running = asyncio.create_task(service.execute_next(town.database, kinds))
    await asyncio.wait_for(started.wait(), 5)
    assert (await _steer(town, group, groups.cancel_group, kinds)).state is GroupState.CANCELLED
    watch = Stopwatch()
    await asyncio.wait_for(stopped.wait(), 5)
    assert watch.elapsed_ms < 1000
    await running
    assert told == [job.id for job in jobs]
    assert await _counts(town, group) == {"cancelled": 1200}
    with pytest.raises(GroupCancelledError):
        await town.order(tenant, group_id=group.id)


async def test_a_cancelled_job_whose_body_fails_stays_cancelled_and_tells_no_failure(
    kitchen: Kitchen,
) -> None:
    job = await kitchen.order()

    async def body(running: Job, _progress: Progress) -> None:
        await _cancel(kitchen.database, running)
        raise NoTeaError

    await kitchen.make(job, body)
    assert (await kitchen.look(job)).state is JobState.CANCELLED
    assert kitchen.failures == []


async def test_what_has_ended_cannot_be_cancelled_and_what_succeeded_cannot_be_retried(kitchen: Kitchen) -> None:
    job = await kitchen.order()
    await kitchen.make(job, _fine)
    with pytest.raises(JobNotCancellableError):
        await _cancel(kitchen.database, job)
    async with kitchen.database.transaction(job.tenant_id) as connection:
        with pytest.raises(JobNotRetryableError):
            await groups.retry_job(connection, {}, tenant_id=job.tenant_id, job_id=job.id)


async def test_a_dead_job_that_is_retried_runs_as_if_it_were_new(kitchen: Kitchen) -> None:
    job = await kitchen.order(max_attempts=1)
    told: list[UUID] = []
    await kitchen.make(job, _cold)

    async def retried(_connection: Any, some: Any) -> None:
        told.extend(each.id for each in some)

    kinds = {"tea": JobKind(name="tea", body=_fine, on_retried=retried)}
    async with kitchen.database.transaction(job.tenant_id) as connection:
        again = await groups.retry_job(connection, kinds, tenant_id=job.tenant_id, job_id=job.id)
    assert (again.state, again.attempts, again.error_code) == (JobState.QUEUED, 0, None)
    assert told == [job.id]
    await kitchen.make(job, _fine)
    assert (await kitchen.look(job)).state is JobState.SUCCEEDED


async def test_a_group_is_finished_when_all_that_was_expected_has_ended_and_a_retry_reopens_it(
    town: Town, tenant: Any
) -> None:
    group = await _group(town, tenant, expected_jobs=3)
    await town.order(tenant, 2, group_id=group.id, max_attempts=1)
    kinds = {"tea": JobKind(name="tea", body=_cold)}
    while await service.execute_next(town.database, kinds):
        pass
    assert await groups.finish_groups(town.database) == 0, "one is still to come"
    await town.order(tenant, 1, group_id=group.id)
    assert await groups.finish_groups(town.database) == 0, "one still waits"
    await service.execute_next(town.database, {"tea": JobKind(name="tea", body=_fine)})
    assert await groups.finish_groups(town.database) == 1
    assert await _counts(town, group) == {"failed": 2, "succeeded": 1}
    assert len(await _steer(town, group, groups.retry_failed_of_group, {})) == 2
    async with town.database.transaction(group.tenant_id) as connection:
        reopened = await groups.get_group(connection, tenant_id=group.tenant_id, group_id=group.id)
    assert (reopened.state, reopened.finished_at) == (GroupState.RUNNING, None)


async def test_a_group_of_unknown_size_is_finished_when_it_has_been_quiet(town: Town, tenant: Any) -> None:
    group = await _group(town, tenant)
    await town.order(tenant, 1, group_id=group.id)
    await service.execute_next(town.database, {"tea": JobKind(name="tea", body=_fine)})
    assert await groups.finish_groups(town.database) == 0
    old = "interval '5 minutes' where id = :id"
    await town.change(f"job_groups set updated_at = updated_at - {old}", id=group.id)
    assert await groups.finish_groups(town.database) == 0
    await town.change(
        "jobs set created_at = created_at - interval '5 minutes', finished_at = finished_at - interval '5 minutes'"
    )
    assert await groups.finish_groups(town.database) == 1
    await asyncio.gather(*(town.order(tenant, 1, group_id=group.id) for _ in range(3)))
    assert await groups.finish_groups(town.database) == 0
    async with town.database.transaction(group.tenant_id) as connection:
        again = await groups.get_group(connection, tenant_id=group.tenant_id, group_id=group.id)
    assert again.state is GroupState.RUNNING, "more came"


async def test_a_group_is_kept_a_month_with_its_jobs_and_failed_jobs_longer(town: Town, tenant: Any) -> None:
    group = await _group(town, tenant)
    good, bad = await town.order(tenant, 2, group_id=group.id, max_attempts=1)
    await service.execute_next(town.database, {"tea": JobKind(name="tea", body=_fine)})
    await service.execute_next(town.database, {"tea": JobKind(name="tea", body=_cold)})
    await town.change("jobs set finished_at = finished_at - interval '20 days'")
    await town.change("job_groups set state = 'finished', finished_at = now() - interval '20 days'")
    await service.sweep(town.database)
    assert await _states(town, [good, bad]) == [("succeeded", 1), ("failed", 1)]
    await town.change("job_groups set finished_at = now() - interval '31 days'")
    await service.sweep(town.database)
    assert await _states(town, [good]) == []
    async with town.database.system_transaction() as connection:
        left = await repository.find_job(connection, tenant_id=bad.tenant_id, job_id=bad.id)
    assert left is not None
    assert (left.state, left.group_id) == (JobState.FAILED, None)


async def test_another_tenant_cannot_touch_a_group_or_a_job(town: Town, make_tenant: Any) -> None:
    tenant, other = await make_tenant(), await make_tenant()
    group = await _group(town, tenant)
    [job] = await town.order(tenant, group_id=group.id)
    async with town.database.transaction(other.tenant_id) as connection:
        for tenant_id in (tenant.tenant_id, other.tenant_id):
            with pytest.raises(GroupNotFoundError):
                await groups.pause_group(connection, tenant_id=tenant_id, group_id=group.id)
            with pytest.raises(JobNotFoundError):
                await groups.cancel_job(connection, {}, tenant_id=tenant_id, job_id=job.id)
        with pytest.raises(GroupNotFoundError):
            await service.enqueue(connection, tenant_id=other.tenant_id, kind="tea", payload={}, group_id=group.id)


# ---- the slots of a worker


@asynccontextmanager
async def _draining(town: Town, kinds: Any, **options: Any) -> AsyncIterator[Drain]:
    drain = Drain(town.database, kinds, **{"slots": 2, "express_slots": 1, **options})
    running = asyncio.create_task(drain.run())
    try:
        yield drain
    finally:
        drain.stop()
        await asyncio.wait_for(running, 10)


async def _until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_worker_drains_all_jobs_without_a_single_message(town: Town, tenant: Any) -> None:
    done: list[UUID] = []

    async def body(job: Job, _progress: Progress) -> None:
        done.append(job.id)

    jobs = await town.order(tenant, 30)
    async with _draining(town, {"tea": JobKind(name="tea", body=body)}):
        await _until(lambda: len(done) == 30)
        jobs += await town.order(tenant, 1)  # nobody is told
        await _until(lambda: len(done) == 31)
    assert sorted(done) == [job.id for job in jobs]


async def test_a_message_wakes_an_idle_worker_at_once(town: Town, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain_module, "POLL_S", 60.0)
    done: list[UUID] = []

    async def body(job: Job, _progress: Progress) -> None:
        done.append(job.id)

    async with _draining(town, {"tea": JobKind(name="tea", body=body)}) as drain:
        await asyncio.sleep(0.2)
        [job] = await town.order(tenant)
        await drain.wake(job.priority)
        await _until(lambda: done == [job.id], 2.0)


async def test_an_upload_runs_at_once_beside_long_bulk_jobs(town: Town, tenant: Any) -> None:
    release, done = asyncio.Event(), list[int]()

    async def body(job: Job, _progress: Progress) -> None:
        if job.priority == Priority.BULK:
            await release.wait()
        done.append(job.priority)

    await town.order(tenant, 4, priority=Priority.BULK)
    async with _draining(town, {"tea": JobKind(name="tea", body=body)}):
        await asyncio.sleep(0.2)
        await town.order(tenant, 1, priority=Priority.USER)
        await _until(lambda: done == [Priority.USER])
        release.set()
        await _until(lambda: len(done) == 5)


async def test_a_worker_that_is_stopped_brings_its_jobs_to_their_end_and_starts_no_more(
    town: Town, tenant: Any
) -> None:
    started, done = list[UUID](), list[UUID]()

    async def body(job: Job, _progress: Progress) -> None:
        started.append(job.id)
        await asyncio.sleep(0.3)
        done.append(job.id)

    await town.order(tenant, 10)
    async with _draining(town, {"tea": JobKind(name="tea", body=body)}):
        await _until(lambda: len(started) == 2)
    assert started == done
    assert len(done) == 2


# ---- those who watch


@pytest.fixture
async def feed(cache_url: str) -> AsyncIterator[tuple[SignalBoard, LiveFeed, Cache]]:
    cache = Cache(cache_url)
    board, feed = SignalBoard(cache), LiveFeed(cache)
    telling = asyncio.create_task(board.run())
    yield board, feed, cache
    telling.cancel()
    await feed.close()
    await cache.close()


async def _hear(listener: Listener, wanted: Callable[[Heard], bool], timeout_s: float = 5.0) -> Heard:
    async with asyncio.timeout(timeout_s):
        while not wanted(heard := await listener.wait(1.0)):
            pass
    return heard


async def test_who_listens_hears_signals_and_events_of_its_tenant_only(
    town: Town, make_tenant: Any, kitchen: Kitchen, feed: Any
) -> None:
    board, live, cache = feed
    mine, other = await make_tenant(), await make_tenant()
    document_id = uuid4()
    async with live.listen(mine.tenant_id) as listener, live.listen(other.tenant_id) as stranger:
        for each in (listener, stranger):
            await _hear(each, lambda heard: heard.missed)
        await asyncio.sleep(0.3)
        for each in (listener, stranger):
            await each.wait(0.0)
        [job] = await town.order(mine, 1, subject_id=document_id)

        async def body(_job: Job, progress: Progress) -> None:
            await progress("boiling", 0.5)
            await asyncio.sleep(0.5)

        await service.execute_next(town.database, {"tea": JobKind(name="tea", body=body)}, board=board)
        async with town.database.transaction(mine.tenant_id) as connection:
            await service.emit(connection, tenant_id=mine.tenant_id, topic="tea.made", payload={"cups": 2})
        await service.publish_events(town.database, cache)
        heard = await _hear(listener, lambda heard: bool(heard.events))
        assert [(event.topic, event.payload) for event in heard.events] == [("tea.made", {"cups": 2})]
        signals = {(signal.job_id, signal.subject_id, signal.step) for signal in heard.signals}
        assert (job.id, document_id, "boiling") in signals
        nothing = await stranger.wait(0.2)
        assert (nothing.signals, nothing.events, nothing.missed) == ((), (), False)


async def test_who_listens_slowly_loses_signals_but_knows_of_each_missed_event(tenant: Any) -> None:
    listener = Listener(is_connected=True)
    await listener.wait(0.0)
    for number in range(2500):
        listener.hear_event(LiveEvent(id=uuid4(), topic="tea.made", payload={"number": number}))
    heard = await listener.wait(1.0)
    assert heard.missed
    assert len(heard.events) <= 1000


async def test_while_valkey_is_away_a_listener_is_told_to_read_and_no_job_waits_for_it(town: Town, tenant: Any) -> None:
    cache = Cache("redis://127.0.0.1:1/0")
    board, live = SignalBoard(cache), LiveFeed(cache)
    telling = asyncio.create_task(board.run())
    await town.order(tenant, 20)

    async def body(_job: Job, progress: Progress) -> None:
        await progress("boiling", 0.5)

    async with live.listen(tenant.tenant_id) as listener:
        assert (await listener.wait(1.0)).missed
        watch = Stopwatch()
        while await service.execute_next(town.database, {"tea": JobKind(name="tea", body=body)}, board=board):
            pass
        assert watch.elapsed_ms < 2000
        assert (await _hear(listener, lambda heard: heard.missed)).missed
    telling.cancel()
    await live.close()
    await cache.close()


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


async def test_events_wait_while_the_stream_cannot_be_written_and_lose_nothing(kitchen: Kitchen, cache: Cache) -> None:
    await _emit(kitchen, 1, 2)
    await cache.client.set(service.EVENT_STREAM, "not a stream")
    with pytest.raises(RedisError):
        await service.publish_events(kitchen.database, cache)
    await cache.client.delete(service.EVENT_STREAM)
    await _emit(kitchen, 3)
    assert await service.publish_events(kitchen.database, cache) == 3
    assert await _published(cache) == ['{"number": 1}', '{"number": 2}', '{"number": 3}']
