"""The typed client's searches against the real application."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from dragoman.client import ApiError, Dragoman

from .conftest import Company


@pytest.fixture
async def client(company: Company) -> AsyncIterator[Dragoman]:
    transport = httpx.ASGITransport(app=company.service.app, raise_app_exceptions=False)
    async with Dragoman("http://dragoman.test", company.secrets["owner"], transport=transport) as client:
        yield client


async def test_a_search_takes_everything_at_once(company: Company, client: Dragoman) -> None:
    await company.know()
    found = await client.search(
        "How long does it last?",
        chatbot_id=company.chatbot_id,
        max_results=1,
        language="en",
        filter={"content_type": "document"},
        history=[("user", "What is the warranty of the Aurora projector?"), ("assistant", "Five years.")],
        explain=True,
    )
    assert len(found.results) == 1
    assert found.results[0].signals
    assert found.explanation is not None
    assert "Aurora" in found.explanation["searched_query"]
    assert found.search_id is not None
    assert found.knowledge_revision is not None


async def test_a_session_and_a_page_can_be_named(company: Company, client: Dragoman) -> None:
    await company.know()
    session_id = await company.open_session()
    found = await client.search("warranty", session_id=session_id, offset=5, filter="language:en,de")
    assert found.results == []


async def test_what_became_of_searches_comes_back_in_the_analytics(company: Company, client: Dragoman) -> None:
    await company.know()
    found = await client.search("gold partners", language="en")
    assert found.search_id is not None
    await client.searches.click(found.search_id, chunk_id=found.results[0].chunk_id)
    await client.searches.rate(found.search_id, "up", rank=1)
    await company.service.deps.search_log.flush()
    report = await client.searches.analytics(company.chatbot_id, language="en")
    assert (report.totals.searches, report.totals.clicks, report.totals.ratings_up) == (1, 1, 1)
    assert report.popular_queries[0].query == "gold partners"
    assert report.latency_ms["total"]["p95"] > 0
    with pytest.raises(ApiError, match="did not show"):
        await client.searches.click(found.search_id, rank=99)


async def test_a_batch_takes_texts_and_whole_requests(company: Company, client: Dragoman) -> None:
    await company.know()
    first, second, third = await client.searches.batch(["warranty", {"query": "returns", "max_results": 1}, ""])
    assert first.result is not None
    assert first.result.results
    assert second.result is not None
    assert len(second.result.results) == 1
    assert third.error is not None
    assert third.error.status == 422


async def test_a_search_goes_across_content_types(company: Company, client: Dragoman) -> None:
    await company.know()
    await company.know("# Questions\n\nHow long is the warranty?\n", "questions.md", content_type="faq")
    found = await client.searches.hybrid("warranty", company.chatbot_id, content_types=["faq", "document"])
    assert set(found.groups) == {"faq", "document"}
    assert found.arrangement == "balanced"
