"""Chatbots and API keys as the HTTP API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from dragoman.tenancy.entities import ApiKey, Chatbot, Role
from dragoman.tenancy.http import RequestBody
from dragoman.tenancy.service import CreatedKey, settings_of


class ChatbotIn(RequestBody):
    name: str = Field(min_length=1, max_length=200, examples=["Partner help"])
    description: str = Field("", max_length=2000)
    settings: dict[str, Any] = Field(default_factory=dict, examples=[{"max_quotes": 3}])


class ChatbotPatch(RequestBody):
    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=2000)
    settings: dict[str, Any] | None = Field(
        None, description="Merged into the present settings; null restores a default."
    )
    is_default: bool | None = None


class ChatbotOut(BaseModel):
    id: UUID
    name: str
    description: str
    is_default: bool
    settings: dict[str, Any]
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
            settings=settings_of(chatbot).model_dump(),
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
    role: Role = Role.MEMBER
    user_email: str | None = Field(None, min_length=3, max_length=320, description="Binds the key to this user.")
    chatbot_id: UUID | None = Field(None, description="The chatbot meant when a request names none.")
    may_act_for_users: bool = Field(False, description="A `user_id` in a request is then taken as the asker.")
    expires_at: AwareDatetime | None = Field(None, description="With its time zone: `2030-01-31T12:00:00Z`.")


class KeyOut(BaseModel):
    id: UUID
    name: str
    prefix: str = Field(description="The first characters of the key, to recognise it by.")
    role: Role
    user_id: UUID | None
    chatbot_id: UUID | None
    may_act_for_users: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

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
