"""Insights: what was asked and rated over the API stands in figures, charts, tables and files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from benchmarks.instance import Instance

from dragoman.client import SyncDragoman
from dragoman.client.documents import FileContent

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
Look = Callable[["Page"], list[str]]

RETURNS = b"# Returns\n\nUnopened stock may be returned within 45 days of the invoice date.\n"
ANSWERED = "Within how many days may unopened stock be returned?"
UNANSWERED = "=1+1 who won the world cup of 1990?"


@pytest.fixture(scope="module")
def asked(dragoman: Instance) -> Iterator[str]:
    """A chatbot that was asked two questions; one was answered, and rated down with a correction."""
    with SyncDragoman(dragoman.url, dragoman.api_key) as client:
        chatbot = client.chatbots.create("Insights")
        uploaded = client.documents.upload(
            FileContent(name="returns.md", content=RETURNS, mime_type="text/markdown"), chatbot_id=chatbot.id
        )
        client.documents.wait_until_ready(uploaded.id)
        answer = client.ask(ANSWERED, chatbot_id=chatbot.id)
        assert answer.answered
        client.feedback.give(
            answer.id, "down", reason="outdated", comment="That was last year.", correction="It is 60 days now."
        )
        assert not client.ask(UNANSWERED, chatbot_id=chatbot.id).answered
        client.search("unopened stock", chatbot_id=chatbot.id)
        yield str(chatbot.id)
        client.chatbots.delete(chatbot.id)


@pytest.fixture
def insights(open_page: Open, asked: str) -> Open:
    """`insights("questions?range=7d")`: that tab for that chatbot."""

    def open_insights(address: str = "", role: str = "owner", **options: object) -> Page:
        page = open_page(role, "/account", **options)
        page.evaluate("id => localStorage.setItem('dragoman.chatbot', id)", asked)
        page.goto(page.url.split("/account")[0] + "/insights/" + address)
        return page

    return open_insights


def figure(page: Page, name: str) -> str:
    """What a figure shows."""
    found = page.locator("dl > div").filter(has=page.locator("dt", has_text=name)).first.locator("strong")
    found.wait_for()
    return found.inner_text()


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))


@pytest.mark.parametrize("span", ["24h", "7d"])
def test_questions_and_ratings_are_counted(insights: Open, span: str) -> None:
    page = insights(f"overview?range={span}")
    assert figure(page, "Questions") == "2"
    assert figure(page, "Answered") == "50%"
    assert figure(page, "Satisfaction") == "0%"
    page.locator(".recharts-bar-rectangle").first.wait_for()


def test_a_chart_is_a_table_too_and_a_file(insights: Open, tmp_path: Path) -> None:
    page = insights("overview?range=7d")
    page.get_by_role("button", name="Show as table: Questions over time").click()
    table = page.get_by_role("table", name="Questions over time")
    assert table.get_by_role("row").last.get_by_role("cell").all_inner_texts()[1:] == ["1", "1", "0"]
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV: Questions over time").click()
    path = tmp_path / "questions.csv"
    download.value.save_as(path)
    rows = rows_of(path)
    assert rows[0] == ["Day", "Answered", "Not answered", "Stopped"]
    assert len(rows) == 8
    assert rows[-1][1:] == ["1", "1", "0"]


def test_a_question_that_is_a_formula_is_defused_in_files(insights: Open, tmp_path: Path) -> None:
    page = insights("questions")
    page.get_by_role("link", name=UNANSWERED).first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV: Questions without an answer").click()
    path = tmp_path / "unanswered.csv"
    download.value.save_as(path)
    assert rows_of(path)[1][0] == f"'{UNANSWERED}"


def test_range_language_and_tab_stand_in_the_address(insights: Open) -> None:
    page = insights()
    page.wait_for_url("**/insights/overview")
    page.get_by_label("Time", exact=True).select_option("Last 90 days")
    page.wait_for_url("**range=90d")
    page.get_by_label("Language of questions").select_option("English")
    page.wait_for_url("**language=en")
    page.get_by_text("Questions over time").first.wait_for()
    page.get_by_role("tab", name="Questions").click()
    page.wait_for_url("**/insights/questions?range=90d&language=en")
    page.go_back()
    page.get_by_role("tab", name="Overview", selected=True).wait_for()


def test_own_days_before_anything_was_asked_are_empty(insights: Open) -> None:
    page = insights("overview?range=own&from=2024-01-01&to=2024-01-31")
    assert figure(page, "Questions") == "0"
    assert page.get_by_text("Nothing in this time.").count() > 1


def test_live_figures_follow_what_happens(insights: Open, asked: str, dragoman: Instance) -> None:
    page = insights("overview?range=7d&live=1")
    before = int(figure(page, "Questions"))
    with SyncDragoman(dragoman.url, dragoman.api_key) as client:
        client.ask("Qui a gagné la coupe du monde de 1990 ?", chatbot_id=asked)
    page.locator("dl strong", has_text=str(before + 1)).first.wait_for(timeout=15_000)


def test_a_correction_becomes_knowledge(insights: Open, dragoman: Instance, asked: str) -> None:
    page = insights("feedback?rating=down")
    item = page.get_by_role("listitem").filter(has_text="It is 60 days now.")
    item.get_by_text("That was last year.").wait_for()
    item.get_by_role("button", name="Accept as knowledge").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Right answer").fill("Unopened stock may be returned within 60 days.")
    dialog.get_by_role("button", name="Accept as knowledge").click()
    item.get_by_role("link", name="The document that it became").wait_for()
    with dragoman.http() as http:
        (given,) = http.get("/api/chatbot/feedback/", params={"chatbot_id": asked}).json()["feedback"]
    assert given["correction_state"] == "accepted"


def test_feedback_is_exported(insights: Open, tmp_path: Path) -> None:
    page = insights("feedback")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    path = tmp_path / "feedback.csv"
    download.value.save_as(path)
    assert "It is 60 days now." in path.read_text()


def test_a_report_is_made_and_read(insights: Open) -> None:
    page = insights("questions?range=7d")
    page.get_by_role("button", name="Make a report of this time").click()
    page.get_by_role("button", name="Open the report").first.click(timeout=60_000)
    dialog = page.get_by_role("dialog", name="Improvement report")
    dialog.get_by_text("not answered;").wait_for()
    dialog.get_by_text("What to do:").first.wait_for()


def test_budgets_are_meters(insights: Open, dragoman: Instance, asked: str) -> None:
    with dragoman.http() as http:
        budget = {"scope": "chatbot", "subject": asked, "period": "month", "limit_usd": 25}
        made = http.put("/api/budgets/", json=budget).raise_for_status().json()
    page = insights("usage")
    meter = page.get_by_role("meter", name="Chatbot · Insights · per month").first
    meter.wait_for()
    page.get_by_role("listitem").filter(has=meter).get_by_text("of $25.00").wait_for()
    with dragoman.http() as http:
        http.delete(f"/api/budgets/{made['id']}/").raise_for_status()


def test_a_rule_is_silenced_and_speaks_again(insights: Open) -> None:
    page = insights("system")
    page.get_by_role("button", name="Silence slow-search").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why (optional)").fill("moving to a new machine")
    dialog.get_by_role("button", name="Silence").click()
    page.get_by_role("button", name="End the silence of slow-search").click()
    page.get_by_role("button", name="Silence slow-search").wait_for()


def test_an_agent_sees_no_costs_and_no_machine(insights: Open) -> None:
    page = insights("system", role="agent")
    page.wait_for_url("**/insights/overview")
    tabs = page.get_by_role("tab")
    tabs.first.wait_for()
    assert tabs.all_inner_texts() == ["Overview", "Questions", "Feedback"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "ar"])
@pytest.mark.parametrize("tab", ["overview", "questions", "feedback", "usage", "system"])
def test_insights_are_accessible(insights: Open, axe: Look, tab: str, scheme: str, locale: str) -> None:
    page = insights(f"{tab}?range=7d", color_scheme=scheme, locale=locale)
    page.get_by_role("tabpanel").locator("section").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert axe(page) == []
