"""HTTP: signing in and out, passwords, one's own sign-ins."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response, status

from dragoman.accounts import links, repository, sign_in
from dragoman.accounts.entities import SignedIn
from dragoman.accounts.errors import InvalidRefreshTokenError
from dragoman.accounts.http import (
    PartsDep,
    clear_cookies,
    find_cookie,
    find_device,
    require_own_page,
    set_device_cookie,
    set_sign_in_cookies,
)
from dragoman.accounts.parts import AccountParts
from dragoman.accounts.schemas import (
    Jwks,
    MeOut,
    MePatch,
    PasswordChange,
    PasswordFromLink,
    RefreshBody,
    ResetRequest,
    SignInBody,
    SignInList,
    SignInOut,
    TokensOut,
)
from dragoman.accounts.users import service as users
from dragoman.tenancy.entities import Caller
from dragoman.tenancy.http import AnyCaller, DatabaseDep, PageDep
from dragoman.tenancy.tokens import signing_keys

router = APIRouter()


@router.post("/api/auth/sign-in/", tags=["sign-in"])
async def sign_in_with(body: SignInBody, parts: PartsDep, request: Request, response: Response) -> TokensOut:
    """Sign in with address and password, or exchange an API key: for tokens, or for cookies."""
    if body.cookie:
        require_own_page(request)
    if body.api_key is not None:
        signed_in = await sign_in.with_key(parts, api_key=body.api_key, is_cookie=body.cookie)
    else:
        signed_in = await sign_in.with_password(
            parts,
            email=body.email or "",
            password=body.password or "",
            tenant_id=body.tenant_id,
            device=body.device or find_device(request),
            is_cookie=body.cookie,
        )
    return _answer(request, response, signed_in)


@router.post("/api/auth/refresh/", tags=["sign-in"])
async def refresh(parts: PartsDep, request: Request, response: Response, body: RefreshBody | None = None) -> TokensOut:
    """Get new tokens for a refresh token, which is used up. The token comes in the body or in its cookie."""
    token = (body.refresh_token if body else None) or find_cookie(request, "refresh")
    if token is None:
        raise InvalidRefreshTokenError("There is no refresh token in this request. Send one, or sign in again.")
    return _answer(request, response, await sign_in.refresh(parts, token))


@router.post("/api/auth/sign-out/", status_code=status.HTTP_204_NO_CONTENT, tags=["sign-in"])
async def sign_out(parts: PartsDep, request: Request, response: Response, body: RefreshBody | None = None) -> None:
    """End the sign-in of this refresh token (in the body or in its cookie): its tokens open nothing from now on."""
    token = (body.refresh_token if body else None) or find_cookie(request, "refresh")
    clear_cookies(request, response, "access", "refresh")
    if token is None:
        raise InvalidRefreshTokenError(
            "There is no refresh token in this request. `DELETE /api/auth/sign-ins/…` needs none."
        )
    await sign_in.end_by_refresh_token(parts, token)


@router.get("/api/auth/me/", tags=["sign-in"])
async def read_me(caller: AnyCaller, parts: PartsDep) -> MeOut:
    """Show who you are to the API, and what you may do."""
    return await _me(parts, caller)


@router.patch("/api/auth/me/", tags=["sign-in"])
async def update_me(body: MePatch, caller: AnyCaller, parts: PartsDep) -> MeOut:
    """Change your own name. A machine, a visitor or a key that stands for no user has none."""
    await users.rename_self(parts, caller, display_name=body.display_name)
    return await _me(parts, caller)


async def _me(parts: AccountParts, caller: Caller) -> MeOut:
    person = None
    async with parts.database.transaction(caller.tenant_id) as connection:
        if caller.user_id is not None:
            person = await repository.find_person(connection, tenant_id=caller.tenant_id, user_id=caller.user_id)
        tenant_name = await repository.tenant_name(connection, tenant_id=caller.tenant_id)
    return MeOut(
        tenant_id=caller.tenant_id,
        tenant_name=tenant_name,
        user_id=caller.user_id,
        email=person.email if person else None,
        display_name=person.display_name if person else None,
        role=caller.role,
        permissions=sorted(caller.permissions),
        api_key_id=caller.api_key_id,
        sign_in_id=caller.sign_in_id,
        chatbot_id=caller.chatbot_id,
    )


@router.get("/api/auth/sign-ins/", tags=["sign-in"])
async def list_sign_ins(caller: AnyCaller, parts: PartsDep, page: PageDep) -> SignInList:
    """List your open sign-ins, the newest first."""
    found = await sign_in.list_own(parts, caller, page)
    items = [SignInOut.of(each, caller.sign_in_id) for each in found.items]
    return SignInList(sign_ins=items, total=found.total, limit=page.limit, offset=page.offset)


@router.delete("/api/auth/sign-ins/{sign_in_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["sign-in"])
async def end_sign_in(sign_in_id: UUID, caller: AnyCaller, parts: PartsDep) -> None:
    """End one of your sign-ins: a lost device, or the one of this request."""
    await sign_in.revoke_own(parts, caller, sign_in_id)


@router.post("/api/auth/password/", status_code=status.HTTP_204_NO_CONTENT, tags=["sign-in"])
async def change_password(body: PasswordChange, caller: AnyCaller, parts: PartsDep) -> None:
    """Change your password. Your other sign-ins end."""
    await links.change_password(parts, caller, current=body.current_password, new=body.new_password)


@router.post("/api/auth/password-reset/", status_code=status.HTTP_202_ACCEPTED, tags=["sign-in"])
async def request_reset(body: ResetRequest, parts: PartsDep) -> None:
    """Have a link for a new password mailed. The answer is the same whether there is such a user or not."""
    await links.request_reset(parts, email=body.email)


@router.post(
    "/api/auth/set-password/",
    tags=["sign-in"],
    responses={410: {"description": "The link is no longer valid."}},
)
async def set_password(body: PasswordFromLink, parts: PartsDep, request: Request, response: Response) -> TokensOut:
    """Accept an invitation, or set a new password, with the token of a link; and sign in."""
    if body.cookie:
        require_own_page(request)
    signed_in = await links.set_password(
        parts, token=body.token, password=body.password, display_name=body.display_name, is_cookie=body.cookie
    )
    return _answer(request, response, signed_in)


@router.get("/.well-known/jwks.json", tags=["sign-in"])
async def read_jwks(database: DatabaseDep) -> Jwks:
    """The public keys of access tokens (RFC 7517), for services that check them themselves."""
    return Jwks.model_validate(await signing_keys.jwks(database))


def _answer(request: Request, response: Response, signed_in: SignedIn) -> TokensOut:
    response.headers["Cache-Control"] = "no-store"
    if signed_in.sign_in.is_cookie:
        set_sign_in_cookies(request, response, signed_in)
    set_device_cookie(request, response, signed_in.device)
    return TokensOut.of(signed_in)
