"""Money: budgets that stop paid calls, what was spent, and usage summed up; over the API, with PostgreSQL's accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from dragoman.inference.service import Limits
from dragoman.kit.clock import new_id, now
from dragoman.kit.errors import InvalidSettingError
from dragoman.metering.budgets import Budgets, load_ceilings
from dragoman.metering.entities import Budget, BudgetPeriod, BudgetScope, UsageRecord
from dragoman.metering.errors import BudgetExhaustedError
from dragoman.metering.prices import Price, PriceList

QUESTION = "What discount do gold partners receive on projectors?"
Script = Callable[..., None]


@pytest.fixture
async def company(company: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A tenant whose chatbot answers by the scripted model, which costs 1000 USD for a million tokens read or written."""
    prices = PriceList((Price(model="scripted*", input=Decimal(1000), output=Decimal(1000)),))
    monkeypatch.setattr(service.deps.inference, "_prices", prices)
    monkeypatch.setattr(service.deps.inference, "_limits", Limits(backoff_s=0.001))
    await company.know()
    await company.api().patch(
        f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"answerer": "scripted", "cache_answers": False}}
    )
    yield company
    service.deps.inference._llms.pop("scripted", None)
    service.deps.inference._breakers.clear()


async def _set(company: Any, limit_usd: float, *, scope: str = "tenant", period: str = "day", subject: str = "") -> Any:
    body = {"scope": scope, "period": period, "limit_usd": limit_usd, "subject": subject}
    answer = await company.api().put("/api/budgets/", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _budgets(company: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await company.api().get("/api/budgets/")).json()["budgets"]
    return found


async def _events(service: Any, company: Any) -> list[tuple[str, dict[str, Any]]]:
    async with service.deps.database.transaction(company.tenant_id) as connection:
        rows = await connection.execute(
            text("select topic, payload from outbox_events where topic like 'budget.%' order by id")
        )
        return [(row.topic, row.payload) for row in rows]


def _record(company: Any, cost_usd: str, **values: Any) -> UsageRecord:
    facts: dict[str, Any] = {
        "id": new_id(),
        "tenant_id": company.tenant_id,
        "chatbot_id": company.chatbot_id,
        "purpose": "answer",
        "adapter": "scripted",
        "model": "scripted",
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd": Decimal(cost_usd),
        "latency_ms": 1.0,
        "error_code": None,
        "created_at": now(),
    }
    return UsageRecord(**(facts | values))


async def test_a_budget_counts_what_answers_cost_and_then_stops_paid_calls_only(
    company: Any, service: Any, script: Script
) -> None:
    script(replies=["Seventeen percent [1]."])
    await _set(company, 5)
    first = await company.ask(QUESTION)
    assert first["model"] == "scripted"
    assert first["usage"]["cost_usd"] > 0
    [budget] = await _budgets(company)
    assert budget["spent_usd"] == pytest.approx(first["usage"]["cost_usd"])
    assert (budget["state"], budget["limit_usd"]) == ("ok", 5)
    assert budget["ends_on"] == (now().date() + timedelta(days=1)).isoformat()
    await _set(company, first["usage"]["cost_usd"])
    second = await company.ask(QUESTION)
    assert second["degraded"] == ["scripted_failed:budget.exhausted", "extractive"]
    assert "17 percent" in second["content"]
    assert second["usage"]["cost_usd"] == 0
    [budget] = await _budgets(company)
    assert (budget["state"], budget["spent_usd"]) == ("exhausted", pytest.approx(first["usage"]["cost_usd"]))
    topics = [topic for topic, _ in await _events(service, company)]
    assert topics == ["budget.exhausted"]
    await company.ask(QUESTION)
    assert len(await _events(service, company)) == 1, "it is told once"


async def test_at_80_percent_it_is_told_once(company: Any, service: Any) -> None:
    await _set(company, 1)
    for _ in range(3):
        reservation = await service.deps.budgets.reserve(
            company.tenant_id, chatbot_id=company.chatbot_id, asker="ann", estimate_usd=Decimal("0.3")
        )
        await service.deps.budgets.settle(reservation, _record(company, "0.29", asker="ann"))
    [(topic, payload)] = await _events(service, company)
    assert topic == "budget.warning"
    assert (payload["scope"], payload["period"], payload["limit_usd"]) == ("tenant", "day", 1.0)
    [budget] = await _budgets(company)
    assert (budget["state"], budget["spent_usd"]) == ("warning", pytest.approx(0.87))


async def test_a_hundred_at_once_spend_no_more_than_the_budget(company: Any, service: Any) -> None:
    await _set(company, 1)
    await _set(company, 3, period="month")
    await _set(company, 2, scope="chatbot", subject=str(company.chatbot_id))
    await _set(company, 2, scope="user")
    budgets = service.deps.budgets
    refused = 0

    async def call(number: int) -> None:
        nonlocal refused
        asker = f"asker {number % 3}"
        try:
            reservation = await budgets.reserve(
                company.tenant_id, chatbot_id=company.chatbot_id, asker=asker, estimate_usd=Decimal("0.09")
            )
        except BudgetExhaustedError:
            refused += 1
            return
        await asyncio.sleep(0)
        await budgets.settle(reservation, _record(company, "0.09", asker=asker))

    await asyncio.gather(*(call(number) for number in range(100)))
    assert refused == 89
    spent = {(one["scope"], one["period"]): one["spent_usd"] for one in await _budgets(company)}
    assert spent == {
        ("tenant", "day"): pytest.approx(0.99),
        ("tenant", "month"): pytest.approx(0.99),
        ("chatbot", "day"): pytest.approx(0.99),
        ("user", "day"): None,
    }


async def test_budgets_of_users_and_chatbots_bind_each_one_apart(company: Any, service: Any) -> None:
    await _set(company, 1, scope="user")
    await _set(company, 2, scope="user", subject="bob")

    async def spend(asker: str, amount: str) -> None:
        reservation = await service.deps.budgets.reserve(
            company.tenant_id, chatbot_id=company.chatbot_id, asker=asker, estimate_usd=Decimal(amount)
        )
        await service.deps.budgets.settle(reservation, _record(company, amount, asker=asker))

    await spend("ann", "0.9")
    await spend("carl", "0.9")
    await spend("bob", "1.9")
    for asker in ("ann", "bob", "carl"):
        with pytest.raises(BudgetExhaustedError, match="user's budget"):
            await spend(asker, "0.2")


async def test_a_budget_set_late_counts_what_was_spent_before(company: Any, service: Any) -> None:
    budgets = service.deps.budgets
    reservation = await budgets.reserve(
        company.tenant_id, chatbot_id=company.chatbot_id, asker="ann", estimate_usd=Decimal(1)
    )
    await budgets.settle(reservation, _record(company, "0.7", asker="ann"))
    assert (await _set(company, 1, period="month"))["spent_usd"] == pytest.approx(0.7)
    with pytest.raises(BudgetExhaustedError):
        await budgets.reserve(
            company.tenant_id, chatbot_id=company.chatbot_id, asker="ann", estimate_usd=Decimal("0.4")
        )


async def test_a_budget_set_anew_counts_what_was_spent_while_there_was_none(company: Any, service: Any) -> None:
    first = await _set(company, 1, period="month")
    budgets = service.deps.budgets

    async def spend(cost: str) -> None:
        reservation = await budgets.reserve(
            company.tenant_id, chatbot_id=company.chatbot_id, asker="ann", estimate_usd=Decimal(cost)
        )
        await budgets.settle(reservation, _record(company, cost, asker="ann"))

    await spend("0.2")
    assert (await company.api().delete(f"/api/budgets/{first['id']}/")).status_code == 204
    await spend("0.6")
    assert (await _set(company, 1, period="month"))["spent_usd"] == pytest.approx(0.8)
    with pytest.raises(BudgetExhaustedError):
        await spend("0.3")
    await spend("0.2")


async def test_the_next_period_begins_at_nothing(company: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await _set(company, 1)
    budgets = service.deps.budgets

    async def reserve() -> None:
        await budgets.reserve(company.tenant_id, chatbot_id=company.chatbot_id, asker=None, estimate_usd=Decimal("0.8"))

    await reserve()
    with pytest.raises(BudgetExhaustedError):
        await reserve()
    monkeypatch.setattr("dragoman.metering.budgets.now", lambda: now() + timedelta(days=1))
    await reserve()


async def test_what_a_call_does_not_settle_stays_spent(company: Any, service: Any) -> None:
    await _set(company, 1)
    await service.deps.budgets.reserve(
        company.tenant_id, chatbot_id=company.chatbot_id, asker=None, estimate_usd=Decimal("0.6")
    )
    assert (await _budgets(company))[0]["spent_usd"] == pytest.approx(0.6)


async def test_a_tenant_cannot_raise_the_operators_limit(company: Any, service: Any) -> None:
    ceiling = Budget(id=None, scope=BudgetScope.TENANT, subject="", period=BudgetPeriod.DAY, limit_usd=Decimal("0.5"))
    budgets = Budgets(service.deps.database, [ceiling])
    await _set(company, 100)
    with pytest.raises(BudgetExhaustedError, match=r"0\.5 USD a day"):
        await budgets.reserve(company.tenant_id, chatbot_id=company.chatbot_id, asker=None, estimate_usd=Decimal("0.6"))
    states = await budgets.list_states(company.tenant_id)
    assert [state.budget.id is None for state in states] == [True, False]


def test_the_operators_limits_are_read_from_their_file(tmp_path: Any) -> None:
    path = tmp_path / "cost_limits.yaml"
    path.write_text("budgets:\n  - { scope: user, period: month, limit_usd: 2.5 }\n")
    [budget] = load_ceilings(path)
    assert (budget.scope, budget.period, budget.limit_usd) == (BudgetScope.USER, BudgetPeriod.MONTH, Decimal("2.5"))
    for wrong in ("budgets: [{scope: all, period: day, limit_usd: 1}]", "limits: []", "budgets: [{scope: user}]", "{"):
        path.write_text(wrong)
        with pytest.raises(InvalidSettingError, match=r"cost_limits\.yaml"):
            load_ceilings(path)


async def test_a_budget_is_changed_by_setting_it_again_and_removed_by_its_id(company: Any) -> None:
    first, again = await _set(company, 5), await _set(company, 7)
    assert (first["id"], again["limit_usd"]) == (again["id"], 7)
    assert (await company.api().delete(f"/api/budgets/{first['id']}/")).status_code == 204
    gone = await company.api().delete(f"/api/budgets/{first['id']}/")
    assert (gone.status_code, gone.json()["code"]) == (404, "budget.not_found")
    assert await _budgets(company) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "tenant", "period": "day", "limit_usd": -1},
        {"scope": "tenant", "period": "week", "limit_usd": 1},
        {"scope": "tenant", "period": "day", "limit_usd": 1, "subject": "x"},
        {"scope": "chatbot", "period": "day", "limit_usd": 1, "subject": "no id"},
        {"scope": "tenant", "period": "day", "limit_usd": "NaN"},
    ],
)
async def test_a_budget_that_makes_no_sense_is_refused(company: Any, wrong: dict[str, Any]) -> None:
    assert (await company.api().put("/api/budgets/", json=wrong)).status_code == 422


