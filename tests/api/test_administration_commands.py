"""The commands for people, keys, limits, the audit log, privacy and feedback, against the real application."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from dragoman.entrypoints.commands.terminal import ExitCode
from dragoman.privacy import erasure
from dragoman.tenancy import audit
from dragoman.tenancy.audit_log import chain

from .commands import Commands, at_database, worker_beside
from .serving import serving
from .signing_in import PASSWORD, Person, add_person, change, client_at, code_of, token_of

QUESTION = "What discount do gold partners receive?"
ABSENT = "019a0000-0000-7000-8000-000000000000"

CommandsOf = Callable[[Any, str], Commands]


@pytest.fixture(scope="module")
async def url(service: Any) -> AsyncIterator[str]:
    async with serving(service) as url:
        yield url


@pytest.fixture
def dragoman(company: Any, url: str) -> Commands:
    """Commands of the tenant's owner."""
    return Commands(url=url, api_key=company.secrets["owner"])


@pytest.fixture
def of(company: Any, url: str) -> Callable[[str], Commands]:
    """Commands of somebody else in the tenant."""
    return lambda who: Commands(url=url, api_key=company.secrets[who])


@pytest.fixture
def at_home(service: Any, admin_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands at the database find that of this module, and the secrets of its application."""
    monkeypatch.setenv("DRAGOMAN_HOME", str(service.settings.home))
    monkeypatch.setenv("DRAGOMAN_DATABASE_URL", make_url(admin_url).render_as_string(hide_password=False))
    monkeypatch.setenv("DRAGOMAN_EMBEDDER", "hashing")


# ---- user


async def test_a_user_is_invited_listed_and_deactivated(company: Any, dragoman: Commands) -> None:
    email = f"eva-{company.tenant_id.hex[-8:]}@example.com"
    invited = await dragoman("user", "invite", email.upper(), "--role", "editor", "--json")
    assert (invited.code, invited.json["email"], invited.json["role"]) == (ExitCode.OK, email, "editor")
    body = {"token": token_of(invited.json["url"]), "password": PASSWORD}
    accepted = await client_at(company.service).post("/api/auth/set-password/", json=body)
    assert accepted.status_code == 200, accepted.text
    listed = await dragoman("user", "list")
    [line] = [line for line in listed.out.splitlines() if email in line]
    assert "editor" in line
    assert " active" in line
    ended = await dragoman("user", "deactivate", email)
    assert (ended.code, ended.out) == (ExitCode.OK, f"{email} cannot sign in any more.\n")
    signed_in = await client_at(company.service).post("/api/auth/sign-in/", json={"email": email, "password": PASSWORD})
    assert signed_in.status_code == 401
    [shown] = [user for user in (await dragoman("user", "list", "--json")).json["users"] if user["email"] == email]
    assert shown["is_active"] is False


async def test_an_invitation_prints_its_link_once_and_says_whether_it_was_mailed(dragoman: Commands) -> None:
    ran = await dragoman("user", "invite", "fay@example.com")
    assert ran.code == ExitCode.OK
    assert "/set-password?token=dgl_" in ran.out
    assert "It was not mailed" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("user", "invite", "nobody"), ExitCode.FAILED, "accounts.invalid_address"),
        (("user", "invite", "gus@example.com", "--role", "king"), ExitCode.USAGE, "usage"),
        (("user", "deactivate", "absent@example.com"), ExitCode.NOT_FOUND, "cli.user_not_found"),
        (("key", "revoke", ABSENT), ExitCode.NOT_FOUND, "tenancy.key_not_found"),
        (("key", "rotate", "dgm_absent"), ExitCode.NOT_FOUND, "cli.key_not_found"),
        (("key", "create", "shop", "--scope", "documents.eat"), ExitCode.FAILED, "invalid_request"),
        (("service-accounts", "delete", "absent"), ExitCode.NOT_FOUND, "cli.service_account_not_found"),
        (("service-accounts", "delete", ABSENT), ExitCode.NOT_FOUND, "tenancy.service_account_not_found"),
        (("widget", "list", "absent"), ExitCode.NOT_FOUND, "cli.chatbot_not_found"),
        (("widget", "create", "Knowledge", "shop", "--origin", "example.com"), ExitCode.FAILED, "invalid_request"),
        (("widget", "revoke", "Knowledge", ABSENT), ExitCode.NOT_FOUND, "tenancy.widget_key_not_found"),
        (("limits", "set", "messages_per_minute=-1"), ExitCode.FAILED, "invalid_request"),
        (("limits", "set", "no_such_limit=1"), ExitCode.FAILED, "invalid_request"),
        (("limits", "set", "messages_per_minute"), ExitCode.USAGE, None),
        (("audit", "list", "--limit", "0"), ExitCode.USAGE, "usage"),
        (("audit", "list", "--after", "yesterday"), ExitCode.USAGE, "usage"),
        (("audit", "list", "--subject", "nothing"), ExitCode.FAILED, "invalid_request"),
        (("privacy", "export", "robot", ABSENT), ExitCode.USAGE, "usage"),
        (("feedback", "accept", ABSENT), ExitCode.NOT_FOUND, "feedback.not_found"),
        (("feedback", "list", "--rating", "sideways"), ExitCode.USAGE, "usage"),
        (("feedback", "summary", "--from", "2026-13-01"), ExitCode.USAGE, "usage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
async def test_what_cannot_be_done_is_said_in_one_line_with_an_exit_code(
    dragoman: Commands, arguments: tuple[str, ...], code: ExitCode, error: str | None
) -> None:
    ran = await dragoman(*arguments, "--json")
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert len(ran.error["message"]) > 10
    assert error in (None, ran.error["code"])
    plain = await dragoman(*arguments)
    assert (plain.code, plain.out) == (code, "")
    assert plain.err.strip()
    assert "Traceback" not in plain.err


_MAY_NOT = [
    ("user", "list"),
    ("user", "invite", "a@example.com"),
    ("key", "list"),
    ("key", "create", "mine"),
    ("service-accounts", "list"),
    ("service-accounts", "create", "robot"),
    ("limits", "show"),
    ("limits", "set", "streams=1"),
    ("audit", "list"),
    ("audit", "verify"),
    ("audit", "head"),
    ("privacy", "list"),
    ("privacy", "erase", "external", "ada", "--yes"),
    ("feedback", "list"),
    ("feedback", "summary"),
]


@pytest.mark.parametrize("arguments", _MAY_NOT, ids=" ".join)
async def test_who_may_not_is_told_so(of: Callable[[str], Commands], arguments: tuple[str, ...]) -> None:
    refused = await of("member")(*arguments, "--json")
    assert (refused.code, refused.error["status"], refused.out) == (ExitCode.NOT_ALLOWED, 403, "")


async def test_a_wrong_key_and_a_server_that_is_away_have_exit_codes(url: str) -> None:
    wrong = await Commands(url=url, api_key="dgm_" + "x" * 43)("user", "list", "--json")
    assert (wrong.code, wrong.error["status"]) == (ExitCode.NOT_ALLOWED, 401)
    away = await Commands(url="http://127.0.0.1:1", api_key="dgm_x")("user", "list", "--json")
    assert (away.code, away.error["code"]) == (ExitCode.UNREACHABLE, "connection_failed")


@pytest.mark.usefixtures("at_home")
async def test_an_operator_prints_a_link_that_sets_a_password(company: Any) -> None:
    ada = await add_person(company)
    before = await _unsealed(company)
    ran = await at_database("user", "reset-password", ada.email, "--json")
    assert (ran.code, ran.json["email"]) == (ExitCode.OK, ada.email), ran.err
    body = {"token": token_of(ran.json["url"]), "password": "seven brittle lamps hum"}
    assert (await client_at(company.service).post("/api/auth/set-password/", json=body)).status_code == 200
    assert (await ada.sign_in("seven brittle lamps hum")).status_code == 200
    assert (await ada.sign_in()).status_code == 401
    plain = await at_database("user", "reset-password", ada.email)
    assert "token=dgl_" in plain.out
    assert await _unsealed(company) == before
    assert "good once" in plain.err
    absent = await at_database("user", "reset-password", "absent@example.com", "--json")
    assert (absent.code, absent.error["code"]) == (ExitCode.NOT_FOUND, "accounts.user_not_found")


async def _unsealed(company: Any) -> int:
    """Events without a seal, as the fixtures write them. One after sealed ones would break the chain of the tenant."""
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        found = await connection.execute(text("select count(*) from audit_events where key_id = ''"))
        return int(found.scalar_one())


@pytest.mark.usefixtures("at_home")
async def test_an_address_in_several_tenants_needs_the_tenant_named(company: Any, other_company: Any) -> None:
    email = f"both-{company.tenant_id.hex[-8:]}@example.com"
    for each in (company, other_company):
        await add_person(each, email=email)
    ran = await at_database("user", "reset-password", email, "--json")
    assert (ran.code, ran.error["code"]) == (ExitCode.FAILED, "accounts.several_tenants")
    assert str(company.tenant_id) in ran.error["message"]
    named = await at_database("user", "reset-password", email, "--tenant", str(other_company.tenant_id), "--json")
    assert named.code == ExitCode.OK


# ---- tenant


@pytest.mark.usefixtures("at_home")
async def test_a_tenant_is_made_with_an_owner_who_signs_in(service: Any, url: str, company: Any) -> None:
    owner = f"own-{company.tenant_id.hex[-8:]}@example.com"
    weak = await at_database(
        "tenant", "create", "Acme", "--owner", owner, "--password-stdin", "--json", stdin="password1\n"
    )
    assert (weak.code, weak.error["code"]) == (ExitCode.FAILED, "accounts.weak_password")
    made = await at_database(
        "tenant", "create", "Acme", "--owner", owner, "--password-stdin", "--json", stdin=f"{PASSWORD}\n"
    )
    assert made.code == ExitCode.OK, made.err
    assert "set_password_url" not in made.json
    assert PASSWORD not in made.out + made.err
    signed_in = await client_at(service).post("/api/auth/sign-in/", json={"email": owner, "password": PASSWORD})
    assert signed_in.status_code == 200
    listed = await Commands(url=url, api_key=made.json["api_key"])("user", "list", "--json")
    assert [user["email"] for user in listed.json["users"]] == [owner]


# ---- signing keys


@pytest.mark.usefixtures("at_home")
async def test_signing_keys_are_listed_rotated_and_removed(service: Any, company: Any) -> None:
    ada = await add_person(company)
    before = (await at_database("signing-keys", "list", "--json")).json["keys"]
    assert [key["signs"] for key in before] == [True]
    rotated = await at_database("signing-keys", "rotate", "--json")
    assert rotated.code == ExitCode.OK, rotated.err
    keys = {key["id"]: key["signs"] for key in (await at_database("signing-keys", "list", "--json")).json["keys"]}
    assert keys == {rotated.json["id"]: True, before[0]["id"]: False}
    assert (await ada.api().get("/api/auth/me/")).status_code == 200, "what was signed before stays good"
    removed = await at_database("signing-keys", "remove", before[0]["id"])
    assert (removed.code, removed.out) == (ExitCode.OK, f"Removed {before[0]['id']}.\n")
    table = (await at_database("signing-keys", "list")).out
    assert rotated.json["id"] in table
    assert before[0]["id"] not in table
    again = await at_database("signing-keys", "remove", before[0]["id"], "--json")
    assert again.code == ExitCode.NOT_FOUND
    for key in (*keys, before[0]["id"]):
        assert "PRIVATE" not in table + key


async def test_without_a_database_the_command_says_where_one_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRAGOMAN_DATABASE_URL", raising=False)
    for arguments in (("signing-keys", "list"), ("user", "reset-password", "ada@example.com")):
        ran = await at_database(*arguments, "--home", str(tmp_path), "--json")
        assert (ran.code, ran.error["code"]) == (ExitCode.USAGE, "db.none_yet")
        assert "dragoman up" in ran.error["message"]


# ---- keys, service accounts, widget keys, limits


async def test_a_service_account_and_its_keys_are_made_rotated_switched_off_and_deleted(
    company: Any, dragoman: Commands
) -> None:
    made = await dragoman("service-accounts", "create", "Robot", "--role", "editor", "--description", "Syncs", "--json")
    assert (made.code, made.json["role"]) == (ExitCode.OK, "editor")
    key = await dragoman("key", "create", "sync", "--role", "editor", "--service-account", "Robot", "--json")
    assert (key.code, key.json["service_account_id"]) == (ExitCode.OK, made.json["id"])
    secret = key.json["api_key"]
    assert secret not in (await dragoman("key", "list", "--json")).out + (await dragoman("key", "list")).out
    rotated = await dragoman("key", "rotate", key.json["prefix"], "--grace-hours", "0")
    assert rotated.code == ExitCode.OK
    assert "cannot be shown again" in rotated.err
    assert (await company.service.client(secret).get("/api/chatbots/")).status_code == 401
    [present] = [word for word in rotated.out.split() if word.startswith("dgm_")]
    assert (await company.service.client(present).get("/api/chatbots/")).status_code == 200
    off = await dragoman("service-accounts", "update", "Robot", "--off")
    assert off.code == ExitCode.OK
    assert "State  off" in off.out
    assert (await company.service.client(present).get("/api/chatbots/")).status_code in (401, 403)
    deleted = await dragoman("service-accounts", "delete", "Robot", "--json")
    assert deleted.json == {"deleted": made.json["id"]}
    assert (await dragoman("service-accounts", "list", "--json")).json == {"service_accounts": [], "total": 0}


async def test_a_widget_key_is_made_listed_and_revoked(company: Any, dragoman: Commands) -> None:
    made = await dragoman("widget", "create", "Knowledge", "shop", "--origin", "https://WWW.shop.example/", "--json")
    assert (made.code, made.json["origins"]) == (ExitCode.OK, ["https://www.shop.example"])
    client = client_at(company.service, Origin="https://www.shop.example")
    body = {"key": made.json["public_key"]}
    assert (await client.post("/api/widget/tokens/", json=body)).status_code in (200, 201)
    listed = await dragoman("widget", "list", "Knowledge")
    assert made.json["public_key"] in listed.out
    revoked = await dragoman("widget", "revoke", str(company.chatbot_id), made.json["id"])
    assert revoked.out == f"Revoked shop ({made.json['public_key']}).\n"
    assert (await client.post("/api/widget/tokens/", json=body)).status_code in (401, 403)
    assert "revoked" in (await dragoman("widget", "list", "Knowledge")).out


async def test_a_limit_is_set_and_given_back_to_the_installation(dragoman: Commands) -> None:
    set_to = await dragoman("limits", "set", "streams=3", "messages_per_minute=9", "--json")
    assert (set_to.json["own"]["streams"], set_to.json["effective"]["messages_per_minute"]) == (3, 9)
    given_back = await dragoman("limits", "set", "streams=null", "--json")
    assert (given_back.json["own"]["streams"], given_back.json["own"]["messages_per_minute"]) == (None, 9)
    [line] = [line for line in (await dragoman("limits", "show")).out.splitlines() if line.startswith("streams ")]
    assert "the installation" in line


# ---- audit


async def _chain(company: Any) -> None:
    log = company.service.deps.audit_log
    await audit.flush(company.service.deps.database)
    await chain.chain_tenant(log.database, log.keyring, log.anchors, company.tenant_id)


async def test_audit_events_are_listed_by_filter_and_exported(company: Any, dragoman: Commands, tmp_path: Path) -> None:
    await dragoman("key", "create", "first")
    await dragoman("limits", "set", "streams=3")
    await _chain(company)
    listed = await dragoman("audit", "list", "--action", "limits.", "--json")
    assert [event["action"] for event in listed.json["events"]] == ["limits.changed"]
    assert len((await dragoman("audit", "list", "--limit", "1", "--json")).json["events"]) == 1
    table = (await dragoman("audit", "list", "--actor", "ada@example.com")).out
    assert "key.created" in table
    assert (await dragoman("audit", "list", "--after", "2099-01-01", "--json")).json == {"events": []}
    lines = (await dragoman("audit", "export", "--action", "key.created")).out.splitlines()
    assert "first" in [json.loads(line)["details"].get("name") for line in lines]
    file = tmp_path / "events.csv"
    exported = await dragoman("audit", "export", "--format", "csv", "--to", str(file))
    assert (exported.code, exported.out) == (ExitCode.OK, "")
    actions = [row["action"] for row in csv.DictReader(io.StringIO(file.read_text()))]
    assert {"limits.changed", "key.created"} <= set(actions)


async def test_a_chain_is_verified_and_a_cut_off_end_is_noticed(
    company: Any, dragoman: Commands, other_company: Any, url: str, tmp_path: Path
) -> None:
    await dragoman("key", "create", "first")
    await _chain(company)
    whole = await dragoman("audit", "verify")
    assert (whole.code, "is whole" in whole.out) == (ExitCode.OK, True)
    head = tmp_path / "head.json"
    head.write_text((await dragoman("audit", "head", "--json")).out)
    assert "Seal" in (await dragoman("audit", "head")).out
    anchored = await dragoman("audit", "verify", "--head", str(head), "--json")
    assert (anchored.code, anchored.json["is_whole"]) == (ExitCode.OK, True)
    others = Commands(url=url, api_key=other_company.secrets["owner"])
    foreign = await others("audit", "verify", "--head", str(head), "--json")
    assert foreign.code != ExitCode.OK, "the head of another tenant"
    (tmp_path / "wrong.json").write_text("{}")
    for name in ("wrong.json", "absent.json"):
        wrong = await dragoman("audit", "verify", "--head", str(tmp_path / name), "--json")
        assert (wrong.code, wrong.error["code"]) == (ExitCode.USAGE, "cli.invalid_head_file")


async def test_a_changed_event_makes_verify_fail(company: Any, dragoman: Commands, admin_url: str) -> None:
    import psycopg

    await dragoman("key", "create", "first")
    await _chain(company)
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await connection.execute("set session_replication_role = replica")  # no trigger
        await connection.execute(
            "update audit_events set action = 'key.revoked' where tenant_id = %s and action = 'key.created'",
            (company.tenant_id,),
        )
    found = await dragoman("audit", "verify")
    assert found.code == ExitCode.FAILED
    assert "changed:" in found.out
    assert "not whole" in found.out


# ---- privacy


@pytest.fixture
async def worker(service: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(erasure, "_SETTLED_S", 0.0)
    monkeypatch.setattr("dragoman.client.privacy._ASK_EVERY_S", 0.05)
    async with worker_beside(service):
        yield


@pytest.mark.usefixtures("worker")
async def test_a_person_is_exported_and_erased(company: Any, dragoman: Commands, tmp_path: Path) -> None:
    ada = await add_person(company)
    session = await ada.api().post("/api/chatbot/sessions/", json={"title": "Quokkas"})
    assert session.status_code == 201, session.text
    file = tmp_path / "ada.zip"
    exported = await dragoman("privacy", "export", "user", ada.user_id, "--to", str(file))
    assert exported.code == ExitCode.OK, exported.err
    assert str(file) in exported.out
    with zipfile.ZipFile(file) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Quokkas" in content
    asked = await dragoman("privacy", "erase", "user", ada.user_id, stdin="n\n")
    assert asked.code == ExitCode.INTERRUPTED
    assert (await ada.api().get("/api/auth/me/")).status_code == 200, "nothing is erased without a yes"
    erased = await dragoman("privacy", "erase", "user", ada.user_id, "--yes", "--json")
    assert (erased.code, erased.json["state"]) == (ExitCode.OK, "done"), erased.err
    assert (await ada.api().get("/api/auth/me/")).status_code == 401
    listed = await dragoman("privacy", "list", "--json")
    assert [each["kind"] for each in listed.json["requests"]] == ["erase", "export"]


@pytest.mark.usefixtures("worker")
async def test_an_archive_that_cannot_be_written_is_said_before_anything_is_collected(
    company: Any, dragoman: Commands, tmp_path: Path
) -> None:
    ada = await add_person(company)
    target = str(tmp_path / "absent" / "ada.zip")
    ran = await dragoman("privacy", "export", "user", ada.user_id, "--to", target, "--json")
    assert (ran.code, ran.error["code"]) == (ExitCode.USAGE, "cli.file_not_writable")
    assert target in ran.error["message"]
    assert (await dragoman("privacy", "list", "--json")).json["requests"] == []


# ---- feedback


async def _rated(company: Any, **body: str) -> str:
    answer = await company.ask(QUESTION, who="member")
    path = f"/api/chatbot/messages/{answer['id']}/feedback/"
    given = await company.api("member").post(path, json={"rating": "down", **body})
    assert given.status_code == 201, given.text
    feedback_id: str = given.json()["id"]
    return feedback_id


@pytest.mark.usefixtures("worker")
async def test_feedback_is_summed_up_listed_exported_and_accepted(
    company: Any, dragoman: Commands, tmp_path: Path
) -> None:
    document = await company.upload()
    assert document.status_code == 202
    feedback_id = await _rated(company, correction="Gold partners receive 20 percent.", reason="outdated")
    summed = await dragoman("feedback", "summary", "--chatbot", "Knowledge", "--json")
    assert (summed.code, summed.json["up"], summed.json["down"]) == (ExitCode.OK, 0, 1)
    assert "0 up, 1 down" in (await dragoman("feedback", "summary")).out
    listed = await dragoman("feedback", "list", "--rating", "down", "--with-text", "--json")
    assert [each["id"] for each in listed.json["feedback"]] == [feedback_id]
    assert (await dragoman("feedback", "list", "--rating", "up", "--json")).json == {"feedback": []}
    assert "20 percent" in (await dragoman("feedback", "list")).out
    file = tmp_path / "feedback.csv"
    exported = await dragoman("feedback", "export", "--output", str(file))
    assert (exported.code, exported.out) == (ExitCode.OK, f"Wrote {file}.\n")
    assert [row["rating"] for row in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig")))] == ["down"]
    lines = (await dragoman("feedback", "export", "--format", "jsonl")).out.splitlines()
    assert [json.loads(line)["rating"] for line in lines] == ["down"]
    accepted = await dragoman("feedback", "accept", feedback_id, "--answer", "It is 21 percent.", "--json")
    assert accepted.code == ExitCode.OK, accepted.err
    document_id = accepted.json["document_id"]
    assert (await company.api().get(f"/api/chatbot/documents/{document_id}/")).status_code == 200
    again = await dragoman("feedback", "accept", feedback_id, "--json")
    assert again.code == ExitCode.FAILED


@pytest.mark.usefixtures("worker")
async def test_a_report_is_written_and_printed(company: Any, dragoman: Commands, tmp_path: Path) -> None:
    await _rated(company, comment="No.")
    file = tmp_path / "report.md"
    written = await dragoman("feedback", "report", "--output", str(file))
    assert (written.code, written.out) == (ExitCode.OK, f"Wrote {file}.\n")
    assert file.read_text().startswith("# ")
    told = await dragoman("feedback", "report", "--json")
    assert told.json["state"] == "ready"


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "export", "--to"),
        ("feedback", "export", "--output"),
        ("feedback", "report", "--output"),
    ],
    ids=" ".join,
)
async def test_a_file_that_cannot_be_written_is_no_traceback(
    dragoman: Commands, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    ran = await dragoman(*arguments, str(tmp_path / "absent" / "file"))
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "cannot be written" in ran.err


async def test_tenants_see_their_own_only(company: Any, other_company: Any, dragoman: Commands, url: str) -> None:
    await dragoman("service-accounts", "create", "Robot")
    await dragoman("key", "create", "first")
    feedback_id = await _rated(company, comment="No.")
    others = Commands(url=url, api_key=other_company.secrets["owner"])
    person: Person = await add_person(company)
    for arguments in (
        ("user", "deactivate", person.email),
        ("service-accounts", "update", "Robot", "--off"),
        ("key", "revoke", str(company.key_ids["member"])),
        ("feedback", "accept", feedback_id),
        ("privacy", "export", "user", person.user_id),
        ("widget", "list", str(company.chatbot_id)),
    ):
        assert (await others(*arguments, "--json")).code == ExitCode.NOT_FOUND, arguments
    for arguments in (("user", "list"), ("key", "list"), ("audit", "list"), ("feedback", "list")):
        told = (await others(*arguments, "--json")).out
        assert person.email not in told
        assert str(company.tenant_id) not in told
        assert str(company.key_ids["owner"]) not in told
    assert code_of(await client_at(company.service).get("/api/auth/me/"))[0] == 401
    await change(company, "delete from service_accounts")
