"""Answers that grow in one API process, for readers in another: through Valkey, which may be away.

Each resumable answer is a stream in Valkey. Its name is a hash and what stands in it is encrypted, as in
`kit.cache.LayeredCache`: only who knows tenant, session and answer can find and read it. It is written some 25 times a
second at most, from where the writing left off before, all answers of the process in one round trip; nobody waits for
that. While the answer grows its stream lives for half a minute from each refreshment, so that its absence tells that
the process is gone; then for five minutes.

Everything written so far comes again every 2,000 entries, and when Valkey has lost it: readers take what is new to them.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from dragoman.chat.in_work import asker_name
from dragoman.chat.live_answer import AnswerKey, LiveAnswer, Piece, Position, as_json, from_json
from dragoman.kit.cache import Cache, cache_key, opened, sealed
from dragoman.kit.clock import new_id

_log = structlog.get_logger(__name__)

_STREAM: Final = "dragoman:answer:"
_CHANNEL: Final = "dragoman:answers"
_REPLY: Final = "dragoman:answer_reply:"
_FIELD: Final = b"p"
_FLUSH_S: Final = 0.04
_POLL_S: Final = 0.05
_REST_S: Final = 2.0  # after a failure
_ALIVE_S, _REFRESH_S, _KEPT_S = 30, 8.0, 300
_MOST_ENTRIES, _WHOLE_EVERY = 4_000, 2_000
_COUNT: Final = 500  # entries read at once
_SILENCE_S: Final = 3.0  # then it is asked whether the stream still lives
_APPEAR_S: Final = 1.0
ATTEND_S: Final = 1.0  # how often those who write are told that somebody here reads
_ASKS, _REPLY_S = 2, 0.5
_ERASED_S: Final = 8.0


@dataclass(slots=True)
class _Writing:
    """How far an answer is written to Valkey."""

    answer: LiveAnswer
    name: str
    secret: bytes
    position: Position = field(default_factory=Position)
    entries: int = 0
    refreshed: float = 0.0


@dataclass(slots=True)
class _Reading:
    """An answer that another process writes, as far as it was read here."""

    answer: LiveAnswer
    name: str
    secret: bytes
    readers: int = 0
    last_id: bytes = b"0-0"
    heard: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What other processes may ask of the answers here. Both get the name of an answer.

    Attributes:
        cancel: stops it; False: it is not written here.
        attend: somebody elsewhere reads it.
        erase: gets the name of an asker, all of whose answers it stops without storing them; False: not all have ended.
    """

    cancel: Callable[[str], Awaitable[bool]]
    attend: Callable[[str], None]
    erase: Callable[[str], Awaitable[bool]]


