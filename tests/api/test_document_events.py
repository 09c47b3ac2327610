"""Live events of documents over a real socket: who hears what, when, and what happens when a part is away."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
import uvicorn

from dragoman.entrypoints.wiring import job_kinds
from dragoman.imports import watch
from dragoman.imports.entities import DocumentChanged, ProgressMade, Snapshot
from dragoman.jobs import live
from dragoman.jobs import service as jobs
from dragoman.jobs.live import LiveFeed, SignalBoard
from dragoman.kit.cache import Cache
from dragoman.kit.database import Database
from dragoman.tenancy import access

_PATH = "/api/chatbot/documents/events/"


@pytest.fixture(scope="module")
async def address(service: Any) -> AsyncIterator[str]:
    """The application behind a socket: over ASGI alone, a stream is read only when it has ended."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(service.app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


@dataclass
class Stream:
    """An open stream: its events so far, with their ids under `id`, and how many comments came."""

    response: httpx.Response
    events: list[dict[str, Any]] = field(default_factory=list)
    comments: int = 0

    async def read(self) -> None:
        event_id = None
        async for line in self.response.aiter_lines():
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            elif line.startswith("data: "):
                self.events.append({"id": event_id, **json.loads(line.removeprefix("data: "))})
                event_id = None
            elif line.startswith(":"):
                self.comments += 1

    async def until(self, wanted: Callable[[dict[str, Any]], bool], timeout_s: float = 8.0) -> dict[str, Any]:
        """The first event that is wanted."""
        async with asyncio.timeout(timeout_s):
            while not (found := [event for event in self.events if wanted(event)]):
                await asyncio.sleep(0.02)
        return found[0]

    def of(self, document_id: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("document_id") == document_id]


Watch = Callable[..., Any]


@pytest.fixture
def watching(address: str) -> Watch:
    """Opens a stream: `async with watching(company, "member") as stream`. The snapshot has come."""

    @asynccontextmanager
    async def watching(company: Any, who: str = "owner", last: str | None = None) -> AsyncIterator[Stream]:
        headers = {"X-API-Key": company.secrets[who]} | ({"Last-Event-ID": last} if last else {})
        async with (
            httpx.AsyncClient(base_url=address, timeout=20) as client,
            client.stream("GET", _PATH, headers=headers) as response,
        ):
            assert response.status_code == 200
            stream = Stream(response)
            reading = asyncio.create_task(stream.read())
            try:
                await stream.until(lambda event: event["type"] == "snapshot")
                yield stream
            finally:
                reading.cancel()

    return watching


@pytest.fixture
async def work(service: Any) -> AsyncIterator[Callable[[], Any]]:
    """Runs all waiting jobs as a worker does and publishes the events as the scheduler does."""
    board = SignalBoard(service.deps.cache)
    telling = asyncio.create_task(board.run())

    async def run() -> None:
        while await jobs.execute_next(service.deps.database, job_kinds(service.deps), board=board):
            pass
        while await jobs.publish_events(service.deps.database, service.deps.cache):
            pass

    yield run
    telling.cancel()


