"""A folder on the machine of the worker, below one that the operator allows in DRAGOMAN_CONNECTOR_FOLDERS.

No symbolic link inside it is followed, however it came there: each part of a path is opened from the one above. Files
that were written less than a second ago, or that change while they are read, are left for the next round.
"""

from __future__ import annotations

import asyncio
import errno
import mimetypes
import os
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from dragoman.ports.connector import (
    ConnectorRefusedError,
    ConnectorUnavailableError,
    Fetched,
    Item,
    ItemGoneError,
    ItemRefusedError,
    ItemSkippedError,
    KnownKeys,
    OpenConnector,
    Premises,
    Remembered,
    Unchanged,
)

_SETTLED_S = 1.0
_PIECE_BYTES = 1024 * 1024
_LISTED_AT_ONCE = 500
_CAN_WALK_SAFELY = os.open in os.supports_dir_fd
_PASSING = (".*", "~$*", "*.tmp", "*.part", "*.partial", "*.crdownload", "*.swp", "*~", "Thumbs.db", "desktop.ini")


class Settings(BaseModel):
    """Settings of the connector `folder`. `*` in a pattern stands for any characters, `/` too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(description="The folder, as the worker sees it; below one that the operator allows.")
    recursive: bool = Field(default=True, description="Folders inside it are read too.")
    include: tuple[str, ...] = Field(
        default=("*",), max_length=50, description="Patterns of names, or of paths below the folder, that are read."
    )
    exclude: tuple[str, ...] = Field(
        default=(), max_length=50, description="Patterns that are left out; hidden and temporary files always are."
    )
    max_size_mib: int = Field(default=100, ge=1, le=512, description="Larger files are left out.")
    watch: bool = Field(default=True, description="A change starts a sync within seconds, beside the interval.")


class Adapter:
    """The connector `folder`."""

    reads_this_machine: ClassVar[bool] = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, premises: Premises) -> AbstractAsyncContextManager[OpenConnector]:
        return _opened(self._settings, _allowed_root(self._settings.path, premises))

    def watched_folder(self, premises: Premises) -> Path | None:
        return _allowed_root(self._settings.path, premises) if self._settings.watch else None

    def describe(self) -> str:
        return str(self._settings.path)


def _allowed_root(path: Path, premises: Premises) -> Path:
    """The folder with its symbolic links resolved, if the operator allows it.

    Raises:
        ConnectorRefusedError.
    """
    if not premises.folders:
        raise ConnectorRefusedError(
            "This installation lets connectors read no folders. The operator may allow some in "
            "DRAGOMAN_CONNECTOR_FOLDERS."
        )
    root = Path(os.path.realpath(path)) if path.is_absolute() else None
    if root is None or not any(root.is_relative_to(folder) for folder in premises.folders):
        raise ConnectorRefusedError(
            f"{path} is in no folder that connectors may read here. The operator may allow it in "
            "DRAGOMAN_CONNECTOR_FOLDERS; give the whole path."
        )
    return root


@asynccontextmanager
async def _opened(settings: Settings, root: Path) -> AsyncIterator[OpenConnector]:
    yield _OpenFolder(settings, root)


class _OpenFolder:
    def __init__(self, settings: Settings, root: Path) -> None:
        self._settings, self._root = settings, root
        self._unsettled = 0
        self._odd_names = 0

    async def check(self) -> str:
        async def nothing() -> Sequence[str]:
            return ()

        async for item in self.list_items(nothing):
            return f"The folder {self._settings.path} holds files that are read, such as {item.name}."
        return f"The folder {self._settings.path} is there; it holds no files that are read."

    async def list_items(self, known_keys: KnownKeys) -> AsyncGenerator[Item, None]:
        del known_keys  # a folder lists all it has
        walk = self._walk()
        while batch := await asyncio.to_thread(_take, walk, _LISTED_AT_ONCE):
            for item in batch:
                yield item

    def _walk(self) -> Iterator[Item]:
        """All files in order of their paths, one folder in memory at a time."""
        try:
            yield from self._walk_folder(self._root, PurePosixPath())
        except FileNotFoundError as error:
            raise ConnectorRefusedError(f"There is no folder {self._settings.path} on the worker's machine.") from error
        except NotADirectoryError as error:
            raise ConnectorRefusedError(f"{self._settings.path} is a file, not a folder.") from error
        except PermissionError as error:
            raise ConnectorRefusedError(
                f"The worker may not read {error.filename or self._settings.path}. Give its user the right to."
            ) from error
        except OSError as error:
            raise ConnectorUnavailableError(
                f"The folder {self._settings.path} cannot be read now: {error.strerror}."
            ) from error

    def _walk_folder(self, folder: Path, below: PurePosixPath) -> Iterator[Item]:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if _is_passing(entry.name):
                continue
            path = below / entry.name
            if entry.is_dir(follow_symlinks=False):
                if self._settings.recursive:
                    yield from self._walk_subfolder(folder / entry.name, path)
            elif entry.is_file(follow_symlinks=False) and self._is_wanted(path):
                try:
                    facts = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Item(
                    key=str(path),
                    version=_version(facts),
                    name=entry.name,
                    url=None,
                    size_bytes=facts.st_size,
                    modified_at=datetime.fromtimestamp(facts.st_mtime, UTC),
                )

    def _walk_subfolder(self, folder: Path, path: PurePosixPath) -> Iterator[Item]:
        try:
            yield from self._walk_folder(folder, path)
        except (FileNotFoundError, NotADirectoryError):  # removed or replaced while we walked
            return

    def _is_wanted(self, path: PurePosixPath) -> bool:
        try:
            str(path).encode("utf-8")
        except UnicodeEncodeError:
            self._odd_names += 1
            return False
        return _matches(path, self._settings.include) and not _matches(path, self._settings.exclude)

    async def fetch(
        self, item: Item, target: Path, *, max_bytes: int, remembered: Remembered | None
    ) -> Fetched | Unchanged:
        limit = min(max_bytes, self._settings.max_size_mib * 1024 * 1024)
        facts = await asyncio.to_thread(self._copy, item.key, target, limit)
        version = _version(facts)
        if remembered is not None and remembered.version == version:
            return Unchanged(version=version)
        return Fetched(file_name=item.name, mime_type=mimetypes.guess_type(item.name)[0], version=version)

    def _copy(self, key: str, target: Path, limit: int) -> os.stat_result:
        try:
            descriptor = _open_beneath(self._root, key)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ItemGoneError from error
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ItemSkippedError("Symbolic links are not followed.", withdraw=True) from error
            raise ItemRefusedError(f"The file cannot be opened: {error.strerror}.") from error
        with os.fdopen(descriptor, "rb") as source:
            before = os.fstat(source.fileno())
            self._require_settled(before)
            if before.st_size > limit:
                raise ItemRefusedError(f"The file has more than the {limit // 1024 // 1024} MiB accepted here.")
            with target.open("wb") as copy:
                while piece := source.read(_PIECE_BYTES):
                    copy.write(piece)
                    if copy.tell() > limit:
                        break
            self._require_same(before, os.fstat(source.fileno()))
        return before

    def _require_settled(self, facts: os.stat_result) -> None:
        if not stat.S_ISREG(facts.st_mode):
            raise ItemSkippedError("This is no ordinary file.", withdraw=True)
        if 0 <= time.time() - facts.st_mtime < _SETTLED_S:
            self._leave()

    def _require_same(self, before: os.stat_result, after: os.stat_result) -> None:
        if _version(before) != _version(after):
            self._leave()

    def _leave(self) -> None:
        self._unsettled += 1
        raise ItemSkippedError("The file is still being written; it is read in the next round.")

    @property
    def is_whole(self) -> bool:
        return True

    @property
    def wants_another_round(self) -> bool:
        return self._unsettled > 0

    @property
    def notes(self) -> Sequence[str]:
        if not self._odd_names:
            return ()
        return (f"{self._odd_names} files have names that are not UTF-8, and are left out.",)


def _take(walk: Iterator[Item], count: int) -> list[Item]:
    return [item for _, item in zip(range(count), walk, strict=False)]


def _version(facts: os.stat_result) -> str:
    return f"{facts.st_mtime_ns}-{facts.st_size}"


def _is_passing(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _PASSING)


def _matches(path: PurePosixPath, patterns: Sequence[str]) -> bool:
    return any(fnmatch(str(path), pattern) or fnmatch(path.name, pattern) for pattern in patterns)


def _open_beneath(root: Path, key: str) -> int:
    """A descriptor of the file, reached from the root without following a symbolic link.

    Raises:
        OSError: ELOOP where a part is a symbolic link.
    """
    parts = PurePosixPath(key).parts
    if not parts or ".." in parts or key.startswith("/"):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key)
    if not _CAN_WALK_SAFELY:  # Windows, where making links needs an administrator
        return os.open(root.joinpath(*parts), os.O_RDONLY | getattr(os, "O_BINARY", 0))
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Not blocking: a pipe put in the file's place would keep us for ever.
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
