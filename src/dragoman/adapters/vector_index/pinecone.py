"""Candidates from Pinecone, through its REST data plane; PostgreSQL stays the truth.

Each chatbot and embedding version has a namespace of its own, which is named after both. The index must be serverless,
with the metric `dotproduct` or `cosine`; it is made beforehand. Pinecone shows what was written after some seconds:
until then a search finds it only where PostgreSQL has to answer alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dragoman.adapters.vector_index._parts.candidates import (
    ExternalVectors,
    IndexUnfitError,
    StoredRows,
    digests_of,
    entry_id,
    field_of,
    numbers_of,
    parse_entry_id,
    parse_place_name,
    place_name,
)
from dragoman.kit.json_service import LONGEST_REMOVAL_S, JsonService, ServiceLacksError
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Vectors
from dragoman.ports.external_index import Digest, Digests, IndexPlace

_MOST_CANDIDATES: Final = 10_000  # Pinecone's limit of `topK`
_UPSERT_ENTRIES: Final = 1000  # its limits: 1,000 records and 2 MB
_UPSERT_BYTES: Final = 1_900_000
_BYTES_A_NUMBER: Final = 11  # "-0.123456, "
_BYTES_AN_ENTRY: Final = 160  # all but its numbers
_DELETE_ENTRIES: Final = 1000
_LIST_ENTRIES: Final = 100


class Settings(BaseModel):
    """Settings of the vector index `pinecone`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, description="Host of the index, as Pinecone's console shows it.")
    api_key: SecretStr = Field(description="Key of the project that the index belongs to.")
    api_version: str = Field(default="2025-04", description="Sent as `X-Pinecone-Api-Version`.")
    prefix: str = Field(
        default="dragoman", pattern=r"^[a-z0-9]{3,20}$", description="First part of the namespaces' names."
    )
    search_timeout_s: float = Field(default=2.0, gt=0, description="Longest wait of a search, in seconds.")
    write_timeout_s: float = Field(default=20.0, gt=0, description="Longest wait of a write, in seconds.")
    write_tries: int = Field(default=3, ge=1, le=10, description="How often a write is tried.")


class Adapter(ExternalVectors):
    """The vector index `pinecone`."""

    name = "pinecone"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        host = settings.host
        self._service = JsonService(
            "Pinecone",
            host if "://" in host else f"https://{host}",
            headers={
                "Api-Key": settings.api_key.get_secret_value(),
                "X-Pinecone-Api-Version": settings.api_version,
            },
            timeout_s=settings.write_timeout_s,
        )

    async def close(self) -> None:
        await self._service.close()

    async def find_candidates(
        self,
        connection: Reader,  # noqa: ARG002 - the server knows all it needs
        place: IndexPlace,
        query: Vectors,
        limit: int,
    ) -> Sequence[UUID]:
        if limit > _MOST_CANDIDATES:
            raise IndexUnfitError("too_many")
        body = {
            "namespace": self._namespace(place),
            "vector": numbers_of(query),
            "topK": limit,
            "includeValues": False,
            "includeMetadata": False,
        }
        answer = await self._service.call("POST", "/query", body, timeout_s=self._settings.search_timeout_s)
        return [chunk_id for _, chunk_id in _entries(field_of(answer, "matches"))]

    async def send(self, place: IndexPlace, rows: StoredRows) -> None:
        if not len(rows.chunk_ids):
            return
        entry_bytes = _BYTES_AN_ENTRY + rows.vectors.shape[1] * _BYTES_A_NUMBER
        at_once = max(1, min(_UPSERT_ENTRIES, _UPSERT_BYTES // entry_bytes))
        for start in range(0, len(rows.chunk_ids), at_once):
            part = slice(start, start + at_once)
            vectors = [
                {
                    "id": entry_id(version_id, chunk_id),
                    "values": numbers_of(vector),
                    "metadata": {"version": version_id.hex},
                }
                for version_id, chunk_id, vector in zip(
                    rows.version_ids[part], rows.chunk_ids[part], rows.vectors[part], strict=True
                )
            ]
            body = {"namespace": self._namespace(place), "vectors": vectors}
            await self._service.call("POST", "/vectors/upsert", body, tries=self._settings.write_tries)

    async def remove(self, place: IndexPlace, version_id: UUID, chunk_ids: Sequence[UUID]) -> None:
        await self._delete(
            place, [entry_id(version_id, chunk_id) for chunk_id in chunk_ids], timeout_s=LONGEST_REMOVAL_S
        )

    # ---- upkeep

    async def list_outside_places(self, *, tenant_id: UUID) -> list[IndexPlace]:
        names = field_of(await self._service.call("POST", "/describe_index_stats", {}, tries=3), "namespaces")
        found = [parse_place_name(self._settings.prefix, name) for name in names] if isinstance(names, dict) else []
        return [place for place in found if place is not None and place.tenant_id == tenant_id]

    async def digest_outside(self, place: IndexPlace) -> Digests:
        digests: defaultdict[UUID, Digest] = defaultdict(Digest)
        token = ""
        while True:
            ids, token = await self._list(place, "", token)
            digests_of(_entries(ids), digests)
            if not token:
                return digests

    async def forget_versions(self, place: IndexPlace, version_ids: Sequence[UUID]) -> None:
        """By their ids, which the version begins: not every index can delete by metadata."""
        for version_id in version_ids:
            token, doomed = "", []
            while True:
                ids, token = await self._list(place, version_id.hex, token)
                doomed += [item["id"] for item in ids if isinstance(field_of(item, "id"), str)]
                if not token:
                    break
            await self._delete(place, doomed, timeout_s=None, tries=3)

    async def drop_place(self, place: IndexPlace) -> None:
        try:
            body = {"namespace": self._namespace(place), "deleteAll": True}
            await self._service.call("POST", "/vectors/delete", body, tries=3)
        except ServiceLacksError:
            return  # there is no such namespace

    # ---- requests

    def _namespace(self, place: IndexPlace) -> str:
        return place_name(self._settings.prefix, place)

    async def _list(self, place: IndexPlace, id_prefix: str, token: str) -> tuple[list[Any], str]:
        """A page of ids, and the token of the next; "" after the last."""
        query: dict[str, str | int] = {"namespace": self._namespace(place), "limit": _LIST_ENTRIES}
        if id_prefix:
            query["prefix"] = id_prefix
        if token:
            query["paginationToken"] = token
        try:
            answer = await self._service.call("GET", "/vectors/list", query=query, tries=3)
        except ServiceLacksError:
            return [], ""
        entries, following = field_of(answer, "vectors"), field_of(field_of(answer, "pagination"), "next")
        return (entries if isinstance(entries, list) else []), (following if isinstance(following, str) else "")

    async def _delete(self, place: IndexPlace, ids: Sequence[str], *, timeout_s: float | None, tries: int = 1) -> None:
        for start in range(0, len(ids), _DELETE_ENTRIES):
            body = {"namespace": self._namespace(place), "ids": list(ids[start : start + _DELETE_ENTRIES])}
            try:
                await self._service.call("POST", "/vectors/delete", body, timeout_s=timeout_s, tries=tries)
            except ServiceLacksError:
                return  # there is no such namespace


def _entries(items: object) -> list[tuple[UUID, UUID]]:
    found = [parse_entry_id(field_of(item, "id")) for item in items] if isinstance(items, list) else []
    return [entry for entry in found if entry is not None]
