"""`dragoman documents`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import AmbiguousNameError, Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table
from dragoman.kit.errors import NotFoundError

if TYPE_CHECKING:
    from dragoman.client import Chunk, Document, DocumentStatus, DocumentVersion, Dragoman, HistoryEntry, QualityReport

app = typer.Typer(help="List, show, download, change, approve and delete documents.")

DocumentName = Annotated[str, typer.Argument(metavar="ID|NAME", help="Id, external id or file name of the document.")]
DocumentNames = Annotated[list[str], typer.Argument(metavar="ID|NAME…", help="Ids, external ids or file names.")]


class DocumentNameNotFoundError(NotFoundError):
    """There is no document of this name. `dragoman documents list` lists those you may see."""

    code = "cli.document_not_found"


class State(StrEnum):
    QUEUED = "queued"
    PROCESSING = "processing"
    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Approval(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Kind(StrEnum):
    DOCUMENT = "document"
    FAQ = "faq"
    CONVERSATION = "conversation"
    PRODUCT = "product"
    TICKET = "ticket"


class Visibility(StrEnum):
    SHARED = "shared"
    PRIVATE = "private"


class Source(StrEnum):
    UPLOAD = "upload"
    URL = "url"
    CONNECTOR = "connector"


class Sort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    SIZE = "size"
    QUALITY = "quality"


# ---- looking at them


@app.command("list")
def list_documents(
    state: Annotated[State | None, typer.Option(help="Only documents in this state.")] = None,
    approval: Annotated[Approval | None, typer.Option(help="Only those whose newest version is so.")] = None,
    search: Annotated[str | None, typer.Option(help="Only with these words in title, file name or tags.")] = None,
    title: Annotated[str | None, typer.Option(help="The same as --search.")] = None,
    content_type: Annotated[Kind | None, typer.Option(help="Only of this content type.")] = None,
    category: Annotated[str | None, typer.Option(help="Only of this category.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    language: Annotated[str | None, typer.Option(help="Only with text in this language (ISO 639-1).")] = None,
    visibility: Annotated[Visibility | None, typer.Option(help="Only shared, or only private ones.")] = None,
    source: Annotated[Source | None, typer.Option(help="Only those that came in this way.")] = None,
    min_quality: Annotated[float | None, typer.Option(min=0, max=1, help="Least quality score, 0 to 1.")] = None,
    sort: Annotated[Sort, typer.Option(help="`quality`: the poorest first.")] = Sort.NEWEST,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """List the documents of a chatbot, newest first."""

    async def body(client: Dragoman) -> list[Document]:
        listed = client.documents.list(
            chatbot_id=await connection.chatbot_id_of(client, chatbot),
            state=_value(state),
            approval=_value(approval),
            search=search,
            title=title,
            content_type=_value(content_type),
            category=category,
            tag=tag,
            language=language,
            visibility=_value(visibility),
            source=_value(source),
            min_quality=min_quality,
            sort=sort.value,
        )
        return [document async for document in listed]

    documents = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"documents": [document.model_dump(mode="json") for document in documents], "total": len(documents)})
        return ExitCode.OK
    columns = ("Id", "Title", "State", "Approval", "Quality", "Lang", "Pages", "Chunks", "Size")
    print_table(columns, [_row(each) for each in documents], right=("Quality", "Pages", "Chunks", "Size"))
    print_line(f"{len(documents)} documents", style="dim")
    return ExitCode.OK


def _value(choice: StrEnum | None) -> str | None:
    return choice.value if choice else None


def _row(document: Document) -> tuple[object, ...]:
    return (
        document.id,
        document.title,
        document.state,
        document.approval,
        _score(document.quality_score),
        document.language,
        document.pages,
        document.total_chunks,
        _size(document.size_bytes),
    )


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
            ("Source", found.source if found.source_url is None else f"{found.source}, {found.source_url}"),
            ("State", f"{status.state}, {status.step} {status.progress:.0%}"),
            ("Error", status.error),
            ("Approval", _reasoned(found.approval, found.approval_reason)),
            ("Version", found.version),
            ("Languages", ", ".join(found.languages) or None),
            ("Pages", found.pages),
            ("Chunks", _chunks(found.total_chunks, found.reused_chunks)),
            ("Quality", _score(found.quality_score)),
            ("Kind", found.content_type),
            ("Category", found.category or None),
            ("Tags", ", ".join(found.tags) or None),
            ("Visibility", found.visibility),
            ("Uploaded", f"{found.uploaded_at:%Y-%m-%d %H:%M:%S %Z}"),
        ]
    )
    return ExitCode.OK


@app.command("status")
def show_status(
    document: DocumentName,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is ready, waits for approval, or failed.")] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds to wait.")] = 1800.0,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Show how far the reading of a document is, step by step. Exit code 1 when it failed."""

    async def body(client: Dragoman) -> DocumentStatus:
        from dragoman.client import DocumentFailedError  # noqa: PLC0415 -- 100 ms

        found = await _find(client, document, chatbot)
        if wait:
            try:
                await client.documents.wait_until_ready(found.id, timeout_s=timeout_s)
            except DocumentFailedError as error:
                if error.code == "rejected":
                    raise
        return await client.documents.get_status(found.id)

    status = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    is_over = any(step.state in ("failed", "skipped") for step in status.steps)
    if as_json:
        print_json(status.model_dump(mode="json"))
    else:
        print_pairs(
            [
                ("State", f"{status.state}, {status.step} {status.progress:.0%}"),
                *((f"  {step.name}", step.state) for step in status.steps),
                ("Approval", status.approval),
                ("Searchable", "yes" if status.processed else "no"),
                ("Chunks", _chunks(status.total_chunks, status.reused_chunks)),
                ("Attempts", status.attempts),
                ("Error", status.error),
            ]
        )
    return ExitCode.FAILED if is_over else ExitCode.OK


