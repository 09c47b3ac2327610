"""Every model call: bounded in time, tried again where that helps, kept from a model that fails, and written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from dragoman.adapters.embedder import hashing
from dragoman.adapters.llm import scripted
from dragoman.inference.breaker import CircuitBreaker
from dragoman.inference.catalogue import Catalogue
from dragoman.inference.errors import CircuitOpenError, EmbedderTimeoutError, LlmTimeoutError, UnknownModelError
from dragoman.inference.ladder import Charged
from dragoman.inference.service import CallContext, Inference, Limits
from dragoman.kit.errors import InvalidSettingError
from dragoman.metering.entities import UsageRecord
from dragoman.metering.prices import Price, PriceList
from dragoman.ports.embedder import EmbedderRejectedError, EmbedderUnavailableError, Vectors
from dragoman.ports.llm import (
    ChatMessage,
    Completion,
    LlmOverloadedError,
    LlmRejectedError,
    LlmUnavailableError,
    TextDelta,
    TextRequest,
)

CONTEXT = CallContext(tenant_id=uuid4(), chatbot_id=uuid4(), purpose="test")
REQUEST = TextRequest(messages=[ChatMessage(role="user", content="Tell me everything about lamps.")])
LIMITS = Limits(
    question_timeout_s=0.05,
    passages_timeout_s=0.05,
    first_token_timeout_s=0.05,
    next_token_timeout_s=0.05,
    backoff_s=0.001,
)
PRICES = PriceList((Price(model="scripted", input=Decimal(1), output=Decimal(4)),))


class Records(list[UsageRecord]):
    """In place of the buffer that writes to the database."""

    def add(self, record: UsageRecord) -> None:
        self.append(record)


class Embedder(hashing.Adapter):
    """Fails with the given errors first (None: it hangs), then works."""

    def __init__(self, *failures: Exception | None) -> None:
        super().__init__(hashing.Settings(dimensions=16))
        self.failures, self.calls = list(failures), 0

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        if self.failures:
            failure = self.failures.pop(0)
            if failure is None:
                await asyncio.sleep(60)
            else:
                raise failure
        return await super().embed_queries(texts)

    embed_passages = embed_queries


class Llm(scripted.Adapter):
    """Counts its streams, and those that were closed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(scripted.Settings(**settings))
        self.calls = self.closed = 0

    async def stream(self, request: TextRequest) -> AsyncIterator[TextDelta | Completion]:
        self.calls += 1
        try:
            async for event in super().stream(request):
                yield event
        finally:
            self.closed += 1


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def build(records: Records) -> Callable[..., Inference]:
    def make(*, embedder: Embedder | None = None, llm: Llm | None = None, **limits: Any) -> Inference:
        return Inference(
            embedders={"v1": embedder or Embedder()},
            llms={"scripted": lambda: llm or Llm()},
            prices=PRICES,
            usage=records,  # type: ignore[arg-type]
            limits=replace(LIMITS, **limits),
        )

    return make


Build = Callable[..., Inference]


async def _read(inference: Inference, request: TextRequest = REQUEST) -> tuple[str, Completion | None]:
    written, completion = "", None
    async for event in inference.stream_text(CONTEXT, "scripted", request):
        if isinstance(event, TextDelta):
            written += event.text
        else:
            completion = event
    return written, completion


# ---- embedding


