"""`dragoman search`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line

if TYPE_CHECKING:
    from dragoman.client import Dragoman, Passage, SearchResult

_EXCERPT_CHARACTERS = 320
_FILTER_HELP = "Such as 'language:de,fr -tags:internal date>=2025-01-01 heading:Warranty'."


class SearchMode(StrEnum):
    HYBRID = "hybrid"
    DENSE = "dense"
    KEYWORD = "keyword"


def search(
    query: Annotated[str, typer.Argument(help="What to look for, in any language.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="Passages to show.")] = 5,
    mode: Annotated[
        SearchMode | None, typer.Option(help="Which arms search; without it the chatbot's setting.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Of the query; found out when not given.")] = None,
    category: Annotated[list[str] | None, typer.Option("--category", help="Only these; may be repeated.")] = None,
    filter: Annotated[str | None, typer.Option("--filter", help=_FILTER_HELP)] = None,  # noqa: A002 - as the API says
    offset: Annotated[int, typer.Option("--offset", min=0, max=100, help="Passages to skip.")] = 0,
    session: Annotated[str | None, typer.Option("--session", help="Id of the session that the query goes on.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the raw scores of each arm.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Show passages whole.")] = False,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Find passages in the documents.

    Exit code 1 when nothing is found.
    """

    async def body(client: Dragoman) -> SearchResult:
        return await client.search(
            query,
            chatbot_id=await connection.chatbot_id_of(client, chatbot),
            max_results=limit,
            mode=mode.value if mode else None,
            language=language,
            categories=category or None,
            filter=filter,
            offset=offset,
            session_id=session,
            explain=explain,
        )

    found = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found, full=full)
    return ExitCode.OK if found.results else ExitCode.FAILED


def _show(found: SearchResult, *, full: bool) -> None:
    for passage in found.results:
        print_line(f"{passage.rank}. {place_of(passage)}  {passage.similarity_score:.2f}", style="bold")
        text = passage.content if full else _excerpt(passage.content)
        for line in text.splitlines():
            print_line(f"   {line}")
        if passage.signals:
            shown = ", ".join(f"{name} {value:.4g}" for name, value in passage.signals.items() if value is not None)
            print_line(f"   {shown}", style="dim")
    if not found.results:
        print_line("Nothing found.")
    searched = (found.explanation or {}).get("searched_query", found.query)
    if searched != found.query:
        print_line(f"Searched: {searched}", style="dim")
    note = f"{found.total_results} passages, {found.mode}, {found.language}, {found.search_time_ms:.0f} ms"
    print_line(" · ".join([note, *found.degraded, *(["cached"] if found.cached else [])]), style="dim")


def place_of(passage: Passage) -> str:
    """Title, page and heading of a passage."""
    parts = [passage.title or passage.file_name]
    if passage.page is not None:
        parts.append(f"page {passage.page}")
    if passage.heading_path:
        parts.append(" > ".join(passage.heading_path))
    return ", ".join(parts)


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXCERPT_CHARACTERS else flat[:_EXCERPT_CHARACTERS].rsplit(" ", 1)[0] + " …"
