"""Inviting, changing and removing users. Nobody gives a role above the own, or touches a user who has one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.accounts import addresses, links, mails, repository, sign_in
from dragoman.accounts.entities import CreatedLink, LinkKind, OneTimeLink, Person
from dragoman.accounts.errors import InvitationNotFoundError, LastOwnerError, UserExistsError, UserNotFoundError
from dragoman.accounts.parts import AccountParts
from dragoman.kit.clock import new_id, now
from dragoman.kit.pagination import Page, PageRequest
from dragoman.ports.mailer import MailNotSentError
from dragoman.tenancy import access, audit
from dragoman.tenancy.entities import Caller, Role
from dragoman.tenancy.errors import ForbiddenError
from dragoman.tenancy.tokens import access_tokens

_RANK = {role: rank for rank, role in enumerate((Role.MEMBER, Role.AGENT, Role.EDITOR, Role.ADMIN, Role.OWNER))}


async def list_people(parts: AccountParts, caller: Caller, page: PageRequest) -> Page[Person]:
    async with parts.database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_people(
            connection, tenant_id=caller.tenant_id, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def get_person(parts: AccountParts, caller: Caller, user_id: UUID) -> Person:
    """Raises UserNotFoundError."""
    async with parts.database.transaction(caller.tenant_id) as connection:
        return await _get(connection, caller, user_id)


async def create_person(parts: AccountParts, caller: Caller, *, email: str, display_name: str, role: Role) -> Person:
    """A user without a password, who signs in by single sign-on or is given a link later.

    Raises:
        InvalidAddressError, UserExistsError, ForbiddenError.
    """
    address = addresses.checked(email)
    require_not_above(caller, role)
    async with parts.database.transaction(caller.tenant_id) as connection:
        if await repository.find_person_by_email(connection, tenant_id=caller.tenant_id, email=address):
            raise UserExistsError
        user_id = new_id()
        await repository.insert_person(
            connection,
            tenant_id=caller.tenant_id,
            user_id=user_id,
            email=address,
            display_name=display_name,
            role=role,
        )
        await audit.record(connection, caller, "user.created", subject_type="user", subject_id=user_id, role=role.value)
        return await _get(connection, caller, user_id)


async def update_person(
    parts: AccountParts,
    caller: Caller,
    user_id: UUID,
    *,
    role: Role | None = None,
    display_name: str | None = None,
    is_active: bool | None = None,
) -> Person:
    """Change what is given. Who is deactivated, or gets another role, has it everywhere within 2 s.

    A deactivated user's sign-ins end and the API keys bound to the user are revoked.

    Raises:
        UserNotFoundError, ForbiddenError, LastOwnerError.
    """
    async with parts.database.transaction(caller.tenant_id) as connection:
        owners = await repository.lock_owners(connection, tenant_id=caller.tenant_id)
        person = await _get(connection, caller, user_id)
        require_not_above(caller, person.role)
        values: dict[str, Any] = {}
        if role is not None and role is not person.role:
            require_not_above(caller, role)
            values["role"] = role.value
        if display_name is not None:
            values["display_name"] = display_name
        if is_active is False and person.deactivated_at is None:
            values["deactivated_at"] = now()
        elif is_active and person.deactivated_at is not None:
            values["deactivated_at"] = None
        if owners == [user_id] and ("role" in values or values.get("deactivated_at")):
            raise LastOwnerError
        await repository.update_person(connection, tenant_id=caller.tenant_id, user_id=user_id, values=values)
        revoked = await _end_access(connection, caller, user_id) if values.get("deactivated_at") else []
        await _audit_change(connection, caller, person, values)
        changed = await _get(connection, caller, user_id)
    _forget(parts, user_id, revoked)
    return changed


async def rename_self(parts: AccountParts, caller: Caller, *, display_name: str) -> None:
    """Change the caller's own name.

    Raises:
        NotAUserError, UserNotFoundError.
    """
    user_id = sign_in.require_user(caller)
    async with parts.database.transaction(caller.tenant_id) as connection:
        person = await _get(connection, caller, user_id)
        if person.display_name == display_name:
            return
        values = {"display_name": display_name}
        await repository.update_person(connection, tenant_id=caller.tenant_id, user_id=user_id, values=values)
        await _audit_change(connection, caller, person, values)


async def remove_person(parts: AccountParts, caller: Caller, user_id: UUID) -> None:
    """Remove a user for good, with sign-ins, keys and links. What the user wrote stays.

    Raises:
        UserNotFoundError, ForbiddenError, LastOwnerError.
    """
    async with parts.database.transaction(caller.tenant_id) as connection:
        owners = await repository.lock_owners(connection, tenant_id=caller.tenant_id)
        person = await _get(connection, caller, user_id)
        require_not_above(caller, person.role)
        if owners == [user_id]:
            raise LastOwnerError
        revoked = await _end_access(connection, caller, user_id)
        await repository.revoke_links(connection, tenant_id=caller.tenant_id, at=now(), email=person.email)
        await repository.delete_person(connection, tenant_id=caller.tenant_id, user_id=user_id)
        await audit.record(
            connection, caller, "user.removed", subject_type="user", subject_id=user_id, role=person.role.value
        )
    _forget(parts, user_id, revoked)


async def _end_access(connection: AsyncConnection, caller: Caller, user_id: UUID) -> list[UUID]:
    """End sign-ins and keys; the ids of the keys."""
    await sign_in.end_all(connection, caller, user_id, reason="user_changed")
    return await repository.revoke_keys_of(connection, tenant_id=caller.tenant_id, user_id=user_id, at=now())


def _forget(parts: AccountParts, user_id: UUID, key_ids: list[UUID]) -> None:
    access_tokens.forget_user(parts.database, user_id)
    for key_id in key_ids:
        access.forget_key(parts.database, key_id)


async def _audit_change(connection: AsyncConnection, caller: Caller, person: Person, values: dict[str, Any]) -> None:
    if "role" in values:
        await audit.record(
            connection,
            caller,
            "user.role_changed",
            subject_type="user",
            subject_id=person.id,
            before=person.role.value,
            after=values["role"],
        )
    if "deactivated_at" in values:
        action = "user.deactivated" if values["deactivated_at"] else "user.activated"
        await audit.record(connection, caller, action, subject_type="user", subject_id=person.id)
    if "display_name" in values:
        await audit.record(connection, caller, "user.renamed", subject_type="user", subject_id=person.id)


async def _get(connection: AsyncConnection, caller: Caller, user_id: UUID) -> Person:
    person = await repository.find_person(connection, tenant_id=caller.tenant_id, user_id=user_id)
    if person is None:
        raise UserNotFoundError
    return person


def require_not_above(caller: Caller, role: Role) -> None:
    """Raises ForbiddenError: the role is above the caller's own."""
    if _RANK[role] > _RANK[caller.role]:
        raise ForbiddenError(f"The role {caller.role.value!r} has no power over {role.value!r}. Ask an owner.")


