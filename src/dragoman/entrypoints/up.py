"""`dragoman up`: the whole of Dragoman on one machine, with embedded PostgreSQL and Valkey, until Ctrl-C.

In order: lock the home, end what a crash left behind, start the stores, migrate, start the roles, wait for `/readyz`,
ingest the sample once, say how to use it. PostgreSQL, Valkey and the embedder start side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import psycopg
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from dragoman.entrypoints.embedded import EmbeddedPostgres, EmbeddedValkey
from dragoman.entrypoints.home import FIRST_USER, InstanceHome, read_json, write_private_json
from dragoman.entrypoints.resources import resource_path
from dragoman.entrypoints.supervisor import Report, Service, StopStep, Supervisor, child_environment
from dragoman.kit.errors import ConflictError, DragomanError

_HOST = "127.0.0.1"
_PARENT_POLL_S = 0.5

ProgressCallback = Callable[[int, int, str], None]
"""Called as (done, total, what is done now)."""


class PortInUseError(ConflictError):
    """The port is taken by another program. Set DRAGOMAN_PORT to a free one."""

    code = "up.port_in_use"


class MigrationError(DragomanError):
    """The database could not be migrated. The message shows why; nothing was started on it."""

    code = "up.migration"


class UpSettings(Protocol):
    """What `up` needs of the settings. A URL that is None means: the embedded one."""

    @property
    def home(self) -> Path: ...
    @property
    def port(self) -> int: ...
    @property
    def api_processes(self) -> int: ...
    @property
    def worker_processes(self) -> int: ...
    @property
    def metrics_port(self) -> int | None: ...
    @property
    def database_url(self) -> str | None: ...
    @property
    def cache_url(self) -> str | None: ...
    @property
    def broker_url(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UpContext:
    """A running instance: where it answers, and where its parts are."""

    home: Path
    url: str
    port: int
    database_url: str
    cache_url: str
    broker_url: str
    embedder_socket: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the roles find each other."""
        return {
            "DRAGOMAN_HOME": str(self.home),
            "DRAGOMAN_PORT": str(self.port),
            "DRAGOMAN_DATABASE_URL": self.database_url,
            "DRAGOMAN_CACHE_URL": self.cache_url,
            "DRAGOMAN_BROKER_URL": self.broker_url,
            "DRAGOMAN_EMBEDDER_SOCKET": str(self.embedder_socket),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoInfo:
    """What a first question needs; the content of `demo.json`."""

    url: str
    api_key: str
    chatbot_id: str
    question: str


def role_command(role: str) -> Sequence[str]:
    """How a role is started: by this interpreter, from this installation."""
    return (sys.executable, "-m", "dragoman", role)


def upgrade_in_a_child(context: UpContext) -> None:
    """Migrate by `dragoman db upgrade` in a process of its own: Alembic's 50 MiB would stay in ours for good.

    Where the database is at the newest revision already, that process, which takes two seconds, is not started.

    Raises:
        MigrationError: it failed.
    """
    if _is_migrated(context.database_url):
        return
    command = ["-m", "dragoman", "db", "upgrade"]
    environment = child_environment(InstanceHome(context.home), context.environment)
    result = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)  # noqa: S603 -- our own program
    if result.returncode != 0:
        raise MigrationError(f"The database could not be migrated:\n{(result.stderr or result.stdout).strip()[-3000:]}")


def _is_migrated(database_url: str) -> bool:
    """Whether the database is at the newest revision by its own record and by the numbers of the migrations' files."""
    newest = max(file.name.split("_")[0] for file in (resource_path("migrations") / "versions").glob("[0-9]*_*.py"))
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            row = connection.execute("select version_num from alembic_version").fetchone()
    except psycopg.Error:  # no such table yet, or no such server: the upgrade itself says which
        return False
    return row is not None and row[0] == newest


def curl_command(demo: DemoInfo) -> str:
    """A command to paste into a shell that opens a conversation and streams the answer to the first question."""
    sessions = f"{demo.url}/api/chatbot/sessions/"
    headers = f"-H 'Authorization: Bearer {demo.api_key}' -H 'Content-Type: application/json'"
    session = json.dumps({"chatbot_id": demo.chatbot_id})
    message = shlex.quote(json.dumps({"message": demo.question}, ensure_ascii=False))
    return (
        f"""SESSION=$(curl -s {sessions} {headers} -d '{session}' | cut -d'"' -f4)\n"""
        f"curl -sN {sessions}$SESSION/messages/stream/ {headers} -d {message}"
    )


