"""Signing keys, sign-ins, and what an access token says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from dragoman.tenancy.entities import Role

ACCESS_TOKEN_S: Final = 900
"""How long an access token opens, in seconds. A key that signs no more verifies for as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key pair (ES256, RFC 7518). `public_key` is a JWK (RFC 7517); the private one is sealed by the master key.

    Attributes:
        id: the `kid` of what it signs.
        issuer: the address of the installation when the key was made: the `iss` of what it signs.
        retired_at: it has signed nothing since then.
    """

    id: str
    issuer: str
    public_key: dict[str, Any]
    sealed_private_key: str = field(repr=False)
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in of a user, or of the holder of an API key in a browser.

    Attributes:
        method: `password`, `invitation`, `single_sign_on` or `api_key`.
        is_cookie: its tokens are in cookies.
        expires_at: it cannot be refreshed beyond this moment.
        revoked_for: why it was ended: `signed_out`, `revoked`, `password_changed`, `user_changed`, `user_erased`, `token_reused`.
    """

    id: UUID
    tenant_id: UUID
    user_id: UUID | None
    api_key_id: UUID | None
    method: str
    is_cookie: bool
    address: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_for: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInState:
    """What a sign-in is worth now. `role` is the user's; None for that of an API key."""

    user_id: UUID | None
    api_key_id: UUID | None
    role: Role | None
    is_deactivated: bool
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a valid access token says: nothing that could change meanwhile, so that it is never wrong."""

    tenant_id: UUID
    sign_in_id: UUID
    subject: str
    expires_at: datetime
