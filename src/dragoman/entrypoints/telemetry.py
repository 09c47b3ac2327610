"""Sends OpenTelemetry spans where a setting says; without one they cost next to nothing and go nowhere."""

from __future__ import annotations

import os
import socket
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as RecordedSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.util.types import Attributes

import dragoman
from dragoman.entrypoints.settings import Settings
from dragoman.kit import telemetry, tracing
from dragoman.kit.errors import InvalidSettingError

_MOST_SPANS_OF_A_TRACE: Final = 1000  # in one process; a document of a thousand pages would have tens of thousands
_MOST_TRACES: Final = 2000
_HELD_SPANS: Final = 200  # of a trace whose end decides whether it is kept
_LIMITS: Final = SpanLimits(max_attributes=48, max_attribute_length=4096, max_events=16, max_links=32)


def start_tracing(role: str, settings: Settings) -> None:
    """Raises InvalidSettingError: an endpoint is set but the extra `otlp` is not installed."""
    telemetry.set_role(role)
    tracing.show_text(show=settings.trace_text)
    if settings.otlp_endpoint is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    except ImportError as error:
        raise InvalidSettingError(
            "DRAGOMAN_OTLP_ENDPOINT needs the extra `otlp`: pip install 'dragoman[otlp]'."
        ) from error
    keeps = settings.trace_keep_slow_s is not None
    provider = TracerProvider(
        resource=_resource(role),
        sampler=_Bounded(ParentBased(TraceIdRatioBased(settings.trace_ratio)), records_all=keeps),
        span_limits=_LIMITS,
    )
    sending = BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.otlp_endpoint))
    slow_s = settings.trace_keep_slow_s
    provider.add_span_processor(sending if slow_s is None else KeepFailedAndSlow(sending, slow_s=slow_s))
    trace.set_tracer_provider(provider)
    tracing.turn_on()


def _resource(role: str) -> Resource:
    """Which process it is; OTEL_RESOURCE_ATTRIBUTES adds to it."""
    return Resource.create(
        {
            "service.namespace": "dragoman",
            "service.name": f"dragoman-{role}",
            "service.version": dragoman.__version__,
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            "dragoman.role": role,
        }
    )


class _Bounded(Sampler):
    """Chooses as another sampler does, and ends a trace that has grown too long in this process."""

    def __init__(self, chooses: Sampler, *, records_all: bool) -> None:
        """`records_all`: record those that are not chosen too, so that their end can decide."""
        self._chooses, self._records_all = chooses, records_all
        self._spans: OrderedDict[int, int] = OrderedDict()

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        count = self._spans[trace_id] = self._spans.pop(trace_id, 0) + 1
        if len(self._spans) > _MOST_TRACES:
            self._spans.popitem(last=False)
        if count > _MOST_SPANS_OF_A_TRACE:
            return SamplingResult(Decision.DROP)
        chosen = self._chooses.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state=trace_state
        )
        if chosen.decision is Decision.DROP and self._records_all:
            return SamplingResult(Decision.RECORD_ONLY, attributes)
        return chosen

    def get_description(self) -> str:
        return f"Bounded({self._chooses.get_description()})"


class KeepFailedAndSlow(SpanProcessor):
    """Sends on what was chosen, and traces that were not when this process's part of them failed or was slow."""

    def __init__(self, sending: SpanProcessor, *, slow_s: float) -> None:
        self._sending, self._slow_ns = sending, slow_s * 1e9
        self._held: OrderedDict[int, list[ReadableSpan]] = OrderedDict()

    def on_start(self, span: RecordedSpan, parent_context: Context | None = None) -> None:
        self._sending.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is None or context.trace_flags.sampled:
            self._sending.on_end(span)
            return
        held = self._held.setdefault(context.trace_id, [])
        is_root = span.parent is None or span.parent.is_remote
        if len(held) < _HELD_SPANS or is_root:
            held.append(span)
        if is_root:
            del self._held[context.trace_id]
            if self._is_slow(span) or any(not each.status.is_ok for each in held):
                for each in held:
                    self._sending.on_end(_chosen(each))
        elif len(self._held) > _MOST_TRACES:
            self._held.popitem(last=False)

    def shutdown(self) -> None:
        self._sending.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._sending.force_flush(timeout_millis)

    def _is_slow(self, span: ReadableSpan) -> bool:
        return (span.end_time or 0) - (span.start_time or 0) >= self._slow_ns


def _chosen(span: ReadableSpan) -> ReadableSpan:
    """The same span as if it had been chosen when it began."""
    old: Any = span.get_span_context()
    context = SpanContext(old.trace_id, old.span_id, old.is_remote, TraceFlags(TraceFlags.SAMPLED), old.trace_state)
    return ReadableSpan(
        name=span.name,
        context=context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
