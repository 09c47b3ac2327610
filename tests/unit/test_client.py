"""The typed client: what it sends, what it makes of answers and errors."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

import dragoman.client
from dragoman.client import (
    ApiError,
    CompleteEvent,
    ConnectionFailedError,
    DocumentFailedError,
    Dragoman,
    ErrorEvent,
    FileContent,
    NotReadyInTimeError,
    SourceEvent,
    StatusEvent,
    TokenEvent,
)

from .conftest import KEY, FakeDragoman, create_fake_app

RETURNS = FileContent(name="returns.md", content=b"Goods may be returned within 42 days.", mime_type="text/markdown")


@pytest.fixture
async def client(fake: FakeDragoman) -> AsyncIterator[Dragoman]:
    transport = httpx.ASGITransport(app=create_fake_app(fake))
    async with Dragoman("http://dragoman.test/", KEY, transport=transport) as client:
        yield client


def test_the_client_imports_nothing_else_of_dragoman() -> None:
    folder = Path(dragoman.client.__file__).parent
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dragoman"):
                assert (node.module or "").startswith("dragoman.client"), f"{file.name} imports {node.module}"


async def test_an_uploaded_file_arrives_whole_with_what_was_said_of_it(
    client: Dragoman, fake: FakeDragoman, tmp_path: Path
) -> None:
    file = tmp_path / "big.md"
    file.write_bytes(b"0123456789" * 50_000)
    uploaded = await client.documents.upload(
        file, title="Big", category="c", tags=["x", "y"], external_id="e/1", metadata={"region": "EMEA"}, bulk=True
    )
    stored = fake.documents[str(uploaded.id)]
    assert fake.contents[str(uploaded.id)] == file.read_bytes()
    assert (stored["title"], stored["category"], stored["external_id"]) == ("Big", "c", "e/1")
    assert (stored["tags"], stored["metadata"]) == (["x", "y"], {"region": "EMEA"})
    assert not uploaded.is_duplicate


async def test_waiting_ends_when_the_document_is_searchable_and_shows_the_way_there(
    client: Dragoman, fake: FakeDragoman
) -> None:
    fake.polls_until_ready = 2
    uploaded = await client.documents.upload(RETURNS)
    states: list[str] = []
    document = await client.documents.wait_until_ready(
        uploaded.id, on_status=lambda status: states.append(status.state)
    )
    assert document.processed_at is not None
    assert states == ["queued", "queued", "ready"]


async def test_a_replacement_is_ready_only_when_its_new_version_is(client: Dragoman, fake: FakeDragoman) -> None:
    first = await client.documents.upload(RETURNS, external_id="r")
    await client.documents.wait_until_ready(first.id)
    fake.polls_until_ready = 3
    changed = FileContent(name="returns.md", content=b"Now 50 days.")
    second = await client.documents.upload(changed, external_id="r")
    assert (second.id, second.state) == (first.id, "ready")
    states: list[str] = []
    document = await client.documents.wait_until_ready(second.id, on_status=lambda status: states.append(status.state))
    assert (document.version, len(states)) == (2, 4)


async def test_waiting_for_a_document_that_cannot_be_read_says_why(client: Dragoman) -> None:
    uploaded = await client.documents.upload(FileContent(name="bad.pdf", content=b"x"))
    with pytest.raises(DocumentFailedError, match="damaged") as caught:
        await client.documents.wait_until_ready(uploaded.id)
    assert caught.value.code == "ingestion.damaged"


async def test_waiting_has_an_end(client: Dragoman, fake: FakeDragoman) -> None:
    fake.polls_until_ready = 1000
    uploaded = await client.documents.upload(RETURNS)
    with pytest.raises(NotReadyInTimeError, match="embedding"):
        await client.documents.wait_until_ready(uploaded.id, timeout_s=0.0)


async def test_lists_go_on_over_pages(client: Dragoman, fake: FakeDragoman) -> None:
    for number in range(205):
        fake.add_chatbot(f"bot {number}")
    names = [chatbot.name async for chatbot in client.chatbots.list()]
    assert len(names) == len(set(names)) == 206


async def test_a_problem_document_becomes_an_api_error(client: Dragoman) -> None:
    with pytest.raises(ApiError) as caught:
        await client.chatbots.get("00000000-0000-0000-0000-000000000000")
    error = caught.value
    assert (error.status, error.code, error.request_id) == (404, "tenancy.chatbot_not_found", "req-1")
    assert str(error) == "There is no such chatbot."


async def test_a_wrong_key_is_an_api_error_401(fake: FakeDragoman) -> None:
    async with Dragoman("http://x", "dgm_bad", transport=httpx.ASGITransport(app=create_fake_app(fake))) as client:
        with pytest.raises(ApiError) as caught:
            await client.search("anything")
    assert caught.value.status == 401


async def test_a_busy_server_is_asked_again_with_the_whole_file(
    client: Dragoman, fake: FakeDragoman, tmp_path: Path
) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(b"the whole content")
    fake.busy = 2
    uploaded = await client.documents.upload(file)
    assert fake.contents[str(uploaded.id)] == b"the whole content"


async def test_a_server_that_stays_busy_is_reported_with_its_wish(client: Dragoman, fake: FakeDragoman) -> None:
    fake.busy = 100
    with pytest.raises(ApiError) as caught:
        await client.check_health()
    assert (caught.value.status, caught.value.retry_after_s) == (503, 0.0)


async def test_nobody_at_the_address_is_a_connection_failure() -> None:
    async with Dragoman("http://127.0.0.1:9", KEY) as client:
        with pytest.raises(ConnectionFailedError, match="dragoman up"):
            await client.check_health()


async def test_an_answer_that_is_no_json_still_becomes_an_api_error() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(502, text="<html>Bad gateway</html>"))
    async with Dragoman("http://x", KEY, transport=transport) as client:
        with pytest.raises(ApiError) as caught:
            await client.check_health()
    assert (caught.value.status, caught.value.code) == (502, "http_502")


async def test_a_question_gets_an_answer_with_its_sources(client: Dragoman) -> None:
    await client.documents.upload(RETURNS, external_id="returns.md")
    answer = await client.ask("When may goods be returned?")
    assert answer.answered
    assert "42 days" in answer.content
    assert [source.external_id for source in answer.sources] == ["returns.md"]


async def test_a_stream_brings_typed_events_in_their_order(client: Dragoman) -> None:
    await client.documents.upload(RETURNS)
    events = [event async for event in client.ask_stream("When may goods be returned?")]
    assert [type(event) for event in events] == [StatusEvent, *[TokenEvent] * 7, SourceEvent, CompleteEvent]


async def test_an_error_within_a_stream_is_its_last_event(client: Dragoman) -> None:
    await client.documents.upload(RETURNS)
    events = [event async for event in client.ask_stream("please break, goods")]
    assert isinstance(events[-1], ErrorEvent)
    assert events[-1].code == "inference.llm_unavailable"


async def test_a_stream_that_is_refused_is_an_api_error(client: Dragoman) -> None:
    with pytest.raises(ApiError) as caught:
        async for _ in client.messages.stream("00000000-0000-0000-0000-000000000000", "hello"):
            pass
    assert caught.value.code == "chat.session_not_found"


async def test_fields_of_a_newer_server_are_kept(client: Dragoman, fake: FakeDragoman) -> None:
    fake.default_chatbot["mood"] = "good"
    chatbot = await client.chatbots.get(fake.default_chatbot["id"])
    assert chatbot.model_dump()["mood"] == "good"
