"""Chatbots, their members and widgets, service accounts and keys as the HTTP API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from dragoman.tenancy.entities import (
    ApiKey,
    Chatbot,
    ChatbotAccess,
    ChatbotMember,
    Permission,
    Role,
    ServiceAccount,
    WidgetKey,
)
from dragoman.tenancy.http import RequestBody
from dragoman.tenancy.keys import CreatedKey, NewKey
from dragoman.tenancy.quotas import EffectiveQuotas, Quotas
from dragoman.tenancy.service import settings_of
from dragoman.tenancy.settings import ChatbotSettings
from dragoman.tenancy.widgets import Admitted

_MONTH_HOURS = 720
_SUGGESTIONS = 6
_ACCESS = "`tenant`: open to all of the tenant. `listed`: to those with a role on it, and to administrators."


class ChatbotIn(RequestBody):
    name: str = Field(min_length=1, max_length=200, examples=["Partner help"])
    description: str = Field("", max_length=2000)
    settings: dict[str, Any] = Field(default_factory=dict, examples=[{"max_quotes": 3}])
    access: ChatbotAccess = Field(ChatbotAccess.TENANT, description=_ACCESS)


class ChatbotPatch(RequestBody):
    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=2000)
    settings: dict[str, Any] | None = Field(
        None, description="Merged into the present settings; null restores a default."
    )
    is_default: bool | None = None
    access: ChatbotAccess | None = Field(None, description=_ACCESS)


class ChatbotOut(BaseModel):
    id: UUID
    name: str
    description: str
    is_default: bool
    access: ChatbotAccess
    settings: ChatbotSettings
    own_settings: list[str] = Field(
        description="The settings that were set for this chatbot; all others have their defaults, or the installation's."
    )
    knowledge_revision: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, chatbot: Chatbot) -> ChatbotOut:
        return cls(
            id=chatbot.id,
            name=chatbot.name,
            description=chatbot.description,
            is_default=chatbot.is_default,
            access=chatbot.access,
            settings=settings_of(chatbot),
            own_settings=sorted(chatbot.settings),
            knowledge_revision=chatbot.knowledge_revision,
            created_at=chatbot.created_at,
            updated_at=chatbot.updated_at,
        )


class ChatbotList(BaseModel):
    chatbots: list[ChatbotOut]
    total: int
    limit: int
    offset: int


class KeyIn(RequestBody):
    name: str = Field(min_length=1, max_length=200, examples=["web shop"])
    description: str = Field("", max_length=2000)
    role: Role = Role.MEMBER
    scopes: list[Permission] | None = Field(
        None,
        max_length=len(Permission),
        description="Of its role's permissions the key has these only; without it all of them.",
        examples=[["search", "documents:read"]],
    )
    user_email: str | None = Field(None, min_length=3, max_length=320, description="Binds the key to this user.")
    service_account_id: UUID | None = Field(None, description="The key stands for this service account.")
    chatbot_id: UUID | None = Field(None, description="The chatbot meant when a request names none.")
    confined: bool = Field(False, description="Nothing but that chatbot exists for the key.")
    may_act_for_users: bool = Field(False, description="A `user_id` in a request is then taken as the asker.")
    expires_at: AwareDatetime | None = Field(None, description="With its time zone: `2030-01-31T12:00:00Z`.")

    def wanted(self) -> NewKey:
        return NewKey(**{name: getattr(self, name) for name in type(self).model_fields})


class KeyPatch(RequestBody):
    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=2000)


class RotationIn(RequestBody):
    grace_hours: float = Field(
        24.0, ge=0, le=_MONTH_HOURS, description="So long the present secret works too; 0: it stops at once."
    )
    expires_at: AwareDatetime | None = Field(None, description="A new expiry; without it the key keeps its own.")


class KeyOut(BaseModel):
    id: UUID
    name: str
    description: str
    prefix: str = Field(description="The first characters of the key, to recognise it by.")
    role: Role
    scopes: list[Permission] | None
    user_id: UUID | None
    service_account_id: UUID | None
    chatbot_id: UUID | None
    confined: bool
    may_act_for_users: bool
    created_at: datetime
    expires_at: datetime | None
    rotated_at: datetime | None
    previous_until: datetime | None = Field(description="So long the secret before the last rotation works too.")
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    last_used_address: str | None = Field(description="From where it was used then.")

    @classmethod
    def of(cls, key: ApiKey) -> KeyOut:
        return cls.model_validate(key, from_attributes=True)


class CreatedKeyOut(KeyOut):
    api_key: str = Field(description="The key itself. It is shown this once; store it now.")

    @classmethod
    def of_created(cls, created: CreatedKey) -> CreatedKeyOut:
        return cls(**KeyOut.of(created.key).model_dump(), api_key=created.secret)


class KeyList(BaseModel):
    keys: list[KeyOut]
    total: int
    limit: int
    offset: int


# ---- service accounts


class ServiceAccountIn(RequestBody):
    name: str = Field(min_length=1, max_length=200, examples=["nightly import"])
    description: str = Field("", max_length=2000)
    role: Role = Role.MEMBER


class ServiceAccountPatch(RequestBody):
    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=2000)
    role: Role | None = None
    is_active: bool | None = Field(None, description="False: its keys open nothing until it is active again.")


class ServiceAccountOut(BaseModel):
    id: UUID
    name: str
    description: str
    role: Role
    is_active: bool
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, account: ServiceAccount) -> ServiceAccountOut:
        return cls.model_validate(account, from_attributes=True)


class ServiceAccountList(BaseModel):
    service_accounts: list[ServiceAccountOut]
    total: int
    limit: int
    offset: int


# ---- roles on single chatbots


class MemberIn(RequestBody):
    role: Role


class MemberOut(BaseModel):
    id: UUID
    kind: str = Field(description="`user` or `service_account`.")
    name: str = Field(description="The user's e-mail address, or the name of the service account.")
    role: Role
    created_at: datetime

    @classmethod
    def of(cls, member: ChatbotMember) -> MemberOut:
        return cls.model_validate(member, from_attributes=True)


class MemberList(BaseModel):
    members: list[MemberOut]
    total: int
    limit: int
    offset: int


# ---- widgets

_Origins = Annotated[
    list[Annotated[str, Field(max_length=300)]],
    Field(
        min_length=1,
        max_length=100,
        description="Web sites that may have the chatbot; `https://*.example.com` for all below it.",
        examples=[["https://www.example.com"]],
    ),
]
_NO_ORIGIN = "Programs that send no `Origin` header, such as apps, get tokens too."


class WidgetKeyIn(RequestBody):
    name: str = Field(min_length=1, max_length=200, examples=["our web site"])
    origins: _Origins
    allows_no_origin: bool = Field(False, description=_NO_ORIGIN)


class WidgetKeyPatch(RequestBody):
    name: str | None = Field(None, min_length=1, max_length=200)
    origins: _Origins | None = None
    allows_no_origin: bool | None = Field(None, description=_NO_ORIGIN)


class WidgetKeyOut(BaseModel):
    id: UUID
    chatbot_id: UUID
    name: str
    public_key: str = Field(description="For the page with the widget. It is no secret: its origins protect it.")
    origins: list[str]
    allows_no_origin: bool
    created_by: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: WidgetKey) -> WidgetKeyOut:
        return cls.model_validate(key, from_attributes=True)


class WidgetKeyList(BaseModel):
    widget_keys: list[WidgetKeyOut]
    total: int
    limit: int
    offset: int


class WidgetTokenIn(RequestBody):
    key: str = Field(min_length=1, max_length=100, description="The public widget key, `dgw_…`.")
    token: str | None = Field(
        None, max_length=800, description="An earlier token: the new one is for the same visitor. It may have expired."
    )


class WidgetTokenOut(BaseModel):
    token: str = Field(description="For `Authorization: Bearer …`.")
    expires_at: datetime
    visitor_id: UUID
    chatbot_id: UUID
    chatbot_name: str

    @classmethod
    def of(cls, admitted: Admitted) -> WidgetTokenOut:
        return cls(
            token=admitted.text,
            expires_at=admitted.token.expires_at,
            visitor_id=admitted.token.visitor_id,
            chatbot_id=admitted.chatbot.id,
            chatbot_name=admitted.chatbot.name,
        )


class WidgetSettingsOut(BaseModel):
    """What everybody may know who sees the widget."""

    chatbot_name: str
    title: str = Field(description="Heading of the panel; empty: the chatbot's name.")
    greeting: str = Field(description="Markdown; empty: one in the visitor's language.")
    accent: str = Field(description="`#rrggbb`.")
    position: str = Field(description="`end` or `start` of a line of writing.")
    theme: str = Field(description="`auto`, `light` or `dark`.")
    launcher_text: str
    suggestions: list[str] = Field(description="Questions to begin with that the owner has chosen, the first six.")

    @classmethod
    def of(cls, chatbot: Chatbot) -> WidgetSettingsOut:
        own = chatbot.settings.get("suggested_questions", [])
        look = settings_of(chatbot).widget.model_dump()
        return cls(chatbot_name=chatbot.name, suggestions=own[:_SUGGESTIONS], **look)


class LimitsOut(BaseModel):
    own: Quotas = Field(description="What your tenant has set.")
    effective: EffectiveQuotas = Field(description="What holds for chatbots that set none of their own; 0: no limit.")