async def test_the_budget_of_a_chatbot_needs_the_chatbot(company: Any, other_company: Any) -> None:
    for subject in (str(uuid4()), str(other_company.chatbot_id)):
        body = {"scope": "chatbot", "period": "day", "limit_usd": 1, "subject": subject}
        assert (await company.api().put("/api/budgets/", json=body)).status_code == 404


# ---- usage


async def test_usage_is_summed_up_by_whatever_is_asked(company: Any, service: Any, script: Script) -> None:
    script(replies=["Seventeen percent [1]."])
    session_id = await company.open_session("member")
    answer = await company.ask(QUESTION, who="member", session_id=session_id)
    await service.deps.inference._usage.flush()

    async def lines(by: str, **params: Any) -> dict[str | None, dict[str, Any]]:
        found = await company.api().get("/api/usage/", params={"by": by, **params})
        assert found.status_code == 200, found.text
        return {line["key"]: line for line in found.json()["lines"]}

    cost = pytest.approx(answer["usage"]["cost_usd"])
    assert (await lines("model"))["scripted"]["cost_usd"] == cost
    assert (await lines("operation"))["answer"]["output_tokens"] == answer["usage"]["output_tokens"]
    assert set(await lines("operation")) == {"answer", "question", "grounding", "ingestion"}
    assert set(await lines("kind")) == {"llm", "embedder"}
    assert (await lines("chatbot"))[str(company.chatbot_id)]["cost_usd"] == cost
    assert (await lines("session"))[session_id]["cost_usd"] == cost
    [asker] = [key for key, line in (await lines("user")).items() if line["cost_usd"] > 0]
    async with service.deps.database.transaction(company.tenant_id) as connection:
        assert asker == (await connection.execute(text("select asker from turns"))).scalar_one()
    today = now().date().isoformat()
    assert list(await lines("day")) == [today]
    assert await lines("day", last_day="2020-01-31", first_day="2020-01-01") == {}
    assert (await lines("model", chatbot_id=str(company.chatbot_id)))["scripted"]["calls"] == 1


