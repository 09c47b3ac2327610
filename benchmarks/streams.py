"""Streamed answers of the scripted model: many open at once, how soon they stop, and what streaming itself costs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.figures import Show, p50_p95
from benchmarks.instance import Instance, running

OPEN = int(os.environ.get("DRAGOMAN_BENCH_STREAMS", "500"))
_WARM = 40
_DELAY_MS = 17_000  # of each token: a heartbeat comes before it
_BEGIN_PER_SECOND = 25.0
_STOPS, _STOP_PER_SECOND = 100, 10.0
_ANSWERS = 1_500
_AT_ONCE = 16
_REPOSITORY = Path(__file__).resolve().parents[1]
_QUESTION = "What discount do gold partners receive on projectors?"
_HANDBOOK = """# Discounts

Gold partners receive a discount of 17 percent on every projector.

# Warranty

The warranty of the Aurora projector lasts five years and covers the lamp.
"""


def streams(show: Show) -> None:
    """First with a model that takes no time, then with a slow one."""
    words = " ".join(f"word{number}" for number in range(19))
    with _instance(DRAGOMAN_LLM_SCRIPTED_REPLIES=json.dumps([f"{words} [1]."])) as instance:
        _read(instance, 300, at_once=_AT_ONCE)
        for resumable in (False, True):
            _answer(show, instance, resumable=resumable)
    slow = {
        "DRAGOMAN_LLM_SCRIPTED_DELAY_MS": str(_DELAY_MS),
        "DRAGOMAN_LLM_SCRIPTED_REPLIES": '["Seventeen percent [1]."]',
    }
    with _instance(**slow) as instance:
        _read(instance, _WARM, stop="request")
        for resumable in (False, True):
            _open_many(show, instance, resumable=resumable)
        for how in ("request", "close"):
            show(f"stopped by a {how}, until the model call has ended", p50_p95(_stop_ms(instance, how)))


def _open_many(show: Show, instance: Instance, *, resumable: bool) -> None:
    kind = "resumable" if resumable else "plain"
    before_kib = _api_kib(instance)
    with tempfile.TemporaryDirectory(prefix="dragoman-streams-") as folder:
        process, result = _start_reading(
            Path(folder), instance, OPEN, per_second=_BEGIN_PER_SECOND, resumable=resumable
        )
        most_kib = before_kib
        while process.poll() is None:
            time.sleep(2.0)
            most_kib = max(most_kib, _api_kib(instance))
        found = json.loads(result.read_text())["streams"]
    late_ms = [late for each in found for late in each["late_ms"]]
    errors = [each["error"] for each in found if each["error"] is not None]
    show(f"{kind}: streams open at once", len(found))
    show(f"{kind}: errors", dict.fromkeys(errors) or 0)
    show(f"{kind}: memory of the API process, KiB a stream", round((most_kib - before_kib) / len(found), 1))
    show(f"{kind}: heartbeats", len(late_ms))
    show(f"{kind}: heartbeats late by", f"{p50_p95(late_ms)}, at most {max(late_ms):.1f} ms")


def _answer(show: Show, instance: Instance, *, resumable: bool) -> None:
    kind = "resumable" if resumable else "plain"
    alone = _read(instance, 300, at_once=1, resumable=resumable)["streams"]
    show(f"{kind}: one at a time, until the first token", p50_p95([each["token_ms"] for each in alone]))
    many = _read(instance, _ANSWERS, at_once=_AT_ONCE, resumable=resumable)
    assert not [each["error"] for each in many["streams"] if each["error"]]
    show(f"{kind}: answers of 20 tokens a second, {_AT_ONCE} at once", round(_ANSWERS / many["seconds"], 1))
    spent = {role: round(seconds / _ANSWERS * 1000, 2) for role, seconds in many["cpu_s_by_role"].items()}
    show(f"{kind}: ms of processor time an answer", {role: each for role, each in spent.items() if each >= 0.1})
    show(f"{kind}: of the load generator", round(many["cpu_s"] / _ANSWERS * 1000, 2))
    show(f"{kind}: until the first token then", p50_p95([each["token_ms"] for each in many["streams"]]))


def _stop_ms(instance: Instance, how: str) -> list[float]:
    """From each stop until its model call was recorded as cancelled."""
    stopped_at = {
        each["path"].split("/")[4]: each["stopped_at"] for each in _read(instance, _STOPS, stop=how)["streams"]
    }
    time.sleep(3.0)  # usage records are written behind the requests
    with psycopg.connect(instance.variable("DRAGOMAN_DATABASE_URL")) as connection:
        query = "select session_id::text, created_at from usage_records where error_code = 'cancelled'"
        ended_at = {session: moment.timestamp() for session, moment in connection.execute(query)}
    return [(ended_at[session] - moment) * 1000 for session, moment in stopped_at.items()]


@contextmanager
def _instance(**environment: str) -> Iterator[Instance]:
    """An instance that knows a handbook and answers by the scripted model."""
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        own = {"DRAGOMAN_EMBEDDER": "hashing", "DRAGOMAN_LLM": "scripted", "DRAGOMAN_ANSWER_CACHE_S": "0"}
        with running(Path(folder) / "home", "--no-sample", **own, **environment) as instance:
            with instance.http() as http:
                files = {"file": ("handbook.md", _HANDBOOK.encode())}
                path = f"/api/chatbot/documents/{http.post('/api/chatbot/documents/', files=files).json()['id']}/"
                while http.get(path).json()["state"] != "ready":
                    time.sleep(0.2)
            yield instance


def _read(
    instance: Instance, number: int, *, at_once: int = 1_000, stop: str | None = None, resumable: bool = False
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="dragoman-streams-") as folder:
        process, result = _start_reading(
            Path(folder),
            instance,
            number,
            at_once=at_once,
            stop=stop,
            resumable=resumable,
            per_second=_STOP_PER_SECOND if stop else 1e6,
        )
        before = instance.cpu_by_role()  # the sessions are made, and the reader has not begun
        assert process.wait(timeout=600) == 0
        answer: dict[str, Any] = json.loads(result.read_text())
        spent = {role: seconds - before.get(role, 0.0) for role, seconds in instance.cpu_by_role().items()}
        return {**answer, "cpu_s_by_role": spent}


def _start_reading(
    folder: Path,
    instance: Instance,
    number: int,
    *,
    per_second: float,
    resumable: bool,
    at_once: int = 10_000,
    stop: str | None = None,
) -> tuple[subprocess.Popen[bytes], Path]:
    with instance.http() as http:
        sessions = [http.post("/api/chatbot/sessions/", json={}).json()["id"] for _ in range(number)]
    plan = {
        "port": instance.port,
        "headers": {"X-API-Key": instance.api_key},
        "paths": [f"/api/chatbot/sessions/{session}/messages/stream/" for session in sessions],
        "body": {"message": _QUESTION, "resumable": resumable},
        "at_once": at_once,
        "per_second": per_second,
        "stop": stop,
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    command = [
        sys.executable,
        "-m",
        "benchmarks.stream_readers",
        str(folder / "plan.json"),
        str(folder / "result.json"),
    ]
    return subprocess.Popen(command, cwd=_REPOSITORY), folder / "result.json"


def _api_kib(instance: Instance) -> float:
    """PSS of the API process, KiB: the middle of three."""
    rollup = Path(f"/proc/{instance.roles()['api'].pid}/smaps_rollup")
    read = [
        sum(int(line.split()[1]) for line in rollup.read_text().splitlines() if line.startswith("Pss:"))
        for _ in range(3)
    ]
    return float(statistics.median(read))
