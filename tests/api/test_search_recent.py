"""Searches begin with the chatbot as it was last read: what has changed since shows in the very next search."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from tests.api.conftest import Company

from dragoman.kit.reading import ReadConnection
from dragoman.retrieval import service as retrieval
from dragoman.search.recent import recent_chatbots

DOCUMENTS = "/api/chatbot/documents/"
QUESTION = "What discount do gold partners receive?"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The round trips of reading transactions, each with its statements; not of what is read in beside the requests."""
    trips: list[list[str]] = []
    run = ReadConnection._run

    async def counted(self: ReadConnection, statements: Any, **how: Any) -> Any:
        task = asyncio.current_task()
        if task is None or not task.get_name().startswith("remember-vectors"):
            trips.append([sql for sql, _ in statements])
        return await run(self, statements, **how)

    monkeypatch.setattr(ReadConnection, "_run", counted)
    return trips


async def test_a_second_search_reads_its_chatbot_in_the_trip_that_searches(
    company: Company, statements: list[list[str]]
) -> None:
    await company.know()
    await company.search(QUESTION, mode="dense")
    statements.clear()
    found = await company.search("Which discount is for gold?", mode="dense")
    assert "17 percent" in found["results"][0]["content"]
    [only] = statements
    assert ["chatbots" in only[0], "search_chunks" in only[1], len(only)] == [True, True, 2]


@pytest.mark.parametrize("mode", ["dense", "hybrid", "keyword"])
@pytest.mark.parametrize("explain", [False, True])  # an explanation is never from the cache
async def test_a_change_beside_this_process_shows_in_the_next_search(
    company: Company, mode: str, explain: bool
) -> None:
    document = await company.know()
    assert "17 percent" in json.dumps(await company.search(QUESTION, mode=mode, explain=explain))
    deps = company.service.deps
    async with deps.database.transaction(company.tenant_id) as connection:  # as another process would
        await connection.exec_driver_sql(
            "update documents set title = 'Renamed' where id = %(id)s", {"id": UUID(document["id"])}
        )
        await connection.exec_driver_sql(
            "update chatbots set knowledge_revision = knowledge_revision + 1 where id = %(id)s",
            {"id": company.chatbot_id},
        )
    found = await company.search(QUESTION, mode=mode, explain=explain)
    assert {result["title"] for result in found["results"]} == {"Renamed"}


async def test_what_changes_while_a_search_runs_makes_it_begin_anew(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await company.know()
    await company.search(QUESTION)
    find, searches = retrieval.find_passages, []

    async def delayed(*arguments: Any, **named: Any) -> Any:
        if not searches:
            searches.append("remembered")
            assert (await company.api().delete(f"{DOCUMENTS}{document['id']}/")).status_code == 204
        else:
            searches.append("fresh")
        return await find(*arguments, **named)

    monkeypatch.setattr(retrieval, "find_passages", delayed)
    found = await company.search("What do gold partners get?")
    assert found["results"] == []
    assert searches == ["remembered", "fresh"]


async def test_vectors_in_memory_need_no_other_trip_and_forget_with_the_commit(
    company: Company, statements: list[list[str]]
) -> None:
    document = await company.know()
    found = [await company.search(f"{QUESTION} {number}", mode="dense") for number in range(4)]
    async with asyncio.timeout(10):
        while "search_chunks" in str(statements[-1]):
            await asyncio.sleep(0.05)
            await company.search(f"{QUESTION} {len(statements)}", mode="dense")
    statements.clear()
    again = await company.search(f"{QUESTION} 0 ", mode="dense")
    assert [len(trip) for trip in statements] == [1]
    assert "from chatbots" in " ".join(statements[0][0].lower().split())
    ids = [result["chunk_id"] for result in again["results"]]
    assert ids == [result["chunk_id"] for result in found[0]["results"]]
    for mode in ("dense", "hybrid"):
        assert (await company.search(f"{QUESTION} 5", mode=mode))["results"]
    assert (await company.api().delete(f"{DOCUMENTS}{document['id']}/")).status_code == 204
    for mode in ("dense", "hybrid"):
        assert (await company.search(f"{QUESTION} 5", mode=mode))["results"] == []


async def test_settings_count_from_the_next_search(company: Company) -> None:
    await company.know()
    assert (await company.search(QUESTION))["mode"] == "hybrid"
    body = {"settings": {"search_mode": "keyword"}}
    answer = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=body)
    assert answer.status_code == 200, answer.text
    assert (await company.search(QUESTION))["mode"] == "keyword"


async def test_the_default_chatbot_is_the_one_of_the_moment(company: Company) -> None:
    await company.know()
    assert (await company.search(QUESTION))["results"]
    made = await company.api().post("/api/chatbots/", json={"name": "Second"})
    second = made.json()["id"]
    await company.api().patch(f"/api/chatbots/{second}/", json={"is_default": True})
    assert (await company.search(QUESTION))["chatbot_id"] == second


async def test_a_deleted_chatbot_is_not_found_although_it_is_remembered(company: Company) -> None:
    second = (await company.api().post("/api/chatbots/", json={"name": "Second"})).json()["id"]
    assert (await company.search(QUESTION, chatbot_id=second))["results"] == []
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.exec_driver_sql("delete from chatbots where id = %(id)s", {"id": UUID(second)})
    answer = await company.api().post("/api/search", json={"query": QUESTION, "chatbot_id": second})
    assert answer.status_code == 404


async def test_what_one_tenant_asked_for_is_not_remembered_for_another(
    company: Company, other_company: Company
) -> None:
    await company.know()
    await company.search(QUESTION, chatbot_id=str(company.chatbot_id))
    body = {"query": QUESTION, "chatbot_id": str(company.chatbot_id)}
    assert (await other_company.api().post("/api/search", json=body)).status_code == 404


async def test_many_who_search_at_once_each_see_what_they_may(company: Company) -> None:
    """Those that another's search answers look at the chatbot by themselves."""
    await company.know()
    await company.search("Something else?")
    found = await asyncio.gather(*(company.search(QUESTION) for _ in range(20)))
    assert all("17 percent" in json.dumps(each["results"]) for each in found)


def test_remembered_chatbots_are_bounded() -> None:
    assert recent_chatbots._cache._max_bytes <= 16 * 1024 * 1024
