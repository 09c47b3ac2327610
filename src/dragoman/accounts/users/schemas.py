"""Users and invitations as the HTTP API shows them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.accounts.entities import CreatedLink, OneTimeLink, Person
from dragoman.tenancy.entities import Role
from dragoman.tenancy.http import RequestBody


class UserIn(RequestBody):
    email: str = Field(min_length=3, max_length=320, examples=["ada@example.com"])
    display_name: str = Field("", max_length=200)
    role: Role = Role.MEMBER


class UserPatch(RequestBody):
    display_name: str | None = Field(None, max_length=200)
    role: Role | None = None
    is_active: bool | None = Field(None, description="False: the user cannot sign in, and the user's keys are revoked.")


class UserOut(BaseModel):
    id: UUID
    email: str
    display_name: str
    role: Role
    is_active: bool
    has_password: bool
    created_at: datetime
    last_sign_in_at: datetime | None

    @classmethod
    def of(cls, person: Person) -> UserOut:
        return cls(
            id=person.id,
            email=person.email,
            display_name=person.display_name,
            role=person.role,
            is_active=person.deactivated_at is None,
            has_password=person.has_password,
            created_at=person.created_at,
            last_sign_in_at=person.last_sign_in_at,
        )


class UserList(BaseModel):
    users: list[UserOut]
    total: int
    limit: int
    offset: int


class InvitationIn(RequestBody):
    email: str = Field(min_length=3, max_length=320, examples=["bob@example.com"])
    role: Role = Role.MEMBER


class InvitationOut(BaseModel):
    id: UUID
    email: str
    role: Role | None
    created_by: str
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, link: OneTimeLink) -> InvitationOut:
        return cls.model_validate(link, from_attributes=True)


class CreatedInvitationOut(InvitationOut):
    url: str = Field(description="The link itself. It is shown this once.")
    is_mailed: bool = Field(description="It went to the address by mail; false: pass it on yourself.")

    @classmethod
    def of_created(cls, created: CreatedLink) -> CreatedInvitationOut:
        shown = InvitationOut.of(created.link).model_dump()
        return cls(**shown, url=created.url, is_mailed=created.is_mailed)


class InvitationList(BaseModel):
    invitations: list[InvitationOut]
    total: int
    limit: int
    offset: int
