"""The administration and the account: people, chatbots, keys, money and the audit log, as an owner works with them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from benchmarks.instance import Instance

from tests.web.conftest import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Open = Callable[..., "Page"]
Look = Callable[["Page"], list[str]]

QUESTION = "What discount do gold partners receive on projectors?"
HANDBOOK = (
    "# Discounts\n\nGold partners receive 12 percent discount on projectors. Silver partners receive 7 percent.\n"
)


@pytest.fixture(scope="module")
def dragoman(paying: Instance) -> Instance:
    """The instance with a language model that costs money."""
    return paying


@pytest.fixture
def chatbot(http: httpx.Client) -> Any:
    """A chatbot of the test's own."""
    made = http.post("/api/chatbots/", json={"name": f"Help {time.monotonic_ns()}"})
    assert made.status_code == 201, made.text
    return made.json()


def _dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def _toast(page: Page, text: str) -> None:
    page.get_by_role("status").filter(has_text=text).first.wait_for()


def _know(http: httpx.Client, chatbot_id: str) -> None:
    """Has the handbook read."""
    files = {"file": ("handbook.md", HANDBOOK.encode(), "text/markdown")}
    uploaded = http.post("/api/chatbot/documents/", files=files, data={"chatbot_id": chatbot_id})
    assert uploaded.is_success, uploaded.text
    address = f"/api/chatbot/documents/{uploaded.json()['id']}/"
    for _ in range(240):
        if http.get(address).json()["state"] == "ready":
            return
        time.sleep(0.25)
    pytest.fail("the handbook was not read in a minute")


def test_somebody_is_invited_chooses_a_password_and_sees_what_the_role_shows(open_page: Open) -> None:
    page = open_page("owner", "/admin/users")
    page.get_by_role("button", name="Invite somebody").click()
    _dialog(page).get_by_label("E-mail address").fill("new@example.com")
    _dialog(page).get_by_label("Role").select_option("editor")
    page.get_by_role("button", name="Make the link").click()
    link = _dialog(page).locator("code").inner_text()
    assert "/set-password?token=" in link
    page.get_by_role("button", name="I have kept it").click()
    page.get_by_role("cell", name="new@example.com").first.wait_for()

    other = open_page(None, link[link.index("/set-password") :])
    other.get_by_label("Your name").fill("Nina New")
    other.get_by_label("New password").fill(PASSWORD)
    other.get_by_label("The same again").fill(PASSWORD)
    other.get_by_role("button", name="Set the password and sign in").click()
    navigation = other.get_by_role("navigation", name="Main")
    navigation.get_by_role("link", name="Search lab").wait_for()
    assert navigation.get_by_role("link", name="Administration").count() == 0
    other.goto(other.url.split("/", 3)[0] + "//" + other.url.split("/")[2] + "/admin/users")
    other.get_by_text("There is no such page").wait_for()

    page.reload()
    row = page.get_by_role("row").filter(has_text="Nina New")
    row.get_by_label("Role of new@example.com").select_option("member")
    _toast(page, "Saved.")
    row.get_by_role("button", name="Deactivate new@example.com").click()
    row.get_by_text("Deactivated").wait_for()


def test_nobody_gives_a_role_above_the_own(open_page: Open) -> None:
    page = open_page("admin", "/admin/users")
    page.get_by_role("button", name="Invite somebody").click()
    offered = _dialog(page).get_by_label("Role").locator("option").all_inner_texts()
    assert offered == ["Administrator", "Editor", "Agent", "Member"]


def test_a_setting_is_changed_kept_and_brought_back(open_page: Open, http: httpx.Client, chatbot: Any) -> None:
    address = f"/api/chatbots/{chatbot['id']}/"
    page = open_page("owner", f"/admin/chatbots/{chatbot['id']}/settings")
    quotes = page.get_by_role("spinbutton", name="Sentences quoted at most")
    quotes.fill("9")
    page.get_by_text("At most 8.").wait_for()
    assert page.get_by_role("button", name="Save").is_disabled()
    quotes.fill("4")
    page.get_by_text("1 change is not saved").wait_for()
    page.get_by_role("link", name="Chatbots").first.click()
    _dialog(page).get_by_text("Leave without saving?").wait_for()
    _dialog(page).get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Save").click()
    _toast(page, "Saved.")
    shown = http.get(address).json()
    assert (shown["settings"]["max_quotes"], shown["own_settings"]) == (4, ["max_quotes"])  # nothing else was sent
    page.get_by_role("button", name="Bring back the default of Sentences quoted at most").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("1 change is not saved").wait_for(state="hidden")
    assert http.get(address).json()["own_settings"] == []


