"""How a chatbot looks on web sites: its setting `widget`, and who may read it without being known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dragoman.entrypoints.api import create_app

SITE = "https://www.example.com"
LOOK = {
    "title": "Ask the handbook",
    "greeting": "Hello! I know the **handbook**.",
    "accent": "#0a7d5c",
    "position": "start",
    "theme": "dark",
    "launcher_text": "Help",
}
USUAL = {
    "title": "",
    "greeting": "",
    "accent": "#1f5fbf",
    "position": "end",
    "theme": "auto",
    "launcher_text": "",
}


async def _widget(company: Any, **body: Any) -> dict[str, Any]:
    path = f"/api/chatbots/{company.chatbot_id}/widget-keys/"
    made = await company.api().post(path, json={"name": "site", "origins": [SITE], **body})
    assert made.status_code == 201, made.text
    widget: dict[str, Any] = made.json()
    return widget


async def _read(service: Any, key: str, **headers: str) -> Any:
    return await service.client(**headers).get("/api/widget/settings/", params={"key": key})


async def _set(company: Any, look: Any) -> Any:
    return await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"widget": look}})


async def test_a_page_of_the_web_site_reads_how_the_widget_looks_and_nothing_else(service: Any, company: Any) -> None:
    widget = await _widget(company)
    before = await _read(service, widget["public_key"], Origin=SITE)
    name = before.json()["chatbot_name"]
    assert (before.status_code, before.json()) == (200, {"chatbot_name": name, "suggestions": [], **USUAL})
    assert (await _set(company, LOOK)).status_code == 200
    after = await _read(service, widget["public_key"], Origin=SITE)
    assert after.json() == {"chatbot_name": name, "suggestions": [], **LOOK}
    assert after.headers["access-control-allow-origin"] == SITE
    assert after.headers["cache-control"] == "no-cache"


async def test_questions_that_the_owner_suggests_are_shown(service: Any, company: Any) -> None:
    widget = await _widget(company)
    questions = [f"What is number {number}?" for number in range(8)]
    set_ = {"settings": {"suggested_questions": questions}}
    assert (await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=set_)).status_code == 200
    assert (await _read(service, widget["public_key"], Origin=SITE)).json()["suggestions"] == questions[:6]


async def test_a_look_that_is_left_out_or_given_back_has_the_defaults(service: Any, company: Any) -> None:
    widget = await _widget(company)
    assert (await _set(company, {"accent": "#AABBCC"})).status_code == 200
    shown = (await _read(service, widget["public_key"], Origin=SITE)).json()
    assert {**USUAL, "accent": "#AABBCC"}.items() <= shown.items()
    assert (await _set(company, None)).json()["settings"]["widget"] == USUAL


@pytest.mark.parametrize(
    "look",
    [
        {"accent": "red"},
        {"accent": "#fff"},
        {"accent": "#ffffff;}"},
        {"position": "left"},
        {"theme": "blue"},
        {"title": "x" * 61},
        {"greeting": "x" * 601},
        {"launcher_text": "x" * 41},
        {"colour": "#000000"},
        "dark",
    ],
)
async def test_a_look_out_of_its_bounds_is_refused_by_name(company: Any, look: Any) -> None:
    refused = await _set(company, look)
    assert (refused.status_code, refused.json()["code"]) == (422, "tenancy.invalid_chatbot_setting")
    assert "widget" in refused.json()["detail"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://www.example.com", "https://www.example.com.evil.example", "null"]
)
async def test_a_page_of_another_origin_is_refused_and_may_read_why(service: Any, company: Any, origin: str) -> None:
    widget = await _widget(company)
    refused = await _read(service, widget["public_key"], Origin=origin)
    assert (refused.status_code, refused.json()["code"]) == (403, "tenancy.origin_not_allowed")
    assert refused.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in refused.headers


async def test_programs_without_an_origin_need_a_key_that_allows_it(service: Any, company: Any) -> None:
    assert (await _read(service, (await _widget(company))["public_key"])).status_code == 403
    open_key = (await _widget(company, allows_no_origin=True))["public_key"]
    assert (await _read(service, open_key)).status_code == 200


async def test_a_page_of_the_installation_itself_needs_its_origin_on_the_list(service: Any, company: Any) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}  # no browser sends `Origin` with such a GET
    assert (await _read(service, (await _widget(company))["public_key"], **own)).status_code == 403
    listed = (await _widget(company, origins=["http://dragoman.test"]))["public_key"]
    assert (await _read(service, listed, **own)).status_code == 200


async def test_a_revoked_or_unknown_key_shows_nothing(service: Any, company: Any) -> None:
    widget = await _widget(company)
    await company.api().delete(f"/api/chatbots/{company.chatbot_id}/widget-keys/{widget['id']}/")
    for key in (widget["public_key"], "dgw_nobodys"):
        refused = await _read(service, key, Origin=SITE)
        assert (refused.status_code, refused.json()["code"]) == (401, "tenancy.unknown_widget_key")


async def test_a_key_is_asked_for_and_bounded(service: Any) -> None:
    client = service.client(Origin=SITE)
    for params in ({}, {"key": ""}, {"key": "d" * 101}):
        assert (await client.get("/api/widget/settings/", params=params)).status_code == 422


async def test_an_address_that_asks_too_often_is_refused_and_its_page_may_read_until_when(
    settings_for: Callable[..., Any], company: Any
) -> None:
    key = (await _widget(company))["public_key"]
    app = create_app(settings_for(limit_requests_per_minute_address=2))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, client=("203.0.113.9", 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://a.test") as client:
            for _ in range(2):
                found = await client.get("/api/widget/settings/", params={"key": key}, headers={"Origin": SITE})
                assert found.status_code == 200
            for origin, readable in ((SITE, SITE), ("https://evil.example", None)):
                refused = await client.get("/api/widget/settings/", params={"key": key}, headers={"Origin": origin})
                assert (refused.status_code, refused.json()["code"]) == (429, "limits.too_many_requests")
                assert refused.headers.get("access-control-allow-origin") == readable
                assert int(refused.headers["retry-after"]) > 0
