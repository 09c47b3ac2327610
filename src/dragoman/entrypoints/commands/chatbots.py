"""`dragoman chatbots`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table

if TYPE_CHECKING:
    from dragoman.client import Chatbot, Dragoman

app = typer.Typer(help="List, make, change and delete chatbots.")

Name = Annotated[str, typer.Argument(metavar="ID|NAME", help="Id or name of the chatbot.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting, the value as JSON; `null` restores the default."),
]


@app.command("list")
def list_chatbots(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """List your chatbots."""

    async def body(client: Dragoman) -> list[Chatbot]:
        return [chatbot async for chatbot in client.chatbots.list()]

    chatbots = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"chatbots": [chatbot.model_dump(mode="json") for chatbot in chatbots], "total": len(chatbots)})
        return ExitCode.OK
    rows = [(each.id, each.name, "yes" if each.is_default else "", f"{each.created_at:%Y-%m-%d}") for each in chatbots]
    print_table(("Id", "Name", "Default", "Created"), rows)
    return ExitCode.OK


@app.command("create")
def create_chatbot(
    name: Annotated[str, typer.Argument(help="Name of the new chatbot.")],
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    settings: Settings = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Make a chatbot with documents and settings of its own."""
    given = parse_settings(settings or ())

    async def body(client: Dragoman) -> Chatbot:
        return await client.chatbots.create(name, description=description, settings=given)

    return _show(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)


@app.command("show")
def show_chatbot(
    chatbot: Name, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Show a chatbot with all its settings."""

    async def body(client: Dragoman) -> Chatbot:
        return await connection.find_chatbot(client, chatbot)

    return _show(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)


@app.command("update")
def update_chatbot(
    chatbot: Name,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    description: Annotated[str | None, typer.Option(help="A new description.")] = None,
    settings: Settings = None,
    make_default: Annotated[bool, typer.Option("--default", help="Make it the tenant's default chatbot.")] = False,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Change name, description or settings of a chatbot, or make it the default."""
    given = parse_settings(settings or ())

    async def body(client: Dragoman) -> Chatbot:
        found = await connection.find_chatbot(client, chatbot)
        return await client.chatbots.update(
            found.id,
            name=name,
            description=description,
            settings=given or None,
            is_default=True if make_default else None,
        )

    return _show(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)


@app.command("delete")
def delete_chatbot(
    chatbot: Name, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Delete a chatbot with its documents and conversations."""

    async def body(client: Dragoman) -> Chatbot:
        found = await connection.find_chatbot(client, chatbot)
        await client.chatbots.delete(found.id)
        return found

    deleted = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"deleted": str(deleted.id)})
    else:
        print_line(f"Deleted the chatbot {deleted.name} ({deleted.id}).")
    return ExitCode.OK


def parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` pairs; a value that is no JSON is a string.

    Raises:
        typer.BadParameter: there is no `=`.
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{assignment!r} is not NAME=VALUE")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def _show(chatbot: Chatbot, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json(chatbot.model_dump(mode="json"))
        return ExitCode.OK
    print_pairs(
        [
            ("Id", chatbot.id),
            ("Name", chatbot.name),
            ("Description", chatbot.description or None),
            ("Default", "yes" if chatbot.is_default else "no"),
            *((name, json.dumps(value, ensure_ascii=False)) for name, value in chatbot.settings.items()),
        ]
    )
    return ExitCode.OK
