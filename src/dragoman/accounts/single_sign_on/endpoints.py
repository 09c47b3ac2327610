"""HTTP: the identity provider of a tenant, and signing in with it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, status
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from dragoman.accounts.errors import ProviderError, SingleSignOnNotFoundError, SingleSignOnRefusedError
from dragoman.accounts.http import (
    PartsDep,
    clear_cookies,
    find_cookie,
    set_device_cookie,
    set_sign_in_cookies,
    set_state_cookie,
)
from dragoman.accounts.parts import AccountParts
from dragoman.accounts.single_sign_on import service
from dragoman.accounts.single_sign_on.entities import Provider
from dragoman.kit.errors import DragomanError
from dragoman.kit.fetch import FetchError
from dragoman.tenancy.entities import Role
from dragoman.tenancy.http import CallerWhoManagesTenant, RequestBody

router = APIRouter()
_FAILURES = (SingleSignOnRefusedError, SingleSignOnNotFoundError, ProviderError, FetchError)
_OF_THE_PROVIDER: dict[int | str, dict[str, Any]] = {
    502: {"description": "The identity provider failed."},
    504: {"description": "The identity provider took too long."},
}


class SingleSignOnIn(RequestBody):
    name: str = Field("Single sign-on", min_length=1, max_length=100, description="What people read on the button.")
    issuer: str = Field(max_length=500, examples=["https://login.example.com"], description="As its tokens name it.")
    client_id: str = Field(min_length=1, max_length=500)
    client_secret: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Stored encrypted, never shown. Without it the present one stays.",
    )
    creates_users: bool = Field(False, description="Whoever the provider knows becomes a user.")
    default_role: Role = Field(Role.MEMBER, description="Role of those who become users so; at most your own.")
    allowed_domains: tuple[str, ...] = Field(
        (), max_length=100, description="Domains of addresses, for those who become users; empty: any."
    )


class SingleSignOnOut(BaseModel):
    name: str
    issuer: str
    client_id: str
    has_client_secret: bool
    creates_users: bool
    default_role: Role
    allowed_domains: tuple[str, ...]
    updated_at: datetime
    redirect_url: str = Field(description="To be entered at the provider.")
    start_url: str = Field(description="Where people begin to sign in.")

    @classmethod
    def of(cls, provider: Provider, parts: AccountParts) -> SingleSignOnOut:
        return cls(
            name=provider.name,
            issuer=provider.issuer,
            client_id=provider.client_id,
            has_client_secret=provider.sealed_client_secret is not None,
            creates_users=provider.creates_users,
            default_role=provider.default_role,
            allowed_domains=provider.allowed_domains,
            updated_at=provider.updated_at,
            redirect_url=service.redirect_url(parts),
            start_url=service.start_url(parts, provider),
        )


@router.get("/api/single-sign-on/", tags=["single sign-on"])
async def get_single_sign_on(caller: CallerWhoManagesTenant, parts: PartsDep) -> SingleSignOnOut:
    """Show the identity provider of your tenant."""
    return SingleSignOnOut.of(await service.get_provider(parts, caller.tenant_id), parts)


@router.put("/api/single-sign-on/", tags=["single sign-on"])
async def set_single_sign_on(body: SingleSignOnIn, caller: CallerWhoManagesTenant, parts: PartsDep) -> SingleSignOnOut:
    """Set the identity provider (OpenID Connect) with which the users of your tenant sign in."""
    provider = await service.set_provider(
        parts,
        caller,
        name=body.name,
        issuer=body.issuer,
        client_id=body.client_id,
        client_secret=body.client_secret,
        creates_users=body.creates_users,
        default_role=body.default_role,
        allowed_domains=body.allowed_domains,
    )
    return SingleSignOnOut.of(provider, parts)


@router.delete("/api/single-sign-on/", status_code=status.HTTP_204_NO_CONTENT, tags=["single sign-on"])
async def remove_single_sign_on(caller: CallerWhoManagesTenant, parts: PartsDep) -> None:
    """Remove the identity provider. Users sign in with their passwords."""
    await service.remove_provider(parts, caller)


class OfferedSignOn(BaseModel):
    name: str = Field(description="What people read on the button.")
    start_url: str = Field(description="Where people begin; takes `return_to`.")


class OfferedSignOns(BaseModel):
    providers: list[OfferedSignOn]


@router.get("/api/auth/single-sign-on/", tags=["single sign-on"])
async def list_offered_single_sign_on(
    parts: PartsDep,
    tenant: Annotated[UUID | None, Query(description="Without it: the only tenant that has any.")] = None,
) -> OfferedSignOns:
    """List the identity providers to sign in with. Empty where the tenant has none, or must be named and is not."""
    found = await service.list_offered(parts, tenant)
    offered = [OfferedSignOn(name=each.name, start_url=service.start_url(parts, each)) for each in found]
    return OfferedSignOns(providers=offered)


@router.get(
    "/api/auth/single-sign-on/{tenant_id}/start/",
    tags=["single sign-on"],
    response_class=RedirectResponse,
    responses=_OF_THE_PROVIDER,
    status_code=status.HTTP_303_SEE_OTHER,
)
async def start_single_sign_on(
    tenant_id: UUID,
    parts: PartsDep,
    request: Request,
    return_to: Annotated[str, Query(max_length=500, description="A path to lead back to.")] = "/",
) -> RedirectResponse:
    """Lead a browser to the identity provider of a tenant, or back to the page for signing in, which tells why not."""
    try:
        begun = await service.begin(parts, tenant_id, return_to=return_to)
    except _FAILURES as error:
        return _back(parts, request, error, tenant_id=tenant_id, return_to=return_to)
    response = RedirectResponse(begun.url, status_code=status.HTTP_303_SEE_OTHER)
    response.headers["Cache-Control"] = "no-store"
    set_state_cookie(request, response, begun.state_cookie, begun.until)
    return response


@router.get(
    "/api/auth/single-sign-on/callback/",
    tags=["single sign-on"],
    response_class=RedirectResponse,
    responses=_OF_THE_PROVIDER,
    status_code=status.HTTP_303_SEE_OTHER,
)
async def finish_single_sign_on(
    parts: PartsDep,
    request: Request,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str | None, Query(max_length=4000)] = None,
    iss: Annotated[str | None, Query(max_length=500)] = None,
    error: Annotated[str | None, Query(max_length=500)] = None,
) -> RedirectResponse:
    """Where the identity provider leads a browser back to: signs in by cookies."""
    kept = find_cookie(request, "state")
    try:
        finished = await service.finish(parts, state_cookie=kept, state=state, code=code, issuer=iss, error=error)
    except _FAILURES as failure:
        tenant_id, return_to = service.begun_for(parts, kept)
        return _back(parts, request, failure, tenant_id=tenant_id, return_to=return_to)
    response = RedirectResponse(finished.return_to, status_code=status.HTTP_303_SEE_OTHER)
    response.headers["Cache-Control"] = "no-store"
    clear_cookies(request, response, "state")
    set_sign_in_cookies(request, response, finished.signed_in)
    set_device_cookie(request, response, finished.signed_in.device)
    return response


def _back(
    parts: AccountParts, request: Request, error: DragomanError, *, tenant_id: UUID | None, return_to: str
) -> RedirectResponse:
    """A person reads on the page for signing in what went wrong. Raises the error for who asks for no page."""
    if "text/html" not in request.headers.get("accept", ""):
        raise error
    url = service.refusal_url(parts, error, tenant_id=tenant_id, return_to=return_to)
    return RedirectResponse(url, status_code=status.HTTP_303_SEE_OTHER, headers={"Cache-Control": "no-store"})
