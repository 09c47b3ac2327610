"""How many messages an asker may send in a minute, through every door."""

from __future__ import annotations

from typing import Any

import pytest

QUESTION = "What discount do gold partners receive?"


@pytest.fixture
async def company(company: Any) -> Any:
    settings = {"messages_per_minute": 2}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    return company


async def _send(company: Any, who: str, session_id: str, how: str = "") -> Any:
    path = f"/api/chatbot/sessions/{session_id}/messages/{how}"
    return await company.api(who).post(path, json={"message": QUESTION})


@pytest.mark.parametrize("how", ["", "stream/"])
async def test_the_message_after_the_last_is_refused_with_the_time_to_wait(company: Any, how: str) -> None:
    session_id = await company.open_session("member")
    for _ in range(2):
        assert (await _send(company, "member", session_id, how)).status_code == 200
    refused = await _send(company, "member", session_id, how)
    assert (refused.status_code, refused.json()["code"]) == (429, "chat.too_many_messages")
    assert 50 <= int(refused.headers["Retry-After"]) <= 60
    messages = (await company.api("member").get(f"/api/chatbot/sessions/{session_id}/messages/")).json()
    assert messages["total"] == 4, "what was refused is not stored"


async def test_every_door_counts(company: Any) -> None:
    await company.ask(QUESTION, who="member")
    body = {"model": "dragoman", "messages": [{"role": "user", "content": QUESTION}]}
    answered = await company.api("member").post("/v1/chat/completions", json=body)
    assert answered.status_code == 200, answered.text
    refused = await company.api("member").post("/v1/chat/completions", json=body)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    session_id = await company.open_session("member")
    assert (await _send(company, "member", session_id)).status_code == 429


async def test_askers_count_apart_and_who_manages_has_a_limit_of_their_own(company: Any) -> None:
    for _ in range(2):
        await company.ask(QUESTION, who="member")
    await company.ask(QUESTION, who="second_member")
    for _ in range(4):
        await company.ask(QUESTION)
    settings = {"messages_per_minute_managers": 1}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    session_id = await company.open_session()
    assert (await _send(company, "owner", session_id)).status_code == 200
    assert (await _send(company, "owner", session_id)).status_code == 429


async def test_nought_is_no_limit(company: Any) -> None:
    settings = {"messages_per_minute": 0}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    session_id = await company.open_session("member")
    for _ in range(4):
        assert (await _send(company, "member", session_id)).status_code == 200
