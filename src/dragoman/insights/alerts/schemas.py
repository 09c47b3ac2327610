"""Alerts as the HTTP API shows and takes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dragoman.insights.alerts.entities import (
    INSTALLATION_SIGNALS,
    Alert,
    AlertState,
    Channel,
    Rule,
    Severity,
    Signal,
    Silence,
)
from dragoman.insights.alerts.rules import BUILTIN_BY_ID, BUILTIN_BY_SIGNAL
from dragoman.insights.alerts.service import ActiveAlert, RuleState
from dragoman.kit.clock import new_id, now

_LONGEST_WINDOW_S = 24 * 3600
_LONGEST_SILENCE = timedelta(days=90)

Name = Annotated[str, Field(min_length=1, max_length=120)]
Threshold = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False, description="Beyond it the signal is bad.")]
ClearsAt = Annotated[
    float,
    Field(
        ge=-1e12, le=1e12, allow_inf_nan=False, description="It is good again here; between the two nothing changes."
    ),
]
WindowS = Annotated[int, Field(ge=60, le=_LONGEST_WINDOW_S, description="What a reading tells of, up to now.")]
ForS = Annotated[int, Field(ge=0, le=_LONGEST_WINDOW_S, description="How long it must be bad before the alert fires.")]
MinSamples = Annotated[
    int,
    Field(ge=1, le=1_000_000, description="With fewer questions, searches, calls, jobs or ratings nothing is said."),
]


class SilenceOut(BaseModel):
    until: datetime
    by: str
    comment: str

    @classmethod
    def of(cls, silence: Silence | None) -> SilenceOut | None:
        return None if silence is None else cls(until=silence.until, by=silence.by, comment=silence.comment)


class AlertOut(BaseModel):
    id: UUID
    rule_id: UUID
    rule: str
    signal: Signal
    severity: Severity
    scope: str = Field(description="`tenant`, `chatbot` or `installation`.")
    chatbot_id: UUID | None
    state: AlertState
    value: float = Field(description="When it was read last.")
    worst: float
    threshold: float
    samples: int
    summary: str | None
    remedy: str | None
    started_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    resolved_because: str | None = Field(description="`recovered`, `no_data` or `rule_changed`.")
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    silence: SilenceOut | None

    @classmethod
    def of(cls, alert: Alert, silence: Silence | None = None) -> AlertOut:
        builtin = BUILTIN_BY_ID.get(alert.rule_id) or BUILTIN_BY_SIGNAL.get(alert.signal)
        return cls(
            id=alert.id,
            rule_id=alert.rule_id,
            rule=alert.rule_name,
            signal=alert.signal,
            severity=alert.severity,
            scope=_scope(alert.signal, alert.chatbot_id),
            chatbot_id=alert.chatbot_id,
            state=alert.state,
            value=round(alert.value, 4),
            worst=round(alert.worst, 4),
            threshold=alert.threshold,
            samples=alert.samples,
            summary=builtin.summary if builtin else None,
            remedy=builtin.remedy if builtin else None,
            started_at=alert.started_at,
            fired_at=alert.fired_at,
            resolved_at=alert.resolved_at,
            resolved_because=alert.resolved_because,
            acknowledged_at=alert.acknowledged_at,
            acknowledged_by=alert.acknowledged_by,
            silence=SilenceOut.of(silence),
        )

    @classmethod
    def of_active(cls, active: ActiveAlert) -> AlertOut:
        return cls.of(active.alert, active.silence)


def _scope(signal: Signal, chatbot_id: UUID | None) -> str:
    if signal in INSTALLATION_SIGNALS:
        return "installation"
    return "tenant" if chatbot_id is None else "chatbot"


class AlertList(BaseModel):
    alerts: list[AlertOut]


class AlertHistory(BaseModel):
    alerts: list[AlertOut]
    total: int
    limit: int
    offset: int


class AlertRuleIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    signal: Signal
    threshold: Threshold
    clears_at: ClearsAt | None = None
    chatbot_id: UUID | None = Field(None, description="Watch this one alone; without it all of your tenant together.")
    window_s: WindowS = 600
    for_s: ForS = 120
    min_samples: MinSamples = 20
    severity: Severity = Severity.WARNING
    is_enabled: bool = True

    def rule(self) -> Rule:
        values = self.model_dump()
        if self.clears_at is None:
            values["clears_at"] = self.threshold
        return Rule(id=new_id(), **values)


class AlertRuleChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    threshold: Threshold | None = None
    clears_at: ClearsAt | None = None
    window_s: WindowS | None = None
    for_s: ForS | None = None
    min_samples: MinSamples | None = None
    severity: Severity | None = None
    is_enabled: bool | None = None

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class AlertRuleOut(BaseModel):
    id: UUID
    name: str
    builtin: str | None = Field(description="The built-in rule that it is; null for your own.")
    is_changed: bool = Field(description="A built-in rule that you changed; deleting it brings back what it was.")
    signal: Signal
    scope: str
    chatbot_id: UUID | None
    fires: str = Field(description="`above` or `below` the threshold.")
    threshold: float
    clears_at: float
    window_s: int
    for_s: int
    min_samples: int
    severity: Severity
    is_enabled: bool
    summary: str | None
    remedy: str | None
    silence: SilenceOut | None

    @classmethod
    def of(cls, state: RuleState) -> AlertRuleOut:
        rule = state.rule
        builtin = BUILTIN_BY_ID.get(rule.id)
        return cls(
            id=rule.id,
            name=rule.name,
            builtin=rule.builtin,
            is_changed=rule.is_changed and rule.builtin is not None,
            signal=rule.signal,
            scope=_scope(rule.signal, rule.chatbot_id),
            chatbot_id=rule.chatbot_id,
            fires="below" if rule.fires_below else "above",
            threshold=rule.threshold,
            clears_at=rule.clears_at,
            window_s=rule.window_s,
            for_s=rule.for_s,
            min_samples=rule.min_samples,
            severity=rule.severity,
            is_enabled=rule.is_enabled,
            summary=builtin.summary if builtin else None,
            remedy=builtin.remedy if builtin else None,
            silence=SilenceOut.of(state.silence),
        )


class AlertRuleList(BaseModel):
    rules: list[AlertRuleOut]


class SilenceIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    until: datetime | None = Field(None, description="With a time zone; instead of `minutes`.")
    minutes: int | None = Field(None, ge=1, le=int(_LONGEST_SILENCE.total_seconds()) // 60)
    comment: str = Field("", max_length=500)

    @model_validator(mode="after")
    def _one_end(self) -> SilenceIn:
        if (self.until is None) == (self.minutes is None):
            raise ValueError("give either `until` or `minutes`")
        if self.until is not None:
            if self.until.tzinfo is None:
                raise ValueError("`until` needs a time zone")
            if not now() < self.until <= now() + _LONGEST_SILENCE:
                raise ValueError("`until` lies in the future, at most 90 days ahead")
        return self

    def end(self) -> datetime:
        return self.until or now() + timedelta(minutes=self.minutes or 0)


class ChannelIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(
        None, min_length=8, max_length=2048, description="A webhook: is sent a signed POST for each alert."
    )
    email: str | None = Field(
        None,
        min_length=3,
        max_length=254,
        description="Address of an active user of your tenant, who is mailed instead.",
    )
    least_severity: Severity = Severity.WARNING

    @model_validator(mode="after")
    def _one_target(self) -> ChannelIn:
        if (self.url is None) == (self.email is None):
            raise ValueError("give either `url` or `email`")
        return self


class ChannelOut(BaseModel):
    id: UUID
    kind: str = Field(description="`webhook` or `mail`.")
    target: str = Field(description="The address of the webhook or of the user.")
    least_severity: Severity
    last_error: str | None = Field(description="Why the last delivery failed; null where it did not.")
    last_delivered_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, channel: Channel) -> ChannelOut:
        return cls(
            id=channel.id,
            kind=channel.kind,
            target=channel.target,
            least_severity=channel.least_severity,
            last_error=channel.last_error,
            last_delivered_at=channel.last_delivered_at,
            created_at=channel.created_at,
        )


class NewChannelOut(ChannelOut):
    secret: str | None = Field(description="Signs what a webhook is sent; shown this once. Null for mails.")


class ChannelList(BaseModel):
    channels: list[ChannelOut]
