"""Errors of access tokens."""

from __future__ import annotations

from dragoman.kit.errors import DragomanError, NotFoundError


class InvalidTokenError(DragomanError):
    """This access token is not one of this installation, or was changed. Sign in again."""

    code, status = "tenancy.invalid_token", 401


class ExpiredTokenError(DragomanError):
    """This access token has expired. Get a new one with `POST /api/auth/refresh/`."""

    code, status = "tenancy.expired_token", 401


class SignedOutError(DragomanError):
    """This sign-in has ended: signed out, revoked, or its user may not sign in any more. Sign in again."""

    code, status = "tenancy.signed_out", 401


class CrossSiteRequestError(DragomanError):
    """A page of another site sent this request with your cookie. Send changes from Dragoman's own pages, or with a token in `Authorization`."""

    code, status = "tenancy.cross_site_request", 403


class SigningKeyNotFoundError(NotFoundError):
    """There is no signing key with this id. `dragoman signing-keys list` lists them."""

    code = "tenancy.signing_key_not_found"
