"""Migration 0019 on a database with feedback and counts: days are marked to be counted, and since when things are is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from dragoman.entrypoints import schema
from dragoman.entrypoints.resources import resource_path
from dragoman.kit.database import OWNER_ROLE, driver_url

_BEFORE, _GIVEN = "0018", datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
_COUNTED = datetime(2026, 2, 27, 8, tzinfo=UTC)


async def test_feedback_and_counts_of_before_are_known_after_the_upgrade(empty_database: Callable[[], Any]) -> None:
    tenant, other, chatbot, session = uuid4(), uuid4(), uuid4(), uuid4()
    async with empty_database() as url:
        await asyncio.to_thread(schema.upgrade, url)
        await asyncio.to_thread(_downgrade, url)
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("insert into tenants (id, name) values (%s, 'T'), (%s, 'U')", [tenant, other])
            await connection.execute(
                "select ensure_embedding_version('e', 'hashing', 'e', 8, 256, '{}'::jsonb, '{}'::jsonb)"
            )
            await connection.execute(
                "insert into chatbots (tenant_id, id, name, active_embedding_version) "
                "select %s, %s, 'C', max(id) from embedding_versions",
                [tenant, chatbot],
            )
            await connection.execute(
                "insert into sessions (tenant_id, id, chatbot_id, asker) values (%s, %s, %s, 'user:x')",
                [tenant, session, chatbot],
            )
            await connection.execute(
                "insert into feedback (tenant_id, id, session_id, answer_id, asker, rating, chatbot_id, created_at) "
                "values (%s, gen_random_uuid(), %s, gen_random_uuid(), 'user:x', 'up', %s, %s)",
                [tenant, session, chatbot, _GIVEN],
            )
            for grain, at in (("hour", _COUNTED), ("day", _COUNTED.replace(hour=0))):
                await connection.execute(
                    "insert into insight_counts (tenant_id, chatbot_id, grain, dimension, starts_at, value) "
                    "values (%s, %s, %s, 'all', %s, '')",
                    [tenant, chatbot, grain, at],
                )
        assert await asyncio.to_thread(schema.upgrade, url) is True
        async with await psycopg.AsyncConnection.connect(url) as connection:
            marks = await (
                await connection.execute("select tenant_id, chatbot_id, day from feedback_changes")
            ).fetchall()
            assert marks == [(tenant, chatbot, _GIVEN.date())]
            since = dict(
                await (await connection.execute("select tenant_id, counted_since from insight_backfills")).fetchall()
            )
            assert since[tenant] == _COUNTED
            assert abs((since[other] - datetime.now(UTC)).total_seconds()) < 600


def _downgrade(url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(resource_path("migrations")))
    with create_engine(driver_url(url), poolclass=NullPool).connect() as connection:
        connection.execute(text(f"set role {OWNER_ROLE}"))
        connection.commit()
        config.attributes["connection"] = connection
        command.downgrade(config, _BEFORE)
        connection.commit()
