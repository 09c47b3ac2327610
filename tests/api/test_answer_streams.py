"""Streamed answers over real sockets and two API processes: resumed, stopped, and when a part is away.

The two are applications of their own on one database and one Valkey; they share nothing else.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from tests.api.conftest import Service

from dragoman.chat import relay
from dragoman.chat.live_answer import AnswerKey, LiveAnswer, PieceKind
from dragoman.chat.relay import Orders, Relay, name_of
from dragoman.client import CompleteEvent, ConnectionFailedError, Dragoman, StatusEvent
from dragoman.entrypoints.api import create_app
from dragoman.kit.cache import Cache

QUESTION = "What discount do gold partners receive on projectors?"
WORDS = [f"word{number} " for number in range(40)]
REPLY = "".join(WORDS).strip()


@asynccontextmanager
async def _served(app: Any) -> AsyncIterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture(scope="module")
async def service(settings_for: Callable[..., Any]) -> AsyncIterator[Service]:
    settings = settings_for(stream_grace_s=2)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


@pytest.fixture(scope="module")
async def first(service: Service) -> AsyncIterator[str]:
    """The address of the process that writes the answers of these tests."""
    async with _served(service.app) as address:
        yield address


@pytest.fixture(scope="module")
async def second(settings_for: Callable[..., Any], service: Service) -> AsyncIterator[str]:
    """The address of another process."""
    app = create_app(settings_for(stream_grace_s=2))
    async with app.router.lifespan_context(app), _served(app) as address:
        yield address


@pytest.fixture
async def company(company: Any) -> Any:
    """A tenant that knows the handbook and whose chatbot answers by the scripted model."""
    await company.know()
    settings = {"answerer": "scripted", "cache_answers": False}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    return company


@dataclass
class Read:
    """What came of a stream: events with their ids under `id`."""

    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event["content"] for event in self.events if event["type"] == "token")

    @property
    def last_id(self) -> str:
        return str(self.events[-1]["id"])

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


Sign = Callable[[Read], bool]


def _tokens(number: int) -> Sign:
    return lambda read: len(read.of("token")) >= number


async def _read(address: str, company: Any, method: str, path: str, *, until: Sign, **options: Any) -> Read:
    """Read a stream until its end or a sign, then drop the connection."""
    read, event_id = Read(), None
    headers = {"X-API-Key": company.secrets["owner"], **options.pop("headers", {})}
    async with (
        asyncio.timeout(20),
        httpx.AsyncClient(base_url=address, headers=headers, timeout=10) as client,
        client.stream(method, path, **options) as response,
    ):
        assert response.status_code == 200, await response.aread()
        async for line in response.aiter_lines():
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            elif line.startswith("data: "):
                read.events.append({"id": event_id, **json.loads(line.removeprefix("data: "))})
                if until(read):
                    break
    return read


def _never(_: Read) -> bool:
    return False


async def _ask(address: str, company: Any, *, until: Sign = _never, **body: Any) -> tuple[str, Read]:
    """Ask in a new session; its path, and what was read."""
    path = f"/api/chatbot/sessions/{await company.open_session()}/messages/"
    asked = {"message": QUESTION, **body}
    return path, await _read(address, company, "POST", f"{path}stream/", until=until, json=asked)


async def _resume(address: str, company: Any, path: str, read: Read, *, until: Sign = _never, **options: Any) -> Read:
    answer = f"{path}{read.events[0]['message_id']}/stream/"
    headers = {"Last-Event-ID": read.last_id}
    rest = await _read(address, company, "GET", answer, until=until, headers=headers, **options)
    return Read(events=[*read.events, *rest.events])


async def _stored(company: Any, path: str) -> dict[str, Any]:
    """The answer, once it is stored."""
    async with asyncio.timeout(10):
        while True:
            messages = (await company.api().get(path)).json()["messages"]
            if len(messages) == 2:
                message: dict[str, Any] = messages[1]
                return message
            await asyncio.sleep(0.02)


def _facts(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the ids, and the timings, of which those of storing are not stored."""
    return [{name: value for name, value in event.items() if name not in ("id", "timings")} for event in events]


def _ids_grow(read: Read) -> bool:
    totals = [sum(map(int, event["id"].removesuffix(".end").split("."))) for event in read.events[:-1]]
    return all(before < after for before, after in pairwise(totals))


