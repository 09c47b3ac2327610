"""What is not saved in the administration is not lost by a step back, a link, a closed tab or a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

Open = Callable[..., "Page"]


@pytest.fixture
def chatbot(http: httpx.Client) -> Iterator[Any]:
    made = http.post("/api/chatbots/", json={"name": "Unsaved"}).raise_for_status().json()
    yield made
    http.delete(f"/api/chatbots/{made['id']}/")


def _question(page: Page) -> Any:
    return page.get_by_role("dialog", name="Leave without saving?")


def test_back_asks_and_either_stays_or_leaves(open_page: Open, chatbot: Any) -> None:
    page = open_page("owner", "/admin/chatbots")
    page.get_by_role("link", name="Unsaved").click()
    quotes = page.get_by_role("spinbutton", name="Sentences quoted at most")
    quotes.fill("4")
    page.get_by_role("tab", name="Members").click()  # the draft lives on every tab of its chatbot
    page.get_by_role("tab", name="Settings").click()
    assert _question(page).count() == 0
    page.go_back()
    page.go_back()
    page.go_back()
    _question(page).get_by_role("button", name="Cancel").click()
    _question(page).wait_for(state="detached")
    assert page.url.split("?")[0].endswith(chatbot["id"])
    assert quotes.input_value() == "4"
    page.go_back()
    _question(page).get_by_role("button", name="Leave").click()
    page.wait_for_url("**/admin/chatbots")
    page.get_by_role("link", name="Unsaved").click()
    assert quotes.input_value() != "4"
    page.go_back()
    page.wait_for_url("**/admin/chatbots")
    assert _question(page).count() == 0


@pytest.mark.parametrize("tab", ["closed", "loaded anew"])
def test_the_browser_asks_before_the_tab_is_closed_or_loaded_anew(open_page: Open, tab: str) -> None:
    page = open_page("owner", "/admin/limits")
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", refuse)
    field = page.get_by_label("Of one asker").first
    field.fill("77")

    def leave() -> None:
        if tab == "closed":
            page.close(run_before_unload=True)
        else:
            page.evaluate("setTimeout(() => location.reload())")
        page.wait_for_timeout(500)

    leave()
    assert asked == ["beforeunload"]
    assert field.input_value() == "77"
    field.fill("")
    page.wait_for_timeout(200)
    asked.clear()
    if tab == "closed":
        with page.expect_event("close"):  # nothing is lost any more
            page.close(run_before_unload=True)
    else:
        leave()
    assert asked == []


def test_who_leaves_right_after_saving_is_not_asked(open_page: Open, chatbot: Any) -> None:
    page = open_page("owner", "/admin/chatbots")
    page.add_init_script(LATE_READING)
    page.goto(f"{page.url}/{chatbot['id']}/general")
    page.get_by_label("Description").fill("Answers questions of partners.")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").filter(has_text="Saved.").first.wait_for()
    page.get_by_role("tab", name="Members").click()
    page.wait_for_url("**/members")


LATE_READING = """
const real = window.fetch;
window.fetch = async (asked, options) => {
    if ((options?.method ?? asked.method ?? "GET") === "GET")
        await new Promise((go) => setTimeout(go, 1000));
    return real(asked, options);
};
"""


def test_links_ask_on_every_page_that_has_something_to_save(open_page: Open, http: httpx.Client, chatbot: Any) -> None:
    page = open_page("owner", "/admin/sign-on")
    base = page.url.split("/admin")[0]
    page.get_by_label("Client id").fill("half a name")
    page.get_by_role("link", name="Documents").click()
    _question(page).get_by_role("button", name="Cancel").click()
    assert page.get_by_label("Client id").input_value() == "half a name"
    page.get_by_role("link", name="Documents").click()
    _question(page).get_by_role("button", name="Leave").click()
    page.wait_for_url("**/documents")

    page.goto(f"{base}/admin/chatbots/{chatbot['id']}/general")
    page.get_by_label("Description").fill("Answers questions of partners.")
    page.get_by_role("tab", name="Members").click()
    _question(page).get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").filter(has_text="Saved.").first.wait_for()
    page.get_by_role("tab", name="Members").click()
    page.wait_for_url("**/members")

    page.goto(f"{base}/admin/chatbots/{chatbot['id']}/prompts")
    page.get_by_label("Template").fill("You help.")
    page.get_by_role("button", name="Begin from Built-in").click()
    _question(page).get_by_role("button", name="Cancel").click()
    assert page.get_by_label("Template").input_value() == "You help."

    page.goto("about:blank")  # asked by the browser, which a test answers with yes
    page.goto(f"{base}/admin/chatbots/{chatbot['id']}/general")
    page.get_by_label("Name").fill("Another name")
    page.get_by_role("button", name="Delete the chatbot").click()
    page.get_by_label("Type “Unsaved” to confirm").fill("Unsaved")
    page.get_by_role("dialog").get_by_role("button", name="Delete the chatbot").click()
    page.wait_for_url("**/admin/chatbots")  # with it went what could be saved
    assert _question(page).count() == 0
