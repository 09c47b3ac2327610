"""`dragoman audit`: who changed and saw what, and whether nobody tampered with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection, output_file
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table
from dragoman.kit.errors import InvalidSettingError

if TYPE_CHECKING:
    from dragoman.client import AuditEvent, AuditHead, AuditVerification, Dragoman
    from dragoman.client.audit import AuditFilter

app = typer.Typer(help="List, export and verify the audit log of your tenant.")

Actor = Annotated[str | None, typer.Option(help="user:ID, key:ID, or a part of what they were called.")]
Action = Annotated[str | None, typer.Option(help="Such as document.deleted; document. for all of documents.")]
Subject = Annotated[str | None, typer.Option(metavar="ID", help="What it was done to.")]
Address = Annotated[str | None, typer.Option(help="Where the request came from.")]
Said = Annotated[str | None, typer.Option("--text", help="Said in the details.")]
After = Annotated[datetime | None, typer.Option(help="From this moment on (UTC).")]
Before = Annotated[datetime | None, typer.Option(help="Before this moment (UTC).")]


class InvalidHeadFileError(InvalidSettingError):
    """This file holds no head of an audit chain. `dragoman audit head --json` writes one."""

    code = "cli.invalid_head_file"


class FileFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


@app.command("list")
def list_events(
    actor: Actor = None,
    action: Action = None,
    subject: Subject = None,
    address: Address = None,
    said: Said = None,
    after: After = None,
    before: Before = None,
    limit: Annotated[int, typer.Option(min=1, help="So many at most.")] = 50,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """List who changed and saw what, newest first."""
    wanted = _wanted(actor, action, subject, address, said, after, before)

    async def body(client: Dragoman) -> list[AuditEvent]:
        events: list[AuditEvent] = []
        async for event in client.audit.list(wanted):
            events.append(event)
            if len(events) == limit:
                break
        return events

    events = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"events": [event.model_dump(mode="json") for event in events]})
        return ExitCode.OK
    rows = [
        (
            event.sequence,
            f"{event.created_at:%Y-%m-%d %H:%M:%S}",
            event.actor_name or event.actor,
            event.action,
            event.subject_id,
            event.address,
            json.dumps(event.details, ensure_ascii=False) if event.details else "",
        )
        for event in events
    ]
    print_table(("Number", "When (UTC)", "Who", "What", "Of", "From", "Details"), rows, right=("Number",))
    return ExitCode.OK


@app.command("export")
def export_events(
    file_format: Annotated[FileFormat, typer.Option("--format", help="Lines of JSON, or CSV.")] = FileFormat.JSONL,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Without it, stdout.")] = None,
    actor: Actor = None,
    action: Action = None,
    subject: Subject = None,
    address: Address = None,
    said: Said = None,
    after: After = None,
    before: Before = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
) -> ExitCode:
    """Export events as lines of JSON or as CSV."""
    output_file.require_writable(to)
    wanted = _wanted(actor, action, subject, address, said, after, before)

    async def body(client: Dragoman) -> None:
        with output_file.opened(to) as file:
            async for piece in client.audit.export(wanted, file_format=file_format.value):
                file.write(piece)

    connection.run(Server(url=url, api_key=api_key, home=home, json=True), body)
    return ExitCode.OK


@app.command("head")
def head(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """Show the signed end of the chain. Keep it elsewhere: `verify --head` then notices that an end was cut off."""

    async def body(client: Dragoman) -> AuditHead | None:
        return await client.audit.get_head()

    found = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(None if found is None else found.model_dump(mode="json"))
    elif found is None:
        print_line("The chain is empty.")
    else:
        print_pairs([("Number", found.sequence), ("Hash", found.hash), ("Signed", found.at), ("Seal", found.seal)])
    return ExitCode.OK


@app.command("verify")
def verify(
    head_files: Annotated[
        list[Path] | None,
        typer.Option("--head", metavar="FILE", help="A head that `audit head --json` wrote. Can be repeated."),
    ] = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Verify that no event was changed, removed, moved or added, and that the end is there."""

    async def body(client: Dragoman) -> AuditVerification:
        return await client.audit.verify([_head_in(path) for path in head_files or []])

    found = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        for problem in found.problems:
            print_line(f"{problem.fault}: {problem.message}", style="red")
        anchored = "" if found.anchored else " No head outside the database was there to compare its end with."
        verdict = "whole" if found.is_whole else f"not whole: {found.problem_count} problems"
        print_line(f"The chain of {found.events} events is {verdict}; {found.waiting} wait for their place.{anchored}")
    return ExitCode.OK if found.is_whole else ExitCode.FAILED


def _head_in(path: Path) -> AuditHead:
    from dragoman.client import AuditHead  # noqa: PLC0415 -- 100 ms

    try:
        return AuditHead.model_validate_json(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidHeadFileError(
            f"{path} holds no head of an audit chain. `dragoman audit head --json` writes one."
        ) from error


def _wanted(
    actor: str | None,
    action: str | None,
    subject: str | None,
    address: str | None,
    said: str | None,
    after: datetime | None,
    before: datetime | None,
) -> AuditFilter:
    return {
        "actor": actor,
        "action": action,
        "subject_id": subject,
        "address": address,
        "text": said,
        "after": None if after is None else after.replace(tzinfo=UTC),
        "before": None if before is None else before.replace(tzinfo=UTC),
    }
