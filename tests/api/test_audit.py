"""The audit log: what is recorded of whom, that nobody changes it, and that it is noticed where somebody did."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from dragoman.kit import request_origin
from dragoman.kit.encryption import Keyring
from dragoman.kit.request_origin import RequestOrigin
from dragoman.tenancy import audit
from dragoman.tenancy.audit_log import chain, retention, service
from dragoman.tenancy.audit_log.anchors import Anchors
from dragoman.tenancy.audit_log.entities import Verification
from dragoman.tenancy.audit_log.verification import verify


async def _flush(company: Any) -> None:
    await audit.flush(company.service.deps.database)


async def _chain(company: Any) -> None:
    log = company.service.deps.audit_log
    await _flush(company)
    await chain.chain_tenant(log.database, log.keyring, log.anchors, company.tenant_id)


async def _events(company: Any, **wanted: Any) -> list[dict[str, Any]]:
    await _flush(company)
    found = await company.api().get("/api/audit/", params={"limit": 200, **wanted})
    assert found.status_code == 200, found.text
    events: list[dict[str, Any]] = found.json()["events"]
    return events


async def _make_events(company: Any, count: int = 6) -> None:
    for number in range(count):
        made = await company.api().post("/api/keys/", json={"name": f"key {number}"})
        assert made.status_code == 201


async def _verify(company: Any) -> dict[str, Any]:
    found = await company.api().get("/api/audit/verify/")
    assert found.status_code == 200, found.text
    verified: dict[str, Any] = found.json()
    return verified


# ---- what an event tells


async def test_a_change_tells_who_from_where_and_what_was_before(company: Any) -> None:
    chatbot_id = company.chatbot_id
    client = company.service.client(company.secrets["admin"], **{"User-Agent": "Netscape/4", "X-Request-ID": "abc123"})
    await client.patch(f"/api/chatbots/{chatbot_id}/", json={"name": "Renamed", "settings": {"max_quotes": 3}})
    [event] = await _events(company, action="chatbot.changed")
    assert event["actor"].startswith("user:")
    assert event["actor_name"] == "admin@example.com"
    assert (event["user_agent"], event["request_id"], event["address"]) == ("Netscape/4", "abc123", "127.0.0.1")
    assert event["subject_id"] == str(chatbot_id)
    assert event["details"]["before"] == {"name": "Knowledge", "settings.max_quotes": None}
    assert event["details"]["after"] == {"name": "Renamed", "settings.max_quotes": 3}


async def test_a_change_that_fails_leaves_no_event(company: Any) -> None:
    refused = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"is_default": False})
    assert refused.status_code == 409
    assert await _events(company, action="chatbot.changed") == []


async def test_the_name_of_an_actor_is_the_one_it_had_then(company: Any) -> None:
    made = (await company.api().post("/api/keys/", json={"name": "shop", "role": "admin"})).json()
    client = company.service.client(made["api_key"])
    await client.post("/api/keys/", json={"name": "other"})
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update api_keys set name = 'renamed' where name = 'shop'"))
    [event] = await _events(company, actor=f"key:{made['id']}")
    assert event["actor_name"] == "shop"


async def test_each_document_access_is_recorded_within_a_second(company: Any) -> None:
    document = await company.know()
    base = f"/api/chatbot/documents/{document['id']}/"
    for path in ("", "chunks/", "pages/1/"):
        assert (await company.api("member").get(f"{base}{path}")).status_code == 200
    await company.api("member").get(f"{base}content/")
    await asyncio.sleep(0)
    seen = await _events(company, subject_id=document["id"], actor="member@example.com")
    assert sorted(event["details"].get("what", event["action"]) for event in seen) == [
        "chunks",
        "document",
        "document.downloaded",
        "page",
    ]


async def test_an_access_that_was_refused_is_no_access(company: Any) -> None:
    document = await company.know(visibility="private")
    assert (await company.api("member").get(f"/api/chatbot/documents/{document['id']}/")).status_code == 404
    assert await _events(company, action="document.accessed", actor="member@example.com") == []


async def test_refused_attempts_are_recorded(company: Any) -> None:
    await company.api("member").post("/api/keys/", json={"name": "mine"})
    [event] = await _events(company, action="request.forbidden")
    assert event["actor_name"] == "member@example.com"
    assert event["details"] == {"method": "POST", "route": "/api/keys/", "error": "tenancy.forbidden"}
    key_id = company.key_ids["agent"]
    await company.api().delete(f"/api/keys/{key_id}/")
    assert (await company.api("agent").get("/api/chatbots/")).status_code == 401
    [event] = await _events(company, action="key.refused")
    assert (event["actor"], event["details"]) == (f"key:{key_id}", {"reason": "revoked"})


async def test_one_address_cannot_fill_the_log_by_being_refused(company: Any) -> None:
    database = company.service.deps.database
    request_origin.begin(RequestOrigin(address="203.0.113.7"))
    for _ in range(500):
        audit.record_refusal(database, "sign_in.failed", tenant_id=company.tenant_id, email="x@example.com")
    request_origin.begin(RequestOrigin(address="203.0.113.8"))
    audit.record_refusal(database, "sign_in.failed", tenant_id=company.tenant_id)
    request_origin.begin(RequestOrigin())
    [of_another] = await _events(company, address="203.0.113.8")
    of_one = await _events(company, address="203.0.113.7")
    assert len(of_one) <= 60  # thirty a minute; the minute may turn while the test runs
    assert (
        of_another["details"]["suppressed"]
        + len(of_one)
        + sum(event["details"].get("suppressed", 0) for event in of_one)
        == 500
    )


async def test_a_refusal_of_no_tenant_is_nobodys_event(company: Any) -> None:
    audit.record_refusal(company.service.deps.database, "sign_in.failed", tenant_id=None)
    assert await _events(company, action="sign_in.failed") == []


# ---- reading


async def test_events_are_filtered(company: Any) -> None:
    await _make_events(company, 3)
    await company.api("admin").post("/api/chatbots/", json={"name": "Second one"})
    everything = await _events(company)
    assert [event["id"] for event in everything] == sorted((event["id"] for event in everything), reverse=True)
    assert {event["action"] for event in await _events(company, action="key.")} == {"key.created"}
    [named] = await _events(company, text="second ONE")
    assert named["action"] == "chatbot.created"
    assert [event["id"] for event in await _events(company, actor="admin@", action="chatbot.created")] == [named["id"]]
    assert await _events(company, subject_type="chatbot", text="100%") == []
    later = await _events(company, after=named["created_at"])
    earlier = await _events(company, before=named["created_at"])
    assert len(later) + len(earlier) == len(everything)
    assert await _events(company, subject_id=named["subject_id"]) == [named]
    assert await _events(company, request_id=named["request_id"]) == [named]


async def test_pages_by_cursor_show_each_event_once(company: Any) -> None:
    await _make_events(company, 7)
    everything = [event["id"] for event in await _events(company)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = (await company.api().get("/api/audit/", params=params)).json()
        seen += [event["id"] for event in page["events"]]
        await company.api().post("/api/keys/", json={"name": "made meanwhile"})
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == everything


@pytest.mark.parametrize("cursor", ["x", "AAAA", "....", "ÄÖ"])
async def test_a_cursor_of_ones_own_making_is_refused(company: Any, cursor: str) -> None:
    refused = await company.api().get("/api/audit/", params={"cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (422, "audit.invalid_cursor")


async def test_the_export_has_every_event_as_json_and_csv(company: Any) -> None:
    await _make_events(company, 3)
    await company.api().post("/api/chatbots/", json={"name": '=HYPERLINK("http://evil.example")'})
    lines = (await company.api().get("/api/audit/export/")).text.splitlines()
    exported = [json.loads(line) for line in lines]
    assert {event["action"] for event in exported} >= {"key.created", "chatbot.created", "audit_log.exported"}
    answer = await company.api().get("/api/audit/export/", params={"format": "csv", "action": "key."})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["action"] for row in rows} == {"key.created"}
    assert json.loads(rows[0]["details"])["name"] == "key 2"


async def test_no_cell_of_the_csv_is_a_formula(company: Any) -> None:
    client = company.service.client(company.secrets["owner"], **{"User-Agent": "=cmd|' /C calc'!A0"})
    for name in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1"):
        made = await client.post("/api/keys/", json={"name": name, "role": "admin"})
        await company.service.client(made.json()["api_key"]).post("/api/keys/", json={"name": "x"})
    answer = await company.api().get("/api/audit/export/", params={"format": "csv"})
    for row in csv.reader(io.StringIO(answer.text)):
        assert not [cell for cell in row if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert "'=cmd|" in answer.text


async def test_only_owners_and_admins_read_the_log_and_nobody_another_tenants(company: Any, other_company: Any) -> None:
    await _make_events(company, 1)
    for who in ("editor", "agent", "member"):
        assert (await company.api(who).get("/api/audit/")).status_code == 403
    ids = {event["id"] for event in await _events(company)}
    assert ids.isdisjoint(event["id"] for event in await _events(other_company))


# ---- append-only

REFUSED = ["update audit_events set action = 'x'", "delete from audit_events", "truncate audit_events"]


@pytest.mark.parametrize("statement", REFUSED)
async def test_no_role_of_the_application_changes_the_log(company: Any, statement: str) -> None:
    await _make_events(company, 1)
    database = company.service.deps.database
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.transaction(company.tenant_id) as connection:
            await connection.execute(text(statement))
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.system_transaction() as connection:
            await connection.execute(text(statement))
    with pytest.raises(ProgrammingError, match="append-only"):
        async with database.as_owner() as connection:
            await connection.execute(text(statement))


async def test_the_owner_does_not_get_around_by_the_tenant(company: Any) -> None:
    await _make_events(company, 1)
    with pytest.raises(Exception, match="foreign key"):
        async with company.service.deps.database.transaction(company.tenant_id) as connection:
            await connection.execute(text("delete from tenants"))


async def test_an_event_cannot_bring_its_own_place(company: Any) -> None:
    statement = text(
        "insert into audit_events (tenant_id, id, actor, action, subject_type, sequence, hash) "
        "values (:tenant, gen_random_uuid(), 'system', 'x', 'x', 1, 'x')"
    )
    with pytest.raises(ProgrammingError, match="by the chain"):
        async with company.service.deps.database.transaction(company.tenant_id) as connection:
            await connection.execute(statement, {"tenant": company.tenant_id})


async def test_a_place_that_does_not_follow_the_last_is_refused(company: Any) -> None:
    await _make_events(company, 1)
    await _chain(company)
    await _make_events(company, 1)
    [event] = [event for event in await _events(company) if event["sequence"] is None]
    place = {"id": event["id"], "hash": "00", "chain_seal": "00", "chain_key_id": "k1"}
    for sequence, previous in ((1, ""), (9999, "")):
        places = json.dumps([{**place, "sequence": sequence, "previous_hash": previous}])
        with pytest.raises(Exception, match="not in their order"):
            async with company.service.deps.database.transaction(company.tenant_id) as connection:
                await connection.execute(text("select chain_audit_events(cast(:p as jsonb))"), {"p": places})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"sequence": 3}, "not in their order"),
        ({"sequence": 1}, "not in their order"),
        ({"sequence": None}, "not in their order"),
        ({"previous_hash": "bb"}, "not in their order"),
        ({"previous_hash": None}, "not in their order"),
        ({"id": "of the first"}, "has its place"),
        ({"id": str(uuid4())}, "has its place"),
    ],
)
async def test_each_of_many_events_must_follow_the_one_before_it(
    company: Any, change: dict[str, Any], reason: str | None
) -> None:
    await _make_events(company, 2)
    tenant_id, database = company.tenant_id, company.service.deps.database
    await _chain(company)
    last = max(await _events(company), key=lambda event: event["sequence"])
    await _make_events(company, 2)
    first, second = sorted(event["id"] for event in await _events(company) if event["sequence"] is None)[:2]
    number, place = last["sequence"], {"chain_seal": "00", "chain_key_id": "k1"}
    earlier = {**place, "id": first, "sequence": number + 1, "previous_hash": last["hash"], "hash": "aa"}
    later = {**place, "id": second, "sequence": number + 2, "previous_hash": "aa", "hash": "cc"}
    if change.get("sequence"):
        change = {"sequence": number + change["sequence"]}
    later |= {"id": first} if change.get("id") == "of the first" else change

    async def chain(*places: dict[str, Any]) -> None:
        async with database.transaction(tenant_id) as connection:
            statement = text("select chain_audit_events(cast(:p as jsonb))")
            await connection.execute(statement, {"p": json.dumps(places)})

    if reason is None:
        await chain(later, earlier)  # in whatever order they come
        with pytest.raises(Exception, match="not in their order"):
            await chain(earlier)
    else:
        with pytest.raises(Exception, match=reason):
            await chain(earlier, later)
        assert {first, second} <= {event["id"] for event in await _events(company) if event["sequence"] is None}


# ---- the chain


async def test_a_chain_verifies_and_grows(company: Any) -> None:
    await _make_events(company)
    waiting = await _verify(company)
    assert (waiting["is_whole"], waiting["events"]) == (True, 0)
    assert waiting["waiting"] >= 6
    await _chain(company)
    first = await _verify(company)
    assert (first["is_whole"], first["waiting"], first["anchored"]) == (True, 0, True)
    assert first["head"]["sequence"] == first["events"] >= 6
    await _make_events(company, 2)
    await _chain(company)
    second = await _verify(company)
    assert (second["is_whole"], second["events"]) == (True, first["events"] + 2)
    assert [event["sequence"] for event in await _events(company)] == list(range(second["events"], 0, -1))


async def test_several_writers_at_once_make_one_chain(company: Any) -> None:
    log = company.service.deps.audit_log
    for _ in range(4):
        await _make_events(company, 3)
        await asyncio.gather(
            *(chain.chain_tenant(log.database, log.keyring, log.anchors, company.tenant_id) for _ in range(4)),
            return_exceptions=False,
        )
    await _chain(company)
    assert (await _verify(company))["is_whole"]


@pytest.fixture
async def superuser(admin_url: str) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Runs SQL as somebody who has the whole database in hand, past triggers and policies."""
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:

        async def run(statement: str, **values: Any) -> None:
            await connection.execute("set session_replication_role = replica")
            await connection.execute(sql.SQL(statement), values)  # type: ignore[arg-type]

        yield run


