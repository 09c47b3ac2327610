"""Text from the first of several models that can write it: one fails, the next goes on.

A model that fails before its first word is replaced unseen. One that breaks off is continued: the next model is given
what was written and asked to go on from there, since words already sent cannot be taken back. With hedging (Dean and
Barroso, The tail at scale, 2013) a silent model gets company, and whichever speaks first writes the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal, Protocol

from dragoman.kit.errors import DragomanError
from dragoman.ports.llm import ChatMessage, Completion, TextDelta, TextRequest

_CONTINUE: Final = (
    "Your answer broke off there. Continue it from exactly that point, in the same language. Do not repeat anything, "
    "and say nothing about the interruption."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reused:
    """A text that was written before: for the same prompt (`exact`), or for a question that asks the same (`semantic`).

    `cost_usd` and `seconds` are what writing it took, and what was saved now.
    """

    kind: Literal["exact", "semantic"]
    cost_usd: Decimal
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged(Completion):
    """The end of the text, with the name of the model that wrote its end and what that call cost.

    `reused`: it was written before; None: now. `remembered_as`: names the text where it is remembered; empty: it is not.
    """

    name: str
    cost_usd: Decimal
    reused: Reused | None = None
    remembered_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """The model `failed` could not, for the reason `code`; the next one is asked. `has_written`: words of it were sent."""

    failed: str
    code: str
    has_written: bool


TextEvent = TextDelta | Charged | Fallback
TextStream = AsyncGenerator[TextDelta | Charged, None]


class OpensStream(Protocol):
    def __call__(self, rung: str, request: TextRequest, *, is_last: bool) -> TextStream:
        """The text of one model; `is_last`: no other stands below it, so that waiting for it is worth more."""
        ...


async def stream_down(
    rungs: Sequence[str], request: TextRequest, open_stream: OpensStream, *, hedge_after_s: float | None = None
) -> AsyncGenerator[TextEvent, None]:
    """The text, with a `Fallback` where a model gave way to the next, then one `Charged`.

    `request.model` belongs to the first rung alone.

    Raises:
        DragomanError: of the last model, which its details name, when no model could.
    """
    race = _Race(rungs, request, open_stream, hedge_after_s)
    written: list[str] = []
    try:
        while True:
            stream, event = await race.first_to_speak(written)
            for fallback in race.take_failures():
                yield fallback
            if stream is None:
                assert race.error is not None  # nobody spoke, so that somebody failed
                raise race.error
            try:
                async with aclosing(stream.events) as events:
                    while event is not None:
                        if isinstance(event, TextDelta):
                            written.append(event.text)
                        yield event
                        event = await anext(events, None)
            except DragomanError as error:
                if not race.waiting:
                    _named(error, stream.rung)
                    raise
                yield Fallback(failed=stream.rung, code=error.code, has_written=bool(written))
            else:
                return
    finally:
        await race.stop()


@dataclass(slots=True)
class _Stream:
    rung: str
    events: TextStream
    first: asyncio.Task[TextDelta | Charged | None]


class _Race:
    """Starts models until one has spoken. At most two run at once."""

    def __init__(
        self, rungs: Sequence[str], request: TextRequest, open_stream: OpensStream, hedge_after_s: float | None
    ) -> None:
        self.waiting = list(rungs)
        self.error: DragomanError | None = None
        self._request, self._open_stream, self._hedge_after_s = request, open_stream, hedge_after_s
        self._first_rung = rungs[0]
        self._running: list[_Stream] = []
        self._failures: list[Fallback] = []

    async def first_to_speak(self, written: Sequence[str]) -> tuple[_Stream | None, TextDelta | Charged | None]:
        """The stream that has an event, with that event; none: all have failed."""
        request = _continued(self._request, "".join(written)) if written else self._request
        while self.waiting or self._running:
            if not self._running:
                self._start(request)
            may_hedge = self._hedge_after_s is not None and len(self._running) == 1 and bool(self.waiting)
            done, _ = await asyncio.wait(
                [stream.first for stream in self._running],
                timeout=self._hedge_after_s if may_hedge else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                self._start(request)
                continue
            for stream in [stream for stream in self._running if stream.first in done]:
                error = stream.first.exception()
                if error is None:
                    self._running.remove(stream)
                    await self.stop()
                    return stream, stream.first.result()
                self._note_failure(stream, error, has_written=bool(written))
        return None, None

    def take_failures(self) -> list[Fallback]:
        """Those since the last time. The last failure of all is `error`, not one of these."""
        taken, self._failures = self._failures, []
        return taken

    async def stop(self) -> None:
        """End the models that lost, or all of them when the reader has gone."""
        running, self._running = self._running, []
        for stream in running:
            stream.first.cancel()
        await asyncio.gather(*(stream.first for stream in running), return_exceptions=True)
        for stream in running:
            await stream.events.aclose()

    def _start(self, request: TextRequest) -> None:
        rung = self.waiting.pop(0)
        own = request if rung == self._first_rung else replace(request, model=None)
        events = self._open_stream(rung, own, is_last=not self.waiting)
        self._running.append(_Stream(rung, events, asyncio.ensure_future(_next(events))))

    def _note_failure(self, stream: _Stream, error: BaseException, *, has_written: bool) -> None:
        self._running.remove(stream)
        if not isinstance(error, DragomanError):
            raise error
        if self.waiting or self._running:
            self._failures.append(Fallback(failed=stream.rung, code=error.code, has_written=has_written))
        else:
            self.error = _named(error, stream.rung)


def _named(error: DragomanError, rung: str) -> DragomanError:
    """The error, with the model that failed under `model` in its details."""
    error.details.setdefault("model", rung)
    return error


async def _next(events: TextStream) -> TextDelta | Charged | None:
    return await anext(events, None)


def _continued(request: TextRequest, written: str) -> TextRequest:
    messages = [
        *request.messages,
        ChatMessage(role="assistant", content=written),
        ChatMessage(role="user", content=_CONTINUE),
    ]
    return replace(request, messages=messages)
