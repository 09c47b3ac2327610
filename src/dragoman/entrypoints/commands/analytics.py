"""`dragoman analytics`: how well a chatbot serves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table

if TYPE_CHECKING:
    from dragoman.client import Analytics, Dragoman


class By(StrEnum):
    DAY = "day"
    HOUR = "hour"


def analytics(
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
    _table("Errors", ("Code", "Model calls", "Jobs"), found.errors, ("code", "model_calls", "jobs"))
    _table("Most cited", ("Document", "Answers"), found.top_documents, ("title", "answers"))
    _table("Unanswered", ("Question", "Language"), found.unanswered, ("question", "language"))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _table(title: str, columns: tuple[str, ...], items: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    if items:
        print_line()
        print_line(title, style="bold")
        print_table(columns, [tuple(item.get(name) or "-" for name in names) for item in items])
