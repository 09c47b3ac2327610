"""Errors of users and sign-in."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, DragomanError, InvalidRequestError, NotFoundError, UnavailableError


class WrongCredentialsError(DragomanError):
    """The address or the password is wrong. Check both, or have a link sent with `POST /api/auth/password-reset/`."""

    code, status = "accounts.wrong_credentials", 401


class TooManyAttemptsError(DragomanError):
    """There were too many attempts to sign in. Wait as long as `Retry-After` says, or use a device that signed in before."""

    code, status = "accounts.too_many_attempts", 429


class BusyHashingError(UnavailableError):
    """Too many people sign in at this moment. Try again in a second."""

    code = "accounts.busy"


class SeveralTenantsError(ConflictError):
    """This address and password open several tenants. Send the `tenant_id` of the one you mean."""

    code = "accounts.several_tenants"


class WeakPasswordError(InvalidRequestError):
    """This password is too easy to guess. Choose a longer one of several words that do not belong together."""

    code = "accounts.weak_password"


class InvalidRefreshTokenError(DragomanError):
    """This refresh token opens nothing: it is unknown, has expired, or its sign-in has ended. Sign in again."""

    code, status = "accounts.invalid_refresh_token", 401


class ReusedRefreshTokenError(DragomanError):
    """This refresh token was used before. Somebody may have copied it, so the sign-in has ended. Sign in again."""

    code, status = "accounts.reused_refresh_token", 401


class SignInNotFoundError(NotFoundError):
    """You have no sign-in with this id. `GET /api/auth/sign-ins/` lists yours."""

    code = "accounts.sign_in_not_found"


class NotAUserError(DragomanError):
    """This is for people who have signed in; an API key has no password and no sign-ins."""

    code, status = "accounts.not_a_user", 403


class InvalidLinkError(DragomanError):
    """This link is no longer valid: it was used, has expired, or was replaced by a newer one. Ask for another."""

    code, status = "accounts.invalid_link", 410


class UserNotFoundError(NotFoundError):
    """There is no user with this id or address. `GET /api/users/` lists yours."""

    code = "accounts.user_not_found"


class UserExistsError(ConflictError):
    """There is a user with this address already. `GET /api/users/` lists all."""

    code = "accounts.user_exists"


class InvitationNotFoundError(NotFoundError):
    """There is no open invitation with this id. `GET /api/users/invitations/` lists them."""

    code = "accounts.invitation_not_found"


class LastOwnerError(ConflictError):
    """This is the last owner of the tenant. Make another user an owner first."""

    code = "accounts.last_owner"


class InvalidAddressError(InvalidRequestError):
    """This is no e-mail address. Write it as in ada@example.com."""

    code = "accounts.invalid_address"


class SingleSignOnNotFoundError(NotFoundError):
    """No identity provider is set up for this tenant. `dragoman sso set` or `PUT /api/single-sign-on/` sets one."""

    code = "accounts.single_sign_on_not_found"


class SingleSignOnRefusedError(DragomanError):
    """Signing in with the identity provider did not succeed. Begin again; the message says what was wrong."""

    code, status = "accounts.single_sign_on_refused", 403


class ProviderError(DragomanError):
    """The identity provider does not answer as OpenID Connect asks. Check its address and the client's settings."""

    code, status, retryable = "accounts.provider", 502, True
