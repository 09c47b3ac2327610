"""`dragoman doctor --security` finds what makes an installation easier to attack, each thing by its own check."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.entrypoints import security_review
from dragoman.entrypoints.cli import main
from dragoman.entrypoints.doctor import Finding, State
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.tenancy import audit
from dragoman.tenancy.access import tenant_of_system
from dragoman.tenancy.audit_log import chain
from dragoman.tenancy.audit_log.anchors import Anchors

Review = Callable[..., Any]


@pytest.fixture
def review(tmp_path: Path, admin_url: str, cache_url: str, monkeypatch: pytest.MonkeyPatch) -> Review:
    """What is found in a home, with these variables of the environment."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRAGOMAN_DATABASE_URL", admin_url)
    monkeypatch.setenv("DRAGOMAN_CACHE_URL", cache_url)
    monkeypatch.setattr(security_review, "_packages", None)
    monkeypatch.delitem(security_review._REVIEWS, "known vulnerabilities")

    async def look(**variables: str) -> dict[str, Finding]:
        for name, value in variables.items():
            monkeypatch.setenv(f"DRAGOMAN_{name.upper()}", value)
        findings = await security_review.review(home, lambda _: None)
        return {finding.check: finding for finding in findings}

    return look


Write = Callable[..., Awaitable[str]]


@pytest.fixture
async def written(database: Database, make_tenant: Any) -> AsyncIterator[Write]:
    """Writes something of a new tenant, which goes with the test; the tenant's id."""
    tenant = await make_tenant()

    async def write(statement: str, **values: Any) -> str:
        async with database.transaction(tenant.tenant_id) as connection:
            await connection.execute(text(statement), {"tenant_id": tenant.tenant_id, **values})
        return str(tenant.tenant_id)

    yield write
    async with database.transaction(tenant.tenant_id) as connection:
        for table in ("single_sign_on", "widget_keys"):
            await connection.execute(text(f"delete from {table} where tenant_id = :id"), {"id": tenant.tenant_id})


async def test_a_fresh_installation_has_nothing_to_mend(review: Review) -> None:
    found = await review()
    assert {name: finding.message for name, finding in found.items() if finding.state is not State.OK} == {}
    assert len(found) == len(security_review._REVIEWS)


@pytest.mark.parametrize(
    ("check", "variables", "state"),
    [
        ("https", {"public_url": "http://help.example.com"}, State.FAIL),
        ("https", {"host": "0.0.0.0"}, State.WARN),
        ("trusted proxies", {"trusted_proxies": "0.0.0.0/0"}, State.FAIL),
        ("trusted proxies", {"public_url": "https://help.example.com"}, State.WARN),
        ("CORS", {"cors_origins": "*"}, State.FAIL),
        ("CORS", {"cors_origins": "http://www.example.com"}, State.WARN),
        ("metrics and docs", {"metrics_access": "open", "host": "0.0.0.0"}, State.FAIL),
        ("limits", {"limit_messages_per_minute": "0"}, State.WARN),
        ("debugging", {"log_level": "DEBUG"}, State.WARN),
        ("cookies", {"trusted_proxies": "10.0.0.7"}, State.FAIL),
        ("cookies", {"trusted_proxies": "10.0.0.7", "public_url": "http://help.example.com"}, State.FAIL),
        ("cookies", {"host": "0.0.0.0"}, State.WARN),
        ("mailer", {"public_url": "https://help.example.com"}, State.WARN),
        ("traces", {"trace_text": "true"}, State.WARN),
        ("secrets", {"metrics_token": "short"}, State.FAIL),
        ("secrets", {"broker_url": "redis://:redis@valkey.example/0"}, State.FAIL),
        ("secrets", {"broker_url": "redis://valkey.example/0"}, State.FAIL),
    ],
)
async def test_each_weakness_is_found(review: Review, check: str, variables: dict[str, str], state: State) -> None:
    found = (await review(**variables))[check]
    assert (found.state, bool(found.remedy)) == (state, True)


async def test_a_public_installation_that_is_set_up_well_is_ok(review: Review) -> None:
    found = await review(
        public_url="https://help.example.com",
        trusted_proxies="10.0.0.7",
        mailer="smtp",
        mailer_smtp_host="mail.example.com",
        mailer_smtp_sender="help@example.com",
    )
    assert {found[name].state for name in ("cookies", "mailer", "https", "trusted proxies")} == {State.OK}


