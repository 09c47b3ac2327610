"""Has a judge say what the built-in check leaves open, beside the stream and a batch at a time.

A sentence is handed over when it ends; those that end while the judge is busy wait together for its next call. Nothing
waits for a judge longer than its limits say: whatever it has not said by then, the built-in check has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from dragoman.deps import Deps
from dragoman.generation.entities import GenerationRequest
from dragoman.generation.grounding import SUPPORT_FROM, CheckedSentence
from dragoman.inference.judging import NONE
from dragoman.inference.service import Writer
from dragoman.kit.errors import DragomanError
from dragoman.ports.judge import Statement
from dragoman.retrieval.entities import Passage

_log = structlog.get_logger(__name__)

UNAVAILABLE: Final = "judge_unavailable"  # as `degraded` says it
_FACTS: Final = frozenset({"number", "unit", "name", "identifier"})
"""Reasons that no judge overrules: a model that reads for meaning passes over a wrong digit."""
_BORDERLINE: Final = (0.1, 0.95)  # scores of the built-in check; decision 0024 has what lies between and beyond
_MOST_PASSAGES: Final = 3
_GATHER_S: Final = 0.15  # a sentence waits so long for others to go with it: one call instead of several


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the judge says of a sentence, once it has. `score`: None where it says nothing; `until`: nobody waits longer."""

    statement: Statement
    until: float
    score: float | None = None
    is_settled: bool = False

    @property
    def may_wait(self) -> bool:
        return not self.is_settled and time.monotonic() < self.until

    def settle(self, score: float | None) -> None:
        self.score, self.is_settled = score, True


class Judging:
    """The judge of one answer; without one nothing is ever asked."""

    def __init__(self, deps: Deps, request: GenerationRequest, passages: Sequence[Passage]) -> None:
        self._deps, self._request, self._passages = deps, request, passages
        self._name = name_of(deps, request)
        self._all: list[Verdict] = []
        self._waiting: list[Verdict] = []
        self._task: asyncio.Task[None] | None = None
        self._no_more_come = asyncio.Event()
        self.is_lost = False

    def ask(self, sentence: str, checked: CheckedSentence, cited: Sequence[int]) -> Verdict | None:
        """Hand a sentence over; None: the built-in check decides. `cited`: the numbers of its sources, the best first."""
        if self._name == NONE or self.is_lost or not self._is_open(checked):
            return None
        sources = dict.fromkeys((*(number - 1 for number in cited), *((checked.best.source,) if checked.best else ())))
        statement = Statement(
            text=sentence,
            language=self._request.language,
            passages=tuple(_premise(self._passages[source]) for source in list(sources)[:_MOST_PASSAGES]),
        )
        verdict = Verdict(statement=statement, until=time.monotonic() + self._deps.judges.limits.longest_s)
        self._all.append(verdict)
        self._waiting.append(verdict)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._judge())
        return verdict

    async def settle(self) -> None:
        """Wait for what was asked, no longer than one call may take."""
        self._no_more_come.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=self._deps.judges.limits.longest_s)
        self.close()

    def close(self) -> None:
        """Nobody waits any longer: what the judge has not said it will not say."""
        if self._task is not None:
            self._task.cancel()
        for verdict in self._all:
            if not verdict.is_settled:
                self.is_lost = True
                verdict.settle(None)
        self._waiting = []

    def facts(self) -> dict[str, Any]:
        """What the answer's `grounding` says of it."""
        if self._name == NONE:
            return {}
        judged = sum(verdict.score is not None for verdict in self._all)
        return {"judge": {"name": self._name, "asked": len(self._all), "judged": judged}}

    def _is_open(self, checked: CheckedSentence) -> bool:
        """Whether the judge decides on a sentence."""
        if not checked.claims or checked.best is None or checked.reason in _FACTS:
            return False
        least, most = _BORDERLINE
        is_borderline = least <= checked.score < most and checked.reason != "opposite"
        return is_borderline or self._request.settings.judge_sentences == "all"

    async def _judge(self) -> None:
        judges, request = self._deps.judges, self._request
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._no_more_come.wait(), _GATHER_S)
            batch = self._waiting[: judges.limits.statements]
            self._waiting = self._waiting[len(batch) :]
            try:
                scores = await judges.judge(
                    request.context,
                    self._name,
                    [verdict.statement for verdict in batch],
                    answerer=request.settings.judge_answerer,
                    writer=Writer(name=request.answerer, fallback=request.settings.fallback_models),
                    model=request.settings.model,
                    is_remembered=request.settings.cache_answers,
                )
            except DragomanError as error:
                _log.warning("generation.judge_failed", judge=self._name, code=error.code, reason=error.message)
                self.is_lost = True
                scores = [None] * len(batch)
                for verdict in self._waiting:
                    verdict.settle(None)
                self._waiting = []
            for verdict, score in zip(batch, scores, strict=True):
                verdict.settle(score)


def name_of(deps: Deps, request: GenerationRequest) -> str:
    """The judge that the chatbot names, else the installation's; `none` where there is none."""
    settings = request.settings
    return settings.judge if "judge" in settings.model_fields_set else deps.default_judge


def judged(checked: CheckedSentence, score: float | None) -> CheckedSentence:
    """A sentence as the judge sees it; None: as it was."""
    if score is None:
        return checked
    score = round(score, 4)
    if score < SUPPORT_FROM:
        return replace(checked, score=score, judge=score, reason=checked.reason or "unsupported", support=())
    support = checked.support or ((checked.best,) if checked.best is not None else ())
    return replace(checked, score=score, judge=score, reason=None, detail="", support=support)


def _premise(passage: Passage) -> str:
    chunk = passage.found.chunk
    return f"{' > '.join((passage.found.title, *chunk.heading_path))}\n{chunk.text}"
