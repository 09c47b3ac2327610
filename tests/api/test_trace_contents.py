"""What spans hold of texts, and who elsewhere is told of a trace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler

from dragoman.entrypoints import telemetry
from dragoman.entrypoints.api import create_app
from dragoman.kit import registry, tracing
from dragoman.kit.json_service import JsonService, ServiceRefusedError
from dragoman.ports.llm import ChatMessage, LlmRejectedError, TextRequest

from .conftest import Service

QUESTION = "What discount do gold partners receive on turquoise projectors?"
REPLY = "Gold partners get 17 percent [1]."
_TEXTS = ("turquoise", "Gold partners", "17 percent", "ada@example.com", "violet-lantern")
Use = Callable[..., InMemorySpanExporter]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Traces with this sampler go to an exporter that keeps them; `shows_text` is DRAGOMAN_TRACE_TEXT."""

    def start(chooses: Sampler = ALWAYS_ON, *, shows_text: bool = False) -> InMemorySpanExporter:
        exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=telemetry._Bounded(ParentBased(chooses), records_all=False))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
        monkeypatch.setitem(tracing._text, "is_shown", shows_text)
        return exporter

    return start


@pytest.fixture
async def answering(company: Any, script: Callable[..., None]) -> Any:
    """A tenant whose chatbot knows the handbook and answers by a model."""
    await company.know()
    settings = {"answerer": "scripted"}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    script(replies=[REPLY])
    return company


def _written(exporter: InMemorySpanExporter) -> str:
    return "\n".join(span.to_json() for span in exporter.get_finished_spans())


async def _use(company: Any) -> None:
    assert (await company.ask(QUESTION))["content"] == REPLY
    await company.search(QUESTION, user_id="ada@example.com")
    await company.upload("# Note\n\nThe violet-lantern is blue.\n", "violet-lantern.md")
    await company.service.run_jobs()
    await company.api().post("/api/search", json={"query": QUESTION, "limit": QUESTION})


async def test_texts_of_people_and_models_are_in_no_span_of_their_own_accord(use: Use, answering: Any) -> None:
    exporter = use()
    await _use(answering)
    names = {span.name for span in exporter.get_finished_spans()}
    assert {"answer", "chat scripted"} <= names, names
    assert [text for text in _TEXTS if text.lower() in _written(exporter).lower()] == []


async def test_texts_of_model_calls_are_in_their_spans_where_the_operator_allows_it(use: Use, answering: Any) -> None:
    exporter = use(shows_text=True)
    await _use(answering)
    holding = [span for span in exporter.get_finished_spans() if "turquoise" in span.to_json()]
    assert {span.name for span in holding} == {"chat scripted"}, "no other span holds a question"
    [call] = holding
    attributes = dict(call.attributes or {})
    assert QUESTION in str(attributes["gen_ai.input.messages"])
    assert REPLY in str(attributes["gen_ai.output.messages"])


async def test_what_was_not_chosen_is_not_sent_whatever_it_holds(use: Use, answering: Any) -> None:
    exporter = use(ALWAYS_OFF, shows_text=True)
    await _use(answering)
    assert exporter.get_finished_spans() == ()


async def test_a_caller_may_have_one_request_traced(use: Use, answering: Any) -> None:
    exporter = use(ALWAYS_OFF)
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    sent = f"00-{trace_id}-b7ad6b7169203331-01"
    for headers in ({"traceparent": sent}, {"traceparent": f"{sent[:-1]}0"}, {}):
        await answering.service.client(answering.secrets["owner"], **headers).get("/api/chatbots/")
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans if span.parent and span.parent.span_id == int("b7ad6b7169203331", 16)] == [
        "GET /api/chatbots/"
    ]
    assert {f"{span.context.trace_id:032x}" for span in spans} == {trace_id}


# ---- who is told


class _Receiver:
    """Keeps the heads of requests, and refuses them."""

    def __init__(self) -> None:
        self.url, self.heads = "", list[str]()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        writer.write(
            b"HTTP/1.1 400 X\r\nContent-Length: 2\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{}"
        )
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[_Receiver]:
    made = _Receiver()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made


@pytest.fixture(scope="module")
async def open_service(settings_for: Any) -> AsyncIterator[Service]:
    settings = settings_for(private_networks=["127.0.0.0/8"])
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


async def test_a_webhook_learns_nothing_of_the_trace(
    use: Use, receiver: _Receiver, company: Any, open_service: Service
) -> None:
    """It belongs to others: the ids of our traces, and that there are any, are not theirs."""
    exporter = use()
    api = open_service.client(company.secrets["owner"])
    made = await api.post("/api/alerts/channels/", json={"url": f"{receiver.url}/hook"})
    assert made.status_code == 201, made.text
    assert (await api.post(f"/api/alerts/channels/{made.json()['id']}/test/")).status_code == 202
    await open_service.run_jobs()
    assert any(span.name.startswith("job ") for span in exporter.get_finished_spans()), "it was sent within a trace"
    assert {head.split()[1] for head in receiver.heads} == {"/hook"}
    assert not [head for head in receiver.heads if "traceparent" in head or "tracestate" in head]


@pytest.mark.parametrize("is_traced", [True, False])
async def test_servers_of_models_and_indexes_go_on_with_the_trace(
    use: Use, receiver: _Receiver, is_traced: bool
) -> None:
    if is_traced:
        use()
    model = registry.create("llm", "openai_compatible", {"base_url": f"{receiver.url}/v1", "model": "tiny"})
    index = JsonService("The index", receiver.url, headers={}, timeout_s=5)
    with tracing.span("request"):
        told = tracing.outgoing_headers()
        with pytest.raises(LlmRejectedError):
            async for _ in model.stream(TextRequest(messages=[ChatMessage(role="user", content="a")])):
                pass
        with pytest.raises(ServiceRefusedError):
            await index.call("GET", "/things")
    await model.close()
    await index.close()
    assert [head.split()[1] for head in receiver.heads] == ["/v1/chat/completions", "/things"]
    sent = [line for head in receiver.heads for line in head.splitlines() if line.startswith("traceparent:")]
    assert len(sent) == (2 if is_traced else 0)
    assert {line.split("-")[1] for line in sent} == ({told["traceparent"].split("-")[1]} if is_traced else set())
