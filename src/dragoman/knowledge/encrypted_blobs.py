"""A blob store that encrypts what it is given before another blob store keeps it.

It stands before any adapter. What was stored before encryption was switched on stays readable where that is allowed;
what is encrypted stays readable after it was switched off. The format is in `kit/encryption.py`; the name that is
authenticated with each blob is its key, so a blob copied to another key does not decrypt.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

from dragoman.kit.encryption import (
    MAX_HEADER_BYTES,
    SEGMENT_BYTES,
    TAG_BYTES,
    Header,
    Keyring,
    SegmentBuffer,
    SegmentCipher,
    is_encrypted,
    new_header,
    rewrap,
    unwrap,
)
from dragoman.kit.errors import DragomanError
from dragoman.ports.blob_store import BlobStore

_PIECE_BYTES = 1024 * 1024


class PlainBlobRefusedError(DragomanError):
    """This file is not encrypted, and only encrypted files may be read here. `dragoman blobs encrypt` encrypts it."""

    code, status = "knowledge.plain_blob_refused", 500


class EncryptedBlobStore:
    """The port `blob_store` with encryption; `store` sees ciphertext and the keys of blobs.

    A content that was changed or cut off raises TamperedError while it is read, at the latest at its end: what was
    read before is authentic, but only a stream that ended without an error was the whole blob.

    Args:
        store: keeps the bytes.
        keyring: its newest key encrypts new blobs.
        encrypt_new: whether new blobs are encrypted. Content that looks like an encrypted blob always is, so that
            the two cannot be mixed up.
        allow_plain: whether blobs that are not encrypted may be read. Where not, nobody who can write to the store
            can put plain bytes in a blob's place.
    """

    def __init__(
        self, store: BlobStore, keyring: Keyring, *, encrypt_new: bool = True, allow_plain: bool = True
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._encrypt_new = encrypt_new
        self._allow_plain = allow_plain

    @property
    def beneath(self) -> BlobStore:
        """The store that keeps the bytes, as they are: ciphertext, where they are encrypted."""
        return self._store

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store and return the number of bytes of the content, as it was before encryption."""
        counted = _Counted(chunks)
        if not self._encrypt_new:
            start = await _read_start(counted)
            if not is_encrypted(start):
                return await self._store.put(key, _joined(start, counted))
            counted.push_back(start)
        await self._store.put(key, _encrypted(counted, self._keyring, key))
        return counted.size

    async def put_many(self, blobs: Mapping[str, bytes]) -> Mapping[str, DragomanError]:
        """Store many small blobs; why those were not stored that could not be."""
        return await self._store.put_many(await asyncio.to_thread(self._stored_forms, blobs))

    def _stored_forms(self, blobs: Mapping[str, bytes]) -> dict[str, bytes]:
        return {
            key: _encrypted_whole(content, self._keyring, key)
            if self._encrypt_new or is_encrypted(content)
            else content
            for key, content in blobs.items()
        }

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The content in pieces of at most 1 MiB.

        Raises:
            PlainBlobRefusedError: it is not encrypted and must be.
            TamperedError, UnknownKeyError, WrongKeyError: it cannot be decrypted.
        """
        async with _closing(self._store.read(key)) as stored:
            start = await _read_start(stored)
            if is_encrypted(start):
                content = _decrypted(start, stored, self._keyring, key)
            elif self._allow_plain:
                content = _joined(start, stored)
            else:
                raise PlainBlobRefusedError
            async for piece in content:
                yield piece

    async def read_many(self, keys: Sequence[str]) -> list[bytes | DragomanError]:
        """Many small blobs: of each its content, or why it cannot be read or decrypted."""
        return await asyncio.to_thread(self._contents, keys, await self._store.read_many(keys))

    def _contents(self, keys: Sequence[str], stored: Sequence[bytes | DragomanError]) -> list[bytes | DragomanError]:
        contents: list[bytes | DragomanError] = []
        for key, each in zip(keys, stored, strict=True):
            try:
                contents.append(each if isinstance(each, DragomanError) else self._content(key, each))
            except DragomanError as error:
                contents.append(error)
        return contents

    def _content(self, key: str, stored: bytes) -> bytes:
        if is_encrypted(stored):
            return _decrypted_whole(stored, self._keyring, key)
        if not self._allow_plain:
            raise PlainBlobRefusedError
        return stored

    async def exists(self, key: str) -> bool:
        return await self._store.exists(key)

    async def delete(self, key: str) -> None:
        await self._store.delete(key)

    async def list_keys(self, prefix: str = "") -> AsyncIterator[str]:
        async for key in self._store.list_keys(prefix):
            yield key

    async def sweep_unfinished(self, *, older_than_s: float) -> int:
        return await self._store.sweep_unfinished(older_than_s=older_than_s)

    async def close(self) -> None:
        await self._store.close()


async def read_header(store: BlobStore, key: str) -> Header | None:
    """The header of a blob as `store` keeps it; None for one that is not encrypted.

    Raises:
        BlobNotFoundError, BlobStoreUnavailableError, TamperedError.
    """
    async with _closing(store.read(key)) as stored:
        start = await _read_start(stored)
    return Header.decode(start)[0] if is_encrypted(start) else None


async def encrypt_in_place(store: BlobStore, keyring: Keyring, key: str) -> None:
    """Replace a plain blob by its encrypted form, in one step. Raises BlobNotFoundError, BlobStoreUnavailableError."""
    async with _closing(store.read(key)) as stored:
        await store.put(key, _encrypted(stored, keyring, key))


async def rewrap_in_place(store: BlobStore, keyring: Keyring, key: str) -> None:
    """Replace a blob by the same ciphertext whose data key the newest master key wraps, in one step.

    Raises:
        BlobNotFoundError, BlobStoreUnavailableError.
        TamperedError, UnknownKeyError, WrongKeyError: the data key cannot be unwrapped; nothing is changed.
    """
    async with _closing(store.read(key)) as stored:
        start = await _read_start(stored)
        header, length = Header.decode(start)
        new_start = rewrap(keyring, key, header).encode() + start[length:]
        await store.put(key, _joined(new_start, stored))


# ---- streams


async def _encrypted(chunks: AsyncIterator[bytes], keyring: Keyring, key: str) -> AsyncIterator[bytes]:
    header, data_key = new_header(keyring, key)
    cipher = SegmentCipher(data_key, header.nonce_prefix, key)
    buffer = SegmentBuffer(SEGMENT_BYTES)
    yield header.encode()
    async for chunk in chunks:
        for piece in _pieces(chunk):
            if segments := buffer.add(piece):
                yield b"".join([cipher.encrypt(segment, is_last=False) for segment in segments])
    yield cipher.encrypt(buffer.last(), is_last=True)


def _encrypted_whole(content: bytes, keyring: Keyring, key: str) -> bytes:
    """The same bytes as by `_encrypted`, of a content that is here already."""
    header, data_key = new_header(keyring, key)
    cipher = SegmentCipher(data_key, header.nonce_prefix, key)
    ends = range(SEGMENT_BYTES, max(len(content), 1) + SEGMENT_BYTES, SEGMENT_BYTES)
    segments = [cipher.encrypt(content[end - SEGMENT_BYTES : end], is_last=end >= len(content)) for end in ends]
    return b"".join([header.encode(), *segments])


async def _decrypted(
    start: bytes, rest: AsyncIterator[bytes], keyring: Keyring, key: str
) -> AsyncGenerator[bytes, None]:
    header, length = Header.decode(start)
    cipher = SegmentCipher(unwrap(keyring, key, header), header.nonce_prefix, key)
    buffer = SegmentBuffer(SEGMENT_BYTES + TAG_BYTES)
    async for piece in _joined(start[length:], rest):  # pieces of 1 MiB, so that 16 segments at most come together
        if segments := buffer.add(piece):
            yield b"".join([cipher.decrypt(segment, is_last=False) for segment in segments])
    if content := cipher.decrypt(buffer.last(), is_last=True):
        yield content


def _decrypted_whole(stored: bytes, keyring: Keyring, key: str) -> bytes:
    """The same content as by `_decrypted`, of a blob that is here already."""
    header, length = Header.decode(stored)
    cipher = SegmentCipher(unwrap(keyring, key, header), header.nonce_prefix, key)
    buffer = SegmentBuffer(SEGMENT_BYTES + TAG_BYTES)
    pieces = [cipher.decrypt(segment, is_last=False) for segment in buffer.add(stored[length:])]
    return b"".join([*pieces, cipher.decrypt(buffer.last(), is_last=True)])


async def _read_start(chunks: AsyncIterator[bytes]) -> bytes:
    """As many bytes as a header may have; all of a shorter stream, and somewhat more of a longer one."""
    start = bytearray()
    while len(start) < MAX_HEADER_BYTES:
        chunk = await anext(chunks, None)
        if chunk is None:
            break
        start += chunk
    return bytes(start)


async def _joined(start: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    for piece in _pieces(start):
        yield piece
    async for chunk in rest:
        for piece in _pieces(chunk):
            yield piece


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """The chunk in pieces of at most 1 MiB; nothing for nothing."""
    if 0 < len(chunk) <= _PIECE_BYTES:
        yield chunk
        return
    for start in range(0, len(chunk), _PIECE_BYTES):
        yield chunk[start : start + _PIECE_BYTES]


class _Counted:
    """A stream that counts its bytes and takes back what was read too early."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._pushed_back = b""
        self.size = 0

    def push_back(self, chunk: bytes) -> None:
        self._pushed_back = chunk
        self.size -= len(chunk)

    def __aiter__(self) -> _Counted:
        return self

    async def __anext__(self) -> bytes:
        chunk, self._pushed_back = self._pushed_back, b""
        if not chunk:
            chunk = await anext(self._chunks)
        self.size += len(chunk)
        return chunk


@asynccontextmanager
async def _closing(stream: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """Close the file or connection behind a stream at once, also when nobody reads it to its end."""
    try:
        yield stream
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
