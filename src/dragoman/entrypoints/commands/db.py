"""`dragoman db`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from dragoman.entrypoints.commands.options import Home, Json
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line

if TYPE_CHECKING:
    from dragoman.entrypoints.settings import Settings

T = TypeVar("T")

app = typer.Typer(help="Bring the database to the present schema, or check it.")


@app.command("upgrade")
def upgrade(home: Home = None, as_json: Json = False) -> ExitCode:
    """Make roles and tables where they are missing and run the migrations."""
    from dragoman.entrypoints import schema  # noqa: PLC0415 -- 300 ms

    async def upgraded(settings: Settings) -> tuple[bool, str | None]:
        url = str(settings.database_url)
        changed = await asyncio.to_thread(schema.upgrade, url)
        return changed, await asyncio.to_thread(schema.revision_of, url)

    changed, revision = asyncio.run(_administer(home, upgraded, create=True))
    if as_json:
        print_json({"changed": changed, "revision": revision})
    else:
        print_line(f"{'Migrated to' if changed else 'Nothing to do: the database is at'} revision {revision}.")
    return ExitCode.OK


@app.command("check")
def check(home: Home = None, as_json: Json = False) -> ExitCode:
    """Compare the database with the code. Exit code 1 when it is not migrated or differs."""
    from dragoman.entrypoints import schema  # noqa: PLC0415 -- 300 ms

    async def compared(settings: Settings) -> tuple[str | None, list[object]]:
        url = str(settings.database_url)
        revision = await asyncio.to_thread(schema.revision_of, url)
        return revision, await asyncio.to_thread(schema.pending_differences, url)

    revision, differences = asyncio.run(_administer(home, compared))
    head = schema.head_revision()
    is_good = revision == head and not differences
    if as_json:
        print_json(
            {"ok": is_good, "revision": revision, "head": head, "differences": [str(each) for each in differences]}
        )
    elif is_good:
        print_line(f"The database is at revision {revision}, as the code wants it.")
    else:
        if revision != head:
            err().print(
                f"The database is at revision {revision}, the code at {head}. Run `dragoman db upgrade`.", style="red"
            )
        for difference in differences:
            err().print(str(difference), markup=False, soft_wrap=True)
    return ExitCode.OK if is_good else ExitCode.FAILED


async def _administer(home: Path | None, body: Callable[[Settings], Awaitable[T]], *, create: bool = False) -> T:
    from dragoman.entrypoints.administration import administered_settings  # noqa: PLC0415 -- 300 ms
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415

    async with administered_settings(load_settings(home=home), create=create) as settings:
        return await body(settings)
