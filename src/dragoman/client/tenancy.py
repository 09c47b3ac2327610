"""Chatbots, who may have them, service accounts, keys and limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dragoman.client.models import (
    ApiKey,
    Chatbot,
    ChatbotMember,
    CreatedApiKey,
    Limits,
    ServiceAccount,
    SuggestedQuestion,
    VisitorToken,
    WidgetKey,
)
from dragoman.client.paging import pages
from dragoman.client.transport import Transport

_CHATBOTS = "/api/chatbots/"
_KEYS = "/api/keys/"
_LIMITS = "/api/limits/"
_SERVICE_ACCOUNTS = "/api/service-accounts/"


class Chatbots:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self, name: str, *, description: str = "", settings: dict[str, Any] | None = None, access: str = "tenant"
    ) -> Chatbot:
        """`access`: `tenant` for all of the tenant, `listed` for those with a role on it."""
        body: dict[str, Any] = {"name": name, "description": description, "settings": settings or {}}
        if access != "tenant":
            body["access"] = access
        return Chatbot.model_validate(await self._transport.request("POST", _CHATBOTS, json=body))

    async def get(self, chatbot_id: UUID | str) -> Chatbot:
        return Chatbot.model_validate(await self._transport.request("GET", f"{_CHATBOTS}{chatbot_id}/"))

    async def list(self) -> AsyncIterator[Chatbot]:
        """All chatbots of the tenant, fetched page by page."""
        async for item in pages(self._transport, _CHATBOTS, "chatbots", {}):
            yield Chatbot.model_validate(item)

    async def update(
        self,
        chatbot_id: UUID | str,
        *,
        name: str | None = None,
        description: str | None = None,
        settings: dict[str, Any] | None = None,
        is_default: bool | None = None,
        access: str | None = None,
    ) -> Chatbot:
        """Change what is given. `settings` are merged into the present ones; a None value restores a default."""
        body = {"name": name, "description": description, "settings": settings, "is_default": is_default}
        body["access"] = access
        given = {field: value for field, value in body.items() if value is not None}
        return Chatbot.model_validate(await self._transport.request("PATCH", f"{_CHATBOTS}{chatbot_id}/", json=given))

    async def delete(self, chatbot_id: UUID | str) -> None:
        await self._transport.request("DELETE", f"{_CHATBOTS}{chatbot_id}/")

    async def suggestions(
        self, chatbot_id: UUID | str, *, language: str | None = None, limit: int = 4
    ) -> Sequence[SuggestedQuestion]:
        """Questions that this chatbot can answer, those in the language (ISO 639-1) first; `limit` is at most 12."""
        params: dict[str, Any] = {"limit": limit}
        if language is not None:
            params["language"] = language
        found = await self._transport.request("GET", f"{_CHATBOTS}{chatbot_id}/suggestions/", params=params)
        return [SuggestedQuestion.model_validate(item) for item in found["suggestions"]]

    async def members(self, chatbot_id: UUID | str) -> AsyncIterator[ChatbotMember]:
        """Who has a role of his own on this chatbot, fetched page by page."""
        async for item in pages(self._transport, f"{_CHATBOTS}{chatbot_id}/members/", "members", {}):
            yield ChatbotMember.model_validate(item)

    async def set_member(self, chatbot_id: UUID | str, member_id: UUID | str, role: str) -> ChatbotMember:
        """Give a user or service account a role on this chatbot."""
        path = f"{_CHATBOTS}{chatbot_id}/members/{member_id}/"
        return ChatbotMember.model_validate(await self._transport.request("PUT", path, json={"role": role}))

    async def remove_member(self, chatbot_id: UUID | str, member_id: UUID | str) -> None:
        await self._transport.request("DELETE", f"{_CHATBOTS}{chatbot_id}/members/{member_id}/")


class WidgetKeys:
    """Public keys, with which visitors of web sites may ask a chatbot."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self, chatbot_id: UUID | str, name: str, *, origins: Sequence[str], allows_no_origin: bool = False
    ) -> WidgetKey:
        """A new key. Origins: `https://www.example.com`, or `https://*.example.com` for all below it."""
        body = {"name": name, "origins": list(origins), "allows_no_origin": allows_no_origin}
        return WidgetKey.model_validate(await self._transport.request("POST", self._path(chatbot_id), json=body))

    async def list(self, chatbot_id: UUID | str) -> AsyncIterator[WidgetKey]:
        """The widget keys of a chatbot, fetched page by page."""
        async for item in pages(self._transport, self._path(chatbot_id), "widget_keys", {}):
            yield WidgetKey.model_validate(item)

    async def update(
        self,
        chatbot_id: UUID | str,
        widget_key_id: UUID | str,
        *,
        name: str | None = None,
        origins: Sequence[str] | None = None,
        allows_no_origin: bool | None = None,
    ) -> WidgetKey:
        """Change what is given."""
        body: dict[str, Any] = {"name": name, "allows_no_origin": allows_no_origin}
        body["origins"] = None if origins is None else list(origins)
        given = {field: value for field, value in body.items() if value is not None}
        path = f"{self._path(chatbot_id)}{widget_key_id}/"
        return WidgetKey.model_validate(await self._transport.request("PATCH", path, json=given))

    async def revoke(self, chatbot_id: UUID | str, widget_key_id: UUID | str) -> WidgetKey:
        path = f"{self._path(chatbot_id)}{widget_key_id}/"
        return WidgetKey.model_validate(await self._transport.request("DELETE", path))

    async def admit(self, public_key: str, *, token: str | None = None) -> VisitorToken:
        """A token for a new visitor, or for the one whom an earlier token proves.

        For programs, which send no origin: the key has to allow that.
        """
        body = {"key": public_key} if token is None else {"key": public_key, "token": token}
        return VisitorToken.model_validate(await self._transport.request("POST", "/api/widget/tokens/", json=body))

    @staticmethod
    def _path(chatbot_id: UUID | str) -> str:
        return f"{_CHATBOTS}{chatbot_id}/widget-keys/"


