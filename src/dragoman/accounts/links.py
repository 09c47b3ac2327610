"""Links by which somebody sets a password: invitations and resets. Good once, for a short time, kept as a hash."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.accounts import addresses, mails, password_rules, passwords, repository, sign_in
from dragoman.accounts.entities import CreatedLink, Credentials, LinkKind, OneTimeLink, Person, SignedIn
from dragoman.accounts.errors import InvalidLinkError, TooManyAttemptsError, WrongCredentialsError
from dragoman.accounts.lockout import WINDOW_S
from dragoman.accounts.parts import AccountParts
from dragoman.accounts.secrets import LINK, hash_of, new_token, tenant_of
from dragoman.kit import request_origin
from dragoman.kit.addresses import counted_together
from dragoman.kit.clock import new_id, now
from dragoman.tenancy import audit
from dragoman.tenancy.entities import Caller, Role
from dragoman.tenancy.tokens import access_tokens

_MAILS_PER_ADDRESS = 3  # to one person within the window
_REQUESTS_PER_ADDRESS = 20  # from one network address


async def create(
    parts: AccountParts,
    connection: AsyncConnection,
    caller: Caller,
    *,
    kind: LinkKind,
    email: str,
    role: Role | None = None,
    user_id: UUID | None = None,
) -> CreatedLink:
    """A new link; those of its kind for the same address are good no more."""
    policy, moment = parts.policy, now()
    lasts = (
        timedelta(hours=policy.invitation_hours)
        if kind is LinkKind.INVITATION
        else timedelta(minutes=policy.reset_minutes)
    )
    link = OneTimeLink(
        id=new_id(),
        tenant_id=caller.tenant_id,
        kind=kind,
        email=email,
        role=role,
        user_id=user_id,
        created_by=caller.asker,
        created_at=moment,
        expires_at=moment + lasts,
        used_at=None,
        revoked_at=None,
    )
    token = new_token(LINK, caller.tenant_id)
    await repository.revoke_links(connection, tenant_id=caller.tenant_id, at=moment, kind=kind, email=email)
    await repository.insert_link(connection, link, token_hash=hash_of(token))
    return CreatedLink(link=link, url=f"{parts.url}/set-password?token={token}")


# ---- asking for a new password


async def request_reset(parts: AccountParts, *, email: str) -> None:
    """Mail a link to the users with this address, if there are any. Whether there are, nobody learns.

    Raises:
        TooManyAttemptsError: this network address has asked too often.
    """
    address = request_origin.current().address
    allowance = await parts.attempts.take(
        f"reset-from:{counted_together(address)}", limit=_REQUESTS_PER_ADDRESS, per_s=WINDOW_S
    )
    if not allowance.is_granted:
        raise TooManyAttemptsError(retry_after_s=allowance.wait_s)
    parts.run_behind(_mail_resets(parts, addresses.normalised(email)), "mail-resets")


async def _mail_resets(parts: AccountParts, email: str) -> None:
    key = f"reset-to:{hash_of(email).hex()}"
    if not (await parts.attempts.take(key, limit=_MAILS_PER_ADDRESS, per_s=WINDOW_S)).is_granted:
        return
    async with parts.database.system_transaction() as connection:
        places = await repository.list_users_with_email(connection, email=email, limit=5)
    for tenant_id, user_id in places:
        async with parts.database.transaction(tenant_id) as connection:
            found = await repository.find_credentials(connection, tenant_id=tenant_id, user_id=user_id)
            if found is None or found.person.deactivated_at is not None:
                continue
            created = await create_reset(parts, connection, sign_in.caller_of(found.person), found.person)
        await parts.mailer.send(
            mails.password_reset(
                to=email, tenant_name=found.tenant_name, url=created.url, minutes=parts.policy.reset_minutes
            )
        )


async def create_first(parts: AccountParts, connection: AsyncConnection, caller: Caller, person: Person) -> CreatedLink:
    """A link for a user whom somebody has just made: good as long as an invitation. With a password, a reset."""
    if person.has_password:
        return await create_reset(parts, connection, caller, person)
    created = await create(parts, connection, caller, kind=LinkKind.INVITATION, email=person.email, user_id=person.id)
    await audit.record(
        connection, caller, "user.invited", subject_type="user", subject_id=person.id, role=person.role.value
    )
    return created


async def create_reset(parts: AccountParts, connection: AsyncConnection, caller: Caller, person: Person) -> CreatedLink:
    """A link by which this user sets a new password."""
    created = await create(parts, connection, caller, kind=LinkKind.RESET, email=person.email, user_id=person.id)
    await audit.record(connection, caller, "user.password_reset_requested", subject_type="user", subject_id=person.id)
    return created


# ---- using a link


async def set_password(
    parts: AccountParts, *, token: str, password: str, display_name: str | None = None, is_cookie: bool = False
) -> SignedIn:
    """Set the password that a link allows to set, and sign in. A user who is invited is made by it.

    All other sign-ins of the user end.

    Raises:
        InvalidLinkError, WeakPasswordError, BusyHashingError.
    """
    tenant_id = tenant_of(token, LINK)
    if tenant_id is None:
        raise InvalidLinkError
    async with parts.database.transaction(tenant_id) as connection:
        link, _ = await _open_link(connection, tenant_id, token)
        tenant_name = await repository.tenant_name(connection, tenant_id=tenant_id)
    password_rules.require_good(password, about=[link.email, tenant_name, display_name or ""])
    password_hash = await passwords.hashed(password)
    async with parts.database.transaction(tenant_id) as connection:
        link, found = await _open_link(connection, tenant_id, token)
        person = found.person if found else await _accepted(connection, link, display_name)
        await repository.mark_link_used(connection, tenant_id=tenant_id, link_id=link.id, at=now())
        await repository.revoke_links(connection, tenant_id=tenant_id, at=now(), email=link.email)
        caller = sign_in.caller_of(person)
        await _store(connection, caller, person, password_hash)
        signed_in = await sign_in.begin_within(parts, connection, person, method=link.kind.value, is_cookie=is_cookie)
    access_tokens.forget_user(parts.database, person.id)
    return signed_in


async def _open_link(
    connection: AsyncConnection, tenant_id: UUID, token: str
) -> tuple[OneTimeLink, Credentials | None]:
    """The link, and its user where there is one already. Raises InvalidLinkError."""
    link = await repository.find_link(connection, tenant_id=tenant_id, token_hash=hash_of(token))
    if link is None or link.used_at is not None or link.revoked_at is not None or link.expires_at <= now():
        raise InvalidLinkError
    person = await repository.find_person_by_email(connection, tenant_id=tenant_id, email=link.email)
    if link.user_id is None and person is None:
        return link, None
    is_meant = person is not None and link.user_id in (None, person.id) and person.deactivated_at is None
    if person is None or not is_meant or (link.user_id is None and person.has_password):
        raise InvalidLinkError
    return link, await repository.find_credentials(connection, tenant_id=tenant_id, user_id=person.id)


async def _accepted(connection: AsyncConnection, link: OneTimeLink, display_name: str | None) -> Person:
    person = Person(
        id=new_id(),
        tenant_id=link.tenant_id,
        email=link.email,
        display_name=display_name or "",
        role=link.role or Role.MEMBER,
        has_password=True,
        created_at=now(),
        deactivated_at=None,
        last_sign_in_at=None,
    )
    await repository.insert_person(
        connection,
        tenant_id=person.tenant_id,
        user_id=person.id,
        email=person.email,
        display_name=person.display_name,
        role=person.role,
    )
    await audit.record(
        connection,
        sign_in.caller_of(person),
        "user.accepted_invitation",
        subject_type="user",
        subject_id=person.id,
        role=person.role.value,
        invited_by=link.created_by,
    )
    return person


async def _store(connection: AsyncConnection, caller: Caller, person: Person, password_hash: str) -> None:
    await repository.set_password(
        connection, tenant_id=person.tenant_id, user_id=person.id, password_hash=password_hash, at=now()
    )
    await audit.record(connection, caller, "user.password_changed", subject_type="user", subject_id=person.id)
    await sign_in.end_all(connection, caller, person.id, reason="password_changed", but=caller.sign_in_id)


# ---- changing one's own


async def change_password(parts: AccountParts, caller: Caller, *, current: str, new: str) -> None:
    """Set a new password, knowing the present one. The user's other sign-ins end.

    Raises:
        NotAUserError, WrongCredentialsError, WeakPasswordError, TooManyAttemptsError, BusyHashingError.
    """
    user_id = sign_in.require_user(caller)
    allowance = await parts.attempts.take(f"change:{user_id}", limit=parts.policy.attempts, per_s=WINDOW_S)
    if not allowance.is_granted:
        raise TooManyAttemptsError(retry_after_s=allowance.wait_s)
    async with parts.database.transaction(caller.tenant_id) as connection:
        found = await repository.find_credentials(connection, tenant_id=caller.tenant_id, user_id=user_id)
    if found is None or not await passwords.matches(current, found.password_hash):
        raise WrongCredentialsError("The present password is wrong. Check it, or have a link sent for a new one.")
    person = found.person
    password_rules.require_good(new, about=[person.email, person.display_name, found.tenant_name])
    password_hash = await passwords.hashed(new)
    async with parts.database.transaction(caller.tenant_id) as connection:
        await repository.revoke_links(connection, tenant_id=caller.tenant_id, at=now(), email=person.email)
        await _store(connection, caller, person, password_hash)
    access_tokens.forget_user(parts.database, user_id)
    parts.run_behind(
        parts.mailer.send(mails.password_changed(to=person.email, tenant_name=found.tenant_name)), "mail-changed"
    )
