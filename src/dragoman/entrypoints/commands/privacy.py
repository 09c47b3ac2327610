"""`dragoman privacy`: what is held about a person, exported or erased."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection, output_file
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_table, spinner

if TYPE_CHECKING:
    from dragoman.client import Dragoman, PrivacyRequest

app = typer.Typer(help="Export or erase what is held about a person.")


class Kind(StrEnum):
    USER = "user"
    EXTERNAL = "external"
    VISITOR = "visitor"


SubjectKind = Annotated[Kind, typer.Argument(help="A user of the tenant, one whom your system names, or a visitor.")]
SubjectId = Annotated[str, typer.Argument(metavar="ID", help="The user's or visitor's id, or your system's name.")]


@app.command("export")
def export(
    kind: SubjectKind,
    subject: SubjectId,
    to: Annotated[Path, typer.Option(metavar="FILE", help="Where the archive is written.")] = Path("personal-data.zip"),
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Write an archive of everything that is held about a person."""
    output_file.require_writable(to)

    async def body(client: Dragoman) -> PrivacyRequest:
        with spinner("Collecting …", quiet=as_json):
            request = await client.privacy.wait((await client.privacy.export(kind.value, subject)).id)
        if request.state == "done":
            with output_file.opened(to) as file:
                async for piece in client.privacy.read_archive(request.id):
                    file.write(piece)
        return request

    return _told(connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body), as_json, f"{to}")


@app.command("erase")
def erase(
    kind: SubjectKind,
    subject: SubjectId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Erase a person everywhere. It cannot be taken back."""
    if not yes:
        typer.confirm(f"Erase everything about {kind.value} {subject}? It cannot be taken back.", abort=True)

    async def body(client: Dragoman) -> PrivacyRequest:
        with spinner("Erasing …", quiet=as_json):
            return await client.privacy.wait((await client.privacy.erase(kind.value, subject)).id)

    request = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    return _told(request, as_json, f"{kind.value} {subject} is erased")


@app.command("list")
def list_requests(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """List the requests of your tenant, newest first."""

    async def body(client: Dragoman) -> list[PrivacyRequest]:
        return [request async for request in client.privacy.list()]

    requests = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"requests": [request.model_dump(mode="json") for request in requests]})
        return ExitCode.OK
    rows = [
        (each.id, each.kind, f"{each.subject_kind} {each.subject_id}", f"{each.state} {each.step}".strip(), each.error)
        for each in requests
    ]
    print_table(("Id", "Kind", "Of", "State", "Error"), rows)
    return ExitCode.OK


def _told(request: PrivacyRequest, as_json: bool, what: str) -> ExitCode:
    if as_json:
        print_json(request.model_dump(mode="json"))
    elif request.state == "done":
        counts = ", ".join(f"{count} {name}" for name, count in request.counts.items() if count)
        print_line(f"{what} ({counts or 'nothing was held'}).")
    else:
        print_line(request.error or f"The request {request.id} is {request.state}.", style="red")
    return ExitCode.OK if request.state == "done" else ExitCode.FAILED
