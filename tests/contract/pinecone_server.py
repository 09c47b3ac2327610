"""A double of one serverless Pinecone index, written from its public API reference (version 2025-04).

It has the data plane that the adapter uses, with its limits: `/vectors/upsert`, `/query`, `/vectors/delete`,
`/vectors/list` and `/describe_index_stats`. It is at once consistent unless `lag` holds writes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.contract.json_server import JsonDouble, RefusalError, Request

API_KEY = "pc-test"
_MEGABYTES_2 = 2 * 1024 * 1024


class PineconeServer(JsonDouble):
    """`named` replaces the ids that a query names, to see what becomes of lies."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension
        self.namespaces: dict[str, dict[str, np.ndarray]] = {}
        self.named: list[Any] | None = None
        self.lag = False
        self._late: list[tuple[str, str, np.ndarray]] = []

    def catch_up(self) -> None:
        """Show what was written while `lag` was set."""
        self.lag = False
        for namespace, entry, values in self._late:
            self.namespaces.setdefault(namespace, {})[entry] = values
        self._late.clear()

    def answer(self, request: Request) -> Any:
        if request.headers.get("api-key") != API_KEY:
            raise RefusalError(401, "Unauthorized")
        if "x-pinecone-api-version" not in request.headers:
            raise _invalid("X-Pinecone-Api-Version is missing")
        known = {
            ("POST", "/vectors/upsert"): self._upsert,
            ("POST", "/query"): self._query,
            ("POST", "/vectors/delete"): self._delete,
            ("GET", "/vectors/list"): self._list,
            ("POST", "/describe_index_stats"): self._stats,
        }
        if (request.method, request.path) not in known:
            raise RefusalError(404, {"code": 5, "message": "not found", "details": []})
        return known[request.method, request.path](request)

    def _upsert(self, request: Request) -> Any:
        vectors = request.body["vectors"]
        if len(request.raw) > _MEGABYTES_2 or not 1 <= len(vectors) <= 1000:
            raise _invalid("at most 1,000 vectors and 2 MB")
        for vector in vectors:
            values = np.array(vector["values"], dtype=np.float32)
            if values.shape != (self.dimension,):
                raise _invalid(f"Vector dimension {len(values)} does not match the dimension of the index")
            if not values.any():
                raise _invalid("Dense vectors must contain at least one non-zero value.")
            if not 1 <= len(vector["id"].encode()) <= 512 or not vector["id"].isascii():
                raise _invalid("Vector ID must be ASCII and at most 512 long")
            if self.lag:
                self._late.append((request.body["namespace"], vector["id"], values))
            else:
                self.namespaces.setdefault(request.body["namespace"], {})[vector["id"]] = values
        return {"upsertedCount": len(vectors)}

    def _query(self, request: Request) -> Any:
        body = request.body
        if not 1 <= body["topK"] <= 10_000:
            raise _invalid("topK must be between 1 and 10000")
        query = np.array(body["vector"], dtype=np.float32)
        if query.shape != (self.dimension,):
            raise _invalid("Vector dimension does not match the dimension of the index")
        entries = self.namespaces.get(body["namespace"], {})
        scored = sorted(
            ((float(values @ query), entry) for entry, values in entries.items()), key=lambda x: (-x[0], x[1])
        )
        matches: list[Any] = [{"id": entry, "score": score, "values": []} for score, entry in scored[: body["topK"]]]
        if self.named is not None:
            matches = [{"id": entry, "score": 1.0} if isinstance(entry, str) else entry for entry in self.named]
        return {"matches": matches, "namespace": body["namespace"], "usage": {"readUnits": 1}}

    def _delete(self, request: Request) -> Any:
        body = request.body
        entries = self.namespaces.get(body["namespace"])
        if entries is None:
            raise RefusalError(404, {"code": 5, "message": "Namespace not found", "details": []})
        if body.get("deleteAll"):
            del self.namespaces[body["namespace"]]
            return {}
        if not 1 <= len(body["ids"]) <= 1000:
            raise _invalid("at most 1,000 ids")
        for entry in body["ids"]:
            entries.pop(entry, None)
        return {}

    def _list(self, request: Request) -> Any:
        limit = int(request.query.get("limit", "100"))
        if not 1 <= limit <= 100:
            raise _invalid("limit must be between 1 and 100")
        prefix, after = request.query.get("prefix", ""), request.query.get("paginationToken", "")
        namespace = request.query.get("namespace", "")
        ids = sorted(
            entry for entry in self.namespaces.get(namespace, {}) if entry.startswith(prefix) and entry > after
        )
        page = {"vectors": [{"id": entry} for entry in ids[:limit]], "namespace": namespace, "usage": {"readUnits": 1}}
        return {**page, "pagination": {"next": ids[limit - 1]}} if len(ids) > limit else page

    def _stats(self, request: Request) -> Any:
        counts = {name: {"vectorCount": len(entries)} for name, entries in self.namespaces.items()}
        total = sum(len(entries) for entries in self.namespaces.values())
        return {"namespaces": counts, "dimension": self.dimension, "indexFullness": 0, "totalVectorCount": total}


def _invalid(message: str) -> RefusalError:
    return RefusalError(400, {"code": 3, "message": message, "details": []})


@contextmanager
def run_pinecone(dimension: int) -> Iterator[PineconeServer]:
    server = PineconeServer(dimension)
    with server.running():
        yield server
