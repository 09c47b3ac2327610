"""How well it serves: analytics of a chatbot, metrics of the installation, alerts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from dragoman.client.paging import pages
from dragoman.client.transport import Transport

_ALERTS = "/api/alerts"
_RULES = "/api/alerts/rules/"
_CHANNELS = "/api/alerts/channels/"


class _Received(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Quantiles(_Received):
    """In milliseconds."""

    p50: float
    p95: float
    p99: float


class ServingCounts(_Received):
    """Counts of a span of time; the server says more than stands here, see the reference of the API."""

    questions: int
    answered: int
    refused: int
    answer_rate: float | None
    refusal_rate: float | None
    satisfaction: float | None
    cache_hit_rate: float | None
    degraded: int
    cost_usd: float
    model_calls: int
    failed_model_calls: int
    searches: int
    documents_read: int
    documents_failed: int


class ServingTotal(ServingCounts):
    latency_ms: dict[str, Quantiles]


class ServingBar(ServingCounts):
    starts_at: datetime
    latency_ms: Quantiles | None


class Analytics(_Received):
    """How well a chatbot served; `before` tells of as many days before."""

    chatbot_id: UUID
    first_day: date
    last_day: date
    by: str
    total: ServingTotal
    before: ServingTotal
    bars: list[ServingBar]
    languages: list[dict[str, Any]]
    models: list[dict[str, Any]]
    degraded_rungs: list[dict[str, Any]]
    ingestion_steps: list[dict[str, Any]] = []
    errors: list[dict[str, Any]]
    top_documents: list[dict[str, Any]]
    unanswered: list[dict[str, Any]]


class Alert(_Received):
    """One episode of a rule. `state`: `pending`, `firing` or `resolved`."""

    id: UUID
    rule_id: UUID
    rule: str
    signal: str
    severity: str
    state: str
    value: float
    worst: float
    threshold: float
    samples: int
    summary: str | None
    remedy: str | None
    started_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    acknowledged_by: str | None
    silence: dict[str, Any] | None


class AlertRule(_Received):
    id: UUID
    name: str
    builtin: str | None
    is_changed: bool
    signal: str
    chatbot_id: UUID | None
    threshold: float
    clears_at: float
    window_s: int
    for_s: int
    min_samples: int
    severity: str
    is_enabled: bool
    summary: str | None
    silence: dict[str, Any] | None


class AlertChannel(_Received):
    """A webhook or a user who is mailed: `kind` is `webhook` or `mail`.

    `secret` signs what a webhook is sent; it is told once, when the channel is made.
    """

    id: UUID
    kind: str
    target: str
    least_severity: str
    last_error: str | None
    last_delivered_at: datetime | None
    secret: str | None = None


class Insights:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def analytics(
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
        answer = await self._transport.request("GET", f"/api/analytics/{chatbot_id}", params=params)
        return Analytics.model_validate(answer)

    async def system_metrics(self) -> dict[str, Any]:
        """Processes, waiting jobs, machine and Valkey, as far as you may see them."""
        told: dict[str, Any] = await self._transport.request("GET", "/api/metrics/system")
        return told

    async def database_metrics(self) -> dict[str, Any]:
        """What your tenant keeps; for the operator the server too."""
        told: dict[str, Any] = await self._transport.request("GET", "/api/metrics/database")
        return told

    async def search_metrics(self, *, minutes: int = 60, chatbot_id: UUID | str | None = None) -> dict[str, Any]:
        """Searches of the last minutes."""
        params = {"minutes": minutes, "chatbot_id": None if chatbot_id is None else str(chatbot_id)}
        told: dict[str, Any] = await self._transport.request("GET", "/api/metrics/search", params=params)
        return told


class Alerts:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, state: Literal["firing", "active"] = "firing") -> Sequence[Alert]:
        """Those that fire; `active`: also those that may fire soon."""
        found = await self._transport.request("GET", _ALERTS, params={"state": state})
        return [Alert.model_validate(item) for item in found["alerts"]]

    async def history(self) -> AsyncIterator[Alert]:
        """Those that were resolved, the newest first."""
        async for item in pages(self._transport, f"{_ALERTS}/history/", "alerts", {}):
            yield Alert.model_validate(item)

    async def acknowledge(self, alert_id: UUID | str) -> Alert:
        """Say that you see to it."""
        return Alert.model_validate(await self._transport.request("POST", f"{_ALERTS}/{alert_id}/acknowledge/"))

    async def rules(self) -> Sequence[AlertRule]:
        """The built-in ones and your own."""
        found = await self._transport.request("GET", _RULES)
        return [AlertRule.model_validate(item) for item in found["rules"]]

    async def create_rule(self, name: str, signal: str, threshold: float, **more: Any) -> AlertRule:
        """A rule of your own; `more`: `clears_at`, `chatbot_id`, `window_s`, `for_s`, `min_samples`, `severity`."""
        body = {"name": name, "signal": signal, "threshold": threshold, **more}
        return AlertRule.model_validate(await self._transport.request("POST", _RULES, json=body))

    async def update_rule(self, rule_id: UUID | str, **changes: Any) -> AlertRule:
        """Change a rule, also a built-in one: for your tenant only."""
        return AlertRule.model_validate(await self._transport.request("PATCH", f"{_RULES}{rule_id}/", json=changes))

    async def delete_rule(self, rule_id: UUID | str) -> None:
        """Delete your own, or bring a built-in one back to what it was."""
        await self._transport.request("DELETE", f"{_RULES}{rule_id}/")

    async def silence(self, rule_id: UUID | str, *, minutes: int, comment: str = "") -> None:
        """Tell nobody of a rule's alerts for a while."""
        body = {"minutes": minutes, "comment": comment}
        await self._transport.request("PUT", f"{_RULES}{rule_id}/silence/", json=body)

    async def end_silence(self, rule_id: UUID | str) -> None:
        """Tell of a rule's alerts again."""
        await self._transport.request("DELETE", f"{_RULES}{rule_id}/silence/")

    async def channels(self) -> Sequence[AlertChannel]:
        """The webhooks and users that are told."""
        found = await self._transport.request("GET", _CHANNELS)
        return [AlertChannel.model_validate(item) for item in found["channels"]]

    async def create_channel(self, url: str, *, least_severity: str = "warning") -> AlertChannel:
        """Have a webhook told of alerts."""
        body = {"url": url, "least_severity": least_severity}
        return AlertChannel.model_validate(await self._transport.request("POST", _CHANNELS, json=body))

    async def create_mail_channel(self, email: str, *, least_severity: str = "warning") -> AlertChannel:
        """Have a user of your tenant mailed of alerts."""
        body = {"email": email, "least_severity": least_severity}
        return AlertChannel.model_validate(await self._transport.request("POST", _CHANNELS, json=body))

    async def delete_channel(self, channel_id: UUID | str) -> None:
        """Tell it nothing more."""
        await self._transport.request("DELETE", f"{_CHANNELS}{channel_id}/")

    async def test_channel(self, channel_id: UUID | str) -> None:
        """Send it a test."""
        await self._transport.request("POST", f"{_CHANNELS}{channel_id}/test/")
