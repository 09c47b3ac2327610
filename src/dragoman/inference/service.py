"""The only way from a domain to a model.

Domains hold an `Inference`, never an adapter. Each call is bounded in time, tried again where that may help, kept away
from a model that keeps failing, and written down as a usage record.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from dragoman.inference.breaker import CircuitBreaker
from dragoman.inference.errors import EmbedderTimeoutError, LlmTimeoutError, UnknownModelError
from dragoman.inference.question_cache import QuestionCache
from dragoman.kit.clock import Stopwatch, new_id, now
from dragoman.kit.errors import DragomanError
from dragoman.kit.telemetry import span
from dragoman.metering.entities import UsageRecord
from dragoman.metering.prices import PriceList
from dragoman.metering.service import UsageBuffer
from dragoman.ports.embedder import Embedder, EmbedderProfile, Vectors
from dragoman.ports.llm import Completion, Llm, TextDelta, TextRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """For whom and for what a model is called; becomes the usage record."""

    tenant_id: UUID
    chatbot_id: UUID | None
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of calls. Times in seconds. Those of text only end what an adapter's own, shorter limits have not."""

    question_timeout_s: float = 5.0
    passages_timeout_s: float = 300.0
    first_token_timeout_s: float = 300.0
    next_token_timeout_s: float = 120.0
    attempts: int = 3
    backoff_s: float = 0.2


