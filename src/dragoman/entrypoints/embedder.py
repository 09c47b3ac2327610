"""The embedder role: one process per machine that holds the model; API and workers ask it over a unix socket.

Frames are those of `kit/frames.py`. The role greets each connection with `{"profile": …}`. A request is
`{"id", "method", "texts"}`, maybe with a `traceparent`, with method `embed_queries`, `embed_passages` or `count_tokens`; its answer carries the
same id and `rows` with the vectors as body, `counts`, or `error`. `{"id", "method": "cancel"}` takes a request back.
Answers come in the order in which they are ready.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import structlog

from dragoman.kit import tracing
from dragoman.kit.errors import ConflictError, DragomanError, InvalidSettingError
from dragoman.kit.frames import Frame, FrameError, encode_frame, pack_float32, read_frame
from dragoman.ports.embedder import Embedder

_log = structlog.get_logger(__name__)

# Open requests of one connection; beyond it the role stops reading from it, which slows its client down.
_OPEN_REQUESTS = 64
# Passages requests inside the embedder at a time, of all clients; the others wait in order, and queries pass them.
_PASSAGES_AT_ONCE = 2
_MAX_REQUEST_BYTES = 4 * 1024 * 1024
_PERMISSIONS = 0o600


class EmbedderRoleRunningError(ConflictError):
    """An embedder role already listens on this socket. Stop it first, or choose another path."""

    code = "embedder.role_running"


class EmbedderSocketPathError(InvalidSettingError):
    """The embedder role cannot listen on this path. Choose a shorter path, in a folder that can be written."""

    code = "embedder.socket_path"


async def serve(embedder: Embedder, socket_path: Path, *, stop: asyncio.Event | None = None) -> None:
    """Answer on the socket until `stop` is set or the task is cancelled. The embedder stays open.

    The socket can be used by this user only. The socket file of a role that was killed is replaced.

    Raises:
        EmbedderRoleRunningError: a living role listens there.
        EmbedderSocketPathError: the path cannot be used.
    """
    role = _Role(embedder)
    with _own_path(socket_path):
        await embedder.count_tokens([""])  # loads a model that is loaded late, so that no question waits for it
        server = await asyncio.start_unix_server(role.serve_connection, sock=_bind(socket_path))
        _log.info("embedder.listening", path=str(socket_path), model=embedder.profile.model)
        try:
            await (stop or asyncio.Event()).wait()
        finally:
            server.close()
            await role.close()
            _remove(socket_path)


class _Role:
    """What all connections share: the embedder, and the order in which it is asked."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._passages = asyncio.Semaphore(_PASSAGES_AT_ONCE)
        self._connections: set[asyncio.Task[None]] = set()
        self._methods: dict[str, Callable[[list[str]], Awaitable[Frame]]] = {
            "embed_queries": self._embed_queries,
            "embed_passages": self._embed_passages,
            "count_tokens": self._count_tokens,
        }

    async def serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Whatever a client sends or fails to read, it harms its own connection only."""
        connection = asyncio.create_task(_Connection(self, reader, writer).run())
        self._connections.add(connection)
        try:
            await connection
        except asyncio.CancelledError:
            connection.cancel()
        finally:
            self._connections.discard(connection)

    async def close(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def greet(self) -> Frame:
        return Frame(header={"profile": dataclasses.asdict(self._embedder.profile)})

    async def answer(self, header: dict[str, Any]) -> Frame:
        """The answer to a request, an error too, without its id."""
        method, texts = self._methods.get(str(header.get("method"))), header.get("texts")
        if method is None or not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return _error_frame("The embedder role does not know this request. Run one version of Dragoman everywhere.")
        try:
            with _span(header, len(texts)):
                return await method(texts)
        except DragomanError as error:
            return _error_frame(error.message, is_worth_another_try=error.retryable, retry_after_s=error.retry_after_s)
        except Exception as error:  # noqa: BLE001 - a defect of one embedder must not end the role
            _log.exception("embedder.failed", method=header.get("method"))
            return _error_frame(f"The embedding model failed: {error}", is_worth_another_try=True)

    async def _embed_queries(self, texts: list[str]) -> Frame:
        vectors = await self._embedder.embed_queries(texts)
        return Frame(header={"rows": len(vectors)}, body=pack_float32(vectors))

    async def _embed_passages(self, texts: list[str]) -> Frame:
        async with self._passages:
            vectors = await self._embedder.embed_passages(texts)
        return Frame(header={"rows": len(vectors)}, body=pack_float32(vectors))

    async def _count_tokens(self, texts: list[str]) -> Frame:
        return Frame(header={"counts": await self._embedder.count_tokens(texts)})


def _span(header: dict[str, Any], texts: int) -> AbstractContextManager[Any]:
    """A span below that of the client, which may send along `traceparent`."""
    parent = tracing.remote({"traceparent": str(header["traceparent"])}) if "traceparent" in header else None
    return tracing.span(f"embedder {header['method']}", kind=tracing.SERVER, parent=parent, dragoman__texts=texts)


class _Connection:
    """One client. Its requests run side by side; all end with it."""

    def __init__(self, role: _Role, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._role = role
        self._reader = reader
        self._writer = writer
        self._room = asyncio.Semaphore(_OPEN_REQUESTS)
        self._sending = asyncio.Lock()
        self._requests: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        try:
            async with self._ended_with_its_requests():
                await self._send(self._role.greet())
                while (frame := await read_frame(self._reader, max_bytes=_MAX_REQUEST_BYTES)) is not None:
                    await self._take(dict(frame.header))
        except FrameError as error:
            _log.warning("embedder.broken_client", reason=error.message)
        except OSError as error:
            _log.debug("embedder.client_gone", reason=str(error))

    @asynccontextmanager
    async def _ended_with_its_requests(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            requests = list(self._requests.values())
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
            self._writer.transport.abort()  # a client that reads nothing would keep an orderly close waiting

    async def _take(self, header: dict[str, Any]) -> None:
        request_id = header.get("id")
        if not isinstance(request_id, int) or request_id < 1:
            raise FrameError("A request came without an id.")
        if header.get("method") == "cancel":
            if open_request := self._requests.get(request_id):
                open_request.cancel()
            return
        if request_id in self._requests:
            raise FrameError("A request came with the id of an open one.")
        await self._room.acquire()
        request = asyncio.create_task(self._answer(request_id, header))
        self._requests[request_id] = request
        request.add_done_callback(lambda done: self._forget(request_id, done))

    def _forget(self, request_id: int, request: asyncio.Task[None]) -> None:
        self._room.release()
        del self._requests[request_id]
        if not request.cancelled() and (error := request.exception()) is not None:
            _log.debug("embedder.client_gone", reason=str(error))

    async def _answer(self, request_id: int, header: dict[str, Any]) -> None:
        frame = await self._role.answer(header)
        await self._send(Frame(header={"id": request_id, **frame.header}, body=frame.body))

    async def _send(self, frame: Frame) -> None:
        # One at a time, so that what a client does not read stays one frame and not all of its answers.
        async with self._sending:
            self._writer.write(encode_frame(frame))
            await self._writer.drain()


@contextmanager
def _own_path(socket_path: Path) -> Iterator[None]:
    """Holds the lock beside the socket. The kernel lets go of it when its process dies, however it dies."""
    try:
        socket_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(f"{socket_path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PERMISSIONS)
    except OSError as error:
        raise EmbedderSocketPathError(f"The embedder role cannot listen on {socket_path}: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmbedderRoleRunningError(
                f"An embedder role already listens on {socket_path}. Stop it first, or choose another path."
            ) from error
        yield
    finally:
        os.close(descriptor)


def _bind(socket_path: Path) -> socket.socket:
    _remove_stale(socket_path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mask, not a later chmod: at no moment may another user connect.
    mask = os.umask(0o777 & ~_PERMISSIONS)
    try:
        listening.bind(str(socket_path))
    except OSError as error:
        listening.close()
        raise EmbedderSocketPathError(f"The embedder role cannot listen on {socket_path}: {error}.") from error
    finally:
        os.umask(mask)
    return listening


def _remove_stale(socket_path: Path) -> None:
    """Removes the socket of a dead process. The holder of the lock may, unless another program listens there."""
    if not socket_path.exists():
        return
    if not socket_path.is_socket():
        raise EmbedderSocketPathError(f"{socket_path} is a file that is no socket. Choose another path.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        state = probe.connect_ex(str(socket_path))
    if state == errno.ECONNREFUSED:
        socket_path.unlink(missing_ok=True)
    elif state != errno.ENOENT:
        raise EmbedderRoleRunningError(f"Another program listens on {socket_path}. Stop it, or choose another path.")


def _error_frame(message: str, *, is_worth_another_try: bool = False, retry_after_s: float | None = None) -> Frame:
    error = {"message": message, "is_worth_another_try": is_worth_another_try, "retry_after_s": retry_after_s}
    return Frame(header={"error": error})


def _remove(socket_path: Path) -> None:
    socket_path.unlink(missing_ok=True)
