"""Errors of access and tenancy."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, DragomanError, InvalidRequestError, NotFoundError


class MissingKeyError(DragomanError):
    """This request carries no API key. Send it as `X-API-Key: dgm_…` or `Authorization: Bearer dgm_…`."""

    code, status = "tenancy.missing_key", 401


class InvalidKeyError(DragomanError):
    """This API key is not known. Check that it was copied whole; `dragoman key create` makes a new one."""

    code, status = "tenancy.invalid_key", 401


class RevokedKeyError(DragomanError):
    """This API key was revoked. Ask an administrator of your tenant for a new one."""

    code, status = "tenancy.revoked_key", 401


class ExpiredKeyError(DragomanError):
    """This API key has expired. Ask an administrator of your tenant for a new one."""

    code, status = "tenancy.expired_key", 401


class ForbiddenError(DragomanError):
    """Your role may not do this. Ask an administrator of your tenant for a key with another role."""

    code, status = "tenancy.forbidden", 403


class ChatbotNotFoundError(NotFoundError):
    """There is no chatbot with this id. `GET /api/chatbots/` lists yours."""

    code = "tenancy.chatbot_not_found"


class DefaultChatbotError(ConflictError):
    """The default chatbot cannot be deleted. Make another chatbot the default first."""

    code = "tenancy.default_chatbot"


class KeyNotFoundError(NotFoundError):
    """There is no API key with this id or prefix. `dragoman key list` lists yours."""

    code = "tenancy.key_not_found"


class InvalidChatbotSettingError(InvalidRequestError):
    """A setting of the chatbot is not known or out of its range. See `chatbot settings` in the reference."""

    code = "tenancy.invalid_chatbot_setting"
