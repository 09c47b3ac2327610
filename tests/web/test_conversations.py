"""Conversations: put away, taken home as JSON, typed with an input method, and long ones."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.instance import Instance

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
PAIRS = 105
OPENS_WITHIN_S = 5.0
COMPOSING = """(field, composing) => field.dispatchEvent(new KeyboardEvent("keydown", {
  key: "Enter", keyCode: composing ? 229 : 13, isComposing: composing, bubbles: true, cancelable: true,
}))"""


def _post(page: Page, dragoman: Instance, path: str, body: dict[str, Any]) -> Any:
    """Asks as who has signed in to the page, without the page."""
    answer = page.context.request.post(dragoman.url + path, data=body, headers={"Origin": dragoman.url})
    assert answer.ok, answer.text()
    return answer.json()


def _talk(page: Page, dragoman: Instance, title: str, *questions: str) -> str:
    session: str = _post(page, dragoman, "/api/chatbot/sessions/", {"title": title})["id"]
    for question in questions:
        _post(page, dragoman, f"/api/chatbot/sessions/{session}/messages/", {"message": question})
    return session


def test_a_conversation_is_archived_and_taken_out_again(open_page: Open, dragoman: Instance, tmp_path: Path) -> None:
    page = open_page("owner")
    session = _talk(page, dragoman, "Scales of Vejle", "Where do the scales stand?")
    page.goto(f"{dragoman.url}/chat/{session}")
    listed = page.get_by_role("complementary", name="Conversations")
    row = listed.get_by_role("listitem").filter(has_text="Scales of Vejle")
    row.get_by_role("button", name=re.compile("^What to do")).click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Download as JSON").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    exported = json.loads(path.read_text())
    assert path.suffix == ".json"
    assert len(exported["messages"]) == 2
    assert exported["messages"][0]["content"] == "Where do the scales stand?"

    row.get_by_role("button", name=re.compile("^What to do")).click()
    page.get_by_role("menuitem", name="Archive").click()
    row.wait_for(state="detached")
    listed.get_by_role("button", name="Show archived").click()
    row.get_by_role("button", name=re.compile("^What to do")).click()
    page.get_by_role("menuitem", name="Take out of the archive").click()
    row.wait_for(state="detached")
    listed.get_by_role("button", name="Show current").click()
    row.wait_for()


def test_enter_that_ends_composing_a_word_sends_nothing(open_page: Open, dragoman: Instance) -> None:
    page = open_page("owner", "/chat")
    field = page.locator("textarea")
    field.fill("返品はいつまでですか")
    field.evaluate(COMPOSING, True)
    page.wait_for_timeout(400)
    assert field.input_value() == "返品はいつまでですか"
    assert page.get_by_role("article", name="Question").count() == 0
    field.evaluate(COMPOSING, False)
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}"))
    page.get_by_role("article", name="Question").get_by_text("返品はいつまでですか").wait_for()


def test_a_conversation_of_hundreds_of_messages_opens_at_its_end(open_page: Open, dragoman: Instance) -> None:
    page = open_page("owner")
    questions = [f"Where is the spare part number {at}?" for at in range(PAIRS)]
    session = _talk(page, dragoman, "Spare parts", *questions)
    begun = time.monotonic()
    page.goto(f"{dragoman.url}/chat/{session}")
    page.get_by_text(questions[-1]).first.wait_for()
    assert time.monotonic() - begun < OPENS_WITHIN_S
    messages = page.get_by_role("region", name="Messages")
    page.wait_for_timeout(500)
    left = messages.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight")
    assert left < 2
    assert page.get_by_role("article", name="Question").count() <= 40  # the others are drawn when they are wanted
    earlier = page.get_by_role("button", name=re.compile("^Show .* earlier messages"))
    messages.evaluate("box => { box.scrollTop = 0; }")
    for _ in range(3):
        earlier.click()
    page.get_by_text(questions[40], exact=True).wait_for()
    page.locator("textarea").last.fill("And the last one?")
    assert page.locator("textarea").last.input_value() == "And the last one?"
    page.get_by_role("button", name="To the latest").click()
    page.wait_for_function(
        "box => box.scrollHeight - box.scrollTop - box.clientHeight < 2", arg=messages.element_handle()
    )
