"""`dragoman index sync`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from dragoman.entrypoints.commands.options import Home, Json
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line, print_table

if TYPE_CHECKING:
    from dragoman.entrypoints.settings import Settings
    from dragoman.ingestion.external_indexes import Comparison, External
    from dragoman.kit.database import Database

_CONNECTIONS = 4


def sync(
    check_only: Annotated[
        bool, typer.Option("--check", help="Only compare; exit code 1 when anything differs.")
    ] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Empty the indexes first.")] = False,
    chatbot: Annotated[UUID | None, typer.Option("--chatbot", help="Only this chatbot, by its id.")] = None,
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds that an entry must be unknown to PostgreSQL before it is removed.")
    ] = 30.0,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Bring the indexes outside PostgreSQL (Chroma, Pinecone, Elasticsearch) to what it holds, for all tenants.

    Fills an empty index, sends what is missing and removes what is unknown. Can be ended at any time; run again without
    --rebuild, it goes on where it stood.
    """
    found = asyncio.run(_sync(home, check_only=check_only, rebuild=rebuild, chatbot=chatbot, settle_s=settle))
    if found is None:
        print_json({"ok": True, "places": []}) if as_json else print_line("All indexes are in PostgreSQL or in memory.")
        return ExitCode.OK
    is_good = not check_only or all(each.drift.is_none for each in found)
    if as_json:
        print_json({"ok": is_good, "places": [_plain(each) for each in found]})
    else:
        _print(found)
    return ExitCode.OK if is_good else ExitCode.FAILED


async def _sync(
    home: Path | None, *, check_only: bool, rebuild: bool, chatbot: UUID | None, settle_s: float
) -> list[Comparison] | None:
    """None where no index lies outside."""
    from dragoman.ingestion.external_indexes import sync_tenant  # noqa: PLC0415 -- 300 ms
    from dragoman.tenancy import repository as tenancy_repository  # noqa: PLC0415

    async with _parts(home) as (database, external):
        if not external.by_port():
            return None
        async with database.system_transaction() as connection:
            tenants = await tenancy_repository.list_tenants(connection)
        found: list[Comparison] = []
        for number, tenant in enumerate(tenants, start=1):
            found += await sync_tenant(
                database,
                external,
                tenant.id,
                mend=not check_only,
                rebuild=rebuild,
                chatbot_id=chatbot,
                settle_s=settle_s,
            )
            if len(tenants) > 1:
                err().print(f"{number} of {len(tenants)} tenants done", style="dim")
        return found


@asynccontextmanager
async def _parts(home: Path | None) -> AsyncIterator[tuple[Database, External]]:
    from dragoman.entrypoints.administration import administered_settings  # noqa: PLC0415 -- 300 ms
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415
    from dragoman.entrypoints.wiring import database_urls  # noqa: PLC0415
    from dragoman.ingestion.external_indexes import External  # noqa: PLC0415
    from dragoman.kit.database import Database  # noqa: PLC0415

    settings = load_settings(home=home)
    has_roles = settings.database_app_url is not None and settings.database_system_url is not None
    async with AsyncExitStack() as stack:
        reachable = await stack.enter_async_context(
            nullcontext(settings) if has_roles else administered_settings(settings)
        )
        database = Database(database_urls(reachable), pool_size=_CONNECTIONS)
        stack.push_async_callback(database.close)
        vector_index = await _open(stack, settings, "vector_index")
        keyword_index = await _open(stack, settings, "keyword_index")
        yield database, External.of(vector_index, keyword_index)


async def _open(stack: AsyncExitStack, settings: Settings, port: str) -> Any:
    from dragoman.entrypoints.settings import adapter_settings  # noqa: PLC0415
    from dragoman.kit import registry  # noqa: PLC0415

    name = getattr(settings, port)
    adapter = registry.create(port, name, adapter_settings(port, name))
    if hasattr(adapter, "close"):
        stack.push_async_callback(adapter.close)
    return adapter


def _print(found: list[Comparison]) -> None:
    if found:
        print_table(
            ["Index", "Chatbot", "Version", "Entries", "There", "Missing", "Different", "Unknown", "Sent", "Removed"],
            [
                (
                    each.port.removesuffix("_index"),
                    each.place.chatbot_id,
                    each.place.embedding_version,
                    each.drift.stored,
                    each.drift.outside,
                    len(each.drift.missing),
                    len(each.drift.different),
                    len(each.drift.unknown),
                    each.sent,
                    each.removed,
                )
                for each in found
            ],
            right=["Version", "Entries", "There", "Missing", "Different", "Unknown", "Sent", "Removed"],
        )
    differing = sum(not each.drift.is_none for each in found)
    print_line(f"{len(found)} indexes compared, {differing} differed. Missing, different and unknown are documents.")


def _plain(each: Comparison) -> dict[str, Any]:
    return {
        "index": each.port,
        "tenant_id": str(each.place.tenant_id),
        "chatbot_id": str(each.place.chatbot_id),
        "embedding_version": each.place.embedding_version,
        "stored": each.drift.stored,
        "outside": each.drift.outside,
        "missing": [str(version) for version in each.drift.missing],
        "different": [str(version) for version in each.drift.different],
        "unknown": [str(version) for version in each.drift.unknown],
        "sent": each.sent,
        "removed": each.removed,
    }
