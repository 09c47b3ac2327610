"""The improvement report: written by a job, on demand and by schedule, shown as JSON and Markdown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.feedback.improvement import service as reports
from dragoman.kit.clock import now

SHIPPING = """# Shipping

Parcels within Europe arrive after 3 days.

# Import duty

Import duty on projectors is 99 percent everywhere.
"""


async def _ask_and_rate(company: Any, question: str, rating: str | None = None, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await company.ask(question, who="member")
    if rating is not None:
        path = f"/api/chatbot/messages/{answer['id']}/feedback/"
        given = await company.api("member").post(path, json={"rating": rating, **body})
        assert given.status_code in (200, 201), given.text
    return answer


async def _report(company: Any, **body: Any) -> dict[str, Any]:
    asked = await company.api("editor").post("/api/chatbot/reports/improvement/", json=body)
    assert asked.status_code == 202, asked.text
    assert asked.json()["state"] == "queued"
    await company.service.run_jobs(kind=reports.WRITE_REPORT)
    shown = await company.api("editor").get(f"/api/chatbot/reports/{asked.json()['id']}/")
    assert shown.json()["state"] == "ready", shown.text
    report: dict[str, Any] = shown.json()
    return report


@pytest.fixture
async def asked(company: Any) -> Any:
    """A company whose members asked of discounts, of duty (which a document states wrongly), and of what nobody knows."""
    await company.know()
    wrong = await company.know(SHIPPING, "shipping.md")
    for _ in range(8):
        await _ask_and_rate(company, "What discount do gold partners receive?", "up")
    for who in ("on projectors", "on projectors everywhere", "on any projectors"):
        for _ in range(2):
            question = f"What is the import duty {who}?"
            await _ask_and_rate(company, question, "down", reason="outdated", comment="Wrong duty.")
    for _ in range(3):
        await _ask_and_rate(company, "Who won the Bundesliga championship of 1987?")
    return company, wrong


async def test_it_tells_what_is_missing_what_is_bad_and_which_document_misleads(asked: Any) -> None:
    company, wrong = asked
    report = await _report(company)
    assert (report["asked"], report["unanswered"], report["up"], report["down"]) == (17, 3, 8, 6)
    topics = {topic["label"]: topic for topic in report["topics"]}
    missing = topics["Who won the Bundesliga championship of 1987?"]
    assert (missing["kind"], missing["asked"], missing["unanswered"]) == ("missing", 3, 3)
    assert missing["suggestion"] == "Add a document about “Who won the Bundesliga championship of 1987?”."
    fine = topics["What discount do gold partners receive?"]
    assert (fine["kind"], fine["up"], fine["suggestion"]) == ("fine", 8, "")
    bad = report["topics"][0]
    assert (bad["kind"], bad["down"], bad["reasons"]) == ("bad", 6, {"outdated": 6})
    assert "import duty" in bad["label"]
    assert len(bad["examples"]) == 3
    assert bad["suggestion"] == f"Bring “{wrong['title']}” up to date."
    [misleading] = report["misleading"]
    assert (misleading["document_id"], misleading["rated"], misleading["down"]) == (wrong["id"], 6, 6)
    assert misleading["expected"] < 3
    assert misleading["chance"] < 0.001


async def test_as_markdown_it_holds_no_links_of_askers(asked: Any) -> None:
    company, wrong = asked
    await _ask_and_rate(company, "What of ![x](http://evil.example/a.png) and <b>unicorns</b>?", "down")
    report = await _report(company)
    path = f"/api/chatbot/reports/{report['id']}/"
    shown = await company.api("agent").get(path, params={"format": "markdown"})
    assert shown.headers["content-type"].startswith("text/markdown")
    for expected in ("## Missing knowledge", "Bundesliga", "## Documents that mislead", wrong["title"], "6 of 6 rated"):
        assert expected in shown.text, expected
    assert "](http://evil" not in shown.text
    assert "<b>" not in shown.text
    listed = (await company.api().get("/api/chatbot/reports/")).json()
    assert [each["id"] for each in listed["reports"]] == [report["id"]]


async def test_a_deleted_conversation_leaves_no_text_in_a_report(asked: Any) -> None:
    company, _ = asked
    report = await _report(company)
    sessions = (await company.api("member").get("/api/chatbot/sessions/", params={"search": "Bundesliga"})).json()
    for session in sessions["sessions"]:
        await company.api("member").delete(f"/api/chatbot/sessions/{session['id']}/")
    for params in ({}, {"format": "markdown"}):
        shown = await company.api().get(f"/api/chatbot/reports/{report['id']}/", params=params)
        assert "Bundesliga" not in shown.text
    assert "import duty" in shown.text


@pytest.mark.parametrize("kept", ["off", "anonymised"])
async def test_a_chatbot_that_keeps_no_questions_shows_none(asked: Any, kept: str) -> None:
    company, wrong = asked
    settings = {"settings": {"query_log": kept}}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=settings)
    report = await _report(company)
    assert {topic["label"] for topic in report["topics"]} == {None}
    shown = await company.api().get(f"/api/chatbot/reports/{report['id']}/", params={"format": "markdown"})
    assert "duty" not in shown.text
    assert wrong["title"] in shown.text


async def test_without_questions_there_is_a_report_that_says_so(company: Any) -> None:
    report = await _report(company)
    assert (report["asked"], report["topics"], report["misleading"]) == (0, [], [])


async def test_periods_and_reports_that_are_not_there(company: Any, other_company: Any) -> None:
    report = await _report(company, first_day="2026-01-01", last_day="2026-01-31")
    assert (report["first_day"], report["last_day"]) == ("2026-01-01", "2026-01-31")
    for body in ({"first_day": "2020-01-01"}, {"first_day": "2026-02-01", "last_day": "2026-01-01"}):
        refused = await company.api().post("/api/chatbot/reports/improvement/", json=body)
        assert refused.json()["code"] == "feedback.invalid_period"
    foreign = await other_company.api().get(f"/api/chatbot/reports/{report['id']}/")
    assert foreign.json()["code"] == "feedback.report_not_found"


async def test_each_week_one_report_is_written_of_chatbots_that_were_asked(asked: Any, service: Any) -> None:
    company, _ = asked
    today = now().date()
    last = today - timedelta(days=today.isoweekday())
    assert await _enqueue(service, company) == 0  # all was asked this week
    async with service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update turns set created_at = :then"), {"then": now() - timedelta(days=7)})
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"improvement_report": "off"}})
    assert await _enqueue(service, company) == 0
    await company.api().patch(
        f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"improvement_report": "weekly"}}
    )
    assert [await _enqueue(service, company) for _ in range(2)] == [1, 0]
    await service.run_jobs(kind=reports.WRITE_REPORT)
    [report] = (await company.api().get("/api/chatbot/reports/")).json()["reports"]
    assert (report["is_scheduled"], report["state"], report["last_day"]) == (True, "ready", last.isoformat())
    shown = (await company.api().get(f"/api/chatbot/reports/{report['id']}/")).json()
    assert shown["asked"] == 17


async def _enqueue(service: Any, company: Any) -> int:
    """How many reports of this company a round of the scheduler starts; other tests leave companies behind."""
    async with service.deps.database.transaction(company.tenant_id) as connection:
        count = text("select count(*) from improvement_reports")
        before = (await connection.execute(count)).scalar_one()
    await reports.enqueue_due(service.deps.database, service.deps.sender)
    async with service.deps.database.transaction(company.tenant_id) as connection:
        after: int = (await connection.execute(count)).scalar_one()
    return after - before
