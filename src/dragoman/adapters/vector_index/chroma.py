"""Candidates from a Chroma server (1.0 or later, its HTTP API v2); PostgreSQL stays the truth.

Each chatbot and embedding version has a collection of its own, which is named after both: Chroma searches a whole
collection many times faster than a filtered part of one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dragoman.adapters.vector_index._parts.candidates import (
    ExternalVectors,
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

_ENTRIES_A_REQUEST: Final = 1000  # Chroma takes up to 5,461 at once, its smallest limit on any system
_COLLECTIONS_A_PAGE: Final = 200


class Settings(BaseModel):
    """Settings of the vector index `chroma`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(default="http://localhost:8000", description="Address of the Chroma server.")
    api_key: SecretStr | None = Field(default=None, description="Sent as `x-chroma-token`, where the server wants one.")
    tenant: str = Field(default="default_tenant", description="Chroma's tenant that holds the collections.")
    database: str = Field(default="default_database", description="Chroma's database that holds them.")
    prefix: str = Field(
        default="dragoman", pattern=r"^[a-z0-9]{3,20}$", description="First part of the collections' names."
    )
    search_timeout_s: float = Field(default=2.0, gt=0, description="Longest wait of a search, in seconds.")
    write_timeout_s: float = Field(default=20.0, gt=0, description="Longest wait of a write, in seconds.")
    write_tries: int = Field(default=3, ge=1, le=10, description="How often a write is tried.")
    ef_search: int = Field(default=400, ge=1, description="HNSW: how widely a search looks; for new collections.")
    max_neighbors: int = Field(default=32, ge=2, description="HNSW: links of a vector; for new collections.")


class Adapter(ExternalVectors):
    """The vector index `chroma`."""

    name = "chroma"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        key = settings.api_key
        headers = {"x-chroma-token": key.get_secret_value()} if key else {}
        self._service = JsonService(
            "The Chroma server", settings.url, headers=headers, timeout_s=settings.write_timeout_s
        )
        self._collections = f"/api/v2/tenants/{quote(settings.tenant, safe='')}/databases/{quote(settings.database, safe='')}/collections"
        self._ids: dict[IndexPlace, str] = {}

    async def close(self) -> None:
        await self._service.close()

    async def find_candidates(
        self,
        connection: Reader,  # noqa: ARG002 - the server knows all it needs
        place: IndexPlace,
        query: Vectors,
        limit: int,
    ) -> Sequence[UUID]:
        body = {"query_embeddings": [numbers_of(query)], "n_results": limit, "include": []}
        answer = await self._of_collection(place, "query", body, timeout_s=self._settings.search_timeout_s)
        return [entry[1] for entry in _entries(_first(field_of(answer, "ids")))]

    async def send(self, place: IndexPlace, rows: StoredRows) -> None:
        for start in range(0, len(rows.chunk_ids), _ENTRIES_A_REQUEST):
            part = slice(start, start + _ENTRIES_A_REQUEST)
            ids = zip(rows.version_ids[part], rows.chunk_ids[part], strict=True)
            body = {
                "ids": [entry_id(version_id, chunk_id) for version_id, chunk_id in ids],
                "embeddings": [numbers_of(vector) for vector in rows.vectors[part]],
                "metadatas": [{"version": version_id.hex} for version_id in rows.version_ids[part]],
            }
            await self._of_collection(place, "upsert", body, make=True, tries=self._settings.write_tries)

    async def remove(self, place: IndexPlace, version_id: UUID, chunk_ids: Sequence[UUID]) -> None:
        for start in range(0, len(chunk_ids), _ENTRIES_A_REQUEST):
            ids = [entry_id(version_id, chunk_id) for chunk_id in chunk_ids[start : start + _ENTRIES_A_REQUEST]]
            await self._of_collection(place, "delete", {"ids": ids}, timeout_s=LONGEST_REMOVAL_S)

    # ---- upkeep

    async def list_outside_places(self, *, tenant_id: UUID) -> list[IndexPlace]:
        places: list[IndexPlace] = []
        offset = 0
        while True:
            page = await self._service.call(
                "GET", self._collections, query={"limit": _COLLECTIONS_A_PAGE, "offset": offset}, tries=3
            )
            page = page if isinstance(page, list) else []
            found = [parse_place_name(self._settings.prefix, field_of(item, "name")) for item in page]
            places += [place for place in found if place is not None and place.tenant_id == tenant_id]
            offset += len(page)
            if len(page) < _COLLECTIONS_A_PAGE:
                return places

    async def digest_outside(self, place: IndexPlace) -> Digests:
        digests: defaultdict[UUID, Digest] = defaultdict(Digest)
        offset = 0
        while True:
            body = {"limit": _ENTRIES_A_REQUEST, "offset": offset, "include": []}
            ids = field_of(await self._of_collection(place, "get", body, tries=3), "ids")
            ids = ids if isinstance(ids, list) else []
            digests_of(_entries(ids), digests)
            offset += len(ids)
            if len(ids) < _ENTRIES_A_REQUEST:
                return digests

    async def forget_versions(self, place: IndexPlace, version_ids: Sequence[UUID]) -> None:
        for version_id in version_ids:
            await self._of_collection(place, "delete", {"where": {"version": version_id.hex}}, tries=3)

    async def drop_place(self, place: IndexPlace) -> None:
        self._ids.pop(place, None)
        try:
            await self._service.call("DELETE", f"{self._collections}/{self._name(place)}", tries=3)
        except ServiceLacksError:
            return  # gone already

    # ---- requests

    async def _of_collection(
        self,
        place: IndexPlace,
        action: str,
        body: object,
        *,
        make: bool = False,
        timeout_s: float | None = None,
        tries: int = 1,
    ) -> Any:
        """Post to the place's collection; without `make`, None where there is no such collection.

        Another process may have dropped the collection whose id is remembered here; then it is looked up again, once.
        """
        for remembered in (place in self._ids, False):
            collection = await self._collection_id(place, make=make, timeout_s=timeout_s, tries=tries)
            if collection is None:
                return None
            try:
                path = f"{self._collections}/{quote(collection, safe='')}/{action}"
                return await self._service.call("POST", path, body, timeout_s=timeout_s, tries=tries)
            except ServiceLacksError:
                self._ids.pop(place, None)
                if not remembered and make:
                    raise
        return None

    async def _collection_id(self, place: IndexPlace, *, make: bool, timeout_s: float | None, tries: int) -> str | None:
        if place in self._ids:
            return self._ids[place]
        name = self._name(place)
        try:
            if make:
                answer = await self._service.call("POST", self._collections, self._new_collection(name), tries=tries)
            else:
                answer = await self._service.call(
                    "GET", f"{self._collections}/{name}", timeout_s=timeout_s, tries=tries
                )
        except ServiceLacksError:
            if make:
                raise
            return None
        found = field_of(answer, "id")
        if not isinstance(found, str):
            return None
        self._ids[place] = found
        return found

    def _name(self, place: IndexPlace) -> str:
        return place_name(self._settings.prefix, place)

    def _new_collection(self, name: str) -> dict[str, Any]:
        graph = {
            "space": "ip",
            "ef_search": self._settings.ef_search,
            "ef_construction": 200,
            "max_neighbors": self._settings.max_neighbors,
        }
        return {"name": name, "get_or_create": True, "configuration": {"hnsw": graph}}


def _entries(ids: object) -> list[tuple[UUID, UUID]]:
    found = [parse_entry_id(item) for item in ids] if isinstance(ids, list) else []
    return [entry for entry in found if entry is not None]


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None
