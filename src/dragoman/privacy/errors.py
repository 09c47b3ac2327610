"""Errors of requests about personal data."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, InvalidRequestError, NotFoundError


class RequestNotFoundError(NotFoundError):
    """There is no request about personal data with this id. `GET /api/privacy/requests/` lists yours."""

    code = "privacy.request_not_found"


class SubjectNotFoundError(NotFoundError):
    """There is no user with this id in your tenant. `subject_id` of a user is the user's id."""

    code = "privacy.subject_not_found"


class InvalidSubjectError(InvalidRequestError):
    """The id of a user or visitor is a UUID; that of an external user is the name your system gave them."""

    code = "privacy.invalid_subject"


class LastOwnerError(ConflictError):
    """This is the tenant's last owner, without whom nobody could manage it. Make another user an owner first."""

    code = "privacy.last_owner"


class NoArchiveError(NotFoundError):
    """This request has no archive: it is not done, erases, or its archive has expired. Make a new export."""

    code = "privacy.no_archive"
