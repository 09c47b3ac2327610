"""What the benchmarks do besides measuring."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from benchmarks import grounding, load, recording_embedder, search_latency, shaped_embedder

_REPOSITORY = Path(__file__).resolve().parents[2]
_STOPPED_BY_SIGTERM = """
import time
from benchmarks.instance import leaving_on_sigterm

with leaving_on_sigterm():
    try:
        print("measuring", flush=True)
        time.sleep(60)
    finally:
        print("stopped what it had started", flush=True)
"""


def test_a_measurement_that_gets_sigterm_stops_what_it_had_started() -> None:
    command = [sys.executable, "-c", _STOPPED_BY_SIGTERM]
    with subprocess.Popen(command, cwd=_REPOSITORY, stdout=subprocess.PIPE, text=True) as measuring:
        assert measuring.stdout is not None
        assert measuring.stdout.readline() == "measuring\n"
        measuring.send_signal(signal.SIGTERM)
        output, _ = measuring.communicate(timeout=20)
    assert output == "stopped what it had started\n"
    assert measuring.returncode == 128 + signal.SIGTERM


async def test_a_request_that_is_due_waits_for_its_turn_and_the_wait_counts() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    request = {"path": "/", "headers": {}, "body": {}}
    plan = {"port": server.sockets[0].getsockname()[1], "connections": 1, "seconds": 20, "requests": [request] * 8}
    kept = {"kept": 8, "once": True}
    in_turn = await load.drive({**plan, **kept})
    when_due = await load.drive({**plan, **kept, "per_second": 1000})
    server.close()
    assert (len(in_turn["latencies_ms"]), len(when_due["latencies_ms"])) == (8, 8)
    assert set(when_due["answers"]) == set(range(8))
    assert in_turn["kept_ms"][7] < 8 * 50
    assert when_due["kept_ms"][7] >= 8 * 50 - 7


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def test_questions_are_dealt_in_shares_of_equal_length_without_those_that_warm_up() -> None:
    questions = [f"{number} " + "word " * (number % 40) for number in range(640)]
    warm, *shares = search_latency.deal(questions, shares=3)
    assert [len(share) for share in shares] == [200, 200, 200]
    assert sorted([*warm, *shares[0], *shares[1], *shares[2]]) == sorted(questions)
    lengths = [sum(map(len, share)) / len(share) for share in shares]
    assert max(lengths) - min(lengths) < 1


async def test_the_embedder_that_records_tells_the_batches_as_they_came(tmp_path: Path) -> None:
    settings = recording_embedder.Settings(file=tmp_path / "batches.jsonl", adapter="hashing")
    adapter = recording_embedder.Adapter(settings)
    vectors = await adapter.embed_passages(["one", "two\nlines"])
    await adapter.embed_queries(["a question"])
    await adapter.embed_passages(["ü"])
    await adapter.close()
    assert recording_embedder.recorded(settings.file) == [["one", "two\nlines"], ["ü"]]
    assert vectors.shape == (2, adapter.profile.dimensions)


async def test_the_shaped_embedder_gives_a_text_its_vector_and_another_text_another() -> None:
    adapter = shaped_embedder.Adapter(shaped_embedder.Settings())
    first, second, again = await adapter.embed_queries(["question 1", "question 2", "question 1"])
    np.testing.assert_allclose(first, again, atol=1e-6)
    assert float(first @ second) < 0.99
    np.testing.assert_allclose(np.linalg.norm(shaped_embedder.many(5, seed=3), axis=1), 1.0, atol=1e-5)


def test_planted_falsehoods_differ_from_the_answer_in_what_they_are_called_after() -> None:
    said = "The weir at Oxney was built in 1912 and is owned by the town."
    answer = grounding.Answer(text=said, language="en", source_language="en", sources=[said], article="00")
    number = grounding._wrong_number(answer, random.Random(1))
    assert number is not None
    assert re.sub(r"\d+", "", number) == re.sub(r"\d+", "", said)
    assert number != said
    assert grounding._denied(answer) == said.replace("was built", "was not built")
