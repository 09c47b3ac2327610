"""Judges of an answer's sentences by name, behind a time-out, a breaker, budgets and usage records (purpose `judge`).

What was judged lately is remembered, so that an answer that is told again is not paid for again. Kept per tenant, as
translations are.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dragoman.inference.errors import JudgeTimeoutError, UnknownJudgeError
from dragoman.inference.roster import Roster
from dragoman.inference.service import CallContext, Inference, Writer
from dragoman.kit.cache import LayeredCache, cache_key
from dragoman.kit.errors import DragomanError
from dragoman.kit.tracing import span
from dragoman.ports.judge import Judge, JudgeUnavailableError, PromptedJudge, Statement

AnyJudge = Judge | PromptedJudge
PURPOSE: Final = "judge"
NONE: Final = "none"  # what a chatbot sets that wants no judge


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeLimits:
    """Bounds of one judgement, in seconds: the end of an answer waits for it.

    Attributes:
        statements: of one call at most.
        requests_at_once: to a language model.
    """

    timeout_s: float = 3.0
    prompted_timeout_s: float = 8.0
    statements: int = 10
    requests_at_once: int = 4

    @property
    def longest_s(self) -> float:
        return max(self.timeout_s, self.prompted_timeout_s)


class Judges:
    """Judges by name, each made when it is first asked for."""

    def __init__(
        self,
        *,
        factories: Mapping[str, Callable[[], AnyJudge]],
        inference: Inference,
        cache: LayeredCache | None = None,
        limits: JudgeLimits | None = None,
    ) -> None:
        """Without `cache` each statement is judged anew."""
        self._roster = Roster(factories, unknown=_unknown, late=JudgeTimeoutError)
        self._inference = inference
        self._cache = cache
        self.limits = limits or JudgeLimits()

    async def judge(
        self,
        context: CallContext,
        name: str,
        statements: Sequence[Statement],
        *,
        answerer: str | None,
        writer: Writer,
        model: str | None,
        is_remembered: bool = True,
    ) -> list[float | None]:
        """The probability that its passages support each statement, in the order given; None: the judge cannot say.

        Args:
            answerer: asked by a judge that has a language model judge; None: the judge's own, else `writer`.
            writer, model: who wrote the answer, and which model of that provider.
            is_remembered: a statement that was judged lately is not judged again.

        Raises:
            JudgeUnavailableError, CircuitOpenError, UnknownJudgeError, UnknownModelError, InvalidSettingError,
            BudgetExhaustedError;
            LlmUnavailableError, LlmOverloadedError, LlmRejectedError: the language model that judges.
        """
        asked = _Asked(context=context, name=name, answerer=answerer, writer=writer, model=model)
        if self._cache is None or not is_remembered:
            return await self._call(asked, statements)
        keys = [asked.key_of(statement) for statement in statements]
        known = await asyncio.gather(*map(self._cache.find, keys))
        found = [None if value is None else float(value) for value in known]
        missing = [place for place, value in enumerate(found) if value is None]
        if missing:
            scores = await self._call(asked, [statements[place] for place in missing])
            for place, score in zip(missing, scores, strict=True):
                found[place] = score
                if score is not None:
                    await self._cache.put(keys[place], repr(score).encode())
        return found

    async def _call(self, call: _Asked, statements: Sequence[Statement]) -> list[float | None]:
        name, writer = call.name, call.writer
        judge = self._roster.get(name)
        context = replace(call.context, purpose=PURPOSE)
        prompted = isinstance(judge, PromptedJudge)
        timeout_s = self.limits.prompted_timeout_s if prompted else self.limits.timeout_s
        async with self._roster.asked(name, timeout_s=timeout_s):
            with span("inference.judge", judge=name, statements=len(statements)):
                if isinstance(judge, PromptedJudge):
                    chosen = call.answerer or judge.answerer
                    asked = writer if chosen is None else Writer(name=chosen, fallback=writer.fallback)
                    own = call.model if chosen is None else None
                    found = await self._by_text(context, judge, statements, asked, own)
                else:
                    found = await self._alone(context, name, judge, statements)
            _check(found, len(statements))
        return found

    async def close(self) -> None:
        await self._roster.close()

    async def _alone(
        self, context: CallContext, name: str, judge: Judge, statements: Sequence[Statement]
    ) -> list[float | None]:
        # The model reads the statement with each passage; four characters are a token.
        tokens = sum(len(one.text) + len(passage) for one in statements for passage in one.passages) // 4
        metered = self._inference.metered(context, kind="judge", name=name, model=judge.model, estimate=tokens)
        async with metered as taken:
            taken.input_tokens = tokens
            try:
                return await judge.judge(statements)
            except DragomanError:
                raise
            except Exception as error:
                raise JudgeUnavailableError(f"The judge {name!r} failed: {error!r}") from error

    async def _by_text(
        self,
        context: CallContext,
        judge: PromptedJudge,
        statements: Sequence[Statement],
        writer: Writer,
        model: str | None,
    ) -> list[float | None]:
        requests = [
            replace(request, model=model) if request.model is None else request
            for request in judge.write_requests(statements)
        ]
        replies = await self._inference.write_all(context, writer, requests, at_once=self.limits.requests_at_once)
        return judge.read_replies(replies, statements)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Who is asked, and for whom."""

    context: CallContext
    name: str
    answerer: str | None
    writer: Writer
    model: str | None

    def key_of(self, statement: Statement) -> bytes:
        who = (self.name, self.answerer or "", self.writer.name, self.model or "")
        what = (statement.language, statement.text, *statement.passages)
        return cache_key(self.context.tenant_id.bytes, str(self.context.chatbot_id), *who, *what)


def _unknown(name: str, known: str) -> UnknownJudgeError:
    return UnknownJudgeError(f"There is no judge {name!r}. Choose `{NONE}` or one of: {known}.")


def _check(found: Sequence[float | None], count: int) -> None:
    """An adapter from outside may be wrong; a score that is no number would be stored with the answer."""
    sound = all(value is None or (math.isfinite(value) and 0.0 <= value <= 1.0) for value in found)
    if len(found) != count or not sound:
        raise JudgeUnavailableError("The judge's verdicts are not one probability for each statement.")
