"""Results and vectors of questions are remembered: for whom, how long, and never past a deletion."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.api.conftest import Company, Service

from dragoman.entrypoints.api import create_app
from dragoman.kit.cache import Cache
from dragoman.retrieval.entities import Candidate, Found
from dragoman.search.cache import _decode, _encode

DOCUMENTS = "/api/chatbot/documents/"
QUESTION = "What discount do gold partners receive?"


class CountingEmbedder:
    """The embedder, which counts its calls and takes a moment for each."""

    def __init__(self, embedder: Any) -> None:
        self._embedder, self.questions = embedder, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    async def embed_queries(self, texts: list[str]) -> Any:
        self.questions += texts
        await asyncio.sleep(0.05)
        return await self._embedder.embed_queries(texts)


@pytest.fixture
def embedder(service: Service) -> Iterator[CountingEmbedder]:
    embedders = service.deps.inference._embedders
    [(version, real)] = embedders.items()
    embedders[version] = CountingEmbedder(real)
    yield embedders[version]
    embedders[version] = real


async def test_the_same_search_again_is_found_in_the_cache_with_the_same_results(company: Company) -> None:
    await company.know()
    first = await company.search(QUESTION)
    again = await company.search(QUESTION)
    assert (first["cached"], again["cached"]) == (False, True)
    assert again["results"] == first["results"]
    assert again["total_results"] == first["total_results"]


async def test_a_deleted_document_is_gone_from_a_search_that_was_remembered(company: Company) -> None:
    document = await company.know()
    for _ in range(2):
        assert "17 percent" in json.dumps(await company.search(QUESTION))
    assert (await company.api().delete(f"{DOCUMENTS}{document['id']}/")).status_code == 204
    after = await company.search(QUESTION)
    assert not after["cached"]
    assert after["results"] == []


async def test_a_new_document_is_found_by_a_search_that_was_remembered(company: Company) -> None:
    assert (await company.search(QUESTION))["results"] == []
    await company.know()
    assert "17 percent" in json.dumps(await company.search(QUESTION))


async def test_new_labels_and_settings_count_at_once(company: Company) -> None:
    document = await company.know(category="prices")
    assert (await company.search(QUESTION, categories=["prices"]))["results"]
    changed = await company.api().patch(f"{DOCUMENTS}{document['id']}/", json={"category": "terms"})
    assert changed.status_code == 200, changed.text
    assert (await company.search(QUESTION, categories=["prices"]))["results"] == []
    await company.search(QUESTION)
    settings = {"settings": {"search_mode": "keyword"}}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=settings)
    after = await company.search(QUESTION)
    assert (after["cached"], after["mode"]) == (False, "keyword")


async def test_a_private_document_comes_out_of_the_cache_for_its_owner_only(company: Company) -> None:
    await company.know(who="member", visibility="private")
    for who, seen in (("member", True), ("second_member", False), ("owner", False), ("member", True)):
        found = await company.search(QUESTION, who=who)
        assert ("17 percent" in json.dumps(found)) is seen
    assert found["cached"]


async def test_one_tenants_search_is_no_hit_for_another(
    company: Company, other_company: Company, embedder: CountingEmbedder
) -> None:
    question = f"{QUESTION} (asked by two)"
    for each in (company, other_company):
        await each.know()
        assert not (await each.search(question))["cached"]
    assert embedder.questions == [question] * 2, (
        "how fast an answer comes would tell that another tenant asked the same"
    )


async def test_searches_that_differ_in_anything_are_not_each_others_results(company: Company) -> None:
    await company.know()
    await company.search(QUESTION)
    for other in (
        {"max_results": 1},
        {"similarity_threshold": 0.99},
        {"mode": "dense"},
        {"language": "de"},
        {"languages": ["de"]},
        {"content_types": ["faq"]},
        {"document_ids": ["019a0000-0000-7000-8000-000000000000"]},
        {"filter": "language:de"},
    ):
        assert not (await company.search(QUESTION, **other))["cached"], other


async def test_two_hundred_identical_searches_at_once_embed_the_question_once(
    company: Company, embedder: CountingEmbedder
) -> None:
    await company.know()
    found = await asyncio.gather(*(company.search("Which goods may be returned?") for _ in range(200)))
    assert embedder.questions == ["Which goods may be returned?"]
    assert all(each["results"] == found[0]["results"] for each in found)
    assert "42 days" in json.dumps(found[0])


async def test_a_question_searched_in_another_way_is_not_embedded_again(
    company: Company, embedder: CountingEmbedder
) -> None:
    await company.know()
    await company.search("How long does the warranty last?")
    await company.search("How long does  the warranty last? ", max_results=3)
    await company.ask("How long does the warranty last?")
    assert embedder.questions == ["How long does the warranty last?"]


async def test_a_degraded_result_is_not_remembered(
    company: Company, embedder: CountingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await company.know()
    with monkeypatch.context() as patch:
        patch.delitem(company.service.deps.inference._embedders, company.service.deps.embedding_version_name)
        away = await company.search("What covers the lamp?")
        assert away["degraded"] == ["keyword_only"]
    after = await company.search("What covers the lamp?")
    assert (after["cached"], after["degraded"]) == (False, [])


async def test_without_valkey_searches_work(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    await company.know()
    nowhere = Cache("redis://127.0.0.1:1/0")
    cache = company.service.deps.search_results
    assert cache is not None
    monkeypatch.setattr(cache, "_shared", nowhere)
    assert [(await company.search(QUESTION))["cached"] for _ in range(2)] == [False, True]
    await nowhere.close()


async def test_nothing_of_a_remembered_result_can_be_read_in_valkey(company: Company) -> None:
    await company.know()
    await company.search(QUESTION)
    client = company.service.deps.cache.client
    held = [name async for name in client.scan_iter("dragoman:*")]
    assert any(name.startswith(b"dragoman:search_results:") for name in held)
    for name in held:
        if await client.type(name) == b"string":
            value = await client.get(name)
            assert b"17 percent" not in name + value
            assert b"gold partners" not in name + value


async def test_both_caches_can_be_switched_off(
    settings_for: Callable[..., Any], make_company: Callable[[], Awaitable[Company]]
) -> None:
    settings = settings_for(search_cache_s=0, question_cache_s=0)
    app = create_app(settings)
    company = await make_company()
    async with app.router.lifespan_context(app):
        company = replace(company, service=Service(app=app, settings=settings))
        await company.know()
        assert [(await company.search(QUESTION))["cached"] for _ in range(2)] == [False, False]
        assert app.state.deps.inference._questions is None


async def test_what_is_remembered_is_what_was_found(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Found] = []

    def keep(value: Found) -> bytes:
        found.append(value)
        return _encode(value)

    monkeypatch.setattr("dragoman.search.cache._encode", keep)
    await company.know(title="Prices", tags="a,b", external_id="p-1")
    await company.search(QUESTION, mode="hybrid")
    [one] = found
    assert one.passages
    assert one.question_vector is not None
    told = [replace(passage, signals={"dense": 0.5, "sentence": None}) for passage in one.passages]
    one = replace(one, passages=told, candidates=[Candidate(chunk_id=told[0].chunk_id, score=0.5, removed="threshold")])
    again = _decode(_encode(one))
    assert again.question_vector is None
    assert [passage.found for passage in again.passages] == [passage.found for passage in one.passages]
    assert [passage.signals for passage in again.passages] == [dict(passage.signals) for passage in one.passages]
    assert list(again.candidates) == list(one.candidates)
    assert list(again.terms) == list(one.terms)
    assert again.degraded == one.degraded


async def test_each_re_ranker_has_its_own_remembered_result(company: Company) -> None:
    await company.know()
    plain = await company.search(QUESTION)
    for reranker in ("sentences", "none"):
        chosen = await company.search(QUESTION, reranker=reranker)
        assert (chosen["cached"], chosen["degraded"]) == (reranker == "none", []), reranker
        again = await company.search(QUESTION, reranker=reranker)
        assert (again["cached"], again["results"]) == (True, chosen["results"])
    assert (await company.search(QUESTION))["results"] == plain["results"]
