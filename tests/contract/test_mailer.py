"""What every mailer keeps to, and what a mail server sees of the adapter `smtp`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from structlog.testing import capture_logs

from dragoman.kit import registry
from dragoman.ports.mailer import Mail, MailNotSentError
from tests.contract.certificate import self_signed
from tests.contract.conftest import open_adapter

MAIL = Mail(to="ada@example.com", subject="Grüße", text="Hello Ada,\n\nhttps://chat.example.com/set-password?token=x\n")


@pytest.mark.parametrize("name", registry.list_adapters("mailer"))
async def test_a_mail_is_taken(name: str, tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with open_adapter("mailer", name, tmp_path) as mailer:
            await mailer.send(MAIL)
            assert isinstance(mailer.reaches_people, bool)
            told = [entry for entry in logs if entry["event"] == "mailer.not_mailed"]
            assert bool(told) != mailer.reaches_people
            assert all(entry["text"] == MAIL.text and entry["log_level"] == "warning" for entry in told)


class Postbox:
    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.envelopes: list[Any] = []

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if any("refused" in address for address in envelope.rcpt_tos):
            return "550 no such person"
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.envelopes.append(session.auth_data)
        return "250 OK"


@asynccontextmanager
async def _server(
    box: Postbox, *, tls: ssl.SSLContext | None = None, implicit: bool = False, **options: Any
) -> AsyncIterator[int]:
    if tls is not None and not implicit:
        options |= {"tls_context": tls, "require_starttls": True}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, **options), "127.0.0.1", 0, ssl=tls if implicit else None)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _smtp(port: int, **settings: Any) -> Any:
    given = {"host": "127.0.0.1", "port": port, "sender": "Dragoman <dragoman@example.com>", "timeout_s": 5}
    return registry.create("mailer", "smtp", {**given, **settings})


async def test_a_mail_arrives_whole() -> None:
    box = Postbox()
    async with _server(box) as port:
        await _smtp(port, security="none").send(MAIL)
    [mail] = box.mails
    assert (mail["To"], mail["From"], mail["Subject"]) == (MAIL.to, "Dragoman <dragoman@example.com>", "Grüße")
    assert mail.get_content().replace("\r\n", "\n") == MAIL.text  # type: ignore[attr-defined]
    assert mail["Date"]
    assert mail["Message-ID"].endswith("@example.com>")
    assert mail["Auto-Submitted"] == "auto-generated"


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")  # TLS from the start is none to aiosmtpd
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_connection_is_encrypted_before_anything_secret_is_said(
    security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, context = Postbox(), self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))  # the only authority that is trusted here

    def let_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=data == LoginPassword(b"dragoman", b"its password"), auth_data=data.login)

    options = {"authenticator": let_in, "auth_required": True, "auth_require_tls": security == "starttls"}
    async with _server(box, tls=context, implicit=security == "tls", **options) as port:
        await _smtp(port, security=security, username="dragoman", password="its password").send(MAIL)
        with pytest.raises(MailNotSentError):
            await _smtp(port, security=security, username="dragoman", password="another").send(MAIL)
    assert box.envelopes == [b"dragoman"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_cannot_prove_who_it_is_gets_no_mail(security: str, tmp_path: Path) -> None:
    box = Postbox()
    async with _server(box, tls=self_signed(tmp_path), implicit=security == "tls") as port:
        with pytest.raises(MailNotSentError):
            await _smtp(port, security=security).send(MAIL)
    assert not box.mails


async def test_a_server_without_encryption_gets_no_mail_unless_that_is_set() -> None:
    box = Postbox()
    async with _server(box) as port:
        with pytest.raises(MailNotSentError):
            await _smtp(port).send(MAIL)
    assert not box.mails


async def test_a_mail_that_is_not_taken_is_an_error_that_names_the_server() -> None:
    box = Postbox()
    async with _server(box) as port:
        mailer = _smtp(port, security="none")
        with pytest.raises(MailNotSentError, match=r"127\.0\.0\.1"):
            await mailer.send(Mail(to="refused@example.com", subject="x", text="x"))
        with pytest.raises(MailNotSentError):
            await mailer.send(Mail(to="ada@example.com", subject="x\r\nBcc: eve@example.com", text="x"))
    with pytest.raises(MailNotSentError):
        await mailer.send(MAIL)  # the server has gone
    assert not box.mails
