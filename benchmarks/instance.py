"""A whole Dragoman of its own for a measurement: `dragoman up` in a home and on a port that nobody else uses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
import psutil

_START_LIMIT_S = 600.0
_REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A running instance. `ready_s`: until /readyz was 200; `seeded_s`: until demo.json was there."""

    home: Path
    url: str
    api_key: str
    chatbot_id: str
    pid: int
    ready_s: float
    seeded_s: float

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"X-API-Key": self.api_key}, timeout=120)

    def processes(self) -> list[psutil.Process]:
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)]

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def variable(self, name: str) -> str:
        """What `up` gave its roles under this name."""
        return self.roles()["api"].environ()[name]

    def cpu_by_role(self) -> dict[str, float]:
        """Processor seconds until now of the living processes. Those of a process that ended are its parent's."""
        spent: dict[str, float] = {}
        for process in self.processes():
            role = _role_of(command_of(process))
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            of_ended = times.children_user + times.children_system
            spent[role] = spent.get(role, 0.0) + times.user + times.system + of_ended
        return spent

    def roles(self) -> dict[str, psutil.Process]:
        """The living processes by the last word of their command: `api`, `worker`, …"""
        return {command[-1]: process for process in self.processes() if (command := command_of(process))}


def embedder_of(module: str, folder: Path) -> dict[str, str]:
    """Environment for a process that takes the embedder of `benchmarks.<name>_embedder`, named by files in `folder`."""
    name = module.rsplit(".", 1)[1].removesuffix("_embedder")
    described = folder / "dragoman_benchmarks-0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: dragoman-benchmarks\nVersion: 0\n")
    (described / "entry_points.txt").write_text(f"[dragoman.adapters.embedder]\n{name} = {module}\n")
    paths = [str(folder), str(_REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), "DRAGOMAN_EMBEDDER": name}


def command_of(process: psutil.Process) -> list[str]:
    """The command of a process; empty when it is gone."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _role_of(command: list[str]) -> str:
    if "dragoman" in command[:-1]:
        return command[command.index("dragoman") + 1]
    return "readers" if "dragoman.entrypoints.reader" in command else "database and cache"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = free_port()
        try:
            for number in range(count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", first + number))
        except (OSError, OverflowError):
            continue
        return first


@contextmanager
def leaving_on_sigterm() -> Iterator[None]:
    """Lets SIGTERM end this process as an exception does, so that what was started is stopped."""
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


@contextmanager
def running(home: Path, *arguments: str, **environment: str) -> Iterator[Instance]:
    """`dragoman up` until it is ready and seeded; stopped in the end by SIGTERM, also when this process gets one."""
    with leaving_on_sigterm(), _up(home, *arguments, **environment) as instance:
        yield instance


@contextmanager
def _up(home: Path, *arguments: str, **environment: str) -> Iterator[Instance]:
    port = free_port()
    variables = {**os.environ, "DRAGOMAN_HOME": str(home), "DRAGOMAN_PORT": str(port), **environment}
    started = time.monotonic()
    log = home.parent / f"{home.name}.up.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dragoman", "up", *arguments], env=variables, stdout=output, stderr=output
        )
    try:
        ready_s = _wait(lambda: _is_ready(port), process, log, started)
        demo = home / "demo.json"
        seeded_s = _wait(demo.exists, process, log, started)
        facts = json.loads(demo.read_text())
        yield Instance(
            home=home,
            url=f"http://127.0.0.1:{port}",
            api_key=facts["api_key"],
            chatbot_id=facts["chatbot_id"],
            pid=process.pid,
            ready_s=ready_s,
            seeded_s=seeded_s,
        )
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _wait(condition, process: subprocess.Popen[bytes], log: Path, started: float) -> float:  # type: ignore[no-untyped-def]  # noqa: ANN001
    while not condition():
        if process.poll() is not None:
            sys.exit(f"dragoman up ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        if time.monotonic() - started > _START_LIMIT_S:
            sys.exit(f"dragoman up was not ready after {_START_LIMIT_S:.0f} s:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)
    return time.monotonic() - started
