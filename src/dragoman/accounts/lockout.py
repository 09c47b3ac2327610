"""Counts attempts to sign in, so that guessing is slow and nobody can lock others out.

After OWASP's device cookies: an account has one counter for strangers and one for each device that has signed in to it
before. Who guesses from outside uses up the strangers' counter only; the owner's devices, and the addresses the owner
has signed in from, go on. Strangers also share a counter for each address they come from (of IPv6 the /64 network),
whatever accounts they try: that bounds spraying one password over many accounts. The windows slide, so that a lock ends
by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from dragoman.accounts.errors import TooManyAttemptsError
from dragoman.accounts.parts import AccountParts
from dragoman.kit.addresses import counted_together
from dragoman.kit.clock import now
from dragoman.kit.encryption import Keyring, TamperedError, UnknownKeyError

WINDOW_S: Final = 15 * 60
KNOWN_FOR: Final = timedelta(days=90)
_PLACE: Final = "sign-in/device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Who tries to sign in to what.

    Attributes:
        email: normalised.
        device: the nonce of a device that has signed in to this account before; None: it has not.
        knows_address: the account has signed in from this address before.
    """

    email: str
    address: str
    device: str | None
    knows_address: bool


async def count(parts: AccountParts, attempt: Attempt) -> None:
    """Count one more attempt.

    Raises:
        TooManyAttemptsError: there were as many as may be.
    """
    policy = parts.policy
    for key, limit in _counters(attempt, policy.attempts, policy.attempts_per_address):
        allowance = await parts.attempts.take(key, limit=limit, per_s=WINDOW_S)
        if not allowance.is_granted:
            raise TooManyAttemptsError(retry_after_s=allowance.wait_s)


async def is_first_in_window(parts: AccountParts, what: str) -> bool:
    """Whether this was not told within the window: a lock is audited once, not with each further attempt."""
    return (await parts.attempts.take(f"told:{_name(what)}", limit=1, per_s=WINDOW_S)).is_granted


def new_device(keyring: Keyring, email: str) -> str:
    """What a device keeps that has signed in to this account: sealed, for no other account, for `KNOWN_FOR`."""
    until = int((now() + KNOWN_FOR).timestamp())
    return keyring.seal(json.dumps({"of": _name(email), "nonce": secrets.token_hex(16), "until": until}), _PLACE)


def device_of(keyring: Keyring, cookie: str | None, email: str) -> str | None:
    """The nonce of a device that has signed in to this account; None: it has not, or long ago."""
    if not cookie:
        return None
    try:
        held = json.loads(keyring.open(cookie, _PLACE))
    except (TamperedError, UnknownKeyError, ValueError):
        return None
    is_meant = (
        hmac.compare_digest(str(held["of"]).encode(), _name(email).encode()) and held["until"] > now().timestamp()
    )
    return str(held["nonce"]) if is_meant else None


def _counters(attempt: Attempt, limit: int, limit_per_address: int) -> list[tuple[str, int]]:
    account = _name(attempt.email)
    if attempt.device is not None:
        return [(f"device:{attempt.device}", limit)]
    if attempt.knows_address:
        return [(f"known:{account}:{_name(attempt.address)}", limit)]
    address = _name(counted_together(attempt.address))
    return [(f"address:{address}", limit_per_address), (f"account:{account}", limit)]


def _name(text: str) -> str:
    """Counters lie in Valkey: they name nobody."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
