"""Signing in, one's own sign-ins, the users of a tenant and their invitations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from dragoman.client.models import (
    CreatedInvitation,
    IdentityProvider,
    Invitation,
    Me,
    OfferedSignOn,
    SignIn,
    Tokens,
    User,
)
from dragoman.client.paging import pages
from dragoman.client.transport import Transport

_AUTH = "/api/auth/"
_SIGN_INS = f"{_AUTH}sign-ins/"
_USERS = "/api/users/"
_SINGLE_SIGN_ON = "/api/single-sign-on/"
_INVITATIONS = f"{_USERS}invitations/"


class Accounts:
    """Signing in and out. `Dragoman(url, tokens.access_token)` is the client of who has signed in."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def sign_in(
        self, email: str, password: str, *, tenant_id: UUID | str | None = None, device: str | None = None
    ) -> Tokens:
        """`tenant_id` where the address has users in several; `device`: of an earlier sign-in on this device."""
        body: dict[str, Any] = {"email": email, "password": password, "device": device}
        if tenant_id is not None:
            body["tenant_id"] = str(tenant_id)
        return Tokens.model_validate(await self._transport.request("POST", f"{_AUTH}sign-in/", json=body))

    async def refresh(self, refresh_token: str) -> Tokens:
        """New tokens; this refresh token is used up. One that is used again ends the sign-in."""
        body = {"refresh_token": refresh_token}
        return Tokens.model_validate(await self._transport.request("POST", f"{_AUTH}refresh/", json=body))

    async def sign_out(self, refresh_token: str) -> None:
        await self._transport.request("POST", f"{_AUTH}sign-out/", json={"refresh_token": refresh_token})

    async def me(self) -> Me:
        """Who this client is to the API, and what it may do."""
        return Me.model_validate(await self._transport.request("GET", f"{_AUTH}me/"))

    async def rename_me(self, display_name: str) -> Me:
        """Change one's own name. Who is no user has none: an ApiError with status 403."""
        body = {"display_name": display_name}
        return Me.model_validate(await self._transport.request("PATCH", f"{_AUTH}me/", json=body))

    async def sign_ins(self) -> AsyncIterator[SignIn]:
        """One's own open sign-ins, the newest first."""
        async for item in pages(self._transport, _SIGN_INS, "sign_ins", {}):
            yield SignIn.model_validate(item)

    async def end_sign_in(self, sign_in_id: UUID | str) -> None:
        await self._transport.request("DELETE", f"{_SIGN_INS}{sign_in_id}/")

    async def change_password(self, current: str, new: str) -> None:
        """One's other sign-ins end."""
        body = {"current_password": current, "new_password": new}
        await self._transport.request("POST", f"{_AUTH}password/", json=body)

    async def request_password_reset(self, email: str) -> None:
        """Have a link mailed, if there is such a user; the answer is the same."""
        await self._transport.request("POST", f"{_AUTH}password-reset/", json={"email": email})

    async def set_password(self, token: str, password: str, *, display_name: str | None = None) -> Tokens:
        """Accept an invitation, or set a new password, with the `token` of a link; and sign in."""
        body = {"token": token, "password": password, "display_name": display_name}
        return Tokens.model_validate(await self._transport.request("POST", f"{_AUTH}set-password/", json=body))

    async def jwks(self) -> dict[str, Any]:
        """The public keys of access tokens (RFC 7517)."""
        keys: dict[str, Any] = await self._transport.request("GET", "/.well-known/jwks.json")
        return keys


class SingleSignOn:
    """The identity provider of the tenant."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self) -> IdentityProvider:
        return IdentityProvider.model_validate(await self._transport.request("GET", _SINGLE_SIGN_ON))

    async def set(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str | None = None,
        name: str = "Single sign-on",
        creates_users: bool = False,
        default_role: str = "member",
        allowed_domains: Sequence[str] = (),
    ) -> IdentityProvider:
        """Without a secret, the present one of the same client stays."""
        body = {
            "name": name,
            "issuer": issuer,
            "client_id": client_id,
            "client_secret": client_secret,
            "creates_users": creates_users,
            "default_role": default_role,
            "allowed_domains": [*allowed_domains],
        }
        return IdentityProvider.model_validate(await self._transport.request("PUT", _SINGLE_SIGN_ON, json=body))

    async def remove(self) -> None:
        await self._transport.request("DELETE", _SINGLE_SIGN_ON)

    async def offered(self, tenant_id: UUID | str | None = None) -> list[OfferedSignOn]:
        """What a page for signing in offers; without a tenant, of the only one that has any."""
        params = {} if tenant_id is None else {"tenant": str(tenant_id)}
        found = await self._transport.request("GET", f"{_AUTH}single-sign-on/", params=params)
        return [OfferedSignOn.model_validate(item) for item in found["providers"]]


class Users:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> AsyncIterator[User]:
        """All users of the tenant, fetched page by page."""
        async for item in pages(self._transport, _USERS, "users", {}):
            yield User.model_validate(item)

    async def get(self, user_id: UUID | str) -> User:
        return User.model_validate(await self._transport.request("GET", f"{_USERS}{user_id}/"))

    async def create(self, email: str, *, display_name: str = "", role: str = "member") -> User:
        """A user without a password."""
        body = {"email": email, "display_name": display_name, "role": role}
        return User.model_validate(await self._transport.request("POST", _USERS, json=body))

    async def update(
        self,
        user_id: UUID | str,
        *,
        display_name: str | None = None,
        role: str | None = None,
        is_active: bool | None = None,
    ) -> User:
        """Change what is given. `is_active=False` ends the user's sign-ins and revokes the user's keys."""
        body = {"display_name": display_name, "role": role, "is_active": is_active}
        given = {field: value for field, value in body.items() if value is not None}
        return User.model_validate(await self._transport.request("PATCH", f"{_USERS}{user_id}/", json=given))

    async def remove(self, user_id: UUID | str) -> None:
        await self._transport.request("DELETE", f"{_USERS}{user_id}/")

    async def invite(self, email: str, *, role: str = "member") -> CreatedInvitation:
        """The link is in the answer, and mailed where a mail server is set."""
        body = {"email": email, "role": role}
        return CreatedInvitation.model_validate(await self._transport.request("POST", _INVITATIONS, json=body))

    async def invitations(self) -> AsyncIterator[Invitation]:
        """Those that are open."""
        async for item in pages(self._transport, _INVITATIONS, "invitations", {}):
            yield Invitation.model_validate(item)

    async def revoke_invitation(self, invitation_id: UUID | str) -> None:
        await self._transport.request("DELETE", f"{_INVITATIONS}{invitation_id}/")
