"""What the wiring gives to everything in this room."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.kit.errors import DragomanError
from dragoman.kit.fetch import FetchPolicy
from dragoman.kit.rate_limit import RateLimit
from dragoman.ports.mailer import Mailer

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPolicy:
    """How long things last and how often they may be tried.

    Attributes:
        idle_days: a sign-in ends after so many days without a refresh. most_days: it ends then in any case.
        attempts: to sign in to one account from where it has not signed in before, in 15 minutes; the same for each
            device that has.
        attempts_per_address: from one address, to all accounts together, in 15 minutes.
    """

    idle_days: int = 14
    most_days: int = 90
    invitation_hours: int = 72
    reset_minutes: int = 60
    attempts: int = 10
    attempts_per_address: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountParts:
    """Parts of a running process.

    Attributes:
        url: the address that people and tokens know the installation by; without a slash at its end.
        attempts: counts attempts to sign in, and requests of mails.
        network: what may be reached of identity providers.
    """

    database: Database
    keyring: Keyring
    mailer: Mailer
    attempts: RateLimit
    network: FetchPolicy
    url: str
    policy: AccountPolicy
    _behind: set[asyncio.Task[None]] = field(default_factory=set)

    def run_behind(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Do this after the answer, so that the answer does not tell by its time what was done."""
        task = asyncio.create_task(_told(work, what), name=what)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def finish(self) -> None:
        """Wait for what runs behind."""
        await asyncio.gather(*self._behind)


async def _told(work: Coroutine[Any, Any, None], what: str) -> None:
    try:
        await work
    except DragomanError as error:  # nobody waits for it any more: the operator reads of it
        _log.error("accounts.work_failed", what=what, code=error.code, reason=error.message)