@pytest.mark.parametrize(
    ("locale", "said"), [("de-DE", "Angestrebte Länge"), ("ja-JP", "長さの目安"), ("ar", "الطول المستهدف")]
)
def test_settings_are_described_in_the_language_of_the_interface(
    open_page: Open, chatbot: Any, locale: str, said: str
) -> None:
    page = open_page("owner", f"/admin/chatbots/{chatbot['id']}/settings?find=chunk_tokens", locale=locale)
    page.get_by_role("main").get_by_text(said).first.wait_for()
    for path in (f"/admin/chatbots/{chatbot['id']}/settings", "/admin/adapters"):
        page.goto(page.url.partition("/admin")[0] + path)
        page.locator(f"main [lang={locale[:2]}]").first.wait_for()
        assert page.locator("main [lang=en]").count() == 0


def test_the_glossary_is_kept_row_by_row(open_page: Open, http: httpx.Client, chatbot: Any) -> None:
    page = open_page("owner", f"/admin/chatbots/{chatbot['id']}/settings?group=languages")
    page.get_by_role("button", name="Add").click()
    page.get_by_label(re.compile("^Term")).fill("return")
    page.get_by_role("group", name="Glossary, 1").get_by_role("button", name="Add").click()
    page.get_by_label("Code").fill("de")
    page.get_by_label("Text", exact=True).fill("Rücksendung")
    page.get_by_role("button", name="Save").click()
    _toast(page, "Saved.")
    settings = http.get(f"/api/chatbots/{chatbot['id']}/").json()["settings"]
    assert settings["glossary"] == [{"term": "return", "translations": {"de": "Rücksendung"}}]


def test_a_budget_is_set_and_holds(open_page: Open, http: httpx.Client, chatbot: Any) -> None:
    _know(http, chatbot["id"])
    page = open_page("owner", f"/admin/chatbots/{chatbot['id']}/settings")
    page.get_by_label("Answers by").fill("paid")
    page.get_by_role("button", name="Save").click()
    _toast(page, "Saved.")
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text("Gold partners receive 12 percent", exact=False).first.wait_for()
    assert http.get("/api/usage/?by=model").json()["lines"][0]["cost_usd"] > 0
    assert http.get(f"/api/chatbot/sessions/?chatbot_id={chatbot['id']}").json()["total"] == 0  # nothing stays of it

    page.goto(page.url.split("/admin")[0] + "/admin/budgets")
    page.get_by_role("button", name="Set a budget").click()
    _dialog(page).get_by_label("For").select_option("chatbot")
    _dialog(page).get_by_label("Which chatbot").select_option(chatbot["id"])
    _dialog(page).get_by_label("Period").select_option("day")
    _dialog(page).get_by_label("Limit in US dollars").fill("0.01")
    _dialog(page).get_by_role("button", name="Save").click()
    page.get_by_role("row").filter(has_text=chatbot["name"]).get_by_text("Used up").wait_for()

    session = http.post("/api/chatbot/sessions/", json={"chatbot_id": chatbot["id"]}).json()
    asked = f"/api/chatbot/sessions/{session['id']}/messages/"
    answer = http.post(asked, json={"message": "What do silver partners receive on projectors?"}).json()
    assert answer["degraded"] == ["paid_failed:budget.exhausted", "extractive"]
    assert answer["usage"]["cost_usd"] == 0
    page.evaluate("id => localStorage.setItem('dragoman.chatbot', id)", chatbot["id"])
    page.goto(page.url.split("/admin")[0] + "/chat")
    page.locator("textarea").fill("What discount do silver partners receive?")  # the other one was answered before
    page.keyboard.press("Enter")
    page.get_by_text("The sources are quoted instead of an answer by a language model").wait_for()
    page.goto(page.url.split("/chat")[0] + "/admin/budgets")

    page.get_by_role("button", name=f"Remove the budget: {chatbot['name']}").click()
    _dialog(page).get_by_role("button", name="Remove").click()
    page.get_by_text("There is no budget.").wait_for()


