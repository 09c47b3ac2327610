"""Metrics of system, database and searches: whole for the operator, a tenant's own for everybody else."""

from __future__ import annotations

from typing import Any

import pytest

from dragoman.insights import rollup
from dragoman.insights.metrics.processes import list_processes, reported
from dragoman.insights.operators import operator_of

PATHS = ("/api/metrics/system", "/api/metrics/database")


@pytest.fixture
def as_operator(company: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The company, as the tenant that DRAGOMAN_OPERATOR_TENANT names."""
    object.__setattr__(company.service.deps, "operator_tenant", company.tenant_id)
    yield company
    object.__setattr__(company.service.deps, "operator_tenant", None)


async def _read(company: Any, path: str, who: str = "owner", **params: Any) -> dict[str, Any]:
    answer = await company.api(who).get(path, params=params)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_with_two_tenants_nobody_sees_the_installation_unless_he_is_named(
    company: Any, other_company: Any
) -> None:
    for path in PATHS:
        told = await _read(company, path)
        assert told["scope"] == "tenant"
        assert not [name for name in ("processes", "machine", "cache", "server") if told.get(name) is not None]


async def test_the_operator_sees_processes_machine_and_cache(as_operator: Any) -> None:
    async with reported(as_operator.service.deps.cache, "worker"):
        import asyncio

        for _ in range(100):
            if any(process.role == "worker" for process in await list_processes(as_operator.service.deps.cache)):
                break
            await asyncio.sleep(0.02)
        told = await _read(as_operator, "/api/metrics/system")
    assert told["scope"] == "installation"
    assert told["has_worker"] is True
    assert told["processes"][0]["memory_mib"] > 10
    assert told["machine"]["disk_free_gib"] > 0
    assert told["cache"]["keys"] > 0


async def test_the_operator_sees_the_database(as_operator: Any) -> None:
    await as_operator.know()
    told = await _read(as_operator, "/api/metrics/database")
    assert told["holdings"]["documents"] == 1
    assert told["holdings"]["chunks"] >= 1
    server = told["server"]
    assert server["size_bytes"] > 1_000_000
    assert {"documents", "chunks"} <= {table["name"].partition("_v")[0] for table in server["tables"]} | {
        index["table"] for index in server["indexes"]
    } | {"documents", "chunks"}
    assert any(row["role"] == "dragoman_app" for row in server["connections"])
    assert server["max_connections"] > 0


async def test_a_tenant_counts_its_own_jobs_only(company: Any, other_company: Any) -> None:
    uploaded = await other_company.upload()
    assert uploaded.status_code == 202
    assert (await _read(company, "/api/metrics/system"))["jobs"] == []
    [waiting] = (await _read(other_company, "/api/metrics/system"))["jobs"]
    assert (waiting["state"], waiting["jobs"]) == ("queued", 1)


async def test_searches_of_the_last_minutes_are_told_of_the_own_tenant(company: Any, other_company: Any) -> None:
    await company.know()
    for query in ("discount", "warranty", "zzqx"):
        await company.search(query)
    await company.service.deps.search_log.flush()
    live = await _read(company, "/api/metrics/search")
    await rollup.roll_up(company.service.deps.database)
    counted = await _read(company, "/api/metrics/search", chatbot_id=str(company.chatbot_id))
    assert live == counted
    assert counted["searches"] == 3
    assert counted["latency_ms"]["p50"] > 0
    assert counted["indexes"] == [
        {"chatbot_id": str(company.chatbot_id), "name": "Knowledge", "kind": "exact", "state": "ready"}
        | {"recall": counted["indexes"][0]["recall"], "chunks": counted["indexes"][0]["chunks"]}
    ]
    assert (await _read(other_company, "/api/metrics/search"))["searches"] == 0
    foreign = await other_company.api().get("/api/metrics/search", params={"chatbot_id": str(company.chatbot_id)})
    assert foreign.status_code == 404


@pytest.mark.parametrize("who", ["editor", "agent", "member"])
async def test_who_does_not_administer_reads_no_metrics(company: Any, who: str) -> None:
    for path in (*PATHS, "/api/metrics/search", "/api/alerts"):
        assert (await company.api(who).get(path)).status_code == 403


def test_the_only_tenant_is_the_operators_until_there_is_a_second() -> None:
    from uuid import uuid4

    one, two = uuid4(), uuid4()
    assert operator_of([one], None) == one
    assert operator_of([one, two], None) is None
    assert operator_of([one, two], two) == two
    assert operator_of([one], two) is None
