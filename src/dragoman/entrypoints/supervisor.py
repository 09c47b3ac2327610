"""Runs child processes: starts them, waits until they are ready, restarts them after a crash, ends them all.

Every child leads a session of its own, so that Ctrl-C in the terminal reaches the supervisor only, and its descendants
can be told apart and ended with it. Nothing is ever signalled that was not started here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from dragoman.entrypoints.home import SUPERVISED_HOME, InstanceHome
from dragoman.kit.errors import DragomanError, UnavailableError

Report = Callable[[str], None]

_LAUNCHER = Path(__file__).with_name("launch.py")
_POLL_S = 0.2  # how soon a crash is noticed
_READY_POLL_S = 0.03
_LONGEST_BACK_OFF_S = 30.0
_STEADY_AFTER_S = 60.0  # a child that ran this long is counted as recovered
_STARTS_TRIED = 3  # crashes before a child was ever ready; more would only hide the reason
_ROTATE_LOG_BYTES = 10 * 1024 * 1024
_ROTATE_EVERY_S = 60.0


class ChildNotStartedError(UnavailableError):
    """A part of Dragoman did not start. Read the end of its log, shown with this message."""

    code = "up.child_not_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStep:
    """One attempt to end a child: send `signal`, then wait up to `limit_s` seconds."""

    signal: signal.Signals
    limit_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What to run, how to see that it is ready, how to end it.

    Attributes:
        role: its name in messages, in `processes.json` and of its log file.
        environment: added to the supervisor's own.
        is_ready: asked again and again with the child's process id until True; None: ready once it runs.
        prepare: awaited before every start, also after a crash.
        stop_steps: tried in this order; SIGKILL always follows. The first signal is also what the kernel sends
            when the supervisor dies (Linux).
        user: the account it runs as, where that is not ours (we are root, it refuses to be).
        tier: children of a higher tier are ended before those of a lower one, those of one tier together.
    """

    role: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ready: Callable[[int], Awaitable[bool]] | None = None
    prepare: Callable[[], Awaitable[None]] | None = None
    stop_steps: Sequence[StopStep] = (StopStep(signal=signal.SIGTERM, limit_s=6.0),)
    ready_limit_s: float = 120.0
    user: str | None = None
    cwd: Path | None = None
    tier: int = 1


class Child:
    """One running process of a service."""

    def __init__(self, service: Service, home: InstanceHome) -> None:
        self.service = service
        self._home = home
        self._log_file = home.log_dir / f"{service.role}.log"
        rotate_log(self._log_file)
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- the caller's own commands
                leashed(service.command, leash=service.stop_steps[0].signal, user=service.user),
                env=child_environment(home, service.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=service.cwd,
                start_new_session=True,
            )
        try:
            self._log_file.chmod(0o600)
            home.record_process(service.role, self.pid, service.command)
        except OSError:  # a full disk: better no child than one that nobody knows of
            self._process.kill()
            self._process.wait()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_until_ready(self) -> None:
        """Raises: ChildNotStartedError: it ended, or took longer than `ready_limit_s`."""
        deadline = time.monotonic() + self.service.ready_limit_s
        while not (self.service.is_ready is None or await self.service.is_ready(self.pid)):
            if self.poll() is not None:
                raise ChildNotStartedError(self.explain(f"{self.service.role} ended with {self.ending}"))
            if time.monotonic() > deadline:
                limit = f"{self.service.role} was not ready within {self.service.ready_limit_s:.0f} s"
                raise ChildNotStartedError(self.explain(limit))
            await asyncio.sleep(_READY_POLL_S)

    def poll(self) -> int | None:
        """None while it runs, else its exit code; its descendants are ended at that moment.

        They are looked for before the dead leader is collected: until then its number, which is their session's,
        cannot be given to a stranger.
        """
        if self._process.returncode is None and _has_ended(self.pid):
            _kill_session(self.pid)
            self._process.wait()
            self._home.forget_process(self.service.role)
        return self._process.returncode

    async def stop(self) -> None:
        """End it and its descendants, politely first; returns when it is gone."""
        for step in (*self.service.stop_steps, StopStep(signal=signal.SIGKILL, limit_s=5.0)):
            if self.poll() is not None:
                return
            self._process.send_signal(step.signal)
            deadline = time.monotonic() + step.limit_s
            while self.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 -- no event tells it
                await asyncio.sleep(_READY_POLL_S)

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode
        return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"

    def explain(self, problem: str) -> str:
        lines = last_lines(self._log_file)
        shown = "\n".join(f"    {line}" for line in lines) or "    (it wrote nothing)"
        return f"{problem}. The end of {self._log_file}:\n{shown}"


