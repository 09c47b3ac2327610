"""Files in a folder. Atomic and durable: a blob is written to a folder `.unfinished`, synced, and moved in one step."""

from __future__ import annotations

import asyncio
import errno
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, ParamSpec, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.errors import DragomanError
from dragoman.kit.threads import run_to_end
from dragoman.ports.blob_store import (
    BlobNotFoundError,
    BlobStoreFullError,
    BlobStoreUnavailableError,
    InvalidBlobKeyError,
    check_key,
)

P = ParamSpec("P")
T = TypeVar("T")

_PIECE_BYTES = 1024 * 1024
_UNFINISHED = ".unfinished"
_WRITERS = 16  # blobs that are synced at once share the journal's commits: 0.3 ms each instead of 5 ms one by one
_SHARES = 2  # of many small blobs: leaves writers to others
_OPEN_AT_ONCE = 32  # of each share: a process may have 1,024 files open on many systems
_ABANDONED_AFTER_S = 24 * 3600.0  # since the last byte: no upload that still lives waits as long


class Settings(BaseModel):
    """Settings of the blob store `file`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: Path = Field(description="Folder of the files, on one file system. Created where it does not exist.")


class Adapter:
    """The blob store `file`. Files and folders it makes are readable by its own user only."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.root.absolute()
        self._is_swept = False
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="blob-writer")
        self._names = _NameSync(self._writers)

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        target = self._locate(key)
        await self._sweep_once()
        unfinished = self._root / _UNFINISHED / uuid.uuid4().hex
        try:
            with ExitStack() as held:
                first = await anext(chunks, b"")
                file = await self._write(_begin, held, self._root, unfinished, target.parent, first)
                size = len(first)
                async for chunk in chunks:
                    await self._write(_write, file, chunk)
                    size += len(chunk)
                await self._write(_finish, file, unfinished, target)
                await self._names.sync(target.parent)
        except BaseException:
            # Not awaited: it must also run when cancelled. A name that cannot be removed is swept later.
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        return size

    async def put_many(self, blobs: Mapping[str, bytes]) -> Mapping[str, DragomanError]:
        targets = {key: self._locate(key) for key in blobs}
        folders: dict[Path, list[str]] = {}
        for key, target in targets.items():
            folders.setdefault(target.parent, []).append(key)
        try:
            await self._sweep_once()
            await self._write(_make_all_folders, self._root, [*folders, self._root / _UNFINISHED])
        except BlobStoreUnavailableError as error:
            return dict.fromkeys(blobs, error)
        waiting = [(targets[key], content) for key, content in blobs.items()]
        shares = [share for first in range(_SHARES) if (share := waiting[first::_SHARES])]
        failures = await _all_to_their_end(self._write(_put_all, self._root / _UNFINISHED, share) for share in shares)
        failed = {target: error for part in failures for target, error in part.items()}
        refused: dict[str, DragomanError] = {
            key: _unavailable("written", failed[target]) for key, target in targets.items() if target in failed
        }
        for folder, keys in folders.items():
            try:
                await self._names.sync(folder)
            except BlobStoreUnavailableError as error:
                refused |= dict.fromkeys(keys, error)
        return refused

    async def read(self, key: str) -> AsyncIterator[bytes]:
        target = self._locate(key)
        with ExitStack() as held:
            file, piece = await _in_thread("read", _open_and_read, held, target)
            while piece:
                yield piece
                is_last = len(piece) < _PIECE_BYTES
                piece = b"" if is_last else await _in_thread("read", file.read, _PIECE_BYTES)

    async def read_many(self, keys: Sequence[str]) -> list[bytes | DragomanError]:
        """In one thread: a hop to a thread and back costs more than reading a small file."""
        return await run_to_end(None, _read_all, [self._locate(key) for key in keys])

    async def exists(self, key: str) -> bool:
        return await _in_thread("read", self._locate(key).is_file)

    async def delete(self, key: str) -> None:
        await _in_thread("written", _delete, self._locate(key))

    async def list_keys(self, prefix: str = "") -> AsyncIterator[str]:
        waiting = [prefix.rpartition("/")[0]]
        if waiting[0]:
            self._locate(waiting[0])
        while waiting:
            parent = waiting.pop()
            folders, files = await _in_thread("read", _list_folder, self._root, parent)
            waiting += [folder for folder in folders if folder.startswith(prefix) or prefix.startswith(f"{folder}/")]
            for key in files:
                if key.startswith(prefix):
                    yield key

    async def sweep_unfinished(self, *, older_than_s: float) -> int:
        return await _in_thread("written", _sweep, self._root / _UNFINISHED, older_than_s)

    async def close(self) -> None:
        self._writers.shutdown(wait=False)

    async def _write(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _in_thread_of(self._writers, "written", call, *args, **kwargs)

    async def _sweep_once(self) -> None:
        """What a killed process left behind takes space that nobody sees; its next start gives it back."""
        if not self._is_swept:
            self._is_swept = True
            await self.sweep_unfinished(older_than_s=_ABANDONED_AFTER_S)

    def _locate(self, key: str) -> Path:
        """The file of a key.

        Raises:
            InvalidBlobKeyError: the key could lead out of the folder, or means different files on different systems.
        """
        check_key(key)
        if key.split("/", 1)[0] == _UNFINISHED:
            raise InvalidBlobKeyError(f"A blob's key must not begin with `{_UNFINISHED}/`.")
        return self._root / PurePosixPath(key)


class _NameSync:
    """Makes names in folders durable. One sync serves all who moved a file into the folder before it began."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._one_at_a_time = asyncio.Lock()
        self._waiting: dict[Path, asyncio.Task[None]] = {}

    async def sync(self, folder: Path) -> None:
        """Raises BlobStoreUnavailableError."""
        task = self._waiting.get(folder)
        if task is None:
            task = self._waiting[folder] = asyncio.create_task(self._sync(folder))
            task.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # also where nobody waits any more
        await asyncio.shield(task)

    async def _sync(self, folder: Path) -> None:
        async with self._one_at_a_time:
            del self._waiting[folder]  # who comes from now on may come too late for this one
            await _in_thread_of(self._executor, "written", _sync_folder, folder)


async def _in_thread(what: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await _in_thread_of(None, what, call, *args, **kwargs)


async def _in_thread_of(
    executor: Executor | None, what: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Raises BlobStoreUnavailableError for every error of the system, saying what cannot be done; BlobStoreFullError."""
    try:
        return await run_to_end(executor, call, *args, **kwargs)
    except OSError as error:
        raise _unavailable(what, error) from error


async def _all_to_their_end(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What the calls return. Also where one breaks off, or the caller is cancelled, all are over in the end."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return cast("list[T]", outcomes)


def _begin(held: ExitStack, root: Path, unfinished: Path, folder: Path, first: bytes) -> BinaryIO:
    """Opened into `held`, so that the file is closed also when nobody waits for it any more."""
    _make_folders(root, folder)
    _make_folders(root, unfinished.parent)
    file = held.enter_context(_create(unfinished))
    _write(file, first)
    return file


def _create(unfinished: Path) -> BinaryIO:
    # Unbuffered: a buffer would first meet the full disk when the file is closed, outside of any error handling.
    return os.fdopen(_open_new(unfinished), "wb", buffering=0)


def _open_new(path: str | Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)


def _put_all(folder: Path, blobs: Sequence[tuple[Path, bytes]]) -> dict[Path, OSError]:
    """Store blobs at their targets, some at once; what went wrong, by the targets."""
    failed: dict[Path, OSError] = {}
    for first in range(0, len(blobs), _OPEN_AT_ONCE):
        failed |= _put_together(folder, blobs[first : first + _OPEN_AT_ONCE])
    return failed


def _put_together(folder: Path, blobs: Sequence[tuple[Path, bytes]]) -> dict[Path, OSError]:
    """All are written before the first is synced, and the system is told to begin with them.

    So the first sync brings the journal forward for all: one after the other they take nearly twice the processor time.
    By the calls of the system: file objects and paths cost a fifth more for so little content.
    """
    written: list[_Written] = []
    failed: dict[Path, OSError] = {}
    for target, content in blobs:
        try:
            written.append(_write_new(folder, target, content))
        except OSError as error:
            failed[target] = error
    for each in written:
        _begin_to_sync(each.descriptor)
    for each in written:
        try:
            _sync_and_close(each.descriptor)
            os.replace(each.unfinished, each.target)  # noqa: PTH105 - see above
        except OSError as error:
            failed[each.target] = error
            _remove(each.unfinished)
    return failed


class _Written(NamedTuple):
    """A blob that is written and not yet synced."""

    target: Path
    unfinished: str
    descriptor: int


def _write_new(folder: Path, target: Path, content: bytes) -> _Written:
    unfinished = f"{folder}{os.sep}{uuid.uuid4().hex}"
    descriptor = _open_new(unfinished)
    try:
        rest = memoryview(content)
        while rest:  # near the end of the space the system takes a part and says so
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        os.close(descriptor)
        _remove(unfinished)
        raise
    return _Written(target, unfinished, descriptor)


def _begin_to_sync(descriptor: int) -> None:
    """Where the system knows such advice, what is told not to be needed begins to be written at once."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _sync_and_close(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(unfinished: str) -> None:
    with suppress(OSError):  # what cannot be removed is swept later
        os.unlink(unfinished)  # noqa: PTH108


def _make_all_folders(root: Path, folders: Collection[Path]) -> None:
    for folder in folders:
        _make_folders(root, folder)


def _make_folders(root: Path, folder: Path) -> None:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [path for path in (folder, *folder.parents) if path.is_relative_to(root) and not path.is_dir()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(path.parent)


def _write(file: BinaryIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:  # near the end of the space the system takes a part and says so
        rest = rest[file.write(rest) :]


def _finish(file: BinaryIO, unfinished: Path, target: Path) -> None:
    os.fsync(file.fileno())
    file.close()
    unfinished.replace(target)


def _open_and_read(held: ExitStack, target: Path) -> tuple[BinaryIO, bytes]:
    """The file with its first piece: most blobs have no more."""
    try:
        file = held.enter_context(target.open("rb"))
    except _ABSENT as error:
        raise BlobNotFoundError from error
    return file, file.read(_PIECE_BYTES)


def _read_all(targets: Sequence[Path]) -> list[bytes | DragomanError]:
    read: list[bytes | DragomanError] = []
    for target in targets:
        try:
            read.append(target.read_bytes())
        except _ABSENT:
            read.append(BlobNotFoundError())
        except OSError as error:
            read.append(_unavailable("read", error))
    return read


def _delete(target: Path) -> None:
    try:
        target.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
    _sync_folder(target.parent)


def _list_folder(root: Path, parent: str) -> tuple[list[str], list[str]]:
    """The folders and the files in a folder, as keys."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(root / PurePosixPath(parent)) as entries:
            for entry in entries:
                key = f"{parent}/{entry.name}" if parent else entry.name
                if key != _UNFINISHED:
                    (folders if entry.is_dir() else files).append(key)
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    return folders, files


def _sweep(folder: Path, older_than_s: float) -> int:
    swept = 0
    for file in folder.glob("*"):
        try:
            if time.time() - file.stat().st_mtime >= older_than_s:
                file.unlink()
                swept += 1
        except FileNotFoundError:  # another process was faster
            continue
    return swept


def _sync_folder(folder: Path) -> None:
    """Makes a new or removed name survive a power cut. Windows has no such call and orders names itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
_REMEDIES = {
    errno.ENOSPC: "Make space on its disk.",
    errno.EDQUOT: "Make space, or raise the quota of the user that runs Dragoman.",
    errno.EFBIG: "Its file system or the limit of the process allows no file of this size.",
    errno.EACCES: "Give the user that runs Dragoman the right to its folder.",
    errno.EPERM: "Give the user that runs Dragoman the right to its folder.",
    errno.EROFS: "Mount its file system for writing.",
    errno.EXDEV: "Keep its whole folder on one file system.",
    errno.EMFILE: "Raise the limit of open files.",
}


_FULL = {errno.ENOSPC, errno.EDQUOT}


def _unavailable(what: str, error: OSError) -> BlobStoreUnavailableError:
    remedy = _REMEDIES.get(error.errno or 0, "Check its folder's rights and space.")
    kind = BlobStoreFullError if error.errno in _FULL else BlobStoreUnavailableError
    return kind(f"The blob store cannot be {what}: {error.strerror or error}. {remedy}")