Superuser = Callable[..., Awaitable[None]]


async def _faults(company: Any) -> set[str]:
    found = await _verify(company)
    assert found["is_whole"] is (found["problem_count"] == 0)
    return {problem["fault"] for problem in found["problems"]}


@pytest.mark.parametrize(
    "change",
    [
        "details = '{}'",
        "actor = 'user:019a0000-0000-7000-8000-000000000000'",
        "actor_name = 'somebody else'",
        "action = 'key.revoked'",
        "address = '198.51.100.1'",
        "created_at = created_at - interval '1 hour'",
        "subject_id = null",
        "request_id = 'x'",
    ],
)
async def test_a_row_that_was_changed_is_found(company: Any, superuser: Superuser, change: str) -> None:
    await _make_events(company)
    await _chain(company)
    assert await _faults(company) == set()
    await superuser(f"update audit_events set {change} where tenant_id = %(t)s and sequence = 4", t=company.tenant_id)
    assert await _faults(company) & {"changed", "inserted"}


async def test_a_row_that_was_removed_is_found(company: Any, superuser: Superuser) -> None:
    await _make_events(company)
    await _chain(company)
    await superuser("delete from audit_events where tenant_id = %(t)s and sequence = 4", t=company.tenant_id)
    assert await _faults(company) == {"removed"}


