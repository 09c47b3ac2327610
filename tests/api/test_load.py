"""`eval load` against the real application: what it counts, what it calls its own, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dragoman.client import Dragoman
from dragoman.evaluation.errors import RemoteLoadError
from dragoman.evaluation.load import LoadReport, LoadTask, evaluate_load, require_local

from .conftest import Company, Service
from .serving import serving


@pytest.fixture(scope="module")
async def address(service: Service) -> AsyncIterator[str]:
    async with serving(service) as address:
        yield address


@asynccontextmanager
async def _working(service: Service) -> AsyncIterator[None]:
    """Jobs are run as they come."""

    async def work() -> None:
        while True:
            await service.run_jobs()
            await asyncio.sleep(0.02)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _load(company: Company, address: str, **options: Any) -> LoadReport:
    memory = iter((100.0, 108.5))
    async with (
        _working(company.service),
        Dragoman(address, company.secrets["owner"], max_retries=0) as client,
    ):
        before = [chatbot.id async for chatbot in client.chatbots.list()]
        task = LoadTask(**{"questions": 6, "concurrency": 3, **options})
        report = await evaluate_load(client, task, lambda *_: None, memory_mib=lambda: next(memory))
        assert [chatbot.id async for chatbot in client.chatbots.list()] == before
    company.service.deps.inference._breakers.clear()
    return report


async def test_streams_are_timed_and_the_scripts_share_is_taken_off(company: Company, address: str) -> None:
    report = await _load(company, address, first_token_ms=30, token_ms=2, tokens=8)
    told = report.as_json()
    assert (told["questions"], told["answers"], told["errors"], told["degraded"]) == (6, 6, {}, {})
    assert all(first >= 30 for first in report.first_ms)
    assert all(whole >= 30 + 7 * 2 for whole in report.whole_ms)
    assert report.own_first_ms == pytest.approx([first - 30 for first in report.first_ms])
    assert report.own_whole_ms == pytest.approx([whole - 44 for whole in report.whole_ms])
    assert set(told["own_to_first_token_ms"]) == {"p50", "p95", "p99"}
    assert told["memory_growth_mib"] == 8.5


async def test_whole_answers_have_no_first_token(company: Company, address: str) -> None:
    report = await _load(company, address, is_streamed=False, questions=3, new_questions=True)
    assert (len(report.whole_ms), report.first_ms, report.as_json()["first_token_ms"]) == (3, [], {})


async def test_what_gives_way_is_counted_by_its_rung(company: Company, address: str) -> None:
    failed = await _load(company, address, errors=1, questions=2, concurrency=1)
    assert failed.degraded["extractive"] == 2
    assert sum(count for rung, count in failed.degraded.items() if rung.startswith("scripted_failed:")) == 2
    assert failed.own_whole_ms == []  # of answers in which nothing gave way
    cut = await _load(company, address, cuts=1, questions=1, concurrency=1)
    assert cut.degraded == {"scripted_interrupted:llm.unavailable": 1, "extractive": 1}


async def test_a_model_that_hangs_is_given_up(company: Company, address: str) -> None:
    report = await _load(company, address, hangs=1, questions=2, timeout_s=0.3)
    assert (report.errors, report.whole_ms) == ({"timeout": 2}, [])


async def test_it_ends_when_its_time_is_up(company: Company, address: str) -> None:
    report = await _load(company, address, questions=None, seconds=0.2, concurrency=2)
    assert report.as_json()["questions"] >= 2


async def test_a_model_that_cannot_be_is_refused_as_by_a_provider(company: Company, address: str) -> None:
    await company.know()
    settings = {"answerer": "scripted", "model": "load:errors=0.8,cuts=0.8"}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    answer = await company.ask("What discount do gold partners receive on projectors?")
    assert answer["degraded"] == ["scripted_failed:llm.rejected", "extractive"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:8000", "http://127.8.8.8"]
)
def test_this_machine_may_be_loaded(url: str) -> None:
    require_local(url)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.7:8000", "https://chat.example.com", "http://localhost.example.com", "x"]
)
def test_another_machine_may_not(url: str) -> None:
    with pytest.raises(RemoteLoadError, match="--allow-remote"):
        require_local(url)
