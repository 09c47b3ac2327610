"""The commands against a server: what they print, on which stream, and their exit codes."""

from __future__ import annotations

import io
import json
import signal
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


def test_a_document_that_waits_for_approval_is_no_failure(run: Run, fake_server: FakeDragoman) -> None:
    fake_server.review = True
    _write("a.md", RETURNS)
    ran = run("ingest", "a.md")
    assert (ran.code, "1 pending" in ran.out) == (ExitCode.OK, True)


# ---- ingest, many files


def test_many_files_become_a_bulk_import(run: Run, fake_server: FakeDragoman) -> None:
    _write_many(110)
    _write("docs/bad.pdf", "x")
    _write("docs/picture.bin", "x")
    ran = run("ingest", "docs", "--category", "archive", "--json")
    assert ran.code == ExitCode.FAILED
    assert {name: ran.json[name] for name in ("ready", "failed", "skipped")} == {
        "ready": 110,
        "failed": 1,
        "skipped": 1,
    }
    failed = next(each for each in ran.json["documents"] if each["outcome"] == "failed")
    assert (failed["path"], failed["code"]) == ("docs/bad.pdf", "ingestion.damaged")
    [(import_id, opened)] = fake_server.imports.items()
    assert (ran.json["import_id"], opened["name"], opened["expected_documents"]) == (import_id, "ingest docs", 112)
    assert len([each for each in fake_server.requests if each.startswith("POST")]) == 3  # the import and two batches
    assert {each["category"] for each in fake_server.documents.values()} == {"archive"}
    assert "docs/deep/0.md" in {each["external_id"] for each in fake_server.documents.values()}


def test_of_many_files_those_are_named_that_failed(run: Run) -> None:
    _write_many(30)
    _write("docs/bad.pdf", "x")
    ran = run("ingest", "docs")
    assert "failed     docs/bad.pdf  The file is damaged." in ran.err
    assert "0.md" not in ran.err
    assert ran.out == "30 ready, 1 failed\n"


def test_ingesting_many_files_again_changes_nothing(run: Run, fake_server: FakeDragoman) -> None:
    _write_many(30)
    run("ingest", "docs")
    ran = run("ingest", "docs")
    assert (ran.code, ran.out) == (ExitCode.OK, "30 unchanged\n")
    assert len(fake_server.documents) == 30


def test_of_many_files_those_that_wait_for_approval_are_counted(run: Run, fake_server: FakeDragoman) -> None:
    fake_server.review = True
    _write_many(25)
    assert run("ingest", "docs").out == "25 pending\n"


def test_who_may_open_no_import_uploads_one_by_one(run: Run, fake_server: FakeDragoman) -> None:
    fake_server.is_member = True
    _write_many(21)
    ran = run("ingest", "docs", "--private")
    assert (ran.code, ran.out) == (ExitCode.OK, "21 ready\n")
    assert not [each for each in fake_server.requests if each.endswith("/batch/")]


def test_an_import_that_does_not_move_is_waited_for_only_so_long(run: Run, fake_server: FakeDragoman) -> None:
    fake_server.polls_until_ready = 1000
    _write_many(20)
    ran = run("ingest", "docs", "--timeout", "0", "--json")
    assert (ran.code, ran.json["failed"]) == (ExitCode.FAILED, 20)
    assert {each["code"] for each in ran.json["documents"]} == {"not_ready_in_time"}


