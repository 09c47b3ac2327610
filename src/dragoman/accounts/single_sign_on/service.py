"""Signing in with an identity provider: begin in a browser, come back to the same one, become a user of the tenant.

    begin -> the provider's page -> finish -> openid.identify -> _person -> sign_in.begin

Who comes back must be who began: state, nonce and PKCE's verifier lie sealed in a cookie of that browser. Who the provider
names is found by issuer and subject; the first time by an address that it vouches for, since an address alone could be
anybody's.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.accounts import addresses, sign_in
from dragoman.accounts import repository as accounts_repository
from dragoman.accounts.entities import Person, SignedIn
from dragoman.accounts.errors import (
    InvalidAddressError,
    SingleSignOnNotFoundError,
    SingleSignOnRefusedError,
    TooManyAttemptsError,
)
from dragoman.accounts.lockout import WINDOW_S
from dragoman.accounts.parts import AccountParts
from dragoman.accounts.single_sign_on import openid, repository
from dragoman.accounts.single_sign_on.entities import Identity, Provider, Refusal
from dragoman.accounts.single_sign_on.openid import Challenge, Client
from dragoman.accounts.users.service import require_not_above
from dragoman.kit import request_origin
from dragoman.kit.addresses import counted_together
from dragoman.kit.clock import new_id, now
from dragoman.kit.encryption import TamperedError, UnknownKeyError
from dragoman.kit.errors import DragomanError
from dragoman.tenancy import audit
from dragoman.tenancy.entities import Caller, Role

_LASTS: Final = timedelta(minutes=10)
_STATE_PLACE: Final = "single-sign-on/state"
_LISTINGS_PER_ATTEMPT: Final = 10  # each visit of the page asks, also of those who have a password


# ---- finding it


async def list_offered(parts: AccountParts, tenant_id: UUID | None) -> list[Provider]:
    """The identity providers that the page for signing in offers: of this tenant, or of the only one that has any.

    A tenant that nobody has, or that has none, answers as no tenant does where several have one: with nothing.

    Raises:
        TooManyAttemptsError: this network address has asked too often.
    """
    allowance = await parts.attempts.take(
        f"single-sign-on-from:{counted_together(request_origin.current().address)}",
        limit=_LISTINGS_PER_ATTEMPT * parts.policy.attempts_per_address,
        per_s=WINDOW_S,
    )
    if not allowance.is_granted:
        raise TooManyAttemptsError(retry_after_s=allowance.wait_s)
    if tenant_id is None:
        async with parts.database.system_transaction() as connection:
            tenant_id = await repository.find_only_tenant(connection)
    if tenant_id is None:
        return []
    async with parts.database.transaction(tenant_id) as connection:
        provider = await repository.find_provider(connection, tenant_id=tenant_id)
    return [] if provider is None else [provider]


def start_url(parts: AccountParts, provider: Provider) -> str:
    """Where people begin to sign in."""
    return f"{parts.url}/api/auth/single-sign-on/{provider.tenant_id}/start/"


# ---- setting it up


async def get_provider(parts: AccountParts, tenant_id: UUID) -> Provider:
    """Raises SingleSignOnNotFoundError."""
    async with parts.database.transaction(tenant_id) as connection:
        provider = await repository.find_provider(connection, tenant_id=tenant_id)
    if provider is None:
        raise SingleSignOnNotFoundError
    return provider


async def set_provider(
    parts: AccountParts,
    caller: Caller,
    *,
    name: str,
    issuer: str,
    client_id: str,
    client_secret: str | None,
    creates_users: bool,
    default_role: Role,
    allowed_domains: tuple[str, ...],
) -> Provider:
    """Set the identity provider of the tenant. Without a secret, the present one of the same client stays.

    Raises:
        InvalidRequestError: the issuer is no https address. ForbiddenError: the role is above the caller's.
    """
    require_not_above(caller, default_role)
    openid.require_issuer(issuer)
    async with parts.database.transaction(caller.tenant_id) as connection:
        known = await repository.find_provider(connection, tenant_id=caller.tenant_id)
        sealed = parts.keyring.seal(client_secret, _secret_place(caller.tenant_id)) if client_secret else None
        if client_secret is None and known and (known.issuer, known.client_id) == (issuer, client_id):
            sealed = known.sealed_client_secret
        provider = Provider(
            tenant_id=caller.tenant_id,
            name=name,
            issuer=issuer,
            client_id=client_id,
            sealed_client_secret=sealed,
            creates_users=creates_users,
            default_role=default_role,
            allowed_domains=tuple(domain.strip().lower().removeprefix("@") for domain in allowed_domains),
            updated_at=now(),
        )
        await repository.set_provider(connection, provider)
        await audit.record(
            connection,
            caller,
            "single_sign_on.set",
            subject_type="single_sign_on",
            subject_id=None,
            issuer=issuer,
            client_id=client_id,
            creates_users=creates_users,
            default_role=default_role.value,
            allowed_domains=list(provider.allowed_domains),
        )
    return provider


async def remove_provider(parts: AccountParts, caller: Caller) -> None:
    """Raises SingleSignOnNotFoundError."""
    async with parts.database.transaction(caller.tenant_id) as connection:
        if not await repository.delete_provider(connection, tenant_id=caller.tenant_id):
            raise SingleSignOnNotFoundError
        await audit.record(connection, caller, "single_sign_on.removed", subject_type="single_sign_on", subject_id=None)


# ---- signing in


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where the browser goes, and what it keeps meanwhile."""

    url: str
    state_cookie: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """`return_to` is the page that the person wanted."""

    signed_in: SignedIn
    return_to: str


