"""Sends mails through a mail server (SMTP, RFC 5321), encrypted by STARTTLS or TLS from the start."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import Literal

import aiosmtplib
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dragoman.ports.mailer import Mail, MailNotSentError


class Settings(BaseModel):
    """Settings of the mailer `smtp`."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(description="Name of the mail server.")
    port: int = Field(587, ge=1, le=65535, description="Its port: 587 for `starttls`, 465 for `tls`.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is encrypted; `none` only within one machine or network."
    )
    username: str | None = Field(None, description="Account at the mail server; none: it asks for none.")
    password: SecretStr | None = Field(None, description="Its password.")
    sender: str = Field(min_length=3, description="Address that mails come from: `Dragoman <dragoman@example.com>`.")
    timeout_s: float = Field(20.0, gt=0, le=300, description="A mail that is not taken within this time has failed.")


class Adapter:
    """The mailer `smtp`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def reaches_people(self) -> bool:
        return True

    async def send(self, mail: Mail) -> None:
        settings = self._settings
        try:
            await aiosmtplib.send(
                _message(mail, settings.sender),
                hostname=settings.host,
                port=settings.port,
                username=settings.username,
                password=settings.password.get_secret_value() if settings.password else None,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
                timeout=settings.timeout_s,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailNotSentError(f"The mail server {settings.host} did not take the mail: {error}") from error


def _message(mail: Mail, sender: str) -> EmailMessage:
    """Raises ValueError: a header would hold a line break."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, mail.to, mail.subject
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].strip("> ") or None)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    message.set_content(mail.text)
    return message