async def _no_link(_: UpContext) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpHooks:
    """What `up` is given by its caller.

    Attributes:
        seed: makes the sample of the first start; it may be repeated after an interruption.
        upgrade: brings the database to the present schema; runs in a thread.
        command: how a role is started.
        roles: which roles run beside the embedder.
        first_command: a command to paste into a shell that asks the first question.
        first_link: a link by which the first user chooses a password; None: it is chosen.
    """

    seed: Callable[[UpContext, ProgressCallback], Awaitable[DemoInfo]]
    upgrade: Callable[[UpContext], None] = upgrade_in_a_child
    command: Callable[[str], Sequence[str]] = role_command
    roles: Sequence[str] = ("worker", "scheduler", "api")
    first_command: Callable[[DemoInfo], str] = curl_command
    first_link: Callable[[UpContext], Awaitable[str | None]] = _no_link


def run_up(settings: UpSettings, *, hooks: UpHooks, sample: bool = True, quiet: bool = False) -> int:
    """Run everything until SIGINT, SIGTERM or SIGHUP; 0 when it ended so.

    Args:
        settings: home, port and outside servers.
        hooks: what the caller supplies.
        sample: ingest the sample knowledge at the first start.
        quiet: print nothing but errors.

    Raises:
        AlreadyRunningError, PortInUseError, ChildNotStartedError, EmbeddedServiceError, MigrationError: it did not
            start; all that was started is stopped again.
    """
    return asyncio.run(_up(settings, hooks, _Screen(quiet=quiet), sample=sample))


