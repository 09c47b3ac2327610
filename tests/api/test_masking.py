"""Personal data that a provider elsewhere never gets to see, and the asker does; recorded by a real HTTP server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from tests.contract.openai_server import OpenAIServer, run_openai_server

from dragoman.entrypoints.api import create_app
from dragoman.inference.service import Limits

from .conftest import Company, Service

MODELS = """
models:
  - name: cloud
    adapter: openai_compatible
    settings: { base_url: "${CLOUD_URL}", api_key: "key", model: far-1 }
    local: false
  - name: near
    adapter: openai_compatible
    settings: { base_url: "${CLOUD_URL}", api_key: "key", model: near-1 }
"""
LETTER = """# Complaints

Complaints about the Aurora projector go to Ms Ada Lovelace, ada@halvorsen.example, phone +49 30 901820.
Her IBAN for refunds is DE89 3704 0044 0532 0130 00.
"""
PERSONAL = ("ada@halvorsen.example", "eve@customer.example", "901820", "DE89 3704", "0532 0130")
QUESTION = "My mail is eve@customer.example. Who handles complaints about the Aurora projector?"
Events = Callable[[Any], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def cloud() -> Iterator[OpenAIServer]:
    with run_openai_server() as server:
        server.delay_s = 0.0
        yield server


@pytest.fixture(scope="module")
async def service(
    settings_for: Callable[..., Any], cloud: OpenAIServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    folder = tmp_path_factory.mktemp("configs")
    (folder / "models.yaml").write_text(MODELS)
    settings = settings_for(config_directory=folder, llm="cloud", pii_detectors=["patterns"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUD_URL", cloud.url)
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            patch.setattr(app.state.deps.inference, "_limits", Limits(backoff_s=0.001, attempts=1))
            yield Service(app=app, settings=settings)


@pytest.fixture
async def company(company: Company, cloud: OpenAIServer) -> Company:
    await company.know(LETTER, "complaints.md")
    cloud.requests.clear()
    return company


async def _set(company: Company, **settings: Any) -> None:
    body = {"settings": {"answerer": "cloud", "cache_answers": False, "pii_to_models": "mask", **settings}}
    changed = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=body)
    assert changed.status_code == 200, changed.text


async def test_the_provider_sees_placeholders_and_the_asker_real_values(
    company: Company, cloud: OpenAIServer, events_of: Events
) -> None:
    await _set(company)
    cloud.words = ("Nothing ", "known.")
    session_id = await company.open_session()
    await company.ask(QUESTION, session_id=session_id)
    told = json.dumps(cloud.requests)
    for value in PERSONAL:
        assert value not in told
    assert "My mail is [EMAIL_ADDRESS_" in told
    eve, ada = "EMAIL_ADDRESS_1", "EMAIL_ADDRESS_2"  # in the order of the messages: the conversation, then the sources
    cloud.words = ("Write to [", ada[:7], ada[7:], "], ", "not ", "from [", eve, "] ", "[1].")
    path = f"/api/chatbot/sessions/{session_id}/messages/stream/"
    events = events_of(await company.api().post(path, json={"message": QUESTION}))
    said = "".join(event["content"] for event in events if event["type"] == "token")
    assert said.strip() == "Write to ada@halvorsen.example, not from eve@customer.example [1]."
    source = next(event for event in events if event["type"] == "source")
    assert "ada@halvorsen.example" in json.dumps(source)
    assert events[-1]["grounding"]["sentences"][0]["grounded"] in (True, False)
    for value in PERSONAL:
        assert value not in json.dumps(cloud.requests), "also not as part of the conversation"
    messages = (await company.api().get(f"/api/chatbot/sessions/{session_id}/messages/")).json()["messages"]
    assert messages[-1]["content"].strip() == said.strip()


async def test_rewriting_and_reranking_are_masked_too(company: Company, cloud: OpenAIServer) -> None:
    await _set(company, reranker="llm", multi_query=1)
    cloud.words = ("What ", "about ", "it? ")
    session_id = await company.open_session()
    await company.ask(QUESTION, session_id=session_id)
    await company.ask("And what about her, eve@customer.example?", session_id=session_id)
    systems = {request["messages"][0]["content"][:30] for request in cloud.requests}
    assert len(systems) >= 3, "answers, wordings, grades"
    told = json.dumps(cloud.requests)
    for value in PERSONAL:
        assert value not in told


async def test_without_the_setting_and_for_a_model_on_this_network_nothing_is_masked(
    company: Company, cloud: OpenAIServer
) -> None:
    cloud.words = ("Ms ", "Lovelace ", "[1].")
    for settings in ({"pii_to_models": "off"}, {"answerer": "near"}):
        cloud.requests.clear()
        await _set(company, **settings)
        await company.ask(QUESTION)
        assert "ada@halvorsen.example" in json.dumps(cloud.requests[-1])


async def test_where_masking_fails_the_answer_is_quoted_and_nothing_leaves(
    company: Company, service: Service, cloud: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _set(company)
    [detector] = service.deps.pii_detectors

    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of order")

    monkeypatch.setattr(detector, "detect", broken)
    answer = await company.ask("Who handles complaints about the Aurora projector?")
    assert answer["model"] == "extractive"
    assert answer["degraded"] == ["cloud_failed:inference.masking_failed", "extractive"]
    assert cloud.requests == []
