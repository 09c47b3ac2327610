"""A load generator in a process of its own: prepared HTTP requests over loopback, a fixed number of connections.

    python -m benchmarks.load REQUESTS.json RESULT.json

REQUESTS.json holds `port`, `connections`, `seconds` and `requests`, each with `path`, `headers` and `body`; they are sent
in turn, again from the first when all were sent, or each `once`. With `per_second` a request has a time at which it is
due, whether those before it were answered or not, and its latency counts from then; otherwise a connection sends its next
request when it has an answer. RESULT.json gets the latencies in ms in the order of the answers, the processor time of
this process, and the first answer to each of the first `kept` requests, with its latency.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class _Run:
    port: int
    requests: list[bytes]
    kept: int
    once: bool
    per_second: float | None
    begins: float = 0.0
    ends: float = 0.0
    next: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    kept_ms: dict[int, float] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    answers: dict[int, str] = field(default_factory=dict)


def prepared(port: int, request: dict[str, Any]) -> bytes:
    body = json.dumps(request["body"]).encode()
    headers = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json", **request["headers"]}
    lines = [f"POST {request['path']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def _connection(run: _Run) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", run.port)
    try:
        while time.perf_counter() < run.ends:
            number = run.next
            run.next += 1
            if run.once and number >= len(run.requests):
                break
            started = await _due(run, number)
            if started >= run.ends:
                break
            writer.write(run.requests[number % len(run.requests)])
            status, body = await _answer(reader)
            run.latencies_ms.append((time.perf_counter() - started) * 1000)
            if status != 200:
                run.errors[str(status)] = run.errors.get(str(status), 0) + 1
            elif number < run.kept:
                run.answers[number], run.kept_ms[number] = body.decode(), run.latencies_ms[-1]
    finally:
        writer.close()


async def _due(run: _Run, number: int) -> float:
    """The time at which the request begins to count, once it has come."""
    if run.per_second is None:
        return time.perf_counter()
    due = run.begins + number / run.per_second
    await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return due


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    status = int(head[9:12])
    at = lower.find(b"content-length:")
    if at >= 0:
        return status, await reader.readexactly(int(lower[at + 15 : lower.index(b"\r\n", at)]))
    body = b""  # chunked, as some servers send
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return status, body


async def drive(plan: dict[str, Any]) -> dict[str, Any]:
    """What RESULT.json gets."""
    run = _Run(
        port=plan["port"],
        requests=[prepared(plan["port"], request) for request in plan["requests"]],
        kept=plan.get("kept", 0),
        once=plan.get("once", False),
        per_second=plan.get("per_second"),
    )
    cpu, started = time.process_time(), time.perf_counter()
    run.begins = started
    run.ends = started + plan["seconds"]
    await asyncio.gather(*(_connection(run) for _ in range(plan["connections"])))
    return {
        "seconds": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "latencies_ms": run.latencies_ms,
        "errors": run.errors,
        "answers": run.answers,
        "kept_ms": run.kept_ms,
    }


if __name__ == "__main__":
    _plan = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps(asyncio.run(drive(_plan))))
