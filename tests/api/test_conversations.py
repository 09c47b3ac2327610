"""Conversations over HTTP: archived, searched, exported, and branched by questions asked anew and answers written again."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from tests.api.conftest import Company

SESSIONS = "/api/chatbot/sessions/"
QUESTION = "What discount do gold partners receive?"


async def _messages(company: Company, session_id: str, **params: Any) -> list[dict[str, Any]]:
    answer = await company.api().get(f"{SESSIONS}{session_id}/messages/", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] >= len(answer.json()["messages"])
    messages: list[dict[str, Any]] = answer.json()["messages"]
    return messages


async def _said(company: Company, session_id: str, **params: Any) -> list[str]:
    return [
        message["content"] for message in await _messages(company, session_id, **params) if message["role"] == "user"
    ]


async def _listed(company: Company, **params: Any) -> list[dict[str, Any]]:
    answer = await company.api().get(SESSIONS, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["sessions"])
    sessions: list[dict[str, Any]] = answer.json()["sessions"]
    return sessions


async def _regenerate(company: Company, session_id: str, message_id: str, body: Any = None) -> Any:
    return await company.api().post(f"{SESSIONS}{session_id}/messages/{message_id}/regenerate/", json=body)


# ---- branches


async def test_an_answer_written_again_stands_beside_the_first_and_the_conversation_goes_on_from_it(
    company: Company,
) -> None:
    await company.know()
    session_id = await company.open_session()
    first = await company.ask(QUESTION, session_id=session_id)
    answered = await _regenerate(company, session_id, first["id"])
    assert answered.status_code == 200, answered.text
    again = answered.json()
    assert again["id"] != first["id"]
    assert again["parent_id"] == first["parent_id"]
    assert "17 percent" in again["content"]
    shown = await _messages(company, session_id)
    assert [message["id"] for message in shown] == [first["parent_id"], again["id"]]
    assert [message["alternatives"] for message in shown] == [[], [first["id"], again["id"]]]
    follow_up = await company.ask("And silver partners?", session_id=session_id)
    shown = await _messages(company, session_id)
    assert [message["parent_id"] for message in shown] == [None, first["parent_id"], again["id"], shown[2]["id"]]
    assert follow_up["parent_id"] == shown[2]["id"]


async def test_a_question_asked_anew_begins_a_branch_where_it_stood(company: Company) -> None:
    await company.know()
    session_id = await company.open_session()
    await company.ask(QUESTION, session_id=session_id)
    second = await company.ask("And silver partners?", session_id=session_id)
    await company.ask("And bronze?", session_id=session_id)
    edited = await company.ask("Who pays for returns?", session_id=session_id, replaces=second["parent_id"])
    assert await _said(company, session_id) == [QUESTION, "Who pays for returns?"]
    shown = await _messages(company, session_id)
    assert shown[2]["alternatives"] == [second["parent_id"], edited["parent_id"]]
    assert shown[2]["parent_id"] == shown[1]["id"]
    everything = await _said(company, session_id, all_branches=True)
    assert everything == [QUESTION, "And silver partners?", "And bronze?", "Who pays for returns?"]


async def test_the_first_question_can_be_asked_anew(company: Company) -> None:
    await company.know()
    session_id = await company.open_session()
    first = await company.ask("What is this?", session_id=session_id)
    anew = await company.ask(QUESTION, session_id=session_id, replaces=first["parent_id"])
    assert "17 percent" in anew["content"]
    assert await _said(company, session_id) == [QUESTION]
    [question, _] = await _messages(company, session_id)
    assert question["alternatives"] == [first["parent_id"], question["id"]]


async def test_a_chosen_message_brings_its_branch_back_to_its_end(company: Company) -> None:
    await company.know()
    session_id = await company.open_session()
    first = await company.ask(QUESTION, session_id=session_id)
    second = await company.ask("And silver partners?", session_id=session_id)
    await company.ask("Who pays for returns?", session_id=session_id, replaces=first["parent_id"])
    chosen = await company.api().post(f"{SESSIONS}{session_id}/messages/{first['parent_id']}/select/")
    assert chosen.status_code == 200, chosen.text
    assert [message["id"] for message in await _messages(company, session_id)][-1] == second["id"]
    third = await company.ask("And bronze?", session_id=session_id)
    shown = await _messages(company, session_id)
    assert [message["id"] for message in shown][-1] == third["id"]
    assert await _said(company, session_id) == [QUESTION, "And silver partners?", "And bronze?"]


async def test_what_was_said_on_another_branch_is_no_part_of_the_conversation(company: Company) -> None:
    await company.know()
    session_id = await company.open_session()
    first = await company.ask("What do elephants eat?", session_id=session_id)
    await company.ask(QUESTION, session_id=session_id, replaces=first["parent_id"])
    explained: dict[str, Any] = {"session_id": session_id, "explain": True}
    assert "elephants" not in json.dumps(await company.search("And for them?", **explained)).lower()
    chosen = await company.api().post(f"{SESSIONS}{session_id}/messages/{first['id']}/select/")
    assert chosen.status_code == 200
    assert "elephants" in json.dumps(await company.search("And for them?", **explained)).lower()


async def test_an_answer_written_again_is_streamed_as_any(company: Company, events_of: Any) -> None:
    await company.know()
    session_id = await company.open_session()
    first = await company.ask(QUESTION, session_id=session_id)
    path = f"{SESSIONS}{session_id}/messages/{first['id']}/regenerate/stream/"
    events = events_of(await company.api().post(path, json={"include_sources": False}))
    kinds = [event["type"] for event in events]
    assert kinds[-1] == "complete"
    assert "source" not in kinds
    assert events[-1]["message_id"] == (await _messages(company, session_id))[1]["id"]


@pytest.mark.parametrize("streamed", ["", "stream/"])
async def test_only_answers_are_written_again_and_only_questions_asked_anew(company: Company, streamed: str) -> None:
    session_id = await company.open_session()
    answer = await company.ask(QUESTION, session_id=session_id)
    other = await company.ask(QUESTION)
    path = f"{SESSIONS}{session_id}/messages/"
    for address, body, status, code in (
        (f"{answer['parent_id']}/regenerate/", {}, 422, "chat.not_an_answer"),
        (f"{other['id']}/regenerate/", {}, 404, "chat.message_not_found"),
        (f"{uuid4()}/regenerate/", {}, 404, "chat.message_not_found"),
        ("", {"message": "What?", "replaces": answer["id"]}, 422, "chat.not_a_question"),
        ("", {"message": "What?", "replaces": other["parent_id"]}, 404, "chat.message_not_found"),
    ):
        refused = await company.api().post(f"{path}{address}{streamed}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (status, code), address
    refused = await company.api().post(f"{path}{other['id']}/select/")
    assert (refused.status_code, refused.json()["code"]) == (404, "chat.message_not_found")
    assert len(await _messages(company, session_id, all_branches=True)) == 2  # what was refused left nothing


# ---- archive and search


async def test_an_archived_conversation_leaves_the_list_and_can_be_gone_on_with(company: Company) -> None:
    session_id, other = await company.open_session(title="Old"), await company.open_session(title="New")
    changed = await company.api().patch(f"{SESSIONS}{session_id}/", json={"is_archived": True})
    assert (changed.status_code, changed.json()["is_archived"]) == (200, True)
    assert [session["id"] for session in await _listed(company)] == [other]
    assert [session["id"] for session in await _listed(company, archived=True)] == [session_id]
    await company.ask(QUESTION, session_id=session_id)
    await company.api().patch(f"{SESSIONS}{session_id}/", json={"is_archived": False})
    assert {session["id"] for session in await _listed(company)} == {session_id, other}


async def test_conversations_are_found_by_what_was_said_in_them(company: Company) -> None:
    await company.know()
    discounts, greek = await company.open_session(), await company.open_session(title="Ένα ΤΑΞΊΔΙ 100%_")
    await company.ask(QUESTION, session_id=discounts)
    [found] = await _listed(company, search="17 PERCENT")
    assert found["id"] == discounts
    assert "17 percent" in found["excerpt"]
    [found] = await _listed(company, search="ταξίδι")
    assert (found["id"], found["excerpt"]) == (greek, None)
    assert [session["id"] for session in await _listed(company, search="100%_")] == [greek]
    assert await _listed(company, search="%") == [found]  # no wildcard
    assert await _listed(company, search="zebra") == []


async def test_nobody_finds_what_others_said(company: Company, other_company: Company) -> None:
    await company.ask("Tell me of the narwhal.", who="member")
    for stranger in (company.api("second_member"), company.api("owner"), other_company.api()):
        assert (await stranger.get(SESSIONS, params={"search": "narwhal"})).json()["total"] == 0
    assert (await company.api("member").get(SESSIONS, params={"search": "narwhal"})).json()["total"] == 1


# ---- export


async def test_a_conversation_is_exported_for_people_with_what_was_quoted(company: Company) -> None:
    await company.know()
    session_id = await company.open_session()
    first = await company.ask("Nothing of this?", session_id=session_id)
    await company.ask(QUESTION, session_id=session_id, replaces=first["parent_id"])
    answer = await company.api().get(f"{SESSIONS}{session_id}/export/")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/markdown")
    assert answer.headers["content-disposition"] == 'attachment; filename="Nothing-of-this.md"'
    lines = answer.text.splitlines()
    assert lines[0] == "# Nothing of this?"
    assert [line.split(",")[0] for line in lines if line.startswith("## ")] == ["## Question", "## Answer"]
    assert QUESTION in lines
    [source] = [line for line in lines if line.startswith("- [1]")]
    assert "17 percent" in source


async def test_an_export_for_programs_has_all_branches_and_forgets_what_was_deleted(company: Company) -> None:
    document = await company.know()
    session_id = await company.open_session(title="日本")
    first = await company.ask(QUESTION, session_id=session_id)
    await _regenerate(company, session_id, first["id"])
    assert (await company.api().delete(f"/api/chatbot/documents/{document['id']}/")).status_code == 204
    answer = await company.api().get(f"{SESSIONS}{session_id}/export/", params={"format": "json"})
    assert answer.headers["content-disposition"] == 'attachment; filename="conversation.json"'
    exported = json.loads(answer.text)
    assert exported["session"]["id"] == session_id
    assert [message["role"] for message in exported["messages"]] == ["user", "assistant", "assistant"]
    assert [source["excerpt"] for message in exported["messages"] for source in message["sources"]] == ["", ""]
    markdown = (await company.api().get(f"{SESSIONS}{session_id}/export/")).text
    assert "- [1] (deleted)" in markdown


async def test_an_unknown_format_is_refused(company: Company) -> None:
    session_id = await company.open_session()
    assert (await company.api().get(f"{SESSIONS}{session_id}/export/", params={"format": "pdf"})).status_code == 422
