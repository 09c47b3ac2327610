"""Costs, remembered answers and alerts as insights show them, of questions that were asked and paid for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.instance import Instance

from tests.web.test_admin import HANDBOOK, QUESTION
from tests.web.test_insights import figure

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
ALERT_MS = 60_000  # rules are looked at every five seconds, on a machine that is busy


@pytest.fixture(scope="module")
def dragoman(paying: Instance) -> Instance:
    return paying


@pytest.fixture(scope="module")
def spent(dragoman: Instance) -> Iterator[dict[str, Any]]:
    """A chatbot that was asked the same twice and something else once; 95 % of its budget are gone."""
    with dragoman.http() as http:
        chatbot = http.post("/api/chatbots/", json={"name": "Costly answers"}).raise_for_status().json()
        address = f"/api/chatbots/{chatbot['id']}/"
        file = ("handbook.md", HANDBOOK.encode(), "text/markdown")
        made = http.post("/api/chatbot/documents/", files={"file": file}, data={"chatbot_id": chatbot["id"]}).json()
        while http.get(f"/api/chatbot/documents/{made['id']}/").json()["state"] in ("queued", "processing"):
            time.sleep(0.2)
        http.patch(address, json={"settings": {"answerer": "paid"}}).raise_for_status()
        answers = []
        for question in (QUESTION, QUESTION, "What do silver partners receive on projectors?"):
            session = http.post("/api/chatbot/sessions/", json={"chatbot_id": chatbot["id"]}).json()
            asked = f"/api/chatbot/sessions/{session['id']}/messages/"
            answers.append(http.post(asked, json={"message": question}).raise_for_status().json()["usage"])
        assert [usage["cached"] for usage in answers] == [None, "exact", None]
        cost = sum(usage["cost_usd"] for usage in answers)
        budget = {"scope": "chatbot", "subject": chatbot["id"], "period": "month", "limit_usd": round(cost / 0.95, 4)}
        budget_id = http.put("/api/budgets/", json=budget).raise_for_status().json()["id"]
        tokens = sum(usage["input_tokens"] + usage["output_tokens"] for usage in answers)
        yield {"id": chatbot["id"], "cost": cost, "saved": answers[1]["saved_usd"], "tokens": tokens, **budget}
        http.delete(f"/api/budgets/{budget_id}/")
        http.delete(address)


def _insights(open_page: Open, spent: dict[str, Any], path: str) -> Page:
    page = open_page("owner", "/account")
    page.evaluate("id => localStorage.setItem('dragoman.chatbot', id)", spent["id"])
    page.goto(page.url.split("/account")[0] + f"/insights/{path}")
    return page


def _row(page: Page, chart: str) -> list[str]:
    """What the chart shows of today."""
    page.get_by_role("button", name=f"Show as table: {chart}").click()
    return page.get_by_role("table", name=chart).get_by_role("row").last.get_by_role("cell").all_inner_texts()[1:]


def test_what_answers_cost_and_what_was_remembered_stands_in_figures_and_charts(
    open_page: Open, spent: dict[str, Any]
) -> None:
    page = _insights(open_page, spent, "overview?range=7d&live=1")
    page.locator("dl > div").filter(has_text="Questions").first.locator("strong", has_text="3").wait_for(timeout=30_000)
    assert figure(page, "Cost") == f"${spent['cost']:.2f}"
    page.get_by_text(f"${spent['saved']:.2f} saved by the cache").wait_for()
    assert figure(page, "Cache hits") == "33%"
    assert figure(page, "Tokens") == str(spent["tokens"])
    remembered = page.locator("section").filter(has=page.get_by_role("heading", name="Remembered answers"))
    remembered.locator(".recharts-bar-rectangle").first.wait_for()
    ticks = remembered.locator(".recharts-yAxis-tick-labels .recharts-cartesian-axis-tick-value").all_text_contents()
    assert ticks[:2] == ["0", "1"]  # there is no half of an answer
    assert _row(page, "Cost over time") == [f"${spent['cost']:.2f}", "$0.00"]
    assert _row(page, "Remembered answers") == ["1", "0"]


def test_usage_tells_the_model_its_calls_and_the_budget(open_page: Open, spent: dict[str, Any]) -> None:
    page = _insights(open_page, spent, "usage?range=7d")
    meter = page.get_by_role("meter", name="Chatbot · Costly answers · per month")
    meter.wait_for()
    listed = page.get_by_role("listitem").filter(has=meter)
    listed.get_by_text(f"${spent['cost']:.2f} of ${spent['limit_usd']:.2f}").wait_for()
    page.get_by_role("listitem").filter(has_text="paid-model").get_by_text("calls").first.wait_for()


def test_a_budget_that_is_nearly_spent_fires_an_alert_that_somebody_sees_to(
    open_page: Open, spent: dict[str, Any]
) -> None:
    page = _insights(open_page, spent, "system?live=1")
    alert = page.get_by_role("listitem").filter(has_text="budget-nearly-spent")
    alert.first.wait_for(timeout=ALERT_MS)
    assert "95%, threshold 90%" in alert.first.inner_text()
    assert "A budget is nearly spent" in alert.first.inner_text()
    alert.get_by_role("button", name="I see to it").click()
    alert.get_by_text("sees to it since").wait_for()
