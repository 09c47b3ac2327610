# Made from client/insights.py by `python -m dragoman.client.twin`. Change that one.
"""How well it serves: analytics of a chatbot, metrics of the installation, alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from dragoman.client.insights import (
    Alert,
    AlertChannel,
    AlertRule,
    Analytics,
)
from dragoman.client.sync.paging import pages
from dragoman.client.sync.transport import Transport

_ALERTS = "/api/alerts"
_RULES = "/api/alerts/rules/"
_CHANNELS = "/api/alerts/channels/"


class _Received(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Insights:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def analytics(
        self,
        chatbot_id: UUID | str,
        *,
        first: date | None = None,
        last: date | None = None,
        by: Literal["day", "hour"] = "day",
        language: str | None = None,
        limit: int = 20,
    ) -> Analytics:
        """How well a chatbot served from `first` to `last` (UTC, both included), by default in the last 30 days."""
        params = {"from": first, "to": last, "by": by, "language": language, "limit": limit}
        answer = self._transport.request("GET", f"/api/analytics/{chatbot_id}", params=params)
        return Analytics.model_validate(answer)

    def system_metrics(self) -> dict[str, Any]:
        """Processes, waiting jobs, machine and Valkey, as far as you may see them."""
        told: dict[str, Any] = self._transport.request("GET", "/api/metrics/system")
        return told

    def database_metrics(self) -> dict[str, Any]:
        """What your tenant keeps; for the operator the server too."""
        told: dict[str, Any] = self._transport.request("GET", "/api/metrics/database")
        return told

    def search_metrics(self, *, minutes: int = 60, chatbot_id: UUID | str | None = None) -> dict[str, Any]:
        """Searches of the last minutes."""
        params = {"minutes": minutes, "chatbot_id": None if chatbot_id is None else str(chatbot_id)}
        told: dict[str, Any] = self._transport.request("GET", "/api/metrics/search", params=params)
        return told


class Alerts:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, state: Literal["firing", "active"] = "firing") -> Sequence[Alert]:
        """Those that fire; `active`: also those that may fire soon."""
        found = self._transport.request("GET", _ALERTS, params={"state": state})
        return [Alert.model_validate(item) for item in found["alerts"]]

    def history(self) -> Iterator[Alert]:
        """Those that were resolved, the newest first."""
        for item in pages(self._transport, f"{_ALERTS}/history/", "alerts", {}):
            yield Alert.model_validate(item)

    def acknowledge(self, alert_id: UUID | str) -> Alert:
        """Say that you see to it."""
        return Alert.model_validate(self._transport.request("POST", f"{_ALERTS}/{alert_id}/acknowledge/"))

    def rules(self) -> Sequence[AlertRule]:
        """The built-in ones and your own."""
        found = self._transport.request("GET", _RULES)
        return [AlertRule.model_validate(item) for item in found["rules"]]

    def create_rule(self, name: str, signal: str, threshold: float, **more: Any) -> AlertRule:
        """A rule of your own; `more`: `clears_at`, `chatbot_id`, `window_s`, `for_s`, `min_samples`, `severity`."""
        body = {"name": name, "signal": signal, "threshold": threshold, **more}
        return AlertRule.model_validate(self._transport.request("POST", _RULES, json=body))

    def update_rule(self, rule_id: UUID | str, **changes: Any) -> AlertRule:
        """Change a rule, also a built-in one: for your tenant only."""
        return AlertRule.model_validate(self._transport.request("PATCH", f"{_RULES}{rule_id}/", json=changes))

    def delete_rule(self, rule_id: UUID | str) -> None:
        """Delete your own, or bring a built-in one back to what it was."""
        self._transport.request("DELETE", f"{_RULES}{rule_id}/")

    def silence(self, rule_id: UUID | str, *, minutes: int, comment: str = "") -> None:
        """Tell nobody of a rule's alerts for a while."""
        body = {"minutes": minutes, "comment": comment}
        self._transport.request("PUT", f"{_RULES}{rule_id}/silence/", json=body)

    def end_silence(self, rule_id: UUID | str) -> None:
        """Tell of a rule's alerts again."""
        self._transport.request("DELETE", f"{_RULES}{rule_id}/silence/")

    def channels(self) -> Sequence[AlertChannel]:
        """The webhooks and users that are told."""
        found = self._transport.request("GET", _CHANNELS)
        return [AlertChannel.model_validate(item) for item in found["channels"]]

    def create_channel(self, url: str, *, least_severity: str = "warning") -> AlertChannel:
        """Have a webhook told of alerts."""
        body = {"url": url, "least_severity": least_severity}
        return AlertChannel.model_validate(self._transport.request("POST", _CHANNELS, json=body))

    def create_mail_channel(self, email: str, *, least_severity: str = "warning") -> AlertChannel:
        """Have a user of your tenant mailed of alerts."""
        body = {"email": email, "least_severity": least_severity}
        return AlertChannel.model_validate(self._transport.request("POST", _CHANNELS, json=body))

    def delete_channel(self, channel_id: UUID | str) -> None:
        """Tell it nothing more."""
        self._transport.request("DELETE", f"{_CHANNELS}{channel_id}/")

    def test_channel(self, channel_id: UUID | str) -> None:
        """Send it a test."""
        self._transport.request("POST", f"{_CHANNELS}{channel_id}/test/")
