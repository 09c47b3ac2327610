"""What happens now, for those who watch: signals of jobs and outbox events, through Valkey's pub/sub.

Signals (how far a job is) may be lost. Events may be lost on this way too, but never unnoticed: whoever listens is
told that something may have been `missed`, and reads PostgreSQL. While Valkey is away, all is missed all the time.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from pydantic_core import to_json
from redis.exceptions import RedisError

from dragoman.jobs.entities import Job, JobState
from dragoman.kit.cache import Cache
from dragoman.kit.clock import Stopwatch

_log = structlog.get_logger(__name__)

_CHANNEL = "dragoman:live:"
_FLUSH_S = 0.2
_RECONNECT_S = 1.0
_SIGNALS_PER_MESSAGE, _EVENTS_PER_MESSAGE = 100, 100
_MOST_PENDING = 5_000  # signals that a worker keeps for Valkey; beyond, the oldest are dropped
_MOST_SIGNALS, _MOST_EVENTS = 1_000, 1_000  # per listener; beyond, signals are dropped and events read anew
POLL_S = 2.0  # how often a listener is told to read PostgreSQL while Valkey is away
_REREAD_S = 30.0  # and while it is there, in case that a message got lost without a trace


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSignal:
    """How far a job is, at some moment. `progress` 0 to 1."""

    job_id: UUID
    kind: str
    subject_id: UUID | None
    group_id: UUID | None
    chatbot_id: UUID | None
    state: JobState
    step: str
    progress: float
    error_code: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """An outbox event of the listener's tenant; ids grow with time."""

    id: UUID
    topic: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a listener heard since it last asked: the newest signal of each job, all events in order.

    `missed`: more may have happened; PostgreSQL knows.
    """

    signals: tuple[JobSignal, ...]
    events: tuple[LiveEvent, ...]
    missed: bool


# ---- telling


class SignalBoard:
    """Collects the signals of a worker and sends the newest of each job, so that no job waits for Valkey."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._pending: dict[UUID, _Told] = {}
        self._bell = asyncio.Event()

    def tell(
        self,
        jobs: Iterable[Job],
        *,
        state: JobState,
        step: str,
        progress: float,
        error: tuple[str, str] | None = None,
    ) -> None:
        """`error`: its code and message."""
        for job in jobs:
            self._pending.pop(job.id, None)
            self._pending[job.id] = _Told(job, state, step, progress, error)
        while len(self._pending) > _MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        self._bell.set()

    async def run(self) -> None:
        """Send until cancelled, five times a second at most. What cannot be sent is dropped."""
        while True:
            await self._bell.wait()
            await asyncio.sleep(_FLUSH_S)
            self._bell.clear()
            pending, self._pending = self._pending, {}
            try:
                await self._send(list(pending.values()))
            except (RedisError, OSError):
                await asyncio.sleep(_RECONNECT_S)

    async def _send(self, pending: list[_Told]) -> None:
        by_tenant: dict[UUID, list[_Told]] = {}
        for told in pending:
            by_tenant.setdefault(told.job.tenant_id, []).append(told)
        async with self._cache.client.pipeline(transaction=False) as pipeline:
            for tenant_id, of_tenant in by_tenant.items():
                for start in range(0, len(of_tenant), _SIGNALS_PER_MESSAGE):
                    signals = [told.as_signal() for told in of_tenant[start : start + _SIGNALS_PER_MESSAGE]]
                    pipeline.publish(channel_of(tenant_id), to_json({"signals": signals}))
            await pipeline.execute()


class _Told(NamedTuple):
    """What was told of a job last. Only what is sent becomes a signal: in a bulk import most is told again before."""

    job: Job
    state: JobState
    step: str
    progress: float
    error: tuple[str, str] | None

    def as_signal(self) -> dict[str, Any]:
        """The fields of a `JobSignal`, as JSON writes them."""
        job, (code, message) = self.job, self.error or (None, None)
        return {
            "job_id": job.id,
            "kind": job.kind,
            "subject_id": job.subject_id or job.payload.get("document_id"),
            "group_id": job.group_id,
            "chatbot_id": job.payload.get("chatbot_id"),
            "state": self.state,
            "step": self.step,
            "progress": self.progress,
            "error_code": code,
            "error": message,
        }


def channel_of(tenant_id: UUID) -> str:
    """Where signals and events of a tenant are told."""
    return f"{_CHANNEL}{tenant_id}"


def event_as_json(event_id: UUID, topic: str, payload: str) -> str:
    """An outbox event as it goes through the channel of its tenant. `payload` is JSON, and stays as it is."""
    return f'{{"id":"{event_id}","topic":{json.dumps(topic)},"payload":{payload}}}'


def event_messages(events: Sequence[str]) -> Iterator[str]:
    """Events of one tenant, each as `event_as_json` writes it, as messages of its channel."""
    for start in range(0, len(events), _EVENTS_PER_MESSAGE):
        yield f'{{"events":[{",".join(events[start : start + _EVENTS_PER_MESSAGE])}]}}'


