"""Which stored files the documents of all tenants need, as the database tells the upkeep of the blob store."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from dragoman.kit import registry
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring, new_key
from dragoman.knowledge import blob_upkeep
from dragoman.knowledge.blob_upkeep import BlobsOfDocuments
from dragoman.knowledge.encrypted_blobs import EncryptedBlobStore, read_header

CONTENT = b"the original file"
OLD, NEW = new_key("k1"), new_key("k2")


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.fixture
def files(tmp_path: Path) -> Any:
    return registry.create("blob_store", "file", {"root": tmp_path})


@pytest.fixture
def keep(database: Database, make_document: Any, files: Any) -> Any:
    """Makes a document of a tenant whose original is stored encrypted with the old key; its blob's key."""

    async def make(tenant: Any, *, deleted: bool = False, content_hash: str | None = None) -> str:
        document = await make_document(tenant, ["text"])
        key = f"{tenant.tenant_id}/{tenant.chatbot_id}/{uuid4()}"
        await EncryptedBlobStore(files, Keyring.parse(OLD)).put(key, once(CONTENT))
        values = {
            "key": key,
            "content_hash": content_hash or hashlib.sha256(CONTENT).hexdigest(),
            "id": document.document_id,
        }
        async with database.transaction(tenant.tenant_id) as connection:
            await connection.execute(
                text("update document_versions set blob_key=:key, content_hash=:content_hash where document_id=:id"),
                values,
            )
            if deleted:
                await connection.execute(text("update documents set deleted_at=now() where id=:id"), values)
        return key

    return make


async def test_blobs_of_all_tenants_are_kept_except_those_of_deleted_documents(
    database: Database, make_tenant: Any, keep: Any
) -> None:
    first, second = await make_tenant(), await make_tenant()
    wanted = {await keep(first), await keep(first), await keep(second)}
    deleted = await keep(second, deleted=True)
    kept = BlobsOfDocuments(database)
    listed = {blob.key async for blob in kept.list_all()}
    assert wanted <= listed
    assert deleted not in listed
    assert all([await kept.is_kept(key) for key in wanted])
    for key in (deleted, f"{first.tenant_id}/x", f"{uuid4()}/x", "doctor/x", "x"):
        assert not await kept.is_kept(key)


async def test_all_are_listed_when_they_fill_more_than_a_page(
    database: Database, make_tenant: Any, keep: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_upkeep, "_PAGE", 2)
    tenant = await make_tenant()
    wanted = {await keep(tenant) for _ in range(5)}
    listed = [blob.key async for blob in BlobsOfDocuments(database).list_all()]
    assert wanted <= set(listed)
    assert len(listed) == len(set(listed))


async def test_keys_are_rotated_and_files_checked_for_the_documents_of_the_database(
    database: Database, make_tenant: Any, keep: Any, files: Any
) -> None:
    tenant = await make_tenant()
    good, deleted = await keep(tenant), await keep(tenant, deleted=True)
    other = await keep(tenant, content_hash="0" * 64)
    kept = BlobsOfDocuments(database)
    rotated = await blob_upkeep.rotate_keys(files, Keyring.parse(f"{NEW},{OLD}"), kept, lambda _: None)
    assert (rotated.rewritten, rotated.skipped, rotated.failed) == (2, 1, {})
    headers = {key: await read_header(files, key) for key in (good, other, deleted)}
    assert {key: header.key_id for key, header in headers.items() if header} == {
        good: "k2", other: "k2", deleted: "k1",
    }  # fmt: skip
    found = await blob_upkeep.check_blobs(files, Keyring.parse(NEW), kept, lambda _: None)
    assert found.good == 1
    assert list(found.damaged) == [other]
    assert found.orphans == [deleted]
