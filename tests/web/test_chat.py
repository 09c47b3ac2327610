"""The chat: asking and looking at citations, streams that are stopped and gone on with, ratings, branches, safety."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from benchmarks.instance import Instance
from benchmarks.web import scripts_kib

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Locator, Page

Open = Callable[..., "Page"]
Look = Callable[["Page"], list[str]]

QUESTION = "How long is the warranty of a Beacon gateway?"
RETURNS = "Within how many days of the invoice date may partners return unopened gateways?"
POLICY = """# Warranty of gateways

The warranty of a Beacon gateway lasts 42 months from delivery.

## Returns

Partners may return unopened gateways within 19 days of the invoice date.
"""
XSS = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "[click](javascript:alert(1))",
    '<svg onload="alert(1)"></svg>',
    '<iframe src="https://evil.example/"></iframe>',
    "![x](https://evil.example/pixel.png)",
    '"><body onload=alert(1)>',
]
HOSTILE = "# Hostile guide\n\nThe hostile payload of the gateway is " + " and ".join(XSS) + " as written here.\n"
SLOW = "load:first_token_ms=300,token_ms=60,tokens=90"


@dataclass
class Chatbot:
    """A chatbot of these tests, with its documents."""

    id: str
    http: httpx.Client

    def upload(self, name: str, text: str) -> str:
        files = {"file": (name, text.encode(), "text/markdown")}
        made = self.http.post("/api/chatbot/documents/", data={"chatbot_id": self.id}, files=files)
        assert made.is_success, made.text
        document: str = made.json()["id"]
        until = time.monotonic() + 60
        while time.monotonic() < until:
            status = self.http.get(f"/api/chatbot/documents/{document}/status/").json()
            if status["processed"]:
                return document
            assert status["state"] != "failed", status
            time.sleep(0.3)
        raise AssertionError(f"{name} was not read")

    def answers(self, **settings: Any) -> None:
        changed = self.http.patch(f"/api/chatbots/{self.id}/", json={"settings": settings})
        assert changed.is_success, changed.text


@pytest.fixture(scope="module")
def chatbot(dragoman: Instance) -> Iterator[Chatbot]:
    with dragoman.http() as http:
        made = http.post("/api/chatbots/", json={"name": "Guide"})
        assert made.is_success, made.text
        chatbot = Chatbot(made.json()["id"], http)
        chatbot.upload("warranty.md", POLICY)
        yield chatbot


@pytest.fixture
def chat(open_page: Open, chatbot: Chatbot) -> Callable[..., Page]:
    """A new conversation with the chatbot of these tests."""

    def opened(path: str = "/chat", **options: Any) -> Page:
        chatbot.answers(answerer="extractive", model=None, cache_answers=False)
        page = open_page("owner", "/account", **options)
        page.evaluate("id => localStorage.setItem('dragoman.chatbot', id)", chatbot.id)
        page.goto(page.url.replace("/account", path))
        page.locator("textarea").wait_for()
        return page

    return opened


def ask(page: Page, question: str = QUESTION) -> None:
    page.locator("textarea").last.fill(question)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}"))


def answered(page: Page, count: int = 1) -> Locator:
    """The latest answer, when it is at its end."""
    page.get_by_role("button", name="Write the answer again").nth(count - 1).wait_for()
    return page.locator("article[aria-label='Answer']").last


def test_an_answer_is_asked_for_and_its_citation_looked_at(chat: Callable[..., Page]) -> None:
    page = chat()
    ask(page)
    answer = answered(page)
    assert "42 months" in answer.inner_text()
    answer.get_by_role("button", name=re.compile("^Source 1")).first.click()
    panel = page.get_by_role("complementary", name="Source 1")
    panel.locator("mark").first.wait_for()
    assert "42 months" in panel.locator("mark").first.inner_text()
    assert "Warranty of gateways" in panel.inner_text()
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if "/stream/" in request.url else None)
    page.reload()  # it stands in the address
    page.get_by_role("complementary", name="Source 1").locator("mark").first.wait_for()
    page.get_by_role("button", name="How this answer was made").click()
    page.get_by_role("region", name="How this answer was made").get_by_text("Quotation of the sources").wait_for()
    assert streams == []  # a finished answer says so with its messages
    assert scripts_kib(page) < 250  # with all that shows an answer, and its source


def test_on_a_narrow_screen_the_citation_is_a_dialog(chat: Callable[..., Page]) -> None:
    page = chat(viewport={"width": 390, "height": 844})
    ask(page)
    answered(page).get_by_role("button", name=re.compile("^Source 1")).first.click()
    dialog = page.get_by_role("dialog", name="Source 1")
    dialog.locator("mark").first.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.get_by_role("button", name="Show conversations").click()
    page.get_by_role("dialog", name="Conversations").get_by_role("link", name="New conversation").click()
    page.wait_for_url("**/chat")


def test_a_stream_is_stopped_and_says_so(chat: Callable[..., Page], chatbot: Chatbot) -> None:
    page = chat()
    chatbot.answers(answerer="scripted", model=SLOW)
    ask(page)
    page.get_by_text("scripted answer").first.wait_for()
    page.get_by_role("button", name="Stop the answer").click()
    page.get_by_role("article", name="Answer").get_by_text("stopped before its end").wait_for()
    text = page.locator("article[aria-label='Answer']").inner_text()
    assert 0 < text.count("scripted") < 15
    page.get_by_role("button", name="Send", exact=True).wait_for()


def test_a_reload_in_mid_stream_loses_and_doubles_nothing(chat: Callable[..., Page], chatbot: Chatbot) -> None:
    page = chat()
    chatbot.answers(answerer="scripted", model=SLOW)
    ask(page)
    page.get_by_text("scripted answer").first.wait_for()
    page.reload()
    page.get_by_text("scripted answer").first.wait_for()
    page.get_by_role("button", name="Stop the answer").wait_for()  # it is still being written
    assert page.locator("article[aria-label='Question']").count() == 1
    seen = answered(page).locator("div[dir=auto]").first.inner_text()
    session = page.url.rpartition("/")[2]
    stored = chatbot.http.get(f"/api/chatbot/sessions/{session}/messages/").json()["messages"]
    assert len(stored) == 2
    assert seen.count("scripted") == stored[1]["content"].count("scripted") > 10


def test_a_connection_that_breaks_is_gone_on_with(chat: Callable[..., Page], chatbot: Chatbot) -> None:
    page = chat()
    chatbot.answers(answerer="scripted", model=SLOW)
    ask(page)
    page.get_by_text("scripted answer").first.wait_for()
    page.context.set_offline(True)
    time.sleep(1)
    page.context.set_offline(False)
    answered(page)
    session = page.url.rpartition("/")[2]
    stored = chatbot.http.get(f"/api/chatbot/sessions/{session}/messages/").json()["messages"]
    seen = page.locator("article[aria-label='Answer'] div[dir=auto]").first.inner_text()
    assert seen.count("scripted") == stored[1]["content"].count("scripted")


def test_an_answer_is_rated_and_the_rating_changed_and_taken_back(chat: Callable[..., Page], chatbot: Chatbot) -> None:
    page = chat()
    ask(page)
    answered(page)
    page.get_by_role("button", name="Bad answer").click()
    dialog = page.get_by_role("dialog", name="What is wrong with the answer?")
    dialog.get_by_label("Reason").select_option("outdated")
    dialog.get_by_label("Comment").fill("It was changed in May.")
    dialog.get_by_label("The right answer").fill("48 months")
    dialog.get_by_role("button", name="Send").click()
    dialog.wait_for(state="detached")
    session = page.url.rpartition("/")[2]
    url = f"/api/chatbot/sessions/{session}/messages/"
    given = chatbot.http.get(url).json()["messages"][1]["feedback"]
    assert (given["rating"], given["reason"], given["correction"]) == ("down", "outdated", "48 months")
    page.reload()
    down = page.get_by_role("button", name="Bad answer", pressed=True)
    down.click()
    page.get_by_role("button", name="Bad answer", pressed=False).wait_for()
    page.get_by_text("Your rating is taken back").wait_for()
    assert chatbot.http.get(url).json()["messages"][1]["feedback"] is None


def test_a_conversation_is_renamed_found_exported_and_deleted(chat: Callable[..., Page]) -> None:
    page = chat()
    ask(page, RETURNS)
    assert "19 days" in answered(page).inner_text()
    listed = page.get_by_role("complementary", name="Conversations")
    own = page.locator(f"a[href*='{page.url.rpartition('/')[2][:36]}']")
    row = listed.get_by_role("listitem").filter(has=own)  # the first of the list may still be the one before it
    row.get_by_role("button", name=re.compile("^What to do")).click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_label("Title").fill("Zebra returns")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Zebra returns").wait_for()
    listed.get_by_label("Search conversations").fill("19 days")
    listed.get_by_role("link", name="Zebra returns").locator("mark", has_text="19 days").first.wait_for()
    listed.get_by_label("Search conversations").fill("")
    row.get_by_role("button", name=re.compile("^What to do")).click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Download as Markdown").click()
    assert download.value.suggested_filename == "Zebra-returns.md"
    row.get_by_role("button", name=re.compile("^What to do")).click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    page.wait_for_url("**/chat")
    row.wait_for(state="detached")


def test_a_question_is_edited_and_an_answer_written_again(chat: Callable[..., Page]) -> None:
    page = chat()
    ask(page)
    answered(page)
    page.get_by_role("button", name="Write the answer again").click()
    page.get_by_text("2 of 2").wait_for()
    page.get_by_role("button", name="Previous version").click()
    page.get_by_text("1 of 2").wait_for()
    page.get_by_role("button", name="Edit the question").click()
    page.get_by_label("Edit the question").fill(RETURNS)
    page.get_by_role("button", name="Ask again").click()
    page.get_by_text("19 days").first.wait_for()
    answered(page)
    assert page.locator("article[aria-label='Question']").count() == 1
    question = page.locator("article[aria-label='Question']")
    question.get_by_text("2 of 2").wait_for()
    question.get_by_role("button", name="Previous version").click()
    page.get_by_text("42 months").first.wait_for()


def test_what_is_not_known_offers_the_nearest_documents(chat: Callable[..., Page]) -> None:
    page = chat()
    ask(page, "Who painted the ceiling of the Sistine Chapel?")
    page.get_by_role("heading", name="The documents do not answer this").wait_for()
    page.get_by_role("article", name="Answer: not known").get_by_role("button", name="Warranty of gateways").click()
    page.get_by_role("complementary", name="Document").get_by_text("42 months").wait_for()


def test_a_draft_outlives_a_reload_and_the_slash_brings_the_focus(chat: Callable[..., Page]) -> None:
    page = chat()
    page.locator("textarea").fill("half a thou")
    page.reload()
    page.locator("textarea").wait_for()
    assert page.locator("textarea").input_value() == "half a thou"
    page.locator("textarea").fill("x" * 8001)
    page.get_by_text("1 character too long").first.wait_for()
    assert page.get_by_role("button", name="Send", exact=True).is_disabled()
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"


def test_a_conversation_is_narrowed_to_documents(chat: Callable[..., Page]) -> None:
    page = chat()
    page.get_by_role("button", name="All documents").click()
    page.get_by_role("dialog").get_by_label("Warranty of gateways").check()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Only 1 document").wait_for()
    ask(page)
    answered(page)
    page.get_by_text("Only 1 document").wait_for()


def test_an_open_conversation_is_narrowed_and_widened_again(chat: Callable[..., Page], chatbot: Chatbot) -> None:
    chatbot.upload("parking.md", "# Parking\n\nVisitors park behind the warehouse.\n")
    page = chat()
    ask(page)
    answered(page)
    page.get_by_role("button", name="All documents").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Parking").check()
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="All documents").click()  # it was closed without a choice
    dialog.get_by_label("Parking").check()
    dialog.get_by_role("button", name="Done").click()
    page.get_by_text("Only 1 document").wait_for()
    ask(page, "How long does the warranty of the Beacon gateway last?")
    answered(page, 2)
    page.get_by_role("heading", name="The documents do not answer this").wait_for()
    page.get_by_role("button", name="Change documents").click()
    dialog.get_by_role("button", name="Ask all").click()
    page.get_by_role("button", name="All documents").wait_for()
    assert page.get_by_text("Only 1 document").count() == 0
    ask(page, "For how long is a Beacon gateway under warranty?")
    answered(page, 3)
    assert page.locator("article[aria-label='Answer']").filter(has_text="42 months").count() == 2


def test_refused_messages_say_when_to_go_on(chat: Callable[..., Page]) -> None:
    page = chat()
    ask(page)
    answered(page)
    refusal = {
        "title": "Too many messages",
        "status": 429,
        "code": "chat.too_many_messages",
        "detail": "You have sent 1 message within a minute. Wait 30 s before the next one.",
    }
    headers = {"Retry-After": "30", "Content-Type": "application/problem+json"}
    page.route("**/messages/stream/", lambda route: route.fulfill(status=429, json=refusal, headers=headers))
    page.locator("textarea").fill("Another one?")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="You have sent 1 message").wait_for()
    page.get_by_text(re.compile(r"You can go on in \d+ seconds")).first.wait_for()


def test_hostile_questions_documents_and_titles_do_nothing(chat: Callable[..., Page], chatbot: Chatbot) -> None:
    document = chatbot.upload("hostile.md", HOSTILE)
    try:
        page = chat()
        dialogs: list[str] = []

        def refuse(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", refuse)
        ask(page, "What is the hostile payload of the gateway? " + " ".join(XSS))
        page.get_by_role("button", name="Write the answer again").wait_for()
        ask(page, "What is the hostile payload of the gateway?")
        answer = answered(page, 2)
        answer.get_by_role("button", name=re.compile("^Source 1")).first.click()
        page.get_by_role("complementary", name="Source 1").get_by_role("region", name="Text").wait_for()
        page.wait_for_timeout(500)
        assert dialogs == []
        assert page.locator("main script, main iframe, main [onerror], main [onload], main svg[onload]").count() == 0
        assert page.locator("main a[href^='javascript:'], main img[src*='evil']").count() == 0
        # `desk` fails the test where another host was asked or the policy was broken.
    finally:
        chatbot.http.delete(f"/api/chatbot/documents/{document}/")


def test_a_deleted_document_is_said_to_be_deleted(chat: Callable[..., Page], chatbot: Chatbot) -> None:
    document = chatbot.upload("zeppelin.md", "# Zeppelin rules\n\nA zeppelin may carry 77 passengers.\n")
    page = chat()
    ask(page, "How many passengers may a zeppelin carry?")
    assert "77" in answered(page).inner_text()
    chatbot.http.delete(f"/api/chatbot/documents/{document}/")
    page.reload()
    page.get_by_text("Deleted document").first.wait_for()


@pytest.mark.parametrize(
    ("scheme", "language"), [("light", "en"), ("dark", "en"), ("light", "ar")], ids=["light", "dark", "arabic"]
)
def test_axe_finds_nothing(chat: Callable[..., Page], axe: Look, scheme: str, language: str) -> None:
    page = chat(color_scheme=scheme, viewport={"width": 1440, "height": 900})
    page.evaluate("language => localStorage.setItem('dragoman.language', language)", language)
    page.reload()
    page.locator("textarea").wait_for()
    page.wait_for_timeout(300)
    assert axe(page) == []
    ask(page)
    page.locator("article section li button").first.wait_for()
    page.locator("article [aria-controls][aria-expanded=false]").last.click()
    page.locator("article section li button").first.click()
    page.locator("aside mark").first.wait_for()
    page.wait_for_timeout(500)
    assert axe(page) == []
    page.locator("article [aria-pressed=false]").last.click()
    page.locator("dialog").wait_for()
    page.wait_for_timeout(300)
    assert axe(page) == []