def _is(what: str, document_id: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event.get("event") == what and event.get("document_id") == document_id


# ---- what is told


async def test_a_watcher_sees_what_is_in_work_then_progress_and_then_that_it_is_ready(
    company: Any, watching: Watch, work: Any
) -> None:
    waiting = (await company.upload("# First\n\nIt waits already.", "first.md", title="First")).json()
    async with watching(company) as stream:
        [shown] = stream.events[0]["documents"]
        assert (shown["document_id"], shown["title"], shown["state"]) == (waiting["id"], "First", "queued")
        assert stream.events[0]["is_complete"]
        later = (await company.upload("# Second\n\nIt came later.", "second.md")).json()
        await work()
        for document in (waiting, later):
            ready = await stream.until(_is("ready", document["id"]))
            assert ready["id"] is not None
            await stream.until(
                lambda event, wanted=document: event["type"] == "progress" and event["document_id"] == wanted["id"]
            )


async def test_a_watcher_hears_of_failures_with_their_reason_and_of_deletions(
    company: Any, watching: Watch, work: Any
) -> None:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    async with watching(company) as stream:
        bad = (await company.upload(bytes(pdf.output()), "empty.pdf")).json()
        good = (await company.upload("# Good\n\nA note.", "good.md")).json()
        await work()
        failed = await stream.until(_is("failed", bad["id"]))
        assert failed["error_code"]
        await stream.until(_is("ready", good["id"]))
        await company.api().delete(f"/api/chatbot/documents/{good['id']}/")
        await work()
        await stream.until(_is("deleted", good["id"]))


async def test_a_stream_that_goes_on_after_its_last_event_misses_nothing(
    company: Any, watching: Watch, work: Any
) -> None:
    async with watching(company) as stream:
        first = (await company.upload("# First\n\nA note.", "first.md")).json()
        await work()
        last = (await stream.until(_is("ready", first["id"])))["id"]
    second = (await company.upload("# Second\n\nA note.", "second.md")).json()
    await work()
    async with watching(company, last=last) as stream:
        await stream.until(_is("ready", second["id"]))
    await asyncio.sleep(1)  # what is still under way is told to those who watch then
    async with watching(company) as stream:
        await asyncio.sleep(0.5)
        assert stream.of(second["id"]) == [], "to a new watcher what is over is no news"


# ---- who hears it


async def test_private_documents_are_told_to_their_owner_only(company: Any, watching: Watch, work: Any) -> None:
    async with (
        watching(company, "member") as owner,
        watching(company, "second_member") as member,
        watching(company, "owner") as boss,
    ):
        document = (await company.upload("# Salary\n\nMine.", "salary.md", who="member", visibility="private")).json()
        shared = (await company.upload("# Shared\n\nOurs.", "shared.md")).json()
        await work()
        await owner.until(_is("ready", document["id"]))
        for stream in (member, boss):
            await stream.until(_is("ready", shared["id"]))
        await asyncio.sleep(0.5)
        assert member.of(document["id"]) == []
        assert boss.of(document["id"]) == []
    waiting = (await company.upload("# Bonus\n\nMine.", "bonus.md", who="member", visibility="private")).json()
    async with watching(company, "member") as owner, watching(company, "owner") as boss:
        assert [each["document_id"] for each in owner.events[0]["documents"]] == [waiting["id"]]
        assert boss.events[0]["documents"] == []


async def test_tenants_hear_nothing_of_each_other(company: Any, other_company: Any, watching: Watch, work: Any) -> None:
    async with watching(company) as mine, watching(other_company) as theirs:
        document = (await company.upload()).json()
        await work()
        await mine.until(_is("ready", document["id"]))
        await asyncio.sleep(0.5)
        assert [event["type"] for event in theirs.events] == ["snapshot"]


async def test_a_watcher_of_one_chatbot_hears_nothing_of_another(company: Any, watching: Watch, work: Any) -> None:
    other = (await company.api().post("/api/chatbots/", json={"name": "Other"})).json()
    async with watching(company) as stream:
        elsewhere = (await company.upload("# Else\n\nA note.", "else.md", chatbot_id=other["id"])).json()
        here = (await company.upload("# Here\n\nA note.", "here.md")).json()
        await work()
        await stream.until(_is("ready", here["id"]))
        await asyncio.sleep(0.3)
        assert stream.of(elsewhere["id"]) == []


async def test_who_may_not_watch_is_told_before_the_stream_begins(company: Any, other_company: Any) -> None:
    assert (await company.service.client().get(_PATH)).status_code == 401
    foreign = await other_company.api().get(_PATH, params={"chatbot_id": str(company.chatbot_id)})
    assert foreign.status_code == 404
    wrong = await company.api().get(_PATH, headers={"Last-Event-ID": "yesterday"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "imports.invalid_event_id")


# ---- what it costs, and when parts are away


async def test_a_silent_stream_sends_comments_holds_no_connection_and_leaves_nothing_behind(
    company: Any, service: Any, watching: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE_S", 0.1)
    deps = service.deps
    async with watching(company) as stream:
        async with asyncio.timeout(5):
            while stream.comments < 3:
                await asyncio.sleep(0.02)
            while deps.database._app.pool.checkedout():  # others of this service use the pool for moments too
                await asyncio.sleep(0.01)
        assert deps.live._listeners
    async with asyncio.timeout(5):
        while deps.live._listeners:
            await asyncio.sleep(0.05)


async def test_a_stream_ends_in_time_so_that_a_revoked_key_is_noticed(
    company: Any, watching: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LONGEST_S", 0.2)
    monkeypatch.setattr(watch, "SILENCE_S", 0.1)
    async with watching(company) as stream, asyncio.timeout(5):
        while not stream.response.is_closed and not stream.response.is_stream_consumed:
            await asyncio.sleep(0.02)


async def _caller(service: Any, company: Any) -> Any:
    return await access.authenticate(service.deps.database, company.secrets["owner"])


async def test_without_valkey_the_stream_reads_postgresql(
    company: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "POLL_S", 0.2)
    cache = Cache("redis://127.0.0.1:1/0")
    feed = LiveFeed(cache)
    deps = replace(service.deps, live=feed)
    caller = await _caller(service, company)
    document = (await company.upload()).json()
    told: list[Any] = []
    events = watch.watch_documents(deps, caller, chatbot_id=company.chatbot_id, last_event_id=None)
    async with aclosing(events), asyncio.timeout(10):
        async for event in events:
            told.append(event)
            if isinstance(event, Snapshot):
                await service.run_jobs()
            if isinstance(event, DocumentChanged) and event.what == "ready":
                break
    assert str(told[-1].document_id) == document["id"]
    await feed.close()
    await cache.close()


async def test_a_stream_outlives_an_absence_of_postgresql(
    company: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "POLL_S", 0.2)
    monkeypatch.setattr(watch, "POLL_S", 0.1)
    caller = await _caller(service, company)
    nowhere = replace(service.deps.database.urls, app="postgresql://nobody@/nothing?host=/nowhere")
    away = Database(nowhere)
    cache = Cache("redis://127.0.0.1:1/0")
    deps = replace(service.deps, live=LiveFeed(cache))
    watcher = watch.watch_documents(deps, caller, chatbot_id=company.chatbot_id, last_event_id=None)
    async with aclosing(watcher) as events, asyncio.timeout(10):
        assert isinstance(await anext(events), Snapshot)
        document = (await company.upload()).json()
        following = asyncio.ensure_future(anext(events))
        with monkeypatch.context() as outage:
            outage.setattr(deps.database, "transaction", away.transaction)
            await asyncio.sleep(0.5)
            assert not following.done()
        event = await following
        assert isinstance(event, ProgressMade | DocumentChanged)
        assert str(event.document_id) == document["id"]
    await deps.live.close()
    await cache.close()
    await away.close()


# ---- how many


async def test_a_watcher_takes_a_place_among_the_streams_of_the_caller(
    company: Any, watching: Watch, address: str
) -> None:
    """The same places that answers take, given back when the client is gone."""
    await company.api().put("/api/limits/", json={"streams": 1})
    session_id = await company.open_session("member")
    question = {"message": "What?"}
    asking = f"/api/chatbot/sessions/{session_id}/messages/stream/"
    async with watching(company, "member"), httpx.AsyncClient(base_url=address, timeout=20) as client:
        member = {"X-API-Key": company.secrets["member"]}
        for refused in (
            await client.get(_PATH, headers=member),
            await client.post(asking, json=question, headers=member),
        ):
            assert (refused.status_code, refused.json()["code"]) == (429, "limits.too_many_streams")
            assert int(refused.headers["Retry-After"]) >= 1
        async with watching(company, "second_member"):
            pass  # has places of his own
    async with asyncio.timeout(5):
        while (await company.api("member").post(asking, json=question)).status_code != 200:
            await asyncio.sleep(0.05)


async def test_a_watcher_of_what_does_not_exist_holds_no_place(company: Any, watching: Watch) -> None:
    await company.api().put("/api/limits/", json={"streams": 1})
    for _ in range(3):
        absent = await company.api("member").get(_PATH, params={"chatbot_id": "019a0000-0000-7000-8000-000000000000"})
        assert absent.status_code == 404
    async with watching(company, "member"):
        pass
