"""What killed processes left behind is removed, and what is in use is not."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from dragoman.entrypoints.leftovers import sweep_leftovers


def _aged(path: Path, age_s: float) -> Path:
    moment = time.time() - age_s
    os.utime(path, (moment, moment))
    return path


def test_old_uploads_and_folders_of_readers_go_and_young_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, uploads = tmp_path / "tmp", tmp_path / "uploads"
    temporary.mkdir()
    uploads.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (uploads / "reading-old").write_text("secret")
    (uploads / "upload-young").write_text("in use")
    _aged(uploads / "reading-old", 7 * 3600)
    folder = temporary / "dragoman-reader-abc"
    folder.mkdir()
    (folder / "piece").write_text("secret")
    _aged(folder, 7 * 3600)
    other = temporary / "somebody-else"
    other.mkdir()
    _aged(other, 7 * 3600)
    assert sweep_leftovers(uploads) == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["somebody-else", "tmp", "upload-young", "uploads"]