async def _up(settings: UpSettings, hooks: UpHooks, screen: _Screen, *, sample: bool) -> int:
    stopping = asyncio.Event()
    _stop_on_signals(stopping)
    serving = asyncio.create_task(_serve(settings, hooks, screen, sample=sample))
    waiting = [asyncio.create_task(stopping.wait()), asyncio.create_task(_until_make_ends())]
    await asyncio.wait([serving, *waiting], return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    if not serving.done():
        screen.say("Stopping …")
        serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    screen.say("Stopped.")
    return 0


async def _serve(settings: UpSettings, hooks: UpHooks, screen: _Screen, *, sample: bool) -> None:
    started = time.monotonic()
    async with running_instance(settings, hooks, screen.say) as context:
        screen.say(f"Ready at {context.url} after {time.monotonic() - started:.1f} s.")
        demo = await _demo(context, hooks, screen, sample=sample)
        screen.welcome(context, demo)
        if demo is not None:
            screen.first_steps(demo, hooks.first_command, await _link_of_first_user(context, hooks, screen))
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def running_instance(settings: UpSettings, hooks: UpHooks, report: Report) -> AsyncIterator[UpContext]:
    """A whole instance while the block runs; whatever was started is ended with it, also by an error or a cancel.

    Raises: as `run_up`.
    """
    home = InstanceHome(settings.home)
    home.prepare()
    with home.locked():
        if count := await home.stop_leftovers():
            report(f"Ended {count} processes that an earlier, killed start had left behind.")
        check_port_is_free(settings.port)
        supervisor = Supervisor(home, report)
        server_file = home.run_dir / "server.json"
        try:
            context = await _start(settings, hooks, home, supervisor, report)
            write_private_json(server_file, {"url": context.url, "pid": os.getpid()})
            yield context
        finally:
            server_file.unlink(missing_ok=True)
            await supervisor.stop()


async def _start(
    settings: UpSettings, hooks: UpHooks, home: InstanceHome, supervisor: Supervisor, report: Report
) -> UpContext:
    postgres = None if settings.database_url else EmbeddedPostgres(home, report)
    valkey = None if settings.cache_url else EmbeddedValkey(home)
    cache_url = valkey.cache_url if valkey else settings.cache_url or ""
    context = UpContext(
        home=home.path,
        url=f"http://{_HOST}:{settings.port}",
        port=settings.port,
        database_url=postgres.admin_url if postgres else settings.database_url or "",
        cache_url=cache_url,
        broker_url=settings.broker_url or (valkey.broker_url if valkey else cache_url),
        embedder_socket=home.socket_dir / "embedder.sock",
    )

    async def start_stores_and_roles() -> None:
        await _together(_start_database(postgres, supervisor, hooks, context, report), _start_cache(valkey, supervisor))
        report(f"Starting {', '.join(hooks.roles)} …")
        services = [_role_service(role, hooks, context, settings.metrics_port) for role in hooks.roles]
        if settings.api_processes > 1:
            services = _with_further_apis(services, settings.api_processes, home)
        services += _further_workers(services, settings.worker_processes, settings.metrics_port)
        await _together(*map(supervisor.start, services))

    await _together(
        start_stores_and_roles(), supervisor.start(_embedder_service(hooks, context, settings.metrics_port))
    )
    return context


async def _start_database(
    postgres: EmbeddedPostgres | None, supervisor: Supervisor, hooks: UpHooks, context: UpContext, report: Report
) -> None:
    if postgres is not None:
        is_new = not (context.home / "postgres").exists()
        report("Making the database …" if is_new else "Starting PostgreSQL and Valkey …")
        await supervisor.start(postgres.service())
        await postgres.ensure_database()
    await asyncio.to_thread(hooks.upgrade, context)


async def _start_cache(valkey: EmbeddedValkey | None, supervisor: Supervisor) -> None:
    if valkey is not None:
        await supervisor.start(valkey.service())


_SCRAPED = ("api", "worker", "scheduler", "embedder")
_METRICS_PORT = "DRAGOMAN_METRICS_PORT"


def _metrics_environment(role: str, first_port: int | None) -> dict[str, str]:
    """Each role's own port for `/metrics`, counted up from the one that is set."""
    if first_port is None or role not in _SCRAPED:
        return {}
    return {_METRICS_PORT: str(first_port + _SCRAPED.index(role))}


def _role_service(role: str, hooks: UpHooks, context: UpContext, metrics_port: int | None) -> Service:
    async def answers(_pid: int) -> bool:
        return await _is_ready_over_http(context.port)

    return Service(
        role=role,
        command=hooks.command(role),
        environment={**context.environment, **_metrics_environment(role, metrics_port)},
        is_ready=answers if role == "api" else None,
        stop_steps=(StopStep(signal=signal.SIGTERM, limit_s=6.0),),
        tier=2,
    )


def _with_further_apis(services: Sequence[Service], processes: int, home: InstanceHome) -> list[Service]:
    """More of the API on its port, if it is among them: which process answers a request cannot be chosen."""
    from dragoman.entrypoints.shared_metrics import new_folder  # noqa: PLC0415 -- 6 MiB that one process does not need

    metrics = new_folder(home.run_dir / "metrics")
    more: list[Service] = []
    for service in services:
        if service.role != "api":
            more.append(service)
            continue
        first = replace(service, environment={**service.environment, **metrics})
        further = replace(first, environment={**first.environment, _METRICS_PORT: ""}, is_ready=None)
        more += [first, *(replace(further, role=f"api-{number}") for number in range(2, processes + 1))]
    return more


def _further_workers(services: Sequence[Service], processes: int, metrics_port: int | None) -> list[Service]:
    """More of the worker, if it is among them, each with a port for `/metrics` of its own: the next after all others."""
    further: list[Service] = []
    for worker in (service for service in services if service.role == "worker"):
        for number in range(2, processes + 1):
            port = {} if metrics_port is None else {_METRICS_PORT: str(metrics_port + len(_SCRAPED) + number - 2)}
            further.append(replace(worker, role=f"worker-{number}", environment={**worker.environment, **port}))
    return further


def _embedder_service(hooks: UpHooks, context: UpContext, metrics_port: int | None) -> Service:
    async def listens(_pid: int) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(context.embedder_socket))
        except OSError:
            return False
        writer.close()
        return True

    async def forget_old_socket() -> None:
        context.embedder_socket.unlink(missing_ok=True)

    return Service(
        role="embedder",
        command=hooks.command("embedder"),
        environment={**context.environment, **_metrics_environment("embedder", metrics_port)},
        is_ready=listens,
        prepare=forget_old_socket,
        stop_steps=(StopStep(signal=signal.SIGTERM, limit_s=3.0),),
        tier=1,
    )


