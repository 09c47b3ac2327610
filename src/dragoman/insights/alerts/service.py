"""Rules, silences, channels and alerts as a tenant sees and changes them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.accounts import addresses
from dragoman.accounts import repository as accounts
from dragoman.deps import Deps
from dragoman.insights.alerts import repository
from dragoman.insights.alerts.deliver import enqueue_test, place_of_secret
from dragoman.insights.alerts.entities import (
    INSTALLATION_SIGNALS,
    OF_TENANT_ONLY,
    Alert,
    AlertState,
    Channel,
    Rule,
    Severity,
    Silence,
)
from dragoman.insights.alerts.errors import (
    AlertChannelExistsError,
    AlertChannelNotFoundError,
    AlertNotFoundError,
    AlertRuleNotFoundError,
    InvalidAlertRuleError,
    NoAlertRecipientError,
    NoMailServerError,
    TooManyAlertRulesError,
)
from dragoman.insights.alerts.rules import BUILTIN, BUILTIN_BY_ID
from dragoman.insights.operators import is_operator
from dragoman.jobs import service as jobs
from dragoman.kit.clock import new_id, now
from dragoman.kit.fetch import require_reachable
from dragoman.kit.pagination import Page, PageRequest
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller

MOST_RULES: Final = 100
MOST_CHANNELS: Final = 20
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - no secret: how one begins


# ---- rules


async def rules_of(connection: AsyncConnection, tenant_id: UUID, *, is_operator: bool) -> list[Rule]:
    """The rules of a tenant: the built-in ones as it changed them, then its own."""
    changed = await repository.list_rules(connection, tenant_id=tenant_id)
    by_name = {rule.builtin: rule for rule in changed if rule.builtin is not None}
    rules = [by_name.get(builtin.name, builtin.rule) for builtin in BUILTIN]
    rules += [rule for rule in changed if rule.builtin is None]
    return [rule for rule in rules if is_operator or not rule.is_of_installation]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """A rule, and the silence that holds for it."""

    rule: Rule
    silence: Silence | None


async def list_rules(deps: Deps, caller: Caller) -> list[RuleState]:
    operator = await is_operator(deps.database, caller.tenant_id, deps.operator_tenant)
    async with deps.database.transaction(caller.tenant_id) as connection:
        rules = await rules_of(connection, caller.tenant_id, is_operator=operator)
        silences = await repository.list_silences(connection, tenant_id=caller.tenant_id)
    return [RuleState(rule=rule, silence=silences.get(rule.id)) for rule in rules]


async def create_rule(deps: Deps, caller: Caller, rule: Rule) -> RuleState:
    """Raises InvalidAlertRuleError, TooManyAlertRulesError, ChatbotNotFoundError."""
    await _require_possible(deps, caller, rule)
    async with deps.database.transaction(caller.tenant_id) as connection:
        if rule.chatbot_id is not None:
            await tenancy.get_chatbot(connection, caller, rule.chatbot_id)
        if len(await repository.list_rules(connection, tenant_id=caller.tenant_id)) >= MOST_RULES:
            raise TooManyAlertRulesError
        await repository.save_rule(connection, rule, tenant_id=caller.tenant_id)
        await audit.record(
            connection, caller, "alert_rule.created", subject_type="alert_rule", subject_id=rule.id, **_told(rule)
        )
    return RuleState(rule=replace(rule, is_changed=True), silence=None)


async def update_rule(deps: Deps, caller: Caller, rule_id: UUID, changes: Mapping[str, Any]) -> RuleState:
    """Change a rule; of a built-in one the tenant gets its own version.

    Raises:
        AlertRuleNotFoundError, InvalidAlertRuleError.
    """
    operator = await is_operator(deps.database, caller.tenant_id, deps.operator_tenant)
    async with deps.database.transaction(caller.tenant_id) as connection:
        before = await _get_rule(connection, caller, rule_id, is_operator=operator)
        rule = replace(before, **changes)
        await _require_possible(deps, caller, rule)
        await repository.save_rule(connection, rule, tenant_id=caller.tenant_id)
        await audit.record(
            connection,
            caller,
            "alert_rule.changed",
            subject_type="alert_rule",
            subject_id=rule.id,
            before={name: value for name, value in _told(before).items() if name in changes},
            after={name: value for name, value in _told(rule).items() if name in changes},
        )
        silences = await repository.list_silences(connection, tenant_id=caller.tenant_id)
    return RuleState(rule=replace(rule, is_changed=True), silence=silences.get(rule.id))


async def delete_rule(deps: Deps, caller: Caller, rule_id: UUID) -> None:
    """Delete an own rule; a built-in one goes back to what it was. Raises AlertRuleNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        if await repository.find_rule(connection, tenant_id=caller.tenant_id, rule_id=rule_id) is None:
            raise AlertRuleNotFoundError
        await repository.delete_rule(connection, tenant_id=caller.tenant_id, rule_id=rule_id)
        await audit.record(connection, caller, "alert_rule.deleted", subject_type="alert_rule", subject_id=rule_id)


