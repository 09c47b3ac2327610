"""The synchronous client against the application over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dragoman.client import ApiError, FileContent, SyncDragoman

from .conftest import HANDBOOK, Company, Service
from .serving import serving

QUESTION = "What discount do gold partners receive?"


@pytest.fixture(scope="module")
async def address(service: Service) -> AsyncIterator[str]:
    async with serving(service) as address:
        yield address


async def test_documents_are_sent_searched_asked_and_downloaded(company: Company, address: str, tmp_path: Path) -> None:
    def bring(client: SyncDragoman) -> str:
        content = FileContent(name="handbook.md", content=HANDBOOK.encode(), mime_type="text/markdown")
        return str(client.documents.upload(content, category="rules").id)

    def use(client: SyncDragoman, document_id: str) -> None:
        assert client.documents.wait_until_ready(document_id, timeout_s=10).state == "ready"
        assert [document.category for document in client.documents.list()] == ["rules"]
        assert "17 percent" in client.search(QUESTION).results[0].content
        answer = client.ask(QUESTION)
        assert "17 percent" in answer.content
        events = list(client.ask_stream(QUESTION))
        assert "".join(event.content for event in events if event.type == "token") == answer.content
        assert events[-1].type == "complete"
        assert len(list(client.sessions.list())) == 2
        downloaded = client.documents.download(document_id, tmp_path)
        assert downloaded.read_text(encoding="utf-8") == HANDBOOK
        with pytest.raises(ApiError, match="no such page"):
            client.documents.get_page(document_id, 99)

    with SyncDragoman(address, company.secrets["owner"]) as client:
        document_id = await asyncio.to_thread(bring, client)
        await company.service.run_jobs()
        await asyncio.to_thread(use, client, document_id)


async def test_a_stream_may_be_left_early(company: Company, address: str) -> None:
    await company.know()

    def leave(client: SyncDragoman) -> str:
        events = client.ask_stream(QUESTION)
        first = next(events)
        events.close()
        return first.type

    with SyncDragoman(address, company.secrets["owner"]) as client:
        assert await asyncio.to_thread(leave, client) == "status"
