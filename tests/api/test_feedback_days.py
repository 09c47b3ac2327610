"""Feedback is counted by day, and what is read equals a direct count: before days are counted, after, and after changes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.feedback import service as given_feedback
from dragoman.feedback.days import repository, rollup
from dragoman.kit.clock import now

QUESTION = "What discount do gold partners receive?"


def _path(message_id: str) -> str:
    return f"/api/chatbot/messages/{message_id}/feedback/"


@pytest.fixture
async def rated(company: Any) -> Any:
    """60 feedbacks of 3 askers on 12 days, of several languages, reasons, models and states, and two of now."""
    await company.know()
    for who, said in (
        ("member", {"rating": "down", "reason": "outdated", "comment": "Old."}),
        ("editor", {"rating": "up"}),
    ):
        answer = await company.ask(QUESTION, who=who)
        given = await company.api(who).post(_path(answer["id"]), json=said)
        assert given.status_code == 201, given.text
    copied = """
        insert into feedback select (jsonb_populate_record(f, jsonb_build_object(
            'id', gen_random_uuid(), 'answer_id', gen_random_uuid(), 'is_review', n % 7 = 0,
            'rating', (array['up', 'down', 'up'])[1 + n % 3], 'reason', (array['outdated', null, 'incorrect', null])[1 + n % 4],
            'comment', (array['', 'Hm.'])[1 + n % 2], 'language', (array['en', 'de'])[1 + n % 2],
            'model', (array['extractive', 'gpt', 'other'])[1 + n % 3],
            'correction_state', (array[null, 'open', 'accepted', 'rejected', null])[1 + n % 5],
            'created_at', case when n % 12 = 0 then f.created_at
                else date_trunc('day', f.created_at, 'UTC') - (n % 12) * interval '1 day' + n * interval '1 minute' end))).*
        from feedback f, generate_series(1, 30) n
    """
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text(copied))
    return company


async def _marks(company: Any) -> int:
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        found: int = (await connection.execute(text("select count(*) from feedback_changes"))).scalar_one()
        return found


async def _told(company: Any, **params: Any) -> dict[str, Any]:
    since = str(now().date() - timedelta(days=20))
    answer = await company.api().get("/api/chatbot/analytics/feedback/", params={"from": since, **params})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def _counted_directly(company: Any) -> dict[str, Any]:
    """The same figures from the feedback itself, without any table of days."""
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        rows = (await connection.execute(text("select * from feedback"))).all()
    of_askers = [row for row in rows if not row.is_review]

    def lines(keys_of: Any) -> dict[str, tuple[int, int]]:
        sums: dict[str, tuple[int, int]] = {}
        for row in of_askers:
            for key in keys_of(row):
                up, down = sums.get(key, (0, 0))
                sums[key] = (up + (row.rating == "up"), down + (row.rating == "down"))
        return sums

    return {
        "total": len(of_askers),
        "up": sum(row.rating == "up" for row in of_askers),
        "reviews": len(rows) - len(of_askers),
        "comments": sum(row.comment != "" for row in rows),
        "corrections": {
            state: sum(row.correction_state == state for row in rows) for state in ("open", "accepted", "rejected")
        },
        "by_reason": {key: sum(pair) for key, pair in lines(lambda row: [row.reason] if row.reason else []).items()},
        "by_day": lines(lambda row: [str(row.created_at.date())]),
        "by_language": lines(lambda row: [row.language]),
        "by_model": lines(lambda row: [row.model]),
        "by_prompt_version": lines(lambda row: [row.prompt_version]),
        "by_chatbot": lines(lambda row: [str(row.chatbot_id)]),
        "by_document": lines(lambda row: map(str, row.documents)),
    }


async def _require_right(company: Any) -> dict[str, Any]:
    """What is read equals the direct count, of all chatbots and of the only one."""
    expected = await _counted_directly(company)
    for params in ({}, {"chatbot_id": str(company.chatbot_id)}):
        told = await _told(company, **params)
        told["reviews"] = told["reviews"]["total"]
        for name, value in expected.items():
            is_lines = isinstance(told[name], list)
            found = {line["key"]: (line["up"], line["down"]) for line in told[name]} if is_lines else told[name]
            assert found == value, name
    return expected


async def test_days_are_told_rightly_before_and_after_they_are_counted(rated: Any) -> None:
    database = rated.service.deps.database
    assert await _marks(rated) > 0
    live = await _require_right(rated)
    assert (live["total"], len(live["by_day"]), len(live["by_model"])) == (54, 12, 3)
    assert await rollup.roll_up(database) >= 12
    assert await _marks(rated) == 0
    assert await _require_right(rated) == live
    assert await rollup.roll_up(database) == 0


async def test_what_is_told_of_counted_days_comes_from_the_days(rated: Any) -> None:
    await rollup.roll_up(rated.service.deps.database)
    async with rated.service.deps.database.transaction(rated.tenant_id) as connection:
        await connection.execute(text("update feedback_days set up = up + 1000 where day < current_date - 1"))
    assert (await _told(rated))["up"] > 1000


@pytest.mark.parametrize(
    "change",
    [
        "update feedback set rating = 'down' where rating = 'up' and id in (select id from feedback order by id limit 9)",
        "update feedback set reason = 'too_long', comment = 'Changed.'",
        "update feedback set correction_state = 'rejected' where correction_state = 'open'",
        "delete from feedback where id in (select id from feedback order by created_at limit 17)",
        "delete from sessions where id in (select session_id from feedback where rating = 'down')",
    ],
)
async def test_a_change_is_told_at_once_and_after_its_days_are_counted_anew(rated: Any, change: str) -> None:
    database = rated.service.deps.database
    await rollup.roll_up(database)
    before = await _require_right(rated)
    async with database.transaction(rated.tenant_id) as connection:
        await connection.execute(text(change))
    assert await _marks(rated) > 0
    changed = await _require_right(rated)
    assert changed != before
    await rollup.roll_up(database)
    assert await _marks(rated) == 0
    assert await _require_right(rated) == changed


async def test_an_erased_asker_leaves_no_count(rated: Any) -> None:
    database = rated.service.deps.database
    await rollup.roll_up(database)
    async with database.transaction(rated.tenant_id) as connection:
        askers = (await connection.execute(text("select distinct asker from sessions"))).scalars().all()
        for asker in askers:
            await given_feedback.erase_asker(connection, rated.tenant_id, asker)
    assert (await _require_right(rated))["total"] == 0
    await rollup.roll_up(database)
    async with database.transaction(rated.tenant_id) as connection:
        for table in ("feedback_days", "feedback_document_days", "feedback_changes"):
            assert (await connection.execute(text(f"select count(*) from {table}"))).scalar_one() == 0, table


async def test_the_days_of_a_deleted_chatbot_are_forgotten(rated: Any) -> None:
    database = rated.service.deps.database
    await rollup.roll_up(database)
    async with database.transaction(rated.tenant_id) as connection:
        await connection.execute(text("delete from chatbots"))
    await rollup.roll_up(database)
    async with database.transaction(rated.tenant_id) as connection:
        assert (await connection.execute(text("select count(*) from feedback_days"))).scalar_one() == 0


async def test_a_change_that_is_committed_while_its_day_is_counted_is_not_lost(
    rated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mark came too late to be taken: the day is counted again."""
    database, count_days = rated.service.deps.database, repository.count_days

    async def with_a_change(connection: Any, days: Any, **place: Any) -> None:
        await count_days(connection, days, **place)
        async with database.transaction(rated.tenant_id) as other:
            await other.execute(text("update feedback set rating = 'down' where rating = 'up'"))

    with monkeypatch.context() as changed:
        changed.setattr(repository, "count_days", with_a_change)
        await rollup.roll_up(database)
    assert (await _require_right(rated))["up"] == 0
    await rollup.roll_up(database)
    assert (await _require_right(rated))["up"] == 0


async def test_schedulers_at_once_and_a_crash_leave_the_days_right(rated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    database = rated.service.deps.database

    async def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    waiting = await _marks(rated)
    with monkeypatch.context() as broken:
        broken.setattr(repository, "count_days", crash)
        with pytest.raises(RuntimeError, match="killed"):
            await rollup.roll_up(database)
    assert await _marks(rated) == waiting
    await asyncio.gather(*(rollup.roll_up(database) for _ in range(4)))
    await rollup.roll_up(database)
    await _require_right(rated)
    assert await _marks(rated) == 0


async def test_another_tenants_days_are_not_told(rated: Any, other_company: Any) -> None:
    await rollup.roll_up(rated.service.deps.database)
    assert (await _told(other_company))["total"] == 0