@app.command("quality")
def show_quality(
    document: DocumentName,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Show the quality report of a document: what was found while it was read, and what to do about it."""

    async def body(client: Dragoman) -> QualityReport:
        return await client.documents.get_quality((await _find(client, document, chatbot)).id)

    report = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print_quality(report)
    return ExitCode.OK


@app.command("chunks")
def list_chunks(
    document: DocumentName,
    limit: Annotated[int | None, typer.Option(min=1, help="So many at most.")] = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Show the chunks of a document in reading order, each with its place."""

    async def body(client: Dragoman) -> list[Chunk]:
        chunks: list[Chunk] = []
        async for chunk in client.documents.list_chunks((await _find(client, document, chatbot)).id):
            chunks.append(chunk)
            if len(chunks) == limit:
                break
        return chunks

    chunks = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"chunks": [chunk.model_dump(mode="json") for chunk in chunks]})
        return ExitCode.OK
    for chunk in chunks:
        print_line(f"{chunk.index}. {', '.join(_place_and_facts(chunk))}", style="bold")
        print_line(chunk.text)
        print_line()
    print_line(f"{len(chunks)} chunks", style="dim")
    return ExitCode.OK


@app.command("history")
def show_history(
    document: DocumentName,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Show who uploaded, changed, approved or downloaded a document, newest first."""

    async def body(client: Dragoman) -> list[HistoryEntry]:
        found = await _find(client, document, chatbot)
        return [entry async for entry in client.documents.list_history(found.id)]

    entries = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"events": [entry.model_dump(mode="json") for entry in entries]})
        return ExitCode.OK
    rows = [(f"{each.created_at:%Y-%m-%d %H:%M:%S}", each.action, each.actor, _pairs(each.details)) for each in entries]
    print_table(("When", "What", "Who", "Details"), rows)
    return ExitCode.OK


@app.command("download")
def download_document(
    document: DocumentName,
    to: Annotated[Path, typer.Option("--to", help="A file, or a folder.")] = Path(),
    version: Annotated[int | None, typer.Option(min=1, help="Without it the one that searches find.")] = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Download the original file, exactly as it was uploaded."""

    async def body(client: Dragoman) -> Path:
        found = await _find(client, document, chatbot)
        return await client.documents.download(found.id, to, version=version)

    written = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"path": str(written), "size_bytes": written.stat().st_size})
    else:
        print_line(f"{written} ({_size(written.stat().st_size)})")
    return ExitCode.OK