class Inference:
    """Models by name, behind their time-outs, retries, breakers and usage records."""

    def __init__(
        self,
        *,
        embedders: Mapping[str, Embedder],
        llms: Mapping[str, Callable[[], Llm]],
        prices: PriceList,
        usage: UsageBuffer,
        limits: Limits | None = None,
        questions: QuestionCache | None = None,
    ) -> None:
        """`embedders` are keyed by embedding version name; `llms` are made when first asked for.

        Without `questions` each question is embedded anew.
        """
        self._embedders = dict(embedders)
        self._llm_factories = dict(llms)
        self._llms: dict[str, Llm] = {}
        self._prices, self._usage = prices, usage
        self._limits = limits or Limits()
        self._questions = questions
        self._breakers: dict[str, CircuitBreaker] = {}

    # ---- embedding

    def embedder_profile(self, version: str) -> EmbedderProfile:
        return self._embedder(version).profile

    async def embed_question(self, context: CallContext, version: str, text: str) -> Vectors:
        """The vector of one question, shape `(dimensions,)`; of one asked lately without a call of the model.

        Raises:
            EmbedderUnavailableError, EmbedderRejectedError, CircuitOpenError, UnknownModelError.
        """
        embedder = self._embedder(version)

        async def embed(asked: str) -> Vectors:
            vectors = await self._embed(
                context,
                version,
                embedder,
                lambda: embedder.embed_queries([asked]),
                self._limits.question_timeout_s,
                [asked],
            )
            question: Vectors = vectors[0]
            return question

        if self._questions is None:
            return await embed(text)
        return await self._questions.get(context.tenant_id, version, text, embed)

    async def embed_passages(self, context: CallContext, version: str, texts: Sequence[str]) -> Vectors:
        """Vectors of stored texts, shape `(len(texts), dimensions)`. Raises as `embed_question`."""
        embedder = self._embedder(version)
        return await self._embed(
            context, version, embedder, lambda: embedder.embed_passages(texts), self._limits.passages_timeout_s, texts
        )

    async def count_tokens(self, version: str, texts: Sequence[str]) -> list[int]:
        return await self._embedder(version).count_tokens(texts)

    async def _embed(
        self,
        context: CallContext,
        version: str,
        embedder: Embedder,
        call: Callable[[], Awaitable[Vectors]],
        timeout_s: float,
        texts: Sequence[str],
    ) -> Vectors:
        breaker = self._breakers.setdefault(f"embedder:{version}", CircuitBreaker())
        watch = Stopwatch()
        with span("inference.embed", purpose=context.purpose, texts=len(texts)):
            try:
                vectors = await self._with_retries(call, timeout_s, breaker, EmbedderTimeoutError)
            except DragomanError as error:
                self._record(context, version, embedder.profile.model, watch, 0, 0, error.code)
                raise
        # Four characters a token is near enough for bookkeeping; a paid provider's own count comes with its adapter.
        tokens = sum(len(text) for text in texts) // 4
        self._record(context, version, embedder.profile.model, watch, tokens, 0, None)
        return vectors

    async def _with_retries(
        self,
        call: Callable[[], Awaitable[Vectors]],
        timeout_s: float,
        breaker: CircuitBreaker,
        timeout_error: type[DragomanError],
    ) -> Vectors:
        for attempt in range(1, self._limits.attempts + 1):
            breaker.check()
            try:
                async with asyncio.timeout(timeout_s):
                    vectors = await call()
            except TimeoutError as error:
                breaker.failed()
                raise timeout_error() from error
            except DragomanError as error:
                if not error.retryable:
                    raise
                breaker.failed()
                if attempt == self._limits.attempts:
                    raise
                await asyncio.sleep(self._delay_s(attempt, error.retry_after_s))
                if (
                    breaker.is_open
                ):  # others have failed meanwhile: what went wrong says more than that it is left alone
                    raise
            else:
                breaker.succeeded()
                return vectors
        raise AssertionError("unreachable: the last attempt returns or raises")

    # ---- text

    def llm_model(self, name: str) -> str:
        """The provider model that this answerer uses. Raises UnknownModelError."""
        return self._llm(name).model

    async def stream_text(
        self, context: CallContext, name: str, request: TextRequest
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        """Text from the language model `name`, then its `Completion`.

        Another attempt is made only before the first token: words already sent cannot be taken back.

        Raises:
            LlmUnavailableError, LlmOverloadedError, LlmRejectedError, CircuitOpenError, UnknownModelError.
        """
        llm = self._llm(name)
        breaker = self._breakers.setdefault(f"llm:{name}", CircuitBreaker())
        for attempt in range(1, self._limits.attempts + 1):
            breaker.check()
            started = False
            try:
                async with aclosing(self._stream_once(context, name, llm, request)) as events:
                    async for event in events:
                        started = True
                        yield event
            except DragomanError as error:
                if error.retryable:
                    breaker.failed()
                if started or not error.retryable or attempt == self._limits.attempts:
                    raise
                await asyncio.sleep(self._delay_s(attempt, error.retry_after_s))
                if breaker.is_open:
                    raise
            else:
                breaker.succeeded()
                return

    async def _stream_once(
        self, context: CallContext, name: str, llm: Llm, request: TextRequest
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        watch = Stopwatch()
        written = 0
        model = request.model or llm.model
        prompt_tokens = sum(len(message.content) for message in request.messages) // 4
        events = llm.stream(request)
        try:
            timeout_s = self._limits.first_token_timeout_s
            while True:
                try:
                    async with asyncio.timeout(timeout_s):
                        event = await anext(events)
                except StopAsyncIteration:
                    return
                timeout_s = self._limits.next_token_timeout_s
                if isinstance(event, Completion):
                    self._record(context, name, event.model, watch, event.input_tokens, event.output_tokens, None)
                else:
                    written += len(event.text)
                yield event
        except TimeoutError as error:
            self._record(context, name, model, watch, prompt_tokens, written // 4, LlmTimeoutError.code)
            raise LlmTimeoutError from error
        except DragomanError as error:
            self._record(context, name, model, watch, prompt_tokens, written // 4, error.code)
            raise
        except (GeneratorExit, asyncio.CancelledError):
            self._record(context, name, model, watch, prompt_tokens, written // 4, "cancelled")
            raise
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()

    # ---- shared

    async def close(self) -> None:
        for embedder in self._embedders.values():
            await embedder.close()
        for llm in self._llms.values():
            await llm.close()

    def cost_usd(self, model: str, *, input_tokens: int, output_tokens: int) -> float:
        return float(self._prices.cost_usd(model, input_tokens=input_tokens, output_tokens=output_tokens))

    def _embedder(self, version: str) -> Embedder:
        if version not in self._embedders:
            raise UnknownModelError(
                f"The embedding version {version!r} is not served by this installation. "
                f"Served: {', '.join(sorted(self._embedders))}. Set DRAGOMAN_EMBEDDER back, or embed again."
            )
        return self._embedders[version]

    def _llm(self, name: str) -> Llm:
        if name not in self._llms:
            if name not in self._llm_factories:
                raise UnknownModelError
            self._llms[name] = self._llm_factories[name]()
        return self._llms[name]

    def _delay_s(self, attempt: int, retry_after_s: float | None) -> float:
        backoff_s = self._limits.backoff_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
        return float(max(backoff_s, min(retry_after_s or 0.0, 10.0)))

    def _record(
        self,
        context: CallContext,
        adapter: str,
        model: str,
        watch: Stopwatch,
        input_tokens: int,
        output_tokens: int,
        error_code: str | None,
    ) -> None:
        self._usage.add(
            UsageRecord(
                id=new_id(),
                tenant_id=context.tenant_id,
                chatbot_id=context.chatbot_id,
                purpose=context.purpose,
                adapter=adapter,
                model=model,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cost_usd=self._prices.cost_usd(model, input_tokens=input_tokens, output_tokens=output_tokens),
                latency_ms=watch.elapsed_ms,
                error_code=error_code,
                created_at=now(),
            )
        )
