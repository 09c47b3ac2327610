"""Files in a folder. Atomic and durable: a blob is written beside its place, synced, and moved there in one step."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.errors import InvalidRequestError
from dragoman.ports.blob_store import BlobNotFoundError, BlobStoreUnavailableError

_PIECE_BYTES = 1024 * 1024
_UNFINISHED = ".put-"


class InvalidBlobKeyError(InvalidRequestError):
    """A blob's key must be a relative path without `..`, `.`, empty parts, backslashes or control characters."""

    code = "blob_store.invalid_key"


class Settings(BaseModel):
    """Settings of the blob store `filesystem`."""

    model_config = ConfigDict(extra="forbid")

    root: Path = Field(description="Folder of the files. Created where it does not exist.")


class Adapter:
    """The blob store `filesystem`. Files and folders it makes are readable by its own user only."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.root.absolute()

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        target = self._locate(key)
        try:
            file, unfinished = await asyncio.to_thread(_open_unfinished, self._root, target.parent)
        except OSError as error:
            raise _unavailable("written", error) from error
        try:
            size = 0
            async for chunk in chunks:
                size += await asyncio.to_thread(_write, file, chunk)
            await asyncio.to_thread(_finish, file, unfinished, target)
        except OSError as error:
            raise _unavailable("written", error) from error
        finally:
            # After success the name is gone and this does nothing. Not awaited: it must also run when cancelled.
            file.close()
            unfinished.unlink(missing_ok=True)
        return size

    async def read(self, key: str) -> AsyncIterator[bytes]:
        target = self._locate(key)
        try:
            file = await asyncio.to_thread(target.open, "rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise BlobNotFoundError from error
        except OSError as error:
            raise _unavailable("read", error) from error
        with file:
            while piece := await asyncio.to_thread(_read, file):
                yield piece

    async def exists(self, key: str) -> bool:
        return await asyncio.to_thread(self._locate(key).is_file)

    async def delete(self, key: str) -> None:
        target = self._locate(key)
        try:
            await asyncio.to_thread(_delete, target)
        except OSError as error:
            raise _unavailable("deleted", error) from error

    def _locate(self, key: str) -> Path:
        """The file of a key.

        Raises:
            InvalidBlobKeyError: the key could lead out of the folder, or means different files on different systems.
        """
        parts = key.split("/")
        forbidden = any(part in ("", ".", "..") or part.startswith(_UNFINISHED) for part in parts)
        if forbidden or "\\" in key or ":" in parts[0] or any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in key):
            raise InvalidBlobKeyError
        return self._root / PurePosixPath(key)


def _open_unfinished(root: Path, folder: Path) -> tuple[BinaryIO, Path]:
    _make_folders(root, folder)
    descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=folder)
    return os.fdopen(descriptor, "wb"), Path(name)


def _make_folders(root: Path, folder: Path) -> None:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [path for path in (folder, *folder.parents) if path.is_relative_to(root) and not path.is_dir()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(path.parent)


def _write(file: BinaryIO, chunk: bytes) -> int:
    return file.write(chunk)


def _finish(file: BinaryIO, unfinished: Path, target: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
    unfinished.replace(target)
    _sync_folder(target.parent)


def _read(file: BinaryIO) -> bytes:
    try:
        return file.read(_PIECE_BYTES)
    except OSError as error:
        raise _unavailable("read", error) from error


def _delete(target: Path) -> None:
    try:
        target.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Makes a new or removed name survive a power cut. Windows has no such call and orders names itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(what: str, error: OSError) -> BlobStoreUnavailableError:
    return BlobStoreUnavailableError(
        f"The blob store cannot be {what}: {error.strerror or error}. Check its folder's rights and space."
    )
