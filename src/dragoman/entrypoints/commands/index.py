"""`dragoman index`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from dragoman.entrypoints.commands.index_sync import sync
from dragoman.entrypoints.commands.options import Home, Json
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line, print_table
from dragoman.kit.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from dragoman.embeddings.indexes.entities import Advice, Chatbot, IndexCheck, Tell, VectorIndexRow
    from dragoman.entrypoints.settings import Settings
    from dragoman.kit.database import Database
    from dragoman.ports.embedder import Vectors
    from dragoman.ports.vector_index import VectorIndex

T = TypeVar("T")

_CONNECTIONS = 4
_MIB = 1024 * 1024

app = typer.Typer(
    help="Check, build and drop the vector indexes of chatbots: an administrator's work, for all tenants."
)

app.command("sync")(sync)

Which = Annotated[
    str | None, typer.Option("--chatbot", help="Id or name of the chatbot, of whichever tenant.", metavar="ID|NAME")
]
All = Annotated[bool, typer.Option("--all", help="All chatbots of all tenants that have vectors.")]
Questions = Annotated[
    Path | None,
    typer.Option(
        "--questions", help="A file with a real question in each line, asked too.", exists=True, dir_okay=False
    ),
]


class NoSuchChatbotError(NotFoundError):
    """There is no such chatbot. `dragoman index advise --all` lists all; use the id where two have the same name."""

    code = "index.no_such_chatbot"


@app.command("check")
def check(
    chatbot: Which = None,
    all_chatbots: All = False,
    questions: Questions = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Measure recall@10 of searches against comparing all vectors, and the times of both.

    Asks 200 questions made from the stored vectors of each chatbot, near a chunk or between two, through the search that
    is set, whichever index it uses. Without --chatbot all are checked. Exit code 1 when one is below 0.98: `dragoman
    index build` mends that.
    """
    from dragoman.embeddings.indexes import service  # noqa: PLC0415 -- 300 ms
    from dragoman.embeddings.indexes.entities import IndexPolicy  # noqa: PLC0415

    async def body(settings: Settings, database: Database) -> list[IndexCheck]:
        asked = await _embed(settings, questions)
        index = _vector_index(settings)
        chosen = await _chosen(database, chatbot, all_chatbots=all_chatbots or chatbot is None)
        return [await service.check(database, index, each, IndexPolicy(), asked=asked) for each in chosen]

    checks = [each for each in asyncio.run(_with_database(home, body)) if each.chunks]
    is_good = all(each.is_good for each in checks)
    if as_json:
        print_json({"ok": is_good, "chatbots": [_plain(asdict(each)) for each in checks]})
    else:
        _print_checks(checks)
    return ExitCode.OK if is_good else ExitCode.FAILED


@app.command("advise")
def advise(chatbot: Which = None, all_chatbots: All = False, home: Home = None, as_json: Json = False) -> ExitCode:
    """Say for each chatbot what an index of its own would gain, or how it is used. Changes nothing.

    The times are PostgreSQL's processor time for a search, estimated from the number of chunks. What is advised is done
    by itself in the background where the worker knows DRAGOMAN_DATABASE_URL.
    """
    from dragoman.embeddings.indexes import service  # noqa: PLC0415 -- 300 ms
    from dragoman.embeddings.indexes.entities import IndexPolicy  # noqa: PLC0415

    async def body(_settings: Settings, database: Database) -> list[Advice]:
        chosen = await _chosen(database, chatbot, all_chatbots=all_chatbots or chatbot is None)
        return [await service.advise(database, each, IndexPolicy()) for each in chosen]

    advice = asyncio.run(_with_database(home, body))
    if as_json:
        print_json({"chatbots": [_plain(asdict(each)) for each in advice]})
        return ExitCode.OK
    print_table(
        ["Id", "Chatbot", "Chunks", "Searched", "All ms", "Index ms", "Index MiB", "Build s", "Advice"],
        [
            (
                each.chatbot.place.chatbot_id,
                each.chatbot.name,
                each.chunks,
                "by its index" if each.kind == "hnsw" else "all",
                f"{each.expected_exact_ms:.1f}",
                f"{each.expected_index_ms:.1f}",
                f"{each.expected_bytes / _MIB:.1f}",
                f"{each.expected_build_s:.0f}",
                f"{each.action or 'nothing'}: {each.reason}",
            )
            for each in advice
        ],
        right=["Chunks", "All ms", "Index ms", "Index MiB", "Build s"],
    )
    return ExitCode.OK


@app.command("build")
def build(chatbot: Which = None, all_chatbots: All = False, home: Home = None, as_json: Json = False) -> ExitCode:
    """Build or rebuild the index of a chatbot, whatever its size, while searches and uploads go on.

    Needs DRAGOMAN_DATABASE_URL, or the embedded database of the home. Can be ended at any time and run again. The index
    stays until `dragoman index drop`. Exit code 1 when recall stays below 0.98: then all vectors are compared as before.
    """
    from dragoman.embeddings.indexes import service  # noqa: PLC0415 -- 300 ms
    from dragoman.embeddings.indexes.entities import IndexPolicy  # noqa: PLC0415

    async def body(settings: Settings, database: Database) -> list[tuple[Chatbot, VectorIndexRow]]:
        _require_pgvector(settings)
        built, policy = [], IndexPolicy(memory_mib=settings.index_build_mib)
        for each in await _chosen(database, chatbot, all_chatbots=all_chatbots):
            tell = _teller(each, quiet=as_json)
            if (await service.advise(database, each, policy)).chunks:
                built.append((each, await service.build(database, each, policy, tell)))
        await service.sweep(database)
        return built

    return _report(asyncio.run(_with_database(home, body)), as_json=as_json)


