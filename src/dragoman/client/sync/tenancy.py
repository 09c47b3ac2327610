# Made from client/tenancy.py by `python -m dragoman.client.twin`. Change that one.
"""Chatbots and API keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from dragoman.client.models import ApiKey, Chatbot, CreatedApiKey
from dragoman.client.sync.paging import pages
from dragoman.client.sync.transport import Transport

_CHATBOTS = "/api/chatbots/"
_KEYS = "/api/keys/"


class Chatbots:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, description: str = "", settings: dict[str, Any] | None = None) -> Chatbot:
        body = {"name": name, "description": description, "settings": settings or {}}
        return Chatbot.model_validate(self._transport.request("POST", _CHATBOTS, json=body))

    def get(self, chatbot_id: UUID | str) -> Chatbot:
        return Chatbot.model_validate(self._transport.request("GET", f"{_CHATBOTS}{chatbot_id}/"))

    def list(self) -> Iterator[Chatbot]:
        """All chatbots of the tenant, fetched page by page."""
        for item in pages(self._transport, _CHATBOTS, "chatbots", {}):
            yield Chatbot.model_validate(item)

    def update(
        self,
        chatbot_id: UUID | str,
        *,
        name: str | None = None,
        description: str | None = None,
        settings: dict[str, Any] | None = None,
        is_default: bool | None = None,
    ) -> Chatbot:
        """Change what is given. `settings` are merged into the present ones; a None value restores a default."""
        body = {"name": name, "description": description, "settings": settings, "is_default": is_default}
        given = {field: value for field, value in body.items() if value is not None}
        return Chatbot.model_validate(self._transport.request("PATCH", f"{_CHATBOTS}{chatbot_id}/", json=given))

    def delete(self, chatbot_id: UUID | str) -> None:
        self._transport.request("DELETE", f"{_CHATBOTS}{chatbot_id}/")


class Keys:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        *,
        role: str = "member",
        user_email: str | None = None,
        chatbot_id: UUID | str | None = None,
        may_act_for_users: bool = False,
        expires_at: datetime | None = None,
    ) -> CreatedApiKey:
        """A new key; its secret is in the answer and nowhere else."""
        body: dict[str, Any] = {"name": name, "role": role, "may_act_for_users": may_act_for_users}
        if user_email is not None:
            body["user_email"] = user_email
        if chatbot_id is not None:
            body["chatbot_id"] = str(chatbot_id)
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        return CreatedApiKey.model_validate(self._transport.request("POST", _KEYS, json=body))

    def list(self) -> Iterator[ApiKey]:
        """All keys of the tenant, without their secrets, fetched page by page."""
        for item in pages(self._transport, _KEYS, "keys", {}):
            yield ApiKey.model_validate(item)

    def revoke(self, key_id: UUID | str) -> ApiKey:
        return ApiKey.model_validate(self._transport.request("DELETE", f"{_KEYS}{key_id}/"))
