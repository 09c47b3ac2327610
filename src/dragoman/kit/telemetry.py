"""Logs with the ids of request and trace, and stage timings."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextlib import AbstractContextManager
from functools import cache
from types import TracebackType
from typing import Any, Literal

import structlog
from opentelemetry.trace import Span, set_span_in_context
from prometheus_client import Histogram

from dragoman.kit import tracing
from dragoman.kit.clock import Stopwatch, now
from dragoman.kit.tracebacks import quiet_traceback

STAGE_SECONDS = Histogram(
    "dragoman_stage_seconds",
    "Duration of the stages of answering and ingestion.",
    ["path", "stage"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)


class BoundedWords:
    """Words for a label of a metric that come from outside: the first `most` of their shape, all others are `other`.

    Each value of a label is a series that Prometheus keeps in memory: a label must not grow with what people send.
    """

    def __init__(self, shape: str, *, most: int) -> None:
        self._shape, self._most = re.compile(shape), most
        self._known: set[str] = set()

    def __call__(self, word: str) -> str:
        if word in self._known:
            return word
        if len(self._known) >= self._most or self._shape.fullmatch(word) is None:
            return "other"
        self._known.add(word)
        return word


def configure_logging(*, level: str = "INFO", style: Literal["console", "json"] = "console") -> None:
    """Send structlog and the standard library's logging to stderr in one format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_place,
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
    final: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _add_traceback]
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*final, renderer]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _EventLog.set_up(handler, style)
    for noisy in ("httpx", "httpcore", "openai", "celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


_place: dict[str, str] = {}


def set_role(role: str) -> None:
    """Name this process in each line of its log."""
    _place["role"] = role


def _where() -> dict[str, str]:
    """Which process, trace and span a line is of."""
    ids = tracing.ids()
    return {**_place, "trace_id": ids[0], "span_id": ids[1]} if ids else _place


def _add_place(_logger: Any, _method: str, event: Any) -> Any:
    return {**_where(), **event}


def _add_traceback(_logger: Any, _method: str, event: Any) -> Any:
    told = event.pop("exc_info", None)
    if told is True:
        told = sys.exc_info()
    if isinstance(told, BaseException) or (isinstance(told, tuple) and told[1] is not None):
        event["exception"] = quiet_traceback(told)
    return event


def log_event(name: str, logger: str, request_id: str, **fields: str | float | None) -> None:
    """Log at level INFO what happens with every request, in the same form as everything else.

    A line by structlog and logging takes 120 µs of a search's 900, this one 9.
    """
    root = logging.getLogger()
    if not root.isEnabledFor(logging.INFO):
        return
    fields = {**_where(), **fields}
    if _EventLog.handler in root.handlers and _EventLog.handler is not None:
        _EventLog.write(name, logger, request_id, fields)
    else:  # logging is somebody else's: a test's, or that of a program which we are part of
        structlog.get_logger(logger).info(name, **fields)


class _EventLog:
    """Where `log_event` writes, and how."""

    handler: logging.StreamHandler[Any] | None = None
    is_json = False

    @classmethod
    def set_up(cls, handler: logging.StreamHandler[Any], style: str) -> None:
        cls.is_json = style == "json"
        is_plain = cls.is_json or not sys.stderr.isatty()  # colours are structlog's business
        cls.handler = handler if is_plain else None

    @classmethod
    def write(cls, name: str, logger: str, request_id: str, fields: dict[str, str | float | None]) -> None:
        handler = cls.handler
        assert handler is not None  # asked for by `log_event`
        at = now().isoformat().replace("+00:00", "Z")
        if cls.is_json:
            told = {**fields, "event": name, "request_id": request_id, "level": "info", "logger": logger}
            line = json.dumps({**told, "timestamp": at})
        else:
            shown = " ".join(
                f"{key}={_shown(value)}" for key, value in sorted({**fields, "request_id": request_id}.items())
            )
            line = f"{at} [info     ] {name:<30} [{logger}] {shown}"
        handler.acquire()
        try:
            handler.stream.write(f"{line}\n")
            handler.flush()
        finally:
            handler.release()


def _shown(value: str | float | None) -> str:
    """A value as structlog's console shows it: quoted where it would not stay one word on one line."""
    if not isinstance(value, str):
        return str(value)
    return value if value and value.isprintable() and not set(value) & set(" \t='\"\\") else repr(value)


class StageTimer:
    """Times the stages of one path: each `stage` is a span, a histogram sample and an entry in `timings_ms`.

    What a stage does hangs below its span. A stage may begin in one task and end in another, as every stream does: see
    `tracing.under`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.span = tracing.start(path)
        self._total = Stopwatch()
        self.timings_ms: dict[str, float] = {}
        self._is_counted = False

    def stage(self, name: str) -> _Stage:
        """A context manager around the work of this stage; the same stage may come again."""
        return _Stage(self, name)

    def finish(self) -> dict[str, float]:
        """All timings in milliseconds, with the `total`."""
        self.timings_ms["total"] = round(self._total.elapsed_ms, 2)
        if not self._is_counted:  # the path may look at its timings before its end
            self._is_counted = True
            _stage_seconds(self.path, "total").observe(self.timings_ms["total"] / 1000)
        if self.span.is_recording():
            self.span.end()
        return dict(self.timings_ms)

    def _end(self, name: str, elapsed_ms: float) -> None:
        self.timings_ms[name] = round(self.timings_ms.get(name, 0.0) + elapsed_ms, 2)
        _stage_seconds(self.path, name).observe(elapsed_ms / 1000)


class _Stage:
    __slots__ = ("_name", "_span", "_timer", "_watch")

    def __init__(self, timer: StageTimer, name: str) -> None:
        self._timer, self._name = timer, name

    def __enter__(self) -> None:
        self._span: AbstractContextManager[Span] | None = None
        if tracing.is_traced():
            parent = set_span_in_context(self._timer.span)
            self._span = tracing.span(f"{self._timer.path}.{self._name}", parent=parent)
            self._span.__enter__()
        self._watch = Stopwatch()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer._end(self._name, self._watch.elapsed_ms)
        if self._span is not None:
            self._span.__exit__(kind, error, traceback)


@cache  # the names of paths and stages are words of this program: a few dozen
def _stage_seconds(path: str, stage: str) -> Histogram:
    return STAGE_SECONDS.labels(path, stage)
