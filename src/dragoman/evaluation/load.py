"""How an instance bears load: many questions to a chatbot whose language model is scripted, over the real HTTP API.

The chatbot is made for the run and removed after it. Its setting `model` tells the adapter `scripted`, which every instance
has, how to answer: no setting of the instance is touched, nothing has to be restarted, and no other chatbot notices. What
the model does not take of a measured time is Dragoman's own, with the client's share and the clock's (a pause of the script
lasts up to a millisecond longer than it says).
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from dragoman.client import ApiError, ConnectionFailedError, Dragoman, FileContent
from dragoman.client.models import CompleteEvent, ErrorEvent, TokenEvent
from dragoman.evaluation.errors import RemoteLoadError
from dragoman.evaluation.metrics import percentile
from dragoman.evaluation.scratch import OnProgress

_WARM: Final = 3  # questions before the measurement: caches, connections and models are made by the first
_QUESTIONS: Final = (
    "What is a scripted answer?", "What is this?", "Which answer is scripted?", "Is this answer scripted?",
    "What does the script say?", "Who wrote the scripted answer?", "Where does the answer come from?",
    "How is a scripted answer made?", "Why is the answer scripted?", "What is written here?",
)  # fmt: skip
_DOCUMENT: Final = """# Scripted answers

This is a scripted answer. It says the same to every question, so that the time it takes is known.

# Load

Load is measured with many questions at once.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTask:
    """What to ask and of what kind of model.

    Attributes:
        questions, seconds: where it ends, whichever comes first; one of them at least.
        concurrency: questions asked at once.
        is_streamed: else whole answers are waited for, and there is no time to a first token.
        new_questions: none was asked before, so that each is embedded anew; else ten questions in turn.
        first_token_ms, token_ms, tokens, errors, hangs, cuts: of the model, as `adapters/llm/scripted.Load` says.
        timeout_s: after which a question is given up.
    """

    questions: int | None = 200
    seconds: float | None = None
    concurrency: int = 8
    is_streamed: bool = True
    new_questions: bool = False
    first_token_ms: float = 0.0
    token_ms: float = 0.0
    tokens: int = 20
    errors: float = 0.0
    hangs: float = 0.0
    cuts: float = 0.0
    timeout_s: float = 30.0

    @property
    def model(self) -> str:
        """The `model` of the chatbot."""
        names = ("first_token_ms", "token_ms", "tokens", "errors", "hangs", "cuts")
        return "load:" + ",".join(f"{name}={getattr(self, name):g}" for name in names)

    @property
    def scripted_ms(self) -> float:
        """What a whole answer takes by the script alone."""
        return self.first_token_ms + self.token_ms * (self.tokens - 1)


@dataclass(slots=True, kw_only=True)
class LoadReport:
    """What was measured. Times in milliseconds, in the order of the answers; `first_ms` of streams only.

    Attributes:
        own_first_ms, own_whole_ms: less what the script takes; of answers in which nothing gave way.
        errors: by code; of the client `timeout` and `connection`.
        degraded: how many answers name this rung.
        seconds: from the first question to the last answer.
        grown_mib: of the API processes from the warm-up to the end; None where they are not on this machine.
    """

    task: LoadTask
    first_ms: list[float] = field(default_factory=list)
    whole_ms: list[float] = field(default_factory=list)
    own_first_ms: list[float] = field(default_factory=list)
    own_whole_ms: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    grown_mib: float | None = None

    def as_json(self) -> dict[str, Any]:
        answers = len(self.whole_ms)
        return {
            "model": self.task.model.removeprefix("load:"),
            "concurrency": self.task.concurrency,
            "questions": answers + self.errors.total(),
            "answers": answers,
            "seconds": round(self.seconds, 2),
            "answers_per_s": round(answers / self.seconds, 1) if self.seconds else 0.0,
            "first_token_ms": _percentiles(self.first_ms),
            "whole_answer_ms": _percentiles(self.whole_ms),
            "own_to_first_token_ms": _percentiles(self.own_first_ms),
            "own_of_whole_answer_ms": _percentiles(self.own_whole_ms),
            "errors": dict(self.errors.most_common()),
            "degraded": dict(self.degraded.most_common()),
            "memory_growth_mib": None if self.grown_mib is None else round(self.grown_mib, 1),
        }


def require_local(url: str) -> None:
    """Raises RemoteLoadError: the server is not on this machine, as far as its name says."""
    host = urlsplit(url).hostname or ""
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    if not is_local:
        raise RemoteLoadError


