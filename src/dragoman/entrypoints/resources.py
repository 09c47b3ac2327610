"""Finds the files that travel with the package: migrations, configs, examples (in the wheel, or in the repository)."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_REPOSITORY = _PACKAGE.parents[1]


def resource_path(name: str) -> Path:
    """The folder `name` inside the installed package, or at the root of the repository for an editable install.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for candidate in (_PACKAGE / name, _REPOSITORY / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"The folder {name!r} is missing from this installation of Dragoman. Install it again.")
