"""`dragoman analytics`, `dragoman analytics backfill` and `dragoman metrics`, against the real application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.entrypoints.cli import main
from dragoman.entrypoints.commands.terminal import ExitCode

from .serving import serving

Run = Callable[..., Awaitable[str]]


@pytest.fixture
async def run(company: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Runs a command as the company's owner; what it printed."""
    async with serving(company.service) as url:
        for name, value in {"URL": url, "API_KEY": company.secrets["owner"], "HOME": str(tmp_path)}.items():
            monkeypatch.setenv(f"DRAGOMAN_{name}", value)

        async def run(*arguments: str) -> str:
            capsys.readouterr()
            code = await asyncio.to_thread(main, arguments)
            captured = capsys.readouterr()
            assert code == ExitCode.OK, captured.err
            return captured.out

        yield run


async def test_analytics_tell_of_questions_and_of_the_steps_of_reading(company: Any, run: Run) -> None:
    await company.know()
    await company.ask("What discount do gold partners receive?")
    told = json.loads(await run("analytics", "--days", "2", "--json"))
    assert told["total"]["questions"] == 1
    assert [step["step"] for step in told["ingestion_steps"]] == ["extracting", "chunking", "embedding", "indexing"]
    shown = await run("analytics", "--days", "2")
    assert "Questions" in shown
    assert "embedding" in shown


async def test_metrics_tell_of_searches_and_of_what_the_tenant_keeps(company: Any, run: Run) -> None:
    await company.know()
    await company.search("discount")
    await company.service.deps.search_log.flush()
    searches = json.loads(await run("metrics", "search", "--minutes", "5", "--json"))
    assert (searches["minutes"], searches["searches"]) == (5, 1)
    assert "Searches" in await run("metrics", "search", "--minutes", "5")
    kept = json.loads(await run("metrics", "database", "--json"))
    assert kept["holdings"]["documents"] == 1
    assert "Documents" in await run("metrics", "database")
    system = json.loads(await run("metrics", "system", "--json"))
    assert system["cache_is_reachable"] is True
    assert "reachable" in await run("metrics", "system")


async def test_the_operator_is_shown_processes_and_tables(
    company: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def everybody(*_: Any) -> bool:
        return True

    monkeypatch.setattr("dragoman.insights.metrics.service.is_operator", everybody)
    assert "Machine" in await run("metrics", "system")
    shown = await run("metrics", "database")
    assert "Largest tables" in shown
    assert "PostgreSQL" in shown


async def test_backfill_counts_at_the_database_itself(
    company: Any, run: Run, admin_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await company.know()
    await company.ask("What discount do gold partners receive?")
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        for statement in (
            "delete from insight_facts",
            "insert into insight_backfills (tenant_id, counted_since) select id, now() from tenants",
        ):
            await connection.execute(text(statement))
    monkeypatch.setenv("DRAGOMAN_DATABASE_URL", admin_url)
    assert "of 1 days, of 1 tenants" in await run("analytics", "backfill")
    assert "Nothing is left" in await run("analytics", "backfill")
    assert json.loads(await run("analytics", "--json"))["total"]["questions"] == 1
