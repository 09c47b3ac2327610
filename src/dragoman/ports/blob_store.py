"""Keeps the original files."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from dragoman.kit.errors import DragomanError, InvalidRequestError, NotFoundError, UnavailableError

_MAX_KEY_BYTES = 900  # S3 takes 1024, the prefix of a bucket included
_MAX_PART_BYTES = 255  # the longest file name of common file systems
_STRANGE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")  # control characters, backslashes, halves of characters


class BlobNotFoundError(NotFoundError):
    """The stored file is gone from the blob store. Upload the document again."""

    code = "blob_store.not_found"


class BlobStoreUnavailableError(UnavailableError):
    """The blob store cannot be read or written. Check its settings, its rights and the space on the disk."""

    code = "blob_store.unavailable"
    is_outage = True


class BlobStoreFullError(BlobStoreUnavailableError):
    """The blob store is full, so the file was not kept. Free space there, or give it more, then send the file again."""

    code, status = "blob_store.full", 507


class InvalidBlobKeyError(InvalidRequestError):
    """A blob's key must be a relative path without `..`, `.`, empty parts, backslashes or control characters."""

    code = "blob_store.invalid_key"


class BlobStore(Protocol):
    """Bytes under a key such as `tenant/ab/abcdef…`; keys are as `check_key` wants them.

    A blob is there for every reader once `put` has returned, whole and durable, or not at all. `put` of an
    existing key replaces it. `delete` of an absent key does nothing.

    Raises:
        BlobNotFoundError: `read` of an absent key; `read_many` returns it.
        BlobStoreUnavailableError: the store does not answer, or refuses.
        BlobStoreFullError: `put`, where it is full; one of the former.
        InvalidBlobKeyError: the key could mean another place.
        Whatever the stream given to `put` raises; then nothing is stored.
    """

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store and return the number of bytes of the content. Holds a few MiB of it at a time."""
        ...

    async def put_many(self, blobs: Mapping[str, bytes]) -> Mapping[str, DragomanError]:
        """Store many small blobs by their keys, each as whole and durable as by `put`, all at once.

        Where it is cancelled, any of them may be stored.

        Returns:
            Why those blobs were not stored that could not be, by their keys; empty where all were.

        Raises:
            InvalidBlobKeyError: nothing was stored.
        """
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The content in pieces of at most 1 MiB."""
        ...

    async def read_many(self, keys: Sequence[str]) -> list[bytes | DragomanError]:
        """Many small blobs at once: of each, in the order of the keys, its content or why it cannot be read.

        Raises:
            InvalidBlobKeyError: nothing was read.
        """
        ...

    async def exists(self, key: str) -> bool: ...

    async def delete(self, key: str) -> None: ...

    def list_keys(self, prefix: str = "") -> AsyncIterator[str]:
        """The keys that begin with `prefix`, in no order. A blob that comes or goes meanwhile may be among them."""
        ...

    async def sweep_unfinished(self, *, older_than_s: float) -> int:
        """Remove what uploads left behind whose process died longer ago than this; how many were removed."""
        ...

    async def close(self) -> None:
        """Give back connections; the store is not used afterwards."""
        ...


def check_key(key: str) -> None:
    """Let a key pass that means the same in a folder of any system and in a bucket.

    Raises:
        InvalidBlobKeyError: it could lead elsewhere, or is longer than 900 bytes or 255 bytes between slashes.
    """
    parts = key.split("/")
    if _STRANGE.search(key) or ":" in parts[0] or any(part in ("", ".", "..") for part in parts):
        raise InvalidBlobKeyError
    if len(key.encode()) > _MAX_KEY_BYTES or any(len(part.encode()) > _MAX_PART_BYTES for part in parts):
        raise InvalidBlobKeyError("A blob's key may have 900 bytes at most, and 255 between two slashes.")
