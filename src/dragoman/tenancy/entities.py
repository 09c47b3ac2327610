"""Tenants, chatbots, keys, roles, audit events, and the caller of a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

from dragoman.tenancy.settings import ChatbotSettings


class Role(StrEnum):
    """What a user or key may do, from most to least: see `access.PERMISSIONS`."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    AGENT = "agent"
    MEMBER = "member"


class Permission(StrEnum):
    ASK = "ask"
    SEARCH = "search"
    READ_ALL_SESSIONS = "sessions:read_all"
    READ_DOCUMENTS = "documents:read"
    CONTRIBUTE_DOCUMENTS = "documents:contribute"
    MANAGE_DOCUMENTS = "documents:manage"
    READ_CHATBOTS = "chatbots:read"
    MANAGE_CHATBOTS = "chatbots:manage"
    MANAGE_KEYS = "keys:manage"
    EXPLAIN = "explain"
    READ_USAGE = "usage:read"
    MANAGE_BUDGETS = "budgets:manage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    id: UUID
    name: str
    default_chatbot_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Chatbot:
    """`settings` are those that were set; `whole_settings` are all."""

    id: UUID
    tenant_id: UUID
    name: str
    description: str
    settings: dict[str, Any]
    active_embedding_version: int
    knowledge_revision: int
    created_at: datetime
    updated_at: datetime
    is_default: bool

    @cached_property
    def whole_settings(self) -> ChatbotSettings:
        return ChatbotSettings.model_validate(self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UUID
    tenant_id: UUID
    email: str
    display_name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept: the secret itself is known to its holder only."""

    id: UUID
    tenant_id: UUID
    name: str
    prefix: str
    role: Role
    user_id: UUID | None
    chatbot_id: UUID | None
    may_act_for_users: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request, as proven by the key; nothing here comes from the body of the request.

    Attributes:
        asker: whose sessions and private documents these are: `user:<id>`, `key:<id>` or `external:<name>`.
        chatbot_id: the chatbot meant when a request names none; None for the tenant's default.
        may_act_for_users: a `user_id` in a request is taken as the asker's identity.
    """

    tenant_id: UUID
    role: Role
    asker: str
    permissions: frozenset[Permission] = field(default_factory=frozenset)
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    chatbot_id: UUID | None = None
    may_act_for_users: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to what. `details` never hold secrets or the text of a document."""

    id: UUID
    actor: str
    action: str
    subject_type: str
    subject_id: UUID | None
    details: dict[str, Any]
    created_at: datetime
