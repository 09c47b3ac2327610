"""One trace across processes, as a collector sees it: API, Celery, worker, embedder, SQL and model calls."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from benchmarks.instance import Instance, running
from tests.otlp_receiver import Received, ReceivedSpan, otlp_receiver

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `otlp` is not installed")

_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_TRACE = _PARENT.split("-")[1]
_QUESTION = "When may the turquoise zeppelin be returned?"


@pytest.fixture(scope="module")
def traced() -> Iterator[tuple[Instance, Received]]:
    """A whole instance that sends its spans here."""
    with tempfile.TemporaryDirectory(prefix="dragoman-test-", ignore_cleanup_errors=True) as folder:
        environment = {
            "DRAGOMAN_EMBEDDER": "hashing",
            "DRAGOMAN_LLM": "scripted",
            "DRAGOMAN_LLM_SCRIPTED_REPLIES": json.dumps(["The turquoise zeppelin may be returned in 42 days [1]."]),
            "OTEL_BSP_SCHEDULE_DELAY": "300",  # milliseconds
            "DRAGOMAN_LOG_STYLE": "json",
        }
        with otlp_receiver() as received:
            environment["DRAGOMAN_OTLP_ENDPOINT"] = received.url
            with running(Path(folder) / "home", "--no-sample", **environment) as instance:
                yield instance, received


def _upload(http: httpx.Client, name: str, **headers: str) -> str:
    text = f"# {name}\n\nThe turquoise zeppelin may be returned within 42 days of its delivery.\n"
    answer = http.post("/api/chatbot/documents/", files={"file": (f"{name}.md", text.encode())}, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _until_ready(http: httpx.Client, document_id: str) -> None:
    deadline = time.monotonic() + 60
    while http.get(f"/api/chatbot/documents/{document_id}/").json()["state"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _ancestors(span: ReceivedSpan, spans: list[ReceivedSpan]) -> list[str]:
    known = {each.span_id: each for each in spans}
    names = []
    while span.parent_id in known:
        span = known[span.parent_id]
        names.append(f"{span.role}: {span.name}")
    return names


def _has_names(names: set[str]) -> object:
    return lambda spans: names <= {f"{span.role}: {span.name}" for span in spans if span.trace_id == _TRACE}


def test_one_trace_goes_from_the_caller_through_the_api_and_the_worker_to_sql_and_the_embedder(
    traced: tuple[Instance, Received],
) -> None:
    instance, received = traced
    with instance.http() as http:
        _until_ready(http, _upload(http, "Returns", traceparent=_PARENT))
    received.wait_for(
        _has_names(  # type: ignore[arg-type]
            {
                "api: POST /api/chatbot/documents/",
                "api: send dragoman.wake_worker",
                "worker: process dragoman.wake_worker",
                "worker: job ingestion.ingest_document",
                "embedder: embedder embed_passages",
            }
        )
    )
    spans = received.of_trace(_TRACE)
    [request] = [span for span in spans if span.name == "POST /api/chatbot/documents/"]
    assert request.parent_id == _PARENT.split("-")[2]
    assert (request.attributes["http.route"], request.attributes["http.response.status_code"]) == (
        "/api/chatbot/documents/",
        202,
    )
    [embedded] = [span for span in spans if span.name == "embedder embed_passages"]
    path = _ancestors(embedded, spans)
    assert path[0].startswith("worker: embeddings ")
    assert path[-2:] == ["worker: job ingestion.ingest_document", "api: POST /api/chatbot/documents/"]
    written = [
        span for span in spans if span.role == "worker" and span.attributes.get("db.system.name") == "postgresql"
    ]
    assert {"insert chunks"} <= {span.name for span in written}
    assert all(len(span.attributes["dragoman.db.fingerprint"]) == 16 for span in written)


def test_a_question_is_one_span_with_its_stages_and_the_call_of_the_model(traced: tuple[Instance, Received]) -> None:
    instance, received = traced
    with instance.http() as http:
        _until_ready(http, _upload(http, "Zeppelins"))
        session = http.post("/api/chatbot/sessions/", json={}).json()["id"]
        streamed = http.post(f"/api/chatbot/sessions/{session}/messages/stream/", json={"message": _QUESTION})
    assert '"type": "complete"' in streamed.text
    received.wait_for(lambda spans: any(span.name.startswith("chat ") for span in spans))
    received.wait_for(lambda spans: any(span.name == "answer" for span in spans))
    [turn] = [span for span in received.spans if span.name == "answer"]
    spans = received.of_trace(turn.trace_id)
    stages = {span.name for span in spans if span.parent_id == turn.span_id}
    assert stages >= {"answer.load", "answer.understand", "answer.retrieve", "answer.generate", "answer.store"}
    [call] = [span for span in spans if span.name.startswith("chat ")]
    assert "api: answer.generate" in _ancestors(call, spans)
    assert call.attributes["gen_ai.operation.name"] == "chat"
    assert call.attributes["gen_ai.provider.name"] == "scripted"
    assert call.attributes["gen_ai.usage.output_tokens"] > 0
    assert call.attributes["dragoman.cost_usd"] >= 0
    assert "gen_ai.input.messages" not in call.attributes
    [sought] = [span for span in spans if span.name == "embedder embed_queries"]
    assert _ancestors(sought, spans)[0].startswith("api: embeddings ")
    assert any(span.name == "answer.retrieve" for span in spans)
    assert any(span.attributes.get("db.operation.name") == "select" for span in spans)


def test_jobs_of_an_import_have_traces_of_their_own_with_links_to_the_request(
    traced: tuple[Instance, Received],
) -> None:
    instance, received = traced
    parent = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with instance.http() as http:
        import_id = http.post("/api/chatbot/imports/", json={"name": "Archive"}).json()["id"]
        files = [("files", (f"n{number}.md", f"# N{number}\n\nNote {number}.".encode())) for number in range(3)]
        sent = http.post(
            "/api/chatbot/documents/batch/", files=files, data={"import_id": import_id}, headers={"traceparent": parent}
        )
        assert sent.status_code == 202, sent.text
    trace_id = parent.split("-")[1]
    received.wait_for(lambda spans: any(trace_id in span.links for span in spans))
    linked = [span for span in received.spans if trace_id in span.links]
    assert {span.name for span in linked} == {"job ingestion.ingest_document"}
    assert all(span.parent_id == "" and span.trace_id != trace_id for span in linked)
    assert not [span for span in received.of_trace(trace_id) if span.name.startswith("job ")]


def test_spans_hold_no_text_and_say_which_process_they_are_of(traced: tuple[Instance, Received]) -> None:
    _, received = traced
    everything = b"".join(received.raw)
    for word in (b"turquoise", b"zeppelin", b"dgm_", b"Returns.md"):
        assert word not in everything
    for span in received.spans:
        assert span.resource["service.name"] == f"dragoman-{span.role}"
        assert span.resource["service.version"]
        assert ":" in span.resource["service.instance.id"]
    assert {span.role for span in received.spans} >= {"api", "worker", "embedder"}


def test_a_line_of_the_log_names_its_trace_and_its_process(traced: tuple[Instance, Received]) -> None:
    instance, _ = traced
    parent = "00-2af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with instance.http() as http:
        http.get("/api/chatbots/", headers={"traceparent": parent})
        _until_ready(http, _upload(http, "Logged", traceparent=parent))
    deadline, ours = time.monotonic() + 20, _lines_of(instance, parent.split("-")[1])
    while {line["role"] for line in ours} != {"api", "worker"}:
        assert time.monotonic() < deadline, ours
        time.sleep(0.2)
        ours = _lines_of(instance, parent.split("-")[1])
    for line in ours:
        assert line["span_id"]
        assert line["tenant_id"]
        assert line["request_id"] if line["role"] == "api" else line["job_id"]


def _lines_of(instance: Instance, trace_id: str) -> list[dict[str, str]]:
    """What all processes have logged of a trace."""
    texts = [file.read_text() for file in (instance.home / "logs").glob("*.log")]
    lines = [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("trace_id") == trace_id]
