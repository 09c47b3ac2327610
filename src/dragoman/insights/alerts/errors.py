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


class InvalidAlertRuleError(InvalidRequestError):
    """The rule cannot work so. The message says what to change."""

    code = "alerts.invalid_rule"


class TooManyAlertRulesError(ConflictError):
    """There are as many rules or channels as a tenant may have. Delete one that is not needed."""

    code = "alerts.too_many"
