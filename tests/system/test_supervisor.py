"""Real PostgreSQL and Valkey, toy roles: starts, crashes, kills, leftovers, homes side by side."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from dragoman.entrypoints.embedded import EmbeddedPostgres, EmbeddedValkey
from dragoman.entrypoints.home import SUPERVISED_HOME, AlreadyRunningError, InstanceHome, write_private_json
from dragoman.entrypoints.supervisor import (
    Child,
    ChildNotStartedError,
    Service,
    StopStep,
    Supervisor,
    child_environment,
    rotate_log,
)
from dragoman.entrypoints.up import PortInUseError, check_port_is_free

TOY_INSTANCE = Path(__file__).with_name("toy_instance.py")
SLEEP = (sys.executable, "-c", "import time\nwhile True: time.sleep(1)")
STARTS_WITHIN_S = 30.0
ENDS_WITHIN_S = 15.0


@pytest.fixture
def home_path() -> Iterator[Path]:
    """A short path: that of `tmp_path` may be too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="dgm", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "home"


@pytest.fixture
def home(home_path: Path) -> InstanceHome:
    home = InstanceHome(home_path)
    home.prepare()
    return home


@pytest.fixture
async def postgres(home: InstanceHome) -> AsyncIterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(home)
    await postgres.start()
    try:
        yield postgres
    finally:
        await postgres.stop()


@pytest.fixture
async def supervisor(home: InstanceHome) -> AsyncIterator[tuple[Supervisor, list[str]]]:
    told: list[str] = []
    supervisor = Supervisor(home, told.append)
    try:
        yield supervisor, told
    finally:
        await supervisor.stop()


