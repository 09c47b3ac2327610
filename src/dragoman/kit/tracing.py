"""OpenTelemetry spans that say what was done, and never what was said.

Without a tracer provider (`entrypoints/telemetry.py` sets one) a span costs a fraction of a microsecond. Errors are
recorded by their kind only: messages and stack traces of exceptions may hold what users wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from dragoman.kit.errors import DragomanError

Value = str | float | bool | Sequence[str]

_tracer = trace.get_tracer("dragoman")
_propagator: Final = TraceContextTextMapPropagator()
_MOST_LINKS: Final = 32
_sending = {"is_on": False}
CLIENT, SERVER, PRODUCER, CONSUMER = SpanKind.CLIENT, SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER


def is_traced() -> bool:
    """Whether anybody takes our spans. One that nobody takes still costs 10 µs, and a search has many."""
    return _sending["is_on"] or type(_tracer) is not trace.ProxyTracer


def turn_on() -> None:
    """A tracer provider is set. To ask OpenTelemetry takes 2 µs, and a search asks twenty times."""
    _sending["is_on"] = True


def is_within_trace() -> bool:
    """Whether this is part of something that is traced: what is done every second for nobody is not worth a trace."""
    return is_traced() and trace.get_current_span().get_span_context().is_valid


def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
    links: Sequence[Link] = (),
    **attributes: Value,
) -> AbstractContextManager[Span]:
    """A span around a block, the parent of those that begin in it.

    Args:
        name: of few values: no ids, no text.
        parent: what `remote` returned; None: the span of this task.
        attributes: by their OpenTelemetry names, with `__` for each dot.
    """
    if not is_traced():
        return _NOT_TRACED
    return _current(start(name, kind=kind, parent=parent, links=links, **attributes))


def start(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
    links: Sequence[Link] = (),
    **attributes: Value,
) -> Span:
    """A span that is ended by `finish`, maybe in another task, and is no parent by itself."""
    if not is_traced():
        return trace.INVALID_SPAN
    told = {key.replace("__", "."): value for key, value in attributes.items()}
    return _tracer.start_span(name, context=parent, kind=kind, attributes=told, links=links)


def start_nothing() -> Span:
    """For what is not traced: a span that no one takes."""
    return trace.INVALID_SPAN


def finish(span: Span, error: BaseException | str | None = None) -> None:
    """End a span; `error`: what it failed with, or the code of that."""
    if not span.is_recording():  # ended already, or nobody takes it
        return
    if error is not None:
        code = error if isinstance(error, str) else code_of(error)
        span.set_attribute("error.type", code)
        span.set_status(Status(StatusCode.ERROR, code))
    span.end()


def code_of(error: BaseException) -> str:
    """An error without its words."""
    return error.code if isinstance(error, DragomanError) else type(error).__name__


def under(started: Span) -> AbstractContextManager[Span]:
    """A block in which this span is the parent of those that begin; it ends neither here nor with an error."""
    return _under(started) if started.get_span_context().is_valid else _NOT_TRACED


@contextmanager
def _under(started: Span) -> Iterator[Span]:
    # Put back by `attach`, not by `detach`: a generator's block may be left in another task than it was entered in.
    outer = contexts.get_current()
    contexts.attach(trace.set_span_in_context(started, outer))
    try:
        yield started
    finally:
        contexts.attach(outer)


@contextmanager
def _current(started: Span) -> Iterator[Span]:
    failed: BaseException | None = None
    try:
        with _under(started):
            yield started
    except Exception as error:
        failed = error
        raise
    finally:
        finish(started, failed)


class _NotTraced(AbstractContextManager[Span]):
    def __enter__(self) -> Span:
        return trace.INVALID_SPAN

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing was opened."""


_NOT_TRACED: Final = _NotTraced()


# ---- text

_text = {"is_shown": False}


def show_text(*, show: bool) -> None:
    """Whether spans may hold what people and models wrote."""
    _text["is_shown"] = show


def shows_text() -> bool:
    return _text["is_shown"] and is_traced()


# ---- from process to process (W3C Trace Context)


def traceparent() -> str | None:
    """The header `traceparent` for who goes on with this trace; None: there is none."""
    if not is_traced():
        return None
    now = trace.get_current_span().get_span_context()
    if not now.is_valid:
        return None
    return f"00-{now.trace_id:032x}-{now.span_id:016x}-{int(now.trace_flags):02x}"


def outgoing_headers() -> dict[str, str]:
    """For a request to another service, so that its spans join this trace; empty when there is none."""
    if not is_traced():
        return {}
    headers: dict[str, str] = {}
    _propagator.inject(headers)
    return headers


async def join(request: Any) -> None:
    """An event hook of httpx: lets whatever serves this request join the trace."""
    request.headers.update(outgoing_headers())


def remote(headers: Mapping[str, str]) -> Context | None:
    """What another process sent along; None: nothing that is valid. Headers have small letters."""
    if not is_traced() or "traceparent" not in headers:
        return None
    found = _propagator.extract(headers, context=Context())
    return found if trace.get_current_span(found).get_span_context().is_valid else None


def links_to(traceparents: Sequence[str | None]) -> list[Link]:
    """A link to each different trace context, to as many as a span may have."""
    known = dict.fromkeys(each for each in traceparents if each)
    parents = [remote({"traceparent": each}) for each in list(known)[:_MOST_LINKS]]
    return [Link(trace.get_current_span(parent).get_span_context()) for parent in parents if parent is not None]


def new_trace() -> Context:
    """A parent for a span that begins a trace of its own."""
    return Context()


def ids() -> tuple[str, str] | None:
    """The ids of the current trace and span, for logs; None: there is none."""
    if not is_traced():
        return None
    now = trace.get_current_span().get_span_context()
    return (f"{now.trace_id:032x}", f"{now.span_id:016x}") if now.is_valid else None
