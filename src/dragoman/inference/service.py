"""The only way from a domain to a model.

Domains hold an `Inference`, never an adapter. Each call is bounded in time, tried again where that may help, kept away
from a model that keeps failing, paid out of its budgets, and written down as a usage record. Text is written by the
first model of a ladder that can (`ladder`), which the router puts in order (`router`).
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from dragoman.inference import model_spans
from dragoman.inference.breaker import CircuitBreaker
from dragoman.inference.catalogue import AUTO, Catalogue
from dragoman.inference.errors import EmbedderTimeoutError, LlmTimeoutError, UnknownModelError
from dragoman.inference.ladder import Charged, Fallback, TextEvent, TextStream, stream_down
from dragoman.inference.masking import MaskSource, PiiMask
from dragoman.inference.question_cache import QuestionCache
from dragoman.inference.router import Demand, Size, fits, order_models
from dragoman.kit import tracing
from dragoman.kit.clock import Stopwatch, new_id, now
from dragoman.kit.errors import DragomanError
from dragoman.metering.budgets import Budgets
from dragoman.metering.entities import NOBODY, Reservation, Spender, UsageRecord
from dragoman.metering.prices import PriceList
from dragoman.metering.service import UsageBuffer
from dragoman.ports.embedder import Embedder, EmbedderProfile, Vectors
from dragoman.ports.llm import Completion, Llm, LlmEmptyError, TextDelta, TextRequest

_log = structlog.get_logger(__name__)
_BYTES_PER_TOKEN: Final = 3  # less than most tokenizers need, so that an estimate is rather too high than too low
_PATIENCE_S: Final = 1.0  # longest wait for a busy model while another one could be asked

FALLBACKS = Counter("dragoman_model_fallbacks_total", "Models that gave way to the next one.", ["model", "reason"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """For whom and for what a model is called; becomes the usage record."""

    tenant_id: UUID
    chatbot_id: UUID | None
    purpose: str
    spender: Spender = field(default=NOBODY, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Which model writes a text.

    Attributes:
        name: of a listed model or an `llm` adapter; `auto`: the router chooses.
        fallback: models below it, in order; None: those of the installation. Of `auto` all that are listed.
        demand: what the text asks of a model.
    """

    name: str
    fallback: tuple[str, ...] | None = None
    demand: Demand = field(default_factory=Demand)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A whole text. `model`: the provider's name of the one that wrote it; `fallbacks`: those that could not."""

    text: str
    model: str
    fallbacks: tuple[Fallback, ...]


