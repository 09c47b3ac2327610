"""Secrets that operations are given, or give out, do not stand in the audit log: not in its rows, pages, exports and commands."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.contract.web_site import WebSite, run_web_site

from dragoman.entrypoints.api import create_app
from dragoman.tenancy import audit

from .commands import Commands
from .conftest import Service
from .serving import serving
from .signing_in import add_person, client_at, token_of

Given = Callable[[Any, str, WebSite], Awaitable[list[httpx.Response]]]


@pytest.fixture(scope="module")
async def service(settings_for: Any) -> AsyncIterator[Service]:
    settings = settings_for(private_networks=["127.0.0.0/8", "localhost"], public_url="http://dragoman.test")
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


@pytest.fixture
async def site() -> AsyncIterator[WebSite]:
    async with run_web_site() as made:
        made.link("/")
        yield made


# ---- what is done with a secret


async def _a_password_is_set(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    invited = await company.api().post("/api/users/invitations/", json={"email": "eva@example.com"})
    body = {"token": token_of(invited.json()["url"]), "password": secret, "display_name": "Eva"}
    accepted = await client_at(company.service).post("/api/auth/set-password/", json=body)
    bearer = {"Authorization": f"Bearer {accepted.json()['access_token']}"}
    changed = {"current_password": secret, "new_password": f"{secret} and more"}
    return [
        invited,
        accepted,
        await client_at(company.service, **bearer).post("/api/auth/password/", json=changed),
    ]


async def _a_password_is_wrong(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    person = await add_person(company)
    refused = await person.sign_in(secret)
    assert refused.status_code == 401
    assert (
        await person.api().post("/api/auth/password/", json={"current_password": secret, "new_password": secret})
    ).status_code == 401
    return []


async def _a_refresh_token_is_used_again(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    person = await add_person(company)
    signed_in = await person.sign_in()
    api, answers = client_at(company.service), [signed_in]
    token = signed_in.json()["refresh_token"]
    for _ in range(2):
        answers.append(await api.post("/api/auth/refresh/", json={"refresh_token": token}))
        token = answers[-1].json()["refresh_token"]
    reused = await api.post("/api/auth/refresh/", json={"refresh_token": signed_in.json()["refresh_token"]})
    assert reused.status_code == 401
    return answers


async def _a_token_is_forged(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    person = await add_person(company)
    token = f"{person.tokens['access_token'].rpartition('.')[0]}.{secret}"
    refused = await client_at(company.service, Authorization=f"Bearer {token}").get("/api/auth/me/")
    assert refused.status_code == 401
    return []


async def _a_key_is_made_rotated_and_refused(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    made = await company.api().post("/api/keys/", json={"name": "shop", "description": f"uses Bearer {secret}"})
    path = f"/api/keys/{made.json()['id']}/"
    rotated = await company.api().post(f"{path}rotate/", json={"grace_hours": 1})
    renamed = await company.api().patch(path, json={"description": f"now sk-{secret}"})
    revoked = await company.api().delete(path)
    for answer in (made, rotated):
        await company.service.client(answer.json()["api_key"]).get("/api/chatbots/")
    return [made, rotated, renamed, revoked]


async def _a_browser_signs_in_with_a_key(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    made = await company.api().post("/api/keys/", json={"name": "browser"})
    return [made, await client_at(company.service).post("/api/auth/sign-in/", json={"api_key": made.json()["api_key"]})]


async def _single_sign_on_is_set(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    body = {"issuer": "http://localhost:9/", "client_id": "dragoman", "client_secret": secret}
    return [
        await company.api().put("/api/single-sign-on/", json=body),
        await company.api().put("/api/single-sign-on/", json={**body, "client_secret": f"{secret}-2"}),
        await company.api().delete("/api/single-sign-on/"),
    ]


async def _a_connector_has_a_password(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    settings = {"start_urls": [site.url()], "delay_s": 0, "username": "u", "password": secret}
    made = await company.api().post(
        "/api/chatbot/connectors/", json={"kind": "website", "name": "Site", "settings": settings}
    )
    path = f"/api/chatbot/connectors/{made.json()['id']}/"
    changed = await company.api().patch(path, json={"settings": {"password": f"{secret}-2"}, "name": "Other"})
    return [made, changed, await company.api().delete(path)]


async def _an_address_holds_a_password(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    url = site.url().replace("://", f"://user:{secret}@")
    named = await company.api().post("/api/service-accounts/", json={"name": f"{site.url()}?x=1&api_key={secret}#top"})
    assert named.status_code == 201
    listed = await company.api().post("/api/chatbot/documents/urls/", json={"urls": [url]})
    connected = await company.api().post(
        "/api/chatbot/connectors/",
        json={"kind": "website", "name": url, "settings": {"start_urls": [url], "delay_s": 0}},
    )
    assert {listed.status_code, connected.status_code} <= {201, 202, 422}
    return []


async def _a_webhook_has_a_secret(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    """Such addresses are secrets in themselves: whoever knows one may write into the channel."""
    made = await company.api().post(
        "/api/alerts/channels/", json={"url": f"{site.url()}services/T00/{secret}?token={secret}"}
    )
    path = f"/api/alerts/channels/{made.json()['id']}/"
    await company.api().post(f"{path}test/")
    assert (await company.api().delete(path)).status_code == 204
    return [made]


async def _a_visitor_is_admitted_and_refused(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    body = {"name": "w", "origins": ["https://shop.example"]}
    path = f"/api/chatbots/{company.chatbot_id}/widget-keys/"
    key = await company.api().post(path, json=body)
    admitted = await client_at(company.service, Origin="https://shop.example").post(
        "/api/widget/tokens/", json={"key": key.json()["public_key"]}
    )
    token = admitted.json()["token"]
    refused = await client_at(
        company.service, Origin=f"https://user:{secret}@evil.example", Authorization=f"Bearer {token}"
    ).post("/api/search", json={"query": "lamp"})
    assert refused.status_code == 403
    return [admitted]


async def _a_reset_is_asked_for(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    person = await add_person(company)
    answer = await client_at(company.service).post("/api/auth/password-reset/", json={"email": person.email})
    await company.service.deps.accounts.finish()
    return [answer]


async def _names_hold_secrets(company: Any, secret: str, site: WebSite) -> list[httpx.Response]:
    """Somebody pastes a key where a name belongs: what has the look of one is taken out."""
    key = f"dgm_{secret * 2}"
    api = company.api()
    return [
        await api.post("/api/service-accounts/", json={"name": key, "description": f"Bearer {secret}"}),
        await api.patch(f"/api/chatbots/{company.chatbot_id}/", json={"description": f"postgresql://u:{secret}@db/x"}),
        await api.post("/api/chatbots/", json={"name": f"sk-{secret}"}),
        await company.upload("Some text.", f"sk-{secret}.txt"),
    ]


DONE: dict[str, Given] = {
    function.__name__.removeprefix("_"): function
    for function in (
        _a_password_is_set,
        _a_password_is_wrong,
        _a_refresh_token_is_used_again,
        _a_token_is_forged,
        _a_key_is_made_rotated_and_refused,
        _a_browser_signs_in_with_a_key,
        _single_sign_on_is_set,
        _a_connector_has_a_password,
        _an_address_holds_a_password,
        _a_webhook_has_a_secret,
        _a_visitor_is_admitted_and_refused,
        _a_reset_is_asked_for,
        _names_hold_secrets,
    )
}
_HANDED_OUT = ("api_key", "access_token", "refresh_token", "device", "token", "secret", "url", "set_password_url")


@pytest.mark.parametrize("what", DONE)
async def test_no_secret_that_an_operation_is_given_stands_in_the_audit_log(
    company: Any, site: WebSite, what: str
) -> None:
    marked = f"Zq{secrets.token_hex(10)}"
    hidden = {marked}
    for answer in await DONE[what](company, marked, site):
        assert answer.is_success, f"{what}: {answer.status_code} {answer.text}"
        hidden |= _handed_out(answer)
    await audit.flush(company.service.deps.database)
    told = await _all_that_is_told(company)
    leaks = [
        f"{place}: {_around(content, value)}" for place, content in told.items() for value in hidden if value in content
    ]
    assert not leaks, "\n".join(leaks)


def _handed_out(answer: httpx.Response) -> set[str]:
    """The secrets in an answer, whole and without what they begin with."""
    body = answer.json() if answer.content else {}
    found = {value for name in _HANDED_OUT if isinstance(value := (body or {}).get(name), str)}
    links = {token_of(value) for value in found if "token=" in value}
    return {value for value in (found | links) if "://" not in value}


async def _all_that_is_told(company: Any) -> dict[str, str]:
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        rows = list((await connection.execute(text("select e::text from audit_events e"))).scalars())
    assert rows
    api = company.api()
    told = {
        "rows": "\n".join(rows),
        "page": (await api.get("/api/audit/", params={"limit": 200})).text,
        "jsonl": (await api.get("/api/audit/export/", params={"format": "jsonl"})).text,
        "csv": (await api.get("/api/audit/export/", params={"format": "csv"})).text,
    }
    async with serving(company.service) as url:
        dragoman = Commands(url=url, api_key=company.secrets["owner"])
        for command in (("audit", "list"), ("audit", "list", "--json"), ("audit", "export")):
            ran = await dragoman(*command)
            assert ran.code == 0, ran.err
            told[" ".join(command)] = ran.out + ran.err
    assert all("." in each for each in told.values()), "events have actions such as key.created"
    return told


def _around(content: str, value: str) -> str:
    at = content.index(value)
    return f"…{content[max(0, at - 120) : at + len(value) + 20]}…"
