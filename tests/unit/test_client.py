"""The typed client: what it sends, what it makes of answers and errors."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from datetime import UTC, datetime
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


# ---- documents: many at once


async def test_many_files_go_in_few_requests_and_each_has_its_own_result(
    client: Dragoman, fake: FakeDragoman, tmp_path: Path
) -> None:
    files = [_file(tmp_path / f"{number}.md", f"text {number}") for number in range(220)]
    files[60] = _file(tmp_path / "60.bin", "no text")
    names = [f"docs/{file.name}" for file in files]
    results = [result async for result in client.documents.upload_many(files, external_ids=names, tags=["a", "b"])]
    assert [result.file_name for result in results] == [file.name for file in files]
    assert [result.accepted for result in results].count(False) == 1
    assert (results[60].error_code, results[60].id) == ("ingestion.unsupported_type", None)
    assert {each["external_id"] for each in fake.documents.values()} == {*names} - {"docs/60.bin"}
    assert fake.contents[str(results[219].id)] == b"text 219"
    assert fake.documents[str(results[0].id)]["tags"] == ["a", "b"]
    assert len([each for each in fake.requests if each.startswith("POST")]) == 3


async def test_a_file_that_cannot_be_opened_is_told_of_in_its_place(client: Dragoman, tmp_path: Path) -> None:
    files = [_file(tmp_path / "a.md", "one"), tmp_path / "gone.md", tmp_path, _file(tmp_path / "b.md", "two")]
    results = [result async for result in client.documents.upload_many(files)]
    assert [result.accepted for result in results] == [True, False, False, True]
    assert [result.error_code for result in results] == [None, "unreadable", "unreadable", None]
    assert results[1].file_name == "gone.md"


async def test_a_request_that_is_too_large_is_sent_in_halves(client: Dragoman, fake: FakeDragoman) -> None:
    fake.largest_batch = 100
    files = [FileContent(name=f"{number}.md", content=b"x" * 40) for number in range(5)]
    files[3] = FileContent(name="3.md", content=b"x" * 101)
    results = [result async for result in client.documents.upload_many(files)]
    assert [(result.file_name, result.accepted) for result in results] == [
        ("0.md", True), ("1.md", True), ("2.md", True), ("3.md", False), ("4.md", True),
    ]  # fmt: skip
    assert results[3].error_code == "ingestion.too_large"
    assert len(fake.documents) == 4


async def test_a_busy_server_gets_the_whole_batch_again(client: Dragoman, fake: FakeDragoman, tmp_path: Path) -> None:
    fake.busy = 1
    files = [_file(tmp_path / "a.md", "one"), _file(tmp_path / "b.md", "two")]
    results = [result async for result in client.documents.upload_many(files)]
    assert [fake.contents[str(result.id)] for result in results] == [b"one", b"two"]


async def test_many_files_need_as_many_names(client: Dragoman) -> None:
    with pytest.raises(ValueError, match="1 files but 2 external ids"):
        _ = [result async for result in client.documents.upload_many([RETURNS], external_ids=["a", "b"])]


async def test_a_list_of_addresses_is_handed_over_with_what_is_said_of_them(
    client: Dragoman, fake: FakeDragoman
) -> None:
    urls = ["https://example.com/a", "https://example.com/b"]
    accepted = await client.documents.upload_urls(urls, category="web")
    assert [job.url for job in accepted.jobs] == urls
    assert fake.bodies == [{"urls": urls, "category": "web"}]


# ---- documents: looking, changing


async def test_lists_are_narrowed_by_what_is_given_and_by_nothing_else(client: Dragoman, fake: FakeDragoman) -> None:
    since = datetime(2026, 1, 2, tzinfo=UTC)
    listed = client.documents.list(
        approval="pending", search="returns", min_quality=0.5, uploaded_after=since, tag=None
    )
    _ = [document async for document in listed]
    assert fake.queries[-1] == {
        "approval": "pending", "search": "returns", "min_quality": "0.5", "uploaded_after": "2026-01-02T00:00:00+00:00",
        "limit": "200", "offset": "0",
    }  # fmt: skip


async def test_a_replacement_and_a_restored_version_are_versions(client: Dragoman, fake: FakeDragoman) -> None:
    first = await client.documents.upload(RETURNS)
    second = await client.documents.replace(first.id, FileContent(name="returns.md", content=b"Now 50 days."))
    assert (second.id, second.version, second.is_duplicate) == (first.id, 2, False)
    third = await client.documents.restore(first.id, 1)
    assert third.version == 3
    versions = await client.documents.list_versions(first.id)
    assert [(each.version, each.is_live, each.made_from) for each in versions] == [
        (3, True, 1), (2, False, None), (1, False, None),
    ]  # fmt: skip
    assert fake.contents[str(first.id)] == RETURNS.content


async def test_a_download_is_the_file_and_its_name_leads_nowhere_else(
    client: Dragoman, fake: FakeDragoman, tmp_path: Path
) -> None:
    uploaded = await client.documents.upload(FileContent(name="rück gabe.md", content=b"0123456789" * 100_000))
    folder = tmp_path / "downloads"
    folder.mkdir()
    assert await client.documents.download(uploaded.id, folder) == folder / "rück gabe.md"
    assert (folder / "rück gabe.md").read_bytes() == fake.contents[str(uploaded.id)]
    assert await client.documents.download(uploaded.id, tmp_path / "x", version=1) == tmp_path / "x"
    with pytest.raises(ApiError, match="no version"):
        await client.documents.download(uploaded.id, tmp_path / "y", version=9)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["downloads", "x"]


async def test_a_download_that_breaks_off_leaves_what_was_there(fake_server: FakeDragoman, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.write_text("old")
    async with Dragoman(fake_server.url, KEY) as client:
        uploaded = await client.documents.upload(FileContent(name="cut.md", content=b"0123456789" * 1000))
        with pytest.raises(ConnectionFailedError):
            await client.documents.download(uploaded.id, target)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("kept", "old")]


async def test_a_document_is_shown_with_all_its_parts(client: Dragoman, fake: FakeDragoman) -> None:
    uploaded = await client.documents.upload(RETURNS)
    assert [chunk.headings async for chunk in client.documents.list_chunks(uploaded.id)] == [["Returns", "Terms"]] * 3
    assert (await client.documents.get_page(uploaded.id, 3)).text == RETURNS.content.decode()
    assert (await client.documents.get_quality(uploaded.id)).report["findings"][0]["pages"] == [2]
    assert [entry.action async for entry in client.documents.list_history(uploaded.id)] == ["document.uploaded"]
    image = await client.documents.get_image(uploaded.id, uploaded.id)
    assert (image.name, image.content, image.mime_type) == (f"{uploaded.id}.png", b"\x89PNG", "image/png")
    training_data = await client.documents.get_training_data(fake.default_chatbot["id"])
    assert [document.id for document in training_data.documents] == [uploaded.id]


async def test_only_what_is_given_is_changed(client: Dragoman) -> None:
    uploaded = await client.documents.upload(RETURNS, category="policies", tags=["x"])
    changed = await client.documents.update(uploaded.id, tags=[], title="Goods")
    assert (changed.title, changed.category, changed.tags) == ("Goods", "policies", [])


# ---- documents: waiting


async def test_waiting_ends_where_somebody_must_approve(client: Dragoman, fake: FakeDragoman) -> None:
    fake.review = True
    uploaded = await client.documents.upload(RETURNS)
    document = await client.documents.wait_until_ready(uploaded.id)
    assert (document.state, document.approval) == ("pending", "pending")
    assert (await client.documents.approve(uploaded.id)).approval == "approved"


async def test_waiting_for_a_rejected_document_says_why(client: Dragoman, fake: FakeDragoman) -> None:
    fake.review = True
    uploaded = await client.documents.upload(RETURNS)
    await client.documents.reject(uploaded.id, "It is out of date")
    with pytest.raises(DocumentFailedError, match="out of date") as caught:
        await client.documents.wait_until_ready(uploaded.id)
    assert caught.value.code == "rejected"


async def test_waiting_for_a_cancelled_document_ends_until_it_is_retried(client: Dragoman, fake: FakeDragoman) -> None:
    uploaded = await client.documents.upload(RETURNS)
    await client.documents.cancel(uploaded.id)
    with pytest.raises(DocumentFailedError) as caught:
        await client.documents.wait_until_ready(uploaded.id)
    assert caught.value.code == "cancelled"
    await client.documents.retry(uploaded.id)
    assert (await client.documents.wait_until_ready(uploaded.id)).state == "ready"


async def test_an_attempt_that_is_tried_again_is_no_failure(client: Dragoman) -> None:
    """The status then says why it is tried again; nothing has failed for good."""
    uploaded = await client.documents.upload(RETURNS)
    status = await client.documents.get_status(uploaded.id)
    retried = status.model_copy(
        update={"state": "ready", "error_code": "inference.embedder_unavailable", "step": "embedding"}
    )
    running = [step.model_copy(update={"state": "running"}) for step in status.steps]
    assert await client.documents._if_settled(retried.model_copy(update={"steps": running})) is None


# ---- bulk imports, jobs


async def test_uploads_that_name_an_import_are_followed_and_steered_together(
    client: Dragoman, fake: FakeDragoman
) -> None:
    opened = await client.imports.create("archive", expected_documents=2)
    await client.documents.upload(RETURNS, import_id=opened.id)
    bad = FileContent(name="bad.pdf", content=b"x")
    _ = [result async for result in client.documents.upload_many([bad], import_id=opened.id)]
    assert (await client.imports.pause(opened.id)).state == "paused"
    assert (await client.imports.resume(opened.id)).state == "running"
    while (details := await client.imports.get(opened.id)).counts.get("queued"):
        pass
    assert (details.counts, details.reasons) == ({"succeeded": 1, "failed": 1}, {"ingestion.damaged": 1})
    [failed] = [job async for job in client.imports.failures(opened.id)]
    assert (failed.file_name, failed.error) == ("bad.pdf", "The file is damaged.")
    assert (await client.jobs.retry(failed.id)).state == "queued"
    assert await client.jobs.count(state="failed") == 0


def _file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
