"""Which traces are sent, and how long one may become."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import Status, StatusCode

from dragoman.entrypoints import telemetry as sending
from dragoman.entrypoints.settings import Settings
from dragoman.kit import tracing
from dragoman.kit.errors import InvalidSettingError

UseSampler = Callable[..., InMemorySpanExporter]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> UseSampler:
    """Traces with this sampler go to an exporter that keeps them."""

    def start(chooses: Sampler, *, slow_s: float | None = None) -> InMemorySpanExporter:
        exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=sending._Bounded(ParentBased(chooses), records_all=slow_s is not None))
        to_exporter = SimpleSpanProcessor(exporter)
        provider.add_span_processor(
            to_exporter if slow_s is None else sending.KeepFailedAndSlow(to_exporter, slow_s=slow_s)
        )
        monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
        return exporter

    return start


def _names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


def test_a_trace_that_was_not_chosen_is_not_sent(use: UseSampler) -> None:
    exporter = use(ALWAYS_OFF)
    with tracing.span("request"), tracing.span("query"):
        pass
    assert _names(exporter) == []


def test_a_trace_that_was_not_chosen_is_sent_whole_when_it_fails(use: UseSampler) -> None:
    exporter = use(ALWAYS_OFF, slow_s=60)
    with tracing.span("good"), tracing.span("query"):
        pass
    with pytest.raises(ValueError, match="secret"), tracing.span("request"):
        with tracing.span("query"):
            pass
        raise ValueError("secret")
    assert _names(exporter) == ["query", "request"]
    request = exporter.get_finished_spans()[-1]
    assert request.status.status_code is StatusCode.ERROR
    assert "secret" not in request.to_json()
    assert request.get_span_context().trace_flags.sampled


def test_a_trace_that_was_not_chosen_is_sent_when_it_was_slow(use: UseSampler) -> None:
    exporter = use(ALWAYS_OFF, slow_s=0)
    with tracing.span("request"):
        pass
    assert _names(exporter) == ["request"]


def test_what_was_chosen_is_sent_once_whether_it_fails_or_not(use: UseSampler) -> None:
    exporter = use(ALWAYS_ON, slow_s=0)
    with tracing.span("request") as span:
        span.set_status(Status(StatusCode.ERROR))
    assert _names(exporter) == ["request"]


def test_a_trace_ends_after_a_thousand_spans_and_others_do_not(use: UseSampler) -> None:
    exporter = use(ALWAYS_ON)
    with tracing.span("import"):
        for _ in range(1500):
            with tracing.span("document"):
                pass
    assert len(_names(exporter)) == 1000
    exporter.clear()
    with tracing.span("request"):
        pass
    assert _names(exporter) == ["request"]


def test_a_caller_decides_whether_a_trace_is_sent_unless_it_is_only_linked(use: UseSampler) -> None:
    exporter = use(ALWAYS_OFF)
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with tracing.span("followed", parent=tracing.remote({"traceparent": sent})):
        pass
    with tracing.span("linked", parent=tracing.new_trace(), links=tracing.links_to([sent])):
        pass
    assert _names(exporter) == ["followed"]


def test_a_span_has_few_links_each_to_another_trace(use: UseSampler) -> None:
    use(ALWAYS_ON)
    parents = [f"00-{number:032x}-b7ad6b7169203331-01" for number in range(1, 100)]
    assert len(tracing.links_to([*parents, *parents])) == 32
    assert len(tracing.links_to([parents[0], None, parents[0], "nonsense"])) == 1


def test_without_an_exporter_nothing_is_traced(use: UseSampler) -> None:
    assert not tracing.is_traced()
    with tracing.span("request") as span:
        assert span is trace.INVALID_SPAN
        assert tracing.traceparent() is None
        assert tracing.outgoing_headers() == {}
        assert tracing.ids() is None


def test_an_endpoint_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(InvalidSettingError, match="otlp"):
        sending.start_tracing("api", Settings(otlp_endpoint="http://127.0.0.1:9/v1/traces"))
