"""`dragoman service-accounts`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table
from dragoman.kit.errors import NotFoundError

if TYPE_CHECKING:
    from dragoman.client import Dragoman, ServiceAccount

app = typer.Typer(help="Make, list, change and delete service accounts: machines with a name, a role and keys.")

Name = Annotated[str, typer.Argument(metavar="ID|NAME", help="Id or name of the service account.")]


class NoSuchServiceAccountError(NotFoundError):
    """There is no service account with this id or name. `dragoman service-accounts list` lists yours."""

    code = "cli.service_account_not_found"


class AccountRole(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    AGENT = "agent"
    MEMBER = "member"


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name of the machine.")],
    role: Annotated[AccountRole, typer.Option(help="What it may do; at most your own role.")] = AccountRole.MEMBER,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Make a service account. `dragoman key create --service-account` gives it a key."""

    async def body(client: Dragoman) -> ServiceAccount:
        return await client.service_accounts.create(name, role=role.value, description=description)

    return _show(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)


@app.command("list")
def list_accounts(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """List the service accounts of your tenant."""

    async def body(client: Dragoman) -> list[ServiceAccount]:
        return [account async for account in client.service_accounts.list()]

    accounts = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"service_accounts": [each.model_dump(mode="json") for each in accounts], "total": len(accounts)})
        return ExitCode.OK
    rows = [(each.id, each.name, each.role, "active" if each.is_active else "off") for each in accounts]
    print_table(("Id", "Name", "Role", "State"), rows)
    return ExitCode.OK


@app.command("update")
def update(
    account: Name,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    description: Annotated[str | None, typer.Option(help="A new description.")] = None,
    role: Annotated[AccountRole | None, typer.Option(help="A new role. Its keys follow.")] = None,
    active: Annotated[bool | None, typer.Option("--on/--off", help="Off: its keys open nothing.")] = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Change a service account, or switch it off and on."""

    async def body(client: Dragoman) -> ServiceAccount:
        return await client.service_accounts.update(
            await service_account_id_of(client, account),
            name=name,
            description=description,
            role=None if role is None else role.value,
            is_active=active,
        )

    return _show(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json=as_json)


@app.command("delete")
def delete(account: Name, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """Delete a service account with its keys."""

    async def body(client: Dragoman) -> str:
        account_id = await service_account_id_of(client, account)
        await client.service_accounts.delete(account_id)
        return account_id

    deleted = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"deleted": deleted})
    else:
        print_line(f"Deleted the service account {deleted} and its keys.")
    return ExitCode.OK


async def service_account_id_of(client: Dragoman, id_or_name: str) -> str:
    """Raises NoSuchServiceAccountError."""
    if connection.is_id(id_or_name):
        return id_or_name
    async for account in client.service_accounts.list():
        if account.name == id_or_name:
            return str(account.id)
    raise NoSuchServiceAccountError


def _show(account: ServiceAccount, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json(account.model_dump(mode="json"))
        return ExitCode.OK
    state = "active" if account.is_active else "off"
    print_pairs([("Id", account.id), ("Name", account.name), ("Role", account.role), ("State", state)])
    return ExitCode.OK
