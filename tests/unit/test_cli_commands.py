"""The commands against a server: what they print, on which stream, and their exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dragoman.entrypoints.cli import main
from dragoman.entrypoints.commands.terminal import EXIT_CODES, ExitCode

from .conftest import KEY, FakeDragoman

RETURNS = "Goods may be returned within 42 days."


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(
    fake_server: FakeDragoman, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Runs a command in an empty folder, with address and key in the environment."""
    for name, value in {"DRAGOMAN_URL": fake_server.url, "DRAGOMAN_API_KEY": KEY, "DRAGOMAN_HOME": "home"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code=int(code), out=captured.out, err=captured.err)

    return run


@pytest.fixture
def returns(fake_server: FakeDragoman) -> dict[str, Any]:
    """A document that is there already."""
    document, _ = fake_server.add_document({"external_id": "policies/returns.md"}, "returns.md", RETURNS.encode())
    return document


# ---- ingest


def test_ingest_takes_folders_and_tells_what_became_of_each_file(run: Run, fake_server: FakeDragoman) -> None:
    _write("docs/a.md", RETURNS)
    _write("docs/deep/b.md", "Another text.")
    _write("docs/picture.bin", "x")
    _write("docs/.hidden/c.md", "never")
    ran = run("ingest", "docs", "--category", "policies", "--private", "--json")
    assert ran.code == ExitCode.OK
    outcomes = {each["path"]: each["outcome"] for each in ran.json["documents"]}
    assert outcomes == {"docs/a.md": "ready", "docs/deep/b.md": "ready", "docs/picture.bin": "skipped"}
    stored = {each["external_id"]: (each["category"], each["visibility"]) for each in fake_server.documents.values()}
    assert stored == {"docs/a.md": ("policies", "private"), "docs/deep/b.md": ("policies", "private")}


def test_ingesting_again_changes_nothing(run: Run) -> None:
    _write("docs/a.md", RETURNS)
    run("ingest", "docs")
    ran = run("ingest", "docs")
    assert ran.code == ExitCode.OK
    assert "1 unchanged" in ran.out


def test_a_file_that_cannot_be_read_fails_alone(run: Run) -> None:
    _write("docs/a.md", RETURNS)
    _write("docs/bad.pdf", "x")
    ran = run("ingest", "docs", "--json")
    assert ran.code == ExitCode.FAILED
    assert (ran.json["ready"], ran.json["failed"]) == (1, 1)
    failed = next(each for each in ran.json["documents"] if each["outcome"] == "failed")
    assert (failed["code"], failed["reason"]) == ("ingestion.damaged", "The file is damaged.")


def test_a_kind_that_cannot_be_read_fails_when_it_was_named(run: Run) -> None:
    _write("picture.bin", "x")
    ran = run("ingest", "picture.bin")
    assert ran.code == ExitCode.FAILED
    assert "1 failed" in ran.out
    assert "cannot be read" in ran.err


def test_two_files_of_one_name_do_not_replace_each_other(run: Run, fake_server: FakeDragoman) -> None:
    _write("x/readme.md", "one")
    _write("y/readme.md", "two")
    run("ingest", "x/readme.md", "y/readme.md")
    assert {each["external_id"] for each in fake_server.documents.values()} == {"x/readme.md", "y/readme.md"}


