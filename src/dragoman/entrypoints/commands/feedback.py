"""`dragoman feedback`: what askers say of answers, and the improvement report."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection, output_file
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table
from dragoman.kit.errors import UnavailableError

if TYPE_CHECKING:
    from dragoman.client import Dragoman, FeedbackAnalytics, FeedbackItem, ImprovementReport

app = typer.Typer(help="Read what askers say of answers, export it, and have improvement reports written.")

_LONGEST_WAIT_S = 900.0
_EXCERPT = 60
First = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], metavar="DAY", help="First day (UTC), 2026-05-01.")
]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="Last day, included.")]


class Thumb(StrEnum):
    UP = "up"
    DOWN = "down"


class FileFormat(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


class ReportNotWrittenError(UnavailableError):
    """The report was not written within 15 minutes. `dragoman jobs list --kind feedback.write_report` tells why."""

    code = "cli.report_not_written"


@app.command("summary")
def summary(
    first: First = None,
    last: Last = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Sum up the ratings, of 30 days without other wishes."""

    async def body(client: Dragoman) -> FeedbackAnalytics:
        chatbot_id = await connection.chatbot_id_of(client, chatbot)
        return await client.feedback.analytics(
            chatbot_id=chatbot_id, first=first.date() if first else None, last=last.date() if last else None
        )

    found = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return ExitCode.OK
    rate = "nobody has rated"
    if found.satisfaction_rate is not None:
        rate = f"{found.satisfaction_rate:.0%} ({found.satisfaction_low:.0%} to {found.satisfaction_high:.0%})"
    corrections = ", ".join(f"{count} {state}" for state, count in found.corrections.items() if count)
    print_pairs(
        [
            ("Days", f"{found.first_day} to {found.last_day}"),
            ("Ratings", f"{found.up} up, {found.down} down"),
            ("Satisfaction", rate),
            ("Comments", found.comments),
            ("Corrections", corrections or "none"),
            *((f"Reason {reason}", count) for reason, count in found.by_reason.items()),
        ]
    )
    rows = [(line.title or line.key, line.up, line.down) for line in found.by_document if line.down]
    if rows:
        print_table(("Cited document", "Up", "Down"), rows)
    return ExitCode.OK


@app.command("list")
def list_feedback(
    rating: Annotated[Thumb | None, typer.Option(help="Only these.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only for this reason, such as outdated.")] = None,
    has_text: Annotated[bool, typer.Option("--with-text", help="Only with a comment or a correction.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="So many at most.")] = 50,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """List feedback with its questions, the latest first."""

    async def body(client: Dragoman) -> list[FeedbackItem]:
        items: list[FeedbackItem] = []
        async for item in client.feedback.list(
            chatbot_id=await connection.chatbot_id_of(client, chatbot),
            rating=rating.value if rating else None,
            reason=reason,
            has_text=has_text or None,
        ):
            items.append(item)
            if len(items) == limit:
                break
        return items

    found = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"feedback": [item.model_dump(mode="json") for item in found]})
        return ExitCode.OK
    rows = [
        (
            item.id,
            f"{item.created_at:%Y-%m-%d}",
            item.rating,
            item.reason or "",
            _short(item.question or "(not kept)"),
            _short(item.correction or item.comment),
        )
        for item in found
    ]
    print_table(("Id", "Day", "Rating", "Reason", "Question", "Correction or comment"), rows)
    return ExitCode.OK


@app.command("export")
def export_feedback(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; without it stdout.")] = None,
    file_format: Annotated[FileFormat, typer.Option("--format", help="One line each.")] = FileFormat.CSV,
    rating: Annotated[Thumb | None, typer.Option(help="Only these.")] = None,
    first: First = None,
    last: Last = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
) -> ExitCode:
    """Write feedback with its questions and answers to a file, the oldest first."""
    output_file.require_writable(output)

    async def body(client: Dragoman) -> None:
        exported = client.feedback.open_export(
            format=file_format.value,
            chatbot_id=await connection.chatbot_id_of(client, chatbot),
            first=first.date() if first else None,
            last=last.date() if last else None,
            rating=rating.value if rating else None,
        )
        async with exported as response:
            with output_file.opened(output) as file:
                async for piece in response.aiter_bytes():
                    file.write(piece)

    connection.run(Server(url=url, api_key=api_key, home=home, json=False), body)
    if output:
        print_line(f"Wrote {output}.")
    return ExitCode.OK


@app.command("accept")
def accept_correction(
    feedback: Annotated[str, typer.Argument(metavar="ID", help="Id of the feedback: see `feedback list`.")],
    question: Annotated[str | None, typer.Option(help="In place of the one that was asked.")] = None,
    answer: Annotated[str | None, typer.Option(help="In place of the correction.")] = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Make a correction a document with the question and its right answer."""
    accepted = connection.run(
        Server(url=url, api_key=api_key, home=home, json=as_json),
        lambda client: client.feedback.accept_correction(feedback, question=question, answer=answer),
    )
    if as_json:
        print_json(accepted.model_dump(mode="json"))
    else:
        waits = " It waits for approval." if accepted.waits_for_approval else ""
        print_line(f"The correction is the document {accepted.document_id}.{waits}")
    return ExitCode.OK


@app.command("report")
def report(
    first: First = None,
    last: Last = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file for it, as Markdown.")] = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Have an improvement report written, of the last seven days without other wishes, and print it."""
    output_file.require_writable(output)

    async def body(client: Dragoman) -> tuple[ImprovementReport, str]:
        asked = await client.feedback.request_report(
            chatbot_id=await connection.chatbot_id_of(client, chatbot),
            first=first.date() if first else None,
            last=last.date() if last else None,
        )
        deadline = time.monotonic() + _LONGEST_WAIT_S
        while (written := await client.feedback.get_report(asked.id)).state == "queued":
            if time.monotonic() > deadline:
                raise ReportNotWrittenError
            await asyncio.sleep(0.5)
        return written, await client.feedback.get_report_as_markdown(asked.id)

    written, markdown = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if output:
        with output_file.opened(output) as file:
            file.write(markdown.encode())
    if as_json:
        print_json(written.model_dump(mode="json"))
    else:
        print_line(f"Wrote {output}." if output else markdown.rstrip())
    return ExitCode.OK if written.state == "ready" else ExitCode.FAILED


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXCERPT else flat[:_EXCERPT].rsplit(" ", 1)[0] + " …"