async def _is_ready_over_http(port: int) -> bool:
    """Whether /readyz says 200. Spoken by hand: an HTTP client library is 30 MiB that this process needs for nothing else."""
    try:
        reader, writer = await asyncio.open_connection(_HOST, port)
    except OSError:
        return False
    try:
        writer.write(f"GET /readyz HTTP/1.1\r\nHost: {_HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
        status_line = await asyncio.wait_for(reader.readline(), timeout=5.0)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    return status_line.split(b" ")[1:2] == [b"200"]


async def _link_of_first_user(context: UpContext, hooks: UpHooks, screen: _Screen) -> str | None:
    """None where the password is chosen. No process is started for the answer where the database tells it."""
    if screen.is_quiet or await asyncio.to_thread(_has_first_password, context.database_url):
        return None
    try:
        return await hooks.first_link(context)
    except DragomanError as error:  # everything runs, and a command makes the link as well
        screen.say(f"{error.message}\nMake one with: dragoman user reset-password {FIRST_USER}")
        return None


def _has_first_password(database_url: str) -> bool:
    """Whether it is known that the first user has one; an administrator who may not read the tables does not know."""
    query = "select 1 from users join user_passwords p on p.user_id = users.id where users.email = %s"
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            return connection.execute(query, [FIRST_USER]).fetchone() is not None
    except psycopg.Error:
        return False


def check_port_is_free(port: int) -> None:
    """Raises: PortInUseError: something listens there, or may not be listened on by us."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            reason = "is used by another program" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
            raise PortInUseError(
                f"Port {port} {reason}. Set DRAGOMAN_PORT to a free one, for example: DRAGOMAN_PORT={port + 1} make up"
            ) from error


async def _together(*work: Coroutine[None, None, None]) -> None:
    """Run side by side; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except* DragomanError as failures:
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        failure = first
    else:
        return
    raise failure


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup` wants us to go on
        loop.add_signal_handler(signal.SIGHUP, stopping.set)


async def _until_make_ends() -> None:
    """Return when the `make` that runs us is gone (by kill -9, say: nobody could stop us then) or was interrupted.

    `make` passes SIGTERM on, but takes SIGINT for a Ctrl-C that we saw too, and waits for us. All that can be seen of
    it then is that it no longer catches SIGINT.
    """
    make = os.getppid() if "MAKELEVEL" in os.environ else None
    caught_before = make is not None and _catches_interrupts(make)
    while make is None or (os.getppid() == make and _catches_interrupts(make) == caught_before):  # noqa: ASYNC110 -- no event
        await asyncio.sleep(_PARENT_POLL_S)


def _catches_interrupts(pid: int) -> bool:
    """Whether a process handles SIGINT. Linux tells; elsewhere the answer is always False."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) & 1 << (signal.SIGINT - 1))


async def _demo(context: UpContext, hooks: UpHooks, screen: _Screen, *, sample: bool) -> DemoInfo | None:
    """What `demo.json` says, with the present address; at the first start it is made together with the sample."""
    file = context.home / "demo.json"
    known: Mapping[str, str] | None = read_json(file)
    if known is not None:
        demo = DemoInfo(**{**known, "url": context.url})
    elif sample:
        with screen.progress("Ingesting the sample knowledge") as show:
            demo = await hooks.seed(context, show)
    else:
        return None
    if known != asdict(demo):
        write_private_json(file, asdict(demo))
    return demo


class _Screen:
    """What the user sees: rich on a terminal, plain whole lines anywhere else."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._console = Console()

    def say(self, message: str) -> None:
        if not self._quiet:
            self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[ProgressCallback]:
        if self._quiet or not self._console.is_terminal:
            yield self._plain_progress(what)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("{task.fields[now]}"), console=self._console) as bar:
            task = bar.add_task(what, total=None, now="")
            yield lambda done, total, now: bar.update(task, completed=done, total=total, now=now)

    def _plain_progress(self, what: str) -> ProgressCallback:
        told = -1

        def show(done: int, total: int, now: str) -> None:
            nonlocal told
            if done != told:
                told = done
                self.say(f"{what}: {done} of {total} {now}".rstrip())

        return show

    @property
    def is_quiet(self) -> bool:
        return self._quiet

    def welcome(self, context: UpContext, demo: DemoInfo | None) -> None:
        lines = [("Address", context.url), ("Documentation", f"{context.url}/docs")]
        if demo is not None:
            lines += [("First user", FIRST_USER)]
            lines += [("API key", demo.api_key), ("Chatbot", demo.chatbot_id), ("First question", demo.question)]
        lines += [("Logs", str(context.home / "logs")), ("Stop", "Ctrl-C")]
        text = "\n".join(f"{name + ':':<16}{value}" for name, value in lines)
        if self._quiet:
            return
        if self._console.is_terminal:
            self._console.print(Panel(Text(text), title="Dragoman", expand=False))
        else:
            self.say(text)

    def first_steps(self, demo: DemoInfo, command: Callable[[DemoInfo], str], link: str | None) -> None:
        """In lines of their own: what is to be copied must not be broken."""
        if link is not None:
            self.say(f"\nChoose the password of {FIRST_USER} (the link is good once, for a few days):\n\n{link}")
        self.say(f"\nOpen {demo.url} in a browser, and sign in with the API key above or a password.")
        self.say(f"\nAsk it:\n\n{command(demo)}\n")