# ---- invitations


async def invite(parts: AccountParts, caller: Caller, *, email: str, role: Role) -> CreatedLink:
    """A link by which somebody becomes a user with this role, mailed to the address. An older one is good no more.

    A user without a password may be invited too and keeps the present role.

    Raises:
        InvalidAddressError, ForbiddenError, UserExistsError: that user has a password.
    """
    address = addresses.checked(email)
    require_not_above(caller, role)
    async with parts.database.transaction(caller.tenant_id) as connection:
        person = await repository.find_person_by_email(connection, tenant_id=caller.tenant_id, email=address)
        if person is not None:
            require_not_above(caller, person.role)
            if person.has_password or person.deactivated_at is not None:
                raise UserExistsError
            role = person.role
        created = await links.create(parts, connection, caller, kind=LinkKind.INVITATION, email=address, role=role)
        await audit.record(
            connection,
            caller,
            "user.invited",
            subject_type="invitation",
            subject_id=created.link.id,
            email=address,
            role=role.value,
        )
        tenant_name = await repository.tenant_name(connection, tenant_id=caller.tenant_id)
    return await _mailed(parts, created, tenant_name)


async def _mailed(parts: AccountParts, created: CreatedLink, tenant_name: str) -> CreatedLink:
    """The same, once it is told whether the mail was taken: who invites can pass the link on otherwise."""
    mail = mails.invitation(
        to=created.link.email, tenant_name=tenant_name, url=created.url, hours=parts.policy.invitation_hours
    )
    try:
        await parts.mailer.send(mail)
    except MailNotSentError:
        return created
    return replace(created, is_mailed=parts.mailer.reaches_people)


async def list_invitations(parts: AccountParts, caller: Caller, page: PageRequest) -> Page[OneTimeLink]:
    """Those that are open, newest first."""
    async with parts.database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_open_links(
            connection,
            tenant_id=caller.tenant_id,
            kind=LinkKind.INVITATION,
            at=now(),
            limit=page.limit,
            offset=page.offset,
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def revoke_invitation(parts: AccountParts, caller: Caller, invitation_id: UUID) -> None:
    """Raises InvitationNotFoundError."""
    async with parts.database.transaction(caller.tenant_id) as connection:
        revoked = await repository.revoke_links(
            connection, tenant_id=caller.tenant_id, at=now(), kind=LinkKind.INVITATION, link_id=invitation_id
        )
        if not revoked:
            raise InvitationNotFoundError
        await audit.record(
            connection, caller, "user.invitation_revoked", subject_type="invitation", subject_id=invitation_id
        )
