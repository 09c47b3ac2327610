"""Errors of alerts."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, InvalidRequestError, NotFoundError


class AlertNotFoundError(NotFoundError):
    """There is no such alert. `GET /api/alerts` lists those that are active, `GET /api/alerts/history/` the others."""

    code = "alerts.alert_not_found"


class AlertRuleNotFoundError(NotFoundError):
    """There is no such rule. `GET /api/alerts/rules/` lists them."""

    code = "alerts.rule_not_found"


class AlertChannelNotFoundError(NotFoundError):
    """There is no such channel. `GET /api/alerts/channels/` lists them."""

    code = "alerts.channel_not_found"


class AlertChannelExistsError(ConflictError):
    """This user is already mailed of alerts. `GET /api/alerts/channels/` lists the channels."""

    code = "alerts.channel_exists"


class NoAlertRecipientError(InvalidRequestError):
    """No active user of your tenant has this address. Invite the person first; other addresses can be told by a webhook."""

    code = "alerts.no_recipient"


class NoMailServerError(ConflictError):
    """This installation sends no mails. The operator sets `DRAGOMAN_MAILER=smtp` and the mail server."""

    code = "alerts.no_mail_server"


class InvalidAlertRuleError(InvalidRequestError):
    """The rule cannot work so. The message says what to change."""

    code = "alerts.invalid_rule"


class TooManyAlertRulesError(ConflictError):
    """There are as many rules or channels as a tenant may have. Delete one that is not needed."""

    code = "alerts.too_many"