async def test_a_beginning_that_was_removed_is_found(company: Any, superuser: Superuser) -> None:
    await _make_events(company)
    await _chain(company)
    await superuser("delete from audit_events where tenant_id = %(t)s and sequence < 4", t=company.tenant_id)
    assert await _faults(company) == {"removed"}


async def test_rows_that_changed_places_are_found(company: Any, superuser: Superuser) -> None:
    await _make_events(company)
    await _chain(company)
    for old, new in ((4, -1), (5, 4), (-1, 5)):
        await superuser(
            "update audit_events set sequence = %(new)s where tenant_id = %(t)s and sequence = %(old)s",
            t=company.tenant_id,
            old=old,
            new=new,
        )
    assert await _faults(company) >= {"reordered"}


async def test_a_row_that_was_inserted_is_found(company: Any, superuser: Superuser) -> None:
    """One that the attacker gave no place gets one from the chain, and is found by its seal all the same."""
    await _make_events(company)
    await _chain(company)
    await superuser(
        "insert into audit_events (tenant_id, id, actor, action, subject_type, salt, content_hash, seal, key_id) "
        "select tenant_id, gen_random_uuid(), actor, 'key.revoked', subject_type, salt, content_hash, seal, key_id "
        "from audit_events where tenant_id = %(t)s and sequence = 6",
        t=company.tenant_id,
    )
    assert "inserted" in await _faults(company)
    await _chain(company)
    assert "inserted" in await _faults(company)