def _told(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "signal": rule.signal.value,
        "chatbot_id": None if rule.chatbot_id is None else str(rule.chatbot_id),
        "threshold": rule.threshold,
        "clears_at": rule.clears_at,
        "window_s": rule.window_s,
        "for_s": rule.for_s,
        "min_samples": rule.min_samples,
        "severity": rule.severity.value,
        "is_enabled": rule.is_enabled,
    }


async def _require_possible(deps: Deps, caller: Caller, rule: Rule) -> None:
    """Raises InvalidAlertRuleError."""
    if rule.signal in INSTALLATION_SIGNALS and not await is_operator(
        deps.database, caller.tenant_id, deps.operator_tenant
    ):
        raise InvalidAlertRuleError(
            f"{rule.signal.value!r} tells of the whole installation: only its operator may watch it."
        )
    if rule.chatbot_id is not None and rule.signal in OF_TENANT_ONLY:
        raise InvalidAlertRuleError(f"{rule.signal.value!r} is not told of one chatbot alone. Leave out `chatbot_id`.")
    if not rule.fires_below and rule.clears_at > rule.threshold:
        raise InvalidAlertRuleError("`clears_at` is the value at which it is good again: not above `threshold`.")
    if rule.fires_below and rule.clears_at < rule.threshold:
        raise InvalidAlertRuleError("This signal is bad below its threshold: `clears_at` is not below `threshold`.")


async def _get_rule(connection: AsyncConnection, caller: Caller, rule_id: UUID, *, is_operator: bool) -> Rule:
    """Raises AlertRuleNotFoundError."""
    rule = await repository.find_rule(connection, tenant_id=caller.tenant_id, rule_id=rule_id)
    if rule is None and rule_id in BUILTIN_BY_ID:
        rule = BUILTIN_BY_ID[rule_id].rule
    if rule is None or (rule.is_of_installation and not is_operator):
        raise AlertRuleNotFoundError
    return rule


# ---- silences


async def silence_rule(deps: Deps, caller: Caller, rule_id: UUID, *, until: datetime, comment: str) -> Silence:
    """Tell nobody of this rule's alerts until then. Raises AlertRuleNotFoundError."""
    operator = await is_operator(deps.database, caller.tenant_id, deps.operator_tenant)
    silence = Silence(rule_id=rule_id, until=until, by=caller.asker, comment=comment)
    async with deps.database.transaction(caller.tenant_id) as connection:
        await _get_rule(connection, caller, rule_id, is_operator=operator)
        await repository.save_silence(connection, silence, tenant_id=caller.tenant_id)
        await audit.record(
            connection,
            caller,
            "alert_rule.silenced",
            subject_type="alert_rule",
            subject_id=rule_id,
            until=until.isoformat(),
        )
    return silence


async def end_silence(deps: Deps, caller: Caller, rule_id: UUID) -> None:
    """Tell of this rule's alerts again; of one that fires, in the next minute. Raises AlertRuleNotFoundError."""
    operator = await is_operator(deps.database, caller.tenant_id, deps.operator_tenant)
    async with deps.database.transaction(caller.tenant_id) as connection:
        await _get_rule(connection, caller, rule_id, is_operator=operator)
        await repository.delete_silence(connection, tenant_id=caller.tenant_id, rule_id=rule_id)
        await audit.record(connection, caller, "alert_rule.unsilenced", subject_type="alert_rule", subject_id=rule_id)


# ---- alerts


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAlert:
    """An alert, and the silence that holds for its rule."""

    alert: Alert
    silence: Silence | None