# ---- versions


@app.command("versions")
def list_versions(
    document: DocumentName,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """List the versions of a document, newest first; searches find the live one."""

    async def body(client: Dragoman) -> Sequence[DocumentVersion]:
        return await client.documents.list_versions((await _find(client, document, chatbot)).id)

    versions = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"versions": [version.model_dump(mode="json") for version in versions]})
        return ExitCode.OK
    rows = [
        (
            each.version,
            "live" if each.is_live else each.state,
            each.approval,
            each.file_name,
            f"version {each.made_from} again" if each.made_from else f"upload by {each.uploaded_by}",
            _score(each.quality_score),
            _chunks(each.total_chunks, each.reused_chunks),
            f"{each.created_at:%Y-%m-%d %H:%M:%S}",
            each.error,
        )
        for each in versions
    ]
    columns = ("Version", "State", "Approval", "File", "Made by", "Quality", "Chunks", "When", "Error")
    print_table(columns, rows, right=("Version", "Quality"))
    return ExitCode.OK


@app.command("restore")
def restore_version(
    document: DocumentName,
    version: Annotated[int, typer.Argument(min=1, help="Its number: see `documents versions`.")],
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Bring an older version back, as a new one. Searches find the present one until it is read."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(
        server,
        [document],
        chatbot,
        lambda client, found: client.documents.restore(found.id, version),
        f"Version {version} is read again as version {{0.version}} of",
    )


