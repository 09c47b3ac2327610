"""`dragoman widget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table

if TYPE_CHECKING:
    from dragoman.client import Dragoman, WidgetKey

app = typer.Typer(help="Make, list and revoke public keys, with which visitors of web sites may ask a chatbot.")

ChatbotName = Annotated[str, typer.Argument(metavar="CHATBOT", help="Id or name of the chatbot.")]


@app.command("create")
def create(
    chatbot: ChatbotName,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    origin: Annotated[
        list[str],
        typer.Option("--origin", help="A web site: `https://www.example.com`, `https://*.example.com`; repeat it."),
    ],
    allow_no_origin: Annotated[
        bool, typer.Option("--allow-no-origin", help="Programs that send no origin, such as apps, get tokens too.")
    ] = False,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Make a widget key. It is public: what protects it is the list of origins."""

    async def body(client: Dragoman) -> WidgetKey:
        found = await connection.find_chatbot(client, chatbot)
        return await client.widget_keys.create(found.id, name, origins=origin, allows_no_origin=allow_no_origin)

    made = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        origins = ", ".join(made.origins)
        print_pairs([("Id", made.id), ("Name", made.name), ("Origins", origins), ("Widget key", made.public_key)])
    return ExitCode.OK


@app.command("list")
def list_keys(
    chatbot: ChatbotName, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """List the widget keys of a chatbot."""

    async def body(client: Dragoman) -> list[WidgetKey]:
        found = await connection.find_chatbot(client, chatbot)
        return [key async for key in client.widget_keys.list(found.id)]

    keys = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"widget_keys": [key.model_dump(mode="json") for key in keys], "total": len(keys)})
        return ExitCode.OK
    rows = [
        (key.id, key.public_key, key.name, ", ".join(key.origins), "revoked" if key.revoked_at else "active")
        for key in keys
    ]
    print_table(("Id", "Widget key", "Name", "Origins", "State"), rows)
    return ExitCode.OK


@app.command("revoke")
def revoke(
    chatbot: ChatbotName,
    widget_key: Annotated[str, typer.Argument(metavar="ID", help="Id of the widget key.")],
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Revoke a widget key: it and the tokens it gave open nothing from now on."""

    async def body(client: Dragoman) -> WidgetKey:
        found = await connection.find_chatbot(client, chatbot)
        return await client.widget_keys.revoke(found.id, widget_key)

    revoked = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(revoked.model_dump(mode="json"))
    else:
        print_line(f"Revoked {revoked.name} ({revoked.public_key}).")
    return ExitCode.OK
