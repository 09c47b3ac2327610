"""`dragoman limits`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.chatbots import parse_settings
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_table

if TYPE_CHECKING:
    from dragoman.client import Dragoman, Limits

app = typer.Typer(help="Show and set how often your tenant and its askers may do what costs.")


@app.command("show")
def show_limits(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """Show the limits that hold, and which of them your tenant has set."""

    async def body(client: Dragoman) -> Limits:
        return await client.limits.read()

    return _show(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)


@app.command("set")
def set_limits(
    limits: Annotated[
        list[str],
        typer.Argument(metavar="NAME=NUMBER", help="A limit; 0 for none, `null` for that of the installation."),
    ],
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Change limits of your tenant; those that are not named stay."""
    given = parse_settings(limits)

    async def body(client: Dragoman) -> Limits:
        present = await client.limits.read()
        return await client.limits.set({**present.own, **given})

    return _show(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)


def _show(limits: Limits, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json(limits.model_dump(mode="json"))
        return ExitCode.OK
    rows = [
        (name, limit or "none", "your tenant" if limits.own.get(name) is not None else "the installation")
        for name, limit in limits.effective.items()
    ]
    print_table(("Limit", "At most", "Set by"), rows, right=("At most",))
    return ExitCode.OK
