"""`dragoman tenant`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands.options import Home, Json
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_pairs
from dragoman.kit.errors import ConflictError

if TYPE_CHECKING:
    from dragoman.tenancy.service import CreatedTenant

app = typer.Typer(help="Make tenants, at the database itself.")


class NotMigratedError(ConflictError):
    """The database is not at the present schema. Run `dragoman db upgrade` first."""

    code = "db.not_migrated"


@app.callback()
def tenant() -> None:
    """Make tenants, at the database itself.

    Needs the administrator's DRAGOMAN_DATABASE_URL, or the embedded database of the home.
    """


@app.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="Name of the tenant.")],
    owner: Annotated[
        str, typer.Option("--owner", metavar="EMAIL", help="Its first user, who may do everything in it.")
    ],
    chatbot_name: Annotated[str, typer.Option("--chatbot-name", help="Name of its first chatbot.")] = "Knowledge",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the owner's password from standard input; no link then.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Make a tenant with a chatbot, an owner and the owner's API key, which is shown this once.

    Prints a link too by which the owner sets a password to sign in with; it is good once.
    """
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    created, link = asyncio.run(_create(home, name, owner, chatbot_name, password))
    values = {
        "tenant_id": str(created.tenant_id),
        "chatbot_id": str(created.chatbot.id),
        "user_id": str(created.owner.id),
        "key_id": str(created.key.key.id),
        "api_key": created.key.secret,
        **({"set_password_url": link} if link else {}),
    }
    if as_json:
        print_json({"name": name, **values})
        return ExitCode.OK
    print_pairs(
        [
            ("Tenant", values["tenant_id"]),
            ("Chatbot", values["chatbot_id"]),
            ("API key", values["api_key"]),
            ("Set password", link),
        ]
    )
    err().print("Store the key now: it cannot be shown again. The link is good once.", style="yellow")
    return ExitCode.OK


async def _create(
    home: Path | None, name: str, owner: str, chatbot_name: str, password: str | None
) -> tuple[CreatedTenant, str | None]:
    """The tenant, and the link where no password is given. Raises NotMigratedError, WeakPasswordError."""
    from dragoman.accounts import password_rules  # noqa: PLC0415
    from dragoman.entrypoints import schema  # noqa: PLC0415 -- 300 ms
    from dragoman.entrypoints.administration import (  # noqa: PLC0415
        administered_settings,
        create_account,
        password_link,
        set_first_password,
    )
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415

    async with administered_settings(load_settings(home=home)) as settings:
        revision = await asyncio.to_thread(schema.revision_of, str(settings.database_url))
        if revision != schema.head_revision():
            raise NotMigratedError
        if password is not None:
            password_rules.require_good(password, about=[name, owner])  # before there is a tenant
        created = await create_account(settings, name=name, owner_email=owner, chatbot_name=chatbot_name)
        place = {"tenant_id": created.tenant_id, "user_id": created.owner.id}
        if password is None:
            return created, await password_link(settings, **place)
        await set_first_password(settings, **place, password=password)
        return created, None
