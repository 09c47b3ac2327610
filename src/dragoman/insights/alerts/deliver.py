"""Tells of an alert: a job for each channel, tried again with growing pauses.

A webhook receives a POST of JSON. `X-Dragoman-Signature: t=<seconds>,v1=<hex>` is HMAC-SHA256 with the channel's secret over
`<seconds>.<body>`; who checks it and the age of `t` knows that it comes from here and is not replayed.
`X-Dragoman-Delivery` is the same for each attempt at the same delivery.

A mail goes to a user of the tenant, at the address the user has then, and only while the user is active.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import httpx
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.accounts import repository as accounts
from dragoman.deps import Deps
from dragoman.insights.alerts import mails, repository
from dragoman.insights.alerts.entities import Alert, AlertState, Channel
from dragoman.insights.alerts.rules import BUILTIN_BY_ID, BUILTIN_BY_SIGNAL
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, NewJob, Priority, Progress
from dragoman.kit.errors import DragomanError, UnavailableError
from dragoman.kit.fetch import guarded_client

DELIVER_ALERT: Final = "insights.deliver_alert"
TEST: Final = "test"
_TIMEOUT_S: Final = 10.0
_ATTEMPTS: Final = 5
_PASSING_STATUSES: Final = frozenset({408, 425, 429})


class WebhookRefusedError(DragomanError):
    """The receiver of the webhook refused the alert. Check its address, and what it expects."""

    code, status = "alerts.webhook_refused", 502


class WebhookFailedError(UnavailableError):
    """The receiver of the webhook does not answer, or has a problem of its own; it is asked again."""

    code = "alerts.webhook_failed"


class MailNotPossibleError(DragomanError):
    """The mail cannot be sent: the user was deactivated, or the installation sends no mails any more. Delete the channel, or mend that."""

    code, status = "alerts.mail_not_possible", 409


async def enqueue_deliveries(connection: AsyncConnection, tenant_id: UUID, alert: Alert) -> list[Job]:
    """A job for each channel that wants alerts of this severity, in the transaction of the alert's change."""
    channels = await repository.list_channels(connection, tenant_id=tenant_id)
    new = [
        _job(channel.id, {"alert_id": str(alert.id), "state": alert.state.value})
        for channel in channels
        if alert.severity.rank >= channel.least_severity.rank
    ]
    return await jobs.enqueue_many(connection, new, tenant_id=tenant_id)


async def enqueue_test(connection: AsyncConnection, tenant_id: UUID, channel_id: UUID) -> Job:
    """A job that tells the channel that it works."""
    [job] = await jobs.enqueue_many(connection, [_job(channel_id, {"state": TEST})], tenant_id=tenant_id)
    return job


def _job(channel_id: UUID, payload: dict[str, Any]) -> NewJob:
    return NewJob(
        kind=DELIVER_ALERT,
        payload={"channel_id": str(channel_id), **payload},
        priority=Priority.USER,
        max_attempts=_ATTEMPTS,
        subject_id=channel_id,
    )


async def deliver_alert(deps: Deps, job: Job, _: Progress) -> None:
    """Tell one channel. A channel or an alert that is gone meanwhile is told nothing.

    Raises:
        WebhookRefusedError, WebhookFailedError, FetchError, MailNotPossibleError, MailNotSentError: and why stands at
            the channel.
    """
    channel_id = UUID(job.payload["channel_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        channel = await repository.find_channel(connection, tenant_id=job.tenant_id, channel_id=channel_id)
        alert = await _find_alert(connection, job)
    if channel is None or (alert is None and job.payload["state"] != TEST):
        return
    error: DragomanError | None = None
    try:
        if channel.kind == "mail":
            await _mail(deps, channel, alert, job)
        else:
            await _post(deps, channel, to_json(_message(alert, job)), delivery_id=job.id)
    except DragomanError as raised:
        error = raised
    async with deps.database.transaction(job.tenant_id) as connection:
        await repository.mark_channel(
            connection, tenant_id=job.tenant_id, channel_id=channel.id, error=error.message if error else None
        )
    if error is not None:
        raise error


async def _find_alert(connection: AsyncConnection, job: Job) -> Alert | None:
    if "alert_id" not in job.payload:
        return None
    return await repository.find_alert(connection, tenant_id=job.tenant_id, alert_id=UUID(job.payload["alert_id"]))


def _message(alert: Alert | None, job: Job) -> dict[str, Any]:
    """What is told. `state` is that of the moment that the message tells of, not of the moment it arrives."""
    if alert is None:
        return {"type": "alert.test", "tenant_id": str(job.tenant_id), "summary": "This channel works."}
    state = AlertState(job.payload["state"])
    builtin = BUILTIN_BY_ID.get(alert.rule_id) or BUILTIN_BY_SIGNAL.get(alert.signal)
    return {
        "type": f"alert.{state.value}",
        "tenant_id": str(job.tenant_id),
        "alert_id": str(alert.id),
        "rule_id": str(alert.rule_id),
        "rule": alert.rule_name,
        "signal": alert.signal.value,
        "severity": alert.severity.value,
        "state": state.value,
        "chatbot_id": None if alert.chatbot_id is None else str(alert.chatbot_id),
        "value": alert.value if state is AlertState.FIRING else alert.worst,
        "threshold": alert.threshold,
        "samples": alert.samples,
        "summary": builtin.summary if builtin else None,
        "remedy": builtin.remedy if builtin else None,
        "fired_at": _iso(alert.fired_at),
        "resolved_at": _iso(alert.resolved_at) if state is AlertState.RESOLVED else None,
    }


async def _mail(deps: Deps, channel: Channel, alert: Alert | None, job: Job) -> None:
    async with deps.database.transaction(job.tenant_id) as connection:
        assert channel.user_id is not None  # of a mail it never is
        found = await accounts.find_credentials(connection, tenant_id=job.tenant_id, user_id=channel.user_id)
    mailer = deps.accounts.mailer
    if found is None or found.person.deactivated_at is not None or not mailer.reaches_people:
        raise MailNotPossibleError
    to, tenant_name = found.person.email, found.tenant_name
    if alert is None:
        await mailer.send(mails.of_test(to=to, tenant_name=tenant_name))
    else:
        state = AlertState(job.payload["state"])
        await mailer.send(mails.of_alert(to=to, tenant_name=tenant_name, alert=alert, state=state))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


async def _post(deps: Deps, channel: Channel, body: bytes, *, delivery_id: UUID) -> None:
    secret = deps.keyring.open(channel.sealed_secret or "", place_of_secret(channel.id))
    headers = {
        "Content-Type": "application/json",
        "X-Dragoman-Signature": signature(secret, body, at_s=int(time.time())),
        "X-Dragoman-Delivery": str(delivery_id),
    }
    async with guarded_client(deps.premises.fetch, timeout_s=_TIMEOUT_S) as client:
        try:
            async with client.stream("POST", channel.target, content=body, headers=headers) as answer:
                status = answer.status_code  # the body is not read: nothing of it is wanted, and it may be endless
        except httpx.HTTPError as error:
            raise WebhookFailedError(f"The webhook does not answer: {type(error).__name__}.") from error
    if status in _PASSING_STATUSES or status >= 500:
        raise WebhookFailedError(f"The webhook answered {status}.")
    if status >= 300:
        raise WebhookRefusedError(f"The webhook answered {status}.")


def signature(secret: str, body: bytes, *, at_s: int) -> str:
    """As `X-Dragoman-Signature` carries it; `at_s`: seconds since 1970."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def place_of_secret(channel_id: UUID) -> str:
    """What the secret is sealed for."""
    return f"alert channel {channel_id}"