def test_a_key_is_made_opens_and_is_revoked(open_page: Open, dragoman: Instance) -> None:
    page = open_page("owner", "/admin/keys")
    page.get_by_role("button", name="Make a key", exact=True).click()
    _dialog(page).get_by_label("Name").fill("web shop")
    _dialog(page).get_by_label("Role", exact=True).select_option("editor")
    _dialog(page).get_by_role("button", name="Make the key").click()
    secret = _dialog(page).locator("code").inner_text()
    page.get_by_role("button", name="I have kept it").click()
    headers = {"X-API-Key": secret}
    assert httpx.get(f"{dragoman.url}/api/auth/me/", headers=headers).json()["role"] == "editor"
    page.get_by_role("button", name="Revoke web shop").click()
    _dialog(page).get_by_role("button", name="Revoke", exact=True).click()
    page.get_by_role("row").filter(has_text="web shop").get_by_text("Revoked").wait_for()
    assert httpx.get(f"{dragoman.url}/api/auth/me/", headers=headers).status_code == 401

    page.goto(f"{dragoman.url}/admin/audit?action=key.")
    page.get_by_role("button", name="key.revoked").first.click()
    _dialog(page).get_by_text(re.compile("^key [0-9a-f-]{36}$")).wait_for()
    _dialog(page).get_by_role("button", name="Close").click()
    time.sleep(3)  # the chain is sealed by one writer, once in a while
    page.get_by_role("button", name="Verify the chain").click()
    said = page.get_by_role("status").filter(has_text="The chain")
    said.wait_for()
    assert "is whole" in said.inner_text()


def test_a_prompt_is_written_compared_and_left_again(open_page: Open, http: httpx.Client, chatbot: Any) -> None:
    page = open_page("owner", f"/admin/chatbots/{chatbot['id']}/prompts")
    page.get_by_label("Template").fill("You help {{ chatbot }}. Write in {{ language }}. Else say: {{ unknown }}")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text(f"You help {chatbot['name']}.").wait_for()
    page.get_by_label("What is different").fill("shorter")
    page.get_by_role("button", name="Keep the version").click()
    page.get_by_role("row", name="Version 1").wait_for()
    assert http.get(f"/api/chatbots/{chatbot['id']}/").json()["settings"]["prompt_version"] == 1
    page.get_by_role("button", name="Compare with Built-in").click()
    _dialog(page).get_by_text("You help", exact=False).first.wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Use Built-in").click()
    _toast(page, "Answers are written by this version")


def test_a_widget_key_gives_the_tag_and_is_revoked(open_page: Open, chatbot: Any) -> None:
    page = open_page("owner", f"/admin/chatbots/{chatbot['id']}/widget")
    page.get_by_role("button", name="Make a widget key").click()
    _dialog(page).get_by_label("Name").fill("our site")
    _dialog(page).get_by_label("Web sites").fill("https://www.example.com")
    _dialog(page).get_by_role("button", name="Save").click()
    tag = page.locator("code").filter(has_text="data-key=").inner_text()
    assert re.fullmatch(r'<script src="http://[^"]+/widget\.js" data-key="dgw_[^"]+" async></script>', tag)
    page.get_by_role("button", name="Revoke our site").click()
    _dialog(page).get_by_role("button", name="Revoke", exact=True).click()
    page.get_by_text("Revoked", exact=True).wait_for()


