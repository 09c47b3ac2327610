"""The memory of the API processes of an instance on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dragoman.entrypoints.commands import connection


def api_memory(home: Path | None, url: str) -> Callable[[], float | None]:
    """Reads their memory (RSS) in MiB; None where this URL is not that of the instance which runs in the home."""

    def read() -> float | None:
        import psutil  # noqa: PLC0415 - with the home 60 ms that `--help` need not wait for

        from dragoman.entrypoints.home import read_json  # noqa: PLC0415
        from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415

        folder = load_settings(home=home).home
        if connection.find_running(folder) != url:
            return None
        known = read_json(folder / "run" / "processes.json") or {}
        pids = [int(entry["pid"]) for role, entry in known.items() if role == "api" or role.startswith("api-")]
        try:
            return sum(psutil.Process(pid).memory_info().rss for pid in pids) / 2**20 if pids else None
        except psutil.Error:  # it has ended, or is somebody else's
            return None

    return read
