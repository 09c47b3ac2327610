"""A port that several API processes share, with connections dealt out evenly among them.

Linux gives a new connection to one of the listeners by a hash of its addresses (SO_REUSEPORT): of 32 connections to two
processes one gets 20 or more in every fifth case, and who is served there waits longer. Therefore a process that accepts
a connection hands it to the one that has the fewest ("least connections"), before anything is read from it:

    accept -> the ledger says another has fewer -> its inbox (SCM_RIGHTS, unix(7)) -> served there

The ledger is a file in shared memory in which every process has a row that only it writes.
"""

from __future__ import annotations

import asyncio
import fcntl
import mmap
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
import uvicorn

from dragoman.kit.errors import InvalidSettingError

MOST_PROCESSES: Final = 64
_PID, _OPEN, _TAKEN, _HANDED = 0, 1, 2, 3  # columns; from _HANDED on one for each process that connections went to
# _PID is 0 where a row is free, and negative until its process takes what it is handed.
_BYTES: Final = MOST_PROCESSES * (_HANDED + MOST_PROCESSES) * 8
_ACCEPTED_AT_ONCE: Final = 100  # then other work has its turn
_PAUSE_S: Final = 1.0  # when no more files can be opened
_log = structlog.get_logger(__name__)


class PortNotSharedError(InvalidSettingError):
    """Several API processes cannot share a port on this system. Set DRAGOMAN_API_PROCESSES to 1."""

    code = "settings.port_not_shared"


def shared_socket(host: str, port: int) -> socket.socket:
    """A socket among those of other API processes on this port; it does not listen yet.

    Raises:
        PortNotSharedError.
    """
    if sys.platform != "linux":
        raise PortNotSharedError
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    shared = socket.socket(family, kind, protocol)
    shared.setblocking(False)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        shared.bind(address)
    except OSError as error:
        shared.close()
        raise PortNotSharedError(
            f"Port {port} cannot be shared with other API processes ({error.strerror}). Set DRAGOMAN_PORT to a free one."
        ) from error
    return shared