@pytest.mark.parametrize(
    ("issuer", "changes", "sign_up", "domain"),
    [
        ("https://login.example.com", {}, State.OK, State.WARN),
        ("https://login.example.com", {"creates_users": True}, State.OK, State.WARN),
        ("https://login.example.com", {"allowed_domains": ["example.com"], "creates_users": True}, State.OK, State.OK),
        ("https://accounts.google.com", {"creates_users": True}, State.FAIL, State.WARN),
        ("https://accounts.google.com", {"creates_users": False}, State.OK, State.WARN),
        (
            "https://accounts.google.com",
            {"allowed_domains": ["gmail.com"], "creates_users": True},
            State.FAIL,
            State.OK,
        ),
        ("https://login.microsoftonline.com/common/v2.0", {"creates_users": True}, State.FAIL, State.WARN),
        ("https://login.microsoftonline.com/3f1c/v2.0", {"creates_users": True}, State.OK, State.WARN),
    ],
)
async def test_identity_providers_that_let_strangers_in_are_found(
    review: Review, written: Write, issuer: str, changes: dict[str, Any], sign_up: State, domain: State
) -> None:
    settings = {"name": "SSO", "creates_users": False, "default_role": "member", "allowed_domains": [], **changes}
    tenant_id = await written(
        "insert into single_sign_on (tenant_id, issuer, client_id, settings) "
        "values (:tenant_id, :issuer, 'x', cast(:settings as jsonb))",
        issuer=issuer,
        settings=json.dumps(settings),
    )
    found = await review()
    assert (found["open sign-up"].state, found["single sign-on"].state) == (sign_up, domain)
    for name, state in (("open sign-up", sign_up), ("single sign-on", domain)):
        assert (tenant_id in found[name].message) is (state is not State.OK)


@pytest.mark.parametrize(
    ("origins", "no_origin", "state"),
    [
        (["https://www.example.com", "https://*.example.com", "http://localhost:3000"], False, State.OK),
        (["https://*.com"], False, State.FAIL),
        (["https://www.example.com", "https://*.github.io"], False, State.FAIL),
        (["http://www.example.com"], False, State.WARN),
        (["https://www.example.com"], True, State.WARN),
    ],
)
async def test_widget_keys_that_strangers_can_use_are_found(
    review: Review, written: Write, origins: list[str], no_origin: bool, state: State
) -> None:
    await written(
        "insert into widget_keys (tenant_id, id, chatbot_id, name, public_key, origins, allows_no_origin, created_by) "
        "select tenant_id, gen_random_uuid(), id, 'the site', gen_random_uuid()::text, :origins, :no_origin, 'system' "
        "from chatbots where tenant_id = :tenant_id limit 1",
        origins=origins,
        no_origin=no_origin,
    )
    found = (await review())["widget keys"]
    assert (found.state, "the site" in found.message) == (state, state is not State.OK)


async def test_secrets_that_others_may_read_are_found(review: Review, tmp_path: Path) -> None:
    file = tmp_path / "home" / "secrets.json"
    file.write_text("{}")
    file.chmod(0o644)
    found = (await review())["files"]
    assert (found.state, str(file) in found.message) == (State.FAIL, True)
    file.chmod(0o600)
    (tmp_path / ".env").write_text("DRAGOMAN_METRICS_TOKEN=x")
    (tmp_path / ".env").chmod(0o644)
    assert ".env" in (await review())["files"].message


async def test_an_audit_that_can_be_changed_and_open_tables_are_found(review: Review, database: Database) -> None:
    import psycopg

    url = (security_review.load_settings().database_url or "").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("grant update on audit_events to dragoman_app")
        connection.execute("alter table api_keys no force row level security")
        found = await review()
        connection.execute("revoke update on audit_events from dragoman_app")
        connection.execute("alter table api_keys force row level security")
    assert "dragoman_app may update" in found["audit"].message
    assert (found["row-level security"].state, "api_keys" in found["row-level security"].message) == (State.FAIL, True)


async def test_old_and_forgotten_keys_are_found(review: Review, database: Database, make_tenant: Any) -> None:
    tenant = await make_tenant()
    async with database.transaction(tenant.tenant_id) as connection:
        await connection.execute(
            text(
                "insert into api_keys (tenant_id, id, name, prefix, secret_hash, role, created_at) "
                "values (:tenant_id, gen_random_uuid(), 'old', 'dgm_old', '\\x00', 'member', now() - interval '2 years')"
            ),
            {"tenant_id": tenant.tenant_id},
        )
    found = (await review())["API keys"]
    assert (found.state, found.message.startswith("1 keys are older")) == (State.WARN, True)


async def test_the_exit_code_tells(review: Review, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["doctor", "--security", "--home", str(tmp_path / "home"), "--json"]
    await review()
    assert await asyncio.to_thread(main, command) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    await review(cors_origins="*")
    assert await asyncio.to_thread(main, command) == 1


async def test_chains_without_an_end_outside_the_database_are_found(
    review: Review, database: Database, make_tenant: Any, tmp_path: Path
) -> None:
    tenant = await make_tenant()  # last in this file: its events stay in the database, their head does not
    keyring, folder = Keyring.load_or_create(tmp_path / "audit.key"), tmp_path / "home" / "audit"
    audit.seal_with(database, keyring)
    async with database.transaction(tenant.tenant_id) as connection:
        await audit.record(connection, tenant_of_system(tenant.tenant_id), "x.y", subject_type="x", subject_id=None)
    await chain.chain_tenant(database, keyring, Anchors(folder), tenant.tenant_id)
    assert (await review())["audit anchors"].state is State.OK
    file = folder / f"{tenant.tenant_id}.json"
    head = file.read_text()
    for broken in ("{", None):
        file.write_text(broken) if broken else file.unlink()
        found = (await review())["audit anchors"]
        assert (found.state, str(tenant.tenant_id) in found.message) == (State.FAIL, True)
    file.write_text(head)
    assert (await review())["audit anchors"].state is State.OK