def test_ctrl_c_leaves_the_import_running_and_says_how_to_steer_it(run: Run, fake_server: FakeDragoman) -> None:
    fake_server.polls_until_ready = 1000
    _write_many(20)
    script = (
        "import signal, sys; from dragoman.entrypoints.cli import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a background job of a shell ignores it
        "sys.exit(main(['ingest', 'docs']))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not any(each.startswith("GET /api/chatbot/imports/") for each in fake_server.requests):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    [(import_id, opened)] = fake_server.imports.items()
    assert opened["state"] == "running"
    assert "20 of 20 files are uploaded" in told
    assert f"dragoman imports show|pause|resume|cancel {import_id}" in told
    assert "Traceback" not in told


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


def test_a_list_is_narrowed_and_shows_approval_and_quality(
    run: Run, returns: dict[str, Any], fake_server: FakeDragoman
) -> None:
    ran = run("documents", "list", "--approval", "approved", "--min-quality", "0.5", "--tag", "x", "--sort", "quality")
    assert ran.code == ExitCode.OK
    assert "approved 0.90" in " ".join(ran.out.split())
    wanted = {"approval": "approved", "min_quality": "0.5", "tag": "x", "sort": "quality"}
    assert fake_server.queries[-1] == {**wanted, "limit": "200", "offset": "0"}


def test_a_name_is_looked_up_by_the_server(run: Run, returns: dict[str, Any], fake_server: FakeDragoman) -> None:
    run("documents", "show", "policies/returns.md")
    run("documents", "show", "returns.md")
    asked = [query.get("external_id") or query.get("search") for query in fake_server.queries]
    assert [each for each in asked if each] == ["policies/returns.md", "returns.md", "returns.md"]


def test_the_status_of_a_document_shows_its_steps_and_waits(run: Run, fake_server: FakeDragoman) -> None:
    fake_server.polls_until_ready = 3
    document, _ = fake_server.add_document({}, "a.md", b"text")
    assert "embedding" in run("documents", "status", document["id"]).out
    ran = run("documents", "status", document["id"], "--wait", "--json")
    assert (ran.code, ran.json["state"]) == (ExitCode.OK, "ready")
    fake_server.polls_until_ready = 0
    bad, _ = fake_server.add_document({}, "bad.pdf", b"x")
    ran = run("documents", "status", bad["id"], "--wait")
    assert (ran.code, "The file is damaged." in ran.out) == (ExitCode.FAILED, True)


def test_a_document_is_replaced_restored_and_downloaded(
    run: Run, returns: dict[str, Any], fake_server: FakeDragoman
) -> None:
    _write("new.md", "Now 50 days.")
    assert "Version 2 is read now: returns" in run("documents", "replace", "returns.md", "new.md").out
    assert "Version 1 is read again as version 3" in run("documents", "restore", "returns.md", "1").out
    ran = run("documents", "versions", "returns.md")
    assert "version 1 again" in ran.out
    assert "live" in ran.out.splitlines()[1]
    assert [each["version"] for each in run("documents", "versions", "returns.md", "--json").json["versions"]] == [
        3,
        2,
        1,
    ]
    assert run("documents", "restore", "returns.md", "9").code == ExitCode.NOT_FOUND
    ran = run("documents", "download", "returns.md", "--version", "2", "--to", "old.md", "--json")
    assert ran.json == {"path": "old.md", "size_bytes": 12}
    assert Path("old.md").read_text() == "Now 50 days."
    run("documents", "download", "returns.md")
    assert Path("returns.md").read_text() == RETURNS


def test_documents_are_approved_and_rejected_with_a_reason(run: Run, fake_server: FakeDragoman) -> None:
    fake_server.review = True
    for name in ("a.md", "b.md"):
        fake_server.add_document({}, name, name.encode())
    assert run("documents", "approve", "a.md").code == ExitCode.OK
    assert run("documents", "reject", "b.md").code == ExitCode.USAGE
    ran = run("documents", "reject", "b.md", "--reason", "Out of date", "--json")
    assert [each["approval_reason"] for each in ran.json["documents"]] == ["Out of date"]
    assert "rejected: Out of date" in run("documents", "show", "b.md").out


def test_reading_is_cancelled_retried_and_done_again(
    run: Run, returns: dict[str, Any], fake_server: FakeDragoman
) -> None:
    assert "Cancelled returns" in run("documents", "cancel", "returns.md").out
    assert returns["state"] == "cancelled"
    assert run("documents", "retry", "returns.md").code == ExitCode.OK
    assert returns["state"] == "queued"
    assert run("documents", "reprocess", "returns.md", "--embed-all").code == ExitCode.OK
    assert fake_server.bodies[-1] == {"embed_all": True}


def test_labels_are_changed(run: Run, returns: dict[str, Any]) -> None:
    assert run("documents", "update", "returns.md", "--category", "x", "--tag", "a", "--tag", "b").code == ExitCode.OK
    assert (returns["category"], returns["tags"], returns["title"]) == ("x", ["a", "b"], "returns")


def test_the_quality_report_says_what_to_do(run: Run, returns: dict[str, Any]) -> None:
    ran = run("documents", "quality", "returns.md")
    assert "0.71, version 1" in ran.out
    assert "EMAIL_ADDRESS 3 (masked)" in ran.out
    assert "warning   1 of 2 pages have no text. Pages 2." in ran.out
    assert "Switch OCR on." in ran.out
    assert "LIX 45, Flesch 1948 52" in ran.out


def test_chunks_are_shown_with_their_places(run: Run, returns: dict[str, Any]) -> None:
    ran = run("documents", "chunks", "returns.md", "--limit", "2")
    assert "1. page 3, Returns > Terms, text, en, 7 tokens\n" in ran.out
    assert ran.out.endswith("2 chunks\n")
    assert len(run("documents", "chunks", "returns.md", "--json").json["chunks"]) == 3


def test_the_history_of_a_document_names_who_did_what(run: Run, returns: dict[str, Any]) -> None:
    ran = run("documents", "history", "returns.md")
    assert "document.uploaded key:1 version 1" in " ".join(ran.out.split())


def test_imports_are_listed_shown_and_steered(run: Run, fake_server: FakeDragoman) -> None:
    _write_many(20)
    _write("docs/bad.pdf", "x")
    import_id = run("ingest", "docs", "--json").json["import_id"]
    assert import_id in run("imports", "list").out
    ran = run("imports", "show", import_id)
    assert "20 succeeded, 1 failed" in ran.out
    assert "1 x ingestion.damaged" in ran.out
    assert "failed    bad.pdf  The file is damaged." in ran.out
    states = {"pause": "paused", "resume": "running", "cancel": "cancelled", "retry-failed": "running"}
    for action, state in states.items():
        assert run("imports", action, import_id, "--json").json["state"] == state
    assert run("imports", "show", "00000000-0000-0000-0000-000000000000").code == ExitCode.NOT_FOUND


def test_dead_jobs_are_listed_with_their_reason_and_retried(run: Run, fake_server: FakeDragoman) -> None:
    fake_server.polls_until_ready = 0
    _write("bad.pdf", "x")
    run("ingest", "bad.pdf")
    ran = run("jobs", "list", "--state", "failed")
    assert "ingestion.damaged: The file is damaged." in ran.out
    assert ran.out.endswith("1 of 1 jobs\n")
    [job] = run("jobs", "list", "--state", "failed", "--json").json["jobs"]
    assert "is queued: bad" in run("jobs", "retry", job["id"]).out
    assert run("jobs", "cancel", job["id"], "--json").json["jobs"][0]["state"] == "cancelled"
    assert run("jobs", "retry", "00000000-0000-0000-0000-000000000000").code == ExitCode.NOT_FOUND


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


def _write_many(count: int) -> None:
    for number in range(count):
        _write(f"docs/deep/{number}.md", f"Text number {number}.")


def _write(path: str, content: str) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


# ---- translators


def test_translators_are_listed_with_what_each_can_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_TRANSLATOR", "llm")
    monkeypatch.setenv("DRAGOMAN_TRANSLATOR_LLM_LANGUAGES", '["de", "en"]')
    monkeypatch.setenv("DRAGOMAN_TRANSLATOR_APERTIUM_PROGRAM", "apertium-that-is-not-there")
    ran = run("translators", "--json")
    assert ran.code == ExitCode.OK
    found = {each["name"]: each for each in ran.json["translators"]}
    assert {"apertium", "llm", "marian"} <= set(found)
    assert found["llm"] == {"name": "llm", "is_default": True, "pairs": ["de-en", "en-de"], "problem": ""}
    assert found["apertium"]["pairs"] == []
    assert "apt install apertium" in found["apertium"]["problem"]
    assert not found["marian"]["is_default"]


def test_translators_for_people_say_why_one_cannot_be_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_TRANSLATOR_APERTIUM_PROGRAM", "apertium-that-is-not-there")
    ran = run("translators")
    assert ran.code == ExitCode.OK
    assert "cannot be used" in ran.out
    assert "apt install apertium" in ran.out


def test_load_is_for_this_machine_only(run: Run) -> None:
    ran = run("eval", "load", "--url", "http://192.0.2.7:8000", "--json")
    assert ran.code == ExitCode.FAILED
    assert json.loads(ran.err)["error"]["code"] == "evaluation.remote_load"


def test_answers_are_measured_reported_and_exported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "set" / "knowledge").mkdir(parents=True)
    (tmp_path / "set" / "knowledge" / "a.md").write_text(RETURNS, encoding="utf-8")
    question = {"id": "1", "language": "en", "question": "Goods when?", "document": "a.md", "answers": ["42 days"]}
    (tmp_path / "set" / "questions.jsonl").write_text(json.dumps(question), encoding="utf-8")
    options = ("--report", "figures.json", "--export", "ragas", "--export", "deepeval", "--export-folder", "out")
    ran = run("eval", "answers", "set", *options)
    assert ran.code == ExitCode.OK, ran.err
    assert "Refused wrongly" in ran.out
    assert json.loads((tmp_path / "figures.json").read_text())["gold_recall"] == 1.0
    (sample,) = map(json.loads, (tmp_path / "out" / "ragas.jsonl").read_text().splitlines())
    assert sample["retrieved_contexts"] == [RETURNS] == sample["reference_contexts"]
    assert json.loads((tmp_path / "out" / "deepeval.json").read_text())[0]["expected_output"] == "42 days"
