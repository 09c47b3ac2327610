"""Analytics of a chatbot: counted once, live within the hour, by day and language, as its query log allows."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import text

from dragoman.insights import rollup
from dragoman.insights.entities import NUMBERS, Retention
from dragoman.kit.clock import now


async def _report(company: Any, who: str = "owner", **params: Any) -> dict[str, Any]:
    answer = await company.api(who).get(f"/api/analytics/{company.chatbot_id}", params=params)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def _waiting(company: Any) -> int:
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        found: int = (await connection.execute(text("select count(*) from insight_facts"))).scalar_one()
        return found


async def _asked(company: Any) -> None:
    """One document, two questions it answers, one it does not, and a search."""
    await company.know()
    await company.ask("What discount do gold partners receive?")
    await company.ask("How long is the warranty of the Aurora projector?")
    await company.ask("Who painted the ceiling of the Sistine Chapel?")
    await company.search("discount")
    await company.service.deps.search_log.flush()
    await company.service.deps.inference._usage.flush()


async def _roll_up(company: Any) -> None:
    await rollup.roll_up(company.service.deps.database)


async def test_what_happened_just_now_is_told_before_and_after_it_is_counted(company: Any) -> None:
    await _asked(company)
    assert await _waiting(company) > 0
    live = await _report(company)
    await _roll_up(company)
    assert await _waiting(company) == 0
    counted = await _report(company)
    assert live.pop("top_documents") == []  # citations are counted with the roll-up, seconds later
    assert live == {name: value for name, value in counted.items() if name != "top_documents"}
    total = counted["total"]
    assert (total["questions"], total["answered"], total["refused"], total["interrupted"]) == (3, 2, 1, 0)
    assert total["answer_rate"] == pytest.approx(2 / 3, abs=1e-4)
    assert (total["searches"], total["documents_read"], total["documents_failed"]) == (1, 1, 0)
    assert {"total", "load", "understand", "retrieve", "generate", "search", "wait", "run"} == set(total["latency_ms"])
    assert total["latency_ms"]["total"]["p50"] <= total["latency_ms"]["total"]["p99"]
    assert [each["language"] for each in counted["languages"]] == ["en"]
    assert counted["answerers"][0]["answerer"] == "extractive"
    assert {"kind": "ingestion.ingest_document", "ended": 1, "failed": 0} in counted["jobs"]
    assert sum(model["calls"] for model in counted["models"]) == total["model_calls"] > 0
    assert counted["top_documents"][0]["answers"] >= 2
    assert [each["question"] for each in counted["unanswered"]] == ["Who painted the ceiling of the Sistine Chapel?"]
    assert counted["before"]["questions"] == 0
    assert len(counted["bars"]) == 1


async def test_counting_twice_or_at_once_counts_each_fact_once(company: Any) -> None:
    await _asked(company)
    await asyncio.gather(*(_roll_up(company) for _ in range(4)))
    await _roll_up(company)
    assert (await _report(company))["total"]["questions"] == 3


async def test_a_crash_while_counting_loses_nothing(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await _asked(company)
    before = await _waiting(company)

    async def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(rollup, "_count_citations", crash)
        with pytest.raises(RuntimeError, match="killed"):
            await _roll_up(company)
    assert await _waiting(company) == before
    await _roll_up(company)
    assert (await _report(company))["total"]["questions"] == 3


async def test_a_turn_that_is_committed_late_is_added_to_the_hour_it_belongs_to(company: Any) -> None:
    await _asked(company)
    await _roll_up(company)
    early = now() - timedelta(days=2)
    copied = (
        "insert into turns select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), "
        "'created_at', cast(:at as text)))).* from turns t limit 1"
    )
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text(copied), {"at": early.isoformat()})
    await _roll_up(company)
    report = await _report(company, by="hour")
    assert report["total"]["questions"] == 4
    assert report["bars"][0]["starts_at"] == early.replace(minute=0, second=0, microsecond=0).isoformat().replace(
        "+00:00", "Z"
    )
    assert report["bars"][0]["questions"] == 1


async def test_a_turn_whose_transaction_is_rolled_back_is_not_counted(company: Any) -> None:
    await _asked(company)
    await _roll_up(company)
    copied = "insert into turns select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid()))).* from turns t limit 1"
    with pytest.raises(RuntimeError):
        async with company.service.deps.database.transaction(company.tenant_id) as connection:
            await connection.execute(text(copied))
            raise RuntimeError
    assert await _waiting(company) == 0


async def test_counts_outlive_the_sessions_they_tell_of(company: Any) -> None:
    await company.know()
    session_id = await company.open_session()
    await company.ask("What discount do gold partners receive?", session_id=session_id)
    assert (await company.api().delete(f"/api/chatbot/sessions/{session_id}/")).status_code == 204
    await _roll_up(company)
    assert (await _report(company))["total"]["questions"] == 1


@pytest.mark.parametrize(("log", "shown"), [("masked", True), ("anonymised", False)])
async def test_questions_without_an_answer_are_shown_as_the_query_log_allows(
    company: Any, log: str, shown: bool
) -> None:
    await company.know()
    await company.ask("Who is ada@example.com, and does she paint ceilings of chapels?")
    changed = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"query_log": log}})
    assert changed.status_code == 200
    [unanswered] = (await _report(company))["unanswered"]
    assert "ada@example.com" not in str(unanswered)
    assert (unanswered["question"] is not None) is shown


async def test_without_a_query_log_no_question_is_shown(company: Any) -> None:
    await company.know()
    await company.ask("Who painted the ceiling of the Sistine Chapel?")
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"query_log": "off"}})
    report = await _report(company)
    assert (report["unanswered"], report["total"]["refused"]) == ([], 1)


async def test_one_language_is_told_alone(company: Any) -> None:
    await company.know()
    await company.ask("What discount do gold partners receive?")
    await company.ask("Welchen Rabatt bekommen Gold-Partner für jeden Projektor?", language="de")
    await _roll_up(company)
    german = await _report(company, language="de")
    assert german["total"]["questions"] == 1
    assert [each["language"] for each in german["languages"]] == ["de"]
    assert german["models"] == []
    assert (await _report(company, language="fr"))["total"]["questions"] == 0


async def test_bars_are_exported_as_csv(company: Any) -> None:
    await _asked(company)
    answer = await company.api().get(f"/api/analytics/{company.chatbot_id}", params={"format": "csv", "by": "hour"})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert sum(int(line["questions"]) for line in lines) == 3


async def test_the_period_before_is_compared(company: Any) -> None:
    await _asked(company)
    tomorrow_is_not_asked = await _report(company, **{"from": str(now().date() - timedelta(days=1))})
    assert tomorrow_is_not_asked["before"]["questions"] == 0
    week_ago = now().date() - timedelta(days=7)
    earlier = await _report(company, **{"from": str(week_ago), "to": str(week_ago)})
    assert earlier["total"]["questions"] == 0


@pytest.mark.parametrize(
    "params",
    [
        {"from": "2026-02-01", "to": "2026-01-01"},
        {"from": "2020-01-01"},
        {"from": "0001-01-01", "to": "0001-01-02"},
        {"from": "2024-01-01", "to": "2024-01-02", "by": "hour"},
    ],
)
async def test_a_period_that_cannot_be_read_is_refused(company: Any, params: dict[str, str]) -> None:
    answer = await company.api().get(f"/api/analytics/{company.chatbot_id}", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "insights.invalid_period")


async def test_members_read_no_analytics_and_other_tenants_find_nothing(company: Any, other_company: Any) -> None:
    assert (await company.api("member").get(f"/api/analytics/{company.chatbot_id}")).status_code == 403
    assert (await company.api("agent").get(f"/api/analytics/{company.chatbot_id}")).status_code == 200
    assert (await other_company.api().get(f"/api/analytics/{company.chatbot_id}")).status_code == 404


async def test_what_is_too_old_is_forgotten_and_days_stay(company: Any) -> None:
    await _asked(company)
    await _roll_up(company)
    database = company.service.deps.database
    async with database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update insight_counts set starts_at = starts_at - interval '100 days'"))
    await rollup.purge(database)
    async with database.transaction(company.tenant_id) as connection:
        grains = (await connection.execute(text("select distinct grain from insight_counts"))).scalars().all()
    assert grains == ["day"]


async def test_counts_of_a_deleted_chatbot_are_forgotten(company: Any) -> None:
    made = await company.api().post("/api/chatbots/", json={"name": "Another"})
    chatbot_id = made.json()["id"]
    session_id = await company.open_session(chatbot_id=chatbot_id)
    await company.ask("Anything?", session_id=session_id)
    await _roll_up(company)
    database = company.service.deps.database

    async def rows() -> int:
        async with database.transaction(company.tenant_id) as connection:
            query = text("select count(*) from insight_counts where chatbot_id = :id")
            found: int = (await connection.execute(query, {"id": chatbot_id})).scalar_one()
            return found

    assert await rows() > 0
    assert (await company.api().delete(f"/api/chatbots/{chatbot_id}/")).status_code == 204
    await rollup.purge(database)
    assert await rows() == 0


def test_each_number_of_a_row_is_a_column() -> None:
    from dragoman.insights.tables import COUNTED, SPENT

    assert set(NUMBERS) == {*COUNTED, *SPENT}


async def test_a_changed_rating_takes_the_earlier_one_back(company: Any) -> None:
    await company.know()
    for ratings in (["up"], ["up", "down"]):
        answer = await company.ask("What discount do gold partners receive?")
        for rating in ratings:
            given = await company.api().post(f"/api/chatbot/messages/{answer['id']}/feedback/", json={"rating": rating})
            assert given.status_code in (200, 201), given.text
    live = await _report(company)
    await _roll_up(company)
    counted = await _report(company)
    for report in (live, counted):
        assert (report["total"]["ratings_up"], report["total"]["ratings_down"]) == (1, 1)
        assert report["total"]["satisfaction"] == 0.5
        assert report["languages"][0]["satisfaction"] == 0.5


async def test_the_steps_of_reading_documents_are_timed_and_failures_told_by_reason(company: Any) -> None:
    await company.know()
    empty = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(empty, "PNG")
    uploaded = await company.upload(empty.getvalue(), name="empty.png")
    assert uploaded.status_code == 202, uploaded.text
    await company.service.run_jobs()
    live = await _report(company)
    await _roll_up(company)
    counted = await _report(company)
    for report in (live, counted):
        steps = {step["step"]: step for step in report["ingestion_steps"]}
        assert list(steps) == ["extracting", "chunking", "embedding", "indexing"]
        assert all(step["documents"] == 1 for step in steps.values())
        assert all(0 < step["latency_ms"]["p50"] <= step["latency_ms"]["p99"] for step in steps.values())
        assert (report["total"]["documents_read"], report["total"]["documents_failed"]) == (2, 1)
        [failed] = [error for error in report["errors"] if error["documents"]]
        assert (failed["documents"], failed["jobs"], failed["model_calls"]) == (1, 1, 0)
        assert failed["code"] == "ingestion.no_text"
    run_ms = counted["total"]["latency_ms"]["run"]["p99"]
    assert sum(step["latency_ms"]["p50"] for step in counted["ingestion_steps"]) <= 1.5 * run_ms


async def test_counts_are_kept_as_long_as_the_operator_wants(company: Any) -> None:
    await _asked(company)
    await _roll_up(company)
    database = company.service.deps.database
    async with database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update insight_counts set starts_at = starts_at - interval '40 days'"))

    async def grains() -> set[str]:
        async with database.transaction(company.tenant_id) as connection:
            return set((await connection.execute(text("select distinct grain from insight_counts"))).scalars())

    await rollup.purge(database, Retention(hours=timedelta(days=50), days=timedelta(days=60)))
    assert await grains() == {"hour", "day"}
    await rollup.purge(database, Retention(hours=timedelta(days=10), days=timedelta(days=60)))
    assert await grains() == {"day"}
    await rollup.purge(database, Retention(hours=timedelta(days=10), days=timedelta(days=31)))
    assert await grains() == set()
