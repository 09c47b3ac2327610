"""`dragoman doctor --security` finds what makes an installation easier to attack, each thing by its own check."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.entrypoints import security_review
from dragoman.entrypoints.cli import main
from dragoman.entrypoints.doctor import Finding, State
from dragoman.kit.database import Database

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
        ("secrets", {"metrics_token": "short"}, State.FAIL),
        ("secrets", {"broker_url": "redis://:redis@valkey.example/0"}, State.FAIL),
        ("secrets", {"broker_url": "redis://valkey.example/0"}, State.FAIL),
    ],
)
async def test_each_weakness_is_found(review: Review, check: str, variables: dict[str, str], state: State) -> None:
    found = (await review(**variables))[check]
    assert (found.state, bool(found.remedy)) == (state, True)


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
