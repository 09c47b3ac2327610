"""Each error, setting, port, adapter and operation is complete: said what it is, and tested where it has a contract."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import defaultdict
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel

import dragoman
from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.settings import Settings
from dragoman.kit import registry
from dragoman.kit.errors import DragomanError
from dragoman.tenancy.settings import ChatbotSettings

_CONTRACTS = Path(__file__).parents[1] / "contract"
ADAPTERS = [(port, name) for port in registry.list_ports() for name in registry.list_adapters(port)]


@pytest.fixture(scope="module")
def errors() -> list[type[DragomanError]]:
    """Every error class, after every module was imported (adapters and integrations may lack their packages)."""
    for module in pkgutil.walk_packages(dragoman.__path__, "dragoman."):
        if module.name.endswith("__main__"):
            continue
        is_optional = module.name.startswith(("dragoman.adapters.", "dragoman.integrations."))
        with suppress(ModuleNotFoundError) if is_optional else nullcontext():
            importlib.import_module(module.name)
    found: list[type[DragomanError]] = []
    waiting = [DragomanError]
    while waiting:
        found.append(waiting[-1])
        waiting.extend(waiting.pop().__subclasses__())
    own = {error for error in found if error.__module__.startswith("dragoman.")}
    assert len(own) > 30
    return sorted(own, key=lambda error: error.__qualname__)


def test_each_error_says_what_happened_in_a_sentence_of_its_own(errors: list[type[DragomanError]]) -> None:
    for error in errors:
        message = inspect.cleandoc(error.__dict__.get("__doc__") or "")
        assert message.endswith("."), f"{error.__qualname__} needs a docstring: it is the message a user reads"
        assert error().message == message.replace("\n", " ")


def test_each_error_has_a_code_of_its_own(errors: list[type[DragomanError]]) -> None:
    by_code: dict[str, list[str]] = defaultdict(list)
    for error in errors:
        assert "code" in error.__dict__, f"{error.__qualname__} shares the code of its parent"
        by_code[error.code].append(error.__qualname__)
    assert not {code: names for code, names in by_code.items() if len(names) > 1}


def test_codes_are_words_with_a_domain(errors: list[type[DragomanError]]) -> None:
    general = {"internal", "not_found", "invalid_request", "conflict", "unavailable"}
    for error in errors:
        assert error.code in general or error.code.count(".") == 1, error.code
        assert error.code.replace(".", "").replace("_", "").isalpha(), error.code
        assert error.code == error.code.lower()


def test_each_status_fits_its_error(errors: list[type[DragomanError]]) -> None:
    for error in errors:
        assert error.status in {400, 401, 402, 403, 404, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504, 507}, error
        if error.retryable:
            assert error.status in {409, 429, 502, 503, 504, 507}, f"{error.__qualname__}: another try cannot help"


@pytest.mark.parametrize("settings", [Settings, ChatbotSettings], ids=lambda model: model.__name__)
def test_each_setting_is_described(settings: type[BaseModel]) -> None:
    for name, field in settings.model_fields.items():
        assert field.description, f"{settings.__name__}.{name} needs a description"
        assert field.description.rstrip().endswith((".", "`")), f"{name}: {field.description!r} is no sentence"


@pytest.mark.parametrize(("port", "name"), ADAPTERS, ids=[f"{port}/{name}" for port, name in ADAPTERS])
def test_each_adapter_file_holds_settings_and_an_adapter(port: str, name: str) -> None:
    module = registry.load_module(port, name)
    assert issubclass(module.Settings, BaseModel)
    assert list(inspect.signature(module.Adapter).parameters) == ["settings"]
    for field_name, field in module.Settings.model_fields.items():
        assert field.description, f"{port}/{name}: the setting {field_name!r} needs a description"
    assert module.Settings.model_config.get("extra") == "forbid", "a misspelt setting must not pass"
    assert module.__doc__


def test_each_adapter_folder_is_a_port_and_each_port_is_adapted() -> None:
    ports = {module.name for module in pkgutil.iter_modules(importlib.import_module("dragoman.ports").__path__)}
    assert set(registry.list_ports()) == ports - {"search_scope", "external_index"}  # what both kinds of index share
    assert all(registry.list_adapters(port) for port in registry.list_ports())


@pytest.mark.parametrize("port", registry.list_ports())
def test_each_port_has_a_contract_test_that_runs_on_every_adapter(port: str) -> None:
    files = [path for path in _CONTRACTS.glob("test_*.py") if path.stem.removeprefix("test_").startswith(port)]
    assert files, f"tests/contract/test_{port}.py is missing"
    sources = "".join(path.read_text(encoding="utf-8") for path in files)
    adapters = registry.list_adapters(port)
    listed = f'list_adapters("{port}")' in sources or "list_adapters(" in sources
    assert listed or all(name in sources for name in adapters), f"{files[0].name} must run on {', '.join(adapters)}"


@pytest.mark.parametrize("port", registry.list_ports())
def test_each_port_documents_its_protocol(port: str) -> None:
    module = importlib.import_module(f"dragoman.ports.{port}")
    protocols = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and getattr(value, "_is_protocol", False) and value.__module__ == module.__name__
    ]
    assert protocols
    for protocol in protocols:
        assert protocol.__doc__
        for name, member in vars(protocol).items():
            if inspect.isfunction(member) and not name.startswith("_"):
                assert "return" in get_type_hints(member), f"{protocol.__name__}.{name} states no result"


def _operations() -> list[tuple[str, dict[str, Any]]]:
    paths = create_app(Settings()).openapi()["paths"]
    return [(f"{method.upper()} {path}", spec) for path, methods in paths.items() for method, spec in methods.items()]


def test_each_operation_of_the_api_is_described_and_has_a_tag_and_an_id_of_its_own() -> None:
    operations = _operations()
    assert len(operations) > 20
    for name, spec in operations:
        assert spec.get("summary"), name
        assert spec.get("description"), f"{name}: the docstring of its function is its description"
        assert len(spec.get("tags", [])) == 1, f"{name} needs one tag"
    ids = [spec["operationId"] for _, spec in operations]
    assert len(ids) == len(set(ids))


def test_each_operation_behind_a_key_says_so() -> None:
    open_to_all = {"GET /healthz", "GET /readyz", "GET /metrics", "GET /.well-known/jwks.json"}
    open_to_all.add("GET /api/auth/single-sign-on/")  # whom to sign in with
    open_to_proof = {  # by what they are sent: a key of a widget, a password, a token, a link
        "POST /api/widget/tokens/",
        "GET /api/widget/settings/",
        "POST /api/auth/sign-in/",
        "POST /api/auth/refresh/",
        "POST /api/auth/sign-out/",
        "POST /api/auth/set-password/",
        "POST /api/auth/password-reset/",
        "GET /api/auth/single-sign-on/{tenant_id}/start/",
        "GET /api/auth/single-sign-on/callback/",
    }
    for name, spec in _operations():
        assert bool(spec.get("security")) == (name not in open_to_all | open_to_proof), name