class ConnectionLedger:
    """How many connections each process on a port serves. One row of 64-bit numbers for each process:

    its id, the connections that it has open, those it was ever handed by others, and those it ever handed to each other.
    What was handed over and is not yet taken counts for the one that will take it.
    """

    def __init__(self, folder: Path) -> None:
        """Take a free row. Raises OSError: the folder cannot be used, or all rows are taken."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        file = os.open(folder / "ledger", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.ftruncate(file, _BYTES)
            rows = np.frombuffer(mmap.mmap(file, _BYTES), dtype=np.int64)
            self._rows = rows.reshape(MOST_PROCESSES, _HANDED + MOST_PROCESSES)
            self._number = self._free_row()
            mine = self._mine = self._rows[self._number]
            mine[_OPEN], mine[_TAKEN] = 0, self._rows[:, _HANDED + self._number].sum()
            mine[_PID] = -os.getpid()
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # the mapped memory has a descriptor of its own, which would hold the lock
            os.close(file)

    def _free_row(self) -> int:
        for number, pid in enumerate(self._rows[:, _PID].tolist()):
            if pid == 0 or abs(pid) == os.getpid() or not _is_alive(abs(pid)):
                return number
        raise OSError(f"{MOST_PROCESSES} processes share the port already")

    def join(self) -> None:
        """From now on this process takes what comes into its inbox."""
        self._mine[_PID] = os.getpid()

    def leave(self) -> None:
        self._mine[_PID] = 0

    def is_gone(self, number: int) -> None:
        """Nobody is at this inbox: it ended without leaving."""
        self._rows[number, _PID] = 0

    def opened(self) -> None:
        self._mine[_OPEN] += 1

    def closed(self) -> None:
        self._mine[_OPEN] -= 1

    def taken(self) -> None:
        """A connection that another process handed over has come out of the inbox."""
        self._mine[_TAKEN] += 1

    def handed_to(self, number: int) -> None:
        """Told before it is sent: who sends may be killed at once after, and the receiver would count one too few."""
        self._mine[_HANDED + number] += 1

    def not_handed_to(self, number: int) -> None:
        self._mine[_HANDED + number] -= 1

    def least_busy(self) -> int | None:
        """The number of another process with fewer connections than this one, of several the one with the fewest."""
        held = self._rows[:, _OPEN] + self._rows[:, _HANDED:].sum(axis=0) - self._rows[:, _TAKEN]
        most = held[self._number]
        others = np.where(self._rows[:, _PID] > 0, held, most)
        best = int(others.argmin())
        return best if others[best] < most else None

    def inbox(self, number: int | None = None) -> str:
        """Where a process (this one if none is named) takes what is handed to it."""
        return str(self._folder / str(self._number if number is None else number))


class SharingServer(uvicorn.Server):
    """uvicorn on a shared port: new connections go to the process with the fewest."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, folder: Path) -> None:
        """Args: folder: for the ledger and the inboxes; the same for all processes on the port."""
        super().__init__(config)
        self._listener, self._folder = listener, folder
        self._ledger: ConnectionLedger | None = None
        self._inbox: socket.socket | None = None
        self._joining: set[asyncio.Task[Any]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets or [])  # by itself it listens nowhere
        loop = asyncio.get_running_loop()
        try:
            self._join(loop)
        except OSError as error:
            _log.warning("api.connections_not_dealt_out", reason=str(error))
        self._listener.listen(self.config.backlog)
        loop.add_reader(self._listener, self._accept)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        if self._ledger is not None:
            self._ledger.leave()
        loop.remove_reader(self._listener)
        self._listener.close()
        if self._inbox is not None:
            self._take()  # what was handed over before we left
            loop.remove_reader(self._inbox)
            self._inbox.close()
        await asyncio.gather(*self._joining, return_exceptions=True)
        await super().shutdown(sockets or [])

    def _join(self, loop: asyncio.AbstractEventLoop) -> None:
        ledger = ConnectionLedger(self._folder)
        with suppress(FileNotFoundError):
            Path(ledger.inbox()).unlink()
        inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        inbox.setblocking(False)
        try:
            inbox.bind(ledger.inbox())
        except OSError:
            ledger.leave()
            inbox.close()
            raise
        self._ledger, self._inbox = ledger, inbox
        loop.add_reader(inbox, self._take)
        ledger.join()

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no more files can be opened: what waits, waits a moment longer
                _log.error("api.connection_not_accepted", reason=str(error))
                self._pause()
                return
            if not self._handed_over(connection):
                self._open(connection)

    def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _handed_over(self, connection: socket.socket) -> bool:
        if self._ledger is None or self._inbox is None:
            return False
        while (number := self._ledger.least_busy()) is not None:
            self._ledger.handed_to(number)
            try:
                with _connected(self._ledger.inbox(number)) as other:
                    socket.send_fds(other, [b"c"], [connection.fileno()])
            except (ConnectionRefusedError, FileNotFoundError):
                self._ledger.not_handed_to(number)
                self._ledger.is_gone(number)
            except OSError:  # its inbox is full
                self._ledger.not_handed_to(number)
                return False
            else:
                connection.close()  # ours; the other process has its own
                return True
        return False

    def _take(self) -> None:
        assert self._inbox is not None and self._ledger is not None  # noqa: PT018 - they come together
        while True:
            try:
                _, files, _, _ = socket.recv_fds(self._inbox, 1, 4)
            except (BlockingIOError, InterruptedError):
                return
            for file in files:
                self._ledger.taken()
                self._open(socket.socket(fileno=file))

    def _open(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if self._ledger is not None:
            self._ledger.opened()
        task = asyncio.create_task(self._connect(connection), name="connection")
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _connect(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        ended = self._ledger.closed if self._ledger is not None else None
        try:
            await loop.connect_accepted_socket(lambda: self._protocol(ended), connection)
        except OSError as error:  # the client has gone
            connection.close()
            if ended is not None:
                ended()
            _log.info("api.connection_lost_early", reason=str(error))

    def _protocol(self, ended: Callable[[], None] | None) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        return protocol(  # type: ignore[no-any-return]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, ended=ended
        )


@contextmanager
def _connected(inbox: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        other.connect(inbox)
        yield other


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
