"""Sign-in as the HTTP API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from dragoman.accounts.entities import SignedIn
from dragoman.accounts.password_rules import MAX_CHARACTERS, MIN_CHARACTERS
from dragoman.kit.clock import now
from dragoman.tenancy.entities import Permission, Role
from dragoman.tenancy.http import RequestBody
from dragoman.tenancy.tokens.entities import SignIn

_LONGEST_EMAIL = 320
_LONGEST_TOKEN = 200
_PASSWORD_RULE = f"{MIN_CHARACTERS} to {MAX_CHARACTERS} characters; none that is easy to guess."


class SignInBody(RequestBody):
    """Address and password, or an API key."""

    email: str | None = Field(None, min_length=3, max_length=_LONGEST_EMAIL, examples=["ada@example.com"])
    password: str | None = Field(None, max_length=4 * MAX_CHARACTERS)
    tenant_id: UUID | None = Field(None, description="Where this address has users in several tenants: which is meant.")
    api_key: str | None = Field(
        None, max_length=_LONGEST_TOKEN, description="Instead of address and password: exchange a key for a sign-in."
    )
    cookie: bool = Field(False, description="Put the tokens into cookies instead of the answer: for browsers.")
    device: str | None = Field(
        None,
        max_length=1000,
        description="`device` of an earlier sign-in, for programs without cookies: this device is known then.",
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> SignInBody:
        by_password = self.email is not None and self.password is not None
        if (self.api_key is not None) == by_password or (self.api_key is not None and self.email is not None):
            raise ValueError("send either `email` and `password`, or `api_key`")
        return self


class TokensOut(BaseModel):
    """The tokens of a sign-in (RFC 6749, 5.1); those that went into cookies are null here."""

    token_type: str = "Bearer"  # noqa: S105 - the name of a kind
    sign_in_id: UUID
    expires_in: int = Field(description="Seconds until the access token expires.")
    access_token: str | None = Field(description="For `Authorization: Bearer …`.")
    refresh_token: str | None = Field(description="For `POST /api/auth/refresh/`; good once.")
    refresh_expires_at: datetime
    device: str | None = Field(None, description="Send it with the next sign-in; it opens nothing.")

    @classmethod
    def of(cls, signed_in: SignedIn) -> TokensOut:
        in_cookies = signed_in.sign_in.is_cookie
        return cls(
            sign_in_id=signed_in.sign_in.id,
            expires_in=max(0, round((signed_in.access_expires_at - now()).total_seconds())),
            access_token=None if in_cookies else signed_in.access_token,
            refresh_token=None if in_cookies else signed_in.refresh_token,
            refresh_expires_at=signed_in.refresh_expires_at,
            device=None if in_cookies else signed_in.device,
        )


class RefreshBody(RequestBody):
    refresh_token: str | None = Field(None, max_length=_LONGEST_TOKEN, description="Without it, the cookie's.")


class PasswordChange(RequestBody):
    current_password: str = Field(max_length=4 * MAX_CHARACTERS)
    new_password: str = Field(max_length=4 * MAX_CHARACTERS, description=_PASSWORD_RULE)


class ResetRequest(RequestBody):
    email: str = Field(min_length=3, max_length=_LONGEST_EMAIL)


class PasswordFromLink(RequestBody):
    token: str = Field(max_length=_LONGEST_TOKEN, description="The `token` of the link.")
    password: str = Field(max_length=4 * MAX_CHARACTERS, description=_PASSWORD_RULE)
    display_name: str | None = Field(None, max_length=200, description="Of a user who is invited.")
    cookie: bool = Field(False, description="Put the tokens into cookies instead of the answer: for browsers.")


class SignInOut(BaseModel):
    id: UUID
    method: str
    is_cookie: bool
    is_current: bool = Field(description="The one of this request.")
    address: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, sign_in: SignIn, current: UUID | None) -> SignInOut:
        values: dict[str, Any] = {name: getattr(sign_in, name) for name in cls.model_fields if name != "is_current"}
        return cls(**values, is_current=sign_in.id == current)


class SignInList(BaseModel):
    sign_ins: list[SignInOut]
    total: int
    limit: int
    offset: int


class MeOut(BaseModel):
    """The caller of this request."""

    tenant_id: UUID
    tenant_name: str
    user_id: UUID | None
    email: str | None
    display_name: str | None
    role: Role
    permissions: list[Permission]
    api_key_id: UUID | None
    sign_in_id: UUID | None
    chatbot_id: UUID | None


class MePatch(RequestBody):
    display_name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        description="What others see as your name.", examples=["Ada Lovelace"]
    )


class Jwks(BaseModel):
    """Public keys (RFC 7517)."""

    keys: list[dict[str, Any]]