class ServiceAccounts:
    """Machines with a name, a role and keys."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(self, name: str, *, description: str = "", role: str = "member") -> ServiceAccount:
        body = {"name": name, "description": description, "role": role}
        return ServiceAccount.model_validate(await self._transport.request("POST", _SERVICE_ACCOUNTS, json=body))

    async def get(self, account_id: UUID | str) -> ServiceAccount:
        return ServiceAccount.model_validate(await self._transport.request("GET", f"{_SERVICE_ACCOUNTS}{account_id}/"))

    async def list(self) -> AsyncIterator[ServiceAccount]:
        """All service accounts of the tenant, fetched page by page."""
        async for item in pages(self._transport, _SERVICE_ACCOUNTS, "service_accounts", {}):
            yield ServiceAccount.model_validate(item)

    async def update(
        self,
        account_id: UUID | str,
        *,
        name: str | None = None,
        description: str | None = None,
        role: str | None = None,
        is_active: bool | None = None,
    ) -> ServiceAccount:
        """Change what is given. Its keys follow."""
        body = {"name": name, "description": description, "role": role, "is_active": is_active}
        given = {field: value for field, value in body.items() if value is not None}
        path = f"{_SERVICE_ACCOUNTS}{account_id}/"
        return ServiceAccount.model_validate(await self._transport.request("PATCH", path, json=given))

    async def delete(self, account_id: UUID | str) -> None:
        """Delete a service account with its keys."""
        await self._transport.request("DELETE", f"{_SERVICE_ACCOUNTS}{account_id}/")


class Keys:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        name: str,
        *,
        role: str = "member",
        user_email: str | None = None,
        chatbot_id: UUID | str | None = None,
        may_act_for_users: bool = False,
        expires_at: datetime | None = None,
        description: str = "",
        scopes: Sequence[str] | None = None,
        service_account_id: UUID | str | None = None,
        confined: bool = False,
    ) -> CreatedApiKey:
        """A new key; its secret is in the answer and nowhere else.

        Args:
            scopes: of its role's permissions it has these only.
            confined: nothing but `chatbot_id` exists for it.
        """
        body: dict[str, Any] = {"name": name, "role": role, "may_act_for_users": may_act_for_users}
        if user_email is not None:
            body["user_email"] = user_email
        if chatbot_id is not None:
            body["chatbot_id"] = str(chatbot_id)
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        if description:
            body["description"] = description
        if scopes is not None:
            body["scopes"] = list(scopes)
        if service_account_id is not None:
            body["service_account_id"] = str(service_account_id)
        if confined:
            body["confined"] = True
        return CreatedApiKey.model_validate(await self._transport.request("POST", _KEYS, json=body))

    async def list(self, *, service_account_id: UUID | str | None = None) -> AsyncIterator[ApiKey]:
        """All keys of the tenant, or of one service account, without their secrets, fetched page by page."""
        wanted = {} if service_account_id is None else {"service_account_id": str(service_account_id)}
        async for item in pages(self._transport, _KEYS, "keys", wanted):
            yield ApiKey.model_validate(item)

    async def update(self, key_id: UUID | str, *, name: str | None = None, description: str | None = None) -> ApiKey:
        """Change name or description."""
        given = {field: value for field, value in (("name", name), ("description", description)) if value is not None}
        return ApiKey.model_validate(await self._transport.request("PATCH", f"{_KEYS}{key_id}/", json=given))

    async def rotate(
        self, key_id: UUID | str, *, grace_hours: float = 24.0, expires_at: datetime | None = None
    ) -> CreatedApiKey:
        """A new secret for a key. The present one works for `grace_hours` more."""
        body: dict[str, Any] = {"grace_hours": grace_hours}
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        return CreatedApiKey.model_validate(
            await self._transport.request("POST", f"{_KEYS}{key_id}/rotate/", json=body)
        )

    async def revoke(self, key_id: UUID | str) -> ApiKey:
        return ApiKey.model_validate(await self._transport.request("DELETE", f"{_KEYS}{key_id}/"))


class TenantLimits:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def read(self) -> Limits:
        """What your tenant has set, and what holds."""
        return Limits.model_validate(await self._transport.request("GET", _LIMITS))

    async def set(self, limits: Mapping[str, int | None]) -> Limits:
        """Set all limits of your tenant; those left out, or None, are the installation's, and 0 is no limit."""
        return Limits.model_validate(await self._transport.request("PUT", _LIMITS, json=dict(limits)))
