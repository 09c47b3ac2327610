"""What happened before anything was counted is counted by `dragoman analytics backfill`: once, and as if it had been then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.insights import rollup
from dragoman.insights.backfill import repository, service
from dragoman.insights.entities import Retention
from dragoman.kit.clock import now

_USUAL = Retention()


async def _report(company: Any) -> dict[str, Any]:
    params = {"from": str(now().date() - timedelta(days=40))}
    answer = await company.api().get(f"/api/analytics/{company.chatbot_id}", params=params)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def _execute(company: Any, *statements: str, **values: Any) -> Any:
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        for statement in statements:
            done = await connection.execute(text(statement), values if ":" in statement.replace("::", "") else {})
    return done


@pytest.fixture
async def older(company: Any) -> dict[str, Any]:
    """A company whose first questions, of three days, were counted; its report, and then a state as if they were not."""
    await company.know()
    answer = await company.ask("What discount do gold partners receive?")
    await company.ask("Who painted the ceiling of the Sistine Chapel?")
    assert (
        await company.api().post(f"/api/chatbot/messages/{answer['id']}/feedback/", json={"rating": "up"})
    ).is_success
    await company.service.deps.inference._usage.flush()
    await _execute(
        company,
        "insert into turns select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'answer_id', gen_random_uuid(), "
        "'created_at', t.created_at - n * interval '9 days'))).* from turns t, generate_series(1, 2) n",
        "update usage_records set created_at = created_at - interval '9 days'",
    )
    await rollup.roll_up(company.service.deps.database)
    # The calls were counted when they were made, not when the row was moved to.
    await _execute(
        company,
        "update insight_counts set starts_at = starts_at - interval '9 days' where dimension = 'model'",
    )
    expected = await _report(company)
    await _execute(
        company,
        "delete from insight_counts",
        "delete from insight_documents",
        "insert into insight_backfills (tenant_id, counted_since) select id, now() + interval '1 millisecond' from tenants",
    )
    return expected


def _comparable(report: dict[str, Any]) -> dict[str, Any]:
    """Without what belongs to a moment: calls that have no row of their own in the hour they were made in."""
    totals = {name: report["total"][name] for name in ("questions", "answered", "refused", "ratings_up", "latency_ms")}
    kept = ("languages", "answerers", "jobs", "ingestion_steps", "errors", "top_documents", "models")
    days = [(bar["starts_at"], bar["questions"]) for bar in report["bars"] if bar["questions"]]
    return {**totals, "days": days, **{name: report[name] for name in kept}}


async def test_what_was_before_is_counted_as_if_it_had_been_counted_then(company: Any, older: dict[str, Any]) -> None:
    assert (await _report(company))["total"]["questions"] == 0
    told: list[Any] = []
    done = await service.backfill(company.service.deps.database, _USUAL, lambda tenant, day: told.append((tenant, day)))
    days = [day for tenant, day in told if tenant == company.tenant_id]
    assert (days[0], days[-1], len(days)) == ((now() - timedelta(days=18)).date(), now().date(), 19)
    assert done.facts >= 8
    assert _comparable(await _report(company)) == _comparable(older)


async def test_a_second_run_counts_nothing_again(company: Any, older: dict[str, Any]) -> None:
    database = company.service.deps.database
    await service.backfill(database, _USUAL)
    again = await service.backfill(database, _USUAL)
    assert (again.tenants, again.days, again.facts) == (0, 0, 0)
    assert (await _report(company))["total"]["questions"] == older["total"]["questions"] == 6


async def test_a_run_that_was_broken_off_goes_on(
    company: Any, older: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, add_facts, days = company.service.deps.database, repository.add_facts, []

    async def crash_on_the_tenth(connection: Any, **place: Any) -> int:
        made = await add_facts(connection, **place)
        days.append(place["begin"])
        if len(days) == 10:
            raise RuntimeError("killed")
        return made

    with monkeypatch.context() as broken:
        broken.setattr(repository, "add_facts", crash_on_the_tenth)
        with pytest.raises(RuntimeError, match="killed"):
            await service.backfill(database, _USUAL)
    done = await service.backfill(database, _USUAL)
    assert done.days == 10
    assert _comparable(await _report(company)) == _comparable(older)


async def test_what_was_counted_when_it_happened_is_not_counted_again(company: Any, older: dict[str, Any]) -> None:
    await company.ask("What discount do gold partners receive?")
    await service.backfill(company.service.deps.database, _USUAL)
    await rollup.roll_up(company.service.deps.database)
    assert (await _report(company))["total"]["questions"] == 7


async def test_a_rating_that_was_changed_since_is_counted_as_it_is_now(company: Any, older: dict[str, Any]) -> None:
    """Its change has a fact, which takes back what it was before."""
    rated = await _execute(company, "select answer_id from feedback")
    path = f"/api/chatbot/messages/{rated.scalar_one()}/feedback/"
    assert (await company.api().post(path, json={"rating": "down"})).is_success
    await service.backfill(company.service.deps.database, _USUAL)
    await rollup.roll_up(company.service.deps.database)
    total = (await _report(company))["total"]
    assert (total["ratings_up"], total["ratings_down"]) == (0, 1)


async def test_searches_of_days_before_are_counted(company: Any, older: dict[str, Any]) -> None:
    await company.search("discount")
    await company.service.deps.search_log.flush()
    await _execute(
        company,
        "update search_days set day = day - 3",
        "delete from insight_facts where kind = 'searches'",
        "update insight_backfills set counted_since = now()",
    )
    await service.backfill(company.service.deps.database, _USUAL)
    total = (await _report(company))["total"]
    assert total["searches"] == 1
    assert total["latency_ms"]["search"]["p50"] > 0


async def test_what_is_older_than_is_kept_is_not_counted(company: Any, older: dict[str, Any]) -> None:
    done = await service.backfill(company.service.deps.database, Retention(days=timedelta(days=5)))
    assert done.days == 6
    assert (await _report(company))["total"]["questions"] == 2


async def test_a_new_tenant_has_nothing_to_count(company: Any) -> None:
    await company.know()
    assert (await service.backfill(company.service.deps.database, _USUAL)).days == 0
