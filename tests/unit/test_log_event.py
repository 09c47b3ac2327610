"""The line of each request looks like every other line of the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from dragoman.kit import telemetry
from dragoman.kit.telemetry import configure_logging, log_event

FIELDS: dict[str, Any] = {"path": "/a b\n'c'", "status": 200, "duration_ms": 1.5, "tenant_id": None}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is as it was before in the end."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    place, telemetry._place = telemetry._place, {}  # another test may have named this process
    yield
    telemetry._place = place
    root.handlers[:] = handlers
    root.setLevel(level)
    telemetry._EventLog.handler = None
    structlog.reset_defaults()


def by_structlog(name: str, request_id: str, **fields: Any) -> None:
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        structlog.get_logger("some.module").info(name, **fields)


def test_as_json_it_has_the_same_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(style="json")
    by_structlog("api.request", "abc", **FIELDS)
    log_event("api.request", "some.module", "abc", **FIELDS)
    expected, line = map(json.loads, capsys.readouterr().err.splitlines())
    del expected["timestamp"], line["timestamp"]
    assert line == expected


def test_for_people_it_is_one_line_with_the_same_words(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(style="console")
    by_structlog("api.request", "abc", **FIELDS)
    log_event("api.request", "some.module", "abc", **FIELDS)
    expected, line = (each.split(maxsplit=1)[1] for each in capsys.readouterr().err.splitlines())
    assert line == expected


def test_below_the_level_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="WARNING", style="json")
    log_event("api.request", "some.module", "abc", **FIELDS)
    assert capsys.readouterr().err == ""


def test_where_logging_is_somebody_elses_it_goes_through_structlog() -> None:
    configure_logging(style="json")
    logging.getLogger().handlers[:] = []
    with structlog.testing.capture_logs() as captured:
        log_event("api.request", "some.module", "abc", **FIELDS)
    assert captured == [{"event": "api.request", "log_level": "info", **FIELDS}]
