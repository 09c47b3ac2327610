"""Spans of SQL: what kind of statement on which table, and a fingerprint to find it by. Never its values."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from opentelemetry.trace import Span
from sqlalchemy import event
from sqlalchemy.engine import Engine

from dragoman.kit import tracing

_VERB: Final = re.compile(
    r"\b(select|insert|update|delete|call|copy|create|alter|drop|set|reset|refresh)\b", re.IGNORECASE
)
_TABLE: Final = re.compile(
    r"\b(?:into|update|from|join|table|index(?:\s+concurrently)?(?:\s+if\s+not\s+exists)?)\s+(?:only\s+)?\"?([a-z_][a-z0-9_]*)",
    re.IGNORECASE,
)
_COMMON_TABLES: Final = re.compile(r"\b([a-z_]+)\s+as\s+(?:not\s+materialized\s+|materialized\s+)?\(", re.IGNORECASE)
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")


@contextmanager
def around(statements: Sequence[str]) -> Iterator[None]:
    """A span around statements that travel together."""
    span, failed = start(statements), None
    try:
        yield
    except Exception as error:
        failed = error
        raise
    finally:
        tracing.finish(span, failed)


def start(statements: Sequence[str]) -> Span:
    """A span for statements that travel together, named by the first."""
    names = [summary_of(sql) for sql in statements]
    first = names[0]
    verb, _, table = first.partition(" ")
    span = tracing.start(
        first,
        kind=tracing.CLIENT,
        db__system__name="postgresql",
        db__operation__name=verb,
        db__query__summary="; ".join(dict.fromkeys(names))[:255],
        dragoman__db__fingerprint=fingerprint_of(statements[0]),
    )
    if table:
        span.set_attribute("db.collection.name", table)
    if len(statements) > 1:
        span.set_attribute("db.operation.batch.size", len(statements))
    return span


@lru_cache(maxsize=2000)
def summary_of(sql: str) -> str:
    """`select chunks`: the verb and the first table that is a table."""
    verb = _VERB.search(sql)
    own = {name.lower() for name in _COMMON_TABLES.findall(sql)}
    table = next((name for name in _TABLE.findall(sql) if name.lower() not in own), "")
    return f"{verb[1].lower() if verb else 'sql'} {table}".strip()


@lru_cache(maxsize=2000)
def fingerprint_of(sql: str) -> str:
    """16 hexadecimal digits, the same for statements that differ in literals and white space only."""
    plain = " ".join(_LITERAL.sub("?", sql).split()).lower()
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def trace_engine(engine: Engine) -> None:
    """Give what SQLAlchemy runs on this engine its spans."""

    @event.listens_for(engine, "before_cursor_execute")
    def begin(_conn: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if tracing.is_within_trace() and context is not None:
            context.dragoman_span = start([statement])

    @event.listens_for(engine, "after_cursor_execute")
    def end(_conn: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        _finish(context, None)

    @event.listens_for(engine, "handle_error")
    def fail(failure: Any) -> None:
        _finish(failure.execution_context, failure.original_exception)


def _finish(context: Any, error: BaseException | None) -> None:
    span = getattr(context, "dragoman_span", None)
    if span is not None:
        context.dragoman_span = None
        tracing.finish(span, error)
