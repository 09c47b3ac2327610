"""Users as their administrators see them, links, and what a sign-in hands out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dragoman.tenancy.entities import Role
from dragoman.tenancy.tokens.entities import SignIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user with what an administrator sees of the account."""

    id: UUID
    tenant_id: UUID
    email: str
    display_name: str
    role: Role
    has_password: bool
    created_at: datetime
    deactivated_at: datetime | None
    last_sign_in_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What proves who somebody is. `password_hash` is None where none is set."""

    person: Person
    tenant_name: str
    password_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """`sealed_successor`: the token that came after it, readable only with this one."""

    token_hash: bytes
    sign_in_id: UUID
    expires_at: datetime
    used_at: datetime | None
    sealed_successor: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The tokens of a sign-in. `device` proves to later attempts that this device has signed in before."""

    sign_in: SignIn
    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime
    device: str | None = field(default=None, repr=False)


class LinkKind(StrEnum):
    INVITATION = "invitation"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeLink:
    """A link by which a password is set. `role` is that of the user to be; None where there is a user already."""

    id: UUID
    tenant_id: UUID
    kind: LinkKind
    email: str
    role: Role | None
    user_id: UUID | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedLink:
    """A new link. `url` is shown this once; `is_mailed`: it went to the person's address too."""

    link: OneTimeLink
    url: str = field(repr=False)
    is_mailed: bool = False
