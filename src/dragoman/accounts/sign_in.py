"""Signing in, staying signed in, signing out.

    with_password -> _candidates -> lockout.count -> passwords.matches -> begin

A sign-in hands out an access token of 15 minutes and a refresh token that is good for one use: each refresh gives the
next (RFC 9700, 4.14.2). One that is used again was copied by somebody, so the whole sign-in ends. Two tabs that refresh at the
same moment are no thieves: within `GRACE` the same next token is given once more, as long as it has not been used.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.accounts import addresses, lockout, passwords, repository
from dragoman.accounts.entities import Credentials, Person, RefreshToken, SignedIn
from dragoman.accounts.errors import (
    InvalidRefreshTokenError,
    NotAUserError,
    ReusedRefreshTokenError,
    SeveralTenantsError,
    SignInNotFoundError,
    TooManyAttemptsError,
    WrongCredentialsError,
)
from dragoman.accounts.parts import AccountParts
from dragoman.accounts.secrets import REFRESH, hash_of, new_token, tenant_of
from dragoman.kit import request_origin
from dragoman.kit.cache import cache_key, opened, sealed
from dragoman.kit.clock import new_id, now
from dragoman.kit.pagination import Page, PageRequest
from dragoman.tenancy import access, audit
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy.entities import Caller, Role
from dragoman.tenancy.errors import InvalidKeyError
from dragoman.tenancy.tokens import access_tokens, signing_keys
from dragoman.tenancy.tokens import repository as tokens_repository
from dragoman.tenancy.tokens.entities import SignIn

GRACE: Final = timedelta(seconds=10)
_NOBODY: Final = UUID(int=0)
_MOST_CANDIDATES: Final = 5  # tenants of one person that are tried without a `tenant_id`

SIGN_INS: Final = Counter("dragoman_sign_ins_total", "Attempts to sign in.", ["method", "outcome"])


# ---- signing in


async def with_password(
    parts: AccountParts,
    *,
    email: str,
    password: str,
    tenant_id: UUID | None = None,
    device: str | None = None,
    is_cookie: bool = False,
) -> SignedIn:
    """Sign in with address and password. Unknown users, wrong passwords and deactivated users get one answer.

    Args:
        tenant_id: of several tenants in which this address has a user.
        device: what the device kept from its last sign-in (`SignedIn.device`).

    Raises:
        WrongCredentialsError, TooManyAttemptsError, BusyHashingError, SeveralTenantsError.
    """
    email = addresses.normalised(email)
    found, knows_address = await _candidates(parts, email, tenant_id)
    attempt = lockout.Attempt(
        email=email,
        address=request_origin.current().address,
        device=lockout.device_of(parts.keyring, device, email),
        knows_address=knows_address,
    )
    try:
        await lockout.count(parts, attempt)
    except TooManyAttemptsError:
        SIGN_INS.labels("password", "locked").inc()
        if await lockout.is_first_in_window(parts, f"{email} {attempt.address}"):
            await _audit_refused(parts, found, "too_many_attempts")
        raise
    meant = await _with_this_password(found, password)
    if meant is None:
        SIGN_INS.labels("password", "refused").inc()
        await _audit_refused(parts, found, "wrong_credentials")
        raise WrongCredentialsError
    await _hash_again(parts, meant, password)
    return await begin(parts, meant.person, method="password", is_cookie=is_cookie)


async def _candidates(parts: AccountParts, email: str, tenant_id: UUID | None) -> tuple[list[Credentials], bool]:
    """The users that may be meant, and whether one of them has signed in from this address before.

    The database is asked as often for an address that nobody has.
    """
    async with parts.database.system_transaction() as connection:
        places = await repository.list_users_with_email(connection, email=email, limit=_MOST_CANDIDATES)
    places = [place for place in places if tenant_id in (None, place[0])] or [(_NOBODY, _NOBODY)]
    found: list[Credentials] = []
    knows_address = False
    for its_tenant, user_id in places:
        async with parts.database.transaction(its_tenant) as connection:
            credentials = await repository.find_credentials(connection, tenant_id=its_tenant, user_id=user_id)
            knows_address |= await tokens_repository.knows_address(
                connection,
                tenant_id=its_tenant,
                user_id=user_id,
                address=request_origin.current().address,
                since=now() - lockout.KNOWN_FOR,
            )
        if credentials is not None:
            found.append(credentials)
    return found, knows_address


async def _with_this_password(found: list[Credentials], password: str) -> Credentials | None:
    """The one active user whose password this is. Raises SeveralTenantsError, BusyHashingError."""
    hashes = [each.password_hash for each in found] or [None]
    is_right = await asyncio.gather(*(passwords.matches(password, each) for each in hashes))
    meant = [each for each, right in zip(found, is_right, strict=False) if right and each.person.deactivated_at is None]
    if len(meant) > 1:
        names = ", ".join(f"{each.tenant_name} ({each.person.tenant_id})" for each in meant)
        raise SeveralTenantsError(f"This address and password open several tenants: {names}. Send a `tenant_id`.")
    return meant[0] if meant else None


async def _hash_again(parts: AccountParts, meant: Credentials, password: str) -> None:
    """Hash the password with the present parameters, where it was hashed with others."""
    person, old_hash = meant.person, meant.password_hash
    if old_hash is None or not passwords.needs_rehash(old_hash):
        return
    new_hash = await passwords.hashed(password)
    async with parts.database.transaction(person.tenant_id) as connection:
        await repository.replace_hash(
            connection, tenant_id=person.tenant_id, user_id=person.id, old_hash=old_hash, new_hash=new_hash
        )


async def _audit_refused(parts: AccountParts, found: list[Credentials], reason: str) -> None:
    for credentials in found:
        person = credentials.person
        nobody = Caller(tenant_id=person.tenant_id, role=Role.MEMBER, asker="anonymous")
        async with parts.database.transaction(person.tenant_id) as connection:
            await audit.record(
                connection, nobody, "user.sign_in_refused", subject_type="user", subject_id=person.id, reason=reason
            )


async def with_key(parts: AccountParts, *, api_key: str, is_cookie: bool = False) -> SignedIn:
    """Sign in a browser with an API key, which then need not be kept there. It ends with the key.

    Raises:
        InvalidKeyError, RevokedKeyError, ExpiredKeyError.
    """
    if not api_key.startswith(access.KEY_PREFIX):
        raise InvalidKeyError
    caller = await access.authenticate(parts.database, api_key)
    assert caller.api_key_id is not None  # it has the form of a key
    async with parts.database.transaction(caller.tenant_id) as connection:
        signed_in = await _begin(
            parts,
            connection,
            caller.tenant_id,
            user_id=None,
            key_id=caller.api_key_id,
            method="api_key",
            is_cookie=is_cookie,
        )
        await audit.record(
            connection, caller, "key.signed_in", subject_type="api_key", subject_id=caller.api_key_id, cookie=is_cookie
        )
    SIGN_INS.labels("api_key", "signed_in").inc()
    return signed_in


async def begin(parts: AccountParts, person: Person, *, method: str, is_cookie: bool) -> SignedIn:
    """The sign-in of a user who has proven who it is."""
    async with parts.database.transaction(person.tenant_id) as connection:
        signed_in = await begin_within(parts, connection, person, method=method, is_cookie=is_cookie)
    SIGN_INS.labels(method, "signed_in").inc()
    return signed_in


async def begin_within(
    parts: AccountParts, connection: AsyncConnection, person: Person, *, method: str, is_cookie: bool
) -> SignedIn:
    """The same within the transaction of what goes with it."""
    signed_in = await _begin(
        parts, connection, person.tenant_id, user_id=person.id, key_id=None, method=method, is_cookie=is_cookie
    )
    await repository.update_person(
        connection, tenant_id=person.tenant_id, user_id=person.id, values={"last_sign_in_at": now()}
    )
    await audit.record(
        connection,
        caller_of(person),
        "user.signed_in",
        subject_type="user",
        subject_id=person.id,
        method=method,
        sign_in_id=str(signed_in.sign_in.id),
    )
    return replace(signed_in, device=lockout.new_device(parts.keyring, person.email))


async def _begin(
    parts: AccountParts,
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    user_id: UUID | None,
    key_id: UUID | None,
    method: str,
    is_cookie: bool,
) -> SignedIn:
    origin, begun_at = request_origin.current(), now()
    sign_in = SignIn(
        id=new_id(),
        tenant_id=tenant_id,
        user_id=user_id,
        api_key_id=key_id,
        method=method,
        is_cookie=is_cookie,
        address=origin.address,
        user_agent=origin.user_agent,
        created_at=begun_at,
        last_used_at=begun_at,
        expires_at=begun_at + timedelta(days=parts.policy.most_days),
        revoked_at=None,
        revoked_for=None,
    )
    await tokens_repository.insert_sign_in(connection, sign_in)
    token, expires_at = await _new_refresh_token(parts, connection, sign_in)
    return await _handed_out(parts, sign_in, token, expires_at)


async def _new_refresh_token(parts: AccountParts, connection: AsyncConnection, sign_in: SignIn) -> tuple[str, datetime]:
    token = new_token(REFRESH, sign_in.tenant_id)
    expires_at = min(now() + timedelta(days=parts.policy.idle_days), sign_in.expires_at)
    await repository.insert_refresh_token(
        connection,
        tenant_id=sign_in.tenant_id,
        sign_in_id=sign_in.id,
        token_hash=hash_of(token),
        expires_at=expires_at,
    )
    return token, expires_at


async def _handed_out(
    parts: AccountParts, sign_in: SignIn, refresh_token: str, refresh_expires_at: datetime
) -> SignedIn:
    key = await signing_keys.ensure(parts.database, parts.keyring, parts.url)
    subject = str(sign_in.user_id) if sign_in.user_id is not None else f"key:{sign_in.api_key_id}"
    token, expires_at = access_tokens.issue(
        key, parts.keyring, tenant_id=sign_in.tenant_id, sign_in_id=sign_in.id, subject=subject
    )
    return SignedIn(
        sign_in=sign_in,
        access_token=token,
        access_expires_at=expires_at,
        refresh_token=refresh_token,
        refresh_expires_at=refresh_expires_at,
    )


# ---- staying signed in


async def refresh(parts: AccountParts, token: str) -> SignedIn:
    """New tokens for a refresh token, which is used up.

    Raises:
        InvalidRefreshTokenError, ReusedRefreshTokenError: of the latter the sign-in has ended.
    """
    tenant_id = tenant_of(token, REFRESH)
    if tenant_id is None:
        raise InvalidRefreshTokenError
    async with parts.database.transaction(tenant_id) as connection:
        found = await repository.find_refresh_token(connection, tenant_id=tenant_id, token_hash=hash_of(token))
        if found is None:
            raise InvalidRefreshTokenError
        sign_in = await tokens_repository.find_sign_in(connection, tenant_id=tenant_id, sign_in_id=found.sign_in_id)
        if sign_in is None or sign_in.revoked_at is not None or min(found.expires_at, sign_in.expires_at) <= now():
            raise InvalidRefreshTokenError
        if found.used_at is None:
            await _require_active(connection, sign_in)
            return await _rotate(parts, connection, sign_in, token)
        again = await _given_again(parts, connection, sign_in, token, found)
        if again is not None:
            return again
        await _end_reused(connection, sign_in)
    access_tokens.forget_sign_in(parts.database, sign_in.id)
    raise ReusedRefreshTokenError  # after the commit: the sign-in has ended


async def _require_active(connection: AsyncConnection, sign_in: SignIn) -> None:
    """Raises InvalidRefreshTokenError: the user may not sign in any more; RevokedKeyError, ExpiredKeyError of a key."""
    state = await tokens_repository.find_sign_in_state(connection, tenant_id=sign_in.tenant_id, sign_in_id=sign_in.id)
    if state is None or state.is_deactivated:
        raise InvalidRefreshTokenError
    if state.api_key_id is not None:
        access_tokens.require_open(
            await tenancy_repository.find_key(connection, tenant_id=sign_in.tenant_id, key_id=state.api_key_id)
        )


async def _rotate(parts: AccountParts, connection: AsyncConnection, sign_in: SignIn, token: str) -> SignedIn:
    successor, expires_at = await _new_refresh_token(parts, connection, sign_in)
    moment = now()
    await repository.mark_refresh_token_used(
        connection,
        tenant_id=sign_in.tenant_id,
        token_hash=hash_of(token),
        at=moment,
        sealed_successor=sealed(cache_key("successor", token), successor.encode()),
    )
    await tokens_repository.mark_sign_in_used(connection, tenant_id=sign_in.tenant_id, sign_in_id=sign_in.id, at=moment)
    return await _handed_out(parts, sign_in, successor, expires_at)


async def _given_again(
    parts: AccountParts, connection: AsyncConnection, sign_in: SignIn, token: str, found: RefreshToken
) -> SignedIn | None:
    """The successor once more, for a tab that asks at the same moment; None: this is no such thing."""
    if found.used_at is None or found.sealed_successor is None or now() - found.used_at > GRACE:
        return None
    successor = (opened(cache_key("successor", token), found.sealed_successor) or b"").decode()
    known = await repository.find_refresh_token(connection, tenant_id=sign_in.tenant_id, token_hash=hash_of(successor))
    if known is None or known.used_at is not None:
        return None
    return await _handed_out(parts, sign_in, successor, known.expires_at)


async def _end_reused(connection: AsyncConnection, sign_in: SignIn) -> None:
    await tokens_repository.revoke_sign_ins(
        connection, tenant_id=sign_in.tenant_id, sign_in_id=sign_in.id, at=now(), reason="token_reused"
    )
    nobody = Caller(tenant_id=sign_in.tenant_id, role=Role.MEMBER, asker="anonymous")
    await audit.record(
        connection,
        nobody,
        "sign_in.token_reused",
        subject_type="sign_in",
        subject_id=sign_in.id,
        user_id=None if sign_in.user_id is None else str(sign_in.user_id),
    )


# ---- signing out


async def end_by_refresh_token(parts: AccountParts, token: str) -> None:
    """Sign out who holds this refresh token; twice changes nothing.

    Raises:
        InvalidRefreshTokenError: it is not known.
    """
    tenant_id = tenant_of(token, REFRESH)
    if tenant_id is None:
        raise InvalidRefreshTokenError
    async with parts.database.transaction(tenant_id) as connection:
        found = await repository.find_refresh_token(connection, tenant_id=tenant_id, token_hash=hash_of(token))
        if found is None:
            raise InvalidRefreshTokenError
        sign_in = await tokens_repository.find_sign_in(connection, tenant_id=tenant_id, sign_in_id=found.sign_in_id)
        if sign_in is None or sign_in.revoked_at is not None:
            return
        caller = Caller(
            tenant_id=tenant_id,
            role=Role.MEMBER,
            asker=f"user:{sign_in.user_id}" if sign_in.user_id else f"key:{sign_in.api_key_id}",
        )
        await _end(connection, caller, sign_in.id, reason="signed_out")
    access_tokens.forget_sign_in(parts.database, sign_in.id)


async def sign_out(parts: AccountParts, caller: Caller) -> None:
    """Raises NotAUserError: the caller sends a key, not a token of a sign-in."""
    if caller.sign_in_id is None:
        raise NotAUserError("An API key does not sign in, so it cannot sign out. `DELETE /api/keys/…` revokes it.")
    async with parts.database.transaction(caller.tenant_id) as connection:
        await _end(connection, caller, caller.sign_in_id, reason="signed_out")
    access_tokens.forget_sign_in(parts.database, caller.sign_in_id)


async def list_own(parts: AccountParts, caller: Caller, page: PageRequest) -> Page[SignIn]:
    """The open sign-ins of the user. Raises NotAUserError."""
    async with parts.database.transaction(caller.tenant_id) as connection:
        items, total = await tokens_repository.list_sign_ins(
            connection,
            tenant_id=caller.tenant_id,
            user_id=require_user(caller),
            at=now(),
            limit=page.limit,
            offset=page.offset,
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def revoke_own(parts: AccountParts, caller: Caller, sign_in_id: UUID) -> None:
    """Raises SignInNotFoundError."""
    async with parts.database.transaction(caller.tenant_id) as connection:
        found = await tokens_repository.find_sign_in(connection, tenant_id=caller.tenant_id, sign_in_id=sign_in_id)
        if found is None or caller.user_id is None or found.user_id != caller.user_id:
            raise SignInNotFoundError
        await _end(connection, caller, sign_in_id, reason="revoked")
    access_tokens.forget_sign_in(parts.database, sign_in_id)


async def end_all(
    connection: AsyncConnection, caller: Caller, user_id: UUID, *, reason: str, but: UUID | None = None
) -> list[UUID]:
    """End the sign-ins of a user but one; their ids. Call `access_tokens.forget_user` after the commit."""
    ended = await tokens_repository.revoke_sign_ins(
        connection, tenant_id=caller.tenant_id, user_id=user_id, at=now(), reason=reason, but=but
    )
    if ended:
        await audit.record(
            connection,
            caller,
            "user.signed_out_everywhere",
            subject_type="user",
            subject_id=user_id,
            reason=reason,
            sign_ins=len(ended),
        )
    return ended


async def _end(connection: AsyncConnection, caller: Caller, sign_in_id: UUID, *, reason: str) -> None:
    ended = await tokens_repository.revoke_sign_ins(
        connection, tenant_id=caller.tenant_id, sign_in_id=sign_in_id, at=now(), reason=reason
    )
    if ended:
        await audit.record(
            connection, caller, "sign_in.ended", subject_type="sign_in", subject_id=sign_in_id, reason=reason
        )


def require_user(caller: Caller) -> UUID:
    """The id of the user. Raises NotAUserError."""
    if caller.user_id is None:
        raise NotAUserError
    return caller.user_id


def caller_of(person: Person) -> Caller:
    """The user as who does something, for the audit log."""
    return Caller(
        tenant_id=person.tenant_id,
        role=person.role,
        asker=f"user:{person.id}",
        permissions=access.PERMISSIONS[person.role],
        user_id=person.id,
    )
