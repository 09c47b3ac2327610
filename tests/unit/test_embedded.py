"""The embedded PostgreSQL takes its buffers from the memory that there is, and a container's limit counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from dragoman.entrypoints import embedded

GIB = 2**30


@pytest.mark.parametrize(
    ("machine_gib", "limit", "buffers_mib"),
    [
        (2, None, 96),
        (8, None, 256),
        (24, None, 768),
        (128, None, 1024),
        (24, "max\n", 768),
        (64, f"{8 * GIB}\n", 256),
        (64, f"{GIB}\n", 96),
        (8, f"{2**63 - 4096}\n", 256),  # how cgroup v1 writes that there is no limit
    ],
)
def test_buffers_are_a_part_of_the_memory(
    machine_gib: int, limit: str | None, buffers_mib: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memory.max"
    if limit is not None:
        file.write_text(limit)
    monkeypatch.setattr(embedded, "_CGROUP_LIMITS", (tmp_path / "absent", file))
    monkeypatch.setattr(embedded.psutil, "virtual_memory", lambda: SimpleNamespace(total=machine_gib * GIB))
    assert embedded._buffers_mib() == buffers_mib