def test_an_empty_folder_is_no_success(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("ingest", "empty").code == ExitCode.FAILED


# ---- search, ask, chat


def test_search_prints_places_and_passages(run: Run, returns: dict[str, Any]) -> None:
    ran = run("search", "goods returned", "--limit", "3", "--mode", "dense")
    assert ran.code == ExitCode.OK
    assert "1. returns, page 3, Returns  0.90" in ran.out
    assert RETURNS in ran.out
    assert "dense" in ran.out


def test_search_without_results_has_an_exit_code_of_its_own(run: Run) -> None:
    ran = run("search", "nothing", "--json")
    assert ran.code == ExitCode.FAILED
    assert ran.json["results"] == []


def test_ask_prints_the_answer_then_its_sources(run: Run, returns: dict[str, Any]) -> None:
    ran = run("ask", "When may goods be returned?")
    assert ran.code == ExitCode.OK
    assert ran.out.startswith(RETURNS)
    assert ran.out.index("[1] returns, page 3, Returns") > ran.out.index(RETURNS)
    assert "extractive" in ran.out


def test_ask_with_json_prints_the_events_and_nothing_else(run: Run, returns: dict[str, Any]) -> None:
    ran = run("ask", "When may goods be returned?", "--json")
    kinds = [event["type"] for event in ran.lines]
    assert kinds == ["status", *["token"] * 7, "source", "complete"]
    assert ran.err == ""


def test_ask_says_by_its_exit_code_that_the_documents_do_not_answer(run: Run) -> None:
    ran = run("ask", "Who is Batman?")
    assert ran.code == ExitCode.FAILED
    assert "I don't know." in ran.out


def test_an_answer_that_breaks_off_is_an_error(run: Run, returns: dict[str, Any]) -> None:
    ran = run("ask", "break the goods")
    assert ran.code == ExitCode.FAILED
    assert "The model went away." in ran.err


def test_chat_keeps_one_conversation_until_a_new_one_is_wished(
    run: Run, returns: dict[str, Any], fake_server: FakeDragoman, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "When may goods be returned?\nbreak the goods\n\n/unknown\n/new\nGoods returned?\n/quit\nnever asked\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    ran = run("chat", "--json")
    assert ran.code == ExitCode.OK
    assert fake_server.questions == ["When may goods be returned?", "break the goods", "Goods returned?"]
    completes = [event["session_id"] for event in ran.lines if event["type"] == "complete"]
    assert len(set(completes)) == 2
    assert "The model went away." in ran.err


# ---- documents, chatbots, keys


def test_documents_are_listed_shown_and_deleted_by_name(
    run: Run, returns: dict[str, Any], fake_server: FakeDragoman
) -> None:
    run("documents", "list")
    listed = run("documents", "list", "--state", "ready", "--json")
    assert [each["id"] for each in listed.json["documents"]] == [returns["id"]]
    assert returns["id"] in run("documents", "list").out
    assert run("documents", "show", "policies/returns.md", "--json").json["status"]["step"] == "done"
    assert "returns.md" in run("documents", "show", returns["id"]).out
    assert run("documents", "delete", "returns.md").code == ExitCode.OK
    assert fake_server.documents == {}


def test_nothing_is_deleted_when_one_of_the_names_is_wrong(
    run: Run, returns: dict[str, Any], fake_server: FakeDragoman
) -> None:
    ran = run("documents", "delete", "returns.md", "wrong.md", "--json")
    assert ran.code == ExitCode.NOT_FOUND
    assert json.loads(ran.err)["error"]["code"] == "cli.document_not_found"
    assert returns["id"] in fake_server.documents


def test_chatbots_are_made_changed_and_deleted_by_name(run: Run, fake_server: FakeDragoman) -> None:
    made = run("chatbots", "create", "Shop", "--set", "max_quotes=3", "--set", "answerer=scripted", "--json").json
    assert made["settings"] == {"max_quotes": 3, "answerer": "scripted"}
    assert run("chatbots", "update", "Shop", "--name", "Store", "--set", "max_quotes=null").code == ExitCode.OK
    assert run("chatbots", "show", "Store", "--json").json["settings"] == {"max_quotes": None}
    assert "Store" in run("chatbots", "list").out
    assert run("chatbots", "delete", "Store").code == ExitCode.OK
    assert run("chatbots", "show", "Store").code == ExitCode.NOT_FOUND


def test_a_chatbot_is_meant_by_its_name(run: Run, fake_server: FakeDragoman) -> None:
    shop = fake_server.add_chatbot("Shop")
    run("search", "goods", "--chatbot", "Shop")
    assert fake_server.searches[-1]["chatbot_id"] == shop["id"]
    fake_server.add_chatbot("Shop")
    assert "Give the id instead" in run("search", "goods", "--chatbot", "Shop").err


def test_a_setting_without_a_value_is_a_usage_error(run: Run) -> None:
    assert run("chatbots", "create", "Shop", "--set", "max_quotes").code == ExitCode.USAGE


def test_keys_are_made_and_revoked_by_their_beginning(run: Run, fake_server: FakeDragoman) -> None:
    made = run("key", "create", "web shop", "--role", "editor", "--expires", "2099-01-01", "--json").json
    assert made["api_key"].endswith("secret")
    assert made["expires_at"].startswith("2099-01-01T00:00:00")
    run("key", "create", "other")
    assert "expires 2099-01-01" in run("key", "list").out
    assert run("key", "revoke", "dgm_0").code == ExitCode.FAILED  # both keys begin so
    assert run("key", "revoke", made["api_key"]).code == ExitCode.OK
    assert [bool(key["revoked_at"]) for key in fake_server.keys.values()] == [True, False]
    assert run("key", "revoke", "dgm_zzz").code == ExitCode.NOT_FOUND


# ---- errors and exit codes


def test_a_role_that_may_not_is_exit_code_4(run: Run) -> None:
    ran = run("key", "create", "mighty", "--role", "owner", "--json")
    assert (ran.code, ran.out) == (ExitCode.NOT_ALLOWED, "")
    error = json.loads(ran.err)["error"]
    assert (error["code"], error["status"], error["request_id"]) == ("tenancy.forbidden", 403, "req-1")


def test_a_wrong_key_is_exit_code_4(run: Run) -> None:
    assert run("search", "goods", "--api-key", "dgm_bad").code == ExitCode.NOT_ALLOWED


def test_nobody_at_the_address_is_exit_code_3_and_one_line(run: Run) -> None:
    ran = run("search", "goods", "--url", "http://127.0.0.1:9")
    assert ran.code == ExitCode.UNREACHABLE
    assert ran.err.count("\n") == 1
    assert "dragoman up" in ran.err


def test_the_key_of_the_home_is_not_sent_to_another_server(
    run: Run, fake_server: FakeDragoman, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DRAGOMAN_API_KEY")
    demo = {"url": "http://127.0.0.1:1", "api_key": KEY, "chatbot_id": "", "question": ""}
    _write("home/demo.json", json.dumps(demo))
    ran = run("search", "goods")
    assert ran.code == ExitCode.USAGE
    assert "--api-key" in ran.err
    _write("home/demo.json", json.dumps({**demo, "url": fake_server.url}))
    assert run("search", "goods").code == ExitCode.FAILED  # it was let in, and found nothing


def test_a_running_instance_of_the_home_is_found(
    run: Run, fake_server: FakeDragoman, monkeypatch: pytest.MonkeyPatch, returns: dict[str, Any]
) -> None:
    import os

    monkeypatch.delenv("DRAGOMAN_URL")
    monkeypatch.delenv("DRAGOMAN_API_KEY")
    _write("home/demo.json", json.dumps({"url": "http://old", "api_key": KEY, "chatbot_id": "", "question": ""}))
    _write("home/run/server.json", json.dumps({"url": fake_server.url, "pid": os.getpid()}))
    assert run("search", "goods").code == ExitCode.OK


@pytest.mark.parametrize(
    "arguments", [("search",), ("nonsense",), ("search", "x", "--mode", "psychic"), ("documents",)]
)
def test_a_wrong_command_line_is_exit_code_2_and_points_to_the_help(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "--help" in ran.err


def test_every_exit_code_has_its_meaning() -> None:
    assert set(EXIT_CODES) == set(ExitCode)


def test_version_prints_json(run: Run) -> None:
    assert set(run("version", "--json").json) == {"version", "python"}


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    """The heavy modules are the reason for slow help; the clock only catches what nobody thought of."""
    script = (
        "import sys; from dragoman.entrypoints.cli import main; main(['--help']); "
        "heavy = {'httpx', 'pydantic', 'sqlalchemy', 'celery', 'fastapi', 'numpy', 'psutil'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    started = time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "ingest" in ran.stdout
    assert time.perf_counter() - started < 5.0


def _write(path: str, content: str) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