class Supervisor:
    """Keeps services running until `stop`. One event loop, one supervisor per home; the caller holds the home's lock."""

    def __init__(self, home: InstanceHome, report: Report) -> None:
        self._home = home
        self._report = report
        self._kept: dict[str, _Kept] = {}
        self._rotation: asyncio.Task[None] | None = None

    async def start(self, service: Service) -> None:
        """Start a service and return when it is ready; from then on it is restarted whenever it ends.

        Raises:
            ChildNotStartedError: it ended three times, or did not become ready in time.
        """
        if self._rotation is None:
            self._rotation = asyncio.create_task(self._rotate_logs())
        kept = self._kept[service.role] = _Kept(service, self._home, self._report)
        await kept.start()

    def pid_of(self, role: str) -> int | None:
        """The process id of a role's present child, None between a crash and its restart."""
        kept = self._kept.get(role)
        return kept.child.pid if kept and kept.child and kept.child.poll() is None else None

    async def stop(self) -> None:
        """End all children, the highest tier first, each tier together. Safe to call at any time, and twice."""
        kept, self._kept = list(self._kept.values()), {}
        if self._rotation is not None:
            self._rotation.cancel()
        for each in kept:
            await each.release()
        for tier in sorted({each.service.tier for each in kept}, reverse=True):
            await asyncio.gather(*(each.stop() for each in kept if each.service.tier == tier))

    async def _rotate_logs(self) -> None:
        while True:
            await asyncio.sleep(_ROTATE_EVERY_S)
            for role in self._kept:
                rotate_log(self._home.log_dir / f"{role}.log")


class _Kept:
    """A service that is kept running: its present child and the task that waits for the child's end."""

    def __init__(self, service: Service, home: InstanceHome, report: Report) -> None:
        self.service = service
        self.child: Child | None = None
        self._home = home
        self._report = report
        self._crashes = 0
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for attempt in range(1, _STARTS_TRIED + 1):
            try:
                await self._launch()
                break
            except ChildNotStartedError as error:
                if attempt == _STARTS_TRIED:
                    raise
                self._report(f"{error} Trying again.")
                await self.stop()
                await asyncio.sleep(_back_off_s(attempt))
        self._watch = asyncio.create_task(self._restart_after_crashes())

    async def _launch(self) -> None:
        if self.service.prepare is not None:
            await self.service.prepare()
        self.child = Child(self.service, self._home)
        await self.child.wait_until_ready()

    async def _restart_after_crashes(self) -> None:
        while True:
            started = time.monotonic()
            while self.child is not None and self.child.poll() is None:  # noqa: ASYNC110 -- no event tells it
                await asyncio.sleep(_POLL_S)
            if time.monotonic() - started > _STEADY_AFTER_S:
                self._crashes = 0
            await self._recover()

    async def _recover(self) -> None:
        self._crashes += 1
        pause_s = _back_off_s(self._crashes)
        self._report_crash(pause_s)
        await asyncio.sleep(pause_s)
        try:
            await self._launch()
            self._report(f"{self.service.role} runs again.")
        except ChildNotStartedError:  # the log's end is in the next report, which follows at once
            await self.stop()
        except (DragomanError, OSError) as error:  # a full disk, for example; it is tried again until it works
            self._report(f"{self.service.role} cannot be started: {error}")

    def _report_crash(self, pause_s: float) -> None:
        if self.child is None:
            return
        problem = f"{self.service.role} ended unexpectedly with {self.child.ending}"
        if self._crashes > 1:  # once is told in a line; again, the reason is wanted
            problem = self.child.explain(f"{problem}, {self._crashes} times in a row")
        self._report(f"{problem}{'' if self._crashes > 1 else '.'}\nStarting it again in {pause_s:.0f} s.")

    async def release(self) -> None:
        """Keep it running no longer; the child itself goes on."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop()


def leashed(command: Sequence[str], *, leash: signal.Signals, user: str | None = None) -> list[str]:
    """The command, started through `launch.py`: the kernel sends it `leash` when this process dies."""
    launcher = (sys.executable, "-I", "-S", str(_LAUNCHER), str(int(leash)), str(os.getpid()), user or "")
    return [*launcher, *command]


def child_environment(home: InstanceHome, added: Mapping[str, str]) -> dict[str, str]:
    """Our environment and what is added, less what `make` left in it, and marked as belonging to this home."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    return inherited | {"PYTHONUNBUFFERED": "1"} | dict(added) | {SUPERVISED_HOME: str(home.path)}


def last_lines(file: Path, count: int = 12) -> list[str]:
    """The last lines of a text file, each cut at 300 characters; none when there is no such file."""
    if not file.exists():
        return []
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 16_384))
        return [line[:300] for line in stream.read().decode("utf-8", "replace").splitlines()[-count:]]


def rotate_log(file: Path) -> None:
    """Keep a log that grew beyond 10 MB as `<name>.1`, and go on with an empty one.

    Copied and emptied rather than renamed: the child writes on through its open descriptor (in append mode).
    """
    if file.exists() and file.stat().st_size > _ROTATE_LOG_BYTES:
        previous = file.with_name(file.name + ".1")
        shutil.copyfile(file, previous)
        previous.chmod(0o600)
        os.truncate(file, 0)


def _back_off_s(crashes: int) -> float:
    return min(2.0 ** (crashes - 1), _LONGEST_BACK_OFF_S)


def _has_ended(pid: int) -> bool:
    """Whether a child of ours has ended and waits to be collected."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _kill_session(leader: int) -> None:
    """End what still runs in the session of this child, which has ended and is not collected yet."""
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if pid != leader and os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)
