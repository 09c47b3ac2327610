"""Sends mails to people: invitations, links to set a password, alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dragoman.kit.errors import UnavailableError


class MailNotSentError(UnavailableError):
    """The mail could not be sent. Check the settings of the mailer; the server's log says what the mail server answered."""

    code = "mailer.not_sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail in plain text to one person."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Hands a mail over to whoever delivers it. A mail that was handed over may still come back; nobody is told.

    Raises:
        MailNotSentError: it was not taken; worth another try.
    """

    @property
    def reaches_people(self) -> bool:
        """Whether mails leave this machine. False: only the operator can read them."""
        ...

    async def send(self, mail: Mail) -> None: ...
