"""The folder of one instance, `$DRAGOMAN_HOME`: who may use it now, its secrets, and what a crash left running.

postgres/ valkey/   data               secrets.json        the database password
logs/               <role>.log         demo.json           the sample's address, key and first question
run/                lock, sockets, processes.json, server.json
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from dragoman.kit.errors import ConflictError, InvalidSettingError

FIRST_USER = "owner@localhost"  # the owner of the tenant that the first start makes
SUPERVISED_HOME = "DRAGOMAN_SUPERVISED_HOME"  # in the environment of every child: which instance it belongs to

_LONGEST_SOCKET_PATH = 100  # bytes; the kernel's limit is 108 on Linux, 104 on macOS
_LONGEST_SOCKET_NAME = "pg/.s.PGSQL.5432"
_SAME_MOMENT_S = 1.5  # the boot time, from which creation times are counted, may be adjusted while we run


class AlreadyRunningError(ConflictError):
    """Dragoman already runs in this home. Stop it first, or set DRAGOMAN_HOME to another folder."""

    code = "up.already_running"


class UnusableHomeError(InvalidSettingError):
    """The folder DRAGOMAN_HOME cannot be used. Choose a folder that belongs to you."""

    code = "up.unusable_home"


class InstanceHome:
    """Paths and private files of one instance. Making the object touches nothing; `prepare` makes the folders."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.log_dir = self.path / "logs"
        self.run_dir = self.path / "run"
        self.socket_dir = _socket_dir(self.path)
        self._processes_file = self.run_dir / "processes.json"

    def prepare(self) -> None:
        """Make the folders, for our eyes only. As root, PostgreSQL runs as another user and must pass through.

        Raises:
            UnusableHomeError: a folder belongs to somebody else or cannot be made.
        """
        passable = 0o711 if os.geteuid() == 0 else 0o700
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for folder, mode in ((self.path, passable), (self.run_dir, passable), (self.log_dir, 0o700)):
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)
            if self.socket_dir != self.run_dir:
                _make_private(self.socket_dir, passable)
        except OSError as error:
            raise UnusableHomeError(f"DRAGOMAN_HOME={self.path} cannot be used: {error}.") from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this home alone while the block runs. The lock ends with the process, even by kill -9.

        Raises:
            AlreadyRunningError: another process holds it; the message names it.
        """
        with (self.run_dir / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise AlreadyRunningError(
                    f"Dragoman already runs in {self.path} (process {holder}). Stop it first, or set DRAGOMAN_HOME "
                    "and DRAGOMAN_PORT to run a second one beside it."
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def secret(self, name: str) -> str:
        """The secret of this name, made up at first use (192 random bits) and kept in `secrets.json`."""
        file = self.path / "secrets.json"
        known: dict[str, str] = read_json(file) or {}
        if name not in known:
            known[name] = secrets.token_hex(24)
            write_private_json(file, known)
        return known[name]

    def record_process(self, role: str, pid: int, command: Sequence[str]) -> None:
        """Note a child, so that the next start can end it should we be killed before we can."""
        entry = {"pid": pid, "create_time": psutil.Process(pid).create_time(), "command": list(command)}
        write_private_json(self._processes_file, self._recorded_processes() | {role: entry})

    def forget_process(self, role: str) -> None:
        known = self._recorded_processes()
        if known.pop(role, None):
            write_private_json(self._processes_file, known)

    def _recorded_processes(self) -> dict[str, Any]:
        return read_json(self._processes_file) or {}

    def find_leftovers(self) -> list[Leftover]:
        """Processes of this home that no supervisor holds. Call it under the lock: then every child found is one.

        A process is ours when its environment names this home, when it is a PostgreSQL that stands in our data
        folder (its backends overwrite their environment), or when `processes.json` knows it by id, moment of creation
        and program. The caller and its ancestors are never among them.
        """
        myself = psutil.Process()
        excluded = {myself.pid, *(parent.pid for parent in myself.parents())}
        recorded = {entry["pid"]: entry for entry in self._recorded_processes().values()}
        return [
            Leftover(process=process, kind=kind)
            for process in psutil.process_iter()
            if process.pid not in excluded and (kind := self._kind_of(process, recorded.get(process.pid)))
        ]

    def _kind_of(self, process: psutil.Process, record: Mapping[str, Any] | None) -> str | None:
        try:
            if process.name() == "postgres" and process.cwd() == str(self.path / "postgres"):
                return "backend" if " ".join(process.cmdline()).startswith("postgres:") else "postmaster"
            if process.environ().get(SUPERVISED_HOME) == str(self.path):
                return "child"
        except (psutil.Error, OSError):  # it ended meanwhile, or belongs to another user: then it is not ours
            pass
        return "child" if record and _is_recorded(process, record) else None

    async def stop_leftovers(self, *, only: Sequence[str] = ("postmaster", "backend", "child")) -> int:
        """End what an earlier, killed supervisor left running; returns how many processes that were."""
        leftovers = [each for each in self.find_leftovers() if each.kind in only]
        orderly = any(each.kind == "postmaster" for each in leftovers)
        for each in leftovers:
            each.send_gently(postmaster_lives=orderly)
        for limit_s, hard_signal in ((8.0, None), (2.0, signal.SIGQUIT), (2.0, signal.SIGKILL)):
            for each in leftovers:
                if hard_signal is not None and each.is_alive():
                    each.send(hard_signal if each.kind != "child" else signal.SIGKILL)
            if await _all_ended(leftovers, limit_s):
                break
        return len(leftovers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A process that an earlier supervisor started. `kind` is `postmaster`, `backend` (of it) or `child`."""

    process: psutil.Process
    kind: str

    def send_gently(self, *, postmaster_lives: bool) -> None:
        """Ask it to end. A living postmaster ends its backends; without one they hold on to the shared memory."""
        if self.kind == "postmaster":
            self.send(signal.SIGINT)
        elif self.kind == "child":
            self.send(signal.SIGTERM)
        elif not postmaster_lives:
            self.send(signal.SIGQUIT)

    def send(self, which: signal.Signals) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):  # psutil compares the moment of creation before it signals
            self.process.send_signal(which)

    def is_alive(self) -> bool:
        """Whether it still runs. A zombie has ended; in a container nobody may ever collect it."""
        try:
            return bool(self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False


async def _all_ended(leftovers: Sequence[Leftover], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while any(each.is_alive() for each in leftovers):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def _is_recorded(process: psutil.Process, record: Mapping[str, Any]) -> bool:
    try:
        same_moment = abs(process.create_time() - record["create_time"]) < _SAME_MOMENT_S
        return same_moment and record["command"][0] in process.cmdline()
    except psutil.Error:
        return False


def _socket_dir(home: Path) -> Path:
    inside = home / "run"
    is_short = len(os.fsencode(inside / _LONGEST_SOCKET_NAME)) <= _LONGEST_SOCKET_PATH
    if is_short and "," not in str(inside):  # PostgreSQL and its clients take a comma for a list of hosts
        return inside
    name = f"dragoman-{os.getuid()}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    outside = Path(tempfile.gettempdir()).resolve() / name
    fits = len(os.fsencode(outside / _LONGEST_SOCKET_NAME)) <= _LONGEST_SOCKET_PATH
    return outside if fits else Path("/tmp").resolve() / name  # noqa: S108 -- a stranger's is refused


def _make_private(folder: Path, mode: int) -> None:
    """Make a folder of a known name where everybody may write; a stranger may have been there first."""
    folder.mkdir(exist_ok=True, mode=mode)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    folder.chmod(mode)


def read_json(file: Path) -> Any:
    """The content of a JSON file, None when it is absent or was never finished."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def write_private_json(file: Path, value: Any) -> None:
    """Write a file that only we may read, whole or not at all: a crash leaves the old one or the new one."""
    unfinished = file.with_name(file.name + ".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=2)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)
