"""A bulk import that goes on while parts of the service are killed, and what must hold when it is over.

Each file is a note with a code word of its own. A file counts as acknowledged when the service answered that it was
accepted; whatever was not acknowledged is sent again, as a client would.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from benchmarks.instance import Instance, command_of

FILES = 300
_PER_REQUEST = 20
_PAUSE_S = 0.25  # between two requests: so that faults fall into the sending as well as into the reading
_SEND_AGAIN_AFTER_S = 0.3
_WORDS = [
    "amber",
    "basil",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "inlet",
    "jetty",
    "kelp",
    "larch",
    "maple",
    "north",
    "ocean",
    "pearl",
    "quartz",
    "reed",
]
_PASSING = {"ingestion.storage_full", "blob_store.unavailable", "database.unavailable"}


def code_word(number: int) -> str:
    return f"quokka{number}"


def note(number: int) -> bytes:
    """Markdown of about 1 KB that nothing else resembles, with the code word in one place."""
    chance = random.Random(number)
    lines = [" ".join(chance.choices(_WORDS, k=12)).capitalize() + "." for _ in range(10)]
    code = f"The code word of note {number} is {code_word(number)}. It was chosen by hand."
    return "\n\n".join([f"# Note {number}", *lines[:5], code, *lines[5:], ""]).encode()


@dataclass(slots=True, kw_only=True)
class BulkImport:
    """What was sent so far.

    Attributes:
        acknowledged: document id by the number of its note.
        refusals: (status or 202, code, detail) of each answer that did not accept a file.
    """

    instance: Instance
    import_id: str
    acknowledged: dict[int, str] = field(default_factory=dict)
    refusals: list[tuple[int, str, str]] = field(default_factory=list)

    def status(self, http: httpx.Client) -> dict[str, Any]:
        answer = http.get(f"/api/chatbot/imports/{self.import_id}/", params={"limit": 1})
        answer.raise_for_status()
        return dict(answer.json())

    def send(self, numbers: Sequence[int], *, content: Callable[[int], bytes] = note) -> None:
        """Send each until it is acknowledged, some in a request."""
        with self.instance.http() as http:
            for first in range(0, len(numbers), _PER_REQUEST):
                missing = list(numbers[first : first + _PER_REQUEST])
                while missing := self.send_once(http, missing, content=content):
                    time.sleep(_SEND_AGAIN_AFTER_S)
                time.sleep(_PAUSE_S)

    def send_once(
        self, http: httpx.Client, numbers: Sequence[int], *, content: Callable[[int], bytes] = note
    ) -> list[int]:
        """One request; the numbers that it did not acknowledge, for a reason that may pass."""
        files = [("files", (f"note-{number}.md", content(number), "text/markdown")) for number in numbers]
        form = {"import_id": self.import_id}
        try:
            answer = http.post("/api/chatbot/documents/batch/", files=files, data=form, timeout=30)
        except httpx.TransportError:
            return list(numbers)
        if answer.status_code != 202:
            assert answer.status_code >= 500, answer.text
            problem = answer.json()
            self.refusals.append((answer.status_code, problem["code"], problem["detail"]))
            return list(numbers)
        return self._take(numbers, answer.json()["documents"])

    def _take(self, numbers: Sequence[int], items: Sequence[dict[str, Any]]) -> list[int]:
        missing = []
        for number, item in zip(numbers, items, strict=True):
            if item["accepted"]:
                self.acknowledged[number] = item["id"]
                continue
            assert item["error_code"] in _PASSING, item
            self.refusals.append((202, item["error_code"], item["error"]))
            missing.append(number)
        return missing


@contextmanager
def importing(instance: Instance, files: int = FILES) -> Iterator[BulkImport]:
    """Notes 0 to `files` are being sent while the block runs; all are acknowledged and read when it is left."""
    with instance.http() as http:
        made = http.post("/api/chatbot/imports/", json={"name": "notes", "expected_documents": files})
        made.raise_for_status()
        bulk = BulkImport(instance=instance, import_id=made.json()["id"])
        problems: list[BaseException] = []

        def send() -> None:
            try:
                bulk.send(range(files))
            except BaseException as error:  # noqa: BLE001 -- raised in the test's own thread
                problems.append(error)

        sending = threading.Thread(target=send, name="sending", daemon=True)
        sending.start()
        yield bulk
        until(lambda: not sending.is_alive(), "all notes are acknowledged")
        if problems:
            raise problems[0]
        until_read(http, bulk, files)


def until_read(http: httpx.Client, bulk: BulkImport, files: int) -> None:
    def is_read() -> bool:
        counts = bulk.status(http)["counts"]
        if counts["failed"]:
            pytest.fail(f"Documents failed: {bulk.status(http)['reasons']}")
        return bool(counts["succeeded"] == files)

    until(is_read, f"all {files} documents are read")


def until(condition: Callable[[], bool], what: str, *, patience_s: float = 90.0) -> None:
    """Wait; the service may be away meanwhile."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (httpx.TransportError, httpx.HTTPStatusError):
            pass
        time.sleep(0.1)
    pytest.fail(f"Not within {patience_s:.0f} s: {what}.")


