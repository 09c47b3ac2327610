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


class InactiveServiceAccountError(DragomanError):
    """The service account of this API key is switched off. Ask an administrator of your tenant to switch it on."""

    code, status = "tenancy.inactive_service_account", 401


class InvalidVisitorTokenError(DragomanError):
    """This visitor token is not one of ours, or its widget key was revoked. Get a new one: `POST /api/widget/tokens/`."""

    code, status = "tenancy.invalid_visitor_token", 401


class ExpiredVisitorTokenError(DragomanError):
    """This visitor token has expired. Get a new one for the same visitor: send it to `POST /api/widget/tokens/`."""

    code, status = "tenancy.expired_visitor_token", 401


class UnknownWidgetKeyError(DragomanError):
    """This widget key is not known, or was revoked. Copy the key anew from the chatbot's widget keys."""

    code, status = "tenancy.unknown_widget_key", 401


class OriginNotAllowedError(DragomanError):
    """This web site may not use this widget key. An administrator can add its origin to the key's allow-list."""

    code, status = "tenancy.origin_not_allowed", 403


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


class KeyNotRotatableError(ConflictError):
    """A key that was revoked or has expired cannot be rotated. Make a new key."""

    code = "tenancy.key_not_rotatable"


class ServiceAccountNotFoundError(NotFoundError):
    """There is no service account with this id. `GET /api/service-accounts/` lists yours."""

    code = "tenancy.service_account_not_found"


class ServiceAccountExistsError(ConflictError):
    """There is a service account of this name already. Choose another name, or use that one."""

    code = "tenancy.service_account_exists"


class MemberNotFoundError(NotFoundError):
    """There is no user or service account with this id, or it has no role on this chatbot."""

    code = "tenancy.member_not_found"


class WidgetKeyNotFoundError(NotFoundError):
    """There is no widget key with this id. `GET /api/chatbots/{chatbot_id}/widget-keys/` lists those of a chatbot."""

    code = "tenancy.widget_key_not_found"


class InvalidChatbotSettingError(InvalidRequestError):
    """A setting of the chatbot is not known or out of its range. See `chatbot settings` in the reference."""

    code = "tenancy.invalid_chatbot_setting"


class LimitReachedError(DragomanError):
    """You do this too often. Wait as long as `Retry-After` says; `GET /api/limits/` shows the limits of your tenant."""

    code, status = "limits.reached", 429


class TooManyRequestsError(LimitReachedError):
    """Too many requests come from your address. Wait as long as `Retry-After` says."""

    code = "limits.too_many_requests"


class TooManySearchesError(LimitReachedError):
    """You have searched too often within a minute. Wait as long as `Retry-After` says before the next search."""

    code = "limits.too_many_searches"


class TooManyStreamsError(LimitReachedError):
    """Too many answers and events are streamed to you at the same time. Close one of the streams, or wait until one has ended."""

    code = "limits.too_many_streams"
