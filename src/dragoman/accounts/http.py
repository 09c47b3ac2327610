"""How endpoints of this room reach their parts, and set the cookies of a sign-in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Request, Response

from dragoman.accounts.entities import SignedIn
from dragoman.accounts.lockout import KNOWN_FOR
from dragoman.accounts.parts import AccountParts
from dragoman.kit.clock import now
from dragoman.tenancy.cookies import CookiePolicy


async def _parts(request: Request) -> AccountParts:
    parts: AccountParts = request.app.state.accounts
    return parts


PartsDep = Annotated[AccountParts, Depends(_parts)]


def policy_of(request: Request) -> CookiePolicy:
    policy: CookiePolicy = request.app.state.cookie_policy
    return policy


def find_cookie(request: Request, what: str) -> str | None:
    """The value of a cookie of ours. Raises CrossSiteRequestError."""
    return policy_of(request).find(request.scope["headers"], what, method=request.scope["method"])


def find_device(request: Request) -> str | None:
    """What tells a device that has signed in before. It opens nothing, so it may come from any page."""
    return policy_of(request).find(request.scope["headers"], "device", method="GET")


def require_own_page(request: Request) -> None:
    """Before a cookie is set: a page of another site must not sign a browser in (login CSRF). Raises CrossSiteRequestError."""
    policy_of(request).require_own_page(request.scope["headers"])


def set_sign_in_cookies(request: Request, response: Response, signed_in: SignedIn) -> None:
    """Both tokens in cookies that scripts cannot read; the access token's lives as long as the refresh token.

    The cookie of an expired access token is still sent, so that the answer says `expired` and the page refreshes.
    """
    _set(request, response, "access", signed_in.access_token, signed_in.refresh_expires_at, same_site="lax")
    _set(request, response, "refresh", signed_in.refresh_token, signed_in.refresh_expires_at, same_site="strict")


def set_device_cookie(request: Request, response: Response, device: str | None) -> None:
    if device is not None:
        _set(request, response, "device", device, now() + KNOWN_FOR, same_site="strict")


def set_state_cookie(request: Request, response: Response, state: str, until: datetime) -> None:
    """`lax`: the identity provider's page leads back to us, which is a navigation from another site."""
    _set(request, response, "state", state, until, same_site="lax")


def clear_cookies(request: Request, response: Response, *names: str) -> None:
    policy = policy_of(request)
    for what in names:
        response.delete_cookie(policy.name(what), path="/", secure=policy.is_secure, httponly=True)


def _set(
    request: Request,
    response: Response,
    what: str,
    value: str,
    until: datetime,
    *,
    same_site: Literal["lax", "strict"],
) -> None:
    policy = policy_of(request)
    response.set_cookie(
        policy.name(what),
        value,
        max_age=max(0, int((until - now()).total_seconds())),
        path="/",
        secure=policy.is_secure,
        httponly=True,
        samesite=same_site,
    )
