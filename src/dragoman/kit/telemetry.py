"""Logs with a request id, OpenTelemetry spans, and stage timings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import structlog
from opentelemetry import trace
from prometheus_client import Histogram

from dragoman.kit.clock import Stopwatch

_tracer = trace.get_tracer("dragoman")

STAGE_SECONDS = Histogram(
    "dragoman_stage_seconds",
    "Duration of the stages of answering and ingestion.",
    ["path", "stage"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)


def configure_logging(*, level: str = "INFO", style: Literal["console", "json"] = "console") -> None:
    """Send structlog and the standard library's logging to stderr in one format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # Rich's would print local variables, keys among them, and hold the event loop for 5 s over one error.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    final: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "json":
        final.append(structlog.processors.format_exc_info)
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*final, renderer]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "openai", "celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@contextmanager
def span(name: str, **attributes: str | float | bool) -> Iterator[None]:
    """An OpenTelemetry span; costs next to nothing when no exporter is set."""
    with _tracer.start_as_current_span(name, attributes=attributes):
        yield


class StageTimer:
    """Times the stages of one path: each `stage` is a span, a histogram sample and an entry in `timings_ms`.

    The spans hang below one of the path by reference, not through the current context: a stage may begin in one task
    and end in another, as every stream does, and a context can only be left where it was entered.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._span = _tracer.start_span(path)
        self._total = Stopwatch()
        self.timings_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        watch = Stopwatch()
        stage_span = _tracer.start_span(f"{self._path}.{name}", context=trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            stage_span.end()
            elapsed_ms = watch.elapsed_ms
            self.timings_ms[name] = round(self.timings_ms.get(name, 0.0) + elapsed_ms, 2)
            STAGE_SECONDS.labels(self._path, name).observe(elapsed_ms / 1000)

    def finish(self) -> dict[str, float]:
        """All timings in milliseconds, with the `total`."""
        self.timings_ms["total"] = round(self._total.elapsed_ms, 2)
        if self._span.is_recording():
            self._span.end()
        return dict(self.timings_ms)
