"""Alerts by mail, through a real mail server: to users of the tenant only, once when firing and once when resolved."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import text

from dragoman.client import Dragoman, SyncDragoman
from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.cli import main
from dragoman.insights.alerts.deliver import DELIVER_ALERT
from dragoman.kit.clock import now

from .conftest import Service
from .serving import serving
from .signing_in import add_person, audited, code_of, rows
from .test_alerts import _alerts, _evaluate, _own_rule, _refuse


@dataclass
class Postbox:
    """Takes mails as a mail server does, or refuses them with `answer`."""

    port: int = 0
    answer: str = "250 OK"
    mails: list[Message] = field(default_factory=list)

    def to(self, address: str) -> list[Message]:
        """Other companies of this module are evaluated too."""
        return [mail for mail in self.mails if mail["To"] == address]

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=default))
        return self.answer


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Postbox]:
    box = Postbox()
    async with await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0) as listening:
        box.port = listening.sockets[0].getsockname()[1]
        yield box


@pytest.fixture
def postbox(server: Postbox) -> Postbox:
    server.answer = "250 OK"
    server.mails.clear()
    return server


@pytest.fixture(scope="module")
async def service(settings_for: Any, server: Postbox) -> AsyncIterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRAGOMAN_MAILER_SMTP_HOST", "127.0.0.1")
        patch.setenv("DRAGOMAN_MAILER_SMTP_PORT", str(server.port))
        patch.setenv("DRAGOMAN_MAILER_SMTP_SECURITY", "none")
        patch.setenv("DRAGOMAN_MAILER_SMTP_SENDER", "Dragoman <dragoman@example.com>")
        settings = settings_for(mailer="smtp")
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            yield Service(app=app, settings=settings)


@pytest.fixture
async def ada(company: Any, postbox: Postbox) -> Any:
    """An administrator of the company; the mails of the invitation are out of the way."""
    person = await add_person(company, role="admin")
    postbox.mails.clear()
    return person


async def _mail_channel(company: Any, email: str, **body: Any) -> dict[str, Any]:
    made = await company.api().post("/api/alerts/channels/", json={"email": email, **body})
    assert made.status_code == 201, made.text
    channel: dict[str, Any] = made.json()
    return channel


async def _job_states(company: Any) -> list[tuple[str, int]]:
    found = await rows(company, "select state, attempts from jobs where kind = :kind order by id", kind=DELIVER_ALERT)
    return [tuple(row) for row in found]


async def test_a_user_is_mailed_once_when_an_alert_fires_and_once_when_it_is_resolved(
    company: Any, ada: Any, postbox: Postbox
) -> None:
    channel = await _mail_channel(company, ada.email.upper())
    assert (channel["kind"], channel["target"], channel["secret"]) == ("mail", ada.email, None)
    await _own_rule(company)
    await _refuse(company, refused=40, answered=10)
    for _ in range(2):
        await _evaluate(company)
    await company.service.run_jobs(kind=DELIVER_ALERT)
    [fires] = postbox.to(ada.email)
    assert (fires["To"], fires["Subject"]) == (ada.email, "[warning] Refusals fires at Test")
    said = fires.get_content()  # type: ignore[attr-defined]
    assert "refusal_share" in said
    assert "Threshold: 0.5" in said
    assert "Anything?" not in said  # what was asked

    for minutes in (20, 22):  # the window is empty by then
        await _evaluate(company, now() + timedelta(minutes=minutes))
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert [mail["Subject"] for mail in postbox.to(ada.email)[1:]] == ["[resolved] Refusals at Test"]
    [shown] = (await company.api().get("/api/alerts/channels/")).json()["channels"]
    assert shown["last_error"] is None
    assert shown["last_delivered_at"] is not None
    [event] = await audited(company, "alert_channel.created", channel["id"])
    assert (event["kind"], event["user_id"]) == ("mail", ada.user_id)


async def test_a_silenced_rule_mails_nobody_until_the_silence_ends(company: Any, ada: Any, postbox: Postbox) -> None:
    await _mail_channel(company, ada.email)
    path = f"/api/alerts/rules/{await _own_rule(company)}/silence/"
    await company.api().put(path, json={"minutes": 60})
    await _refuse(company, refused=40, answered=10)
    await _evaluate(company)
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert len(await _alerts(company)) == 1
    assert postbox.to(ada.email) == []
    await company.api().delete(path)
    await _evaluate(company)
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert len(postbox.to(ada.email)) == 1


async def test_a_lesser_alert_is_not_mailed(company: Any, ada: Any, postbox: Postbox) -> None:
    await _mail_channel(company, ada.email, least_severity="critical")
    await _own_rule(company)
    await _refuse(company, refused=40, answered=10)
    await _evaluate(company)
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert postbox.to(ada.email) == []


async def test_a_mail_that_is_not_taken_is_tried_again(company: Any, ada: Any, postbox: Postbox) -> None:
    channel = await _mail_channel(company, ada.email)
    postbox.answer = "451 come back later"
    sent = await company.api().post(f"/api/alerts/channels/{channel['id']}/test/")
    assert sent.status_code == 202
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert await _job_states(company) == [("queued", 1)]
    [shown] = (await company.api().get("/api/alerts/channels/")).json()["channels"]
    assert "451" in shown["last_error"]
    postbox.answer = "250 OK"
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update jobs set run_after = now() where kind = :kind"), {"kind": DELIVER_ALERT})
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert [mail["Subject"] for mail in postbox.to(ada.email)] == ["[test] Alerts of Test"]
    [shown] = (await company.api().get("/api/alerts/channels/")).json()["channels"]
    assert shown["last_error"] is None


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("stranger@example.com", (422, "alerts.no_recipient")),
        ("no address", (422, "accounts.invalid_address")),
        ("ada@example.com\r\nBcc: eve@example.com", (422, "accounts.invalid_address")),
    ],
)
async def test_only_users_of_the_tenant_can_be_mailed(company: Any, email: str, expected: tuple[int, str]) -> None:
    refused = await company.api().post("/api/alerts/channels/", json={"email": email})
    assert code_of(refused) == expected


async def test_users_of_another_tenant_are_no_recipients(company: Any, other_company: Any) -> None:
    person = await add_person(other_company)
    refused = await company.api().post("/api/alerts/channels/", json={"email": person.email})
    assert code_of(refused) == (422, "alerts.no_recipient")


@pytest.mark.parametrize("body", [{}, {"email": "ada@example.com", "url": "http://127.0.0.1:9/"}])
async def test_a_channel_is_a_webhook_or_a_user(company: Any, body: dict[str, str]) -> None:
    assert (await company.api().post("/api/alerts/channels/", json=body)).status_code == 422


async def test_a_user_has_one_channel(company: Any, ada: Any) -> None:
    channel = await _mail_channel(company, ada.email)
    again = await company.api().post("/api/alerts/channels/", json={"email": ada.email})
    assert code_of(again) == (409, "alerts.channel_exists")
    assert (await company.api().delete(f"/api/alerts/channels/{channel['id']}/")).status_code == 204
    await _mail_channel(company, ada.email)


async def test_who_is_deactivated_is_not_mailed_and_who_is_removed_leaves_no_channel(
    company: Any, ada: Any, postbox: Postbox
) -> None:
    channel = await _mail_channel(company, ada.email)
    assert (await company.api().patch(f"/api/users/{ada.user_id}/", json={"is_active": False})).status_code == 200
    await company.api().post(f"/api/alerts/channels/{channel['id']}/test/")
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert postbox.to(ada.email) == []
    assert await _job_states(company) == [("failed", 1)]
    [shown] = (await company.api().get("/api/alerts/channels/")).json()["channels"]
    assert "deactivated" in shown["last_error"]
    assert (await company.api().delete(f"/api/users/{ada.user_id}/")).status_code == 204
    assert (await company.api().get("/api/alerts/channels/")).json()["channels"] == []


async def test_an_erased_user_leaves_no_channel(company: Any, ada: Any) -> None:
    await _mail_channel(company, ada.email)
    asked = {"kind": "erase", "subject_kind": "user", "subject_id": ada.user_id}
    made = await company.api().post("/api/privacy/requests/", json=asked)
    assert made.status_code == 202, made.text
    await company.service.run_jobs()
    assert (await company.api().get("/api/alerts/channels/")).json()["channels"] == []


async def test_the_clients_and_the_command_choose_who_is_mailed(
    service: Service, company: Any, ada: Any, postbox: Postbox, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(service) as url:
        who = ["--url", url, "--api-key", company.secrets["owner"]]

        async def run(*command: str) -> tuple[int, str]:
            code = await asyncio.to_thread(main, ["alerts", *command, *who])
            return code, capsys.readouterr().out

        assert (await run("channels"))[1].startswith("Nobody is told.")
        assert await run("mail", ada.email) == (0, f"{ada.email} is mailed of alerts from now on.\n")
        code, out = await run("channels", "--json")
        [channel] = json.loads(out)["channels"]
        assert (code, channel["kind"], channel["target"]) == (0, "mail", ada.email)
        assert (await run("test", channel["id"]))[0] == 0
        await company.service.run_jobs(kind=DELIVER_ALERT)
        assert [mail["Subject"] for mail in postbox.to(ada.email)] == ["[test] Alerts of Test"]
        assert (await run("forget", channel["id"]))[0] == 0
        async with Dragoman(url, company.secrets["owner"]) as client:
            assert await client.alerts.channels() == []
            made = await client.alerts.create_mail_channel(ada.email, least_severity="critical")
            assert (made.kind, made.least_severity, made.secret) == ("mail", "critical", None)

        def in_a_thread() -> list[str]:
            with SyncDragoman(url, company.secrets["owner"]) as client:
                client.alerts.delete_channel(made.id)
                client.alerts.create_mail_channel(ada.email)
                return [each.target for each in client.alerts.channels()]

        assert await asyncio.to_thread(in_a_thread) == [ada.email]
