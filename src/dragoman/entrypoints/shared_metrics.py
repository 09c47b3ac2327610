"""Metrics of several API processes as one: which of them answers `/metrics` cannot be chosen.

The multi-process mode of prometheus_client: where PROMETHEUS_MULTIPROC_DIR names a folder, every process keeps its figures
in files there (figures of the Python process itself are left out). Counters of a process that ended still count.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it when it is imported


def new_folder(folder: Path) -> dict[str, str]:
    """An empty folder for the figures of processes that are about to start, as their environment names it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return {VARIABLE: str(folder)}


def of_all_processes() -> CollectorRegistry:
    """Where to collect: this process's figures, or those of all that share its folder."""
    folder = os.environ.get(VARIABLE)
    if folder is None:
        return REGISTRY
    _forget_dead_gauges(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _forget_dead_gauges(folder: Path) -> None:
    """What a crashed process held, it holds no more."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rsplit("_", 1)[1])
        if not psutil.pid_exists(pid):
            with suppress(FileNotFoundError):  # another process was faster
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