async def test_usage_has_pages_and_refuses_a_period_that_makes_no_sense(company: Any, service: Any) -> None:
    reservation = await service.deps.budgets.reserve(
        company.tenant_id, chatbot_id=company.chatbot_id, asker=None, estimate_usd=Decimal(1)
    )
    for number in range(5):
        await service.deps.budgets.settle(reservation, _record(company, str(number), model=f"m{number}"))
    page = (await company.api().get("/api/usage/", params={"by": "model", "limit": 2, "offset": 1})).json()
    assert ([line["key"] for line in page["lines"]], page["total"] >= 5) == (["m3", "m2"], True)
    for params in ({"first_day": "2026-01-02", "last_day": "2026-01-01"}, {"first_day": "2001-01-01"}):
        assert (await company.api().get("/api/usage/", params=params)).status_code == 422


async def test_usage_and_budgets_show_nothing_of_another_tenant(company: Any, other_company: Any, service: Any) -> None:
    await _set(company, 5)
    reservation = await service.deps.budgets.reserve(
        company.tenant_id, chatbot_id=company.chatbot_id, asker="ann", estimate_usd=Decimal(1)
    )
    await service.deps.budgets.settle(reservation, _record(company, "0.5", model="secret-model"))
    assert await _budgets(other_company) == []
    found = (await other_company.api().get("/api/usage/", params={"by": "model"})).json()
    assert "secret-model" not in {line["key"] for line in found["lines"]}
    one = await other_company.api().get("/api/usage/", params={"chatbot_id": str(company.chatbot_id)})
    assert one.json()["lines"] == []
