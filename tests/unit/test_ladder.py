"""One model fails, the next goes on: order, breaking off, hedging, time, windows, money."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from dragoman.adapters.llm import scripted
from dragoman.inference.catalogue import Catalogue, ModelPrice, ProviderModel, Routing
from dragoman.inference.errors import LlmTimeoutError
from dragoman.inference.ladder import Charged, Fallback
from dragoman.inference.router import Demand, Size, order_models
from dragoman.inference.service import CallContext, Inference, Limits, Writer
from dragoman.metering.entities import Bill, Reservation, Spender, UsageRecord
from dragoman.metering.errors import BudgetExhaustedError
from dragoman.metering.prices import Price, PriceList
from dragoman.ports.llm import (
    ChatMessage,
    Completion,
    LlmOverloadedError,
    LlmUnavailableError,
    TextDelta,
    TextRequest,
)

REQUEST = TextRequest(messages=[ChatMessage(role="user", content="Tell me everything about lamps.")])
LIMITS = Limits(first_token_timeout_s=0.3, next_token_timeout_s=0.3, attempts=2, backoff_s=0.001)


class Records(list[UsageRecord]):
    """In place of the buffer that writes to the database."""

    def add(self, record: UsageRecord) -> None:
        self.append(record)

    def count(self, record: UsageRecord) -> None:
        self.append(record)


class Model(scripted.Adapter):
    """Keeps what it was asked, and how often it was closed before its end."""

    def __init__(self, model: str, **settings: Any) -> None:
        super().__init__(scripted.Settings(model=model, **settings))
        self.asked: list[TextRequest] = []
        self.cut_off = 0

    async def stream(self, request: TextRequest) -> AsyncIterator[TextDelta | Completion]:
        self.asked.append(request)
        try:
            async for event in super().stream(request):
                yield event
        except (GeneratorExit, asyncio.CancelledError):
            self.cut_off += 1
            raise


class Ledger:
    """In place of the budgets in PostgreSQL: one account."""

    def __init__(self, limit_usd: str) -> None:
        self.limit, self.spent = Decimal(limit_usd), Decimal(0)
        self.settled: list[UsageRecord] = []

    async def reserve(
        self, tenant_id: UUID, *, chatbot_id: UUID | None, asker: str | None, estimate_usd: Decimal
    ) -> Reservation:
        if self.spent + estimate_usd > self.limit:
            raise BudgetExhaustedError
        self.spent += estimate_usd
        return Reservation(tenant_id=tenant_id, estimate_usd=estimate_usd, accounts=())

    async def settle(self, reservation: Reservation, record: UsageRecord) -> None:
        self.spent += record.cost_usd - reservation.estimate_usd
        self.settled.append(record)


class Bench:
    """An installation of some models, the listed ones with their catalogue entry."""

    def __init__(self, models: Mapping[str, Model], listed: list[ProviderModel] | None = None, **options: Any) -> None:
        self.models, self.records, self.bill = models, Records(), Bill()
        routing = options.pop("routing", Routing())
        self.inference = Inference(
            embedders={},
            llms={name: (lambda made=model: made) for name, model in models.items()},  # type: ignore[misc]
            prices=options.pop("prices", PriceList()),
            usage=self.records,  # type: ignore[arg-type]
            limits=LIMITS,
            catalogue=Catalogue(models=tuple(listed or ()), routing=routing),
            **options,
        )
        self.context = CallContext(
            tenant_id=uuid4(), chatbot_id=uuid4(), purpose="test", spender=Spender(asker="ann", bill=self.bill)
        )

    async def read(self, writer: Writer | str, request: TextRequest = REQUEST) -> tuple[str, list[Fallback], Charged]:
        text, fallbacks, charged = "", [], None
        async for event in self.inference.stream_text(self.context, writer, request):
            match event:
                case TextDelta():
                    text += event.text
                case Fallback():
                    fallbacks.append(event)
                case Charged():
                    charged = event
        assert charged is not None
        return text, fallbacks, charged


def listed(name: str, **values: Any) -> ProviderModel:
    return ProviderModel(name=name, adapter="scripted", **values)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"fail_with": "unavailable"}, "llm.unavailable"),
        ({"fail_with": "overloaded"}, "llm.overloaded"),
        ({"fail_with": "rejected"}, "llm.rejected"),
        ({"delay_ms": 60_000.0}, "inference.llm_timeout"),
    ],
)
async def test_the_next_model_answers_when_one_fails_before_its_first_word(how: dict[str, Any], code: str) -> None:
    bench = Bench({"a": Model("a-1", **how), "b": Model("b-1", replies=["Lamps give light."])})
    async with asyncio.timeout(5):
        text, fallbacks, charged = await bench.read(Writer(name="a", fallback=("b",)))
    assert text == "Lamps give light."
    assert fallbacks == [Fallback(failed="a", code=code, has_written=False)]
    assert (charged.name, charged.model) == ("b", "b-1")


async def test_an_unknown_model_gives_way_too() -> None:
    bench = Bench({"b": Model("b-1", replies=["Light."])})
    text, fallbacks, _ = await bench.read(Writer(name="gone", fallback=("b",)))
    assert (text, [fallback.code for fallback in fallbacks]) == ("Light.", ["inference.unknown_model"])


async def test_when_no_model_can_the_last_ones_error_names_it() -> None:
    bench = Bench({"a": Model("a", fail_with="unavailable"), "b": Model("b", fail_with="rejected")})
    seen = []
    with pytest.raises(Exception, match="refused") as caught:
        async for event in bench.inference.stream_text(bench.context, Writer(name="a", fallback=("b",)), REQUEST):
            seen.append(event)
    assert [type(event) for event in seen] == [Fallback]
    assert caught.value.details["model"] == "b"  # type: ignore[attr-defined]


async def test_a_model_that_breaks_off_is_continued_by_the_next_from_its_last_word() -> None:
    first = Model("a", replies=["Lamps give light to"], fail_with="unavailable", fail_after_tokens=3)
    second = Model("b", replies=["every room."])
    bench = Bench({"a": first, "b": second})
    text, fallbacks, charged = await bench.read(Writer(name="a", fallback=("b",)), REQUEST)
    assert text == "Lamps give light every room."
    assert fallbacks == [Fallback(failed="a", code="llm.unavailable", has_written=True)]
    assert charged.name == "b"
    assert len(first.asked) == 1, "what was said is not said twice"
    [asked] = second.asked
    assert [message.role for message in asked.messages] == ["user", "assistant", "user"]
    assert asked.messages[1].content == "Lamps give light "


async def test_a_providers_model_that_was_named_belongs_to_the_first_rung_alone() -> None:
    first, second = Model("a", fail_with="rejected"), Model("b", replies=["Light."])
    bench = Bench({"a": first, "b": second})
    request = TextRequest(messages=REQUEST.messages, model="a-large")
    await bench.read(Writer(name="a", fallback=("b",)), request)
    assert (first.asked[0].model, second.asked[0].model) == ("a-large", None)


async def test_a_busy_model_is_not_waited_for_while_another_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(delay_s: float) -> None:
        if delay_s:  # the scripted model pauses for no time
            waits.append(delay_s)

    monkeypatch.setattr("dragoman.inference.service.asyncio.sleep", sleep)
    busy = Model("a", replies=[""], fail_with="overloaded", retry_after_s=5.0)
    bench = Bench({"a": busy, "b": Model("b", replies=["Light."])})
    await bench.read(Writer(name="a", fallback=("b",)))
    assert (len(busy.asked), waits) == (1, [])
    with pytest.raises(LlmOverloadedError):
        await bench.read("a")
    assert waits == [5.0], "alone, it is worth the wait it asks for"


async def test_a_whole_text_begins_again_where_a_model_breaks_off() -> None:
    first = Model("a", replies=["Lamps give light to"], fail_with="unavailable", fail_after_tokens=3)
    bench = Bench({"a": first, "b": Model("b", replies=["Lamps shine."])})
    written = await bench.inference.write_text(bench.context, Writer(name="a", fallback=("b",)), REQUEST)
    assert (written.text, written.model) == ("Lamps shine.", "b")
    assert [fallback.failed for fallback in written.fallbacks] == ["a"]
    with pytest.raises(LlmUnavailableError):
        await bench.inference.write_text(bench.context, "a", REQUEST)


async def test_a_model_that_says_nothing_gives_way_and_is_paid() -> None:
    bench = Bench(
        {"a": Model("a", replies=["  "]), "b": Model("b", replies=["Light."])}, [listed("a", price=_price(5))]
    )
    text, [fallback], _ = await bench.read(Writer(name="a", fallback=("b",)))
    assert (text.strip(), fallback.code) == ("Light.", "llm.empty")
    assert [record.error_code for record in bench.records] == ["llm.empty", None]
    assert bench.bill.cost_usd > 0


async def test_a_model_whose_circuit_is_open_is_passed_by() -> None:
    away = Model("a", fail_with="unavailable")
    bench = Bench({"a": away, "b": Model("b", replies=["x"])})
    for _ in range(4):
        await bench.read(Writer(name="a", fallback=("b",)))
    calls = len(away.asked)
    _, [fallback], _ = await bench.read(Writer(name="a", fallback=("b",)))
    assert fallback.code == "inference.circuit_open"
    assert len(away.asked) == calls


# ---- hedging and time


async def test_a_silent_model_gets_company_and_the_first_to_speak_answers() -> None:
    slow, quick = Model("a", delay_ms=5000, replies=["late"]), Model("b", replies=["Light at once."])
    bench = Bench({"a": slow, "b": quick}, [listed("b")], routing=Routing(fallback=("b",), hedge_after_ms=20))
    text, fallbacks, charged = await bench.read("a")
    assert (text, fallbacks, charged.name) == ("Light at once.", [], "b")
    assert slow.cut_off == 1
    assert {record.adapter: record.error_code for record in bench.records} == {"a": "cancelled", "b": None}


async def test_a_model_that_speaks_in_time_gets_none() -> None:
    other = Model("b")
    bench = Bench(
        {"a": Model("a", replies=["Light."]), "b": other},
        [listed("b")],
        routing=Routing(fallback=("b",), hedge_after_ms=10_000),
    )
    text, _, _ = await bench.read("a")
    assert (text, other.asked) == ("Light.", [])


async def test_the_first_model_answers_after_all_when_its_company_fails() -> None:
    slow = Model("a", delay_ms=100, replies=["Light."])
    bench = Bench(
        {"a": slow, "b": Model("b", fail_with="rejected")},
        [listed("b")],
        routing=Routing(fallback=("b",), hedge_after_ms=5),
    )
    text, fallbacks, charged = await bench.read("a")
    assert (text, charged.name) == ("Light.", "a")
    assert [fallback.failed for fallback in fallbacks] == ["b"]


async def test_a_reader_that_leaves_stops_both() -> None:
    models = {name: Model(name, delay_ms=60_000) for name in ("a", "b")}
    bench = Bench(models, [listed("b")], routing=Routing(fallback=("b",), hedge_after_ms=5))
    reading = asyncio.create_task(bench.read("a"))
    async with asyncio.timeout(5):
        while not models["b"].asked:
            await asyncio.sleep(0.005)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert [model.cut_off for model in models.values()] == [1, 1]


async def test_after_the_time_limit_no_further_model_is_asked() -> None:
    models = {name: Model(name, delay_ms=60_000) for name in "abc"}
    bench = Bench(models, [listed("b"), listed("c")], routing=Routing(fallback=("b", "c"), time_limit_s=0.4))
    async with asyncio.timeout(5):
        with pytest.raises(LlmTimeoutError):
            await bench.read("a")
    assert [len(models[name].asked) for name in "abc"] == [1, 1, 0]


# ---- the router


def _order(models: list[ProviderModel], demand: Demand, *, tokens: int = 1000, sick: str = "") -> list[str]:
    found = order_models(
        models,
        demand,
        Size(prompt_tokens=tokens, answer_tokens=500),
        cost_of=lambda model: (
            model.price.cost_usd(input_tokens=tokens, output_tokens=500) if model.price else Decimal(0)
        ),
        is_healthy=lambda model: model.name != sick,
    )
    return [model.name for model in found]


def _price(dollars: float) -> ModelPrice:
    return ModelPrice(input=Decimal(str(dollars)), output=Decimal(str(dollars * 4)))


MODELS = [
    listed("large", quality=5, price=_price(5), window=100_000),
    listed("medium", quality=3, price=_price(1), window=30_000),
    listed("small", quality=1, price=_price(0.1), window=8_000),
    listed("small-dear", quality=1, price=_price(0.2), window=8_000),
]


def test_an_easy_question_goes_to_the_cheapest_model_and_a_hard_one_to_the_best() -> None:
    assert _order(MODELS, Demand(difficulty=0.1)) == ["small", "small-dear", "medium", "large"]
    assert _order(MODELS, Demand(difficulty=0.5)) == ["medium", "large", "small", "small-dear"]
    assert _order(MODELS, Demand(difficulty=1.0)) == ["large", "medium", "small", "small-dear"]


def test_a_model_whose_window_is_too_small_is_left_out() -> None:
    assert _order(MODELS, Demand(difficulty=0.1), tokens=20_000) == ["medium", "large"]
    assert _order(MODELS, Demand(difficulty=0.1), tokens=900_000) == ["large"], "the widest is the best that there is"


def test_a_model_that_does_not_write_the_language_or_is_sick_comes_after_those_that_do() -> None:
    models = [
        listed("english", quality=3, price=_price(0.1), languages=frozenset({"en"})),
        listed("all", quality=3, price=_price(1)),
    ]
    assert _order(models, Demand(language="en")) == ["english", "all"]
    assert _order(models, Demand(language="th")) == ["all", "english"]
    assert _order(models, Demand(language="en"), sick="english") == ["all", "english"]


async def test_auto_asks_the_models_of_the_list_and_needs_one() -> None:
    models = {"cheap": Model("cheap", fail_with="unavailable"), "good": Model("good", replies=["Light."])}
    entries = [listed("cheap", quality=1), listed("good", quality=5, price=_price(5))]
    text, fallbacks, _ = await Bench(models, entries).read(Writer(name="auto", demand=Demand(difficulty=0.0)))
    assert (text, [fallback.failed for fallback in fallbacks]) == ("Light.", ["cheap"])
    with pytest.raises(Exception, match=r"models\.yaml"):
        await Bench(models).read("auto")


async def test_a_named_model_with_too_small_a_window_is_passed_by() -> None:
    small = Model("small")
    bench = Bench(
        {"small": small, "wide": Model("wide", replies=["ok"])}, [listed("small", window=256), listed("wide")]
    )
    long = TextRequest(messages=[ChatMessage(role="user", content="lamp " * 2000)])
    _, _, charged = await bench.read(Writer(name="small", fallback=("wide",)), long)
    assert (charged.name, small.asked) == ("wide", [])


# ---- money


async def test_when_the_budget_is_used_up_the_ladder_goes_on_where_it_is_free() -> None:
    paid, free = Model("paid", replies=["Paid."]), Model("free", replies=["Free."])
    ledger = Ledger("0.02")
    entries = [listed("paid", price=_price(5)), listed("free")]
    bench = Bench({"paid": paid, "free": free}, entries, budgets=ledger)
    writer = Writer(name="paid", fallback=("free",))
    request = TextRequest(messages=REQUEST.messages, max_tokens=900)
    assert (await bench.read(writer, request))[0] == "Paid."
    [record] = ledger.settled
    assert ledger.spent == record.cost_usd > 0, "the estimate gave way to the real cost"
    ledger.limit = ledger.spent + Decimal("0.001")
    text, [fallback], charged = await bench.read(writer, request)
    assert (text, fallback.code, charged.cost_usd) == ("Free.", "budget.exhausted", 0)
    assert len(paid.asked) == 1


async def test_of_a_hundred_at_once_no_more_are_asked_than_the_budget_allows() -> None:
    paid = Model("paid", replies=["one two three four"], delay_ms=2)
    price = _price(1000)
    ledger = Ledger("10")
    bench = Bench({"paid": paid, "free": Model("free")}, [listed("paid", price=price), listed("free")], budgets=ledger)
    request = TextRequest(messages=REQUEST.messages, max_tokens=400)
    writer = Writer(name="paid", fallback=("free",))
    await asyncio.gather(*(bench.read(writer, request) for _ in range(100)))
    assert 1 <= len(paid.asked) <= 6, "an estimate is about 1.61 USD"
    assert ledger.spent <= ledger.limit
    assert ledger.spent == sum(record.cost_usd for record in ledger.settled)


@pytest.mark.parametrize("how", ["fails", "is cut off", "is left"])
async def test_money_that_was_set_aside_is_settled_however_the_call_ends(how: str) -> None:
    settings: dict[str, Any] = {
        "fails": {"fail_with": "rejected"},
        "is cut off": {"replies": ["one two three"], "fail_with": "unavailable", "fail_after_tokens": 2},
        "is left": {"replies": ["one two three"], "delay_ms": 1},
    }[how]
    ledger = Ledger("10")
    bench = Bench({"paid": Model("paid", **settings)}, [listed("paid", price=_price(5))], budgets=ledger)
    stream = bench.inference.stream_text(bench.context, "paid", REQUEST)
    if how == "is left":
        await anext(stream)
        await stream.aclose()
    else:
        with pytest.raises(Exception):  # noqa: B017 - which one is another test's business
            async for _ in stream:
                pass
    await bench.inference.close()
    [record] = ledger.settled
    assert ledger.spent == record.cost_usd
    assert (record.cost_usd > 0) == (how != "fails"), "a refusal costs nothing; what was read and written does"
    assert bench.bill.cost_usd == record.cost_usd
    assert (record.asker, record.kind) == ("ann", "llm")


async def test_the_price_of_a_listed_model_counts_before_that_of_its_providers_name() -> None:
    prices = PriceList((Price(model="gpt*", input=Decimal(1), output=Decimal(1)),))
    models = {"own": Model("gpt-x", replies=["a b"]), "other": Model("gpt-x", replies=["a b"])}
    bench = Bench(models, [listed("own", price=_price(0))], prices=prices)
    assert (await bench.read("own"))[2].cost_usd == 0
    assert (await bench.read("other"))[2].cost_usd > 0
    assert [record.adapter for record in bench.bill.calls("llm")] == ["own", "other"]
