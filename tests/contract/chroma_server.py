"""A Chroma server: the real one where the program `chroma` is installed, and a double of its HTTP API v2.

The double is written from the public API reference and was compared with the server of chromadb 1.5.9.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np

from tests.contract.json_server import JsonDouble, RefusalError, Request

COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


class ChromaServer(JsonDouble):
    """`named` replaces the ids that a query names, to see what becomes of lies."""

    def __init__(self) -> None:
        super().__init__()
        self.collections: dict[str, dict[str, Any]] = {}
        self.named: list[Any] | None = None

    def answer(self, request: Request) -> Any:
        if request.path == "/api/v2/heartbeat":
            return {"nanosecond heartbeat": time.time_ns()}
        if not request.path.startswith(COLLECTIONS):
            raise RefusalError(404, {"error": "NotFoundError", "message": "not found"})
        parts = request.path.removeprefix(COLLECTIONS).strip("/").split("/")
        match (request.method, parts):
            case ("POST", [""]):
                return self._create(request.body)
            case ("GET", [""]):
                start, count = int(request.query.get("offset", 0)), int(request.query.get("limit", 100))
                named = sorted(self.collections.values(), key=lambda each: str(each["name"]))
                return [_shown(each) for each in named[start : start + count]]
            case ("GET", [name]):
                return _shown(self._by_name(name))
            case ("DELETE", [name]):
                del self.collections[self._by_name(name)["id"]]
                return {}
            case ("POST", [collection, "upsert"]):
                return self._upsert(self._by_id(collection), request.body)
            case ("POST", [collection, "query"]):
                return self._query(self._by_id(collection), request.body)
            case ("POST", [collection, "get"]):
                return self._get(self._by_id(collection), request.body)
            case ("POST", [collection, "delete"]):
                return self._delete(self._by_id(collection), request.body)
        raise RefusalError(405, {"error": "MethodNotAllowed", "message": "method not allowed"})

    def _by_name(self, name: str) -> dict[str, Any]:
        found = next((each for each in self.collections.values() if each["name"] == name), None)
        if found is None:
            raise RefusalError(404, {"error": "NotFoundError", "message": f"Collection [{name}] does not exist"})
        return found

    def _by_id(self, collection: str) -> dict[str, Any]:
        if collection not in self.collections:
            raise RefusalError(404, {"error": "NotFoundError", "message": f"Collection [{collection}] does not exist"})
        return self.collections[collection]

    def _create(self, body: Any) -> Any:
        existing = [each for each in self.collections.values() if each["name"] == body["name"]]
        if not existing:
            made = {"id": str(uuid4()), "name": body["name"], "configuration": body["configuration"], "dimension": None}
            self.collections[made["id"]] = {**made, "entries": {}}
            return made
        if not body.get("get_or_create"):
            raise RefusalError(409, {"error": "InternalError", "message": "Collection already exists"})
        return _shown(existing[0])

    def _upsert(self, collection: dict[str, Any], body: Any) -> Any:
        if not 1 <= len(body["ids"]) <= 5461 or len(set(body["ids"])) < len(body["ids"]):
            raise RefusalError(400, {"error": "InvalidArgumentError", "message": "too many ids, or the same twice"})
        for entry, values, about in zip(body["ids"], body["embeddings"], body["metadatas"], strict=True):
            if collection["dimension"] not in (None, len(values)):
                raise RefusalError(400, {"error": "InvalidArgumentError", "message": "wrong dimension"})
            collection["dimension"] = len(values)
            collection["entries"][entry] = (np.array(values, dtype=np.float32), about)
        return {}

    def _query(self, collection: dict[str, Any], body: Any) -> Any:
        [query] = [np.array(each, dtype=np.float32) for each in body["query_embeddings"]]
        if collection["dimension"] not in (None, len(query)):
            raise RefusalError(400, {"error": "InvalidArgumentError", "message": "wrong dimension"})
        entries = collection["entries"]
        ids = sorted(entries, key=lambda entry: (-float(entries[entry][0] @ query), entry))[: body["n_results"]]
        return {"ids": [ids if self.named is None else self.named], "include": body["include"], "distances": None}

    def _get(self, collection: dict[str, Any], body: Any) -> Any:
        ids = sorted(collection["entries"])
        return {"ids": ids[body["offset"] : body["offset"] + body["limit"]], "include": body["include"]}

    def _delete(self, collection: dict[str, Any], body: Any) -> Any:
        entries = collection["entries"]
        for entry in list(entries):
            wanted = body.get("where", {}).items()
            by_metadata = bool(wanted) and all(entries[entry][1].get(name) == value for name, value in wanted)
            if entry in body.get("ids", ()) or by_metadata:
                del entries[entry]
        return {}


def _shown(collection: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in collection.items() if name != "entries"}


@contextmanager
def run_chroma_double() -> Iterator[ChromaServer]:
    server = ChromaServer()
    with server.running():
        yield server


def find_chroma() -> str | None:
    """The program `chroma`, of the package `chromadb`: 500 MB with all that it needs, so no part of `dev`."""
    return os.environ.get("DRAGOMAN_TEST_CHROMA") or shutil.which("chroma")


@contextmanager
def run_real_chroma(program: str, folder: Path) -> Iterator[str]:
    """The address of a server that keeps its data in the folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(f"{url}/api/v2/heartbeat", process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(address, timeout=1, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("The Chroma server did not start.")
