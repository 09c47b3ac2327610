"""Sends OpenTelemetry spans where a setting says; without one they cost next to nothing and go nowhere."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from dragoman.kit.errors import InvalidSettingError


def start_tracing(role: str, endpoint: str | None) -> None:
    """Raises InvalidSettingError: an endpoint is set but the extra `otlp` is not installed."""
    if endpoint is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    except ImportError as error:
        raise InvalidSettingError(
            "DRAGOMAN_OTLP_ENDPOINT needs the extra `otlp`: pip install 'dragoman[otlp]'."
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": f"dragoman-{role}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
