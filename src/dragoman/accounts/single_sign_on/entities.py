"""The identity provider of a tenant, and who it says somebody is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dragoman.tenancy.entities import Role


class Refusal(StrEnum):
    """Why a browser was led back to the page for signing in, which has words for each."""

    NOT_BEGUN = "not_begun"
    DECLINED = "declined"
    UNTRUSTED = "untrusted"
    UNCONFIRMED_ADDRESS = "unconfirmed_address"
    NO_USER = "no_user"
    DEACTIVATED = "deactivated"
    NOT_SET_UP = "not_set_up"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How users of a tenant sign in elsewhere.

    Attributes:
        issuer: address of the provider, exactly as its tokens name it.
        sealed_client_secret: None for a public client, which PKCE alone protects.
        creates_users: whoever the provider knows becomes a user with the `default_role`.
        allowed_domains: of addresses, for those who become users; empty: any.
    """

    tenant_id: UUID
    name: str
    issuer: str
    client_id: str
    sealed_client_secret: str | None = field(repr=False)
    creates_users: bool
    default_role: Role
    allowed_domains: tuple[str, ...]
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the provider says has signed in. `email` is None where it does not vouch for one."""

    issuer: str
    subject: str
    email: str | None
    name: str
