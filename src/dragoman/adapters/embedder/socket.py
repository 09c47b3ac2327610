"""Client of the embedder role: one process of the machine holds the model, the others ask it over a unix socket.

All calls of a process share one connection. It is opened by the first call and again when the role was restarted.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit import tracing
from dragoman.kit.errors import DragomanError
from dragoman.kit.frames import Frame, FrameError, encode_frame, read_frame, unpack_float32
from dragoman.ports.embedder import EmbedderProfile, EmbedderRejectedError, EmbedderUnavailableError, Vectors

# One request of a long job: small, so that the jobs of several processes take turns and no frame is large.
_REQUEST_TEXTS, _REQUEST_CHARACTERS = 16, 200_000
# Counting takes microseconds a text: many short ones go in one request.
_COUNTED_TEXTS = 512
# The role stops reading a connection that has many requests open; long jobs must leave room for queries on it.
_LONG_REQUESTS_AT_ONCE = 4


class Settings(BaseModel):
    """Settings of the embedder `socket`."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Field(description="The socket of the embedder role.")
    timeout_s: float = Field(default=120.0, gt=0, description="Longest wait for the answer to 16 texts, in seconds.")
    connect_timeout_s: float = Field(default=5.0, gt=0, description="Longest wait for a connection, in seconds.")


class Adapter:
    """The embedder `socket`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._profile: EmbedderProfile | None = None
        self._link: _Link | None = None

    @property
    def profile(self) -> EmbedderProfile:
        """The profile of the role's model. Blocks for a moment where nothing has been asked yet.

        Raises:
            EmbedderUnavailableError: the role does not answer.
        """
        if self._profile is None:
            self._profile = _fetch_profile(self._settings)
        return self._profile

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return await self._embed("embed_queries", texts)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return await self._embed("embed_passages", texts)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        answers = await _gather([self._ask("count_tokens", part) for part in _cut_requests(texts, _COUNTED_TEXTS)])
        return [int(count) for answer in answers for count in answer.header["counts"]]

    async def close(self) -> None:
        if self._link is not None:
            await self._link.close()
            self._link = None

    async def _embed(self, method: str, texts: Sequence[str]) -> Vectors:
        answers = await _gather([self._ask(method, part) for part in _cut_requests(texts, _REQUEST_TEXTS)])
        dimensions = (self._profile or await self._learn_profile()).dimensions
        try:
            parts = [unpack_float32(answer.body, (int(answer.header["rows"]), dimensions)) for answer in answers]
        except (FrameError, KeyError, ValueError) as error:
            raise EmbedderUnavailableError("The embedder role sent an answer that cannot be read.") from error
        return np.concatenate([np.empty((0, dimensions), dtype=np.float32), *parts])

    async def _ask(self, method: str, texts: Sequence[str]) -> Frame:
        link = self._get_link()
        if method == "embed_queries":
            return await self._ask_twice(link, method, texts)
        async with link.long_requests:
            return await self._ask_twice(link, method, texts)

    async def _ask_twice(self, link: _Link, method: str, texts: Sequence[str]) -> Frame:
        """Asks again once over a new connection: the role may have been restarted since the last call."""
        try:
            try:
                return await self._ask_once(link, method, texts)
            except _ConnectionLostError:
                return await self._ask_once(link, method, texts)
        except (_ConnectionLostError, TimeoutError, OSError) as error:
            raise _unavailable(self._settings, error) from error

    async def _ask_once(self, link: _Link, method: str, texts: Sequence[str]) -> Frame:
        connection = await link.connect()
        self._profile = connection.profile
        return await connection.ask(method, texts, timeout_s=self._settings.timeout_s)

    async def _learn_profile(self) -> EmbedderProfile:
        try:
            return (await self._get_link().connect()).profile
        except (_ConnectionLostError, TimeoutError, OSError) as error:
            raise _unavailable(self._settings, error) from error

    def _get_link(self) -> _Link:
        # A connection belongs to the event loop that opened it; a process may run one loop after another.
        if self._link is None or self._link.loop is not asyncio.get_running_loop():
            self._link = _Link(self._settings)
        return self._link


class _ConnectionLostError(Exception):
    """The connection ended while an answer was awaited."""

    def __str__(self) -> str:
        return "connection lost"


class _Link:
    """The connection of one event loop, opened when needed."""

    def __init__(self, settings: Settings) -> None:
        self.loop = asyncio.get_running_loop()
        self.long_requests = asyncio.Semaphore(_LONG_REQUESTS_AT_ONCE)
        self._settings = settings
        self._opening = asyncio.Lock()
        self._connection: _Connection | None = None

    async def connect(self) -> _Connection:
        async with self._opening:
            if self._connection is None or self._connection.is_lost:
                async with asyncio.timeout(self._settings.connect_timeout_s):
                    self._connection = await _open_connection(self._settings.path)
            return self._connection

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


class _Connection:
    """One open connection. Answers are matched to calls by the id of the request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, profile: EmbedderProfile) -> None:
        self.profile = profile
        self.is_lost = False
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._ids = itertools.count(1)
        self._receiving = asyncio.create_task(self._receive(reader), name="embedder-socket")

    async def ask(self, method: str, texts: Sequence[str], *, timeout_s: float) -> Frame:
        request_id = next(self._ids)
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        try:
            async with asyncio.timeout(timeout_s):
                context = {} if (parent := tracing.traceparent()) is None else {"traceparent": parent}
                await self._send({"id": request_id, "method": method, "texts": list(texts), **context})
                frame = await answer
        finally:
            if self._waiting.pop(request_id, None) is not None and not self.is_lost:
                # Cancelled or timed out: the role need not finish it.
                self._writer.write(encode_frame(Frame(header={"id": request_id, "method": "cancel"})))
        if "error" in frame.header:
            raise _rebuild_error(frame.header["error"])
        return frame

    async def close(self) -> None:
        self._receiving.cancel()
        self._lose()
        await asyncio.gather(self._receiving, return_exceptions=True)

    async def _send(self, header: dict[str, Any]) -> None:
        if self.is_lost:
            raise _ConnectionLostError
        try:
            self._writer.write(encode_frame(Frame(header=header)))
            await self._writer.drain()
        except ConnectionError as error:
            self._lose()
            raise _ConnectionLostError from error

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while (frame := await read_frame(reader)) is not None:
                answer = self._waiting.pop(frame.header.get("id", 0), None)
                if answer is not None and not answer.done():
                    answer.set_result(frame)
        except (FrameError, OSError):
            pass  # every waiting call is told by `_lose`
        finally:
            self._lose()

    def _lose(self) -> None:
        self.is_lost = True
        self._writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(_ConnectionLostError())
        self._waiting.clear()


