"""Finds adapters: one file `adapters/<port>/<name>.py` is one adapter, its file name is its name in settings.

A file holds `class Settings(BaseModel)` and `class Adapter` whose constructor takes one `Settings`. Packages outside
Dragoman add adapters through the entry point group `dragoman.adapters.<port>`, whose value is such a module.
Listing imports nothing; a module is imported when its adapter is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel

from dragoman.kit.errors import InvalidSettingError

_ADAPTERS = "dragoman.adapters"


class UnknownAdapterError(InvalidSettingError):
    """No adapter of this name exists for this port. Choose one of those listed."""

    code = "settings.unknown_adapter"


class MissingExtraError(InvalidSettingError):
    """This adapter needs a package that is not installed. Install the extra named in the message."""

    code = "settings.missing_extra"


def list_ports() -> list[str]:
    """The ports that have adapters, sorted."""
    package = importlib.import_module(_ADAPTERS)
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg)


def list_adapters(port: str) -> list[str]:
    """The names of the adapters of `port`, sorted, from the folder and from entry points."""
    package = importlib.import_module(f"{_ADAPTERS}.{port}")
    names = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}
    return sorted(names | _external(port).keys())


@cache
def _external(port: str) -> Mapping[str, EntryPoint]:
    """The adapters of other packages. Looked up once: it reads the metadata of all that is installed."""
    return {found.name: found for found in entry_points(group=f"{_ADAPTERS}.{port}")}


def load_module(port: str, name: str) -> Any:
    """The module of an adapter, with `Settings` and `Adapter`.

    Raises:
        UnknownAdapterError: there is no such adapter.
        MissingExtraError: its packages are not installed.
    """
    if name not in list_adapters(port):
        known = ", ".join(list_adapters(port))
        raise UnknownAdapterError(f"There is no {port} adapter named {name!r}. Choose one of: {known}.")
    try:
        if name in (external := _external(port)):
            return external[name].load()
        return importlib.import_module(f"{_ADAPTERS}.{port}.{name}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"The {port} adapter {name!r} needs the package {error.name!r}, which is not installed. "
            f"See the table of extras in docs/reference/adapters.md."
        ) from error


def settings_type(port: str, name: str) -> type[BaseModel]:
    """The `Settings` class of an adapter."""
    found: type[BaseModel] = load_module(port, name).Settings
    return found


def create(port: str, name: str, settings: Mapping[str, Any] | BaseModel | None = None) -> Any:
    """Build an adapter from its settings (a `Settings` object, or the values of its fields)."""
    module = load_module(port, name)
    chosen = settings if isinstance(settings, BaseModel) else module.Settings(**(settings or {}))
    return module.Adapter(chosen)
