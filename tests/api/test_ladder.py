"""An answer is always given: each rung of the ladder, tested by breaking those above it.

The listed models: `cloud`, behind a real HTTP server, then `spare`; below both stands quotation.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from tests.api.conftest import Company, Service
from tests.contract.openai_server import OpenAIServer, run_openai_server

from dragoman.entrypoints.api import create_app
from dragoman.inference.service import Limits
from dragoman.ports.embedder import EmbedderUnavailableError
from dragoman.ports.llm import LlmUnavailableError

QUESTION = "What discount do gold partners receive on projectors?"
CLOUD, SPARE = "Cloud says 17 percent [1].", "Spare says 17 percent [1]."
MODELS = """
models:
  - name: cloud
    adapter: openai_compatible
    model: big-1
    settings: { base_url: "${CLOUD_URL}", api_key: "${CLOUD_KEY}", first_token_timeout_s: 0.5, next_token_timeout_s: 0.5 }
    price: { input: 10, output: 40 }
    quality: 5
  - name: spare
    adapter: scripted
    model: small-1
    settings: { replies: ["Spare says 17 percent [1]."] }
    quality: 2
routing:
  fallback: [spare]
  time_limit_s: 8
"""
Events = Callable[[Any], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def cloud() -> Iterator[OpenAIServer]:
    with run_openai_server() as server:
        yield server


@pytest.fixture(scope="module")
async def service(
    settings_for: Callable[..., Any], cloud: OpenAIServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    folder = tmp_path_factory.mktemp("configs")
    (folder / "models.yaml").write_text(MODELS)
    settings = settings_for(config_directory=folder, llm="cloud")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUD_URL", cloud.url)
        patch.setenv("CLOUD_KEY", "secret")
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            patch.setattr(app.state.deps.inference, "_limits", Limits(backoff_s=0.001, attempts=2))
            yield Service(app=app, settings=settings)


@pytest.fixture(autouse=True)
def _whole(service: Service, cloud: OpenAIServer) -> None:
    """Everything works again."""
    cloud.status, cloud.silent_s, cloud.delay_s, cloud.headers = 200, 0.0, 0.0, {}
    cloud.broken = cloud.garbage = False
    cloud.words = tuple(f"{word} " for word in CLOUD.split())
    service.deps.inference._breakers.clear()


@pytest.fixture
async def company(company: Company) -> Company:
    await company.know()
    return company


async def _ask(company: Company) -> dict[str, Any]:
    async with asyncio.timeout(20):
        return await company.ask(QUESTION)


async def test_the_first_model_answers_while_it_can(company: Company) -> None:
    answer = await _ask(company)
    assert (answer["content"].strip(), answer["model"], answer["degraded"]) == (CLOUD, "big-1", [])
    assert answer["usage"]["cost_usd"] > 0
    assert answer["usage"]["llm_calls"] == 1


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"status": 500}, "llm.unavailable"),
        ({"status": 503}, "llm.unavailable"),
        ({"status": 429, "headers": {"Retry-After": "30"}}, "llm.overloaded"),
        ({"status": 401}, "llm.rejected"),
        ({"silent_s": 2.0}, "llm.unavailable"),
        ({"garbage": True}, "llm.unavailable"),
        ({"words": ()}, "llm.empty"),
    ],
    ids=["500", "503", "429", "401", "hangs", "sends a web page", "says nothing"],
)
async def test_the_next_model_answers_when_the_first_cannot(
    company: Company, cloud: OpenAIServer, how: dict[str, Any], code: str
) -> None:
    for name, value in how.items():
        setattr(cloud, name, value)
    answer = await _ask(company)
    assert answer["content"] == SPARE
    assert answer["model"] == "small-1"
    assert answer["degraded"] == [f"cloud_failed:{code}", "spare"]
    assert answer["sources"]


async def test_an_answer_that_breaks_off_is_continued_by_the_next_model(
    company: Company, cloud: OpenAIServer, events_of: Events
) -> None:
    cloud.broken = True
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/stream/"
    events = events_of(await company.api().post(path, json={"message": QUESTION}))
    said = "".join(event["content"] for event in events if event["type"] == "token")
    assert said == f"Cloud says {SPARE}"
    assert events[-1]["type"] == "complete"
    assert events[-1]["degraded"] == ["cloud_interrupted:llm.unavailable", "spare"]


async def test_when_every_model_fails_the_answer_is_quoted_and_names_all_rungs(
    company: Company, service: Service, cloud: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.status = 500
    monkeypatch.setattr(service.deps.inference._llm("spare"), "stream", _refuse)
    answer = await _ask(company)
    assert "17 percent" in answer["content"]
    assert answer["model"] == "extractive"
    assert answer["degraded"] == ["cloud_failed:llm.unavailable", "spare_failed:llm.unavailable", "extractive"]


async def test_with_embedder_models_and_cache_away_an_answer_is_still_given(
    company: Company, service: Service, cloud: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(texts: object) -> None:
        raise EmbedderUnavailableError

    cloud.status = 500
    embedder = service.deps.inference._embedder(service.deps.embedding_version_name)
    monkeypatch.setattr(embedder, "embed_queries", fail)
    monkeypatch.setattr(service.deps.inference._llm("spare"), "stream", _refuse)
    monkeypatch.setattr(service.deps.cache, "_rests_until", time.monotonic() + 60.0)
    answer = await _ask(company)
    assert "17 percent" in answer["content"]
    assert answer["degraded"] == [
        "keyword_only",
        "cloud_failed:llm.unavailable",
        "spare_failed:llm.unavailable",
        "extractive",
    ]


async def test_when_the_money_is_gone_the_free_model_answers(company: Company, service: Service) -> None:
    body = {"scope": "tenant", "period": "day", "limit_usd": 0.0001}
    assert (await company.api().put("/api/budgets/", json=body)).status_code == 200
    answer = await _ask(company)
    assert (answer["content"], answer["degraded"]) == (SPARE, ["cloud_failed:budget.exhausted", "spare"])
    assert answer["usage"]["cost_usd"] == 0


async def test_a_chatbot_names_the_models_below_its_own(company: Company, cloud: OpenAIServer) -> None:
    cloud.status = 500
    path = f"/api/chatbots/{company.chatbot_id}/"
    await company.api().patch(path, json={"settings": {"fallback_models": []}})
    answer = await _ask(company)
    assert answer["degraded"] == ["cloud_failed:llm.unavailable", "extractive"], "none is none"


async def test_auto_takes_the_cheap_model_for_a_simple_question_and_the_best_for_a_hard_one(company: Company) -> None:
    path = f"/api/chatbots/{company.chatbot_id}/"
    await company.api().patch(path, json={"settings": {"answerer": "auto"}})
    assert (await company.ask("Gold discount?"))["model"] == "small-1"
    hard = (
        "Why do gold partners receive their discount on projectors, how does it compare with the warranty of the Aurora "
        "projector, and what is the difference between returning goods after 30 days and after 42 days in packaging that "
        "is not the original one? Can you explain both?"
    )
    assert (await company.ask(hard))["model"] == "big-1"


async def test_follow_ups_are_completed_by_the_next_model_too(company: Company, cloud: OpenAIServer) -> None:
    session_id = await company.open_session()
    await company.ask(QUESTION, session_id=session_id)
    cloud.status = 500
    answer = await company.ask("And what about its lamp?", session_id=session_id)
    assert not [rung for rung in answer["degraded"] if rung.startswith("rewrite")]


async def _refuse(request: object) -> AsyncIterator[Any]:
    raise LlmUnavailableError
    yield