class Instance:
    """A toy instance in a process of its own."""

    def __init__(self, home: Path, port: int | None = None) -> None:
        self.home = home
        self.port = port or free_port()
        home.parent.mkdir(parents=True, exist_ok=True)
        self._output_file = home.parent / f"{home.name}-{time.monotonic_ns()}.out"
        with self._output_file.open("w") as output:
            command = (sys.executable, str(TOY_INSTANCE), str(home), str(self.port))
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        self.wait_for_output("Ask it:")

    @property
    def output(self) -> str:
        return self._output_file.read_text()

    @property
    def admin_url(self) -> str:
        return EmbeddedPostgres(self.home).admin_url

    def wait_for_output(self, text: str) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def pid_of(self, role: str) -> int:
        return int(json.loads((self.home / "run" / "processes.json").read_text())[role]["pid"])

    def stop(self) -> float:
        """Seconds that the stop took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=ENDS_WITHIN_S)
        return time.monotonic() - started


@pytest.fixture
def instances() -> Iterator[list[Instance]]:
    started: list[Instance] = []
    yield started
    for each in started:
        each.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def is_gone(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def wait_until(condition: Callable[[], object], within_s: float = STARTS_WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


async def until(condition: Callable[[], object], within_s: float = STARTS_WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


def orphan(command: Sequence[str], environment: dict[str, str], **options: Any) -> psutil.Popen:
    """A process in a session of its own that no supervisor holds."""
    return psutil.Popen(command, env=environment, start_new_session=True, **options)


def account(user: str | None) -> dict[str, Any]:
    return {"user": user, "group": user, "extra_groups": [], "cwd": "/"} if user else {}


# --- PostgreSQL and Valkey by themselves ---


async def test_a_new_database_has_vectors_passwords_durability_and_no_tcp_port(postgres: EmbeddedPostgres) -> None:
    names = "'fsync', 'synchronous_commit', 'listen_addresses', 'server_encoding'"
    settings: dict[str, str] = dict(
        execute(postgres.admin_url, f"select name, setting from pg_settings where name in ({names})")
    )

    assert settings == {"fsync": "on", "synchronous_commit": "on", "listen_addresses": "", "server_encoding": "UTF8"}
    assert execute(postgres.admin_url, "select '[1,2]'::vector <-> '[1,3]'::vector") == [(1.0,)]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.admin_url.replace("postgres:", "postgres:wrong"))


async def test_a_restart_finds_the_data(home: InstanceHome) -> None:
    first = EmbeddedPostgres(home)
    await first.start()
    execute(first.admin_url, "create table kept as select 7 as n")
    await first.stop()

    second = EmbeddedPostgres(home)
    await second.start()
    try:
        assert execute(second.admin_url, "select n from kept") == [(7,)]
    finally:
        await second.stop()


async def test_a_half_made_database_is_made_again(home: InstanceHome) -> None:
    (home.path / "postgres.new").mkdir()
    (home.path / "postgres.new" / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(home)

    await postgres.start()

    assert execute(postgres.admin_url, "select 1") == [(1,)]
    await postgres.stop()


async def test_an_orphaned_postmaster_of_this_home_is_ended_before_ours_starts(home: InstanceHome) -> None:
    first = EmbeddedPostgres(home)
    await first.start()
    await first.stop()
    service = first.service()
    left = orphan(service.command, dict(os.environ), **account(service.user))  # neither leash nor mark
    await until((home.socket_dir / "pg" / ".s.PGSQL.5432").exists)

    second = EmbeddedPostgres(home)
    await second.start()
    try:
        assert is_gone(left)
        assert execute(second.admin_url, "select 1") == [(1,)]
    finally:
        await second.stop()
        left.wait()


async def test_busy_backends_of_a_killed_postmaster_do_not_keep_it_from_starting(home: InstanceHome) -> None:
    first = EmbeddedPostgres(home)
    await first.start()
    busy = psycopg.connect(first.admin_url, autocommit=True)
    backend = psutil.Process(busy.info.backend_pid)
    running = asyncio.create_task(
        asyncio.to_thread(busy.execute, b"select count(*) from generate_series(1, 1e9::bigint)")
    )
    await asyncio.sleep(0.5)
    backend.parent().kill()  # type: ignore[union-attr]
    await asyncio.sleep(0.5)
    assert not is_gone(backend)

    second = EmbeddedPostgres(home)
    await second.start()
    try:
        assert is_gone(backend)
        assert execute(second.admin_url, "select 1") == [(1,)]
    finally:
        await second.stop()
        await first.stop()
        with pytest.raises(psycopg.OperationalError):
            await running
        busy.close()


async def test_a_long_home_path_still_has_room_for_sockets(home_path: Path) -> None:
    home = InstanceHome(home_path / ("long" * 30) / "home")
    home.prepare()
    postgres, valkey = EmbeddedPostgres(home), EmbeddedValkey(home)
    await postgres.start()
    await valkey.start()
    try:
        assert execute(postgres.admin_url, "select 1") == [(1,)]
        with redis.Redis.from_url(valkey.cache_url) as client:
            assert client.ping()
        assert stat.S_IMODE(home.socket_dir.stat().st_mode) & 0o066 == 0
    finally:
        await valkey.stop()
        await postgres.stop()
        shutil.rmtree(home.socket_dir)


async def test_odd_characters_in_the_home_path_survive_in_every_url(home_path: Path) -> None:
    home = InstanceHome(home_path / "a b#c@d%2,é")
    home.prepare()
    postgres, valkey = EmbeddedPostgres(home), EmbeddedValkey(home)
    await postgres.start()
    await valkey.start()
    try:
        assert execute(postgres.admin_url, "select 1") == [(1,)]
        with redis.Redis.from_url(valkey.cache_url) as client:
            assert client.ping()
    finally:
        await valkey.stop()
        await postgres.stop()


async def test_celery_can_use_the_broker_url(home: InstanceHome) -> None:
    from kombu.connection import Connection

    valkey = EmbeddedValkey(home)
    await valkey.start()
    try:
        with Connection(valkey.broker_url) as connection:  # type: ignore[no-untyped-call]
            queue = connection.SimpleQueue("jobs")
            queue.put({"id": 1})
            assert queue.get(timeout=5).payload == {"id": 1}
            queue.close()
    finally:
        await valkey.stop()


async def test_valkey_starts_empty_when_its_file_is_beyond_repair(
    home: InstanceHome, supervisor: tuple[Supervisor, list[str]]
) -> None:
    folder = home.path / "valkey" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("nonsense\n")
    valkey = EmbeddedValkey(home)

    await supervisor[0].start(valkey.service())

    with redis.Redis.from_url(valkey.cache_url) as client:
        assert client.ping()
    assert (home.path / "valkey" / "appendonlydir.damaged").exists()


# --- The supervisor ---


async def test_a_killed_postgres_is_started_again_and_keeps_what_was_committed(
    home: InstanceHome, supervisor: tuple[Supervisor, list[str]]
) -> None:
    keeper, told = supervisor
    postgres = EmbeddedPostgres(home)
    await keeper.start(postgres.service())
    await postgres.ensure_database()
    execute(postgres.admin_url, "create table kept as select 7 as n")
    killed = keeper.pid_of("postgres")
    assert killed is not None

    os.kill(killed, signal.SIGKILL)
    await until(lambda: "postgres runs again." in told)

    assert keeper.pid_of("postgres") != killed
    assert execute(postgres.admin_url, "select n from kept") == [(7,)]
    assert "postgres ended unexpectedly with SIGKILL" in told[0]


async def test_repeated_crashes_are_reported_with_the_end_of_the_log(supervisor: tuple[Supervisor, list[str]]) -> None:
    keeper, told = supervisor
    crash = "print('the reason'); raise SystemExit(3)"

    await keeper.start(Service(role="worker", command=(sys.executable, "-c", crash)))
    await until(lambda: any("2 times in a row" in message and "the reason" in message for message in told))

    assert "worker ended unexpectedly with exit code 3.\nStarting it again in 1 s." in told


async def test_a_child_that_never_becomes_ready_is_an_error_that_shows_its_log(
    supervisor: tuple[Supervisor, list[str]],
) -> None:
    async def never(pid: int) -> bool:
        return False

    crash = (sys.executable, "-c", "print('no such setting'); raise SystemExit(1)")
    with pytest.raises(ChildNotStartedError, match=r"(?s)api ended with exit code 1.*no such setting"):
        await supervisor[0].start(Service(role="api", command=crash, is_ready=never))


async def test_descendants_end_with_their_crashed_parent(home: InstanceHome) -> None:
    program = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    child = Child(Service(role="worker", command=(sys.executable, "-c", program + "time.sleep(60)")), home)
    leader = psutil.Process(child.pid)
    await until(leader.children)
    (descendant,) = leader.children()

    leader.kill()
    await until(lambda: child.poll() is not None)
    await until(lambda: is_gone(descendant))


async def test_a_child_that_ignores_sigterm_is_killed_after_its_limit(home: InstanceHome) -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    steps = (StopStep(signal=signal.SIGTERM, limit_s=0.3),)
    child = Child(Service(role="worker", command=(sys.executable, "-c", program), stop_steps=steps), home)
    await until(lambda: "deaf" in (home.log_dir / "worker.log").read_text())

    await child.stop()

    assert child.ending == "SIGKILL"


def test_a_log_beyond_ten_megabytes_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_bytes(b"x" * (10 * 1024 * 1024 + 1))

    rotate_log(log)

    assert log.stat().st_size == 0
    assert (tmp_path / "api.log.1").stat().st_size > 10 * 1024 * 1024


# --- What a killed supervisor leaves behind ---


async def test_only_processes_of_this_home_count_as_left_behind(home: InstanceHome, home_path: Path) -> None:
    other = InstanceHome(home_path / "other")
    plain = {name: value for name, value in os.environ.items() if name != SUPERVISED_HOME}
    marked = orphan(SLEEP, child_environment(home, {}))
    recorded = orphan(SLEEP, plain)
    home.record_process("worker", recorded.pid, SLEEP)
    foreign = orphan(SLEEP, child_environment(other, {}))
    unrelated = orphan(SLEEP, plain | {"DRAGOMAN_HOME": str(home.path)})  # somebody's shell
    reused = orphan(SLEEP, plain)
    entry = {"pid": reused.pid, "create_time": reused.create_time() - 60, "command": list(SLEEP)}
    known = json.loads((home.run_dir / "processes.json").read_text())
    write_private_json(home.run_dir / "processes.json", known | {"api": entry})
    try:
        assert await home.stop_leftovers() == 2
        assert [is_gone(each) for each in (marked, recorded)] == [True, True]
        assert [is_gone(each) for each in (foreign, unrelated, reused)] == [False, False, False]
    finally:
        for each in (foreign, unrelated, reused):
            each.kill()
        for each in (marked, recorded, foreign, unrelated, reused):
            each.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a child to the life of its parent")
def test_after_a_kill_of_the_supervisor_its_children_end_by_themselves(
    home_path: Path, instances: list[Instance]
) -> None:
    instances.append(instance := Instance(home_path))
    children = instance.children()
    assert len(children) >= 6

    instance.process.kill()
    instance.process.wait()

    wait_until(lambda: all(is_gone(each) for each in children), within_s=ENDS_WITHIN_S)


def test_after_a_kill_of_the_supervisor_the_next_start_is_clean_and_finds_its_data(
    home_path: Path, instances: list[Instance]
) -> None:
    instances.append(first := Instance(home_path))
    execute(first.admin_url, "create table kept as select 7 as n")
    children = first.children()
    first.process.kill()
    first.process.wait()

    instances.append(second := Instance(home_path, first.port))

    assert all(is_gone(each) for each in children)
    assert execute(second.admin_url, "select n from kept") == [(7,)]


def test_after_a_kill_of_all_processes_at_once_the_next_start_finds_its_data(
    home_path: Path, instances: list[Instance]
) -> None:
    instances.append(first := Instance(home_path))
    execute(first.admin_url, "create table kept as select 7 as n")
    for process in (psutil.Process(first.process.pid), *first.children()):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    first.process.wait()

    instances.append(second := Instance(home_path, first.port))

    assert execute(second.admin_url, "select n from kept") == [(7,)]


# --- A whole instance ---


def test_sigterm_stops_every_child_and_a_later_start_does_not_seed_again(
    home_path: Path, instances: list[Instance]
) -> None:
    instances.append(first := Instance(home_path))
    server = json.loads((home_path / "run" / "server.json").read_text())
    children = first.children()
    took_s = first.stop()
    instances.append(second := Instance(home_path))

    assert server == {"url": f"http://127.0.0.1:{first.port}", "pid": first.process.pid}
    assert took_s < ENDS_WITHIN_S
    assert first.process.returncode == 0
    assert all(is_gone(each) for each in children)
    assert "two.md" in first.output
    assert "two.md" not in second.output
    demo = json.loads((home_path / "demo.json").read_text())
    assert demo == {
        "url": f"http://127.0.0.1:{second.port}",
        "api_key": "dgm_toy",
        "chatbot_id": "toy",
        "question": "What's the return period?",
    }
    second.stop()
    assert not (home_path / "run" / "server.json").exists()


def test_files_with_secrets_are_for_us_only(home_path: Path, instances: list[Instance]) -> None:
    instances.append(Instance(home_path))

    for name in ("secrets.json", "demo.json", "run/server.json", "logs/api.log"):
        assert stat.S_IMODE((home_path / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(home_path.stat().st_mode) in {0o700, 0o711}  # passable for root's PostgreSQL account


def test_two_homes_run_side_by_side_and_the_end_of_one_leaves_the_other(
    home_path: Path, instances: list[Instance]
) -> None:
    instances.append(one := Instance(home_path))
    instances.append(two := Instance(home_path.with_name("second")))
    execute(one.admin_url, "create table mine as select 1 as n")
    children = two.children()

    one.stop()

    assert not any(is_gone(each) for each in children)
    assert execute(two.admin_url, "select to_regclass('mine')") == [(None,)]


def test_a_second_start_in_one_home_names_the_first(home: InstanceHome) -> None:
    with (
        home.locked(),
        pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"),
        InstanceHome(home.path).locked(),
    ):
        pytest.fail("two held the lock")


def test_a_taken_port_is_an_error_that_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortInUseError, match="DRAGOMAN_PORT"):
            check_port_is_free(taken.getsockname()[1])
