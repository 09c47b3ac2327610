"""`dragoman analytics`: how well a chatbot serves, and counting what was before anything was counted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table

if TYPE_CHECKING:
    from dragoman.client import Analytics, Dragoman
    from dragoman.insights.backfill.service import Backfilled

app = typer.Typer(help="Tell how well a chatbot serves.", invoke_without_command=True)


class By(StrEnum):
    DAY = "day"
    HOUR = "hour"


@app.callback()
def analytics(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=400, help="Up to today (UTC).")] = 30,
    by: Annotated[By, typer.Option(help="What a line is; by hour 31 days at most.")] = By.DAY,
    language: Annotated[str | None, typer.Option(help="Only questions in this language.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Documents and questions in each list.")] = 5,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Tell how well a chatbot serves: questions, answers, satisfaction, cost, latency, errors, documents."""
    if context.invoked_subcommand is not None:
        return ExitCode.OK
    last = datetime.now(UTC).date()

    async def body(client: Dragoman) -> Analytics:
        return await client.insights.analytics(
            await connection.chatbot_id_of(client, chatbot) or await _default_chatbot_id(client),
            first=last - timedelta(days=days - 1),
            last=last,
            by="hour" if by is By.HOUR else "day",
            language=language,
            limit=limit,
        )

    found = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found)
    return ExitCode.OK


@app.command("backfill")
def backfill(home: Home = None, as_json: Json = False) -> ExitCode:
    """Count what happened before this installation counted anything; again, to go on with what was broken off.

    For installations that are older than their analytics, which begin with the upgrade. Needs the administrator's
    DRAGOMAN_DATABASE_URL, or the embedded database of the home.
    """
    done = asyncio.run(_backfill(home, show=not as_json))
    if as_json:
        print_json({"tenants": done.tenants, "days": done.days, "facts": done.facts})
    elif done.days:
        print_line(f"Counted {done.facts} facts of {done.days} days, of {done.tenants} tenants.")
    else:
        print_line("Nothing is left to count.")
    return ExitCode.OK


async def _backfill(home: Path | None, *, show: bool) -> Backfilled:
    """Raises NotMigratedError, DatabaseUnavailableError."""
    from dragoman.entrypoints import schema  # noqa: PLC0415 -- 300 ms
    from dragoman.entrypoints.administration import administered_settings  # noqa: PLC0415
    from dragoman.entrypoints.commands.tenant import NotMigratedError  # noqa: PLC0415
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415
    from dragoman.entrypoints.wiring import create_retention, database_urls  # noqa: PLC0415
    from dragoman.insights.backfill import service  # noqa: PLC0415
    from dragoman.kit.database import Database  # noqa: PLC0415

    async with administered_settings(load_settings(home=home)) as settings:
        revision = await asyncio.to_thread(schema.revision_of, str(settings.database_url))
        if revision != schema.head_revision():
            raise NotMigratedError
        database = Database(database_urls(settings), pool_size=2)
        try:
            return await service.backfill(
                database,
                create_retention(settings),
                (lambda tenant_id, day: print_line(f"{tenant_id}: {day}")) if show else None,
            )
        finally:
            await database.close()


async def _default_chatbot_id(client: Dragoman) -> str:
    """Raises ChatbotNameNotFoundError: the tenant has none."""
    async for each in client.chatbots.list():
        if each.is_default:
            return str(each.id)
    raise connection.ChatbotNameNotFoundError


def _show(found: Analytics) -> None:
    total, before = found.total, found.before
    latency = total.latency_ms.get("total")
    print_pairs(
        [
            ("Period", f"{found.first_day} to {found.last_day}"),
            ("Questions", f"{total.questions} ({before.questions} before)"),
            ("Answered", f"{_share(total.answer_rate)} ({_share(before.answer_rate)} before)"),
            ("Refused", f"{_share(total.refusal_rate)} ({_share(before.refusal_rate)} before)"),
            ("Satisfaction", f"{_share(total.satisfaction)} ({_share(before.satisfaction)} before)"),
            ("Remembered", _share(total.cache_hit_rate)),
            ("Cost", f"${total.cost_usd:.2f} (${before.cost_usd:.2f} before)"),
            (
                "Latency",
                f"p50 {latency.p50:.0f} ms, p95 {latency.p95:.0f} ms, p99 {latency.p99:.0f} ms" if latency else "-",
            ),
            ("Searches", total.searches),
            ("Documents read", f"{total.documents_read}, {total.documents_failed} failed"),
        ]
    )
    _table("Languages", ("Language", "Questions", "Answered"), found.languages, ("language", "questions", "answered"))
    _table("Reading documents", ("Step", "Documents", "p50 / p95 / p99 ms"), _steps(found), ("step", "documents", "ms"))
    names = ("code", "model_calls", "jobs", "documents")
    _table("Errors", ("Code", "Model calls", "Jobs", "Documents"), found.errors, names)
    _table("Most cited", ("Document", "Answers"), found.top_documents, ("title", "answers"))
    _table("Unanswered", ("Question", "Language"), found.unanswered, ("question", "language"))


def _steps(found: Analytics) -> list[dict[str, Any]]:
    return [
        {**step, "ms": " / ".join(f"{step['latency_ms'][name]:.0f}" for name in ("p50", "p95", "p99"))}
        for step in found.ingestion_steps
        if step["latency_ms"]
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _table(title: str, columns: tuple[str, ...], items: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    if items:
        print_line()
        print_line(title, style="bold")
        print_table(columns, [tuple(item.get(name) or "-" for name in names) for item in items])
