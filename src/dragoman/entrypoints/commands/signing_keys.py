"""`dragoman signing-keys`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from dragoman.entrypoints.commands.options import Home, Json
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_table

if TYPE_CHECKING:
    from dragoman.entrypoints.settings import Settings
    from dragoman.kit.database import Database
    from dragoman.tenancy.tokens.entities import SigningKey

T = TypeVar("T")

app = typer.Typer(help="Look after the keys that sign access tokens, at the database itself.")


@app.command("list")
def list_keys(home: Home = None, as_json: Json = False) -> ExitCode:
    """List the keys that sign or still verify, the newest first."""
    from dragoman.tenancy.tokens import signing_keys  # noqa: PLC0415 -- 300 ms

    async def body(database: Database, _settings: Settings) -> list[SigningKey]:
        return await signing_keys.list_keys(database)

    keys = asyncio.run(_at_database(home, body))
    if as_json:
        print_json({"keys": [{"id": key.id, "issuer": key.issuer, "signs": key.retired_at is None} for key in keys]})
        return ExitCode.OK
    rows = [
        (key.id, key.issuer, f"{key.created_at:%Y-%m-%d %H:%M}", "signs" if key.retired_at is None else "verifies")
        for key in keys
    ]
    print_table(("Id", "Issuer", "Made (UTC)", "State"), rows)
    return ExitCode.OK


@app.command("rotate")
def rotate(home: Home = None, as_json: Json = False) -> ExitCode:
    """Make a new key, which signs from now on. Tokens signed before stay good until they expire (15 minutes)."""
    from dragoman.tenancy.tokens import signing_keys  # noqa: PLC0415 -- 300 ms

    async def body(database: Database, settings: Settings) -> SigningKey:
        from dragoman.entrypoints.wiring import create_keyring  # noqa: PLC0415 -- a second

        return await signing_keys.rotate(database, create_keyring(settings), settings.url)

    key = asyncio.run(_at_database(home, body))
    if as_json:
        print_json({"id": key.id})
    else:
        print_line(f"The key {key.id} signs from now on. `dragoman signing-keys remove` ends one that has got out.")
    return ExitCode.OK


@app.command("remove")
def remove(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the key.")],
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Let a key verify nothing from now on. Whoever has a token of it refreshes it, at most once a sign-in."""
    from dragoman.tenancy.tokens import signing_keys  # noqa: PLC0415 -- 300 ms

    async def body(database: Database, _settings: Settings) -> None:
        await signing_keys.remove(database, key_id)

    asyncio.run(_at_database(home, body))
    if as_json:
        print_json({"removed": key_id})
    else:
        print_line(f"Removed {key_id}.")
    return ExitCode.OK


async def _at_database(home: Path | None, body: Callable[[Database, Settings], Awaitable[T]]) -> T:
    from dragoman.entrypoints.administration import administered_settings  # noqa: PLC0415 -- 300 ms
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415 -- 80 ms
    from dragoman.entrypoints.wiring import database_urls  # noqa: PLC0415 -- a second
    from dragoman.kit.database import Database  # noqa: PLC0415

    async with administered_settings(load_settings(home=home)) as settings:
        database = Database(database_urls(settings), pool_size=2)
        try:
            return await body(database, settings)
        finally:
            await database.close()
