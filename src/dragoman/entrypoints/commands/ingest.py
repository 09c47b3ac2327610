"""`dragoman ingest`: files and folders, until searches find them."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from dragoman.client import DocumentStatus, Dragoman

_AT_ONCE = 4  # uploads on their way or being read; more would only wait in the server's queue
_BULK_FROM = 20  # files; so many are read after the uploads of users
_UNSUPPORTED = 415


class Kind(StrEnum):
    DOCUMENT = "document"
    FAQ = "faq"
    CONVERSATION = "conversation"
    PRODUCT = "product"
    TICKET = "ticket"


class Outcome(StrEnum):
    """What became of a file. `skipped`: it lay in a folder and is of a kind that cannot be read."""

    READY = "ready"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToIngest:
    """`external_id` is how the document is known: the same one again replaces it. `is_named`: not found in a folder."""

    path: Path
    external_id: str
    is_named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    path: str
    outcome: Outcome
    document_id: str | None = None
    chunks: int | None = None
    code: str | None = None
    reason: str | None = None


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders; folders with all below them.", exists=True)],
    chatbot: ChatbotId = None,
    category: Annotated[str | None, typer.Option(help="Category of the documents.")] = None,
    content_type: Annotated[
        Kind | None, typer.Option(help="What the documents are; `document` when not given.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="May be repeated.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Only you find them.")] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds to wait for one document.")] = 1800.0,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Upload documents and wait until searches find them.

    Exit code 1 when any of them failed. A document is known by its path under the folder you name (`docs/a.md` for `dragoman ingest docs`): ingesting it
    again replaces it when it has changed, and does nothing when it has not.
    """
    files = find_files(paths)

    async def body(client: Dragoman) -> list[Result]:
        form: dict[str, Any] = {
            "chatbot_id": await connection.chatbot_id_of(client, chatbot),
            "category": category,
            "content_type": content_type.value if content_type else None,
            "tags": tag or (),
            "visibility": "private" if private else None,
            "bulk": len(files) >= _BULK_FROM,
        }
        with _Screen.open(len(files), quiet=as_json) as screen:
            return await _ingest_all(client, files, form, timeout_s, screen)

    results = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    counts = Counter(result.outcome.value for result in results)
    if as_json:
        summary = {outcome.value: counts[outcome.value] for outcome in Outcome}
        print_json({"documents": [asdict(result) for result in results], **summary})
    else:
        print_line(
            ", ".join(f"{counts[each.value]} {each.value}" for each in Outcome if counts[each.value]) or "No files."
        )
    return ExitCode.FAILED if counts[Outcome.FAILED.value] or not results else ExitCode.OK


def find_files(paths: Sequence[Path]) -> list[FileToIngest]:
    """The files meant, each once, in a stable order. In folders, hidden files and folders are left out."""
    found: dict[Path, FileToIngest] = {}
    for given in paths:
        if given.is_dir():
            root = given.resolve()
            for path in _files_below(given):
                external_id = (Path(root.name) / path.relative_to(given)).as_posix()
                found.setdefault(path.resolve(), FileToIngest(path=path, external_id=external_id, is_named=False))
        else:
            found[given.resolve()] = FileToIngest(path=given, external_id=given.name, is_named=True)
    return _told_apart(list(found.values()))


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent) / name for name in sorted(names) if not name.startswith("."))


def _told_apart(files: list[FileToIngest]) -> list[FileToIngest]:
    """Two files of one name would replace each other: they are known by their paths as given instead."""
    count = Counter(file.external_id for file in files)
    return [
        file
        if count[file.external_id] == 1
        else FileToIngest(path=file.path, external_id=file.path.as_posix().removeprefix("./"), is_named=file.is_named)
        for file in files
    ]


async def _ingest_all(
    client: Dragoman, files: Sequence[FileToIngest], form: dict[str, Any], timeout_s: float, screen: _Screen
) -> list[Result]:
    room = asyncio.Semaphore(_AT_ONCE)

    async def ingest_one(file: FileToIngest) -> Result:
        async with room:
            with screen.file(file) as show:
                result = await _ingest_one(client, file, form, timeout_s, show)
            screen.tell(result)
            return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ingest_one(file)) for file in files]
    return [task.result() for task in tasks]


async def _ingest_one(
    client: Dragoman, file: FileToIngest, form: dict[str, Any], timeout_s: float, show: _Show
) -> Result:
    """Upload one file and wait for it. Only a server that is gone or refuses us ends the others too."""
    from dragoman.client import ApiError, DocumentFailedError, NotReadyInTimeError  # noqa: PLC0415 -- 100 ms

    path = str(file.path)
    try:
        uploaded = await client.documents.upload(file.path, external_id=file.external_id, **form)
        document = await client.documents.wait_until_ready(uploaded.id, timeout_s=timeout_s, on_status=show.status)
    except ApiError as error:
        if error.status in (401, 403, 404):
            raise
        outcome = Outcome.SKIPPED if error.status == _UNSUPPORTED and not file.is_named else Outcome.FAILED
        return Result(path=path, outcome=outcome, code=error.code, reason=error.detail)
    except (DocumentFailedError, NotReadyInTimeError) as error:
        code = getattr(error, "code", "not_ready_in_time")
        return Result(
            path=path, outcome=Outcome.FAILED, document_id=str(error.document_id), code=code, reason=str(error)
        )
    except OSError as error:
        return Result(path=path, outcome=Outcome.FAILED, code="unreadable", reason=f"The file cannot be read: {error}.")
    outcome = Outcome.UNCHANGED if uploaded.is_duplicate else Outcome.READY
    return Result(path=path, outcome=outcome, document_id=str(document.id), chunks=document.total_chunks)


class _Show:
    """The bar of one file; without a bar it does nothing."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress, self._task = progress, task

    def status(self, status: DocumentStatus) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=status.progress, now=status.step)


class _Screen:
    """A bar for all files and one for each that is being worked on; whole lines where stderr is no terminal."""

    def __init__(self, progress: Progress | None, overall: TaskID | None, *, quiet: bool) -> None:
        self._progress, self._overall, self._quiet = progress, overall, quiet

    @classmethod
    @contextmanager
    def open(cls, files: int, *, quiet: bool) -> Iterator[_Screen]:
        console = err()
        if quiet or not console.is_terminal:
            yield cls(None, None, quiet=quiet)
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[now]}"), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            overall = progress.add_task("All files", total=files, now=f"0 of {files}")
            yield cls(progress, overall, quiet=quiet)

    @contextmanager
    def file(self, file: FileToIngest) -> Iterator[_Show]:
        if self._progress is None:
            yield _Show(None, None)
            return
        task = self._progress.add_task(file.path.name[-40:], total=1.0, now="uploading")
        try:
            yield _Show(self._progress, task)
        finally:
            self._progress.remove_task(task)

    def tell(self, result: Result) -> None:
        if self._progress is not None and self._overall is not None:
            self._progress.advance(self._overall)
            whole = next(task for task in self._progress.tasks if task.id == self._overall)
            self._progress.update(self._overall, now=f"{int(whole.completed)} of {int(whole.total or 0)}")
        if self._quiet:
            return
        console = self._progress.console if self._progress is not None else err()
        style = {Outcome.FAILED: "red", Outcome.SKIPPED: "yellow"}.get(result.outcome, "")
        note = result.reason or (f"{result.chunks} chunks" if result.outcome is Outcome.READY else "")
        console.print(
            f"{result.outcome.value:<10} {result.path}  {note}".rstrip(), style=style, markup=False, soft_wrap=True
        )
