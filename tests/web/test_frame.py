"""The frame of the web application: signing in and out, languages, themes, narrow screens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from benchmarks.instance import Instance
from benchmarks.web import PAGES, scripts_kib

from tests.web.conftest import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
Look = Callable[["Page"], list[str]]


def test_a_person_signs_in_and_out(open_page: Open) -> None:
    open_page("owner")  # now there is one
    page = open_page(None, "/documents")
    page.wait_for_url("**/sign-in?next=**")
    page.get_by_label("E-mail address").fill("owner@example.com")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/documents")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto(page.url.replace("/sign-in", "/documents"))
    page.wait_for_url("**/sign-in?next=**")


def test_an_api_key_opens_the_application(open_page: Open, dragoman: Instance) -> None:
    page = open_page(None, "/sign-in")
    page.get_by_role("button", name="Use an API key instead").click()
    page.get_by_label("API key").fill(dragoman.api_key)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("navigation", name="Main").wait_for()
    # The tokens are in cookies that no script can read.
    assert page.evaluate("document.cookie") == ""
    assert "dgm_" not in page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")


def test_a_forgotten_password_is_answered_alike_for_everybody(open_page: Open) -> None:
    page = open_page(None, "/sign-in")
    page.get_by_role("button", name="Forgotten your password?").click()
    page.get_by_label("E-mail address").fill("nobody@example.com")
    page.get_by_role("button", name="Send the link").click()
    page.get_by_role("status").filter(has_text="If there is a user").wait_for()


@pytest.mark.parametrize(
    ("role", "seen", "hidden"),
    [
        ("owner", ["Chat", "Documents", "Search lab", "Insights", "Administration"], []),
        ("editor", ["Chat", "Documents", "Search lab", "Insights"], ["Administration"]),
        ("member", ["Chat", "Documents"], ["Search lab", "Insights", "Administration"]),
    ],
)
def test_the_role_decides_where_one_can_go(open_page: Open, role: str, seen: list[str], hidden: list[str]) -> None:
    page = open_page(role)
    navigation = page.get_by_role("navigation", name="Main")
    navigation.wait_for()
    for name in seen:
        assert navigation.get_by_role("link", name=name).count() == 1, name
    for name in hidden:
        assert navigation.get_by_role("link", name=name).count() == 0, name


def test_the_language_changes_and_arabic_is_mirrored(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("button", name="Language").click()
    page.get_by_role("menuitem", name="العربية").click()
    page.get_by_role("link", name="المستندات").wait_for()
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    at = page.get_by_role("navigation").first.bounding_box()
    assert at is not None
    assert at["x"] > 600  # at the right, where lines begin
    page.reload()
    page.get_by_role("link", name="المستندات").wait_for()


def test_the_browsers_language_is_spoken_from_the_start(open_page: Open) -> None:
    page = open_page(None, "/sign-in", locale="de-AT")
    page.get_by_role("button", name="Anmelden", exact=True).wait_for()
    assert page.evaluate("document.documentElement.lang") == "de"


def test_dark_is_chosen_and_kept(open_page: Open) -> None:
    page = open_page(color_scheme="light")
    colour = "getComputedStyle(document.documentElement).backgroundColor"
    page.get_by_role("button", name="Theme: as the system").click()
    page.get_by_role("button", name="Theme: light").click()
    page.get_by_role("button", name="Theme: dark").wait_for()
    dark = page.evaluate(colour)
    page.reload()
    page.get_by_role("button", name="Theme: dark").wait_for()
    assert page.evaluate(colour) == dark != "rgb(246, 247, 246)"


def test_a_member_changes_the_own_name(open_page: Open) -> None:
    page = open_page("member")
    name = page.get_by_label("Name", exact=True)
    name.fill("Mira Member")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    page.reload()
    name.wait_for()
    assert name.input_value() == "Mira Member"
    page.locator("aside, nav").get_by_text("Mira Member").first.wait_for()


def test_on_a_phone_the_navigation_opens_and_closes(open_page: Open) -> None:
    page = open_page("owner", "/account", viewport={"width": 390, "height": 844})
    page.get_by_role("heading", level=1).wait_for()
    link = page.locator("#navigation").get_by_role("link", name="Documents", include_hidden=True)
    page.get_by_role("button", name="Open navigation").wait_for()
    assert not link.is_visible()
    page.get_by_role("button", name="Open navigation").click()
    link.click()
    page.wait_for_url("**/documents")
    link.wait_for(state="hidden")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_keyboard_reaches_the_content_first(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("navigation", name="Main").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "ar"])
@pytest.mark.parametrize("path", ["/sign-in", "/set-password?token=x"])
def test_the_entrance_is_accessible(open_page: Open, axe: Look, path: str, scheme: str, locale: str) -> None:
    page = open_page(None, path, color_scheme=scheme, locale=locale)
    page.get_by_role("heading", level=1).wait_for()
    assert axe(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_first_visit_loads_less_than_250_kib_of_scripts(open_page: Open, path: str) -> None:
    page = open_page(None if path == "/sign-in" else "owner", path)
    page.locator("h1, h2").first.wait_for()
    page.wait_for_timeout(1000)  # what follows the heading
    # What draws charts comes where there are figures to draw: the page stands before it.
    assert 50 < scripts_kib(page, without="DrawnChart") < 250
