"""The widget on the web site of somebody else, in a real browser: asked by keyboard, looked at, refused, attacked."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from benchmarks.instance import Instance

from dragoman.entrypoints.web import FOLDER
from tests.web.hostile_site import Site, site_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

Look = Callable[["Page"], list[str]]

QUESTION = "Within how many days may goods be returned?"
NOTES = {
    "returns.md": "# Returns\n\n## Deadlines\n\nGoods may be returned within 42 days of delivery in their original packaging.\n",
    "warranty.md": "# Warranty\n\nThe warranty of the Aurora projector lasts five years and covers the lamp.\n",
}
HOSTILE = """# Cleaning <img src=x onerror="window.hacked=1">

The lamp is cleaned with <script>window.hacked=1</script> a dry cloth <svg onload="window.hacked=1"> on
[every](javascript:window.hacked=1) Friday ![x](https://evil.example/x.png) <iframe srcdoc="<script>parent.hacked=1</script>">.
"""
# The shadow root is closed: nobody can look into it, not even a test. So tests have it opened before the page begins.
OPENED = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) { return attach.call(this, { ...options, mode: "open" }); };
"""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A chatbot that knows something, a web site that may use it, and one that may not."""

    site: Site
    stranger: Site
    key: str
    chatbot_id: str


@pytest.fixture(scope="module")
def shop(dragoman: Instance) -> Iterator[Shop]:
    if not (FOLDER / "widget.js").is_file():
        pytest.skip("needs the built widget: make web")
    with dragoman.http() as http, site_of(dragoman.url) as site, site_of(dragoman.url) as stranger:
        made = http.post("/api/chatbots/", json={"name": "Lamp shop"})
        assert made.status_code == 201, made.text
        chatbot_id = made.json()["id"]
        for name, note in {**NOTES, "cleaning.md": HOSTILE}.items():
            _upload(http, chatbot_id, name, note)
        body = {"name": "shop", "origins": [site.origin]}
        key = http.post(f"/api/chatbots/{chatbot_id}/widget-keys/", json=body).json()["public_key"]
        yield Shop(site=site, stranger=stranger, key=key, chatbot_id=chatbot_id)


def _upload(http: httpx.Client, chatbot_id: str, name: str, note: str) -> None:
    files = {"file": (name, note.encode())}
    made = http.post("/api/chatbot/documents/", data={"chatbot_id": chatbot_id}, files=files)
    assert made.status_code in (201, 202), made.text
    for _ in range(240):
        found = http.get(f"/api/chatbot/documents/{made.json()['id']}/").json()
        if found["state"] == "ready":
            return
        assert found["state"] != "failed", found
        time.sleep(0.25)
    raise AssertionError(f"{name} was not read")


@dataclass
class Visit:
    """Opens pages of web sites. `said`: what their console said."""

    browser: Browser
    said: list[str]
    errors: list[str]
    contexts: list[Any]

    def open(self, url: str, *, seen_through: bool = True, **options: Any) -> Page:
        context = self.browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1100, "height": 800}, **options})
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)
        if seen_through:
            page.add_init_script(OPENED)
        page.goto(url)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.said.append(message.text)


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    visit = Visit(chromium, [], [], [])
    yield visit
    for context in visit.contexts:
        context.close()
    assert visit.errors == []
    assert not [text for text in visit.said if "Security Policy" in text or "TrustedHTML" in text]


def _ask(page: Page, question: str) -> None:
    page.get_by_label("Your question", exact=True).or_(page.locator(".composer textarea")).first.fill(question)
    page.keyboard.press("Enter")
    page.locator(".turn:last-child .rating").wait_for()


# ---- the journey


def test_a_visitor_asks_by_keyboard_opens_the_citation_rates_and_finds_it_all_again(
    shop: Shop, visit: Visit, dragoman: Instance
) -> None:
    page = visit.open(shop.site.url(shop.key))
    page.locator(".ready .launcher").wait_for()
    page.keyboard.press("Tab")  # "Buy"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Lamp shop")
    dialog.wait_for()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    marker = dialog.locator(".markdown .cite").first
    marker.wait_for()
    assert "42 days" in dialog.locator(".turn .markdown").inner_text()
    assert "Answer: " in (dialog.get_by_role("status").text_content() or "")
    marker.focus()
    page.keyboard.press("Enter")
    excerpt = dialog.locator(".excerpt:visible")
    assert "within 42 days of delivery" in excerpt.inner_text()
    assert "Deadlines" in excerpt.inner_text()
    dialog.get_by_role("button", name="Not helpful").focus()
    with page.expect_response("**/feedback/"):
        page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Incomplete").click()
    dialog.get_by_label("Anything to add?").fill("And abroad?")
    with page.expect_response("**/feedback/"):
        dialog.get_by_role("button", name="Send", exact=True).first.click()
    dialog.get_by_text("Thank you.").first.wait_for()
    page.reload()
    page.get_by_role("dialog").get_by_text(QUESTION).wait_for()  # it was open, so it is open again
    page.locator(".excerpt").first.wait_for(state="attached")
    assert page.get_by_role("button", name="Not helpful").get_attribute("aria-pressed") == "true"
    with dragoman.http() as http:
        [given] = http.get("/api/chatbot/feedback/", params={"chatbot_id": shop.chatbot_id}).json()["feedback"]
    told = given.get("feedback", given)
    assert (told["rating"], told["reason"], told["comment"]) == ("down", "incomplete", "And abroad?")


def test_escape_closes_and_the_focus_goes_back_and_stays_inside_while_it_is_open(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(shop.key, styles="none"))
    page.locator(".ready .launcher").click()
    dialog = page.get_by_role("dialog")
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.localName") == "dragoman-widget"
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.className") == "launcher"
    page.get_by_role("button", name="Buy").focus()
    page.evaluate("window.Dragoman.open()")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent") == "Buy"


def test_the_page_can_ask_and_a_new_conversation_begins_empty(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(shop.key))
    page.wait_for_function("window.Dragoman")
    page.evaluate("window.Dragoman.ask('How long is the warranty of the Aurora projector?')")
    page.locator(".turn .rating").wait_for()
    assert "five years" in page.locator(".turn .markdown").inner_text()
    page.get_by_role("button", name="New conversation").click()
    assert page.locator(".turn").count() == 0
    page.reload()
    page.get_by_role("dialog").wait_for()
    page.wait_for_timeout(500)
    assert page.locator(".turn").count() == 0


def test_a_suggested_question_is_asked_when_it_is_chosen(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(shop.key))
    found = {"suggestions": [{"text": QUESTION, "language": "en", "source": "faq"}]}
    headers = {"Access-Control-Allow-Origin": shop.site.origin}
    page.route("**/suggestions/**", lambda route: route.fulfill(json=found, headers=headers))
    page.locator(".ready .launcher").click()
    page.get_by_role("button", name=QUESTION).click()
    page.locator(".turn .rating").wait_for()
    assert page.locator(".question").inner_text().endswith(QUESTION)
    assert page.locator(".suggestions").is_hidden()


def test_what_the_documents_do_not_say_is_told_as_that_also_after_a_reload(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(shop.key, open=""))
    _ask(page, "Who was the chess champion of the world in 1921?")
    page.get_by_text("Not found in the documents").wait_for()
    page.reload()
    page.get_by_text("Not found in the documents").wait_for()


def test_without_a_network_it_says_so_and_goes_on_when_there_is_one(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(shop.key, open=""))
    page.get_by_role("dialog").wait_for()
    page.context.set_offline(True)
    page.locator(".composer textarea").fill(QUESTION)
    page.keyboard.press("Enter")
    page.get_by_text("The connection is gone.").first.wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.locator(".turn .rating").wait_for()
    assert page.locator(".turn").count() == 1


def test_an_answer_that_breaks_off_goes_on_where_it_was(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(shop.key, open=""))
    asked_again: list[str | None] = []

    def break_off(route: Any) -> None:
        whole = route.fetch()
        events = whole.text().split("\n\n")
        half = [*events[: max(i for i, event in enumerate(events) if '"token"' in event) + 1], ""]
        route.fulfill(status=200, headers=whole.headers, body="\n\n".join(half))

    page.route("**/messages/stream/", break_off)
    page.on(
        "request",
        lambda request: asked_again.append(request.headers.get("last-event-id")) if _resumes(request) else None,
    )
    _ask(page, QUESTION)
    assert asked_again[0]
    assert page.locator(".turn .markdown").inner_text().count("42 days") == 1
    assert page.locator(".turn .cite").count() >= 1


def _resumes(request: Any) -> bool:
    return request.method == "GET" and request.url.endswith("/stream/")


def test_an_answer_that_was_being_written_when_the_page_was_left_is_there_again(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(shop.key, open=""))

    def begin_only(route: Any) -> None:
        whole = route.fetch()
        route.fulfill(status=200, headers=whole.headers, body=whole.text().split("\n\n")[0] + "\n\n")

    page.route("**/messages/stream/", begin_only)
    page.route("**/messages/*/stream/", lambda route: route.abort())
    page.locator(".composer textarea").fill(QUESTION)
    page.keyboard.press("Enter")
    page.get_by_text("The connection was lost.").first.wait_for()
    page.unroute_all()
    page.reload()
    page.locator(".turn .rating").wait_for()
    assert page.locator(".turn").count() == 1
    assert "42 days" in page.locator(".turn .markdown").inner_text()


def test_it_is_small() -> None:
    if not (FOLDER / "widget.js").is_file():
        pytest.skip("needs the built widget: make web")
    assert len(gzip.compress((FOLDER / "widget.js").read_bytes())) < 40 * 1024


# ---- its place in the page


def test_styles_of_the_page_do_not_reach_in_and_nobody_can_look_in(shop: Shop, visit: Visit) -> None:
    def looks(page: Page) -> dict[str, Any]:
        page.locator(".panel:not([hidden])").wait_for()
        page.wait_for_timeout(400)
        measured: dict[str, Any] = page.evaluate(
            """() => {
            const root = document.querySelector("dragoman-widget").shadowRoot;
            const names = ["color", "backgroundColor", "fontSize", "lineHeight", "borderTopWidth", "marginTop", "paddingTop",
              "direction", "textTransform", "letterSpacing", "opacity", "position", "transform", "filter", "cursor", "width"];
            const of = (selector) => {
              const element = root.querySelector(selector), style = getComputedStyle(element), box = element.getBoundingClientRect();
              return [Object.fromEntries(names.map((name) => [name, style[name]])), box.x, box.y, box.width, box.height];
            };
            return Object.fromEntries([".panel", "h2", ".greeting p", "textarea", ".send"].map((each) => [each, of(each)]));
            }"""
        )
        return measured

    plain = looks(visit.open(shop.site.url(shop.key, styles="none", open="")))
    assert looks(visit.open(shop.site.url(shop.key, open=""))) == plain
    closed = visit.open(shop.site.url(shop.key), seen_through=False)
    closed.wait_for_function("document.querySelector('dragoman-widget')")
    assert closed.evaluate("document.querySelector('dragoman-widget').shadowRoot") is None
    assert (
        closed.evaluate("document.querySelectorAll('dragoman-widget').length") == 1
    )  # though the tag stands there twice
    assert closed.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(255, 0, 0)"


def test_on_a_phone_it_fills_the_screen(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(shop.key), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.locator(".ready .launcher").tap()
    panel = page.locator(".panel")
    panel.wait_for()
    page.wait_for_timeout(400)
    assert panel.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}


def test_the_look_of_the_chatbot_holds_and_the_tag_overrides_it(shop: Shop, visit: Visit, dragoman: Instance) -> None:
    look = {
        "title": "Lamp helper",
        "greeting": "Ask about **lamps**.",
        "accent": "#ffd400",
        "position": "start",
        "theme": "dark",
    }
    with dragoman.http() as http:
        path = f"/api/chatbots/{shop.chatbot_id}/"
        assert http.patch(path, json={"settings": {"widget": {**look, "launcher_text": "Help"}}}).status_code == 200
        try:
            page = visit.open(shop.site.url(shop.key))
            launcher = page.get_by_role("button", name="Help")
            launcher.click()
            dialog = page.get_by_role("dialog", name="Lamp helper")
            dialog.locator(".greeting strong").wait_for()
            assert page.locator(".root").get_attribute("data-theme") == "dark"
            assert (dialog.bounding_box() or {"x": 999})["x"] < 40
            colours = "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
            assert dialog.locator(".send").evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 212, 0)"]
            own = shop.site.url(shop.key, open="", accent="#123456", position="end", theme="light", language="fr")
            page = visit.open(own)
            page.get_by_role("dialog").wait_for()
            assert page.locator(".root").get_attribute("data-theme") == "light"
            assert page.locator(".send").evaluate(colours) == ["rgb(255, 255, 255)", "rgb(18, 52, 86)"]
            assert (page.get_by_role("dialog").bounding_box() or {"x": 0})["x"] > 500
            page.get_by_placeholder("Posez une question").wait_for()
        finally:
            http.patch(path, json={"settings": {"widget": None}})


# ---- who may not, and what must not happen


def test_an_origin_that_is_not_allowed_is_refused_politely(shop: Shop, visit: Visit, axe: Look) -> None:
    page = visit.open(shop.stranger.url(shop.key, styles="none"), reduced_motion="reduce")
    page.locator(".ready .launcher").click()
    page.get_by_role("dialog").get_by_text("not available on this page").first.wait_for()
    assert page.locator(".composer").is_hidden()
    told = [text for text in visit.said if text.startswith("Dragoman widget on")]
    assert any(shop.stranger.origin in text and "allow-list" in text for text in told), visit.said
    assert axe(page) == []


def test_a_tag_without_a_key_tells_the_owner_and_shows_nothing(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(""))
    page.wait_for_timeout(500)
    assert page.locator("dragoman-widget").count() == 0
    assert any("data-key" in text for text in visit.said)


def test_nothing_active_comes_out_of_a_document(shop: Shop, visit: Visit) -> None:
    page = visit.open(shop.site.url(shop.key, open="", policy="none", styles="none"))
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    _ask(page, "How is the lamp cleaned?")
    page.locator(".source").first.click()
    assert "dry cloth" in page.locator(".turn").inner_text()
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert page.locator(".turn :is(script, img, iframe, .markdown svg)").count() == 0
    assert not [url for url in fetched if "evil" in url]


# ---- for everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("language", "accent"), [("en", "#1f5fbf"), ("ar", "#ffd400")])
def test_axe_finds_nothing(shop: Shop, visit: Visit, axe: Look, scheme: str, language: str, accent: str) -> None:
    url = shop.site.url(shop.key, styles="none", language=language, accent=accent)
    page = visit.open(url, color_scheme=scheme, reduced_motion="reduce")
    page.locator(".ready .launcher").wait_for()
    assert axe(page) == []
    page.locator(".ready .launcher").click()
    assert axe(page) == []
    _ask(page, QUESTION)
    _ask(page, "Who was the chess champion of the world in 1921?")
    page.locator(".source").first.click()
    page.locator(".thumb").last.click()
    page.locator(".chip").first.click()
    assert page.locator(".root").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
    assert page.locator(".root").get_attribute("data-theme") == scheme
    assert axe(page) == []
