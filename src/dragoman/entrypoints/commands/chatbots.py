"""`dragoman chatbots`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.machines import service_account_id_of
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table

if TYPE_CHECKING:
    from dragoman.client import Chatbot, ChatbotMember, Dragoman

app = typer.Typer(help="List, make, change and delete chatbots, and who may have them.")


class ChatbotOpenTo(StrEnum):
    TENANT = "tenant"
    LISTED = "listed"


class MemberRole(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    AGENT = "agent"
    MEMBER = "member"


Name = Annotated[str, typer.Argument(metavar="ID|NAME", help="Id or name of the chatbot.")]
Access = Annotated[
    ChatbotOpenTo | None,
    typer.Option(help="`tenant`: open to all of the tenant. `listed`: to those with a role on it, and administrators."),
]
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
    access: Access = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Make a chatbot with documents and settings of its own."""
    given = parse_settings(settings or ())

    async def body(client: Dragoman) -> Chatbot:
        open_to = (access or ChatbotOpenTo.TENANT).value
        return await client.chatbots.create(name, description=description, settings=given, access=open_to)

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
    access: Access = None,
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
            access=None if access is None else access.value,
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


MemberId = Annotated[str, typer.Argument(metavar="ID|NAME", help="Id of a user, or id or name of a service account.")]


@app.command("members")
def list_members(
    chatbot: Name, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """List who has a role of his own on a chatbot."""

    async def body(client: Dragoman) -> list[ChatbotMember]:
        found = await connection.find_chatbot(client, chatbot)
        return [member async for member in client.chatbots.members(found.id)]

    members = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"members": [member.model_dump(mode="json") for member in members], "total": len(members)})
        return ExitCode.OK
    print_table(("Id", "Name", "Kind", "Role"), [(each.id, each.name, each.kind, each.role) for each in members])
    return ExitCode.OK


@app.command("add-member")
def add_member(
    chatbot: Name,
    member: MemberId,
    role: Annotated[MemberRole, typer.Option(help="On this chatbot, beside the role in the tenant.")],
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Give a user or service account a role on a chatbot, or another one."""

    async def body(client: Dragoman) -> ChatbotMember:
        found = await connection.find_chatbot(client, chatbot)
        return await client.chatbots.set_member(found.id, await service_account_id_of(client, member), role.value)

    added = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(added.model_dump(mode="json"))
    else:
        print_line(f"{added.name} is {added.role} on this chatbot.")
    return ExitCode.OK


@app.command("remove-member")
def remove_member(
    chatbot: Name, member: MemberId, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Take a role on a chatbot away."""

    async def body(client: Dragoman) -> str:
        found = await connection.find_chatbot(client, chatbot)
        member_id = await service_account_id_of(client, member)
        await client.chatbots.remove_member(found.id, member_id)
        return member_id

    removed = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"removed": removed})
    else:
        print_line(f"{removed} has no role of his own on this chatbot any more.")
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
            ("Open to", chatbot.access),
            *((name, json.dumps(value, ensure_ascii=False)) for name, value in chatbot.settings.items()),
        ]
    )
    return ExitCode.OK