@dataclass(slots=True)
class Taken:
    """Tokens that a call has taken; whoever makes the call fills it in."""

    input_tokens: int = 0
    output_tokens: int = 0


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
        catalogue: Catalogue | None = None,
        budgets: Budgets | None = None,
        masks: MaskSource | None = None,
    ) -> None:
        """`embedders` are keyed by embedding version name, `llms` by adapter or listed model; they are made when first
        asked for.

        `masks` says what is kept from models elsewhere; without it they read everything.
        Without `questions` each question is embedded anew; without `budgets` nothing bounds what is spent.
        """
        self._embedders = dict(embedders)
        self._llm_factories = dict(llms)
        self._llms: dict[str, Llm] = {}
        self._prices, self._usage = prices, usage
        self._limits = limits or Limits()
        self._questions = questions
        self._breakers: dict[str, CircuitBreaker] = {}
        self._catalogue = catalogue or Catalogue()
        self._budgets = budgets
        self._masks = masks
        self._settling: set[asyncio.Task[None]] = set()

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
        breaker = self._breakers.setdefault(f"embedder:{version}", CircuitBreaker(version))
        # Four characters a token is near enough for bookkeeping; a paid provider's own count comes with its adapter.
        tokens = sum(len(text) for text in texts) // 4
        model = embedder.profile.model
        async with self.metered(context, kind="embedder", name=version, model=model, estimate=tokens) as took:
            vectors = await self._with_retries(call, timeout_s, breaker, EmbedderTimeoutError)
            took.input_tokens = tokens
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

    def require_answerer(self, name: str) -> None:
        """Raises UnknownModelError: no language model stands behind this name."""
        if name != AUTO:
            self._llm(name)
        elif not self._catalogue.models:
            raise UnknownModelError

    def window(self, writer: Writer, request: TextRequest) -> int | None:
        """Tokens that prompt and answer may have together at the model asked first; None: not known."""
        listed = self._catalogue.find(self._rungs(writer, request)[0])
        return listed.window if listed else None

    async def stream_text(
        self, context: CallContext, writer: Writer | str, request: TextRequest
    ) -> AsyncGenerator[TextEvent, None]:
        """Text from the first model of the writer's ladder that can, a `Fallback` for each that gave way, then `Charged`.

        A model is asked again only before its first token: words already sent cannot be taken back. The next model
        goes on from them.

        Raises:
            LlmUnavailableError, LlmRejectedError, CircuitOpenError, UnknownModelError,
            BudgetExhaustedError: of the last model.
        """
        writer, request = _named(writer, request)
        rungs = self._rungs(writer, request)
        routing = self._catalogue.routing
        patience = _Patience(routing.time_limit_s)

        def open_stream(rung: str, request: TextRequest, *, is_last: bool) -> TextStream:
            return self._stream_patiently(context, rung, request, patience, is_last=is_last)

        hedge_after_s = routing.hedge_after_ms / 1000 if routing.hedge_after_ms else None
        events = stream_down(rungs, request, open_stream, hedge_after_s=hedge_after_s)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Fallback):
                    _note_fallback(event, context)
                yield event

    async def write_all(
        self, context: CallContext, writer: Writer | str, requests: Sequence[TextRequest], *, at_once: int
    ) -> list[str]:
        """The whole texts, so many at a time, in the order of the requests. Where one fails the others are given up.

        Raises:
            As `stream_text`.
        """
        room = asyncio.Semaphore(at_once)

        async def write(request: TextRequest) -> str:
            async with room:
                return (await self.write_text(context, writer, request)).text

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(write(request)) for request in requests]
        except* DragomanError as errors:
            raise _first(errors) from errors
        return [task.result() for task in tasks]

    async def write_text(self, context: CallContext, writer: Writer | str, request: TextRequest) -> Written:
        """The whole text, for those who show none of it before its end: where a model breaks off, the next one begins
        again.

        Raises:
            As `stream_text`.
        """
        writer, request = _named(writer, request)
        rungs = self._rungs(writer, request)
        fallbacks: list[Fallback] = []
        for place, rung in enumerate(rungs):
            own = request if place == 0 else replace(request, model=None)
            patience = _Patience(self._catalogue.routing.time_limit_s)
            parts: list[str] = []
            model = ""
            try:
                is_last = place == len(rungs) - 1
                async with aclosing(self._stream_patiently(context, rung, own, patience, is_last=is_last)) as events:
                    async for event in events:
                        if isinstance(event, TextDelta):
                            parts.append(event.text)
                        else:
                            model = event.model
            except DragomanError as error:
                if is_last:
                    raise
                fallbacks.append(Fallback(failed=rung, code=error.code, has_written=False))
                _note_fallback(fallbacks[-1], context)
            else:
                break
        return Written(text="".join(parts), model=model, fallbacks=tuple(fallbacks))

    def _rungs(self, writer: Writer, request: TextRequest) -> list[str]:
        """The names of the models to ask, in their order; at least one. Raises UnknownModelError."""
        size = Size(prompt_tokens=_prompt_tokens(request), answer_tokens=request.max_tokens)
        if writer.name == AUTO:
            ordered = order_models(
                self._catalogue.models,
                writer.demand,
                size,
                cost_of=lambda model: self._cost(
                    model.name, model.model or "", input_tokens=size.prompt_tokens, output_tokens=size.answer_tokens
                ),
                is_healthy=lambda model: not self._breaker_of(model.name).is_open,
            )
            if not ordered:
                raise UnknownModelError(
                    "The answerer `auto` needs models to choose from: list them in configs/models.yaml."
                )
            return [model.name for model in ordered]
        below = self._catalogue.routing.fallback if writer.fallback is None else writer.fallback
        rungs = list(dict.fromkeys((writer.name, *below)))
        wide = [rung for rung in rungs if (listed := self._catalogue.find(rung)) is None or fits(listed, size)]
        return wide or rungs

    async def _stream_patiently(
        self, context: CallContext, name: str, request: TextRequest, patience: _Patience, *, is_last: bool
    ) -> TextStream:
        """The text of one model, which is asked again while it has said nothing and waiting is worth it."""
        llm = self._llm(name)
        breaker = self._breaker_of(name)
        for attempt in range(1, self._limits.attempts + 1):
            breaker.check()
            started = False
            try:
                async with aclosing(self._stream_once(context, name, llm, request, patience)) as events:
                    async for event in events:
                        started = True
                        yield event
            except DragomanError as error:
                if error.retryable:
                    breaker.failed()
                if started or not error.retryable or attempt == self._limits.attempts:
                    raise
                delay_s = self._delay_s(attempt, error.retry_after_s)
                waits_too_long = delay_s > _PATIENCE_S or isinstance(error, LlmTimeoutError)
                if patience.ends_within(delay_s) or (waits_too_long and not is_last):
                    raise
                await asyncio.sleep(delay_s)
                if breaker.is_open:
                    raise
            else:
                breaker.succeeded()
                return

    async def _stream_once(
        self, context: CallContext, name: str, llm: Llm, request: TextRequest, patience: _Patience
    ) -> TextStream:
        call = _Call(context=context, kind="llm", name=name, model=request.model or llm.model)
        timeout_s = patience.shorten(self._limits.first_token_timeout_s)
        mask = await self._mask_for(call, llm)
        told = request if mask is None else await mask.mask(request)
        reservation = await self._reserve(call, _prompt_tokens(request), request.max_tokens)
        span = model_spans.start(
            kind="llm", name=name, model=call.model, purpose=context.purpose, tokens=request.max_tokens
        )
        model_spans.show_question(span, told.messages)
        events = llm.stream(told)
        restorer = None if mask is None else mask.restorer()
        written, said, is_recorded = 0, False, False
        parts: list[str] | None = [] if tracing.shows_text() else None

        def broke_off(error_code: str, *, is_charged: bool) -> None:
            if not is_recorded:
                took = (_prompt_tokens(request), written // _BYTES_PER_TOKEN) if written or is_charged else (0, 0)
                record = self._record_of(call, *took, error_code)
                model_spans.end(span, record, said=parts)
                self._record_soon(reservation, record)

        try:
            while True:
                try:
                    async with asyncio.timeout(timeout_s):
                        with tracing.under(span):
                            event = await anext(events)
                except StopAsyncIteration:
                    return
                patience.heard()
                timeout_s = self._limits.next_token_timeout_s
                if isinstance(event, Completion):
                    call = replace(call, model=event.model)
                    error_code = None if said else LlmEmptyError.code
                    record = self._record_of(call, event.input_tokens, event.output_tokens, error_code)
                    is_recorded = True
                    model_spans.end(span, record, said=parts)
                    await self._record(reservation, record)
                    if not said:
                        raise LlmEmptyError
                    if restorer is not None and (rest := restorer.finish()):
                        yield TextDelta(text=rest)
                    yield _charged(event, name, record.cost_usd)
                else:
                    written += _bytes(event.text)
                    if parts is not None:
                        parts.append(event.text)
                    said = said or bool(event.text.strip())
                    if restorer is None:
                        yield event
                    elif text := restorer.feed(event.text):
                        yield TextDelta(text=text)
        except TimeoutError as error:
            broke_off(LlmTimeoutError.code, is_charged=True)
            raise LlmTimeoutError from error
        except DragomanError as error:
            broke_off(error.code, is_charged=False)
            raise
        except (GeneratorExit, asyncio.CancelledError):
            broke_off("cancelled", is_charged=True)
            raise
        except Exception:
            broke_off(DragomanError.code, is_charged=True)
            raise
        finally:
            tracing.finish(span)  # where the model said no end
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()

    async def _mask_for(self, call: _Call, llm: Llm) -> PiiMask | None:
        """What is kept from this model; None: it runs here, or the chatbot hides nothing."""
        if self._masks is None or call.context.chatbot_id is None:
            return None
        listed = self._catalogue.find(call.name)
        is_local = listed.local if listed is not None and listed.local is not None else llm.is_local
        return None if is_local else await self._masks(call.context.tenant_id, call.context.chatbot_id)

    # ---- shared

    async def close(self) -> None:
        await asyncio.gather(*self._settling)
        for embedder in self._embedders.values():
            await embedder.close()
        for llm in self._llms.values():
            await llm.close()

    def _cost(self, name: str, model: str, *, input_tokens: int, output_tokens: int) -> Decimal:
        """By the price of the listed model `name`, else by the provider's name of it."""
        listed = self._catalogue.find(name)
        if listed is not None and listed.price is not None:
            return listed.price.cost_usd(input_tokens=input_tokens, output_tokens=output_tokens)
        return self._prices.cost_usd(model, input_tokens=input_tokens, output_tokens=output_tokens)

    def _breaker_of(self, name: str) -> CircuitBreaker:
        return self._breakers.setdefault(f"llm:{name}", CircuitBreaker(name))

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

    # ---- money and bookkeeping

    @asynccontextmanager
    async def metered(
        self, context: CallContext, *, kind: str, name: str, model: str, estimate: int
    ) -> AsyncIterator[Taken]:
        """Around a call of a model that writes no text: its money is set aside first, its record written in the end.

        Args:
            kind: the port. name: of the adapter, or of the embedding version. model: the provider's.
            estimate: tokens that the call will read, at most.

        Raises:
            BudgetExhaustedError.
        """
        call = _Call(context=context, kind=kind, name=name, model=model)
        reservation = await self._reserve(call, estimate, 0)
        taken = Taken()
        span = model_spans.start(kind=kind, name=name, model=model, purpose=context.purpose)
        try:
            with tracing.under(span):
                yield taken
        except BaseException as error:
            record = self._record_of(call, taken.input_tokens, taken.output_tokens, _code_of(error))
            model_spans.end(span, record)
            self._record_soon(reservation, record)
            raise
        record = self._record_of(call, taken.input_tokens, taken.output_tokens, None)
        model_spans.end(span, record)
        await self._record(reservation, record)

    async def _reserve(self, call: _Call, input_tokens: int, output_tokens: int) -> Reservation | None:
        """Set aside what the call may cost; None: it is free, or nothing bounds it. Raises BudgetExhaustedError."""
        if self._budgets is None:
            return None
        estimate = self._cost(call.name, call.model, input_tokens=input_tokens, output_tokens=output_tokens)
        if not estimate:
            return None
        context = call.context
        return await self._budgets.reserve(
            context.tenant_id, chatbot_id=context.chatbot_id, asker=context.spender.asker, estimate_usd=estimate
        )

    def _record_of(self, call: _Call, input_tokens: int, output_tokens: int, error_code: str | None) -> UsageRecord:
        """The record of a call that has ended; it is on the bill from now on."""
        context = call.context
        record = UsageRecord(
            id=new_id(),
            tenant_id=context.tenant_id,
            chatbot_id=context.chatbot_id,
            purpose=context.purpose,
            adapter=call.name,
            model=call.model,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd=self._cost(call.name, call.model, input_tokens=input_tokens, output_tokens=output_tokens),
            latency_ms=call.watch.elapsed_ms,
            error_code=error_code,
            created_at=now(),
            kind=call.kind,
            asker=context.spender.asker,
            session_id=context.spender.session_id,
        )
        if context.spender.bill is not None:
            context.spender.bill.records.append(record)
        return record

    async def _record(self, reservation: Reservation | None, record: UsageRecord) -> None:
        """A paid call is settled before its answer goes on; a free one is written down within a second."""
        if reservation is None or self._budgets is None:
            self._usage.add(record)
            return
        self._usage.count(record)
        try:
            await self._budgets.settle(reservation, record)
        except (DragomanError, SQLAlchemyError) as error:  # its estimate stays spent
            _log.error("inference.not_settled", model=record.model, cost_usd=float(record.cost_usd), reason=str(error))
            self._usage.keep(record)

    def _record_soon(self, reservation: Reservation | None, record: UsageRecord) -> None:
        """The same beside the caller, who is leaving or has an error to raise."""
        if reservation is None:
            self._usage.add(record)
            return
        task = asyncio.get_running_loop().create_task(self._record(reservation, record))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A call under way. `name`: of the listed model, the adapter or the embedding version; `model`: the provider's."""

    context: CallContext
    kind: str
    name: str
    model: str
    watch: Stopwatch = field(default_factory=Stopwatch)


class _Patience:
    """How long an asker may wait without a word, over all models and attempts."""

    def __init__(self, limit_s: float | None) -> None:
        self._limit_s = limit_s
        self.heard()

    def heard(self) -> None:
        self._since = time.monotonic()

    @property
    def _left_s(self) -> float:
        return math.inf if self._limit_s is None else self._limit_s - (time.monotonic() - self._since)

    def shorten(self, timeout_s: float) -> float:
        """The time-out of a call. Raises LlmTimeoutError: there is no time left for one."""
        if self._left_s <= 0:
            raise LlmTimeoutError
        return min(timeout_s, self._left_s)

    def ends_within(self, delay_s: float) -> bool:
        return self._left_s <= delay_s


def _charged(event: Completion, name: str, cost_usd: Decimal) -> Charged:
    return Charged(
        model=event.model,
        input_tokens=event.input_tokens,
        output_tokens=event.output_tokens,
        finish=event.finish,
        is_estimate=event.is_estimate,
        name=name,
        cost_usd=cost_usd,
    )


def _named(writer: Writer | str, request: TextRequest) -> tuple[Writer, TextRequest]:
    """The writer in full. A provider's model that a request names belongs to the answerer that was named with it."""
    writer = Writer(name=writer) if isinstance(writer, str) else writer
    return writer, replace(request, model=None) if writer.name == AUTO else request


def _prompt_tokens(request: TextRequest) -> int:
    return sum(_bytes(message.content) for message in request.messages) // _BYTES_PER_TOKEN


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))  # a model may be given, or write, half a character


def _code_of(error: BaseException) -> str:
    if isinstance(error, DragomanError):
        return error.code
    return "cancelled" if isinstance(error, asyncio.CancelledError | GeneratorExit) else DragomanError.code


def _note_fallback(fallback: Fallback, context: CallContext) -> None:
    FALLBACKS.labels(fallback.failed, fallback.code).inc()
    _log.warning("inference.fallback", model=fallback.failed, code=fallback.code, purpose=context.purpose)


def _first(errors: BaseExceptionGroup[DragomanError]) -> DragomanError:
    """One request that failed stands for all: the model is the same."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, DragomanError)
    return error