# ---- resumed


async def test_each_event_has_an_id_and_the_first_one_names_the_answer(company: Any, first: str, script: Any) -> None:
    script(replies=["Gold partners get 17 percent [1]."], delay_ms=5)
    path, read = await _ask(first, company)
    assert read.events[0] == {**read.events[0], "type": "status", "stage": "understanding"}
    assert {event["message_id"] for event in read.of("status")} == {read.of("complete")[0]["message_id"]}
    assert all(event["id"] for event in read.events)
    assert _ids_grow(read)
    assert (await _stored(company, path))["id"] == read.events[0]["message_id"]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_dropped_stream_goes_on_where_it_was_on_any_process(
    company: Any, first: str, second: str, script: Any, elsewhere: bool
) -> None:
    script(replies=[f"{REPLY} [1]"], delay_ms=20)
    path, read = await _ask(first, company, until=_tokens(5), resumable=True)
    assert not read.of("complete")
    whole = await _resume(second if elsewhere else first, company, path, read)
    stored = await _stored(company, path)
    assert (whole.text, stored["content"], stored["state"]) == (f"{REPLY} [1]", f"{REPLY} [1]", "complete")
    assert [event["stage"] for event in whole.of("status")] == ["understanding", "searching", "reading", "writing"]
    assert [event["type"] for event in whole.events[-2:]] == ["source", "complete"]
    assert whole.of("complete")[0]["state"] == "complete"
    assert _ids_grow(whole)


async def test_a_stream_that_is_dropped_again_and_again_says_everything_once(
    company: Any, first: str, second: str, script: Any
) -> None:
    script(replies=[REPLY], delay_ms=25)
    path, read = await _ask(first, company, until=lambda read: bool(read.of("status")), resumable=True)
    for number in range(20):
        have = len(read.events)
        address = first if number % 3 == 1 else second
        read = await _resume(address, company, path, read, until=lambda new, more=have % 3 + 1: len(new.events) >= more)
        if read.of("complete"):
            break
    assert read.text == REPLY
    assert [event["stage"] for event in read.of("status")] == ["understanding", "searching", "reading", "writing"]
    assert len(read.of("complete")) == 1


async def test_two_who_follow_an_answer_on_another_process_both_get_all_of_it(
    company: Any, first: str, second: str, script: Any
) -> None:
    script(replies=[REPLY], delay_ms=15)
    path, read = await _ask(first, company, until=_tokens(2), resumable=True)
    begun = Read(events=read.events[:1])
    late, whole = await asyncio.gather(
        _resume(second, company, path, read), _resume(second, company, path, begun, params={"include_sources": False})
    )
    assert late.text == whole.text == REPLY


async def test_an_answer_that_has_ended_is_told_as_it_is_stored(
    company: Any, first: str, second: str, script: Any
) -> None:
    script(replies=["Gold partners get 17 percent [1]. And café is “late”\u2028 here."], delay_ms=2)
    path, told = await _ask(first, company)
    for address in (first, second):
        for had in range(len(told.events) - 1):
            read = Read(events=told.events[: had + 1])
            whole = await _resume(address, company, path, read)
            assert whole.text == told.text
            for kind in ("source", "complete"):
                mine, theirs = (_facts(each.of(kind)) for each in (whole, told))
                assert mine == theirs
        answer = f"{path}{told.events[0]['message_id']}/stream/"
        ended = await company.api().get(answer, headers={"Last-Event-ID": told.last_id})
        assert (ended.status_code, ended.content) == (204, b"")


async def test_what_cannot_be_followed_is_said_before_a_stream_begins(company: Any, second: str, script: Any) -> None:
    script(replies=["Yes."])
    answer = await company.ask(QUESTION)
    path = f"/api/chatbot/sessions/{answer['session_id']}/messages/"
    for message_id in (answer["parent_id"], str(uuid4())):
        for request in (
            company.api().get(f"{path}{message_id}/stream/"),
            company.api().post(f"{path}{message_id}/cancel/"),
        ):
            refused = await request
            assert (refused.status_code, refused.json()["code"]) == (404, "chat.answer_not_found")
    refused = await company.api().get(f"{path}{answer['id']}/stream/", headers={"Last-Event-ID": "yesterday"})
    assert (refused.status_code, refused.json()["code"]) == (422, "chat.invalid_event_id")


