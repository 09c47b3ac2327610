"""Administration of machines and of single sign-on: service accounts, keys with new secrets, the identity provider."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
from benchmarks.instance import Instance

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Open = Callable[..., "Page"]


def _dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def _secret(page: Page) -> str:
    secret = _dialog(page).locator("code").inner_text()
    page.get_by_role("button", name="I have kept it").click()
    return secret


def _who(dragoman: Instance, secret: str) -> httpx.Response:
    return httpx.get(f"{dragoman.url}/api/auth/me/", headers={"X-API-Key": secret})


def test_a_service_account_is_made_works_is_switched_off_and_deleted(open_page: Open, dragoman: Instance) -> None:
    name = f"Importer {time.monotonic_ns()}"
    page = open_page("owner", "/admin/keys")
    page.get_by_role("button", name="Make a service account").click()
    _dialog(page).get_by_label("Name").fill(name)
    _dialog(page).get_by_label("Description").fill("Uploads the price lists")
    _dialog(page).get_by_label("Role").select_option("editor")
    _dialog(page).get_by_role("button", name="Make it").click()
    row = page.get_by_role("row").filter(has_text=name).filter(has_text="Uploads the price lists")
    row.get_by_role("button", name=f"Make a key of {name}").click()
    _dialog(page).get_by_label("Name").fill("importer’s first")
    _dialog(page).get_by_label("Role", exact=True).select_option("editor")
    _dialog(page).get_by_role("button", name="Make the key").click()
    secret = _secret(page)
    assert _who(dragoman, secret).json()["role"] == "editor"

    switch = row.get_by_role("switch", name=f"{name} is on")
    switch.click()
    row.get_by_text("off", exact=True).wait_for()
    assert _who(dragoman, secret).status_code == 401
    switch.click()
    row.get_by_text("on", exact=True).wait_for()
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        row.get_by_label(f"Role of {name}").select_option("agent")
    assert _who(dragoman, secret).json()["role"] == "agent"

    row.get_by_role("button", name=f"Delete {name}").click()
    _dialog(page).get_by_role("button", name="Delete", exact=True).click()
    row.wait_for(state="detached")
    assert _who(dragoman, secret).status_code == 401


def test_a_key_gets_a_new_secret_and_the_old_one_ends(open_page: Open, dragoman: Instance) -> None:
    name = f"till {time.monotonic_ns()}"
    page = open_page("owner", "/admin/keys")
    page.get_by_role("button", name="Make a key", exact=True).click()
    _dialog(page).get_by_label("Name").fill(name)
    _dialog(page).get_by_role("button", name="Make the key").click()
    old = _secret(page)

    def rotated(secret: str, hours: str) -> str:
        row = page.get_by_role("row").filter(has_text=secret[:12])
        row.get_by_role("button", name=f"Give {name} a new secret").click()
        _dialog(page).get_by_label("Hours that the present secret works on").fill(hours)
        _dialog(page).get_by_role("button", name="Rotate").click()
        return _secret(page)

    new = rotated(old, "1")
    assert [_who(dragoman, secret).status_code for secret in (old, new)] == [200, 200]  # both, for an hour
    newest = rotated(new, "0")
    assert [_who(dragoman, secret).status_code for secret in (new, newest)] == [401, 200]
    row = page.get_by_role("row").filter(has_text=new[:12])
    row.get_by_text("Active").wait_for(state="hidden")


def test_single_sign_on_is_saved_and_shown_again_without_the_secret(open_page: Open, dragoman: Instance) -> None:
    with dragoman.http() as http:
        http.delete("/api/single-sign-on/")
    page = open_page("owner", "/admin/sign-on")
    page.get_by_text("No identity provider is set").wait_for()
    page.get_by_label("Issuer").fill("https://login.example.com/realms/acme")
    page.get_by_label("Name on the button").fill("Acme login")
    page.get_by_label("Client id").fill("dragoman")
    page.get_by_label("Client secret").fill("a very secret word")
    page.get_by_role("switch", name=re.compile("^Who comes is made a user")).check()
    page.get_by_label("Role of new users").select_option("agent")
    page.get_by_label("Allowed domains").fill("acme.example\nacme.test")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").filter(has_text="Saved.").first.wait_for()
    page.reload()
    page.get_by_text("Empty: the present one stays.").wait_for()
    assert page.get_by_label("Client secret").input_value() == ""
    assert "a very secret word" not in page.content()
    assert page.get_by_label("Issuer").input_value() == "https://login.example.com/realms/acme"
    assert page.get_by_label("Role of new users").input_value() == "agent"
    assert page.get_by_label("Allowed domains").input_value() == "acme.example\nacme.test"
    page.get_by_label("Name on the button").fill("Log in with Acme")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").filter(has_text="Saved.").first.wait_for()
    with dragoman.http() as http:
        kept = http.get("/api/single-sign-on/")
    assert (kept.json()["name"], kept.json()["has_client_secret"]) == ("Log in with Acme", True)
    assert "a very secret word" not in kept.text
    assert kept.json()["start_url"] in page.get_by_role("main").inner_text()  # where people are led to
    page.get_by_role("button", name="Remove the provider").click()
    _dialog(page).get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("No identity provider is set").wait_for()


def test_what_the_provider_settings_lack_is_said(open_page: Open) -> None:
    page = open_page("owner", "/admin/sign-on")
    page.get_by_label("Issuer").fill("http://login.example.com")
    page.get_by_label("Client id").fill("dragoman")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").filter(has_text="https").wait_for()