async def test_a_row_without_a_seal_that_was_inserted_is_found(company: Any, superuser: Superuser) -> None:
    await _make_events(company)
    await _chain(company)
    await superuser(
        "insert into audit_events (tenant_id, id, actor, action, subject_type) "
        "values (%(t)s, gen_random_uuid(), 'system', 'key.revoked', 'key')",
        t=company.tenant_id,
    )
    await _chain(company)
    assert "inserted" in await _faults(company)


async def test_a_tail_that_was_cut_off_is_found(company: Any, superuser: Superuser) -> None:
    await _make_events(company)
    await _chain(company)
    await superuser(
        "delete from audit_events where tenant_id = %(t)s and sequence > "
        "(select max(sequence) - 2 from audit_events where tenant_id = %(t)s)",
        t=company.tenant_id,
    )
    assert await _faults(company) == {"cut_off"}
    await _make_events(company, 4)  # it grows over where it was cut
    await _chain(company)
    assert await _faults(company) == {"changed"}  # another event stands where the head was


async def test_contents_that_were_emptied_without_an_erasure_are_found(company: Any, superuser: Superuser) -> None:
    await _make_events(company)
    await _chain(company)
    await superuser(
        "update audit_events set salt = null, details = '{}', address = '', user_agent = '', actor_name = '' "
        "where tenant_id = %(t)s and sequence = 4",
        t=company.tenant_id,
    )
    assert await _faults(company) == {"contents_removed"}


