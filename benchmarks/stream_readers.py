"""Readers of streamed answers in a process of their own, over loopback.

    python -m benchmarks.stream_readers PLAN.json RESULT.json

PLAN.json holds `port`, `headers`, `paths`, `body`, `at_once` (how many read at the same time), `per_second` (how many begin,
at most) and `stop`: None, or how each stream is stopped a second after its second event, by a `request` or by `close`. RESULT.json gets
for each stream its `error` (None where it ended with `complete`), the ms until the first `token` and until its end, for each
heartbeat the ms that it came later than 15 s after what came before it, and when it was stopped (`stopped_at`, seconds
since 1970).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

_HEARTBEAT_S = 15.0


async def _read(plan: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = {"path": path, "error": "cut", "late_ms": [], "token_ms": None}
    started = last = time.perf_counter()
    statuses = 0
    stopping: asyncio.Task[None] | None = None
    reader, writer = await asyncio.open_connection("127.0.0.1", plan["port"])
    try:
        writer.write(_request(plan, "POST", path, plan["body"]))
        head = await reader.readuntil(b"\r\n\r\n")
        if int(head[9:12]) != 200:
            return {**found, "error": head[9:12].decode()}
        while line := await reader.readline():
            moment = time.perf_counter()
            if line.startswith(b": heartbeat"):
                found["late_ms"].append((moment - last - _HEARTBEAT_S) * 1000)
            elif not line.startswith(b"data: "):
                continue
            last = moment
            if b'"type": "token"' in line and found["token_ms"] is None:
                found["token_ms"] = (moment - started) * 1000
            elif b'"type": "status"' in line:
                statuses += 1
                if plan["stop"] and statuses == 2:
                    message_id = json.loads(line[6:])["message_id"]
                    stopping = asyncio.create_task(_stop(plan, path, message_id, writer, found))
            elif b'"type": "complete"' in line:
                found |= {"error": None, "end_ms": (moment - started) * 1000}
                break
            elif b'"type": "error"' in line:
                found |= {"error": json.loads(line[6:])["code"], "end_ms": (moment - started) * 1000}
                break
    finally:
        writer.close()
    if stopping is not None:
        await stopping
    return found


async def _stop(
    plan: dict[str, Any], path: str, message_id: str, stream: asyncio.StreamWriter, found: dict[str, Any]
) -> None:
    await asyncio.sleep(1.0)
    found["stopped_at"] = time.time()
    if plan["stop"] == "close":
        stream.close()
        return
    reader, writer = await asyncio.open_connection("127.0.0.1", plan["port"])
    writer.write(_request(plan, "POST", path.replace("/stream/", f"/{message_id}/cancel/"), {}))
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert head[9:12] == b"200", head


def _request(plan: dict[str, Any], method: str, path: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    headers = {"Host": "127.0.0.1", "Content-Type": "application/json", **plan["headers"]}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content


async def read(plan: dict[str, Any]) -> dict[str, Any]:
    """What RESULT.json gets."""
    free = asyncio.Semaphore(plan["at_once"])
    cpu, started = time.process_time(), time.perf_counter()

    async def one(number: int, path: str) -> dict[str, Any]:
        await asyncio.sleep(max(0.0, started + number / plan["per_second"] - time.perf_counter()))
        async with free:
            return await _read(plan, path)

    streams = await asyncio.gather(*(one(number, path) for number, path in enumerate(plan["paths"])))
    return {"streams": streams, "seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu}


if __name__ == "__main__":
    _plan = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps(asyncio.run(read(_plan))))