async def begin(parts: AccountParts, tenant_id: UUID, *, return_to: str) -> Begun:
    """Raises SingleSignOnNotFoundError, ProviderError, FetchError."""
    provider = await get_provider(parts, tenant_id)
    challenge = Challenge(
        state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48)
    )
    until = now() + _LASTS
    url = await openid.authorization_url(parts.network, _client(parts, provider), challenge)
    kept = {
        "tenant": str(tenant_id),
        "state": challenge.state,
        "nonce": challenge.nonce,
        "verifier": challenge.verifier,
        "return_to": _own_path(return_to),
        "until": int(until.timestamp()),
    }
    return Begun(url=url, state_cookie=parts.keyring.seal(json.dumps(kept), _STATE_PLACE), until=until)


async def finish(
    parts: AccountParts,
    *,
    state_cookie: str | None,
    state: str,
    code: str | None,
    issuer: str | None,
    error: str | None,
) -> Finished:
    """Sign in who comes back from the provider. What is refused is audited.

    Args:
        issuer: `iss` of the answer (RFC 9207), where the provider sends it.

    Raises:
        SingleSignOnRefusedError, SingleSignOnNotFoundError, ProviderError, FetchError.
    """
    kept = _opened(parts, state_cookie)
    if kept is None or not hmac.compare_digest(str(kept["state"]).encode(), state.encode("utf-8", "surrogatepass")):
        raise SingleSignOnRefusedError(
            "This sign-in was not begun in this browser, or long ago. Begin again.", why=Refusal.NOT_BEGUN
        )
    tenant_id = UUID(str(kept["tenant"]))
    challenge = Challenge(state=state, nonce=str(kept["nonce"]), verifier=str(kept["verifier"]))
    try:
        provider = await get_provider(parts, tenant_id)
        if error is not None or code is None:
            raise SingleSignOnRefusedError(
                "The identity provider did not let you in. Begin again.", why=Refusal.DECLINED
            )
        if issuer is not None and issuer != provider.issuer:
            raise SingleSignOnRefusedError("Another identity provider answered than was asked. Begin again.")
        identity = await openid.identify(parts.network, _client(parts, provider), challenge, code)
        person = await _person(parts, provider, identity)
    except SingleSignOnRefusedError as refused:
        await _audit_refused(parts, tenant_id, refused.message)
        raise
    signed_in = await sign_in.begin(parts, person, method="single_sign_on", is_cookie=True)
    return Finished(signed_in=signed_in, return_to=str(kept["return_to"]))


def refusal_url(parts: AccountParts, error: DragomanError, *, tenant_id: UUID | None, return_to: str) -> str:
    """The page for signing in, which tells why it did not succeed. It names the reason only: its words are the page's."""
    if isinstance(error, SingleSignOnRefusedError):
        why = str(error.details.get("why", Refusal.UNTRUSTED))
    else:
        why = Refusal.NOT_SET_UP if isinstance(error, SingleSignOnNotFoundError) else Refusal.UNREACHABLE
    query = {"refused": why, "next": _own_path(return_to)}
    if tenant_id is not None:
        query["tenant"] = str(tenant_id)
    return f"{parts.url}/sign-in?{urlencode(query)}"


def begun_for(parts: AccountParts, state_cookie: str | None) -> tuple[UUID | None, str]:
    """The tenant and the page for which this browser began to sign in; None and `/` where it did not."""
    kept = _opened(parts, state_cookie)
    return (None, "/") if kept is None else (UUID(str(kept["tenant"])), str(kept["return_to"]))