async def test_a_question_becomes_one_vector_and_one_usage_record(build: Build, records: Records) -> None:
    vector = await build().embed_question(CONTEXT, "v1", "What about lamps?")
    assert vector.shape == (16,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    [record] = records
    assert (record.tenant_id, record.chatbot_id, record.purpose) == (CONTEXT.tenant_id, CONTEXT.chatbot_id, "test")
    assert (record.adapter, record.model, record.error_code) == ("v1", "hashing-16", None)
    assert record.input_tokens > 0
    assert record.cost_usd == 0


async def test_a_passing_failure_is_tried_again(build: Build, records: Records) -> None:
    embedder = Embedder(EmbedderUnavailableError(), EmbedderUnavailableError())
    assert (await build(embedder=embedder).embed_question(CONTEXT, "v1", "x")).shape == (16,)
    assert embedder.calls == 3
    assert [record.error_code for record in records] == [None]


async def test_attempts_end(build: Build, records: Records) -> None:
    embedder = Embedder(*[EmbedderUnavailableError()] * 9)
    with pytest.raises(EmbedderUnavailableError):
        await build(embedder=embedder).embed_question(CONTEXT, "v1", "x")
    assert embedder.calls == 3
    assert [record.error_code for record in records] == ["embedder.unavailable"]


async def test_a_refusal_is_not_tried_again(build: Build) -> None:
    embedder = Embedder(EmbedderRejectedError())
    with pytest.raises(EmbedderRejectedError):
        await build(embedder=embedder).embed_passages(CONTEXT, "v1", ["x"])
    assert embedder.calls == 1


async def test_an_embedder_that_hangs_is_left_after_the_time_limit(build: Build, records: Records) -> None:
    embedder = Embedder(None)
    with pytest.raises(EmbedderTimeoutError):
        await asyncio.wait_for(build(embedder=embedder).embed_question(CONTEXT, "v1", "x"), timeout=2)
    assert embedder.calls == 1, "a second wait would make the asker wait twice"
    assert records[0].error_code == "inference.embedder_timeout"


async def test_an_embedding_version_that_is_not_served_is_named(build: Build) -> None:
    with pytest.raises(UnknownModelError, match="v9"):
        await build().embed_question(CONTEXT, "v9", "x")


# ---- the breaker


async def test_after_five_failures_an_embedder_is_not_called_until_it_has_rested(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("dragoman.inference.breaker.time.monotonic", lambda: clock)
    embedder = Embedder(*[EmbedderUnavailableError()] * 6)
    inference = build(embedder=embedder, attempts=1)
    for _ in range(5):
        with pytest.raises(EmbedderUnavailableError):
            await inference.embed_question(CONTEXT, "v1", "x")
    with pytest.raises(CircuitOpenError) as caught:
        await inference.embed_question(CONTEXT, "v1", "x")
    assert embedder.calls == 5
    assert caught.value.retry_after_s == pytest.approx(10.0)
    clock += 10.1
    with pytest.raises(EmbedderUnavailableError):  # the trial fails: it rests again
        await inference.embed_question(CONTEXT, "v1", "x")
    with pytest.raises(CircuitOpenError):
        await inference.embed_question(CONTEXT, "v1", "x")
    assert embedder.calls == 6
    clock += 10.1
    await inference.embed_question(CONTEXT, "v1", "x")
    await inference.embed_question(CONTEXT, "v1", "x")
    assert embedder.calls == 8


def test_only_one_call_tries_a_model_that_has_rested(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("dragoman.inference.breaker.time.monotonic", lambda: clock)
    breaker = CircuitBreaker(threshold=1, rest_s=10)
    breaker.failed()
    clock += 11
    breaker.check()
    with pytest.raises(CircuitOpenError):
        breaker.check()
    breaker.succeeded()
    breaker.check()


def test_a_success_between_failures_keeps_the_circuit_closed() -> None:
    breaker = CircuitBreaker(threshold=2)
    for _ in range(5):
        breaker.failed()
        breaker.succeeded()
    assert not breaker.is_open


async def test_refusals_do_not_open_the_circuit(build: Build) -> None:
    llm = Llm(fail_with="rejected")
    inference = build(llm=llm)
    for _ in range(8):
        with pytest.raises(LlmRejectedError):
            await _read(inference)
    assert llm.calls == 8


# ---- text


async def test_text_is_streamed_and_written_down_with_its_cost(build: Build, records: Records) -> None:
    written, completion = await _read(build(llm=Llm(replies=["Lamps give light."])))
    assert written == "Lamps give light."
    assert completion is not None
    assert (completion.input_tokens, completion.output_tokens) == (5, 3)
    [record] = records
    assert (record.adapter, record.input_tokens, record.output_tokens) == ("scripted", 5, 3)
    assert record.cost_usd == Decimal("0.000017")
    assert isinstance(completion, Charged)
    assert (completion.name, completion.cost_usd) == ("scripted", Decimal("0.000017"))


async def test_a_failure_before_the_first_word_is_tried_again(build: Build, records: Records) -> None:
    llm = Llm(fail_with="unavailable")
    with pytest.raises(LlmUnavailableError):
        await _read(build(llm=llm))
    assert (llm.calls, llm.closed) == (3, 3)
    assert [record.error_code for record in records] == ["llm.unavailable"] * 3


async def test_a_failure_after_the_first_word_is_not_tried_again(build: Build, records: Records) -> None:
    llm = Llm(replies=["one two three"], fail_with="unavailable", fail_after_tokens=2)
    seen = []
    with pytest.raises(LlmUnavailableError):
        async for event in build(llm=llm).stream_text(CONTEXT, "scripted", REQUEST):
            seen.append(event.text)  # type: ignore[union-attr]
    assert seen == ["one ", "two "]
    assert llm.calls == 1
    assert [record.error_code for record in records] == ["llm.unavailable"]
    assert records[0].output_tokens > 0


async def test_the_wait_that_an_overloaded_model_asks_for_is_granted(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)

    monkeypatch.setattr("dragoman.inference.service.asyncio.sleep", sleep)
    with pytest.raises(LlmOverloadedError):
        await _read(build(llm=Llm(replies=[""], fail_with="overloaded", retry_after_s=3.0)))
    assert waits == [3.0, 3.0]


async def test_a_model_that_hangs_before_or_between_words_is_left(build: Build, records: Records) -> None:
    llm = Llm(replies=["one two"], delay_ms=60_000)
    with pytest.raises(LlmTimeoutError):
        await asyncio.wait_for(_read(build(llm=llm, attempts=1)), timeout=2)
    assert llm.closed == 1
    assert records[0].error_code == "inference.llm_timeout"


async def test_a_reader_that_leaves_stops_the_model_and_is_written_down(build: Build, records: Records) -> None:
    llm = Llm(replies=["one two three four"])
    stream = build(llm=llm).stream_text(CONTEXT, "scripted", REQUEST)
    await anext(stream)
    await stream.aclose()
    assert llm.closed == 1
    [record] = records
    assert (record.error_code, record.output_tokens) == ("cancelled", 1)


async def test_an_answerer_that_is_not_set_up_is_an_error_that_says_so(build: Build) -> None:
    with pytest.raises(UnknownModelError):
        async for _ in build().stream_text(CONTEXT, "oracle", REQUEST):
            pytest.fail("nothing can come")


async def test_a_language_model_is_made_when_it_is_first_asked_and_closed_in_the_end(records: Records) -> None:
    made = 0

    def factory() -> Llm:
        nonlocal made
        made += 1
        return Llm()

    inference = Inference(
        embedders={},
        llms={"scripted": factory},
        prices=PRICES,
        usage=records,
        limits=LIMITS,  # type: ignore[arg-type]
    )
    assert made == 0
    await _read(inference)
    await _read(inference)
    assert made == 1
    await inference.close()


# ---- prices


def test_the_first_line_that_fits_counts_and_a_model_on_no_line_is_free() -> None:
    prices = PriceList(
        (
            Price(model="gpt-small*", input=Decimal(1), output=Decimal(2)),
            Price(model="gpt*", input=Decimal(10), output=Decimal(20)),
        )
    )
    assert prices.cost_usd("gpt-small-2", input_tokens=1_000_000, output_tokens=500_000) == Decimal(2)
    assert prices.cost_usd("gpt-large", input_tokens=1_000_000, output_tokens=0) == Decimal(10)
    assert prices.cost_usd("own-model", input_tokens=10**9, output_tokens=10**9) == 0


def test_a_list_of_models_that_cannot_be_used_says_which_file(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    wrong = (
        "prices: [{model: x}]",
        "- a",
        "{",
        "prices: []\nmore: 1",
        "models: [{name: a, adapter: scripted}, {name: a, adapter: scripted}]",
        "models: [{name: auto, adapter: scripted}]",
        "models: [{name: a, adapter: scripted, quality: 9}]",
        "routing: {fallback: [a]}",
        "models: [{name: a, adapter: scripted, settings: {key: '${NO_SUCH}'}}]",
    )
    for content in wrong:
        path.write_text(content)
        with pytest.raises(InvalidSettingError, match=r"models\.yaml"):
            Catalogue.load(path, {})
    with pytest.raises(InvalidSettingError):
        Catalogue.load(tmp_path / "absent.yaml", {})


def test_settings_of_listed_models_take_their_secrets_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(
        "models:\n  - name: a\n    adapter: scripted\n    settings: {api_key: '${KEY}', list: ['x-${KEY}', 3]}\n"
        "    price: {input: 1, output: 2}\nrouting: {fallback: [a], hedge_after_ms: 50}\n"
    )
    catalogue = Catalogue.load(path, {"KEY": "secret"})
    [model] = catalogue.models
    assert model.settings == {"api_key": "secret", "list": ["x-secret", 3]}
    assert catalogue.routing.fallback == ("a",)
