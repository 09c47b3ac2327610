"""Where a command writes what it was asked for: the file that was named, or stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dragoman.kit.errors import InvalidSettingError


class FileNotWritableError(InvalidSettingError):
    """The file cannot be written. Name one in a folder that exists and that you may write to."""

    code = "cli.file_not_writable"


def require_writable(path: Path | None) -> None:
    """Before anything is asked of the server. Raises FileNotWritableError."""
    if path is None:
        return
    if path.is_dir():
        raise _error(path, "it is a folder")
    if not path.absolute().parent.is_dir():
        raise _error(path, "its folder does not exist")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise _error(path, "you may not write there")


@contextmanager
def opened(path: Path | None) -> Iterator[IO[bytes]]:
    """The file, or stdout, which stays open. Raises FileNotWritableError."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise _error(path, error.strerror or str(error)) from error
    with file:
        yield file


def _error(path: Path, reason: str) -> FileNotWritableError:
    return FileNotWritableError(
        f"{path} cannot be written: {reason}. Name a file in a folder that exists and that you may write to."
    )
