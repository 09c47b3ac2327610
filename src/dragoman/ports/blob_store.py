"""Keeps the original files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from dragoman.kit.errors import NotFoundError, UnavailableError


class BlobNotFoundError(NotFoundError):
    """The stored file is gone from the blob store. Upload the document again."""

    code = "blob_store.not_found"


class BlobStoreUnavailableError(UnavailableError):
    """The blob store cannot be read or written. Check its settings, its rights and the space on the disk."""

    code = "blob_store.unavailable"


class BlobStore(Protocol):
    """Bytes under a key such as `tenant/ab/abcdef…`; keys never contain `..` or start with `/`.

    A blob is there for every reader once `put` has returned, whole and durable, or not at all. `put` of an
    existing key replaces it. `delete` of an absent key does nothing.

    Raises:
        BlobNotFoundError: `read` of an absent key.
        BlobStoreUnavailableError: the store does not answer or is full.
    """

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store and return the number of bytes."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The content in pieces of at most 1 MiB."""
        ...

    async def exists(self, key: str) -> bool: ...

    async def delete(self, key: str) -> None: ...
