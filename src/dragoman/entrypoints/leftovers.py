"""Removes what processes that were killed left behind: uploads that were being checked, copies that were being read.

They are plain copies, even where originals are encrypted, and outlive the documents that they are of.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

OLDER_THAN_S = 6 * 3600.0  # nothing is uploaded or read for so long
_READER_FOLDERS = "dragoman-reader-*"


def sweep_leftovers(upload_directory: Path, *, older_than_s: float = OLDER_THAN_S) -> int:
    """Remove old files of the upload directory and old folders of readers; how many."""
    before = time.time() - older_than_s
    old = [path for path in upload_directory.iterdir() if _is_older(path, before)]
    old += [path for path in Path(tempfile.gettempdir()).glob(_READER_FOLDERS) if _is_older(path, before)]
    for path in old:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if old:
        _log.info("leftovers.removed", number=len(old))
    return len(old)


def _is_older(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime < moment
    except FileNotFoundError:  # another process was faster
        return False