class Relay:
    """Writes the answers of this process to Valkey, reads those of others, and passes orders on."""

    def __init__(self, cache: Cache, orders: Orders) -> None:
        self._cache, self._orders = cache, orders
        self._writing: dict[str, _Writing] = {}
        self._reading: dict[str, _Reading] = {}
        self._bell = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._obeying: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """What is not written yet is written, where Valkey answers."""
        for name, task in self._tasks.items():
            if name != "write":
                task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while self._writing and "write" in self._tasks:
                    self._bell.set()
                    await asyncio.sleep(_FLUSH_S)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), *self._obeying, return_exceptions=True)

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Have a task of this process run."""
        task = self._tasks.get(name)
        if task is None or task.done():
            own = contextvars.Context()  # it serves all requests, and logs under the id of none
            self._tasks[name] = asyncio.create_task(_awaited(work), name=f"answers-{name}", context=own)

    # ---- writing

    def listen(self) -> None:
        """Hear orders from now on."""
        self._keep("obey", self._obey)

    def publish(self, answer: LiveAnswer) -> None:
        """Write an answer to Valkey until it is over."""
        name, secret = name_of(answer.key), _secret_of(answer.key)
        self._writing[name] = _Writing(answer, name, secret)
        self._bell.set()
        self._keep("write", self._write)

    async def forget(self, answer: LiveAnswer) -> None:
        """Take an answer out of Valkey at once.

        Raises RedisError, OSError: Valkey does not answer.
        """
        name = name_of(answer.key)
        self._writing.pop(name, None)
        await self._cache.client.unlink(_STREAM + name)

    async def _write(self) -> None:
        while True:
            await self._bell.wait()
            await asyncio.sleep(_FLUSH_S)
            if not self._writing:
                self._bell.clear()
                continue
            try:
                await self._write_news()
            except (RedisError, OSError) as error:
                _log.warning("answers.valkey_away", reason=str(error))
                self._begin_again(self._writing.values())
                await asyncio.sleep(_REST_S)

    async def _write_news(self) -> None:
        """What is new in all answers, in one round trip."""
        moment = time.monotonic()
        sent: list[tuple[_Writing, Position]] = []
        async with self._cache.client.pipeline(transaction=False) as pipeline:
            for writing in self._writing.values():
                is_whole = writing.position.total == 0
                if is_news := writing.answer.position.total > writing.position.total:
                    sent.append((writing, self._add_news(pipeline, writing, is_whole=is_whole)))
                is_over = writing.answer.is_over
                if is_over or (is_news and is_whole) or moment - writing.refreshed > _REFRESH_S:
                    pipeline.expire(_STREAM + writing.name, _KEPT_S if is_over else _ALIVE_S)
                    writing.refreshed = moment
            if not len(pipeline):
                return
            entry_ids = [result for result in await pipeline.execute() if not isinstance(result, bool | int)]
        for (writing, position), entry_id in zip(sent, entry_ids, strict=True):
            self._take_note(writing, position, is_kept=entry_id is not None)

    def _add_news(self, pipeline: Any, writing: _Writing, *, is_whole: bool) -> Position:
        """Where the news end."""
        pieces = _all_after(writing.answer, writing.position)
        pipeline.xadd(
            _STREAM + writing.name,
            {_FIELD: sealed(writing.secret, as_json(pieces))},
            maxlen=_MOST_ENTRIES,
            approximate=True,
            nomkstream=not is_whole,  # a part alone, where Valkey has lost the stream, helps nobody
        )
        return pieces[-1].position

    def _take_note(self, writing: _Writing, position: Position, *, is_kept: bool) -> None:
        if not is_kept:
            self._begin_again([writing])
            return
        writing.entries += 1
        if position.is_end:
            self._writing.pop(writing.name, None)
        else:
            writing.position = Position() if writing.entries % _WHOLE_EVERY == 0 else position

    def _begin_again(self, writings: Iterable[_Writing]) -> None:
        for writing in list(writings):
            writing.position, writing.refreshed = Position(), 0.0
            if writing.answer.is_over:  # it is stored: PostgreSQL tells it to those who come
                del self._writing[writing.name]

    # ---- reading

    async def knows(self, key: AnswerKey) -> bool:
        """Whether another process writes this answer, or wrote it lately.

        Raises RedisError, OSError: Valkey does not answer.
        """
        for _ in range(int(_APPEAR_S / _POLL_S)):  # what has just begun is written in a moment
            if await self._cache.client.exists(_STREAM + name_of(key)):
                return True
            await asyncio.sleep(_POLL_S)
        return False

    @contextmanager
    def reading(self, answer: LiveAnswer) -> Iterator[LiveAnswer]:
        """Let an answer that another process writes grow here; the one that others here read already, if there are."""
        name = name_of(answer.key)
        reading = self._reading.setdefault(name, _Reading(answer, name, _secret_of(answer.key)))
        reading.readers += 1
        self._keep("read", self._read)
        try:
            yield reading.answer
        finally:
            reading.readers -= 1
            if reading.readers == 0:
                del self._reading[name]

    async def _read(self) -> None:
        attended = 0.0
        while self._reading:
            readings = list(self._reading.values())
            try:
                if time.monotonic() - attended > ATTEND_S:
                    attended = time.monotonic()
                    await self._order("attend", [reading.name for reading in readings])
                await self._read_news(readings)
            except (RedisError, OSError) as error:
                _log.warning("answers.valkey_away", reason=str(error))
                for reading in readings:
                    if time.monotonic() - reading.heard > _ALIVE_S:
                        reading.answer.lose()
                await asyncio.sleep(_REST_S)
            await asyncio.sleep(_POLL_S)

    async def _read_news(self, readings: Iterable[_Reading]) -> None:
        growing = {reading.name: reading for reading in readings if not reading.answer.is_over}
        if not growing:
            return
        wanted: dict[Any, Any] = {_STREAM + name: reading.last_id for name, reading in growing.items()}
        moment = time.monotonic()
        found: Any = await self._cache.client.xread(wanted, count=_COUNT)
        for stream, entries in found:
            reading = growing[stream.decode().removeprefix(_STREAM)]
            reading.heard = moment
            for entry_id, fields in entries:
                reading.last_id = entry_id
                self._hear(reading, fields[_FIELD])
        for reading in growing.values():
            if moment - reading.heard > _SILENCE_S:
                if await self._cache.client.exists(_STREAM + reading.name):
                    reading.heard = moment
                else:
                    reading.answer.lose()

    def _hear(self, reading: _Reading, data: bytes) -> None:
        """What does not follow on what was heard comes again with the next whole."""
        content = opened(reading.secret, data)
        if content is not None:
            for piece in from_json(content):
                reading.answer.hear(piece)

    # ---- orders

    async def cancel(self, key: AnswerKey) -> bool:
        """Have another process stop an answer; False: none writes it.

        Raises RedisError, OSError: Valkey does not answer.
        """
        reply = f"{_REPLY}{new_id().hex}"
        for _ in range(_ASKS):  # one who has lost its connection may miss the first
            await self._order("cancel", [name_of(key)], reply=reply)
            waiting: Any = self._cache.client.blpop([reply], timeout=_REPLY_S)
            if await waiting:
                return True
        return False

    async def _order(self, what: str, names: list[str], **more: str) -> None:
        await self._cache.client.publish(_CHANNEL, json.dumps({"order": what, "names": names, **more}))

    async def _obey(self) -> None:
        while True:
            try:
                async with self._cache.client.pubsub() as pubsub:
                    await pubsub.subscribe(_CHANNEL)
                    while True:
                        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=_REST_S)
                        if message is not None:
                            self._take_order(json.loads(message["data"]))
            except (RedisError, OSError):  # who writes and reads says so in the log
                await asyncio.sleep(_REST_S)

    def _take_order(self, order: dict[str, Any]) -> None:
        for name in order["names"]:
            if order["order"] == "attend":
                self._orders.attend(name)
            elif order["order"] == "cancel":
                self._obey_behind(self._orders.cancel(name), order["reply"])
            elif order["order"] == "erase":
                self._obey_behind(self._orders.erase(name), order["reply"])

    def _obey_behind(self, obeying: Awaitable[bool], reply: str) -> None:
        task = asyncio.create_task(self._reply_when_done(obeying, reply))
        self._obeying.add(task)
        task.add_done_callback(self._obeying.discard)

    async def _reply_when_done(self, obeying: Awaitable[bool], reply: str) -> None:
        if await obeying:
            with suppress(RedisError, OSError):  # who asked is told by PostgreSQL then
                async with self._cache.client.pipeline(transaction=False) as pipeline:
                    pipeline.lpush(reply, "1")
                    pipeline.expire(reply, 10)
                    await pipeline.execute()


async def erase_answers_of(cache: Cache, *, tenant_id: UUID, asker: str) -> bool:
    """Have all processes stop the answers that they write for this asker, and store nothing of them.

    False: one of them has not said within 8 s that it has.

    Raises RedisError, OSError: Valkey does not answer.
    """
    reply = f"{_REPLY}{new_id().hex}"
    order = {"order": "erase", "names": [asker_name(tenant_id, asker)], "reply": reply}
    missing = int(await cache.client.publish(_CHANNEL, json.dumps(order)))
    begun = time.monotonic()
    while missing and (left_s := _ERASED_S - (time.monotonic() - begun)) > 0:
        waiting: Any = cache.client.blpop([reply], timeout=min(left_s, _REST_S))
        if await waiting:
            missing -= 1
    return missing == 0


def name_of(key: AnswerKey) -> str:
    """The name of an answer in Valkey."""
    return cache_key("answer-name", *_parts(key)).hex()


def stream_of(key: AnswerKey) -> str:
    """The key in Valkey under which an answer can be read on."""
    return _STREAM + name_of(key)


def _secret_of(key: AnswerKey) -> bytes:
    return cache_key("answer-seal", *_parts(key))


def _parts(key: AnswerKey) -> tuple[bytes, bytes, bytes]:
    return key.tenant_id.bytes, key.session_id.bytes, key.message_id.bytes


def _all_after(answer: LiveAnswer, position: Position) -> list[Piece]:
    found: list[Piece] = []
    while pieces := answer.read(position):
        found += pieces
        position = pieces[-1].position
    return found


async def _awaited(work: Callable[[], Awaitable[None]]) -> None:
    await work()
