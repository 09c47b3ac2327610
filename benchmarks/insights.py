"""Analytics of a year: what counting a turn costs, how fast facts are counted, and how fast a year is read over HTTP."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from benchmarks.figures import Show, p50_p95
from dragoman.entrypoints import schema
from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.embedded import EmbeddedPostgres, EmbeddedValkey
from dragoman.entrypoints.settings import Settings
from dragoman.insights import rollup
from dragoman.kit.database import Database
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.service import CreatedTenant

_TURNS = int(os.environ.get("DRAGOMAN_BENCH_TURNS", "2000000"))
_OTHERS, _TURNS_OF_OTHERS = 5, 20_000
_AT_ONCE = 50_000
_DAYS = 365
_READS = 40

# In the order of time, as turns come; five languages, two answerers, a tenth refused, log-normal latencies.
_INSERT = """
insert into turns (tenant_id, id, chatbot_id, session_id, question_id, answer_id, asker, language, provider_model,
    embedding_version, knowledge_revision, answered, timings, usage, degraded, created_at)
select :tenant, gen_random_uuid(), :chatbot, :session, gen_random_uuid(), gen_random_uuid(), 'x',
    (array['en', 'de', 'fr', 'es', 'tr'])[1 + n % 5], (array['extractive', 'gpt'])[1 + n % 2], 1, 1, n % 10 <> 0,
    jsonb_build_object('load', 2 + took / 100, 'understand', took / 50, 'retrieve', took / 10, 'generate', took,
        'total', 2 + took * 1.13),
    jsonb_build_object('input_tokens', 900, 'output_tokens', 120, 'cost_usd', 0.0004),
    case when n % 20 = 0 then '["judge_failed"]'::jsonb else '[]'::jsonb end,
    cast(:first as timestamptz) + n * cast(:step as interval)
from (select n, exp(5.5 + 0.8 * (random() + random() + random() - 1.5)) as took
    from generate_series(cast(:begin as int), cast(:end as int) - 1) n) of_turns
"""


def run(show: Show) -> None:
    """Write the turns of a year, count them, and read them."""
    for name, value in asyncio.run(_measure()).items():
        show(name, value)


async def _measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-", ignore_cleanup_errors=True) as folder:
        postgres, valkey = EmbeddedPostgres(Path(folder)), EmbeddedValkey(Path(folder))
        await postgres.start()
        await valkey.start()
        try:
            await asyncio.to_thread(schema.upgrade, postgres.admin_url)
            settings = Settings(
                home=Path(folder) / "home",
                database_url=postgres.admin_url,
                cache_url=valkey.cache_url,
                embedder="hashing",
                log_level="ERROR",
            )
            app = create_app(settings)
            async with app.router.lifespan_context(app):
                return await _figures(app)
        finally:
            await valkey.stop()
            await postgres.stop()


async def _figures(app: Any) -> dict[str, Any]:
    database: Database = app.state.database
    version = app.state.embedding_version_id
    tenants = [
        await tenancy.create_tenant(database, name=f"T{n}", owner_email="a@b.c", embedding_version=version)
        for n in range(1 + _OTHERS)
    ]
    figures: dict[str, Any] = {"turns": _TURNS, "other turns": _OTHERS * _TURNS_OF_OTHERS}
    figures |= await _cost_of_facts(database, tenants[1])
    written_s = counted_s = 0.0
    for tenant, turns in [(tenants[0], _TURNS), *((other, _TURNS_OF_OTHERS) for other in tenants[1:])]:
        for begin in range(0, turns, _AT_ONCE):
            at = time.perf_counter()
            await _write(database, tenant, begin, min(begin + _AT_ONCE, turns), turns)
            written_s += (counting := time.perf_counter()) - at
            await rollup.roll_up(database)
            counted_s += time.perf_counter() - counting
    every = _TURNS + _OTHERS * _TURNS_OF_OTHERS
    figures |= {"written turns/s": round(every / written_s), "counted facts/s": round(every / counted_s)}
    figures["rows of counts"], figures["MiB of counts"] = await _size(database, tenants[0].tenant_id)
    transport = httpx.ASGITransport(app=app)
    headers = {"X-API-Key": tenants[0].key.secret}
    async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers) as client:
        year = {"from": str(datetime.now(UTC).date() - timedelta(days=_DAYS))}
        for name, params in (
            ("a year by day", year),
            ("a year of one language", {**year, "language": "de"}),
            ("31 days by hour", {"from": str(datetime.now(UTC).date() - timedelta(days=30)), "by": "hour"}),
        ):
            figures[name] = await _read(client, tenants[0].chatbot.id, params)
    figures["turns told"] = (await _report(client_of(app, headers), tenants[0].chatbot.id, year))["total"]["questions"]
    return figures


def client_of(app: Any, headers: dict[str, str]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bench", headers=headers)


async def _cost_of_facts(database: Database, tenant: CreatedTenant) -> dict[str, float]:
    """Microseconds that a turn's fact adds to writing it: with and without the trigger, in turns, rolled back."""
    took: dict[bool, list[float]] = {True: [], False: []}
    session = await _session(database, tenant)
    for _ in range(5):
        for is_counted in (True, False):
            async with database.as_owner() as owner:
                await owner.execute(
                    text(f"alter table turns {'enable' if is_counted else 'disable'} trigger insight_of_turn")
                )
            async with database.transaction(tenant.tenant_id) as connection:
                tried = await connection.begin_nested()
                at = time.perf_counter()
                await connection.execute(text(_INSERT), _values(tenant, session, 0, 5_000, 5_000))
                took[is_counted].append((time.perf_counter() - at) / 5_000 * 1e6)
                await tried.rollback()
    async with database.as_owner() as owner:
        await owner.execute(text("alter table turns enable trigger insight_of_turn"))
    with_fact, without = statistics.median(took[True]), statistics.median(took[False])
    return {"µs to write a turn": round(without, 1), "µs more with its fact": round(with_fact - without, 1)}