def until_under_way(bulk: BulkImport, http: httpx.Client, *, read: int) -> None:
    """Wait until so many documents are read; the import must not be over then."""
    until(lambda: bool(bulk.status(http)["counts"]["succeeded"] >= read), f"{read} documents are read")


# ---- parts of the service


def find_server(instance: Instance, program: str) -> psutil.Process:
    """PostgreSQL's or Valkey's first process: `postgres` or `valkey-server`."""
    return next(p for p in instance.processes() if (command := command_of(p)) and command[0].endswith(f"/{program}"))


def until_ready(http: httpx.Client, *gone: psutil.Process) -> None:
    until(
        lambda: not any(map(_is_alive, gone)) and http.get("/readyz").status_code == 200,
        "the service is ready again",
    )


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# ---- what must hold in the end


def check_all_is_whole(bulk: BulkImport, files: int = FILES, **environment: str) -> None:
    """Every acknowledged note is there once, whole, and found; nothing else is, and nothing is left lying about."""
    instance = bulk.instance
    with instance.http() as http:
        _check_documents(http, bulk, files)
        lost = [number for number in range(files) if not _is_found_once(http, bulk, number)]
        assert lost == [], "not found exactly once by their code words"
        for state in ("failed", "queued", "running", "paused"):
            assert http.get("/api/jobs/", params={"state": state}).json()["total"] == 0, state
        status = bulk.status(http)
        assert (status["total"], status["progress"]) == (files, 1.0)
    _check_rows(instance)
    _check_blobs(instance, files, environment)


def _check_documents(http: httpx.Client, bulk: BulkImport, files: int) -> None:
    documents: list[dict[str, Any]] = []
    for offset in range(0, files + 1, 200):
        page = http.get("/api/chatbot/documents/", params={"limit": 200, "offset": offset}).json()
        documents += page["documents"]
    assert page["total"] == files
    assert {document["id"] for document in documents} == set(bulk.acknowledged.values())
    assert {document["file_name"] for document in documents} == {f"note-{number}.md" for number in range(files)}
    assert {document["state"] for document in documents} == {"ready"}
    assert {document["version"] for document in documents} == {1}


def _is_found_once(http: httpx.Client, bulk: BulkImport, number: int) -> bool:
    body = {"query": code_word(number), "mode": "keyword", "max_results": 5}
    hits = http.post("/api/search", json=body).json()["results"]
    found = [hit["document_id"] for hit in hits if f"{code_word(number)}." in hit["content"]]
    return found == [bulk.acknowledged[number]]


_ROWS = """
select
    (select count(*) from documents),
    (select count(*) from document_versions),
    (select count(*) from document_versions where state = 'ready' and id in (select live_version_id from documents)),
    (select coalesce(sum(chunk_count), 0) from document_versions),
    (select count(*) from chunks),
    (select count(distinct (version_id, ordinal)) from chunks),
    (select count(*) from chunk_embeddings),
    (select count(*) from chunks join chunk_embeddings on chunk_id = chunks.id),
    (select coalesce(sum(chunk_count), 0) from keyword_versions),
    (select count(*) from chunks where text like '%quokka%')
"""


def _check_rows(instance: Instance) -> None:
    """Counted beneath the service, as administrator: what a search would not show may still be there."""
    with psycopg.connect(environment_of(instance)["DRAGOMAN_DATABASE_URL"]) as connection:
        row = connection.execute(_ROWS).fetchone()
    assert row is not None
    documents, versions, live, stated, chunks, places, embedded, matched, indexed, with_word = map(int, row)
    assert documents == versions == live
    assert stated == chunks == places == embedded == matched == indexed >= documents
    assert with_word == documents


def _check_blobs(instance: Instance, files: int, environment: dict[str, str]) -> None:
    """As `dragoman blobs check` sees it: each original as it was sent, and none that no document needs."""
    command = [sys.executable, "-m", "dragoman", "blobs", "check", "--json", "--home", str(instance.home)]
    variables = {**os.environ, **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["good"], found["missing"], found["damaged"], found["orphans"]) == (files, [], {}, [])
    root = Path(environment.get("DRAGOMAN_BLOB_STORE_FILE_ROOT", instance.home / "blobs"))
    assert list((root / ".unfinished").glob("*")) == []


def environment_of(instance: Instance) -> dict[str, str]:
    """The variables that `up` gave to its roles."""
    return instance.roles()["api"].environ()
