"""Sessions, questions and answers over HTTP: extractive answers, the stream, the turn record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from starlette.requests import ClientDisconnect

from dragoman.kit.database import DatabaseUnavailableError

QUESTION = "What discount do gold partners receive on projectors?"
Events = Callable[[Any], list[dict[str, Any]]]


async def _stream(company: Any, question: str, **body: Any) -> Any:
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/stream/"
    return await company.api().post(path, json={"message": question, **body})


async def _turns(service: Any, company: Any) -> list[Any]:
    async with service.deps.database.transaction(company.tenant_id) as connection:
        return list(await connection.execute(text("select * from turns order by id")))


# ---- answers


async def test_an_answer_quotes_the_document_and_its_citation_stands_there_word_for_word(
    company: Any, service: Any
) -> None:
    document = await company.know()
    answer = await company.ask(QUESTION)
    assert "17 percent" in answer["content"]
    assert "[1]" in answer["content"]
    source = answer["sources"][0]
    assert (source["number"], source["doc_id"], source["deleted"]) == (1, document["id"], False)
    async with service.deps.database.transaction(company.tenant_id) as connection:
        stored = (
            await connection.execute(text("select text from chunks where id = :id"), {"id": source["chunk_id"]})
        ).scalar_one()
    assert stored[source["start"] : source["end"]] == source["excerpt"]
    assert "17 percent" in source["excerpt"]
    assert (answer["answered"], answer["language"], answer["degraded"]) == (True, "en", [])
    assert answer["usage"]["embedding_calls"] == 1
    assert answer["usage"]["llm_calls"] == 0
    assert {"load", "understand", "retrieve", "generate", "store", "total"} <= set(answer["timings"])
    [sentence] = answer["grounding"]["sentences"]
    quality = answer["quality"]
    assert answer["grounding"] == {"method": "quotation", "score": 1.0, "sentences": [sentence], "quality": quality}
    assert quality == pytest.approx(answer["confidence"] ** 0.5, abs=1e-3)
    assert answer["content"][sentence["start"] : sentence["end"]] == answer["content"]
    assert sentence["spans"] == [{"number": 1, "start": source["start"], "end": source["end"]}]
    assert (sentence["grounded"], sentence["sources"], sentence["reason"]) == (True, [1], None)


async def test_a_question_that_nothing_answers_gets_i_do_not_know_in_its_own_language(company: Any) -> None:
    await company.know()
    english = await company.ask("Who is the president of Peru and how old are his seven horses?")
    german = await company.ask("Wie heißt eigentlich die Hauptstadt der Mongolei und wie viele Menschen wohnen dort?")
    assert (english["answered"], english["sources"]) == (False, [])
    assert english["content"].startswith("I don't know")
    assert (german["language"], german["sources"]) == ("de", [])
    assert german["content"].startswith("Das weiß ich nicht")


async def test_i_do_not_know_offers_the_nearest_documents_without_citing_them(company: Any) -> None:
    document = await company.know()
    answer = await company.ask("Who is the president of Peru and how old are his seven horses?")
    [offered] = answer["nearest_documents"]
    assert (offered["doc_id"], answer["sources"]) == (document["id"], [])
    assert answer["content"].endswith(f"The nearest documents:\n- {offered['title']}")
    known = await company.ask(QUESTION)
    assert known["nearest_documents"] == []


async def test_a_chatbot_without_documents_says_it_does_not_know(company: Any) -> None:
    answer = await company.ask(QUESTION)
    assert not answer["answered"]
    assert answer["content"].startswith("I don't know")


async def test_sources_are_left_out_when_they_are_not_wanted(company: Any, events_of: Events) -> None:
    await company.know()
    assert (await company.ask(QUESTION, include_sources=False))["sources"] == []
    events = events_of(await _stream(company, QUESTION, include_sources=False))
    assert "source" not in [event["type"] for event in events]
    assert events[-1]["type"] == "complete"


# ---- the stream


async def test_the_stream_sends_status_tokens_sources_and_one_complete_in_this_order(
    company: Any, events_of: Events
) -> None:
    document = await company.know()
    response = await _stream(company, QUESTION)
    events = events_of(response)
    kinds = [event["type"] for event in events]
    assert kinds == sorted(kinds, key=["status", "token", "source", "complete"].index)
    assert set(kinds) == {"status", "token", "source", "complete"}
    assert kinds.count("complete") == 1
    stages = [event["stage"] for event in events if event["type"] == "status"]
    assert stages == ["understanding", "searching", "reading", "writing"]
    source = next(event for event in events if event["type"] == "source")
    assert source["doc_id"] == document["id"]
    assert source["title"]
    assert "17 percent" in source["excerpt"]
    complete = events[-1]
    assert isinstance(complete["tokens"], int)
    session_id = complete["session_id"]
    messages = (await company.api().get(f"/api/chatbot/sessions/{session_id}/messages/")).json()["messages"]
    said = "".join(event["content"] for event in events if event["type"] == "token")
    assert (messages[1]["id"], messages[1]["content"], messages[1]["state"]) == (
        complete["message_id"],
        said,
        "complete",
    )
    assert response.headers["cache-control"] == "no-cache"


async def test_a_stored_answer_says_what_the_end_of_its_stream_said(
    company: Any, other_company: Any, events_of: Events
) -> None:
    await company.know()
    complete = events_of(await _stream(company, QUESTION))[-1]
    await company.ask("Who won the cup of nations in the year 1903?", session_id=complete["session_id"])
    path = f"/api/chatbot/sessions/{complete['session_id']}/messages/"
    question, answer, _, unknown = (await company.api().get(path)).json()["messages"]

    assert question["facts"] is None
    retold = events_of(await company.api().get(f"{path}{answer['id']}/stream/"))[-1]
    assert answer["facts"] == {name: retold[name] for name in answer["facts"]}
    measured = {"timings", "usage"}  # of storing it too
    assert all(answer["facts"][name] == complete[name] for name in answer["facts"].keys() - measured)
    assert answer["facts"]["timings"]["generate"] == complete["timings"]["generate"]
    assert set(answer["facts"]) >= {"answered", "degraded", "grounding", "timings", "usage", "confidence", "model"}
    assert (answer["facts"]["answered"], unknown["facts"]["answered"]) == (True, False)
    assert (await other_company.api().get(path)).status_code == 404


async def test_the_stream_and_its_twin_without_streaming_say_the_same(company: Any, events_of: Events) -> None:
    await company.know()
    await company.ask(QUESTION)  # from now on its vector is remembered, so that both take the same calls
    whole = await company.ask(QUESTION)
    events = events_of(await _stream(company, QUESTION))
    assert "".join(event["content"] for event in events if event["type"] == "token") == whole["content"]
    sources = [{**event} for event in events if event["type"] == "source"]
    for source in sources:
        del source["type"]
    assert sources == whole["sources"]
    for fact in ("answered", "confidence", "usage", "grounding", "degraded", "model", "language"):
        assert events[-1][fact] == whole[fact], fact


async def test_a_silent_stream_sends_heartbeat_comments(
    company: Any, service: Any, events_of: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    await company.know()
    monkeypatch.setattr("dragoman.kit.heartbeat.HEARTBEAT_S", 0.02)
    real = service.deps.inference.embed_question

    async def slow(*args: Any) -> Any:
        await asyncio.sleep(0.15)
        return await real(*args)

    monkeypatch.setattr(service.deps.inference, "embed_question", slow)
    response = await _stream(company, QUESTION)
    assert response.text.count(": heartbeat\n\n") >= 2
    assert events_of(response)[-1]["type"] == "complete"


@pytest.mark.parametrize(
    ("failure", "code"), [(DatabaseUnavailableError(), "database.unavailable"), (RuntimeError("secret"), "internal")]
)
async def test_a_failure_after_the_stream_has_begun_is_an_error_event(
    company: Any, events_of: Events, monkeypatch: pytest.MonkeyPatch, failure: Exception, code: str
) -> None:
    async def fail(*_args: Any, **_kwargs: Any) -> None:
        raise failure

    monkeypatch.setattr("dragoman.chat.answer._store", fail)
    response = await _stream(company, QUESTION)
    last = events_of(response)[-1]
    assert (response.status_code, last["type"], last["code"]) == (200, "error", code)
    assert last["detail"]
    assert "secret" not in response.text


async def test_a_stream_in_a_session_that_does_not_exist_is_a_plain_404(company: Any) -> None:
    path = "/api/chatbot/sessions/019a0000-0000-7000-8000-000000000000/messages/stream/"
    refused = await company.api().post(path, json={"message": QUESTION})
    assert (refused.status_code, refused.json()["code"]) == (404, "chat.session_not_found")


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
async def test_a_client_that_goes_away_leaves_an_interrupted_message(
    company: Any, service: Any, monkeypatch: pytest.MonkeyPatch, script: Callable[..., None], spec_version: str
) -> None:
    """Servers of ASGI 2.3 tell of it by a message, those of 2.4 by an error from `send`."""
    await company.know()
    script(replies=["one two three four five six seven eight nine ten"], delay_ms=50)
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"answerer": "scripted"}})
    session_id = await company.open_session()
    await _leave_after(service, company, session_id, spec_version, b'"token"', times=2)
    messages = await _wait_for_messages(company, session_id)
    assert [message["state"] for message in messages] == ["complete", "interrupted"]
    assert messages[1]["content"].startswith("one two")
    assert "ten" not in messages[1]["content"]
    [turn] = await _turns(service, company)
    assert "interrupted" in turn.degraded
    assert turn.retrieved


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
async def test_a_client_that_goes_away_at_a_heartbeat_leaves_an_interrupted_message(
    company: Any, service: Any, monkeypatch: pytest.MonkeyPatch, script: Callable[..., None], spec_version: str
) -> None:
    await company.know()
    monkeypatch.setattr("dragoman.kit.heartbeat.HEARTBEAT_S", 0.05)
    script(replies=["one two three"], delay_ms=400)
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"answerer": "scripted"}})
    session_id = await company.open_session()
    await _leave_after(service, company, session_id, spec_version, b": heartbeat", times=10)
    messages = await _wait_for_messages(company, session_id)
    assert [message["state"] for message in messages] == ["complete", "interrupted"]


async def _wait_for_messages(company: Any, session_id: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for _ in range(100):
        messages = (await company.api().get(f"/api/chatbot/sessions/{session_id}/messages/")).json()["messages"]
        if len(messages) == 2:
            break
        await asyncio.sleep(0.02)
    return messages


async def _leave_after(
    service: Any, company: Any, session_id: str, spec_version: str, sign: bytes, *, times: int
) -> None:
    body = json.dumps({"message": QUESTION}).encode()
    left = asyncio.Event()
    seen = 0
    sent_body = False

    async def receive() -> dict[str, Any]:
        nonlocal sent_body
        if not sent_body:
            sent_body = True
            return {"type": "http.request", "body": body, "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal seen
        if left.is_set() and spec_version == "2.4":
            raise OSError("the client is gone")
        seen += message.get("body", b"").count(sign)
        if seen >= times:
            left.set()

    path = f"/api/chatbot/sessions/{session_id}/messages/stream/"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"dragoman.test"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-api-key", company.secrets["owner"].encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("dragoman.test", 80),
    }
    with suppress(ClientDisconnect):
        await asyncio.wait_for(service.app(scope, receive, send), timeout=10)


# ---- sessions


async def test_a_session_is_made_shown_changed_and_deleted(company: Any) -> None:
    api = company.api()
    session_id = await company.open_session(title="Projectors", settings={"language": "de"})
    path = f"/api/chatbot/sessions/{session_id}/"
    shown = (await api.get(path)).json()
    assert (shown["title"], shown["settings"], shown["is_active"], shown["state"]) == (
        "Projectors",
        {"language": "de"},
        True,
        "bot",
    )
    assert shown["chatbot_id"] == str(company.chatbot_id)
    changed = (await api.patch(path, json={"title": "Lamps", "is_active": False})).json()
    assert (changed["title"], changed["is_active"], changed["settings"]) == ("Lamps", False, {"language": "de"})
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404
    assert (await api.delete(path)).status_code == 404


async def test_a_session_is_named_after_its_first_question_and_keeps_that_name(company: Any) -> None:
    session_id = await company.open_session()
    long_question = "  What   discount do gold partners receive " + "on projectors and lamps " * 10
    await company.ask(long_question, session_id=session_id)
    await company.ask("And the warranty?", session_id=session_id)
    title = (await company.api().get(f"/api/chatbot/sessions/{session_id}/")).json()["title"]
    assert title.startswith("What discount do gold partners receive on projectors")
    assert title.endswith("…")
    assert len(title) <= 81


async def test_sessions_are_listed_in_pages_the_latest_used_first(company: Any) -> None:
    first, second, third = [await company.open_session(title=f"Session {number}") for number in range(3)]
    await company.ask("What about lamps?", session_id=first)
    page = (await company.api().get("/api/chatbot/sessions/", params={"limit": 2})).json()
    rest = (await company.api().get("/api/chatbot/sessions/", params={"limit": 2, "offset": 2})).json()
    assert [session["id"] for session in page["sessions"] + rest["sessions"]] == [first, third, second]
    assert (page["total"], page["limit"], page["offset"], rest["offset"]) == (3, 2, 0, 2)


async def test_messages_are_listed_in_the_order_they_were_said_with_their_sources(company: Any) -> None:
    await company.know()
    session_id = await company.open_session()
    answer = await company.ask(QUESTION, session_id=session_id)
    await company.ask("How long is the warranty of the Aurora projector?", session_id=session_id)
    path = f"/api/chatbot/sessions/{session_id}/messages/"
    listed = (await company.api().get(path)).json()
    assert [message["role"] for message in listed["messages"]] == ["user", "assistant", "user", "assistant"]
    assert listed["messages"][1]["sources"] == answer["sources"]
    parents = [message["parent_id"] for message in listed["messages"]]
    assert parents == [None, *[message["id"] for message in listed["messages"][:-1]]]
    page = (await company.api().get(path, params={"limit": 1, "offset": 1})).json()
    assert ([message["id"] for message in page["messages"]], page["total"]) == ([answer["id"]], 4)


async def test_a_session_over_chosen_documents_answers_from_these_only(company: Any) -> None:
    await company.know()
    other = await company.know("# Parking\n\nVisitors park their cars behind the red building.\n", "parking.md")
    session_id = await company.open_session(document_ids=[other["id"]])
    shown = (await company.api().get(f"/api/chatbot/sessions/{session_id}/")).json()
    assert shown["document_ids"] == [other["id"]]
    assert not (await company.ask(QUESTION, session_id=session_id))["answered"]
    parking = await company.ask("Where do visitors park their cars?", session_id=session_id)
    assert "red building" in parking["content"]
    assert {source["doc_id"] for source in parking["sources"]} == {other["id"]}


async def test_the_settings_of_a_chatbot_rule_its_answers(company: Any) -> None:
    await company.know()
    path = f"/api/chatbots/{company.chatbot_id}/"
    strict = await company.api().patch(path, json={"settings": {"confidence_threshold": 1.0}})
    assert strict.json()["settings"]["confidence_threshold"] == 1.0
    assert not (await company.ask(QUESTION))["answered"]
    await company.api().patch(path, json={"settings": {"confidence_threshold": None}})
    assert (await company.ask(QUESTION))["answered"]


async def test_a_second_chatbot_has_its_own_documents_and_goes_with_them(company: Any, service: Any) -> None:
    made = (await company.api().post("/api/chatbots/", json={"name": "Second"})).json()
    await company.know(chatbot_id=made["id"])
    assert (await company.search(QUESTION))["results"] == []
    assert (await company.search(QUESTION, chatbot_id=made["id"]))["results"]
    default = await company.api().delete(f"/api/chatbots/{company.chatbot_id}/")
    assert (default.status_code, default.json()["code"]) == (409, "tenancy.default_chatbot")
    assert (await company.api().delete(f"/api/chatbots/{made['id']}/")).status_code == 204
    await service.run_jobs()
    refused = await company.api().post("/api/search", json={"query": QUESTION, "chatbot_id": made["id"]})
    assert refused.status_code == 404


# ---- the turn record


async def test_a_turn_is_recorded_whole(company: Any, service: Any) -> None:
    await company.know()
    chatbot = (await company.api().get(f"/api/chatbots/{company.chatbot_id}/")).json()
    answer = await company.ask(QUESTION)
    [turn] = await _turns(service, company)
    assert str(turn.answer_id) == answer["id"]
    assert str(turn.question_id) == answer["parent_id"]
    assert turn.asker.startswith("user:")
    assert turn.language == "en"
    assert turn.provider_model == "extractive"
    assert turn.embedding_version == service.deps.embedding_version_id
    assert turn.knowledge_revision == chatbot["knowledge_revision"] >= 1
    assert turn.answered
    assert turn.confidence == answer["confidence"]
    assert turn.usage == answer["usage"]
    assert turn.timings["total"] >= turn.timings["retrieve"] > 0.0
    assert turn.degraded == []
    assert turn.variants == {}
    cited = {entry["chunk_id"] for entry in turn.retrieved if entry["cited"]}
    assert cited == {source["chunk_id"] for source in answer["sources"]}
    assert [entry["rank"] for entry in turn.retrieved] == list(range(1, len(turn.retrieved) + 1))


async def test_a_follow_up_is_completed_from_its_conversation(company: Any, service: Any) -> None:
    await company.know(
        "# Pumps\n\nThe NX-4100 pump has a warranty of three years. The LX-200 pump has one of one year."
    )
    session_id = await company.open_session()
    await company.ask("What does the NX-4100 pump offer?", session_id=session_id)
    await company.ask("And how long is its warranty?", session_id=session_id)
    first, second = await _turns(service, company)
    assert first.rewritten_question is None
    assert "NX-4100" in second.rewritten_question


async def test_the_knowledge_revision_rises_with_each_change_of_the_documents(company: Any) -> None:
    async def revision() -> int:
        shown = await company.api().get(f"/api/chatbots/{company.chatbot_id}/")
        number: int = shown.json()["knowledge_revision"]
        return number

    before = await revision()
    document = await company.know()
    read = await revision()
    await company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    assert before < read < await revision()


@pytest.fixture(autouse=True)
async def _no_answer_is_still_being_stored() -> AsyncIterator[None]:
    yield
    from dragoman.chat.answer import _unfinished

    await asyncio.gather(*_unfinished.values())


async def test_a_closed_session_takes_no_questions_until_it_is_opened_again(company: Any) -> None:
    path = f"/api/chatbot/sessions/{await company.open_session()}/"
    api = company.api()
    assert (await api.patch(path, json={"is_active": False})).json()["is_active"] is False
    for way in ("messages/", "messages/stream/"):
        refused = await api.post(f"{path}{way}", json={"message": "Still there?"})
        assert (refused.status_code, refused.json()["code"]) == (409, "chat.session_closed")
    assert (await api.patch(path, json={"is_active": True})).status_code == 200
    assert (await api.post(f"{path}messages/", json={"message": "Still there?"})).status_code == 200


async def test_a_session_cannot_be_narrowed_to_documents_of_another_chatbot(company: Any) -> None:
    document = await company.know("# Returns\n\nStock can be returned within 45 days.")
    other = (await company.api().post("/api/chatbots/", json={"name": "Other"})).json()["id"]
    body = {"chatbot_id": other, "document_ids": [document["id"]]}
    assert (await company.api().post("/api/chatbot/sessions/", json=body)).status_code == 404


async def test_an_open_session_is_narrowed_and_widened_and_the_next_question_obeys(company: Any) -> None:
    handbook = await company.know()
    other = await company.know("# Parking\n\nVisitors park behind the warehouse.\n", "parking.md")
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/"
    question = "What discount do gold partners receive?"
    assert (await company.ask(question, session_id=session_id))["answered"]

    narrowed = await company.api().patch(path, json={"document_ids": [other["id"]]})
    assert (narrowed.status_code, narrowed.json()["document_ids"]) == (200, [other["id"]])
    assert not (await company.ask(question, session_id=session_id))["answered"]
    assert (await company.api().patch(path, json={"title": "Discounts"})).json()["document_ids"] == [other["id"]]

    both = await company.api().patch(path, json={"document_ids": [other["id"], handbook["id"]]})
    assert both.json()["document_ids"] == [other["id"], handbook["id"]]
    assert (await company.ask(question, session_id=session_id))["answered"]
    widened = await company.api().patch(path, json={"document_ids": None})
    assert (widened.status_code, widened.json()["document_ids"]) == (200, None)
    assert widened.json()["title"] == "Discounts"


async def test_an_open_session_cannot_be_narrowed_to_what_its_asker_does_not_see(
    company: Any, other_company: Any
) -> None:
    elsewhere = (await company.api().post("/api/chatbots/", json={"name": "Second"})).json()["id"]
    documents = {
        "private to another": await company.know(who="member", visibility="private"),
        "another chatbot's": await company.know(chatbot_id=elsewhere),
        "another tenant's": await other_company.know(),
    }
    session_id = await company.open_session("second_member")
    path = f"/api/chatbot/sessions/{session_id}/"
    for whose, document in documents.items():
        refused = await company.api("second_member").patch(path, json={"document_ids": [document["id"]]})
        assert (refused.status_code, refused.json()["code"]) == (404, "knowledge.document_not_found"), whose
    assert (await company.api("second_member").get(path)).json()["document_ids"] is None
