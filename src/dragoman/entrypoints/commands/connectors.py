"""`dragoman connectors`."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.chatbots import parse_settings
from dragoman.entrypoints.commands.connection import AmbiguousNameError, Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table
from dragoman.kit.errors import NotFoundError

if TYPE_CHECKING:
    from dragoman.client import Dragoman
    from dragoman.client.connectors import Connector, Sync, SyncReport

app = typer.Typer(help="Keep documents in sync with a folder, a web site or a bucket.")

ConnectorName = Annotated[str, typer.Argument(metavar="ID|NAME", help="Id or name of the connector.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help='A setting, the value as JSON: `start_urls=["https://docs.example.com/"]`.'
    ),
]
_POLL_S = 0.5


class ConnectorNameNotFoundError(NotFoundError):
    """There is no connector of this name. `dragoman connectors list` lists yours."""

    code = "cli.connector_not_found"


class OnVanished(StrEnum):
    DELETE = "delete"
    KEEP = "keep"


@app.command("list")
def list_connectors(
    chatbot: ChatbotId = None, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """List your connectors with what their last sync did."""

    async def body(client: Dragoman) -> list[Connector]:
        chatbot_id = await connection.chatbot_id_of(client, chatbot)
        return [each async for each in client.connectors.list(chatbot_id=chatbot_id)]

    found = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"connectors": [each.model_dump(mode="json") for each in found], "total": len(found)})
        return ExitCode.OK
    rows = [(each.id, each.name, each.kind, each.origin, _state(each), _summary(each.last_sync)) for each in found]
    print_table(("Id", "Name", "Kind", "Origin", "State", "Last sync"), rows)
    return ExitCode.OK


@app.command("create")
def create_connector(
    name: Annotated[str, typer.Argument(help="Name of the new connector.")],
    kind: Annotated[str, typer.Argument(help="folder, website or s3.")],
    settings: Settings = None,
    interval_s: Annotated[int, typer.Option("--interval-s", min=0, help="Seconds between syncs; 0 for none.")] = 3600,
    on_vanished: Annotated[
        OnVanished, typer.Option(help="What becomes of documents that vanish there.")
    ] = OnVanished.DELETE,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Try the settings, store the connector and start its first sync."""
    given = parse_settings(settings or ())

    async def body(client: Dragoman) -> Connector:
        return await client.connectors.create(
            name,
            kind,
            given,
            chatbot_id=await connection.chatbot_id_of(client, chatbot),
            interval_s=interval_s or None,
            on_vanished=on_vanished.value,
        )

    return _show(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)


@app.command("show")
def show_connector(
    connector: ConnectorName, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Show a connector with its settings; secrets are shown as stars."""

    async def body(client: Dragoman) -> Connector:
        return await _find(client, connector)

    return _show(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)


@app.command("sync")
def sync_connector(
    connector: ConnectorName,
    allow_mass_deletion: Annotated[
        bool, typer.Option("--allow-mass-deletion", help="Delete although most of what was known is gone.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end and show the report.")] = True,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Sync now, and say what was new, changed, vanished or failed."""

    async def body(client: Dragoman) -> SyncReport:
        found = await _find(client, connector)
        sync = await client.connectors.sync(found.id, allow_mass_deletion=allow_mass_deletion)
        report = await client.connectors.report(found.id, sync.id)
        while wait and not report.is_over:
            await asyncio.sleep(_POLL_S)
            report = await client.connectors.report(found.id, sync.id)
        return report

    report = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print_report(report)
    return ExitCode.FAILED if report.state in ("failed", "cancelled") else ExitCode.OK


@app.command("pause")
def pause_connector(
    connector: ConnectorName, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Start no more syncs, and stop the one that runs."""
    return _set_paused(Server(url=url, api_key=api_key, home=home, json=as_json), connector, is_paused=True)


@app.command("resume")
def resume_connector(
    connector: ConnectorName, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Go on with a paused connector, with a sync at once."""
    return _set_paused(Server(url=url, api_key=api_key, home=home, json=as_json), connector, is_paused=False)


@app.command("delete")
def delete_connector(
    connector: ConnectorName,
    with_documents: Annotated[bool, typer.Option("--with-documents", help="Delete its documents too.")] = False,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Remove a connector. Its documents stay, unless you say otherwise."""

    async def body(client: Dragoman) -> Connector:
        found = await _find(client, connector)
        await client.connectors.delete(found.id, with_documents=with_documents)
        return found

    deleted = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"deleted": str(deleted.id)})
    else:
        print_line(f"Deleted the connector {deleted.name} ({deleted.id}).")
    return ExitCode.OK


async def _find(client: Dragoman, id_or_name: str) -> Connector:
    """Raises ConnectorNameNotFoundError, AmbiguousNameError."""
    if connection.is_id(id_or_name):
        return await client.connectors.get(id_or_name)
    found = [each async for each in client.connectors.list() if each.name == id_or_name]
    if not found:
        raise ConnectorNameNotFoundError(
            f"There is no connector {id_or_name!r}. `dragoman connectors list` lists yours."
        )
    if len(found) > 1:
        raise AmbiguousNameError(f"{len(found)} connectors are named {id_or_name!r}. Give the id instead.")
    return found[0]


def _set_paused(server: Server, connector: str, *, is_paused: bool) -> ExitCode:
    async def body(client: Dragoman) -> Connector:
        found = await _find(client, connector)
        return await client.connectors.update(found.id, is_paused=is_paused)

    return _show(connection.run(server, body), as_json=server.json)


def _show(connector: Connector, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json(connector.model_dump(mode="json"))
        return ExitCode.OK
    print_pairs(
        [
            ("Id", connector.id),
            ("Name", connector.name),
            ("Kind", connector.kind),
            ("Origin", connector.origin),
            ("State", _state(connector)),
            ("Interval", f"{connector.interval_s} s" if connector.interval_s else "by hand"),
            ("Next sync", connector.next_sync_at),
            ("Vanished", f"documents: {connector.on_vanished}"),
            ("Last sync", _summary(connector.last_sync) or None),
            *((f"  {name}", value) for name, value in sorted(connector.settings.items())),
        ]
    )
    return ExitCode.OK


def _print_report(report: SyncReport) -> None:
    print_line(_summary(report))
    for entry in report.items:
        print_line(f"  {entry.outcome:<9} {entry.key}{f': {entry.reason}' if entry.reason else ''}")
    for note in [*report.notes, *([report.error] if report.error else [])]:
        print_line(note, style="yellow")


def _state(connector: Connector) -> str:
    return "paused" if connector.is_paused else "watched" if connector.is_watched else "on"


def _summary(sync: Sync | None) -> str:
    if sync is None:
        return ""
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sync.counts.items() if count)
    return f"{sync.state}: {counts or 'nothing there'}"
