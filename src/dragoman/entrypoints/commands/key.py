"""`dragoman key`."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import AmbiguousNameError, Server
from dragoman.entrypoints.commands.machines import service_account_id_of
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line, print_pairs, print_table
from dragoman.kit.errors import NotFoundError

if TYPE_CHECKING:
    from dragoman.client import ApiKey, CreatedApiKey, Dragoman

app = typer.Typer(help="Make, list, rotate and revoke API keys of your tenant.")


class KeyPrefixNotFoundError(NotFoundError):
    """There is no API key with this id or prefix. `dragoman key list` lists yours."""

    code = "cli.key_not_found"


class KeyRole(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    AGENT = "agent"
    MEMBER = "member"


@app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[KeyRole, typer.Option(help="What its holder may do; at most your own role.")] = KeyRole.MEMBER,
    user: Annotated[str | None, typer.Option("--user", metavar="EMAIL", help="Bind it to this user.")] = None,
    may_act_for_users: Annotated[
        bool, typer.Option("--may-act-for-users", help="A `user_id` in its requests is taken as the asker.")
    ] = False,
    expires: Annotated[datetime | None, typer.Option(help="When it stops working (UTC).")] = None,
    description: Annotated[str, typer.Option(help="What it is for, in more words.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="PERMISSION", help="Of its role's permissions it has these only; repeat it."),
    ] = None,
    service_account: Annotated[
        str | None, typer.Option(metavar="ID|NAME", help="It stands for this service account.")
    ] = None,
    confined: Annotated[bool, typer.Option("--confined", help="Nothing but its chatbot exists for it.")] = False,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Make an API key. It is shown this once."""
    expires_at = expires.replace(tzinfo=UTC) if expires is not None else None

    async def body(client: Dragoman) -> CreatedApiKey:
        return await client.keys.create(
            name,
            role=role.value,
            user_email=user,
            chatbot_id=await connection.chatbot_id_of(client, chatbot),
            may_act_for_users=may_act_for_users,
            expires_at=expires_at,
            description=description,
            scopes=scope or None,
            service_account_id=await service_account_id_of(client, service_account) if service_account else None,
            confined=confined,
        )

    created = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(created.model_dump(mode="json"))
        return ExitCode.OK
    return _show_created(created)


def _show_created(created: CreatedApiKey) -> ExitCode:
    print_pairs([("Id", created.id), ("Name", created.name), ("Role", created.role), ("API key", created.api_key)])
    err().print("Store the key now: it cannot be shown again.", style="yellow")
    return ExitCode.OK


@app.command("rotate")
def rotate_key(
    key: Annotated[str, typer.Argument(metavar="ID|PREFIX", help="Id of the key, or the characters it begins with.")],
    grace_hours: Annotated[
        float, typer.Option(min=0, max=720, help="So long the present secret works too; 0: it stops at once.")
    ] = 24.0,
    expires: Annotated[datetime | None, typer.Option(help="A new expiry (UTC).")] = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Give an API key a new secret. It is shown this once."""
    expires_at = expires.replace(tzinfo=UTC) if expires is not None else None

    async def body(client: Dragoman) -> CreatedApiKey:
        return await client.keys.rotate(await _find_id(client, key), grace_hours=grace_hours, expires_at=expires_at)

    rotated = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(rotated.model_dump(mode="json"))
        return ExitCode.OK
    return _show_created(rotated)


@app.command("list")
def list_keys(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """List the API keys of your tenant, without their secrets."""

    async def body(client: Dragoman) -> list[ApiKey]:
        return [key async for key in client.keys.list()]

    keys = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"keys": [key.model_dump(mode="json") for key in keys], "total": len(keys)})
        return ExitCode.OK
    rows = [(key.id, key.prefix, key.name, key.role, _state(key), _last_use(key)) for key in keys]
    print_table(("Id", "Prefix", "Name", "Role", "State", "Last used"), rows)
    return ExitCode.OK


@app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(metavar="ID|PREFIX", help="Id of the key, or the characters it begins with.")],
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Revoke an API key: it opens nothing from now on."""

    async def body(client: Dragoman) -> ApiKey:
        return await client.keys.revoke(await _find_id(client, key))

    revoked = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(revoked.model_dump(mode="json"))
    else:
        print_line(f"Revoked {revoked.name} ({revoked.prefix}…).")
    return ExitCode.OK


async def _find_id(client: Dragoman, id_or_prefix: str) -> str:
    """Raises KeyPrefixNotFoundError, AmbiguousNameError."""
    if connection.is_id(id_or_prefix):
        return id_or_prefix
    prefix = id_or_prefix.rstrip("…")
    found = [
        key
        async for key in client.keys.list()
        if prefix and (key.prefix.startswith(prefix) or prefix.startswith(key.prefix))
    ]
    if not found:
        raise KeyPrefixNotFoundError
    if len(found) > 1:
        raise AmbiguousNameError(f"{len(found)} keys begin with {prefix!r}. Give the id instead.")
    return str(found[0].id)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {_day(key.revoked_at)}"
    if key.expires_at is not None:
        return f"{'expired' if key.expires_at <= datetime.now(UTC) else 'expires'} {_day(key.expires_at)}"
    return "active"


def _last_use(key: ApiKey) -> str:
    return " from ".join(part for part in (_day(key.last_used_at), key.last_used_address) if part)


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"