async def test_a_stream_that_valkey_has_lost_comes_again_as_a_whole(
    company: Any, service: Any, first: str, second: str, script: Any
) -> None:
    script(replies=[REPLY], delay_ms=30)
    path, read = await _ask(first, company, until=_tokens(12), resumable=True)
    key = AnswerKey(
        tenant_id=company.tenant_id,
        session_id=UUID(path.split("/")[4]),
        message_id=UUID(read.events[0]["message_id"]),
    )
    while not await service.deps.cache.client.delete(f"dragoman:answer:{name_of(key)}"):
        await asyncio.sleep(0.02)
    assert (await _resume(second, company, path, read)).text == REPLY


async def test_valkey_holds_no_word_of_an_answer_that_it_could_be_read_by(
    company: Any, service: Any, first: str, script: Any
) -> None:
    script(replies=[REPLY], delay_ms=10)
    _, read = await _ask(first, company, until=_tokens(20), resumable=True)
    client = service.deps.cache.client
    streams = [name async for name in client.scan_iter("dragoman:answer:*")]
    entries = [entry for name in streams for entry in await client.xrange(name)]
    held = b"".join(data for _, fields in entries for data in fields.values())
    assert streams
    assert b"word1" not in held
    assert read.events[0]["message_id"].encode() not in b"".join(streams)
    kept_s = [await client.ttl(name) for name in streams]
    assert all(0 < left_s <= 300 for left_s in kept_s), kept_s


# ---- stopped


async def test_closing_stops_the_model_and_stores_what_was_said(
    company: Any, service: Any, first: str, script: Any
) -> None:
    script(replies=[REPLY], delay_ms=30)
    path, read = await _ask(first, company, until=_tokens(3))
    stored = await _stored(company, path)
    assert stored["state"] == "interrupted"
    assert stored["content"].startswith(read.text)
    assert "word39" not in stored["content"]
    assert not service.app.state.running_answers._running
    ended = await _read(first, company, "GET", f"{path}{stored['id']}/stream/", until=_never)
    assert (ended.text, ended.of("complete")[0]["state"]) == (stored["content"], "interrupted")


async def test_a_resumable_answer_goes_on_for_the_grace_time_only(company: Any, first: str, script: Any) -> None:
    script(replies=[REPLY], delay_ms=200)
    path, read = await _ask(first, company, until=_tokens(2), resumable=True)
    stored = await _stored(company, path)
    assert stored["state"] == "interrupted"
    assert len(stored["content"]) > len(read.text)
    assert "word39" not in stored["content"]


async def test_an_answer_that_is_read_elsewhere_is_not_stopped_by_its_grace_time(
    company: Any, first: str, second: str, script: Any
) -> None:
    script(replies=[REPLY], delay_ms=110)
    path, read = await _ask(first, company, until=_tokens(2), resumable=True)
    whole = await _resume(second, company, path, read)
    assert (whole.text, whole.of("complete")[0]["state"]) == (REPLY, "complete")


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_an_answer_is_stopped_by_a_request_to_any_process(
    company: Any, service: Any, first: str, second: str, script: Any, elsewhere: bool, resumable: bool
) -> None:
    script(replies=[REPLY], delay_ms=40)
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/"
    stopped: list[httpx.Response] = []

    def stop(read: Read) -> bool:
        if len(read.of("token")) == 3 and not stopping:
            stopping.append(asyncio.create_task(cancel(read.events[0]["message_id"])))
        return False

    async def cancel(message_id: str) -> None:
        address = second if elsewhere else first
        async with httpx.AsyncClient(base_url=address, headers={"X-API-Key": company.secrets["owner"]}) as client:
            stopped.append(await client.post(f"{path}{message_id}/cancel/"))
            stopped.append(await client.post(f"{path}{message_id}/cancel/"))

    stopping: list[asyncio.Task[None]] = []
    body = {"message": QUESTION, "resumable": resumable}
    read = await _read(first, company, "POST", f"{path}stream/", until=stop, json=body)
    await asyncio.gather(*stopping)
    stored = await _stored(company, path)
    for answer in stopped:
        assert (answer.status_code, answer.json()) == (200, {"message_id": stored["id"], "state": "interrupted"})
    assert (stored["content"], stored["state"]) == (read.text, "interrupted")
    assert "word39" not in read.text
    end = read.events[-1]
    assert (end["type"], end["state"], end["degraded"]) == ("complete", "interrupted", ["interrupted"])


