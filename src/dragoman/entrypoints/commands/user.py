"""`dragoman user`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.key import KeyRole
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line, print_pairs, print_table
from dragoman.kit.errors import NotFoundError

if TYPE_CHECKING:
    from dragoman.client import CreatedInvitation, Dragoman, User

app = typer.Typer(help="List, invite and deactivate the users of your tenant, and let them set a new password.")

_Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Address of the user.")]


class NoSuchUserError(NotFoundError):
    """There is no user with this address. `dragoman user list` lists all of your tenant."""

    code = "cli.user_not_found"


@app.command("list")
def list_users(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """List the users of your tenant."""

    async def body(client: Dragoman) -> list[User]:
        return [user async for user in client.users.list()]

    users = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"users": [user.model_dump(mode="json") for user in users], "total": len(users)})
        return ExitCode.OK
    rows = [(each.id, each.email, each.display_name, each.role, _state(each), _day(each)) for each in users]
    print_table(("Id", "Address", "Name", "Role", "State", "Last sign-in"), rows)
    return ExitCode.OK


@app.command("invite")
def invite_user(
    email: _Email,
    role: Annotated[KeyRole, typer.Option(help="What the user may do; at most your own role.")] = KeyRole.MEMBER,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Invite somebody: prints the link, which is mailed too where a mail server is set."""

    async def body(client: Dragoman) -> CreatedInvitation:
        return await client.users.invite(email, role=role.value)

    made = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return ExitCode.OK
    print_pairs([("Invited", made.email), ("Role", made.role), ("Link", made.url)])
    told = "It was mailed." if made.is_mailed else "It was not mailed: pass it on yourself."
    err().print(f"The link is good once, until {made.expires_at:%Y-%m-%d %H:%M} UTC. {told}", style="yellow")
    return ExitCode.OK


@app.command("deactivate")
def deactivate_user(
    email: _Email,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Let a user sign in no more: ends the user's sign-ins and revokes the user's keys."""

    async def body(client: Dragoman) -> User:
        wanted = email.strip().lower()
        async for user in client.users.list():
            if user.email == wanted:
                return await client.users.update(user.id, is_active=False)
        raise NoSuchUserError

    changed = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(changed.model_dump(mode="json"))
    else:
        print_line(f"{changed.email} cannot sign in any more.")
    return ExitCode.OK


@app.command("reset-password")
def reset_password(
    email: _Email,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="ID", help="Where the address has users in several tenants.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Print a link by which a user sets a new password. Works at the database itself, for operators."""
    email, link = asyncio.run(_reset(home, email, tenant))
    if as_json:
        print_json({"email": email, "url": link})
        return ExitCode.OK
    print_pairs([("User", email), ("Link", link)])
    err().print("The link is good once, for a short time. Give it to nobody else.", style="yellow")
    return ExitCode.OK


async def _reset(home: Path | None, email: str, tenant: str | None) -> tuple[str, str]:
    """The address and the link. Raises UserNotFoundError, SeveralTenantsError."""
    from dragoman.entrypoints.administration import administered_settings, reset_link  # noqa: PLC0415 -- a second
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415 -- 80 ms

    async with administered_settings(load_settings(home=home)) as settings:
        return email, await reset_link(settings, email=email, tenant_id=tenant)


def _state(user: User) -> str:
    if not user.is_active:
        return "deactivated"
    return "active" if user.has_password else "no password"


def _day(user: User) -> str:
    return "" if user.last_sign_in_at is None else f"{user.last_sign_in_at:%Y-%m-%d}"
