"""`dragoman imports`: bulk imports, followed and steered as a whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table

if TYPE_CHECKING:
    from dragoman.client import Dragoman, Import, ImportDetails, Job

app = typer.Typer(help="Follow, pause, resume and cancel bulk imports.")

ImportId = Annotated[str, typer.Argument(metavar="ID", help="Id of the import: see `imports list`.")]

_STATES = ("succeeded", "running", "queued", "paused", "failed", "cancelled")


class State(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


@app.command("list")
def list_imports(
    state: Annotated[State | None, typer.Option(help="Only imports in this state.")] = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """List bulk imports, newest first; of all chatbots unless one is given."""

    async def body(client: Dragoman) -> list[Import]:
        chatbot_id = await connection.chatbot_id_of(client, chatbot)
        listed = client.imports.list(chatbot_id=chatbot_id, state=state.value if state else None)
        return [each async for each in listed]

    imports = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"imports": [each.model_dump(mode="json") for each in imports]})
        return ExitCode.OK
    rows = [
        (
            each.id,
            each.name,
            each.state,
            f"{each.progress:.0%}",
            each.total,
            each.counts.get("succeeded", 0),
            each.counts.get("failed", 0),
            f"{each.created_at:%Y-%m-%d %H:%M:%S}",
        )
        for each in imports
    ]
    columns = ("Id", "Name", "State", "Done", "Documents", "Read", "Failed", "Begun")
    print_table(columns, rows, right=("Done", "Documents", "Read", "Failed"))
    print_line(f"{len(imports)} imports", style="dim")
    return ExitCode.OK


@app.command("show")
def show_import(
    import_id: ImportId,
    failures: Annotated[int, typer.Option(min=0, help="Show so many of those that failed.")] = 20,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Show how far an import is, how fast, and what failed with the reasons."""

    async def body(client: Dragoman) -> tuple[ImportDetails, list[Job]]:
        details = await client.imports.get(import_id)
        failed: list[Job] = []
        async for job in client.imports.failures(import_id):
            if len(failed) == failures:
                break
            failed.append(job)
        return details, failed

    details, failed = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        shown = [job.model_dump(mode="json") for job in failed]
        print_json({**details.model_dump(mode="json"), "failures": shown})
        return ExitCode.OK
    _print_import(details)
    for reason, count in details.reasons.items():
        print_line(f"{count} x {reason}")
    for job in failed:
        print_line(f"failed    {job.file_name or job.document_id}  {job.error}", style="red")
    if len(failed) < details.counts.get("failed", 0):
        print_line(f"{details.counts['failed'] - len(failed)} more failed: --failures shows more", style="dim")
    return ExitCode.OK


@app.command("pause")
def pause_import(
    import_id: ImportId, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Read no more of its documents for now; those being read are brought to their end."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, lambda client: client.imports.pause(import_id))


@app.command("resume")
def resume_import(
    import_id: ImportId, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Go on with a paused import."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, lambda client: client.imports.resume(import_id))


@app.command("cancel")
def cancel_import(
    import_id: ImportId, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Cancel what is not yet read. What is ready stays."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, lambda client: client.imports.cancel(import_id))


@app.command("retry-failed")
def retry_failed(
    import_id: ImportId, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Read all failed documents of an import again."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, lambda client: client.imports.retry_failed(import_id))


def _act(server: Server, action: Callable[[Dragoman], Awaitable[Import]]) -> ExitCode:
    changed = connection.run(server, action)
    if server.json:
        print_json(changed.model_dump(mode="json"))
    else:
        _print_import(changed)
    return ExitCode.OK


def _print_import(shown: Import) -> None:
    counts = [f"{shown.counts[state]} {state}" for state in _STATES if shown.counts.get(state)]
    left = None if shown.seconds_left is None else f"about {max(1, round(shown.seconds_left / 60))} min"
    print_pairs(
        [
            ("Id", shown.id),
            ("Name", shown.name),
            ("State", f"{shown.state}, {shown.progress:.0%}"),
            ("Documents", ", ".join(counts) or "none yet"),
            ("Expected", shown.expected_documents),
            ("A minute", shown.documents_per_minute or None),
            ("Left", left),
            ("Begun", f"{shown.created_at:%Y-%m-%d %H:%M:%S %Z}"),
            ("Ended", f"{shown.finished_at:%Y-%m-%d %H:%M:%S %Z}" if shown.finished_at else None),
        ]
    )