async def test_an_answer_that_is_stopped_before_anything_was_said_ends_with_an_error(
    company: Any, service: Any, first: str, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(30)

    monkeypatch.setattr("dragoman.chat.answer._find", wait)
    stopping: list[Any] = []

    def stop(read: Read) -> bool:
        if len(read.events) == 2:
            path = f"/api/chatbot/sessions/{session_id}/messages/{read.events[0]['message_id']}/cancel/"
            stopping.append(asyncio.create_task(company.api().post(path)))
        return False

    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/stream/"
    read = await _read(first, company, "POST", path, until=stop, json={"message": QUESTION})
    assert (read.events[-1]["type"], read.events[-1]["code"]) == ("error", "chat.answer_stopped")
    assert (await stopping[0]).json()["state"] == "interrupted"


async def test_only_who_may_read_a_session_can_follow_and_stop_its_answers(
    company: Any, other_company: Any, first: str, script: Any
) -> None:
    script(replies=[REPLY], delay_ms=30)
    session_id = await company.open_session("member")
    api = company.api("member")
    path = f"/api/chatbot/sessions/{session_id}/messages/"
    body = {"message": QUESTION, "resumable": True}
    headers = {"X-API-Key": company.secrets["member"]}
    read = await _read(first, company, "POST", f"{path}stream/", until=_tokens(2), json=body, headers=headers)
    message_id = read.events[0]["message_id"]
    for stranger in (company.api("second_member"), company.api("editor"), other_company.api()):
        for refused in (
            await stranger.get(f"{path}{message_id}/stream/"),
            await stranger.post(f"{path}{message_id}/cancel/"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (404, "chat.session_not_found")
    assert (await company.api("agent").post(f"{path}{message_id}/cancel/")).json()["state"] == "interrupted"
    assert (await api.get(path)).json()["messages"][1]["state"] == "interrupted"


async def test_an_answer_that_is_being_stored_when_its_asker_leaves_is_stored_whole(
    company: Any, service: Any, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dragoman.chat import answer

    script(replies=["All of it."])
    real, begun = answer._store, asyncio.Event()

    async def slowly(*args: Any) -> Any:
        begun.set()
        await asyncio.sleep(0.2)
        return await real(*args)

    monkeypatch.setattr(answer, "_store", slowly)
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/"
    asking = asyncio.create_task(company.api().post(f"{path}stream/", json={"message": QUESTION}))
    await begun.wait()
    [running] = service.app.state.running_answers._running.values()
    stopped = await company.api().post(f"{path}{running.answer.key.message_id}/cancel/")
    assert stopped.json()["state"] == "complete"
    assert (await _stored(company, path))["content"] == "All of it."
    await asking


# ---- slow readers, and parts that are away


async def test_a_reader_that_does_not_read_neither_holds_up_the_answer_nor_misses_any_of_it(
    company: Any, service: Any, first: str, script: Any
) -> None:
    unchecked = {"settings": {"grounding": "off"}}  # to check 6 MB takes longer than to write them
    assert (await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=unchecked)).status_code == 200
    word = "x" * 8_000
    script(replies=[" ".join([word] * 800)])
    path = f"/api/chatbot/sessions/{await company.open_session()}/messages/"
    headers = {"X-API-Key": company.secrets["owner"]}
    said = 0
    async with (
        httpx.AsyncClient(base_url=first, headers=headers, timeout=30) as client,
        client.stream("POST", f"{path}stream/", json={"message": QUESTION}) as response,
    ):
        assert (await _stored(company, path))["state"] == "complete", "it was written although nobody read it"
        async for line in response.aiter_lines():
            if line.startswith('data: {"type": "token"'):
                said += len(json.loads(line.removeprefix("data: "))["content"])
    assert said == 800 * 8_001 - 1


@pytest.fixture(scope="module")
async def alone(settings_for: Callable[..., Any], service: Service) -> AsyncIterator[str]:
    """The address of a process without Valkey."""
    app = create_app(settings_for(cache_url="redis://127.0.0.1:1/0", stream_grace_s=5))
    async with app.router.lifespan_context(app), _served(app) as address:
        yield address


async def test_without_valkey_all_works_but_to_go_on_elsewhere(company: Any, alone: str, script: Any) -> None:
    script(replies=[REPLY], delay_ms=20)
    path, read = await _ask(alone, company, until=_tokens(3), resumable=True)
    whole = await _resume(alone, company, path, read)
    assert (whole.text, whole.of("complete")[0]["state"]) == (REPLY, "complete")

    path, read = await _ask(alone, company, until=_tokens(3), resumable=True)
    async with httpx.AsyncClient(base_url=alone, headers={"X-API-Key": company.secrets["owner"]}) as client:
        stopped = await client.post(f"{path}{read.events[0]['message_id']}/cancel/")
        assert stopped.json()["state"] == "interrupted"
        for method, way in (("GET", "stream"), ("POST", "cancel")):
            refused = await client.request(method, f"{path}{uuid4()}/{way}/")
            assert (refused.status_code, refused.json()["code"]) == (503, "chat.answer_out_of_reach")
    ended = await _resume(alone, company, path, read)
    assert ended.text == (await _stored(company, path))["content"]


async def test_a_reader_learns_that_the_process_which_wrote_is_gone(
    company: Any, service: Any, second: str, cache_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_SILENCE_S", 0.2)
    path = f"/api/chatbot/sessions/{await company.open_session()}/messages/"
    key = AnswerKey(tenant_id=company.tenant_id, session_id=UUID(path.split("/")[4]), message_id=uuid4())
    cache = Cache(cache_url)

    async def cancel(_: str) -> bool:
        return False

    writer = Relay(cache, Orders(cancel=cancel, attend=lambda _: None, erase=cancel))
    answer = LiveAnswer(key, is_resumable=True)
    answer.tell(PieceKind.STATUS, json.dumps({"type": "status", "stage": "writing", "message_id": str(key.message_id)}))
    answer.tell(PieceKind.TOKEN, "Half of ")
    writer.publish(answer)
    address = f"{path}{key.message_id}/stream/"
    half = asyncio.Event()

    def watched(read: Read) -> bool:
        if read.text == "Half of ":
            half.set()
        return False

    reading = asyncio.create_task(_read(second, company, "GET", address, until=watched))
    async with asyncio.timeout(20):
        await half.wait()
    for task in writer._tasks.values():
        task.cancel()
    await cache.client.delete(f"dragoman:answer:{name_of(key)}")
    read = await reading
    assert (read.text, read.events[-1]["type"], read.events[-1]["code"]) == ("Half of ", "error", "chat.answer_lost")
    await cache.close()


async def test_a_long_answer_can_be_read_from_valkey_although_its_first_entries_are_dropped(
    company: Any, service: Any, second: str, cache_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_FLUSH_S", 0.001)
    monkeypatch.setattr(relay, "_WHOLE_EVERY", 120)
    monkeypatch.setattr(relay, "_MOST_ENTRIES", 240)
    path = f"/api/chatbot/sessions/{await company.open_session()}/messages/"
    key = AnswerKey(tenant_id=company.tenant_id, session_id=UUID(path.split("/")[4]), message_id=uuid4())
    cache = Cache(cache_url)

    async def cancel(_: str) -> bool:
        return False

    writer = Relay(cache, Orders(cancel=cancel, attend=lambda _: None, erase=cancel))
    answer = LiveAnswer(key, is_resumable=True)
    writer.publish(answer)
    for number in range(500):
        answer.tell(PieceKind.TOKEN, f"word{number} ")
        await asyncio.sleep(0.002)
    stream = f"dragoman:answer:{name_of(key)}"
    assert int((await cache.client.xinfo_stream(stream))["length"]) < 400
    reading = asyncio.create_task(_read(second, company, "GET", f"{path}{key.message_id}/stream/", until=_never))
    answer.tell(PieceKind.END, '{"type": "complete"}')
    read = await reading
    assert read.text == "".join(f"word{number} " for number in range(500))
    await writer.close()
    await cache.close()


# ---- the typed client


class Cutter:
    """A way to a server that breaks each connection after so many bytes of its answers, as many times as it is told."""

    def __init__(self, address: str, *, after: int, times: int) -> None:
        self._host, port = address.removeprefix("http://").split(":")
        self._port, self._after, self.left = int(port), after, times
        self._passing: list[asyncio.Task[Any]] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.append(task)
        upstream, downstream = await asyncio.open_connection(self._host, self._port)
        sending = asyncio.create_task(_copy(reader, downstream))
        passed = 0
        try:
            while content := await upstream.read(65536):
                passed += len(content)
                if self.left and passed > self._after:
                    self.left -= 1
                    break
                writer.write(content)
                await writer.drain()
        except ConnectionError:
            pass  # the client has left
        finally:
            sending.cancel()
            for each in (writer, downstream):
                each.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while content := await reader.read(65536):
        writer.write(content)
        await writer.drain()


async def test_the_client_goes_on_when_its_connection_breaks(company: Any, first: str, script: Any) -> None:
    script(replies=[f"{REPLY} [1]"], delay_ms=20)
    session_id = await company.open_session()
    cutter = Cutter(first, after=1500, times=2)
    async with cutter.open() as address, Dragoman(address, company.secrets["owner"]) as client:
        events = [event async for event in client.messages.stream(session_id, QUESTION)]
        assert "".join(event.content for event in events if event.type == "token") == f"{REPLY} [1]"
        assert cutter.left == 0
        assert isinstance(events[0], StatusEvent)
        assert isinstance(events[-1], CompleteEvent)
        assert (events[-1].state, events[-1].message_id) == ("complete", events[0].message_id)
        again = [event async for event in client.messages.follow(session_id, events[-1].message_id)]
        assert "".join(event.content for event in again if event.type == "token") == f"{REPLY} [1]"


async def test_the_client_that_is_not_to_go_on_tells_that_its_connection_broke(
    company: Any, first: str, script: Any
) -> None:
    script(replies=[REPLY], delay_ms=20)
    session_id = await company.open_session()
    async with (
        Cutter(first, after=1500, times=1).open() as address,
        Dragoman(address, company.secrets["owner"]) as client,
    ):
        with pytest.raises(ConnectionFailedError):
            async for _ in client.messages.stream(session_id, QUESTION, resume=False):
                pass
    stored = await _stored(company, f"/api/chatbot/sessions/{session_id}/messages/")
    assert stored["state"] == "interrupted"


async def test_the_client_stops_an_answer_by_leaving_it_or_by_asking(company: Any, first: str, script: Any) -> None:
    script(replies=[REPLY], delay_ms=50)
    async with Dragoman(first, company.secrets["owner"]) as client:
        left = await company.open_session()
        async with aclosing(client.messages.stream(left, QUESTION)) as events:
            async for event in events:
                if event.type == "token":
                    break
        [_, stored] = [message async for message in client.messages.list(left)]
        assert stored.state == "interrupted"
        assert len(stored.content.split()) < 20, "it was stopped at once, not after the grace time"

        asked = await company.open_session()
        states, message_id = [], None
        async for event in client.messages.stream(asked, QUESTION):
            if isinstance(event, StatusEvent):
                message_id = event.message_id
            elif event.type == "token" and not states and message_id is not None:
                states.append(await client.messages.cancel(asked, message_id))
        assert states == ["interrupted"]
        assert isinstance(event, CompleteEvent)
        assert event.state == "interrupted"


async def test_an_answer_of_the_model_is_the_same_streamed_resumed_and_at_once(
    company: Any, first: str, second: str, script: Any
) -> None:
    script(replies=["Gold partners get 17 percent [1]. That is all."], delay_ms=20)
    await company.ask(QUESTION)  # from now on the question's vector is known, and `usage` says so
    whole = await company.ask(QUESTION)
    path, read = await _ask(first, company, until=_tokens(2), resumable=True)
    read = await _resume(second, company, path, read)
    assert read.text == whole["content"]
    assert [{**event, "type": "source"} for event in read.of("source")] == [
        {"id": event["id"], "type": "source", **source}
        for event, source in zip(read.of("source"), whole["sources"], strict=True)
    ]
    for fact in ("answered", "confidence", "usage", "grounding", "degraded", "model", "language", "state"):
        assert read.of("complete")[0][fact] == whole[fact], fact
