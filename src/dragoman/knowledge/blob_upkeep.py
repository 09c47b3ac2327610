"""What an administrator does with all stored files: change their master key, encrypt them, check them.

Each can be killed at any moment and run again: a blob is replaced in one step, and one that is done is passed over.
Only blobs of documents that are not deleted are rewritten. A document may be deleted, and its blob purged, while the
blob is being rewritten; so after each rewriting it is asked again whether the blob is still kept, and if not, what was
rewritten is deleted: nothing deleted comes back.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import UUID

from dragoman.kit.database import Database
from dragoman.kit.encryption import Header, Keyring, TamperedError, UnknownKeyError, WrongKeyError
from dragoman.knowledge import repository
from dragoman.knowledge.encrypted_blobs import (
    EncryptedBlobStore,
    PlainBlobRefusedError,
    encrypt_in_place,
    read_header,
    rewrap_in_place,
)
from dragoman.ports.blob_store import BlobNotFoundError, BlobStore
from dragoman.tenancy import repository as tenancy_repository

T = TypeVar("T")

_AT_ONCE = 4  # a store over the network answers in 10 to 50 ms: alone that would be 20 blobs a second
_PAGE = 1000

Tell = Callable[[int], None]
"""Told after each blob how many are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBlob:
    """A blob that a document needs. `content_hash`: SHA-256 of its content in hex, None for a picture."""

    key: str
    content_hash: str | None


class KeptBlobs(Protocol):
    """Which blobs the documents of all tenants need."""

    def list_all(self) -> AsyncIterator[KeptBlob]: ...

    async def is_kept(self, key: str) -> bool: ...


