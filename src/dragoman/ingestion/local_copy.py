"""A stored file as one on disk, which a reading process can open."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio

from dragoman.deps import Deps
from dragoman.ingestion.errors import NoSpaceToReadError


@asynccontextmanager
async def local_copy(deps: Deps, blob_key: str) -> AsyncIterator[Path]:
    """The blob as a file that a reading process can open, removed in the end. Raises NoSpaceToReadError."""
    with _telling_of_a_full_disk():
        handle, name = tempfile.mkstemp(dir=deps.upload_directory, prefix="reading-")
    try:
        with _telling_of_a_full_disk(), os.fdopen(handle, "wb") as target:
            async for piece in deps.blob_store.read(blob_key):
                await anyio.to_thread.run_sync(target.write, piece)
        yield Path(name)
    finally:
        await anyio.Path(name).unlink(missing_ok=True)


@contextmanager
def _telling_of_a_full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpaceToReadError from error
        raise
