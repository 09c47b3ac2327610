"""What ended long ago is removed: sign-ins with their tokens, links, improvement reports. What is in use stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.accounts import retention
from dragoman.accounts.retention import Retention
from dragoman.feedback.improvement import service as reports
from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database

KEPT = Retention(sign_in_days=90, link_days=30, idle_days=14)


class Rows:
    """Writes rows of a tenant as they were left some days ago, and lists what is still there by their names."""

    def __init__(self, database: Database, tenant_id: Any, user_id: Any) -> None:
        self.database, self.tenant_id, self.user_id = database, tenant_id, user_id

    async def run(self, statement: str, **values: Any) -> Any:
        async with self.database.transaction(self.tenant_id) as connection:
            return await connection.execute(text(statement), {"tenant_id": self.tenant_id, **values})

    async def sign_in(self, name: str, **days_ago: float | None) -> None:
        """`days_ago`: `used`, `expires` (negative: in so many days) and `revoked`. With two refresh tokens."""
        ago = {key: None if value is None else now() - timedelta(days=value) for key, value in days_ago.items()}
        sign_in_id = new_id()
        await self.run(
            "insert into sign_ins (tenant_id, id, user_id, method, user_agent, created_at, last_used_at, expires_at, "
            "revoked_at) values (:tenant_id, :id, :user_id, 'password', :name, :used, :used, :expires, :revoked)",
            id=sign_in_id,
            user_id=self.user_id,
            name=name,
            used=ago["used"],
            expires=ago["expires"],
            revoked=ago.get("revoked"),
        )
        for number in range(2):
            await self.run(
                "insert into refresh_tokens (tenant_id, token_hash, sign_in_id, expires_at) "
                "values (:tenant_id, :hash, :id, now())",
                hash=f"{name}{number}".encode(),
                id=sign_in_id,
            )

    async def link(self, name: str, *, expires: float, used: float | None = None, revoked: float | None = None) -> None:
        def ago(days: float | None) -> Any:
            return None if days is None else now() - timedelta(days=days)

        await self.run(
            "insert into one_time_links (tenant_id, id, kind, email, token_hash, created_by, expires_at, used_at, revoked_at)"
            " values (:tenant_id, :id, 'invitation', :name, :hash, 'system', :expires, :used, :revoked)",
            id=new_id(),
            name=name,
            hash=name.encode(),
            expires=ago(expires),
            used=ago(used),
            revoked=ago(revoked),
        )

    async def names(self, column: str, table: str) -> set[str]:
        return set((await self.run(f"select {column} from {table}")).scalars())


async def _rows_of(database: Database, tenant: Any) -> Rows:
    made = Rows(database, tenant.tenant_id, new_id())
    await made.run(
        "insert into users (tenant_id, id, email, role) values (:tenant_id, :id, 'ada@example.com', 'owner')",
        id=made.user_id,
    )
    return made


@pytest.fixture
async def stored(database: Database, make_tenant: Any) -> Rows:
    return await _rows_of(database, await make_tenant())


async def test_sign_ins_that_ended_long_ago_go_with_their_tokens(stored: Rows) -> None:
    await stored.sign_in("in use", used=0, expires=-76)
    await stored.sign_in("signed out lately", used=10, expires=-10, revoked=10)
    await stored.sign_in("signed out long ago", used=91, expires=-10, revoked=91)
    await stored.sign_in("over lately", used=89, expires=89)
    await stored.sign_in("over long ago", used=92, expires=91)
    await stored.sign_in("idle lately", used=100, expires=-5)
    await stored.sign_in("idle long ago", used=105, expires=-5)
    assert await retention.purge(stored.database, KEPT) == 3
    left = {"in use", "signed out lately", "over lately", "idle lately"}
    assert await stored.names("user_agent", "sign_ins") == left
    tokens = {bytes(each).decode() for each in await stored.names("token_hash", "refresh_tokens")}
    assert tokens == {f"{name}{number}" for name in left for number in range(2)}
    assert await retention.purge(stored.database, KEPT) == 0


async def test_links_that_are_good_no_more_go_after_their_time(stored: Rows) -> None:
    await stored.link("open", expires=-2)
    await stored.link("used lately", expires=20, used=21)
    await stored.link("used long ago", expires=-2, used=31)
    await stored.link("revoked long ago", expires=-2, revoked=31)
    await stored.link("expired lately", expires=29)
    await stored.link("expired long ago", expires=31)
    assert await retention.purge(stored.database, KEPT) == 3
    assert await stored.names("email", "one_time_links") == {"open", "used lately", "expired lately"}


async def test_how_long_is_settable_and_holds_for_every_tenant(stored: Rows, make_tenant: Any) -> None:
    await retention.purge(stored.database, Retention(sign_in_days=2, link_days=2, idle_days=14))  # of other tests
    elsewhere = await _rows_of(stored.database, await make_tenant())
    for rows in (stored, elsewhere):
        await rows.link("a", expires=3)
        await rows.sign_in("a", used=8, expires=3)
    assert await retention.purge(stored.database, Retention(sign_in_days=5, link_days=5, idle_days=14)) == 0
    assert await retention.purge(stored.database, Retention(sign_in_days=2, link_days=5, idle_days=14)) == 2
    assert await retention.purge(stored.database, Retention(sign_in_days=2, link_days=2, idle_days=14)) == 2


async def test_old_improvement_reports_go_and_those_being_written_stay(stored: Rows) -> None:
    chatbot_id = (await stored.run("select id from chatbots limit 1")).scalar_one()
    for state, days in (("ready", 401), ("ready", 399), ("failed", 401), ("queued", 401)):
        await stored.run(
            "insert into improvement_reports (tenant_id, id, chatbot_id, first_day, last_day, state, requested_by, "
            "created_at) values (:tenant_id, :id, :chatbot_id, :day, :day, :state, 'system', :at)",
            id=new_id(),
            chatbot_id=chatbot_id,
            state=state,
            day=(now() - timedelta(days=days)).date(),
            at=now() - timedelta(days=days),
        )
    assert await reports.purge(stored.database, keep_days=400) == 2
    left = await stored.run("select state, created_at from improvement_reports order by created_at")
    assert [row.state for row in left] == ["queued", "ready"]
