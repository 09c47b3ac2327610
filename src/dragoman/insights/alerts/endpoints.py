"""HTTP: alerts, their rules, silences and channels."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, status

from dragoman.deps.http import DepsDep
from dragoman.insights.alerts import service
from dragoman.insights.alerts.schemas import (
    AlertHistory,
    AlertList,
    AlertOut,
    AlertRuleChange,
    AlertRuleIn,
    AlertRuleList,
    AlertRuleOut,
    ChannelIn,
    ChannelList,
    ChannelOut,
    NewChannelOut,
    SilenceIn,
    SilenceOut,
)
from dragoman.tenancy.http import CallerWhoManagesAlerts, CallerWhoReadsMetrics, PageDep

router = APIRouter(tags=["alerts"])


@router.get("/api/alerts")
async def list_alerts(
    caller: CallerWhoReadsMetrics,
    deps: DepsDep,
    state: Annotated[
        Literal["firing", "active"], Query(description="`active`: with those that may fire soon.")
    ] = "firing",
) -> AlertList:
    """List the alerts that fire, the worst first."""
    found = await service.list_active(deps, caller, with_pending=state == "active")
    return AlertList(alerts=[AlertOut.of_active(each) for each in found])


@router.get("/api/alerts/history/")
async def list_alert_history(caller: CallerWhoReadsMetrics, deps: DepsDep, page: PageDep) -> AlertHistory:
    """List alerts that were resolved, the newest first. They are kept for 400 days."""
    found = await service.list_history(deps, caller, page)
    return AlertHistory(
        alerts=[AlertOut.of(alert) for alert in found.items],
        total=found.total,
        limit=found.limit,
        offset=found.offset,
    )


@router.post("/api/alerts/{alert_id}/acknowledge/")
async def acknowledge_alert(alert_id: UUID, caller: CallerWhoManagesAlerts, deps: DepsDep) -> AlertOut:
    """Say that you see to an alert; others see who does."""
    return AlertOut.of(await service.acknowledge(deps, caller, alert_id))


@router.get("/api/alerts/rules/")
async def list_alert_rules(caller: CallerWhoReadsMetrics, deps: DepsDep) -> AlertRuleList:
    """List the built-in rules and your own, with the silences that hold."""
    return AlertRuleList(rules=[AlertRuleOut.of(state) for state in await service.list_rules(deps, caller)])


@router.post("/api/alerts/rules/", status_code=status.HTTP_201_CREATED)
async def create_alert_rule(body: AlertRuleIn, caller: CallerWhoManagesAlerts, deps: DepsDep) -> AlertRuleOut:
    """Make a rule of your own: a signal and the threshold beyond which it is bad."""
    return AlertRuleOut.of(await service.create_rule(deps, caller, body.rule()))


@router.patch("/api/alerts/rules/{rule_id}/")
async def update_alert_rule(
    rule_id: UUID, body: AlertRuleChange, caller: CallerWhoManagesAlerts, deps: DepsDep
) -> AlertRuleOut:
    """Change a rule, also a built-in one: for your tenant only."""
    return AlertRuleOut.of(await service.update_rule(deps, caller, rule_id, body.changes()))


@router.delete("/api/alerts/rules/{rule_id}/", status_code=status.HTTP_204_NO_CONTENT)
async def delete_alert_rule(rule_id: UUID, caller: CallerWhoManagesAlerts, deps: DepsDep) -> None:
    """Delete a rule of your own, or bring a built-in one back to what it was."""
    await service.delete_rule(deps, caller, rule_id)


@router.put("/api/alerts/rules/{rule_id}/silence/")
async def silence_alert_rule(
    rule_id: UUID, body: SilenceIn, caller: CallerWhoManagesAlerts, deps: DepsDep
) -> SilenceOut | None:
    """Tell nobody of a rule's alerts for a while."""
    return SilenceOut.of(await service.silence_rule(deps, caller, rule_id, until=body.end(), comment=body.comment))


@router.delete("/api/alerts/rules/{rule_id}/silence/", status_code=status.HTTP_204_NO_CONTENT)
async def end_alert_silence(rule_id: UUID, caller: CallerWhoManagesAlerts, deps: DepsDep) -> None:
    """End a silence. Of an alert that fires, people are told within a minute."""
    await service.end_silence(deps, caller, rule_id)


@router.get("/api/alerts/channels/")
async def list_alert_channels(caller: CallerWhoManagesAlerts, deps: DepsDep) -> ChannelList:
    """List the webhooks and users that are told of alerts."""
    return ChannelList(channels=[ChannelOut.of(channel) for channel in await service.list_channels(deps, caller)])


@router.post("/api/alerts/channels/", status_code=status.HTTP_201_CREATED)
async def create_alert_channel(body: ChannelIn, caller: CallerWhoManagesAlerts, deps: DepsDep) -> NewChannelOut:
    """Have a webhook or a user of your tenant told of alerts, by `url` or `email`.

    The secret of a webhook's signatures is shown this once.
    """
    if body.email is not None:
        made = await service.create_mail_channel(deps, caller, body.email, body.least_severity)
    else:
        made = await service.create_webhook(deps, caller, body.url or "", body.least_severity)
    return NewChannelOut(**ChannelOut.of(made.channel).model_dump(), secret=made.secret)


@router.delete("/api/alerts/channels/{channel_id}/", status_code=status.HTTP_204_NO_CONTENT)
async def delete_alert_channel(channel_id: UUID, caller: CallerWhoManagesAlerts, deps: DepsDep) -> None:
    """Tell this webhook or user nothing more."""
    await service.delete_channel(deps, caller, channel_id)


@router.post("/api/alerts/channels/{channel_id}/test/", status_code=status.HTTP_202_ACCEPTED)
async def test_alert_channel(channel_id: UUID, caller: CallerWhoManagesAlerts, deps: DepsDep) -> None:
    """Send a test. Whether it arrived stands at the channel a moment later."""
    await service.send_test(deps, caller, channel_id)
