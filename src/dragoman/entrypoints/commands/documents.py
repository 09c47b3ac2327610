"""`dragoman documents`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import AmbiguousNameError, Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table
from dragoman.kit.errors import NotFoundError

if TYPE_CHECKING:
    from dragoman.client import Document, DocumentStatus, Dragoman

app = typer.Typer(help="List, show and delete documents.")

DocumentName = Annotated[str, typer.Argument(metavar="ID|NAME", help="Id, external id or file name of the document.")]


class DocumentNameNotFoundError(NotFoundError):
    """There is no document of this name. `dragoman documents list` lists those you may see."""

    code = "cli.document_not_found"


class State(StrEnum):
    QUEUED = "queued"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


@app.command("list")
def list_documents(
    state: Annotated[State | None, typer.Option(help="Only documents in this state.")] = None,
    title: Annotated[str | None, typer.Option(help="Only titles that contain this.")] = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """List the documents of a chatbot, newest first."""

    async def body(client: Dragoman) -> list[Document]:
        chatbot_id = await connection.chatbot_id_of(client, chatbot)
        listed = client.documents.list(chatbot_id=chatbot_id, state=state.value if state else None, title=title)
        return [document async for document in listed]

    documents = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"documents": [document.model_dump(mode="json") for document in documents], "total": len(documents)})
        return ExitCode.OK
    rows = [
        (each.id, each.title, each.state, each.language, each.pages, each.total_chunks, _size(each.size_bytes))
        for each in documents
    ]
    print_table(("Id", "Title", "State", "Lang", "Pages", "Chunks", "Size"), rows, right=("Pages", "Chunks", "Size"))
    print_line(f"{len(documents)} documents", style="dim")
    return ExitCode.OK


@app.command("show")
def show_document(
    document: DocumentName,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Show a document with its state, and why it failed if it did."""

    async def body(client: Dragoman) -> tuple[Document, DocumentStatus]:
        found = await _find(client, document, chatbot)
        return found, await client.documents.get_status(found.id)

    found, status = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({**found.model_dump(mode="json"), "status": status.model_dump(mode="json")})
        return ExitCode.OK
    print_pairs(
        [
            ("Id", found.id),
            ("Title", found.title),
            ("File", f"{found.file_name} ({found.file_type}, {_size(found.size_bytes)})"),
            ("External id", found.external_id),
            ("State", f"{status.state}, {status.step} {status.progress:.0%}"),
            ("Error", status.error),
            ("Version", found.version),
            ("Language", found.language),
            ("Pages", found.pages),
            ("Chunks", found.total_chunks),
            ("Category", found.category or None),
            ("Visibility", found.visibility),
            ("Uploaded", f"{found.uploaded_at:%Y-%m-%d %H:%M:%S %Z}"),
        ]
    )
    return ExitCode.OK


@app.command("delete")
def delete_documents(
    documents: Annotated[list[str], typer.Argument(metavar="ID|NAME…", help="Ids, external ids or file names.")],
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Delete documents: from now on no search and no answer knows their text."""

    async def body(client: Dragoman) -> list[Document]:
        found = [await _find(client, name, chatbot) for name in documents]  # all of them before the first is deleted
        for document in found:
            await client.documents.delete(document.id)
        return found

    deleted = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"deleted": [str(document.id) for document in deleted]})
    else:
        for document in deleted:
            print_line(f"Deleted {document.title} ({document.id}).")
    return ExitCode.OK


async def _find(client: Dragoman, id_or_name: str, chatbot: str | None) -> Document:
    """Raises DocumentNameNotFoundError, AmbiguousNameError."""
    if connection.is_id(id_or_name):
        return await client.documents.get(id_or_name)
    listed = client.documents.list(chatbot_id=await connection.chatbot_id_of(client, chatbot))
    found = [each async for each in listed if id_or_name in (each.external_id, each.file_name)]
    exact = [each for each in found if each.external_id == id_or_name] or found
    if not exact:
        raise DocumentNameNotFoundError(
            f"There is no document {id_or_name!r}. `dragoman documents list` lists those you may see."
        )
    if len(exact) > 1:
        raise AmbiguousNameError(f"{len(exact)} documents are named {id_or_name!r}. Give the id instead.")
    return exact[0]


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024:.0f} KiB" if size_bytes < 1024 * 1024 else f"{size_bytes / 1024 / 1024:.1f} MiB"
