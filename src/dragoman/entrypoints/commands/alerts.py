"""`dragoman alerts`: what fires, the rules, silences, and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line, print_pairs, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dragoman.client import Alert, AlertChannel, AlertRule, Dragoman

app = typer.Typer(help="List alerts and rules, silence them, choose who is told.")

RuleName = Annotated[str, typer.Argument(metavar="RULE", help="Name or id of the rule: see `alerts rules`.")]


@app.command("list")
def list_alerts(
    active: Annotated[bool, typer.Option("--active", help="Also those that may fire soon.")] = False,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """List the alerts that fire, the worst first.

    Exit code 1 when any fires.
    """

    async def body(client: Dragoman) -> Sequence[Alert]:
        return await client.alerts.list(state="active" if active else "firing")

    found = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"alerts": [alert.model_dump(mode="json") for alert in found]})
    elif found:
        rows = [
            (alert.rule, alert.severity, alert.state, f"{alert.value:g}", f"{alert.threshold:g}", alert.summary or "")
            for alert in found
        ]
        print_table(("Rule", "Severity", "State", "Value", "Threshold", "What"), rows)
    else:
        print_line("Nothing fires.")
    return ExitCode.FAILED if any(alert.state == "firing" for alert in found) else ExitCode.OK


@app.command("rules")
def list_rules(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """List the built-in rules and your own."""

    async def body(client: Dragoman) -> Sequence[AlertRule]:
        return await client.alerts.rules()

    rules = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"rules": [rule.model_dump(mode="json") for rule in rules]})
        return ExitCode.OK
    rows = [
        (rule.name, rule.signal, f"{rule.threshold:g}", f"{rule.for_s} s", rule.severity, _state_of(rule))
        for rule in rules
    ]
    print_table(("Rule", "Signal", "Threshold", "For", "Severity", "State"), rows)
    return ExitCode.OK


def _state_of(rule: AlertRule) -> str:
    if not rule.is_enabled:
        return "off"
    return f"silent until {rule.silence['until']}" if rule.silence else "on"


@app.command("silence")
def silence_rule(
    rule: RuleName,
    minutes: Annotated[int, typer.Option(min=0, help="For so long; 0 ends a silence.")] = 60,
    comment: Annotated[str, typer.Option(help="Why, for those who look.")] = "",
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Tell nobody of a rule's alerts for a while."""

    async def body(client: Dragoman) -> str:
        rule_id = next((str(each.id) for each in await client.alerts.rules() if each.name == rule), rule)
        if minutes:
            await client.alerts.silence(rule_id, minutes=minutes, comment=comment)
        else:
            await client.alerts.end_silence(rule_id)
        return rule_id

    rule_id = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"rule_id": rule_id, "minutes": minutes})
    else:
        print_line(f"{rule} is silent for {minutes} minutes." if minutes else f"{rule} is told of again.")
    return ExitCode.OK


@app.command("webhook")
def add_webhook(
    target: Annotated[str, typer.Argument(metavar="ADDRESS", help="Is sent a signed POST for each alert.")],
    least_severity: Annotated[str, typer.Option(help="info, warning or critical.")] = "warning",
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Have a webhook told of alerts. The secret of its signatures is shown this once."""

    async def body(client: Dragoman) -> AlertChannel:
        return await client.alerts.create_channel(target, least_severity=least_severity)

    channel = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(channel.model_dump(mode="json"))
        return ExitCode.OK
    print_pairs([("Channel", channel.id), ("Secret", channel.secret)])
    err().print("Store the secret now: it cannot be shown again.", style="yellow")
    return ExitCode.OK


@app.command("mail")
def add_mail(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Of an active user of your tenant.")],
    least_severity: Annotated[str, typer.Option(help="info, warning or critical.")] = "warning",
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Mail a user of your tenant when an alert fires and when it is resolved."""

    async def body(client: Dragoman) -> AlertChannel:
        return await client.alerts.create_mail_channel(address, least_severity=least_severity)

    channel = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(channel.model_dump(mode="json"))
    else:
        print_line(f"{channel.target} is mailed of alerts from now on.")
    return ExitCode.OK


@app.command("channels")
def list_channels(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """List the webhooks and users that are told, and why the last delivery failed.

    Exit code 1 when one did.
    """

    async def body(client: Dragoman) -> Sequence[AlertChannel]:
        return await client.alerts.channels()

    channels = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"channels": [channel.model_dump(mode="json") for channel in channels]})
    elif channels:
        rows = [
            (str(channel.id), channel.kind, channel.target, channel.least_severity, channel.last_error or "")
            for channel in channels
        ]
        print_table(("Channel", "Kind", "Target", "From", "Last error"), rows)
    else:
        print_line("Nobody is told. Add somebody: dragoman alerts mail ADDRESS, or dragoman alerts webhook ADDRESS")
    return ExitCode.FAILED if any(channel.last_error for channel in channels) else ExitCode.OK


@app.command("test")
def send_test(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Its id: see `alerts channels`.")],
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Send a test to a webhook or user. `alerts channels` tells a moment later whether it failed."""

    async def body(client: Dragoman) -> None:
        await client.alerts.test_channel(channel)

    connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"channel_id": channel})
    else:
        print_line("The test is on its way.")
    return ExitCode.OK


@app.command("forget")
def delete_channel(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Its id: see `alerts channels`.")],
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Tell a webhook or user nothing more."""

    async def body(client: Dragoman) -> None:
        await client.alerts.delete_channel(channel)

    connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"channel_id": channel})
    else:
        print_line("It is told nothing more.")
    return ExitCode.OK