async def _session(database: Database, tenant: CreatedTenant) -> UUID:
    async with database.transaction(tenant.tenant_id) as connection:
        made = await connection.execute(
            text(
                "insert into sessions (tenant_id, id, chatbot_id, asker) values (:tenant, gen_random_uuid(), :chatbot, 'x') "
                "returning id"
            ),
            {"tenant": tenant.tenant_id, "chatbot": tenant.chatbot.id},
        )
        session: UUID = made.scalar_one()
        return session


def _values(tenant: CreatedTenant, session: UUID, begin: int, end: int, turns: int) -> dict[str, Any]:
    return {
        "tenant": tenant.tenant_id,
        "chatbot": tenant.chatbot.id,
        "session": session,
        "first": datetime.now(UTC) - timedelta(days=_DAYS),
        "step": timedelta(days=_DAYS) / turns,
        "begin": begin,
        "end": end,
    }


async def _write(database: Database, tenant: CreatedTenant, begin: int, end: int, turns: int) -> None:
    session = await _session(database, tenant)
    async with database.transaction(tenant.tenant_id) as connection:
        await connection.execute(text(_INSERT), _values(tenant, session, begin, end, turns))


async def _size(database: Database, tenant_id: UUID) -> tuple[int, float]:
    async with database.transaction(tenant_id) as connection:
        rows = await connection.execute(text("select count(*) from insight_counts"))
        size = await connection.execute(text("select pg_total_relation_size('insight_counts') / 1048576.0"))
        return rows.scalar_one(), round(float(size.scalar_one()), 1)


async def _read(client: httpx.AsyncClient, chatbot_id: UUID, params: dict[str, str]) -> str:
    took = []
    for _ in range(_READS):
        at = time.perf_counter()
        await _report(client, chatbot_id, params)
        took.append((time.perf_counter() - at) * 1000)
    return p50_p95(took)


async def _report(client: httpx.AsyncClient, chatbot_id: UUID, params: dict[str, str]) -> dict[str, Any]:
    answer = await client.get(f"/api/analytics/{chatbot_id}", params=params)
    answer.raise_for_status()
    report: dict[str, Any] = answer.json()
    return report
