"""Stage timings and spans."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dragoman.kit import tracing
from dragoman.kit.telemetry import StageTimer


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    return exporter


async def _path() -> AsyncGenerator[int, None]:
    timer = StageTimer("answer")
    with timer.stage("generate"):
        yield 1
        yield 2
    timer.finish()
    timer.finish()


async def test_a_stage_may_begin_in_one_task_and_end_in_another(
    spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    events = _path()
    with caplog.at_level(logging.WARNING):
        assert await asyncio.create_task(anext(events)) == 1
        assert await asyncio.create_task(anext(events)) == 2
        with pytest.raises(StopAsyncIteration):
            await events.__anext__()
    assert caplog.records == []
    stage, path = spans.get_finished_spans()
    assert (stage.name, path.name) == ("answer.generate", "answer")
    assert stage.parent is not None
    assert stage.parent.span_id == path.context.span_id


def test_the_same_stage_twice_adds_up_and_the_total_covers_all() -> None:
    timer = StageTimer("search")
    for _ in range(2):
        with timer.stage("load"):
            pass
    timings = timer.finish()
    assert set(timings) == {"load", "total"}
    assert timings["total"] >= timings["load"] >= 0