@app.command("replace")
def replace_document(
    document: DocumentName,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The new content.")],
    title: Annotated[str | None, typer.Option(help="Its title from now on.")] = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Give a document a new content. Searches find the old one until the new one is read."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)

    async def replace(client: Dragoman, found: Document) -> Document:
        return await client.documents.replace(found.id, file, title=title)

    return _act(server, [document], chatbot, replace, "Version {0.version} is read now:")


@app.command("update")
def update_document(
    document: DocumentName,
    title: Annotated[str | None, typer.Option(help="Makes a new version, which is embedded under it.")] = None,
    content_type: Annotated[Kind | None, typer.Option(help="What the document is.")] = None,
    category: Annotated[str | None, typer.Option(help="Its category.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="In place of its tags; may be repeated.")] = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Change the title and the labels of a document."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)

    async def update(client: Dragoman, found: Document) -> Document:
        return await client.documents.update(
            found.id, title=title, content_type=_value(content_type), category=category, tags=tag
        )

    return _act(server, [document], chatbot, update, "Changed")


# ---- reading again, stopping, approving, deleting


@app.command("reprocess")
def reprocess_documents(
    documents: DocumentNames,
    embed_all: Annotated[bool, typer.Option("--embed-all", help="Embed the unchanged chunks again too.")] = False,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Read stored documents again under the present settings, without an upload."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(
        server,
        documents,
        chatbot,
        lambda client, found: client.documents.reprocess(found.id, embed_all=embed_all),
        "Is read again:",
    )


@app.command("cancel")
def cancel_documents(
    documents: DocumentNames,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Stop the reading of documents. An older version that searches find stays."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, documents, chatbot, lambda client, found: client.documents.cancel(found.id), "Cancelled")


@app.command("retry")
def retry_documents(
    documents: DocumentNames,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Read documents again whose reading failed or was cancelled."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, documents, chatbot, lambda client, found: client.documents.retry(found.id), "Is read again:")


@app.command("approve")
def approve_documents(
    documents: DocumentNames,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Let searches find documents that wait for approval."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, documents, chatbot, lambda client, found: client.documents.approve(found.id), "Approved")


@app.command("reject")
def reject_documents(
    documents: DocumentNames,
    reason: Annotated[str, typer.Option(help="Why; who uploaded it reads this.")],
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Refuse documents that wait for approval, with the reason."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, documents, chatbot, lambda client, found: client.documents.reject(found.id, reason), "Rejected")


@app.command("delete")
def delete_documents(
    documents: DocumentNames,
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


def _act(
    server: Server,
    names: Sequence[str],
    chatbot: str | None,
    action: Callable[[Dragoman, Document], Awaitable[Document]],
    done: str,
) -> ExitCode:
    """Do something to each document, once all of them are found. `done` says what, with the document as `{0}`."""

    async def body(client: Dragoman) -> list[Document]:
        found = [await _find(client, name, chatbot) for name in names]
        return [await action(client, document) for document in found]

    changed = connection.run(server, body)
    if server.json:
        print_json({"documents": [document.model_dump(mode="json") for document in changed]})
    else:
        for document in changed:
            print_line(f"{done.format(document)} {document.title} ({document.id}).")
    return ExitCode.OK


async def _find(client: Dragoman, id_or_name: str, chatbot: str | None) -> Document:
    """Raises DocumentNameNotFoundError, AmbiguousNameError."""
    if connection.is_id(id_or_name):
        return await client.documents.get(id_or_name)
    chatbot_id = await connection.chatbot_id_of(client, chatbot)
    known = client.documents.list(chatbot_id=chatbot_id, external_id=id_or_name)
    found = [each async for each in known if each.external_id == id_or_name]
    if not found:
        named = client.documents.list(chatbot_id=chatbot_id, search=id_or_name[:200])
        found = [each async for each in named if each.file_name == id_or_name]
    if not found:
        raise DocumentNameNotFoundError(
            f"There is no document {id_or_name!r}. `dragoman documents list` lists those you may see."
        )
    if len(found) > 1:
        raise AmbiguousNameError(f"{len(found)} documents are named {id_or_name!r}. Give the id instead.")
    return found[0]


# ---- how they are shown


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024:.0f} KiB" if size_bytes < 1024 * 1024 else f"{size_bytes / 1024 / 1024:.1f} MiB"


def _score(score: float | None) -> str | None:
    return None if score is None else f"{score:.2f}"


def _chunks(total: int, reused: int) -> str:
    return f"{total}, {reused} of them unchanged" if reused else str(total)


def _reasoned(word: str, reason: str | None) -> str:
    return word if not reason else f"{word}: {reason}"


def _place_and_facts(chunk: Chunk) -> Iterator[str]:
    if chunk.page is not None:
        yield f"page {chunk.page}"
    if chunk.headings:
        yield " > ".join(chunk.headings)
    yield chunk.kind
    yield chunk.language
    yield f"{chunk.tokens} tokens"
    if chunk.images:
        yield f"{len(chunk.images)} images"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _print_quality(quality: QualityReport) -> None:
    report, pii = quality.report, quality.pii
    if quality.score is None:
        print_line(f"Version {quality.version} is not read yet. `dragoman documents status` tells how far it is.")
        return
    print_pairs(
        [
            ("Score", f"{quality.score:.2f}, version {quality.version}"),
            ("Parts", _pairs({name: _score(part) for name, part in report.get("parts", {}).items()}) or None),
            (
                "Languages",
                _pairs({name: f"{share:.0%}" for name, share in report.get("languages", {}).items()}) or None,
            ),
            ("Counts", _pairs({name: count for name, count in report.get("counts", {}).items() if count}) or None),
            ("Reading", _readability(report.get("readability"))),
            ("Personal data", _personal_data(pii) if pii else None),
        ]
    )
    for line in _finding_lines(report):
        print_line(line)


def _readability(values: Mapping[str, Any] | None) -> str | None:
    if not values:
        return None
    shown = {"LIX": values["lix"], values["formula"]: values["flesch"]}
    scores = [f"{name} {value:.0f}" for name, value in shown.items() if value is not None]
    return ", ".join([*scores, f"{values['words_per_sentence']:.0f} words a sentence"])


def _personal_data(pii: Mapping[str, Any]) -> str:
    found = _pairs(pii.get("counts", {})) or "none"
    return f"{found} ({'masked' if pii.get('mode') == 'mask' else 'not masked'})"


def _finding_lines(report: Mapping[str, Any]) -> Iterator[str]:
    for warning in report.get("warnings", ()):
        yield f"note      {warning}"
    for finding in report.get("findings", ()):
        pages = f" Pages {', '.join(map(str, finding['pages']))}." if finding.get("pages") else ""
        yield f"{finding['severity']:<10}{finding['message']}{pages}"
        yield f"          {finding['what_to_do']}"
