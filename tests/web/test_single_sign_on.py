"""Signing in with an identity provider, as people meet it: the button on the page, the provider's own page, and back."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from benchmarks.instance import Instance

from tests.web.conftest import Desk

if TYPE_CHECKING:
    from playwright.sync_api import Page

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it still uses a module of authlib that is to go
    from oidc_provider_mock import User, run_server_in_thread

# The provider runs in a thread of this process; what it warns of is its own business.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Open = Callable[..., "Page"]
NAME = "Acme login"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a provider that knows the owner, and somebody whom nobody invited."""
    people = [
        User(sub="owner", claims={"email": "owner@example.com", "email_verified": True, "name": "Owner"}),
        User(sub="stranger", claims={"email": "stranger@example.com", "email_verified": True}),
    ]
    with run_server_in_thread(user_claims=people, require_nonce=True) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def offered(http: httpx.Client, desk: Desk, provider: str) -> Iterator[str]:
    """Single sign-on is set up. Gives the id of the tenant."""
    body = {"name": NAME, "issuer": provider, "client_id": "dragoman", "client_secret": "a secret of ours"}
    set_up = http.put("/api/single-sign-on/", json=body)
    assert set_up.status_code == 200, set_up.text
    desk.hosts.add(urlsplit(provider).netloc)
    yield str(http.get("/api/auth/me/").json()["tenant_id"])
    http.delete("/api/single-sign-on/")


def _at_the_provider(page: Page, provider: str, who: str) -> None:
    page.wait_for_url(f"{provider}/**")
    page.locator("input[name=sub]").first.fill(who)
    page.locator("form").filter(has=page.locator("input[name=sub]")).locator("button").first.click()


def test_an_admin_sets_it_up_signs_out_and_comes_in_by_the_button(
    open_page: Open, desk: Desk, http: httpx.Client, dragoman: Instance, provider: str
) -> None:
    http.delete("/api/single-sign-on/")
    desk.hosts.add(urlsplit(provider).netloc)
    page = open_page("owner", "/admin/sign-on")
    page.get_by_label("Issuer").fill(provider)
    page.get_by_label("Name on the button").fill(NAME)
    page.get_by_label("Client id").fill("dragoman")
    page.get_by_label("Client secret").fill("a very secret word")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").filter(has_text="Saved.").first.wait_for()

    page.context.clear_cookies()  # signs out
    page.goto(f"{dragoman.url}/documents?state=failed")
    page.wait_for_url(re.compile("/sign-in"))
    page.get_by_role("link", name=NAME).click()
    _at_the_provider(page, provider, "owner")
    page.wait_for_url(f"{dragoman.url}/documents?state=failed")
    page.get_by_role("navigation", name="Main").wait_for()
    me = page.context.request.get(f"{dragoman.url}/api/auth/me/").json()
    assert (me["email"], me["role"]) == ("owner@example.com", "owner")
    http.delete("/api/single-sign-on/")


def test_who_is_refused_reads_what_to_do_and_may_go_another_way(
    open_page: Open, dragoman: Instance, provider: str, offered: str
) -> None:
    page = open_page(None, "/sign-in?next=%2Fdocuments")
    page.get_by_role("link", name=NAME).click()
    _at_the_provider(page, provider, "stranger")
    page.get_by_role("alert").filter(has_text="Ask an administrator to invite you").wait_for()
    assert f"tenant={offered}" in page.url
    page.get_by_role("link", name=NAME).click()  # and tries again as somebody else
    _at_the_provider(page, provider, "owner")
    page.wait_for_url(f"{dragoman.url}/documents")


def test_the_tenant_of_the_address_is_remembered_until_it_offers_nothing(
    open_page: Open, dragoman: Instance, http: httpx.Client, offered: str
) -> None:
    page = open_page(None, f"/sign-in?tenant={offered}")
    page.get_by_role("link", name=NAME).wait_for()
    with page.expect_request(lambda request: "single-sign-on" in request.url) as asked:
        page.goto(f"{dragoman.url}/sign-in")
    assert f"tenant={offered}" in asked.value.url
    page.get_by_role("link", name=NAME).wait_for()
    http.delete("/api/single-sign-on/")
    with page.expect_response(lambda response: "single-sign-on" in response.url):
        page.reload()
    page.get_by_label("E-mail address").wait_for()
    assert page.get_by_role("link", name=NAME).count() == 0
    with page.expect_request(lambda request: "single-sign-on" in request.url) as asked:
        page.reload()
    assert "tenant=" not in asked.value.url


def test_a_tenant_that_is_none_is_told_and_the_password_still_works(open_page: Open) -> None:
    page = open_page(None, "/sign-in?tenant=acme")
    page.get_by_role("alert").filter(has_text="tenant").wait_for()
    page.get_by_label("E-mail address").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_button_and_a_refusal_can_be_used_by_all(
    open_page: Open, offered: str, axe: Callable[[Page], list[str]], scheme: str
) -> None:
    page = open_page(None, "/sign-in?refused=no_user", color_scheme=scheme)
    page.get_by_role("link", name=NAME).wait_for()
    assert axe(page) == []
    page.get_by_label("Password").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == NAME