async def _open_connection(path: Path) -> _Connection:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        greeting = await read_frame(reader)
        if greeting is None:
            raise _ConnectionLostError
        return _Connection(reader, writer, EmbedderProfile.from_json(greeting.header["profile"]))
    except (FrameError, KeyError, TypeError) as error:
        writer.close()
        raise EmbedderRejectedError(f"What listens on {path} is not an embedder role of this version.") from error
    except BaseException:
        writer.close()
        raise


def _fetch_profile(settings: Settings) -> EmbedderProfile:
    """The role greets every connection with its profile: a short connection from a loop of its own reads it."""

    async def fetch() -> EmbedderProfile:
        async with asyncio.timeout(settings.connect_timeout_s):
            connection = await _open_connection(settings.path)
        await connection.close()
        return connection.profile

    with ThreadPoolExecutor(1) as apart:
        try:
            return apart.submit(lambda: asyncio.run(fetch())).result()
        except (_ConnectionLostError, TimeoutError, OSError) as error:
            raise _unavailable(settings, error) from error


async def _gather(calls: Sequence[Coroutine[Any, Any, Frame]]) -> list[Frame]:
    """All answers in order; when one call fails or the caller is cancelled, the others are cancelled too."""
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _rebuild_error(error: dict[str, Any]) -> DragomanError:
    kind = EmbedderUnavailableError if error.get("is_worth_another_try") else EmbedderRejectedError
    return kind(str(error.get("message", "")) or None, retry_after_s=error.get("retry_after_s"))


def _unavailable(settings: Settings, error: Exception) -> EmbedderUnavailableError:
    reason = str(error) or type(error).__name__
    return EmbedderUnavailableError(
        f"The embedder role does not answer on {settings.path} ({reason}). Start it with `dragoman embedder`."
    )


def _cut_requests(texts: Sequence[str], most: int) -> Iterator[list[str]]:
    part: list[str] = []
    characters = 0
    for text in texts:
        # No model reads a text of this length whole; a frame could not carry it.
        text = text[:_REQUEST_CHARACTERS]
        if part and (len(part) == most or characters + len(text) > _REQUEST_CHARACTERS):
            yield part
            part, characters = [], 0
        part.append(text)
        characters += len(text)
    if part:
        yield part