def test_the_preview_is_the_widget_itself_with_the_look_that_is_being_edited(
    open_page: Open, chatbot: Any, http: httpx.Client, axe: Look
) -> None:
    page = open_page("owner")
    page.add_init_script(  # its shadow root is closed to scripts of pages, and to this test
        "const attach = Element.prototype.attachShadow;"
        "Element.prototype.attachShadow = function (init) { return attach.call(this, { ...init, mode: 'open' }); };"
    )
    asked: list[str] = []
    page.goto(page.url.replace("/account", f"/admin/chatbots/{chatbot['id']}/widget"))
    preview = page.frame_locator("iframe")
    panel = preview.get_by_role("dialog")
    panel.get_by_role("heading", name=chatbot["name"]).wait_for()
    page.on("request", lambda request: asked.append(request.url))

    page.get_by_label("Greeting").fill("Good day from the **quokkas**")
    panel.get_by_text("Good day from the quokkas").wait_for()
    page.get_by_label("Colour").first.fill("#aa0055")
    sent = panel.get_by_role("button", name="Send")
    panel.get_by_role("textbox").fill("Is anybody there?")
    _wait_for_colour(sent, "rgb(170, 0, 85)")
    panel.get_by_role("textbox").press("Enter")
    panel.get_by_text("This is a preview").first.wait_for()  # the second is told to screen readers

    panel.get_by_role("textbox").press("Escape")
    panel.wait_for(state="hidden")
    launcher = preview.get_by_role("button", name=chatbot["name"])
    _wait_for_colour(launcher, "rgb(170, 0, 85)")
    launcher.press("Enter")
    panel.wait_for()
    assert asked == []
    assert axe(page) == []
    assert http.get(f"/api/chatbots/{chatbot['id']}/").json()["settings"]["widget"]["accent"] != "#aa0055"


def _wait_for_colour(button: Locator, colour: str) -> None:
    for _ in range(50):
        if button.evaluate("element => getComputedStyle(element).backgroundColor") == colour:
            return
        time.sleep(0.1)
    raise AssertionError(button.evaluate("element => getComputedStyle(element).backgroundColor"))


def test_the_preview_of_the_widget_hears_no_page_but_its_own(open_page: Open) -> None:
    page = open_page("owner")
    said = "{settings: {title: 'Evil', suggestions: []}, language: 'en', answer: 'x'}"
    page.goto(page.url.replace("/account", "/widget-preview"))
    page.evaluate(f"window.postMessage({said}, '*')")  # no page around it
    page.wait_for_timeout(500)
    assert page.locator("dragoman-widget").count() == 0


def test_a_chatbot_is_made_and_deleted_by_its_name(open_page: Open) -> None:
    page = open_page("owner", "/admin/chatbots")
    page.get_by_role("button", name="Make a chatbot").click()
    _dialog(page).get_by_label("Name").fill("Short-lived")
    _dialog(page).get_by_role("button", name="Make it").click()
    page.get_by_role("heading", name="Short-lived").wait_for()
    page.get_by_role("tab", name="General").click()
    page.get_by_role("button", name="Delete the chatbot").click()
    deed = _dialog(page).get_by_role("button", name="Delete the chatbot")
    assert deed.is_disabled()
    _dialog(page).get_by_label("Type “Short-lived” to confirm").fill("Short-lived")
    deed.click()
    page.wait_for_url("**/admin/chatbots")
    page.get_by_role("link", name="Short-lived").wait_for(state="hidden")


def test_a_sign_in_of_another_device_is_ended(open_page: Open) -> None:
    lost = open_page("agent", "/account")
    lost.get_by_role("heading", name="My account").wait_for()
    page = open_page("agent", "/account")
    page.get_by_role("button", name=re.compile("End the sign-in of")).first.click()
    _toast(page, "The sign-in is ended.")
    lost.goto(lost.url)
    lost.wait_for_url("**/sign-in**")


_PAGES = [
    "/admin/chatbots", "/admin/users", "/admin/keys", "/admin/budgets", "/admin/limits", "/admin/sign-on",
    "/admin/audit", "/admin/privacy", "/account", "/account/set-up",
]  # fmt: skip
_TABS = ["settings", "prompts", "widget", "members", "general"]


@pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "light"), ("en-GB", "dark"), ("ar", "light")])
def test_the_pages_are_accessible(
    open_page: Open, axe: Look, dragoman: Instance, chatbot: Any, locale: str, scheme: str
) -> None:
    page = open_page("owner", "/account", locale=locale, color_scheme=scheme)
    for path in [*_PAGES, *(f"/admin/chatbots/{chatbot['id']}/{tab}" for tab in _TABS)]:
        page.goto(dragoman.url + path)
        page.get_by_role("heading", level=1).wait_for()
        page.wait_for_load_state("networkidle")
        assert axe(page) == [], path
