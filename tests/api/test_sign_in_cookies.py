"""Cookie mode: what a browser gets, and that no other site can use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from dragoman.entrypoints.api import create_app

from .conftest import Service
from .signing_in import PASSWORD, Person, add_person, client_at, code_of

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def ada(company: Any) -> Person:
    return await add_person(company)


@pytest.fixture
async def browser(company: Any, ada: Person) -> httpx.AsyncClient:
    """Signed in by cookies."""
    api = client_at(company.service)
    answer = await api.post(
        "/api/auth/sign-in/", json={"email": ada.email, "password": PASSWORD, "cookie": True}, headers=OWN_PAGE
    )
    assert answer.status_code == 200, answer.text
    return api


def cookies_of(answer: httpx.Response) -> SimpleCookie:
    held = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        held.load(line)
    return held


async def test_cookies_hold_the_tokens_and_the_answer_does_not(company: Any, ada: Person) -> None:
    answer = await client_at(company.service).post(
        "/api/auth/sign-in/", json={"email": ada.email, "password": PASSWORD, "cookie": True}, headers=OWN_PAGE
    )
    assert (answer.json()["access_token"], answer.json()["refresh_token"], answer.json()["device"]) == (None,) * 3
    held = cookies_of(answer)
    assert set(held) == {"dragoman_access", "dragoman_refresh", "dragoman_device"}
    for cookie in held.values():
        assert cookie["httponly"]
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert not cookie["secure"]  # this installation is reached by http
        assert cookie.value not in answer.text
    assert held["dragoman_access"]["samesite"] == "lax"
    assert held["dragoman_refresh"]["samesite"] == held["dragoman_device"]["samesite"] == "strict"


async def test_a_browser_reads_and_changes_from_our_own_pages(company: Any, browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/api/chatbots/")).status_code == 200
    for headers in (OWN_PAGE, {"Sec-Fetch-Site": "none"}, {"Origin": "http://dragoman.test"}):
        assert (await browser.post("/api/chatbot/sessions/", json={}, headers=headers)).status_code == 201
    public = {"Origin": company.service.settings.url}  # behind a proxy that does not pass the host on
    assert (await browser.post("/api/chatbot/sessions/", json={}, headers=public)).status_code == 201
    assert (await browser.post("/api/search", json={"query": "lamps"}, headers=OWN_PAGE)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://dragoman.test"},
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://dragoman.test.attacker.example"},
        {"Origin": "https://dragoman.test"},
        {"Origin": "http://dragoman.test:81"},
    ],
)
async def test_another_sites_page_changes_nothing_with_the_cookie(
    company: Any, browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for method, path, body in (
        ("POST", "/api/chatbot/sessions/", {}),
        ("POST", "/api/search", {"query": "lamps"}),  # served past FastAPI
        ("POST", "/api/auth/refresh/", None),
        ("POST", "/api/auth/sign-out/", None),
        ("DELETE", f"/api/auth/sign-ins/{company.tenant_id}/", None),
    ):
        answer = await browser.request(method, path, json=body, headers=headers)
        assert code_of(answer) == (403, "tenancy.cross_site_request"), f"{method} {path}"
    assert (await browser.get("/api/chatbots/")).status_code == 200  # still signed in


async def test_another_sites_page_cannot_sign_a_browser_in(company: Any, ada: Person) -> None:
    """So that nobody works in an attacker's account unawares (login CSRF)."""
    body = {"email": ada.email, "password": PASSWORD, "cookie": True}
    answer = await client_at(company.service).post(
        "/api/auth/sign-in/", json=body, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert code_of(answer) == (403, "tenancy.cross_site_request")
    assert "set-cookie" not in answer.headers


async def test_a_token_in_a_header_needs_no_origin(company: Any, ada: Person) -> None:
    """No other site can send it."""
    made = await ada.api().post("/api/chatbot/sessions/", json={}, headers={"Origin": "https://elsewhere.example"})
    assert made.status_code == 201


async def test_a_browser_refreshes_and_signs_out_by_its_cookie(company: Any, browser: httpx.AsyncClient) -> None:
    before = browser.cookies["dragoman_refresh"]
    refreshed = await browser.post("/api/auth/refresh/", headers=OWN_PAGE)
    assert refreshed.status_code == 200
    assert refreshed.json()["refresh_token"] is None
    assert browser.cookies["dragoman_refresh"] != before
    assert (await browser.get("/api/auth/me/")).status_code == 200
    out = await browser.post("/api/auth/sign-out/", headers=OWN_PAGE)
    assert out.status_code == 204
    assert set(browser.cookies) == {"dragoman_device"}
    assert code_of(await browser.get("/api/auth/me/")) == (401, "tenancy.missing_key")


async def test_a_cookie_that_was_copied_opens_nothing_after_signing_out(
    company: Any, browser: httpx.AsyncClient
) -> None:
    copied = dict(browser.cookies)
    await browser.post("/api/auth/sign-out/", headers=OWN_PAGE)
    thief = client_at(company.service, Cookie=f"dragoman_access={copied['dragoman_access']}")
    assert code_of(await thief.get("/api/auth/me/")) == (401, "tenancy.signed_out")


async def test_an_api_key_is_exchanged_for_cookies_and_ends_with_the_key(company: Any) -> None:
    key = (await company.api().post("/api/keys/", json={"name": "browser", "role": "editor"})).json()
    browser = client_at(company.service)
    answer = await browser.post(
        "/api/auth/sign-in/", json={"api_key": key["api_key"], "cookie": True}, headers=OWN_PAGE
    )
    assert answer.status_code == 200, answer.text
    me = (await browser.get("/api/auth/me/")).json()
    assert (me["role"], me["api_key_id"], me["user_id"]) == ("editor", key["id"], None)
    assert key["api_key"] not in str(dict(browser.cookies))
    assert (await browser.post("/api/auth/refresh/", headers=OWN_PAGE)).status_code == 200
    await company.api().delete(f"/api/keys/{key['id']}/")
    assert code_of(await browser.get("/api/auth/me/")) == (401, "tenancy.revoked_key")
    copied = await client_at(company.service).post("/api/auth/sign-in/", json={"api_key": key["api_key"]})
    assert code_of(copied) == (401, "tenancy.revoked_key")
    again = await browser.post("/api/auth/refresh/", headers=OWN_PAGE)
    assert code_of(again) == (401, "tenancy.revoked_key")


async def test_a_body_names_a_person_or_a_key_and_not_both(company: Any) -> None:
    api = client_at(company.service)
    for body in (
        {},
        {"email": "ada@example.com"},
        {"password": PASSWORD},
        {"api_key": "dgm_x", "email": "ada@example.com", "password": PASSWORD},
        {"api_key": "dgm_x", "email": "ada@example.com"},
    ):
        assert code_of(await api.post("/api/auth/sign-in/", json=body)) == (422, "invalid_request")
    unknown = await api.post("/api/auth/sign-in/", json={"api_key": "dgm_x"})
    assert code_of(unknown) == (401, "tenancy.invalid_key")


# ---- where people come by https


@pytest.fixture(scope="module")
async def secure_service(settings_for: Any) -> AsyncIterator[Service]:
    settings = settings_for(public_url="https://chat.example.com/")
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


async def test_by_https_cookies_are_secure_and_of_this_host_alone(secure_service: Any, ada: Person) -> None:
    api = client_at(secure_service)
    answer = await api.post(
        "/api/auth/sign-in/", json={"email": ada.email, "password": PASSWORD, "cookie": True}, headers=OWN_PAGE
    )
    assert answer.status_code == 200, answer.text
    held = cookies_of(answer)
    assert set(held) == {"__Host-dragoman_access", "__Host-dragoman_refresh", "__Host-dragoman_device"}
    assert all(cookie["secure"] and cookie["path"] == "/" and not cookie["domain"] for cookie in held.values())
    access = held["__Host-dragoman_access"].value
    named = client_at(secure_service, Cookie=f"__Host-dragoman_access={access}")
    assert (await named.get("/api/auth/me/")).status_code == 200
    # One that a plain connection or a neighbour host could have planted does not count.
    planted = client_at(secure_service, Cookie=f"dragoman_access={access}")
    assert code_of(await planted.get("/api/auth/me/")) == (401, "tenancy.missing_key")
