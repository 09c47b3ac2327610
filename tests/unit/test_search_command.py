"""`dragoman search`: what it sends, and what it shows of an explanation."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.conftest import KEY, FakeDragoman

from dragoman.entrypoints.cli import main
from dragoman.entrypoints.commands.terminal import ExitCode


@pytest.fixture(autouse=True)
def _server(fake_server: FakeDragoman, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name, value in {"DRAGOMAN_URL": fake_server.url, "DRAGOMAN_API_KEY": KEY, "DRAGOMAN_HOME": "home"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    fake_server.add_document({}, "returns.md", b"Goods may be returned within 42 days.")


def test_a_filter_a_page_and_a_session_are_sent(fake_server: FakeDragoman) -> None:
    session = "019a0000-0000-7000-8000-000000000000"
    code = main(
        ["search", "goods returned", "--filter", "language:de -tags:old", "--offset", "5", "--session", session]
    )
    assert code == ExitCode.OK
    sent = fake_server.searches[-1]
    assert (sent["filter"], sent["offset"], sent["session_id"]) == ("language:de -tags:old", 5, session)


def test_nothing_that_was_not_said_is_sent(fake_server: FakeDragoman) -> None:
    main(["search", "goods returned"])
    assert set(fake_server.searches[-1]) == {"query", "max_results"}


def test_an_offset_beyond_what_is_considered_is_refused() -> None:
    assert main(["search", "goods", "--offset", "101"]) == ExitCode.USAGE
