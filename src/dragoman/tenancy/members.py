"""Roles of users and service accounts on single chatbots."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.database import Database
from dragoman.kit.pagination import Page, PageRequest
from dragoman.tenancy import access, audit, repository
from dragoman.tenancy.access import RANK
from dragoman.tenancy.entities import Caller, CallerKind, ChatbotMember, Role
from dragoman.tenancy.errors import ForbiddenError, MemberNotFoundError
from dragoman.tenancy.service import get_chatbot


async def list_members(database: Database, caller: Caller, chatbot_id: UUID, page: PageRequest) -> Page[ChatbotMember]:
    """Who has a role on this chatbot, the oldest first. Raises ChatbotNotFoundError."""
    async with database.transaction(caller.tenant_id) as connection:
        await get_chatbot(connection, caller, chatbot_id)
        items, total = await repository.list_members(
            connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def set_member(
    database: Database, caller: Caller, chatbot_id: UUID, member_id: UUID, role: Role
) -> ChatbotMember:
    """Give a user or service account a role on a chatbot, or another one.

    Raises:
        ChatbotNotFoundError, MemberNotFoundError: no user or service account has this id.
        ForbiddenError: the role, or the one it has now, is above the caller's.
    """
    async with database.transaction(caller.tenant_id) as connection:
        await get_chatbot(connection, caller, chatbot_id)
        kind = await _kind_of(connection, caller, member_id)
        before = await _find(connection, caller, chatbot_id, member_id)
        _require_rank(caller, chatbot_id, role if before is None else max(role, before.role, key=RANK.__getitem__))
        await repository.set_member(
            connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id, member_id=member_id, kind=kind, role=role
        )
        member = await _find(connection, caller, chatbot_id, member_id)
        assert member is not None  # set above, in this transaction
        await audit.record(
            connection,
            caller,
            "chatbot.member_set",
            subject_type="chatbot",
            subject_id=chatbot_id,
            member=f"{kind.value}:{member_id}",
            before=None if before is None else before.role.value,
            after=role.value,
        )
    access.forget_tenant(database, caller.tenant_id)
    return member


async def remove_member(database: Database, caller: Caller, chatbot_id: UUID, member_id: UUID) -> None:
    """Take a role on a chatbot away.

    Raises:
        ChatbotNotFoundError, MemberNotFoundError, ForbiddenError: the role is above the caller's.
    """
    async with database.transaction(caller.tenant_id) as connection:
        await get_chatbot(connection, caller, chatbot_id)
        member = await _find(connection, caller, chatbot_id, member_id)
        if member is None:
            raise MemberNotFoundError
        _require_rank(caller, chatbot_id, member.role)
        await repository.delete_member(
            connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id, member_id=member_id
        )
        await audit.record(
            connection,
            caller,
            "chatbot.member_removed",
            subject_type="chatbot",
            subject_id=chatbot_id,
            member=f"{member.kind.value}:{member_id}",
            before=member.role.value,
        )
    access.forget_tenant(database, caller.tenant_id)


async def _kind_of(connection: AsyncConnection, caller: Caller, member_id: UUID) -> CallerKind:
    if await repository.find_user(connection, tenant_id=caller.tenant_id, user_id=member_id):
        return CallerKind.USER
    if await repository.find_service_account(connection, tenant_id=caller.tenant_id, account_id=member_id):
        return CallerKind.SERVICE_ACCOUNT
    raise MemberNotFoundError


async def _find(connection: AsyncConnection, caller: Caller, chatbot_id: UUID, member_id: UUID) -> ChatbotMember | None:
    return await repository.find_member(
        connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id, member_id=member_id
    )


def _require_rank(caller: Caller, chatbot_id: UUID, role: Role) -> None:
    if RANK[role] > access.rank_on(caller, chatbot_id):
        raise ForbiddenError(f"The role {role.value!r} is above your own on this chatbot.")
