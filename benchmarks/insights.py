"""Analytics of a year: what counting a turn costs, how fast facts are counted, and how fast a year is read over HTTP.

What a fact costs and what counting costs is told in processor time, of PostgreSQL's process and of this one, which other work
on the machine changes little; how long a reading takes in time by the clock.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
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
_READS, _TARGET_MS = 40, 200

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
    asyncio.run(_measure(show))


async def _measure(show: Show) -> None:
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
                await _show_figures(app, show)
        finally:
            await valkey.stop()
            await postgres.stop()


async def _show_figures(app: Any, show: Show) -> None:
    database: Database = app.state.database
    version = app.state.embedding_version_id
    tenants = [
        await tenancy.create_tenant(database, name=f"T{n}", owner_email="a@b.c", embedding_version=version)
        for n in range(1 + _OTHERS)
    ]
    app.state.deps = replace(app.state.deps, operator_tenant=tenants[0].tenant_id)
    show("turns", f"{_TURNS}, and {_OTHERS * _TURNS_OF_OTHERS} of {_OTHERS} other tenants")
    await _show_cost_of_facts(database, tenants[1], show)
    for tenant, turns in [(tenants[0], _TURNS), *((other, _TURNS_OF_OTHERS) for other in tenants[1:])]:
        await _write_and_count(database, tenant, turns, show)
    show("rows and MiB of counts", await _size(database, tenants[0].tenant_id))
    transport = httpx.ASGITransport(app=app)
    headers = {"X-API-Key": tenants[0].key.secret}
    today = datetime.now(UTC).date()
    year = {"from": str(today - timedelta(days=_DAYS - 1))}
    of_chatbot = f"/api/analytics/{tenants[0].chatbot.id}"
    async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers) as client:
        for name, path, params in (
            ("a year by day", of_chatbot, year),
            ("a year of one language", of_chatbot, {**year, "language": "de"}),
            ("31 days by hour", of_chatbot, {"from": str(today - timedelta(days=30)), "by": "hour"}),
            ("searches of a day", "/api/metrics/search", {"minutes": "1440"}),
            ("system", "/api/metrics/system", {}),
            ("database", "/api/metrics/database", {}),
        ):
            show(f"{name}, {path.replace(str(tenants[0].chatbot.id), '…')}", await _read(client, path, params))
        told = (await client.get(of_chatbot, params=year)).json()["total"]["questions"]
        show("turns told", f"{told}, at most a day's less than {_TURNS}")


async def _write_and_count(database: Database, tenant: CreatedTenant, turns: int, show: Show) -> None:
    written_s = counted_s = own_s = 0.0
    for begin in range(0, turns, _AT_ONCE):
        at = time.perf_counter()
        await _write(database, tenant, begin, min(begin + _AT_ONCE, turns), turns)
        written_s += (counting := time.perf_counter()) - at
        own = time.process_time()
        await rollup.roll_up(database)
        counted_s += time.perf_counter() - counting
        own_s += time.process_time() - own
    figures = f"{turns / written_s:,.0f} written a second, {turns / counted_s:,.0f} counted a second"
    show(f"{turns} turns of a year", f"{figures}; {own_s / turns * 1e6:.0f} µs of the scheduler's processor time each")


_ROUNDS, _A_ROUND = 9, 5_000


async def _show_cost_of_facts(database: Database, tenant: CreatedTenant, show: Show) -> None:
    """Processor time of PostgreSQL to write turns with and without the trigger of their facts, in turns, rolled back."""
    spent: dict[bool, list[float]] = {True: [], False: []}
    session = await _session(database, tenant)
    for _ in range(_ROUNDS):
        for is_counted in (True, False):
            await _switch_trigger(database, on=is_counted)
            async with database.transaction(tenant.tenant_id) as connection:
                server = psutil.Process((await connection.execute(text("select pg_backend_pid()"))).scalar_one())
                tried = await connection.begin_nested()
                before = server.cpu_times()
                await connection.execute(text(_INSERT), _values(tenant, session, 0, _A_ROUND, _A_ROUND))
                after = server.cpu_times()
                spent[is_counted].append((after.user + after.system - before.user - before.system) / _A_ROUND * 1e6)
                await tried.rollback()
    await _switch_trigger(database, on=True)
    with_fact, without = statistics.median(spent[True]), statistics.median(spent[False])
    show(
        "PostgreSQL's processor time to write a turn's row with its fact",
        f"{with_fact:.0f} µs, without it {without:.0f} µs: {with_fact - without:.0f} µs or {with_fact / without:.2f} times",
    )


async def _switch_trigger(database: Database, *, on: bool) -> None:
    async with database.as_owner() as owner:
        await owner.execute(text(f"alter table turns {'enable' if on else 'disable'} trigger insight_of_turn"))


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


async def _size(database: Database, tenant_id: UUID) -> str:
    async with database.transaction(tenant_id) as connection:
        rows = await connection.execute(text("select count(*) from insight_counts"))
        size = await connection.execute(text("select pg_total_relation_size('insight_counts') / 1048576.0"))
        return f"{rows.scalar_one()} of one tenant, {float(size.scalar_one()):.1f} of all"


async def _read(client: httpx.AsyncClient, path: str, params: dict[str, str]) -> str:
    took, own = [], time.process_time()
    for _ in range(_READS):
        at = time.perf_counter()
        (await client.get(path, params=params)).raise_for_status()
        took.append((time.perf_counter() - at) * 1000)
    verdict = "met" if statistics.median(took) < _TARGET_MS else "missed"
    own_ms = (time.process_time() - own) * 1000 / _READS
    return f"{p50_p95(took)}, {own_ms:.0f} ms of the API's processor; under {_TARGET_MS} ms at the median: {verdict}"