@app.command("drop")
def drop(
    chatbot: Which = None,
    all_chatbots: All = False,
    auto: Annotated[
        bool, typer.Option("--auto", help="Only forget what an operator wanted: the size decides again.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Drop the index of a chatbot; all its vectors are compared from then on, and none is built again by itself."""
    from dragoman.embeddings.indexes import service  # noqa: PLC0415 -- 300 ms

    async def body(settings: Settings, database: Database) -> list[tuple[Chatbot, VectorIndexRow]]:
        _require_pgvector(settings)
        chosen = await _chosen(database, chatbot, all_chatbots=all_chatbots)
        if not auto:
            return [(each, await service.drop(database, each)) for each in chosen]
        for each in chosen:
            await service.leave_to_policy(database, each)
        return []

    return _report(asyncio.run(_with_database(home, body)), as_json=as_json)


def _print_checks(checks: Sequence[IndexCheck]) -> None:
    print_table(
        ["Id", "Chatbot", "Chunks", "Searched", "Recall@10", "p50 ms", "p95 ms", "All p50", "All p95", "Index MiB"],
        [
            (
                each.chatbot.place.chatbot_id,
                each.chatbot.name,
                each.chunks,
                "by its index" if each.kind == "hnsw" else "all",
                f"{each.recall:.4f}" + ("" if each.is_good else " LOW"),
                f"{each.search.p50_ms:.1f}",
                f"{each.search.p95_ms:.1f}",
                f"{each.exact.p50_ms:.1f}",
                f"{each.exact.p95_ms:.1f}",
                None if each.index_bytes is None else f"{each.index_bytes / _MIB:.1f}",
            )
            for each in checks
        ],
        right=["Chunks", "Recall@10", "p50 ms", "p95 ms", "All p50", "All p95", "Index MiB"],
    )
    low = sum(not each.is_good for each in checks)
    print_line(f"{len(checks)} chatbots checked, {low} below the recall that is asked for.", style="red" if low else "")


def _report(changed: Sequence[tuple[Chatbot, VectorIndexRow]], *, as_json: bool) -> ExitCode:
    failed = [row for _, row in changed if row.state == "failed"]
    if as_json:
        rows = [{"chatbot": chatbot.name, **_plain(asdict(row))} for chatbot, row in changed]
        print_json({"ok": not failed, "indexes": rows})
    for chatbot, row in () if as_json else changed:
        how = (
            f"searched by its index: recall@10 {row.recall:.4f}, ef_search {row.ef_search}, {row.chunks_at_build} chunks"
            if row.has_index and row.recall is not None
            else f"all vectors are compared. {row.reason}"
        )
        print_line(f"{chatbot.place.chatbot_id}  {chatbot.name}: {how}", style="red" if row.state == "failed" else "")
    return ExitCode.FAILED if failed else ExitCode.OK


def _teller(chatbot: Chatbot, *, quiet: bool) -> Tell:
    async def tell(step: str, fraction: float) -> None:
        if not quiet:
            err().print(f"{chatbot.name}: {step}, {fraction:.0%}", style="dim")

    return tell


def _plain(value: Any) -> Any:
    """Without frozen parts that JSON does not know; `place` one level up."""
    if isinstance(value, dict):
        place = value.pop("place", {})
        return {key: _plain(part) for key, part in {**place, **value}.items()}
    return value


async def _chosen(database: Database, wanted: str | None, *, all_chatbots: bool) -> list[Chatbot]:
    from dragoman.embeddings.indexes import service  # noqa: PLC0415

    if wanted is None and not all_chatbots:
        raise typer.BadParameter("Say for which chatbot: --chatbot ID, or --all.")
    chatbots = await service.list_all(database)
    if wanted is None:
        return chatbots
    found = [each for each in chatbots if wanted in (str(each.place.chatbot_id), each.name)]
    if len(found) != 1:
        raise NoSuchChatbotError
    return found


def _vector_index(settings: Settings) -> VectorIndex:
    from dragoman.entrypoints.settings import adapter_settings  # noqa: PLC0415
    from dragoman.kit import registry  # noqa: PLC0415

    name = settings.vector_index
    index: VectorIndex = registry.create("vector_index", name, adapter_settings("vector_index", name))
    return index


def _require_pgvector(settings: Settings) -> None:
    if settings.vector_index != "pgvector":
        raise InvalidRequestError(
            f"Searches ask {settings.vector_index}, which keeps its own index. `dragoman index check` measures it."
        )


async def _embed(settings: Settings, questions: Path | None) -> Vectors | None:
    if questions is None:
        return None
    from dragoman.entrypoints.wiring import create_embedder  # noqa: PLC0415 -- a second

    text = await asyncio.to_thread(questions.read_text, encoding="utf-8")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    embedder = create_embedder(settings)
    try:
        return await embedder.embed_queries(lines) if lines else None
    finally:
        await embedder.close()


async def _with_database(home: Path | None, body: Callable[[Settings, Database], Awaitable[T]]) -> T:
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415 -- 80 ms

    async with _database(load_settings(home=home)) as (settings, database):
        return await body(settings, database)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[tuple[Settings, Database]]:
    """By way of the administrator's connection where there is one; else as the application's roles."""
    from dragoman.entrypoints.administration import administered_settings  # noqa: PLC0415 -- 300 ms
    from dragoman.entrypoints.wiring import database_urls  # noqa: PLC0415
    from dragoman.kit.database import Database  # noqa: PLC0415

    has_roles_only = (
        settings.database_url is None
        and settings.database_app_url is not None
        and settings.database_system_url is not None
    )
    async with nullcontext(settings) if has_roles_only else administered_settings(settings) as reachable:
        database = Database(database_urls(reachable), pool_size=_CONNECTIONS)
        try:
            yield reachable, database
        finally:
            await database.close()
