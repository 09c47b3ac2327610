"""How endpoints state who may call them: a parameter typed `CallerWith…` is the permission check."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dragoman.kit.database import Database
from dragoman.kit.pagination import MAX_LIMIT, PageRequest
from dragoman.tenancy import access
from dragoman.tenancy.entities import Caller, Permission

_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key (`dgm_…`).")
_bearer = HTTPBearer(auto_error=False, description="The same API key as a bearer token.")


async def _database(request: Request) -> Database:  # async, as all of them: FastAPI gives plain functions to threads
    database: Database = request.app.state.database
    return database


DatabaseDep = Annotated[Database, Depends(_database)]


async def _caller(
    request: Request,
    database: DatabaseDep,
    key: Annotated[str | None, Depends(_header)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    caller = await access.authenticate(database, key or (bearer.credentials if bearer else None))
    request.state.tenant_id = caller.tenant_id
    return caller


def _with(permission: Permission) -> Callable[[Caller], Coroutine[Any, Any, Caller]]:
    async def check(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        return access.require(caller, permission)

    check.permission = permission  # type: ignore[attr-defined]  # for `deps.http.lean`
    return check


AnyCaller = Annotated[Caller, Depends(_caller)]
CallerWhoAsks = Annotated[Caller, Depends(_with(Permission.ASK))]
CallerWhoSearches = Annotated[Caller, Depends(_with(Permission.SEARCH))]
CallerWhoReadsDocuments = Annotated[Caller, Depends(_with(Permission.READ_DOCUMENTS))]
CallerWhoContributes = Annotated[Caller, Depends(_with(Permission.CONTRIBUTE_DOCUMENTS))]
CallerWhoManagesDocuments = Annotated[Caller, Depends(_with(Permission.MANAGE_DOCUMENTS))]
CallerWhoReadsChatbots = Annotated[Caller, Depends(_with(Permission.READ_CHATBOTS))]
CallerWhoManagesChatbots = Annotated[Caller, Depends(_with(Permission.MANAGE_CHATBOTS))]
CallerWhoManagesKeys = Annotated[Caller, Depends(_with(Permission.MANAGE_KEYS))]
CallerWhoReadsUsage = Annotated[Caller, Depends(_with(Permission.READ_USAGE))]
CallerWhoManagesBudgets = Annotated[Caller, Depends(_with(Permission.MANAGE_BUDGETS))]


_MAX_OFFSET = 2**31 - 1


async def _page(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items on a page.")] = 50,
    offset: Annotated[int, Query(ge=0, le=_MAX_OFFSET, description="Items to skip.")] = 0,
) -> PageRequest:
    return PageRequest(limit=limit, offset=offset)


PageDep = Annotated[PageRequest, Depends(_page)]


class RequestBody(BaseModel):
    """A JSON body: unknown fields are refused, and so are NUL characters, which PostgreSQL keeps in no text."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _has_no_nul(cls, value: Any) -> Any:
        if _holds_nul(value):
            raise ValueError("text must not hold NUL characters")
        return value


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


class Problem(BaseModel):
    """An error as RFC 9457 problem JSON."""

    type: str = Field(description="A page about this kind of error.")
    title: str = Field(description="The kind of error in words.")
    status: int
    detail: str = Field(description="What happened and what to do.")
    code: str = Field(description="The kind of error as a stable word.")
    request_id: str
    instance: str | None = None


ChatbotIdQuery = Annotated[UUID | None, Query(description="The chatbot; without it the key's or the tenant's default.")]