async def test_a_chain_that_was_made_anew_with_another_key_is_found(
    company: Any, superuser: Superuser, tmp_path: Path
) -> None:
    """Whoever has the database and this program, but not the key outside of it."""
    await _make_events(company)
    await _chain(company)
    log = company.service.deps.audit_log
    await superuser(
        "update audit_events set action = 'harmless', sequence = null, previous_hash = null, hash = null, "
        "chain_seal = null, chain_key_id = null, chained_at = null where tenant_id = %(t)s",
        t=company.tenant_id,
    )
    other = Keyring({log.keyring.newest_id: b"k" * 32})
    await chain.chain_tenant(log.database, other, Anchors(tmp_path), company.tenant_id)
    assert await _faults(company) >= {"changed", "reordered", "inserted"}


async def test_an_exported_head_proves_what_came_before_it(company: Any, superuser: Superuser, tmp_path: Path) -> None:
    await _make_events(company)
    await _chain(company)
    log = company.service.deps.audit_log
    head = await service.find_head(log, company.tenant_id)
    assert head is not None

    async def verified() -> Verification:
        """On a machine that keeps no heads itself."""
        return await verify(log.database, log.keyring, Anchors(tmp_path), company.tenant_id, heads=[head])

    assert (await verified()).is_whole
    await superuser(
        "delete from audit_events where tenant_id = %(t)s and sequence > 3",
        t=company.tenant_id,
    )
    assert [problem.fault.value for problem in (await verified()).problems] == ["cut_off"]


async def test_the_key_and_the_heads_are_the_owners_alone(company: Any) -> None:
    await _make_events(company, 1)
    await _chain(company)
    home = company.service.settings.home
    for path in (home / "audit.key", home / "audit" / f"{company.tenant_id}.json"):
        assert path.stat().st_mode & 0o077 == 0


# ---- retention


async def test_what_is_older_than_kept_goes_and_the_chain_still_verifies(company: Any, superuser: Superuser) -> None:
    await _make_events(company)
    await _chain(company)
    await superuser(
        "update audit_events set chained_at = now() - interval '800 days' where tenant_id = %(t)s and sequence <= 5",
        t=company.tenant_id,
    )
    assert await retention.remove_expired(company.service.deps.database) == 5
    await _chain(company)
    found = await _verify(company)
    assert (found["is_whole"], found["first_sequence"]) == (True, 6)
    [told] = await _events(company, action="audit.events_removed")
    assert (told["details"]["through"], told["details"]["events"]) == (5, 5)
    await superuser("delete from audit_events where tenant_id = %(t)s and sequence = 6", t=company.tenant_id)
    assert await _faults(company) == {"removed"}


async def test_nothing_that_is_kept_can_be_removed(company: Any) -> None:
    await _make_events(company)
    await _chain(company)
    for keep_days, before in ((None, "1000 days"), (365, "100 days"), (90, "0 days")):
        await company.api().put("/api/audit/retention/", json={"keep_days": keep_days})
        with pytest.raises(ProgrammingError, match="are kept"):
            async with company.service.deps.database.transaction(company.tenant_id) as connection:
                await connection.execute(
                    text("select * from remove_audit_events(now() - cast(:b as interval))"), {"b": before}
                )


async def test_how_long_is_kept_is_set_and_recorded(company: Any) -> None:
    path = "/api/audit/retention/"
    assert (await company.api().get(path)).json() == {"keep_days": 730}
    assert (await company.api().put(path, json={"keep_days": 7})).status_code == 422
    assert (await company.api().put(path, json={"keep_days": None})).json() == {"keep_days": None}
    [event] = await _events(company, action="audit_retention.changed")
    assert event["details"] == {"before": {"keep_days": 730}, "after": {"keep_days": None}}


async def test_the_last_event_of_a_chain_always_stays(company: Any, superuser: Superuser) -> None:
    """Else a chain would begin anew, as if nothing had ever been."""
    await _make_events(company)
    await _chain(company)
    await superuser(
        "update audit_events set chained_at = now() - interval '800 days' where tenant_id = %(t)s", t=company.tenant_id
    )
    await retention.remove_expired(company.service.deps.database)
    await _chain(company)
    found = await _verify(company)
    assert found["is_whole"]
    assert found["events"] == 2  # the last of old, and the one that tells
