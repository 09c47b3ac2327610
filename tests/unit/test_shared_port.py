"""Processes of a small application on one port: who serves which connection."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from dragoman.entrypoints.shared_port import ConnectionLedger

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere several processes cannot share a port")

_SERVER = """
import asyncio, os, sys
from pathlib import Path
import uvicorn
from dragoman.entrypoints.http_protocol import bounded_protocol
from dragoman.entrypoints.shared_port import SharingServer, shared_socket

async def app(scope, receive, send):
    if scope["type"] == "http":
        body = str(os.getpid()).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

port, folder = int(sys.argv[1]), Path(sys.argv[2])
config = uvicorn.Config(app, http=bounded_protocol(15.0), lifespan="off", log_config=None)
server = SharingServer(config, shared_socket("127.0.0.1", port), folder)
print("begun", flush=True)
asyncio.run(server.serve())
"""

Start = Callable[[], int]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "port"


@pytest.fixture
def start(port: int, folder: Path) -> Iterator[Start]:
    """Starts one more process, and gives its id once it serves."""
    with ExitStack() as processes:

        def started() -> int:
            command = [sys.executable, "-c", _SERVER, str(port), str(folder)]
            process = processes.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            processes.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            _until(lambda: _listens(process.pid))
            return process.pid

        yield started


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _listens(pid: int) -> bool:
    return not _listening().isdisjoint(_sockets(pid))


def _listening() -> set[str]:
    """The sockets of this machine that listen, as the links of /proc name them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}


def _sockets(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            found.add(str(entry.readlink()))
    return found


class _Client:
    """Connections that stay open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: list[HTTPConnection] = []

    def connect(self, count: int) -> Counter[int]:
        """Open so many, one after the other; the processes that serve them, by their ids."""
        return Counter(_served_by(self._connected()) for _ in range(count))

    def connect_together(self, count: int) -> Counter[int]:
        return Counter(map(_served_by, [self._connected() for _ in range(count)]))

    def _connected(self) -> HTTPConnection:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.connect()
        self._open.append(connection)
        return connection

    def close(self) -> None:
        for each in self._open:
            each.close()
        self._open.clear()


def _served_by(connection: HTTPConnection) -> int:
    connection.request("GET", "/")
    return int(connection.getresponse().read())


@pytest.fixture
def client(port: int) -> Iterator[_Client]:
    client = _Client(port)
    yield client
    client.close()


def test_connections_are_dealt_out_evenly(start: Start, client: _Client) -> None:
    processes = [start() for _ in range(3)]
    assert client.connect(30) == dict.fromkeys(processes, 10)
    together = client.connect_together(30)  # two that accept in the same moment may both keep theirs
    assert set(together) == set(processes)
    assert max(together.values()) - min(together.values()) <= 3


def test_one_that_joins_later_is_given_all_until_it_has_as_many(start: Start, client: _Client) -> None:
    first = start()
    assert client.connect(10) == {first: 10}
    second = start()
    assert client.connect(10) == {second: 10}
    assert client.connect(10) == {first: 5, second: 5}


def test_closed_connections_count_no_more(start: Start, client: _Client) -> None:
    processes = [start(), start()]
    for _ in range(3):
        assert client.connect(8) == dict.fromkeys(processes, 4)
        client.close()
        time.sleep(0.2)  # until both have seen it


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_ends_is_handed_nothing_more_and_its_place_is_free(
    start: Start, client: _Client, how: signal.Signals
) -> None:
    first, second = start(), start()
    client.connect(4)
    client.close()
    sockets = _sockets(second)  # a killed process has lost its files a moment before they are closed
    os.kill(second, how)
    _until(lambda: _listening().isdisjoint(sockets))
    assert client.connect(6) == {first: 6}
    third = start()
    assert client.connect(6) == {third: 6}


def test_without_a_usable_folder_each_serves_what_it_accepts(start: Start, client: _Client, folder: Path) -> None:
    folder.write_text("not a folder")
    processes = {start(), start()}
    assert set(client.connect(40)) == processes


def test_a_row_of_a_process_that_crashed_is_taken_over(folder: Path) -> None:
    crashed = (
        "import os, sys; from pathlib import Path; from dragoman.entrypoints.shared_port import ConnectionLedger; "
        "ledger = ConnectionLedger(Path(sys.argv[1])); ledger.opened(); os._exit(1)"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", crashed, str(folder)], check=False)
    ledger = ConnectionLedger(folder)
    assert ledger.inbox() == str(folder / "0")
    ledger.opened()
    assert ledger.least_busy() is None