def _opened(parts: AccountParts, state_cookie: str | None) -> dict[str, object] | None:
    if not state_cookie:
        return None
    try:
        kept: dict[str, object] = json.loads(parts.keyring.open(state_cookie, _STATE_PLACE))
    except (TamperedError, UnknownKeyError, ValueError):
        return None
    until = kept["until"]
    return kept if isinstance(until, int) and until > now().timestamp() else None


def _own_path(return_to: str) -> str:
    """A path of this installation: whatever else would lead people elsewhere after they signed in (open redirect)."""
    is_own = return_to.startswith("/") and not return_to.startswith("//") and "\\" not in return_to
    return return_to if is_own and return_to.isprintable() else "/"


def _client(parts: AccountParts, provider: Provider) -> Client:
    sealed = provider.sealed_client_secret
    return Client(
        issuer=provider.issuer,
        client_id=provider.client_id,
        secret=None if sealed is None else parts.keyring.open(sealed, _secret_place(provider.tenant_id)),
        redirect_url=redirect_url(parts),
    )


def redirect_url(parts: AccountParts) -> str:
    """What is entered at the provider."""
    return f"{parts.url}/api/auth/single-sign-on/callback/"


def _secret_place(tenant_id: UUID) -> str:
    return f"single-sign-on/{tenant_id}/client-secret"


async def _person(parts: AccountParts, provider: Provider, identity: Identity) -> Person:
    """The user that this identity is. Raises SingleSignOnRefusedError."""
    tenant_id = provider.tenant_id
    async with parts.database.transaction(tenant_id) as connection:
        user_id = await repository.find_user_of(
            connection, tenant_id=tenant_id, issuer=identity.issuer, subject=identity.subject
        )
        if user_id is not None:
            person = await accounts_repository.find_person(connection, tenant_id=tenant_id, user_id=user_id)
        else:
            person = await _person_by_address(connection, provider, identity)
        if person is None or person.deactivated_at is not None:
            raise SingleSignOnRefusedError(
                "This user may not sign in. Ask an administrator of your tenant.", why=Refusal.DEACTIVATED
            )
    return person


async def _person_by_address(connection: AsyncConnection, provider: Provider, identity: Identity) -> Person:
    """The user with this address, or a new one; linked from now on. Raises SingleSignOnRefusedError."""
    if identity.email is None:
        raise SingleSignOnRefusedError(
            "The identity provider vouches for no address of yours. Confirm it there first.",
            why=Refusal.UNCONFIRMED_ADDRESS,
        )
    try:
        email = addresses.checked(identity.email)
    except InvalidAddressError as error:
        raise SingleSignOnRefusedError(
            "The identity provider names an address that is none.", why=Refusal.UNCONFIRMED_ADDRESS
        ) from error
    tenant_id = provider.tenant_id
    person = await accounts_repository.find_person_by_email(connection, tenant_id=tenant_id, email=email)
    if person is None:
        person = await _create(connection, provider, email, identity.name)
    elif person.deactivated_at is not None:
        return person
    await repository.insert_identity(
        connection, tenant_id=tenant_id, issuer=identity.issuer, subject=identity.subject, user_id=person.id
    )
    await audit.record(
        connection,
        sign_in.caller_of(person),
        "user.identity_linked",
        subject_type="user",
        subject_id=person.id,
        issuer=identity.issuer,
    )
    return person


async def _create(connection: AsyncConnection, provider: Provider, email: str, name: str) -> Person:
    domain = email.rpartition("@")[2]
    if not provider.creates_users or (provider.allowed_domains and domain not in provider.allowed_domains):
        raise SingleSignOnRefusedError(
            "You are no user here yet. Ask an administrator to invite you.", why=Refusal.NO_USER
        )
    user_id = new_id()
    await accounts_repository.insert_person(
        connection,
        tenant_id=provider.tenant_id,
        user_id=user_id,
        email=email,
        display_name=name,
        role=provider.default_role,
    )
    person = await accounts_repository.find_person(connection, tenant_id=provider.tenant_id, user_id=user_id)
    assert person is not None  # inserted above, in this transaction
    await audit.record(
        connection,
        sign_in.caller_of(person),
        "user.created",
        subject_type="user",
        subject_id=user_id,
        role=person.role.value,
        by="single_sign_on",
    )
    return replace(person, display_name=name)


async def _audit_refused(parts: AccountParts, tenant_id: UUID, reason: str) -> None:
    nobody = Caller(tenant_id=tenant_id, role=Role.MEMBER, asker="anonymous")
    async with parts.database.transaction(tenant_id) as connection:
        await audit.record(
            connection,
            nobody,
            "user.sign_in_refused",
            subject_type="single_sign_on",
            subject_id=None,
            reason="single_sign_on",
            detail=reason,
        )
