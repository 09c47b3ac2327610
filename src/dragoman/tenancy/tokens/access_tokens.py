"""Access tokens: JWTs (RFC 9068) of 15 minutes that name a sign-in. What the sign-in may do is looked up, not believed.

A token is refused unless its header says exactly our algorithm and type, its key is one of ours, and issuer, audience
and times fit (RFC 8725). Then the sign-in it names is looked up, at most every `REMEMBERED_S`: so that signing out, a
new role and a deactivated user take effect within that time everywhere, and at once in the process that did it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from joserfc import jwt
from joserfc.errors import ExpiredTokenError as JoseExpiredTokenError
from joserfc.errors import JoseError
from prometheus_client import Counter

from dragoman.kit.cache import SingleFlight
from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.kit.reading import ReadConnection
from dragoman.tenancy import audit
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy.entities import ApiKey, Caller, Role, User
from dragoman.tenancy.errors import ExpiredKeyError, InvalidKeyError, RevokedKeyError
from dragoman.tenancy.tokens import repository, signing_keys
from dragoman.tenancy.tokens.entities import ACCESS_TOKEN_S, Claims, SigningKey
from dragoman.tenancy.tokens.errors import ExpiredTokenError, InvalidTokenError, SignedOutError
from dragoman.tenancy.tokens.signing_keys import ALGORITHM, LEEWAY_S

TYPE: Final = "at+jwt"
AUDIENCE: Final = "dragoman-api"
REMEMBERED_S: Final = 2.0
"""As long as API keys (`access.REMEMBERED_S`)."""

_MAX_CHARACTERS: Final = 2048  # ours have about 500
_MOST_REMEMBERED: Final = 10_000
_REPORTS_PER_MINUTE: Final = 10  # of refused tokens, for each tenant: who forges tokens must not fill its audit log

REFUSED = Counter("dragoman_tokens_refused_total", "Access tokens that were refused.", ["reason"])

OfUser = Callable[[ReadConnection, User], Awaitable[Caller]]
OfKey = Callable[[ReadConnection, ApiKey], Awaitable[Caller]]


def is_token(secret: str) -> bool:
    """Whether this has the form of a JWT: two points, as no API key has."""
    return secret.count(".") == 2


def issue(
    key: SigningKey, keyring: Keyring, *, tenant_id: UUID, sign_in_id: UUID, subject: str, lives_s: int = ACCESS_TOKEN_S
) -> tuple[str, datetime]:
    """A token of this sign-in, signed by this key, and the moment it expires.

    Args:
        subject: the user's id, or `key:<id>` of an API key.

    Raises:
        UnknownKeyError, TamperedError: the signing key was sealed with a master key that is not here.
    """
    issued_at = now()
    expires_at = issued_at + timedelta(seconds=lives_s)
    claims = {
        "iss": key.issuer,
        "aud": AUDIENCE,
        "sub": subject,
        "tid": str(tenant_id),
        "sid": str(sign_in_id),
        "iat": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
        "jti": new_id().hex,
    }
    header = {"alg": ALGORITHM, "kid": key.id, "typ": TYPE}
    token = jwt.encode(header, claims, signing_keys.private_key(key, keyring), algorithms=[ALGORITHM])
    return token, datetime.fromtimestamp(int(expires_at.timestamp()), UTC)


async def verify(database: Database, token: str) -> Claims:
    """What the token says, if it is ours, whole, and of now.

    Raises:
        InvalidTokenError, ExpiredTokenError.
    """
    header = _header(token)
    if header.get("alg") != ALGORITHM:
        raise InvalidTokenError("This access token is not signed as ours are. Sign in again.", reason="algorithm")
    if header.get("typ") != TYPE or not isinstance(header.get("kid"), str):
        raise InvalidTokenError("This is no access token. Sign in again.", reason="type")
    found = await signing_keys.find_verifying(database, header["kid"])
    if found is None:
        raise InvalidTokenError("This access token is signed by a key that is not in use. Sign in again.", reason="key")
    public_key, issuer = found
    try:
        decoded = jwt.decode(token, public_key, algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError) as error:  # TypeError: a header of another kind than its name says
        raise InvalidTokenError(reason="signature") from error
    _validate(decoded.claims, issuer)
    return _claims_of(decoded.claims)


async def authenticate(database: Database, token: str, *, of_user: OfUser, of_key: OfKey) -> Caller:
    """The caller who has signed in; remembered for `REMEMBERED_S`. What is refused is audited.

    Args:
        of_user: the caller that a user is.
        of_key: the caller that an API key is, for its sign-ins in browsers.

    Raises:
        InvalidTokenError, ExpiredTokenError, SignedOutError; of an API key's sign-in RevokedKeyError, ExpiredKeyError.
    """
    try:
        return await _memory_of(database).caller(database, token, of_user, of_key)
    except (InvalidTokenError, ExpiredTokenError, SignedOutError) as error:
        await _report_refused(database, token, error)
        raise


def forget_sign_in(database: Database, sign_in_id: UUID) -> None:
    """Let the next request of this sign-in look it up: it has changed."""
    _memory_of(database).forget(lambda caller: caller.sign_in_id == sign_in_id)


def forget_key(database: Database, key_id: UUID) -> None:
    """The same for sign-ins with an API key."""
    _memory_of(database).forget(lambda caller: caller.api_key_id == key_id)


def forget_user(database: Database, user_id: UUID) -> None:
    """The same for all sign-ins of a user."""
    _memory_of(database).forget(lambda caller: caller.user_id == user_id)


def forget_tenant(database: Database, tenant_id: UUID) -> None:
    """The same for all sign-ins of a tenant."""
    _memory_of(database).forget(lambda caller: caller.tenant_id == tenant_id)


# ---- reading a token


def _header(token: str) -> dict[str, Any]:
    if len(token) > _MAX_CHARACTERS or not token.isascii():
        raise InvalidTokenError(reason="form")
    header = _part(token, 0)
    if header is None:
        raise InvalidTokenError(reason="form")
    return header


def _part(token: str, place: int) -> dict[str, Any] | None:
    """The JSON object in a part of the token, not verified; None: it is none."""
    part = token.split(".")[place]
    try:
        value = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _validate(claims: Mapping[str, Any], issuer: str) -> None:
    registry = jwt.JWTClaimsRegistry(
        leeway=LEEWAY_S,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        registry.validate(dict(claims))
    except JoseExpiredTokenError as error:
        raise ExpiredTokenError(reason="expired") from error
    except (JoseError, ValueError, TypeError) as error:
        claim = str(getattr(error, "claim", "") or "claims")
        raise InvalidTokenError(
            "This access token is not meant for this service. Sign in again.", reason=claim
        ) from error


def _claims_of(claims: Mapping[str, Any]) -> Claims:
    try:
        return Claims(
            tenant_id=UUID(claims["tid"]),
            sign_in_id=UUID(claims["sid"]),
            subject=str(claims["sub"]),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidTokenError(reason="claims") from error


# ---- what the sign-in is worth now


class _Memory:
    """Callers of one database by the hash of their token. Refusals are not remembered."""

    def __init__(self) -> None:
        self._callers: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        self._flights: SingleFlight[Caller] = SingleFlight()
        self._forgotten = 0
        self._reports: dict[UUID, tuple[float, int]] = {}

    async def caller(self, database: Database, token: str, of_user: OfUser, of_key: OfKey) -> Caller:
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._callers.get(digest)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        return await self._flights.run(digest, lambda: self._looked_up(database, digest, token, of_user, of_key))

    async def _looked_up(
        self,
        database: Database,
        digest: bytes,
        token: str,
        of_user: OfUser,
        of_key: OfKey,
    ) -> Caller:
        begun, forgotten = time.monotonic(), self._forgotten
        self._callers.pop(digest, None)
        claims = await verify(database, token)
        caller = await _look_up(database, claims, of_user, of_key)
        left_s = (claims.expires_at - now()).total_seconds() + LEEWAY_S
        if forgotten == self._forgotten:  # else a sign-in was revoked meanwhile, perhaps this one
            self._callers[digest] = (begun + min(REMEMBERED_S, left_s), caller)
        if len(self._callers) > _MOST_REMEMBERED:
            self._callers.popitem(last=False)
        return caller

    def forget(self, is_meant: Callable[[Caller], bool]) -> None:
        self._forgotten += 1
        self._flights = SingleFlight()  # a look-up that has begun may still find the sign-in as it was
        for digest in [held for held, (_, caller) in self._callers.items() if is_meant(caller)]:
            del self._callers[digest]

    def may_report(self, tenant_id: UUID) -> bool:
        """Whether another refused token of this tenant is told: so many a minute."""
        moment = time.monotonic()
        since, count = self._reports.get(tenant_id, (moment, 0))
        if moment - since > 60:
            since, count = moment, 0
        if len(self._reports) >= _MOST_REMEMBERED:
            self._reports.clear()
        self._reports[tenant_id] = (since, count + 1)
        return count < _REPORTS_PER_MINUTE


_memories: WeakKeyDictionary[Database, _Memory] = WeakKeyDictionary()


def _memory_of(database: Database) -> _Memory:
    memory = _memories.get(database)
    if memory is None:
        memory = _memories[database] = _Memory()
    return memory


async def _look_up(database: Database, claims: Claims, of_user: OfUser, of_key: OfKey) -> Caller:
    """Raises SignedOutError, RevokedKeyError, ExpiredKeyError."""
    async with database.reading(claims.tenant_id) as reading:
        state = await repository.find_sign_in_state(reading, tenant_id=claims.tenant_id, sign_in_id=claims.sign_in_id)
        if state is None or state.revoked_at is not None or state.expires_at <= now() or state.is_deactivated:
            raise SignedOutError(reason="signed_out")
        if state.api_key_id is not None:
            caller = await _look_up_key(database, reading, claims, state.api_key_id, of_key)
        else:
            caller = await _look_up_user(reading, claims, state.user_id, of_user)
    return replace(caller, sign_in_id=claims.sign_in_id)


async def _look_up_user(reading: ReadConnection, claims: Claims, user_id: UUID | None, of_user: OfUser) -> Caller:
    user = user_id and await tenancy_repository.find_user(reading, tenant_id=claims.tenant_id, user_id=user_id)
    if not user:
        raise SignedOutError(reason="signed_out")
    return await of_user(reading, user)


async def _look_up_key(
    database: Database, reading: ReadConnection, claims: Claims, key_id: UUID, of_key: OfKey
) -> Caller:
    async with database.transaction(claims.tenant_id) as connection:
        key = await tenancy_repository.find_key(connection, tenant_id=claims.tenant_id, key_id=key_id)
    require_open(key)
    assert key is not None  # else it is not open
    return await of_key(reading, key)


def require_open(key: ApiKey | None) -> None:
    """Raises InvalidKeyError, RevokedKeyError, ExpiredKeyError."""
    if key is None:
        raise InvalidKeyError
    if key.revoked_at is not None:
        raise RevokedKeyError
    if key.expires_at is not None and key.expires_at <= now():
        raise ExpiredKeyError


# ---- what is refused is told


async def _report_refused(database: Database, token: str, error: Exception) -> None:
    """Count it, and write it into the audit log of the tenant that the token names, if there is such a tenant.

    What a forged token names is not proven; the event says so by its actor, and the number of events is bounded.
    """
    reason = str(getattr(error, "details", {}).get("reason", "other"))
    REFUSED.labels(reason).inc()
    claims = _part(token, 1) if reason != "form" else None
    try:
        tenant_id, sign_in_id = UUID(str((claims or {})["tid"])), UUID(str((claims or {})["sid"]))
    except (KeyError, ValueError):
        return
    if not _memory_of(database).may_report(tenant_id):
        return
    async with database.transaction(tenant_id) as connection:
        if await repository.find_sign_in_state(connection, tenant_id=tenant_id, sign_in_id=sign_in_id) is None:
            return
        nobody = Caller(tenant_id=tenant_id, role=Role.MEMBER, asker="anonymous")
        await audit.record(
            connection, nobody, "token.refused", subject_type="sign_in", subject_id=sign_in_id, reason=reason
        )
