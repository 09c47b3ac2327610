"""The links of the OpenAPI document: what an operation makes, and which operations take it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.entrypoints import openapi
from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.settings import Settings


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = Settings(
        home=Path(tmp_path_factory.mktemp("home")),
        database_url="postgresql://x:y@127.0.0.1:1/x",
        cache_url="redis://127.0.0.1:1/0",
        embedder="hashing",
    )
    found: dict[str, Any] = create_app(settings).openapi()
    return found


def _operations(document: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        operation["operationId"]: (path, operation)
        for path, item in document["paths"].items()
        for operation in item.values()
    }


def _links(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, (_, operation) in _operations(document).items():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                yield name, link


def test_each_maker_leads_to_what_takes_its_id(document: dict[str, Any]) -> None:
    makers = {name for name, _ in _links(document)}
    assert makers == set(openapi._MAKES), "an operation of the table is gone, or makes what nobody takes"


def test_each_link_fills_every_parameter_of_an_operation_that_exists(document: dict[str, Any]) -> None:
    operations = _operations(document)
    links = list(_links(document))
    assert len(links) > 90
    for _, link in links:
        path, _ = operations[link["operationId"]]
        assert set(link["parameters"]) == set(re.findall(r"{(\w+)}", path))


def test_what_is_made_can_be_shown_changed_and_deleted(document: dict[str, Any]) -> None:
    reached: dict[str, set[str]] = {}
    for name, link in _links(document):
        reached.setdefault(name, set()).add(link["operationId"])
    for maker, chain in {
        "create_chatbot": {"get_chatbot", "update_chatbot", "delete_chatbot"},
        "upload_document": {"get_document", "change_document", "delete_document"},
        "create_user": {"get_user", "update_user", "remove_user"},
        "create_key": {"update_key", "rotate_key", "revoke_key"},
        "create_session": {"get_session", "update_session", "delete_session", "send_message"},
        "create_alert_channel": {"test_alert_channel", "delete_alert_channel"},
        "create_connector": {"get_connector", "update_connector", "delete_connector"},
    }.items():
        assert chain <= reached[maker]
