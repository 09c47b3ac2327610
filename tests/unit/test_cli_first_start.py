"""The sample of the first start, and the doctor on a machine where nothing was started yet."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman.client import Dragoman
from dragoman.entrypoints import seed
from dragoman.entrypoints.cli import main
from dragoman.entrypoints.resources import resource_path

from .conftest import KEY, FakeDragoman, create_fake_app

FOLDER = resource_path("examples") / "knowledge"
NAMES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())


@pytest.fixture
async def client(fake: FakeDragoman, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Dragoman]:
    monkeypatch.setattr(seed, "_POLL_S", 0.01)
    async with Dragoman(
        "http://dragoman.test", KEY, transport=httpx.ASGITransport(app=create_fake_app(fake))
    ) as client:
        yield client


async def test_the_sample_is_uploaded_whole_and_its_progress_told(client: Dragoman, fake: FakeDragoman) -> None:
    said: list[Mapping[str, Any]] = []
    await seed.ingest_sample(client, fake.default_chatbot["id"], said.append)
    stored = {each["external_id"]: each for each in fake.documents.values()}
    assert sorted(stored) == NAMES
    assert stored["support/support-tickets.csv"]["content_type"] == "ticket"
    assert stored["policies/returns-policy.md"]["category"] == "policies"
    assert (said[0]["done"], said[-1]["done"], said[-1]["total"]) == (0, len(NAMES), len(NAMES))


async def test_an_interrupted_sample_goes_on_with_what_is_missing(client: Dragoman, fake: FakeDragoman) -> None:
    await seed.ingest_sample(client, fake.default_chatbot["id"], lambda _: None)
    kept = dict(list(fake.documents.items())[:5])
    fake.documents = dict(kept)
    await seed.ingest_sample(client, fake.default_chatbot["id"], lambda _: None)
    assert len(fake.documents) == len(NAMES)
    assert kept.items() <= fake.documents.items()


async def test_a_document_of_the_sample_that_fails_is_told(
    client: Dragoman, fake: FakeDragoman, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = FakeDragoman.poll

    def fail_one(self: FakeDragoman, document: dict[str, Any]) -> None:
        poll(self, document)
        if document["external_id"] == "policies/returns-policy.md":
            document["state"] = "failed"

    monkeypatch.setattr(FakeDragoman, "poll", fail_one)
    said: list[Mapping[str, Any]] = []
    await seed.ingest_sample(client, fake.default_chatbot["id"], said.append)
    assert said[-1] == {"problem": "policies/returns-policy.md could not be read: The file is damaged."}


async def test_waiting_for_a_worker_that_never_comes_has_an_end(
    client: Dragoman, fake: FakeDragoman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed, "_PATIENCE_S", 0.0)
    fake.polls_until_ready = 1000
    said: list[Mapping[str, Any]] = []
    await seed.ingest_sample(client, fake.default_chatbot["id"], said.append)
    assert "dragoman doctor" in said[-1]["problem"]


def test_the_first_question_is_one_that_the_sample_answers() -> None:
    lines = (resource_path("examples") / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    known = {record["question"]: record["answerable"] for record in map(json.loads, lines)}
    assert known[seed.FIRST_QUESTION]


def test_the_doctor_makes_nothing_and_fails_nothing_where_nothing_was_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for name in ("DRAGOMAN_DATABASE_URL", "DRAGOMAN_CACHE_URL", "DRAGOMAN_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DRAGOMAN_EMBEDDER", "hashing")
    monkeypatch.chdir(tmp_path)
    main(["doctor", "--json", "--home", str(home)])
    checks = {each["check"]: each for each in json.loads(capsys.readouterr().out)["checks"]}
    assert not home.exists()
    assert checks["database"]["state"] == checks["cache"]["state"] == "skip"
    assert checks["embedder"]["state"] == checks["adapters"]["state"] == "ok"


def test_the_doctor_says_how_to_mend_a_wrong_setting(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGOMAN_PORT", "seventy")
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--json"]) == 1
    finding = json.loads(capsys.readouterr().out)["checks"][-1]
    assert (finding["check"], finding["state"]) == ("settings", "fail")
    assert "DRAGOMAN_PORT" in finding["message"]


def test_the_database_of_a_home_without_one_is_not_made_by_a_check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRAGOMAN_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    for command in (["db", "check"], ["tenant", "create", "ACME", "--owner", "ada@example.org"]):
        assert main([*command, "--home", str(home)]) == 2
        assert "dragoman up" in capsys.readouterr().err
    assert not home.exists()
