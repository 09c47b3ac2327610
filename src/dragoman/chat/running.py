"""The answers that this API process is writing: each in a task of its own, which outlives a dropped connection.

When the last reader of an answer leaves, the answer stops at once: closing is how people and programs stop a model, and
a server cannot tell a connection that was closed from one that broke. So who wants to come back says so beforehand: an
answer that was asked for as resumable goes on for the grace time. Stopping ends the model call and stores what was said.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import structlog
from prometheus_client import Gauge
from redis.exceptions import RedisError

from dragoman.chat import in_work, pieces
from dragoman.chat.answer import Asked, Opened, answer_question, find_interrupted
from dragoman.chat.entities import AnswerEvent
from dragoman.chat.errors import AnswerOutOfReachError, AnswerStoppedError
from dragoman.chat.live_answer import AnswerKey, LiveAnswer, Piece, PieceKind, Position
from dragoman.chat.relay import ATTEND_S, Orders, Relay, name_of
from dragoman.deps import Deps
from dragoman.kit.cache import Cache
from dragoman.kit.errors import DragomanError
from dragoman.tenancy.entities import Caller

_log = structlog.get_logger(__name__)
RUNNING = Gauge("dragoman_answers_running", "Streamed answers that are being written.", multiprocess_mode="livesum")

_ATTENDED_S = 5 * ATTEND_S  # an order may come late, and one may be lost
_STORING_S = 5.0  # how long a request to stop waits for what was said to be stored


@dataclass(slots=True)
class _Running:
    answer: LiveAnswer
    task: asyncio.Task[None]
    readers: int = 0
    leaving: asyncio.TimerHandle | None = None


class RunningAnswers:
    """Starts, finds, follows and stops streamed answers."""

    def __init__(self, cache: Cache, *, grace_s: float) -> None:
        self._grace_s = grace_s
        self._running: dict[str, _Running] = {}
        self._relay = Relay(
            cache, Orders(cancel=self._cancel_here, attend=self._attend_from_elsewhere, erase=self._erase_here)
        )

    async def close(self) -> None:
        """Stop all answers; what was said is stored."""
        running = list(self._running.values())
        for each in running:
            each.task.cancel()
        await asyncio.gather(*(each.task for each in running), return_exceptions=True)
        await self._relay.close()

    def listen(self) -> None:
        """Hear from now on what other processes order."""
        self._relay.listen()

    # ---- writing

    def start(self, deps: Deps, caller: Caller, asked: Asked, opened: Opened, *, is_resumable: bool) -> LiveAnswer:
        """Begin to answer a question that is stored. Whoever starts an answer follows it: without readers it is not stopped."""
        key = AnswerKey(tenant_id=caller.tenant_id, session_id=asked.session_id, message_id=asked.answer_id)
        answer = LiveAnswer(key, is_resumable=is_resumable)
        name = name_of(key)
        task = asyncio.create_task(self._write(answer_question(deps, caller, asked, opened), deps, answer, name))
        self._running[name] = _Running(answer, task)
        RUNNING.inc()
        if is_resumable:
            self._relay.publish(answer)
        return answer

    async def _write(
        self, events: AsyncGenerator[AnswerEvent, None], deps: Deps, answer: LiveAnswer, name: str
    ) -> None:
        """The answer from its first event to its last, whatever happens."""
        try:
            async with aclosing(events):
                async for event in events:
                    answer.tell(*pieces.of_event(event, answer.key.message_id))
        except asyncio.CancelledError:
            answer.tell(*await _stopped(deps, answer.key))
        except DragomanError as error:
            answer.tell(*pieces.of_error(error))
        except Exception:  # noqa: BLE001 - the stream has begun: the asker is told in it, the log has the trace
            _log.exception("chat.stream_failed", session_id=str(answer.key.session_id))
            answer.tell(*pieces.of_error(DragomanError()))
        finally:
            running = self._running.pop(name)
            if running.leaving is not None:
                running.leaving.cancel()
            RUNNING.dec()

    # ---- reading

    def find(self, key: AnswerKey) -> LiveAnswer | None:
        """An answer that is being written here. None: it is not, or not any more."""
        running = self._running.get(name_of(key))
        return None if running is None else running.answer

    async def find_elsewhere(self, key: AnswerKey) -> LiveAnswer | None:
        """A resumable answer that another process writes, or wrote lately; it grows while it is followed.

        Raises:
            AnswerOutOfReachError: Valkey does not answer.
        """
        try:
            return LiveAnswer(key) if await self._relay.knows(key) else None
        except (RedisError, OSError) as error:
            raise AnswerOutOfReachError from error

    async def follow(
        self, answer: LiveAnswer, after: Position, *, silence_s: float
    ) -> AsyncGenerator[Sequence[Piece], None]:
        """The pieces after a position as they come, until the answer is over; nothing after each so long silence."""
        async with self._reading(answer) as growing:
            while True:
                news = growing.read(after)
                if news:
                    after = news[-1].position
                    yield news
                    if after.is_end:
                        return
                elif growing.is_over:
                    return
                elif not await growing.changes(after, timeout_s=silence_s):
                    yield ()

    @asynccontextmanager
    async def _reading(self, answer: LiveAnswer) -> AsyncIterator[LiveAnswer]:
        running = self._running.get(name_of(answer.key))
        if answer.is_over:
            yield answer
            return
        if running is None or running.answer is not answer:
            with self._relay.reading(answer) as shared:
                yield shared
            return
        running.readers += 1
        self._stays(running)
        try:
            yield answer
        finally:
            running.readers -= 1
            if running.readers == 0 and not running.task.done():
                self._may_leave(running)

    def _stays(self, running: _Running) -> None:
        if running.leaving is not None:
            running.leaving.cancel()
            running.leaving = None

    def _may_leave(self, running: _Running, *, at_least_s: float = 0.0) -> None:
        """Nobody reads it: stop it, now or after the grace time."""
        self._stays(running)
        if running.answer.is_resumable:
            grace_s = max(self._grace_s, at_least_s)
            running.leaving = asyncio.get_running_loop().call_later(grace_s, running.task.cancel)
        else:
            running.task.cancel()

    def _attend_from_elsewhere(self, name: str) -> None:
        """Somebody reads it in another process, which says so again and again: the grace time begins anew."""
        running = self._running.get(name)
        if running is not None and running.readers == 0 and not running.task.done():
            self._may_leave(running, at_least_s=_ATTENDED_S)

    # ---- stopping

    async def cancel(self, key: AnswerKey) -> bool:
        """Stop an answer, wherever it is written, and wait until what was said is stored; False: nobody writes it.

        Raises:
            AnswerOutOfReachError: it is not written here, and Valkey, which would reach the others, does not answer.
        """
        if await self._cancel_here(name_of(key)):
            return True
        try:
            return await self._relay.cancel(key)
        except (RedisError, OSError) as error:
            raise AnswerOutOfReachError from error

    async def _cancel_here(self, name: str) -> bool:
        running = self._running.get(name)
        if running is None:
            return False
        running.task.cancel()
        await asyncio.wait([running.task], timeout=_STORING_S)
        return True

    async def _erase_here(self, name: str) -> bool:
        """Stop all answers for an asker; those that could be read on from Valkey are gone from there too."""
        ids = in_work.answers_of(name)
        running = [each for each in self._running.values() if each.answer.key.message_id in ids]
        has_ended = await in_work.erase(name)
        try:
            for each in running:
                await asyncio.wait([each.task], timeout=_STORING_S)
                await self._relay.forget(each.answer)
        except (RedisError, OSError) as error:
            _log.warning("answers.valkey_away", reason=str(error))
            return False
        return has_ended


async def _stopped(deps: Deps, key: AnswerKey) -> tuple[PieceKind, str]:
    """How an answer ends that was stopped."""
    try:
        complete = await find_interrupted(deps, key.tenant_id, key.session_id, key.message_id)
    except DragomanError as error:
        return pieces.of_error(error)
    except Exception:  # noqa: BLE001 - as in `_write`
        _log.exception("chat.interrupted_not_stored", message_id=str(key.message_id))
        return pieces.of_error(DragomanError())
    if complete is None:
        return pieces.of_error(AnswerStoppedError())
    return pieces.of_event(complete, key.message_id)
