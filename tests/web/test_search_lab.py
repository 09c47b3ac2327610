"""The search lab: both arms side by side, thresholds, filters, and what was tried made the chatbot's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from benchmarks.instance import Instance

from dragoman.client import SyncDragoman
from dragoman.client.documents import FileContent

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
Look = Callable[["Page"], list[str]]

RETURNS = b"# Returns\n\nUnopened stock may be returned within 45 days of the invoice date.\n"
WARRANTY = b"# Warranty\n\n## Lamps\n\nThe warranty of the lamp ends two years after the purchase.\n"
HOLIDAYS = b"# Holidays\n\nThe office in Vejle is closed between Christmas and New Year.\n"
QUERY = "How long may unopened stock be returned?"


@pytest.fixture(scope="module")
def knowledge(dragoman: Instance) -> Iterator[str]:
    """A chatbot that knows three documents."""
    with SyncDragoman(dragoman.url, dragoman.api_key) as client:
        chatbot = client.chatbots.create("Search lab")
        files = {"returns.md": RETURNS, "warranty.md": WARRANTY, "holidays.md": HOLIDAYS}
        for name, content in files.items():
            uploaded = client.documents.upload(
                FileContent(name=name, content=content, mime_type="text/markdown"), chatbot_id=chatbot.id
            )
            client.documents.wait_until_ready(uploaded.id)
        yield str(chatbot.id)
        client.chatbots.delete(chatbot.id)


@pytest.fixture
def lab(open_page: Open, knowledge: str) -> Open:
    """`lab("?q=…")`: the search lab of that chatbot."""

    def open_lab(address: str = "", role: str = "owner", **options: object) -> Page:
        page = open_page(role, "/account", **options)
        page.evaluate("id => localStorage.setItem('dragoman.chatbot', id)", knowledge)
        page.goto(page.url.split("/account")[0] + "/search" + address)
        return page

    return open_lab


def test_a_query_shows_both_arms_and_the_result_side_by_side(lab: Open) -> None:
    page = lab()
    page.get_by_label("Query", exact=True).fill(QUERY)
    page.get_by_role("button", name="Search", exact=True).click()
    for arm in ("By meaning", "By words", "Fusion", "Result"):
        page.get_by_role("region", name=arm, exact=True).get_by_role("button", name="Returns").first.wait_for()
    passages = page.get_by_role("region", name="Passages")
    assert passages.locator("mark", has_text="returned").count() >= 1
    assert passages.get_by_role("link").first.get_attribute("href", timeout=5_000).startswith("/documents/")  # type: ignore[union-attr]
    assert "q=How+long" in page.url


def test_what_is_focused_is_marked_in_all_columns(lab: Open) -> None:
    page = lab(f"?q={quote(QUERY)}")
    page.get_by_role("region", name="By meaning").get_by_role("button", name="Returns").first.focus()
    page.get_by_role("status").filter(has_text="By words: rank 1").wait_for(state="attached")
    fused = page.get_by_role("region", name="Fusion").get_by_role("button", name="Returns").first
    assert "same" in fused.inner_text()


def test_moving_the_threshold_takes_a_passage_out_at_once(lab: Open) -> None:
    page = lab(f"?q={quote(QUERY)}")
    passages = page.get_by_role("region", name="Passages").get_by_role("heading", level=3)
    passages.first.wait_for()
    before = passages.count()
    assert before > 1
    slider = page.get_by_role("slider")
    slider.fill("0.9")
    slider.press("ArrowRight")
    page.get_by_role("region", name="Below the threshold").wait_for()
    assert 1 <= passages.count() < before
    page.wait_for_url("**threshold=0.91**")
    page.reload()
    page.get_by_role("region", name="Below the threshold").wait_for()


def test_a_filter_narrows_and_a_wrong_one_is_explained(lab: Open) -> None:
    from playwright.sync_api import expect

    page = lab(f"?q={quote(QUERY)}")
    page.get_by_label("Filter (optional)").fill("colour:red")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_text("there is no field").first.wait_for()
    page.get_by_label("Filter (optional)").fill("heading:Lamps")
    page.get_by_role("button", name="Search", exact=True).click()
    passages = page.get_by_role("region", name="Passages").get_by_role("heading", level=3)
    expect(passages).to_have_text(["Warranty"])


def test_what_was_tried_becomes_the_chatbots_settings(lab: Open, knowledge: str, dragoman: Instance) -> None:
    page = lab(f"?q={quote(QUERY)}&threshold=0.42&mode=dense")
    page.get_by_role("button", name="Save as the chatbot’s settings…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Similarity threshold: 0.00 becomes 0.42").wait_for()
    dialog.get_by_text("Search by: Meaning and words becomes Meaning only").wait_for()
    dialog.get_by_role("button", name="Save settings").click()
    page.get_by_text("The chatbot has: 0.42").wait_for()
    with dragoman.http() as http:
        settings = http.get(f"/api/chatbots/{knowledge}/").json()["settings"]
        assert (settings["similarity_threshold"], settings["search_mode"]) == (0.42, "dense")
        http.patch(
            f"/api/chatbots/{knowledge}/", json={"settings": {"similarity_threshold": None, "search_mode": None}}
        )


def test_an_editor_tries_but_does_not_save(lab: Open) -> None:
    page = lab(f"?q={quote(QUERY)}", role="editor")
    page.get_by_role("region", name="Passages").wait_for()
    assert page.get_by_role("button", name="Save as the chatbot’s settings…").count() == 0


def test_two_queries_stand_side_by_side(lab: Open) -> None:
    page = lab(f"?q={quote(QUERY)}")
    page.get_by_label("Other query").fill("warranty of the lamp")
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("region", name="warranty of the lamp").get_by_text("Warranty").first.wait_for()


def test_re_rankers_are_compared_for_the_same_query_and_only_those_that_are_set_up_are_offered(lab: Open) -> None:
    page = lab(f"?q={quote(QUERY)}", role="editor")
    tried = page.get_by_label("Re-ranker", exact=True)
    tried.locator("option", has_text="Sentences").wait_for(state="attached")
    assert tried.locator("option").all_inner_texts() == ["None", "Sentences"]
    assert page.get_by_text("No re-ranker is used.").count() == 1
    page.get_by_label("Its re-ranker").select_option("sentences")
    page.get_by_role("region", name=f"{QUERY} · None").get_by_text("Returns").first.wait_for()
    page.get_by_role("region", name=f"{QUERY} · Sentences").get_by_text("Returns").first.wait_for()
    page.wait_for_url("**otherReranker=sentences**")
    tried.select_option("sentences")
    page.get_by_role("region", name="Re-ranker", exact=True).get_by_role("button", name="Returns").first.wait_for()
    page.reload()
    page.get_by_role("region", name="Re-ranker", exact=True).get_by_role("button", name="Returns").first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "ar"])
def test_the_search_lab_is_accessible(lab: Open, axe: Look, scheme: str, locale: str) -> None:
    page = lab(f"?q={quote(QUERY)}&threshold=0.9&other=lamp", color_scheme=scheme, locale=locale)
    page.locator("mark").first.wait_for()
    page.locator("ol button").first.focus()
    page.wait_for_load_state("networkidle")
    assert axe(page) == []
