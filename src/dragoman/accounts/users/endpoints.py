"""HTTP: the users of a tenant and their invitations."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, status

from dragoman.accounts.http import PartsDep
from dragoman.accounts.users import service
from dragoman.accounts.users.schemas import (
    CreatedInvitationOut,
    InvitationIn,
    InvitationList,
    InvitationOut,
    UserIn,
    UserList,
    UserOut,
    UserPatch,
)
from dragoman.tenancy.http import CallerWhoManagesUsers, PageDep

router = APIRouter()

# Before the paths with an id in the same place.


@router.post("/api/users/invitations/", status_code=status.HTTP_201_CREATED, tags=["users"])
async def invite_user(body: InvitationIn, caller: CallerWhoManagesUsers, parts: PartsDep) -> CreatedInvitationOut:
    """Invite somebody by a link, which is mailed where a mail server is set, and shown in this answer."""
    created = await service.invite(parts, caller, email=body.email, role=body.role)
    return CreatedInvitationOut.of_created(created)


@router.get("/api/users/invitations/", tags=["users"])
async def list_invitations(caller: CallerWhoManagesUsers, parts: PartsDep, page: PageDep) -> InvitationList:
    """List the invitations that are open, without their links."""
    found = await service.list_invitations(parts, caller, page)
    items = [InvitationOut.of(each) for each in found.items]
    return InvitationList(invitations=items, total=found.total, limit=page.limit, offset=page.offset)


@router.delete("/api/users/invitations/{invitation_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["users"])
async def revoke_invitation(invitation_id: UUID, caller: CallerWhoManagesUsers, parts: PartsDep) -> None:
    """Take an invitation back: its link is good no more."""
    await service.revoke_invitation(parts, caller, invitation_id)


@router.post("/api/users/", status_code=status.HTTP_201_CREATED, tags=["users"])
async def create_user(body: UserIn, caller: CallerWhoManagesUsers, parts: PartsDep) -> UserOut:
    """Make a user without a password: for single sign-on, or to be invited later."""
    created = await service.create_person(
        parts, caller, email=body.email, display_name=body.display_name, role=body.role
    )
    return UserOut.of(created)


@router.get("/api/users/", tags=["users"])
async def list_users(caller: CallerWhoManagesUsers, parts: PartsDep, page: PageDep) -> UserList:
    """List the users of your tenant."""
    found = await service.list_people(parts, caller, page)
    items = [UserOut.of(each) for each in found.items]
    return UserList(users=items, total=found.total, limit=page.limit, offset=page.offset)


@router.get("/api/users/{user_id}/", tags=["users"])
async def get_user(user_id: UUID, caller: CallerWhoManagesUsers, parts: PartsDep) -> UserOut:
    """Show one user."""
    return UserOut.of(await service.get_person(parts, caller, user_id))


@router.patch("/api/users/{user_id}/", tags=["users"])
async def update_user(user_id: UUID, body: UserPatch, caller: CallerWhoManagesUsers, parts: PartsDep) -> UserOut:
    """Change a user's name or role (at most your own), or deactivate the user. Takes effect within 2 seconds."""
    changed = await service.update_person(
        parts, caller, user_id, role=body.role, display_name=body.display_name, is_active=body.is_active
    )
    return UserOut.of(changed)


@router.delete("/api/users/{user_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["users"])
async def remove_user(user_id: UUID, caller: CallerWhoManagesUsers, parts: PartsDep) -> None:
    """Remove a user with sign-ins, keys and links. What the user wrote stays."""
    await service.remove_person(parts, caller, user_id)