async def list_active(deps: Deps, caller: Caller, *, with_pending: bool = False) -> list[ActiveAlert]:
    """Firing alerts, the worst first, then those that came last."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        found = await repository.list_active(connection, tenant_id=caller.tenant_id)
        silences = await repository.list_silences(connection, tenant_id=caller.tenant_id)
    shown = [alert for alert in found if with_pending or alert.state is AlertState.FIRING]
    shown.sort(
        key=lambda alert: (alert.state is AlertState.PENDING, -alert.severity.rank, -alert.started_at.timestamp())
    )
    return [ActiveAlert(alert=alert, silence=silences.get(alert.rule_id)) for alert in shown]


async def list_history(deps: Deps, caller: Caller, page: PageRequest) -> Page[Alert]:
    """Alerts that were resolved, the newest first."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_resolved(connection, tenant_id=caller.tenant_id, page=page)
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def acknowledge(deps: Deps, caller: Caller, alert_id: UUID) -> Alert:
    """Say that somebody sees to it. Raises AlertNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        alert = await repository.find_alert(connection, tenant_id=caller.tenant_id, alert_id=alert_id)
        if alert is None:
            raise AlertNotFoundError
        await repository.acknowledge(connection, tenant_id=caller.tenant_id, alert_id=alert_id, by=caller.asker)
        await audit.record(connection, caller, "alert.acknowledged", subject_type="alert", subject_id=alert_id)
    return replace(alert, acknowledged_at=now(), acknowledged_by=caller.asker)


# ---- channels


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedChannel:
    """A new channel with the secret of a webhook, which is shown this once."""

    channel: Channel
    secret: str | None


async def list_channels(deps: Deps, caller: Caller) -> list[Channel]:
    async with deps.database.transaction(caller.tenant_id) as connection:
        return await repository.list_channels(connection, tenant_id=caller.tenant_id)


async def create_webhook(deps: Deps, caller: Caller, url: str, least_severity: Severity) -> CreatedChannel:
    """A webhook, with a new secret for its signatures.

    Raises:
        InvalidUrlError, HostNotFoundError, ForbiddenAddressError, ServerUnreachableError, TooManyAlertRulesError.
    """
    target = await require_reachable(deps.premises.fetch, url)
    secret, channel_id = _SECRET_PREFIX + secrets.token_urlsafe(32), new_id()
    channel = Channel(
        id=channel_id,
        kind="webhook",
        target=target,
        user_id=None,
        sealed_secret=deps.keyring.seal(secret, place_of_secret(channel_id)),
        least_severity=least_severity,
        last_error=None,
        last_delivered_at=None,
        created_at=now(),
    )
    async with deps.database.transaction(caller.tenant_id) as connection:
        await _insert_channel(connection, caller, channel, target=_host_of(channel.target))
    return CreatedChannel(channel=channel, secret=secret)


async def create_mail_channel(deps: Deps, caller: Caller, email: str, least_severity: Severity) -> CreatedChannel:
    """Mail alerts to a user of the tenant: nobody else's address can be filled with mails so.

    Raises:
        InvalidAddressError, NoAlertRecipientError, NoMailServerError, AlertChannelExistsError, TooManyAlertRulesError.
    """
    address = addresses.checked(email)
    if not deps.accounts.mailer.reaches_people:
        raise NoMailServerError
    async with deps.database.transaction(caller.tenant_id) as connection:
        person = await accounts.find_person_by_email(connection, tenant_id=caller.tenant_id, email=address)
        if person is None or person.deactivated_at is not None:
            raise NoAlertRecipientError
        channel = Channel(
            id=new_id(),
            kind="mail",
            target=person.email,
            user_id=person.id,
            sealed_secret=None,
            least_severity=least_severity,
            last_error=None,
            last_delivered_at=None,
            created_at=now(),
        )
        await _insert_channel(connection, caller, channel, user_id=str(person.id))
    return CreatedChannel(channel=channel, secret=None)


async def _insert_channel(connection: AsyncConnection, caller: Caller, channel: Channel, **audited: str) -> None:
    """Raises TooManyAlertRulesError, AlertChannelExistsError."""
    if len(await repository.list_channels(connection, tenant_id=caller.tenant_id)) >= MOST_CHANNELS:
        raise TooManyAlertRulesError
    if not await repository.insert_channel(connection, channel, tenant_id=caller.tenant_id):
        raise AlertChannelExistsError
    await audit.record(
        connection,
        caller,
        "alert_channel.created",
        subject_type="alert_channel",
        subject_id=channel.id,
        kind=channel.kind,
        **audited,
    )


def _host_of(url: str) -> str:
    """Scheme and host. Whoever knows the rest of a webhook's address may write into the channel behind it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


async def delete_channel(deps: Deps, caller: Caller, channel_id: UUID) -> None:
    """Raises AlertChannelNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        await _get_channel(connection, caller, channel_id)
        await repository.delete_channel(connection, tenant_id=caller.tenant_id, channel_id=channel_id)
        await audit.record(
            connection, caller, "alert_channel.deleted", subject_type="alert_channel", subject_id=channel_id
        )


async def send_test(deps: Deps, caller: Caller, channel_id: UUID) -> None:
    """Send a test by a job; what became of it stands at the channel. Raises AlertChannelNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        await _get_channel(connection, caller, channel_id)
        job = await enqueue_test(connection, caller.tenant_id, channel_id)
    await jobs.announce_many(deps.sender, [job])


async def _get_channel(connection: AsyncConnection, caller: Caller, channel_id: UUID) -> Channel:
    """Raises AlertChannelNotFoundError."""
    channel = await repository.find_channel(connection, tenant_id=caller.tenant_id, channel_id=channel_id)
    if channel is None:
        raise AlertChannelNotFoundError
    return channel
