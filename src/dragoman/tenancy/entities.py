"""Tenants, chatbots, keys, roles, audit events, and the caller of a request."""

from __future__ import annotations

from collections.abc import Mapping
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
    MANAGE_USERS = "users:manage"
    MANAGE_TENANT = "tenant:manage"
    READ_AUDIT = "audit:read"
    MANAGE_PERSONAL_DATA = "personal_data:manage"
    GIVE_FEEDBACK = "feedback:give"
    READ_FEEDBACK = "feedback:read"
    READ_ANALYTICS = "analytics:read"
    READ_METRICS = "metrics:read"
    MANAGE_ALERTS = "alerts:manage"


class ChatbotAccess(StrEnum):
    """Whom a chatbot is open to: all of the tenant, or those on its list, and administrators."""

    TENANT = "tenant"
    LISTED = "listed"


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
    access: ChatbotAccess = ChatbotAccess.TENANT

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
    """A key as it is kept: the secret itself is known to its holder only.

    Attributes:
        scopes: of its role's permissions it has these only; None: all of them.
        confined: nothing but `chatbot_id` exists for it.
        rotated_at: when its present secret was made, where it is not the first one.
        previous_until: so long the secret before works too.
        last_used_at, last_used_address: to the minute, and from where.
    """

    id: UUID
    tenant_id: UUID
    name: str
    description: str = ""
    prefix: str
    role: Role
    scopes: tuple[Permission, ...] | None = None
    user_id: UUID | None
    service_account_id: UUID | None = None
    chatbot_id: UUID | None
    confined: bool = False
    may_act_for_users: bool
    created_at: datetime
    expires_at: datetime | None
    rotated_at: datetime | None = None
    previous_until: datetime | None = None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """A machine with a name of its own: it has a role, keys, private documents and sessions.

    Attributes:
        is_active: False: its keys open nothing until it is active again.
    """

    id: UUID
    tenant_id: UUID
    name: str
    description: str
    role: Role
    is_active: bool
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatbotMember:
    """A user or service account with a role on one chatbot, beside that in the tenant.

    Attributes:
        id: of the user or the service account; `kind` says of which.
        name: the user's e-mail address, or the name of the service account.
    """

    id: UUID
    kind: CallerKind
    name: str
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetKey:
    """Opens a chatbot to the visitors of web sites. The key is public: what protects it is the list of origins.

    Attributes:
        public_key: `dgw_…`, as it stands in the page.
        origins: `https://www.example.com`, or `https://*.example.com` for all below it.
        allows_no_origin: programs that send no `Origin` header, such as apps, get tokens too.
    """

    id: UUID
    tenant_id: UUID
    chatbot_id: UUID
    name: str
    public_key: str
    origins: tuple[str, ...]
    allows_no_origin: bool
    created_by: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class CallerKind(StrEnum):
    """Who asks: a user (signed in, or by a key of his own), a key of nobody, a machine, a visitor, or Dragoman itself."""

    USER = "user"
    KEY = "key"
    SERVICE_ACCOUNT = "service_account"
    VISITOR = "visitor"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the rights of a caller differ from chatbot to chatbot.

    Attributes:
        roles: on single chatbots, beside the role in the tenant.
        hidden: chatbots with a list that the caller is not on.
        only: nothing but this chatbot exists for the caller.
        default_chatbot_id: which a request means that names none.
    """

    roles: Mapping[UUID, Role] = field(default_factory=dict)
    hidden: frozenset[UUID] = frozenset()
    only: UUID | None = None
    default_chatbot_id: UUID | None = None

    def sees(self, chatbot_id: UUID) -> bool:
        return chatbot_id not in self.hidden and self.only in (None, chatbot_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request, as proven by the key; nothing here comes from the body of the request.

    Attributes:
        asker: whose sessions and private documents these are: `user:<id>`, `key:<id>`, `service_account:<id>`,
            `visitor:<id>` or `external:<name>`.
        permissions: on the chatbot that the request concerns.
        chatbot_id: the chatbot meant when a request names none; None for the tenant's default.
        may_act_for_users: a `user_id` in a request is taken as the asker's identity.
        scopes: the caller has no other permissions, whatever its roles; None: it has all of its roles.
        reach: None: the rights are the same on every chatbot of the tenant.
        origin: the web site on which a visitor asks.
        sign_in_id: the sign-in whose token this is; None for a caller with a key.
    """

    tenant_id: UUID
    role: Role
    asker: str
    kind: CallerKind = CallerKind.SYSTEM
    permissions: frozenset[Permission] = field(default_factory=frozenset)
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    service_account_id: UUID | None = None
    widget_key_id: UUID | None = None
    chatbot_id: UUID | None = None
    may_act_for_users: bool = False
    scopes: frozenset[Permission] | None = None
    reach: Reach | None = None
    origin: str | None = None
    sign_in_id: UUID | None = None

    def sees(self, chatbot_id: UUID) -> bool:
        """Whether this chatbot of the caller's tenant exists for the caller."""
        return self.reach is None or self.reach.sees(chatbot_id)

    @property
    def hidden_chatbots(self) -> frozenset[UUID]:
        """What lists leave out, beside what is not in `only_chatbot`."""
        return frozenset() if self.reach is None else self.reach.hidden

    @property
    def only_chatbot(self) -> UUID | None:
        """The one chatbot that lists are about; None: all but the hidden ones."""
        return None if self.reach is None else self.reach.only


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to what, from where. `details` never hold secrets or the text of a document.

    Attributes:
        actor: `user:<id>`, `key:<id>`, `system`, or a pseudonym such as `external:<id>`; never a name.
        actor_name: what the actor was called then.
        address, user_agent, request_id: of the request; empty where a job or a command did it.
        salt: binds what may be erased (`details`, `address`, `user_agent`, `actor_name`); None once it is erased.
        seal, key_id: of the process that wrote the event; None and empty for events from before there were seals.
        sequence, previous_hash, hash, chain_seal, chain_key_id: its place in the chain; None until it has one.
    """

    id: UUID
    actor: str
    action: str
    subject_type: str
    subject_id: UUID | None
    details: dict[str, Any]
    created_at: datetime
    actor_name: str = ""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    salt: bytes | None = None
    content_hash: bytes | None = None
    seal: bytes | None = None
    key_id: str = ""
    sequence: int | None = None
    previous_hash: bytes | None = None
    hash: bytes | None = None
    chain_seal: bytes | None = None
    chain_key_id: str | None = None