class BlobsOfDocuments:
    """`KeptBlobs` as the database knows them. The first part of a blob's key is its tenant's id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_all(self) -> AsyncIterator[KeptBlob]:
        async with self._database.system_transaction() as connection:
            tenants = await tenancy_repository.list_tenants(connection)
        for tenant in tenants:
            after = ""
            while page := await self._page(tenant.id, after):
                for key, content_hash in page:
                    yield KeptBlob(key=key, content_hash=content_hash)
                after = page[-1][0]

    async def is_kept(self, key: str) -> bool:
        try:
            tenant_id = UUID(key.split("/", 1)[0])
        except ValueError:
            return False
        async with self._database.transaction(tenant_id) as connection:
            return await repository.is_blob_kept(connection, tenant_id=tenant_id, blob_key=key)

    async def _page(self, tenant_id: UUID, after: str) -> list[tuple[str, str | None]]:
        async with self._database.transaction(tenant_id) as connection:
            return await repository.list_kept_blobs(connection, tenant_id=tenant_id, after=after, limit=_PAGE)


@dataclass(slots=True, kw_only=True)
class Rewriting:
    """What became of all blobs.

    Attributes:
        rewritten: now as wanted.
        unchanged: were as wanted before.
        skipped: belong to no document: deleted and about to be purged, being uploaded now, or left over. Not touched.
        plain: are not encrypted (key rotation leaves them so).
        gone: deleted meanwhile.
        failed: why, by key; these are as they were.
    """

    rewritten: int = 0
    unchanged: int = 0
    skipped: int = 0
    plain: int = 0
    gone: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return self.rewritten + self.unchanged + self.skipped + self.plain + self.gone + len(self.failed)


async def rotate_keys(store: BlobStore, keyring: Keyring, kept: KeptBlobs, tell: Tell) -> Rewriting:
    """Wrap the data keys of all encrypted blobs by the newest master key; their content is copied, not decrypted.

    Args:
        store: the adapter itself, as it stores ciphertext.
        keyring: with the newest and all older keys.
        kept: which blobs are needed.
        tell: see `Tell`.

    Raises:
        BlobStoreUnavailableError, DatabaseUnavailableError: run it again when they answer.
    """
    result = Rewriting()

    async def rotate(key: str, header: Header | None) -> None:
        if header is None:
            result.plain += 1
        elif header.key_id == keyring.newest_id:
            result.unchanged += 1
        else:
            await _rewrite(store, kept, key, result, lambda: rewrap_in_place(store, keyring, key))

    await _with_each_header(store, result, rotate, tell)
    return result


async def encrypt_plain(store: BlobStore, keyring: Keyring, kept: KeptBlobs, tell: Tell) -> Rewriting:
    """Encrypt all blobs that are not encrypted. Arguments and errors as of `rotate_keys`."""
    result = Rewriting()

    async def encrypt(key: str, header: Header | None) -> None:
        if header is not None:
            result.unchanged += 1
        else:
            await _rewrite(store, kept, key, result, lambda: encrypt_in_place(store, keyring, key))

    await _with_each_header(store, result, encrypt, tell)
    return result


@dataclass(slots=True, kw_only=True)
class Check:
    """The state of the store.

    Attributes:
        good: are there, can be read and are what was uploaded.
        missing: keys of blobs that a document needs and that are not there.
        damaged: why, by key.
        orphans: keys that no document needs: left over, or of an upload or a deletion in progress.
    """

    good: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.good + len(self.missing) + len(self.damaged)


async def check_blobs(store: BlobStore, keyring: Keyring, kept: KeptBlobs, tell: Tell) -> Check:
    """Read every blob that a document needs and compare it with its hash; changes nothing.

    Holds the keys of all blobs in memory, about 200 bytes each. Arguments and errors as of `rotate_keys`.
    """
    result = Check()
    stored = {key async for key in store.list_keys()}
    readable = EncryptedBlobStore(store, keyring)

    async def check(blob: KeptBlob) -> None:
        stored.discard(blob.key)
        await _check(readable, blob, kept, result)
        tell(result.done)

    await _for_each(kept.list_all(), check)
    result.orphans = sorted([key for key in stored if not await kept.is_kept(key)])
    return result


async def _check(readable: BlobStore, blob: KeptBlob, kept: KeptBlobs, result: Check) -> None:
    digest = hashlib.sha256()
    try:
        async for piece in readable.read(blob.key):
            digest.update(piece)
    except BlobNotFoundError:
        if await kept.is_kept(blob.key):  # else it was deleted since it was listed
            result.missing.append(blob.key)
        return
    except (TamperedError, UnknownKeyError, WrongKeyError, PlainBlobRefusedError) as error:
        result.damaged[blob.key] = error.message
        return
    if blob.content_hash is not None and digest.hexdigest() != blob.content_hash:
        result.damaged[blob.key] = "Its content is another one than was uploaded. Restore it from a backup."
    else:
        result.good += 1


async def _with_each_header(
    store: BlobStore, result: Rewriting, work: Callable[[str, Header | None], Awaitable[None]], tell: Tell
) -> None:
    async def look_and_work(key: str) -> None:
        try:
            await work(key, await read_header(store, key))
        except BlobNotFoundError:
            result.gone += 1
        except (TamperedError, UnknownKeyError, WrongKeyError) as error:
            result.failed[key] = error.message
        tell(result.done)

    await _for_each(store.list_keys(), look_and_work)


async def _rewrite(
    store: BlobStore, kept: KeptBlobs, key: str, result: Rewriting, rewrite: Callable[[], Awaitable[None]]
) -> None:
    if not await kept.is_kept(key):
        result.skipped += 1
        return
    await rewrite()
    if await kept.is_kept(key):
        result.rewritten += 1
        return
    await store.delete(key)
    result.gone += 1


async def _for_each(items: AsyncIterator[T], work: Callable[[T], Awaitable[None]]) -> None:
    """`work` for each item, a few side by side; the first that raises ends all."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def run(item: T) -> None:
        try:
            await work(item)
        finally:
            free.release()

    async with asyncio.TaskGroup() as group:
        async for item in items:
            await free.acquire()
            group.create_task(run(item))
