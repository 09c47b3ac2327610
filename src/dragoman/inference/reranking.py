"""Re-rankers by name, behind a time-out, a breaker and usage records; where one has a language model judge, its text too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from dragoman.inference.errors import (
    RerankerNotSetUpError,
    RerankerTimeoutError,
    UnknownModelError,
    UnknownRerankerError,
)
from dragoman.inference.roster import Roster
from dragoman.inference.service import CallContext, Inference
from dragoman.kit.errors import DragomanError
from dragoman.kit.tracing import span
from dragoman.ports.reranker import PromptedReranker, RerankCandidate, Reranker, RerankerUnavailableError

AnyReranker = Reranker | PromptedReranker
_PURPOSE = "rerank"


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankLimits:
    """Bounds of a re-ranking, in seconds: a search waits for it. `requests_at_once`: to a language model."""

    timeout_s: float = 3.0
    prompted_timeout_s: float = 12.0
    requests_at_once: int = 4


class Rerankers:
    """Re-rankers by name, each made when it is first asked for."""

    def __init__(
        self,
        *,
        factories: Mapping[str, Callable[[], AnyReranker]],
        inference: Inference,
        default_answerer: str,
        limits: RerankLimits | None = None,
    ) -> None:
        """`default_answerer` is the `llm` adapter that judges where a re-ranker names none."""
        self._roster = Roster(factories, unknown=_unknown, late=RerankerTimeoutError)
        self._inference, self._default_answerer = inference, default_answerer
        self._limits = limits or RerankLimits()

    def depth(self, name: str) -> int:
        """How many candidates the re-ranker wants to see; 0: it is not to be asked.

        Raises:
            UnknownRerankerError; InvalidSettingError: it cannot be made with these settings.
        """
        return self._roster.get(name).depth

    def require_set_up(self, name: str) -> None:
        """Raises RerankerNotSetUpError: there is no such re-ranker, or it has not what it needs."""
        known = ", ".join(self._roster.names)
        try:
            reranker = self._roster.get(name)
            if isinstance(reranker, PromptedReranker):
                self._inference.require_answerer(reranker.answerer or self._default_answerer)
        except UnknownRerankerError as error:
            raise RerankerNotSetUpError(f"There is no re-ranker {name!r}. Choose one of: {known}.") from error
        except UnknownModelError as error:
            raise RerankerNotSetUpError(
                f"The re-ranker {name!r} asks a language model, and none is set up. An operator sets `DRAGOMAN_LLM`."
            ) from error
        except DragomanError as error:
            raise RerankerNotSetUpError(f"The re-ranker {name!r} is not set up. {error.message}") from error

    def list_set_up(self) -> list[str]:
        """The names of those that can be asked."""
        return [name for name in self._roster.names if self._is_set_up(name)]

    def _is_set_up(self, name: str) -> bool:
        try:
            self.require_set_up(name)
        except RerankerNotSetUpError:
            return False
        return True

    async def rerank(
        self, context: CallContext, name: str, question: str, language: str, candidates: Sequence[RerankCandidate]
    ) -> list[float]:
        """The probability that each candidate helps to answer, in the order given.

        Raises:
            RerankerUnavailableError, CircuitOpenError, UnknownRerankerError, UnknownModelError, InvalidSettingError;
            LlmUnavailableError, LlmOverloadedError, LlmRejectedError: the language model that judges.
        """
        reranker = self._roster.get(name)
        prompted = isinstance(reranker, PromptedReranker)
        timeout_s = self._limits.prompted_timeout_s if prompted else self._limits.timeout_s
        async with self._roster.asked(name, timeout_s=timeout_s):
            with span("inference.rerank", reranker=name, candidates=len(candidates)):
                if isinstance(reranker, PromptedReranker):
                    scores = await self._rerank_by_text(context, reranker, question, candidates)
                else:
                    scores = await self._rerank_alone(context, name, reranker, question, language, candidates)
            _check(scores, len(candidates))
        return scores

    async def close(self) -> None:
        await self._roster.close()

    # ---- those that score by themselves

    async def _rerank_alone(
        self,
        context: CallContext,
        name: str,
        reranker: Reranker,
        question: str,
        language: str,
        candidates: Sequence[RerankCandidate],
    ) -> list[float]:
        # The model reads the question with each passage; four characters are a token.
        tokens = sum(len(question) + len(candidate.text) for candidate in candidates) // 4
        async with AsyncExitStack() as stack:
            if reranker.model is not None:
                metered = self._inference.metered(
                    context, kind="reranker", name=name, model=reranker.model, estimate=tokens
                )
                taken = await stack.enter_async_context(metered)
                taken.input_tokens = tokens
            try:
                return await reranker.rerank(question, language, candidates)
            except DragomanError:
                raise
            except Exception as error:
                raise RerankerUnavailableError(f"The re-ranker {name!r} failed: {error!r}") from error

    # ---- those that have a language model judge

    async def _rerank_by_text(
        self, context: CallContext, reranker: PromptedReranker, question: str, candidates: Sequence[RerankCandidate]
    ) -> list[float]:
        answerer = reranker.answerer or self._default_answerer
        requests = reranker.write_requests(question, candidates)
        replies = await self._inference.write_all(
            replace(context, purpose=_PURPOSE), answerer, requests, at_once=self._limits.requests_at_once
        )
        return reranker.read_replies(replies, candidates)


def _unknown(name: str, known: str) -> UnknownRerankerError:
    return UnknownRerankerError(f"There is no re-ranker {name!r}. Choose one of: {known}.")


def _check(scores: Sequence[float], count: int) -> None:
    """An adapter from outside may be wrong; a score that is no number would spoil the order of all."""
    if len(scores) != count or not all(math.isfinite(score) and 0.0 <= score <= 1.0 for score in scores):
        raise RerankerUnavailableError("The re-ranker's scores are not one probability for each passage.")
