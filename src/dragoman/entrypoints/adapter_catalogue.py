"""What adapters there are, what they need and which of them this installation uses. No value of a setting is told."""

from __future__ import annotations

import importlib
import inspect
import re
import types
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import metadata
from typing import Any, Final

from pydantic import BaseModel, Field

from dragoman.entrypoints.settings import Settings, adapter_variable
from dragoman.entrypoints.wiring import load_catalogue
from dragoman.kit import registry
from dragoman.kit.errors import InvalidSettingError
from dragoman.kit.registry import MissingExtraError
from dragoman.tenancy.settings import ChatbotSettings

CHOSEN: Final[Mapping[str, str]] = {
    "judge": "Chosen by `DRAGOMAN_JUDGE`, or by the chatbot setting `judge`.",
    "reranker": "Chosen by the chatbot setting `reranker`.",
    "translator": "Chosen by `DRAGOMAN_TRANSLATOR`, or by the chatbot setting `translator`.",
    "connector": "A connector names its kind. These settings are given with it; as variables they are not read.",
    "extractor": "All are used at once; the true type of a document decides which one reads it.",
    "pii_detector": "Those named in `DRAGOMAN_PII_DETECTORS` are asked one after the other.",
}
"""How the adapters of a port are chosen, where that is not by one variable."""

_WITHOUT_VARIABLES: Final = frozenset({"connector"})


class AdapterSettingOut(BaseModel):
    name: str = Field(description="The property of `settings_schema`.")
    variable: str | None = Field(
        description="The environment variable that sets it for the installation; null where each connector has its own.",
        examples=["DRAGOMAN_BLOB_STORE_S3_BUCKET"],
    )
    is_required: bool
    is_secret: bool = Field(description="A password or key: it is never shown.")


class AdapterOut(BaseModel):
    name: str = Field(description="Its name in settings.", examples=["s3"])
    description: str = Field(description="What it is, in a sentence.")
    is_used: bool = Field(
        description="The installation uses it where a chatbot or connector does not choose another one."
    )
    is_installed: bool = Field(description="The packages that it needs are there.")
    extras: list[str] = Field(
        description="Extras of the package `dragoman` that bring what it needs; of several, one is enough."
    )
    settings_schema: dict[str, Any] = Field(description="JSON schema of its settings; empty where it is not installed.")
    settings: list[AdapterSettingOut]


class PortOut(BaseModel):
    name: str = Field(examples=["blob_store"])
    description: str = Field(description="What Dragoman asks of its adapters, in a sentence.")
    chosen: str = Field(description="How one of them is chosen.")
    adapters: list[AdapterOut]


class AdapterCatalogue:
    """The ports of an installation with their adapters. Looked up once: what is installed stays as long as a process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def ports(self) -> list[PortOut]:
        """Every port that has adapters. Imports all of them: 0.3 s the first time."""
        used = _used(self._settings)
        return [_port(port, used[port]) for port in registry.list_ports()]


def for_editors(ports: Iterable[PortOut]) -> list[PortOut]:
    """What an editor gives the settings of: connectors. Those of this machine's disks are for administrators."""
    return [
        port.model_copy(update={"adapters": [each for each in port.adapters if not _reads_this_machine(each)]})
        for port in ports
        if port.name == "connector"
    ]


def chosen(port: str) -> str:
    """How the adapters of a port are chosen."""
    return CHOSEN.get(port, f"Chosen by `DRAGOMAN_{port.upper()}`.")


def summary(module: types.ModuleType) -> str:
    """The first paragraph of a module's docstring; the others are for those who read the code."""
    return " ".join((inspect.getdoc(module) or "").partition("\n\n")[0].split())


def _port(port: str, used: Iterable[str]) -> PortOut:
    module = importlib.import_module(f"dragoman.ports.{port}")
    return PortOut(
        name=port,
        description=_sentence(module),
        chosen=chosen(port),
        adapters=[_adapter(port, name, is_used=name in used) for name in registry.list_adapters(port)],
    )


def _adapter(port: str, name: str, *, is_used: bool) -> AdapterOut:
    try:
        module = registry.load_module(port, name)
    except MissingExtraError as error:  # one of another package, whose imports stand at its top
        return AdapterOut(
            name=name,
            description=error.message,
            is_used=is_used,
            is_installed=False,
            extras=[],
            settings_schema={},
            settings=[],
        )
    extras = _extras(module)
    return AdapterOut(
        name=name,
        description=_sentence(module),
        is_used=is_used,
        is_installed=not extras or any(map(_is_installed, extras)),
        extras=extras,
        settings_schema=module.Settings.model_json_schema(),
        settings=_settings(port, name, module.Settings),
    )


def _reads_this_machine(adapter: AdapterOut) -> bool:
    """Of a connector. What cannot be loaded is not installed, and nobody can add it."""
    try:
        module = registry.load_module("connector", adapter.name)
    except MissingExtraError:
        return False
    return bool(module.Adapter.reads_this_machine)


def _settings(port: str, name: str, model: type[BaseModel]) -> list[AdapterSettingOut]:
    return [
        AdapterSettingOut(
            name=field_name,
            variable=None if port in _WITHOUT_VARIABLES else adapter_variable(port, name, field_name),
            is_required=field.is_required(),
            is_secret="Secret" in str(field.annotation),
        )
        for field_name, field in model.model_fields.items()
    ]


def _sentence(module: types.ModuleType) -> str:
    return re.split(r"(?<=[.!?])\s(?=[A-Z])", summary(module), maxsplit=1)[0]


def _extras(module: types.ModuleType) -> list[str]:
    """The extras that the docstring of an adapter names, as `extra …` in backquotes."""
    return list(dict.fromkeys(re.findall(r"extra `([\w-]+)`", inspect.getdoc(module) or "")))


def _is_installed(extra: str) -> bool:
    """Whether all packages of this extra of ours are there."""
    needed = [each for each in metadata.requires("dragoman") or () if re.search(rf"extra == ['\"]{extra}['\"]", each)]
    return bool(needed) and all(_is_there(re.split(r"[^\w.-]", each, maxsplit=1)[0]) for each in needed)


def _is_there(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _used(settings: Settings) -> Mapping[str, frozenset[str]]:
    """The adapters in use, by port."""
    return {port: _used_of(port, settings) for port in registry.list_ports()}


def _used_of(port: str, settings: Settings) -> frozenset[str]:
    match port:
        case "extractor" | "connector":
            return frozenset(registry.list_adapters(port))
        case "pii_detector":
            return frozenset(settings.pii_detectors)
        case "reranker":
            return frozenset({str(ChatbotSettings.model_fields["reranker"].default)})
        case "embedder" if settings.embedder_socket is not None:
            return frozenset({settings.embedder, "socket"})
        case "llm":
            return _used_llms(settings)
    name: str | None = getattr(settings, port)
    return frozenset(() if name is None else (name,))


def _used_llms(settings: Settings) -> frozenset[str]:
    """The adapter that is set, else those of the listed model, or models, that are meant."""
    name = settings.llm
    if name is None or name in registry.list_adapters("llm"):
        return frozenset(() if name is None else (name,))
    try:
        models = load_catalogue(settings).models
    except InvalidSettingError:  # `dragoman doctor` and the start of a process tell of it
        return frozenset()
    return frozenset(model.adapter for model in models if name in ("auto", model.name))