async def evaluate_load(
    client: Dragoman, task: LoadTask, on_progress: OnProgress, *, memory_mib: Callable[[], float | None] = lambda: None
) -> LoadReport:
    """Make the chatbot, ask, remove it.

    Args:
        client: holds a key that may manage chatbots, and asks again for nothing that was refused.
        memory_mib: of the API processes, if they can be seen.

    Raises:
        ApiError, ConnectionFailedError, DocumentFailedError: the chatbot cannot be made.
    """
    settings = {
        "answerer": "scripted",
        "model": task.model,
        "fallback_models": [],
        "cache_answers": False,
        "judge": "none",
        "messages_per_minute": 0,
        "messages_per_minute_managers": 0,
    }
    chatbot = await client.chatbots.create(f"load test {secrets.token_hex(4)}", settings=settings)
    try:
        page = FileContent(name="load.md", content=_DOCUMENT.encode(), mime_type="text/markdown")
        on_progress(0, 1, "preparing")
        document = await client.documents.upload(page, chatbot_id=chatbot.id)
        await client.documents.wait_until_ready(document.id)
        on_progress(1, 1, "preparing")
        return await _measured(_Asking(client=client, chatbot_id=chatbot.id, task=task), on_progress, memory_mib)
    finally:
        await client.chatbots.delete(chatbot.id)


async def _measured(asking: _Asking, on_progress: OnProgress, memory_mib: Callable[[], float | None]) -> LoadReport:
    for number in range(_WARM):
        await asking.ask(number, LoadReport(task=asking.task))
    before = memory_mib()
    report = LoadReport(task=asking.task)
    started = time.perf_counter()
    await _drive(asking, report, started, on_progress)
    report.seconds = time.perf_counter() - started
    after = memory_mib()
    report.grown_mib = None if before is None or after is None else after - before
    return report


async def _drive(asking: _Asking, report: LoadReport, started: float, on_progress: OnProgress) -> None:
    """As many at once as wanted, each asking its next question when it has its answer."""
    task = asking.task
    asked = done = 0

    async def work() -> None:
        nonlocal asked, done
        while (task.questions is None or asked < task.questions) and (
            task.seconds is None or time.perf_counter() - started < task.seconds
        ):
            number, asked = asked, asked + 1
            await asking.ask(_WARM + number, report)
            done += 1
            on_progress(done, task.questions or asked, "asking")

    async with asyncio.TaskGroup() as group:
        for _ in range(task.concurrency):
            group.create_task(work())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """Asks one question in a session of its own and notes what came."""

    client: Dragoman
    chatbot_id: UUID
    task: LoadTask

    async def ask(self, number: int, report: LoadReport) -> None:
        try:
            async with asyncio.timeout(self.task.timeout_s):
                session = await self.client.sessions.create(chatbot_id=self.chatbot_id)
                question = f"What is scripted answer {secrets.token_hex(6)}?" if self.task.new_questions else (
                    _QUESTIONS[number % len(_QUESTIONS)]
                )  # fmt: skip
                if self.task.is_streamed:
                    await self._stream(session.id, question, report)
                else:
                    await self._whole(session.id, question, report)
        except TimeoutError:
            report.errors["timeout"] += 1
        except ConnectionFailedError:
            report.errors["connection"] += 1
        except ApiError as error:
            report.errors[error.code] += 1

    async def _stream(self, session_id: UUID, question: str, report: LoadReport) -> None:
        started = time.perf_counter()
        first_ms: float | None = None
        async with aclosing(self.client.messages.stream(session_id, question, resume=False)) as events:
            async for event in events:
                match event:
                    case TokenEvent() if first_ms is None:
                        first_ms = (time.perf_counter() - started) * 1000
                    case CompleteEvent():
                        self._note(report, event.degraded, first_ms, (time.perf_counter() - started) * 1000)
                        return
                    case ErrorEvent():
                        report.errors[event.code] += 1
                        return
        report.errors["connection"] += 1

    async def _whole(self, session_id: UUID, question: str, report: LoadReport) -> None:
        started = time.perf_counter()
        answer = await self.client.messages.send(session_id, question)
        self._note(report, answer.degraded, None, (time.perf_counter() - started) * 1000)

    def _note(self, report: LoadReport, degraded: Sequence[str], first_ms: float | None, whole_ms: float) -> None:
        report.whole_ms.append(whole_ms)
        if first_ms is not None:
            report.first_ms.append(first_ms)
        report.degraded.update(degraded)
        if degraded:
            return
        report.own_whole_ms.append(whole_ms - self.task.scripted_ms)
        if first_ms is not None:
            report.own_first_ms.append(first_ms - self.task.first_token_ms)


def _percentiles(values: Sequence[float]) -> Mapping[str, float]:
    return {f"p{share * 100:.0f}": round(percentile(values, share), 1) for share in (0.5, 0.95, 0.99)} if values else {}