# ---- listening


class Listener:
    """One who watches a tenant. Slow ones lose signals; of events they are told that they missed some."""

    def __init__(self, *, is_connected: bool) -> None:
        self._signals: dict[UUID, JobSignal] = {}
        self._events: deque[LiveEvent] = deque()
        self._missed = True  # whatever was before
        self._is_connected = is_connected
        self._bell = asyncio.Event()
        self._since_read = Stopwatch()

    async def wait(self, timeout_s: float) -> Heard:
        """What happened since the last call, as soon as there is something, or after `timeout_s`."""
        patience_s = timeout_s if self._is_connected else min(timeout_s, POLL_S)
        if not self._missed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), patience_s)
        self._bell.clear()
        is_due = self._since_read.elapsed_ms > (_REREAD_S if self._is_connected else POLL_S * 0.9) * 1000
        heard = Heard(signals=tuple(self._signals.values()), events=tuple(self._events), missed=self._missed or is_due)
        if heard.missed:
            self._since_read = Stopwatch()
        self._signals, self._missed = {}, False
        self._events.clear()
        return heard

    def read_again(self) -> None:
        """What was said to be missed could not be read: say so again."""
        self._missed = True

    def hear_signals(self, signals: Iterable[JobSignal]) -> None:
        for signal in signals:
            self._signals.pop(signal.job_id, None)
            self._signals[signal.job_id] = signal
        while len(self._signals) > _MOST_SIGNALS:
            del self._signals[next(iter(self._signals))]
        self._bell.set()

    def hear_event(self, event: LiveEvent) -> None:
        if len(self._events) >= _MOST_EVENTS:
            self._events.clear()
            self._missed = True
        self._events.append(event)
        self._bell.set()

    def miss(self, *, is_connected: bool) -> None:
        """Something may have passed unheard; while the connection stays away, `wait` says so every `POLL_S`."""
        if is_connected or self._is_connected:
            self._missed = True
            self._bell.set()
        self._is_connected = is_connected


class LiveFeed:
    """Hands what comes through Valkey to the listeners of this process: one connection, open while somebody listens."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._listeners: dict[UUID, set[Listener]] = {}
        self._pump: asyncio.Task[None] | None = None
        self._is_connected = False

    @asynccontextmanager
    async def listen(self, tenant_id: UUID) -> AsyncIterator[Listener]:
        """Hear of this tenant, and of no other."""
        listener = Listener(is_connected=self._is_connected)
        self._listeners.setdefault(tenant_id, set()).add(listener)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._keep_hearing())
        try:
            yield listener
        finally:
            self._listeners[tenant_id].discard(listener)
            if not self._listeners[tenant_id]:
                del self._listeners[tenant_id]

    async def close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump

    async def _keep_hearing(self) -> None:
        while self._listeners:
            try:
                await self._hear()
            except (RedisError, OSError) as error:
                if self._is_connected:
                    _log.warning("live.valkey_away", reason=str(error))
                self._tell_missed(is_connected=False)
                await asyncio.sleep(_RECONNECT_S)
        self._is_connected = False

    async def _hear(self) -> None:
        """Until nobody listens. Each (silent) reconnection subscribes anew, which tells that something may be missed."""
        async with self._cache.client.pubsub() as pubsub:
            await pubsub.psubscribe(f"{_CHANNEL}*")
            while self._listeners:
                message = await pubsub.get_message(timeout=_RECONNECT_S)
                if message is None:
                    continue
                if message["type"] == "psubscribe":
                    self._tell_missed(is_connected=True)
                elif message["type"] == "pmessage":
                    tenant_id = UUID(message["channel"].decode().removeprefix(_CHANNEL))
                    self._pass_on(self._listeners.get(tenant_id, ()), message["data"])

    def _tell_missed(self, *, is_connected: bool) -> None:
        self._is_connected = is_connected
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.miss(is_connected=is_connected)

    def _pass_on(self, listeners: Iterable[Listener], data: bytes) -> None:
        content = json.loads(data)
        signals = [_signal(told) for told in content.get("signals", ())]
        events = [_event(told) for told in content.get("events", ())]
        for listener in listeners:
            listener.hear_signals(signals)
            for event in events:
                listener.hear_event(event)


def _signal(told: dict[str, Any]) -> JobSignal:
    ids = {name: _uuid_or_none(told[name]) for name in ("subject_id", "group_id", "chatbot_id")}
    values = told | ids | {"job_id": UUID(told["job_id"]), "state": JobState(told["state"])}
    return JobSignal(**values)


def _event(told: dict[str, Any]) -> LiveEvent:
    return LiveEvent(id=UUID(told["id"]), topic=told["topic"], payload=told["payload"])


def _uuid_or_none(value: object) -> UUID | None:
    return UUID(str(value)) if value else None
