"""`dragoman ingest`: files and folders, until searches find them.

A few files go one by one, each followed to its end. Many go as a bulk import: several in a request, followed together,
and paused, resumed or cancelled with `dragoman imports`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.documents import Kind
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from dragoman.client import DocumentStatus, Dragoman, Import, Job, UploadedFile

_AT_ONCE = 4  # uploads on their way or being read; more would only wait in the server's queue
_BULK_FROM = 20  # files; so many are a bulk import, which is read after the uploads of users
_POLL_S = 1.0
_LINE_EVERY_S = 15.0  # of progress, where stderr is no terminal
_UNSUPPORTED = 415
_FORBIDDEN = 403
_NOT_READABLE_HERE = frozenset({"ingestion.unsupported_type", "ingestion.mismatched_type"})
_NOT_IN_TIME, _CANCELLED = "not_ready_in_time", "cancelled"


class Outcome(StrEnum):
    """What became of a file.

    `pending`: it is read, and somebody must approve it. `skipped`: it lay in a folder and is of a kind that cannot be
    read.
    """

    READY = "ready"
    PENDING = "pending"
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
    timeout_s: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait for one document; of many, for the next one.")
    ] = 1800.0,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Upload documents and wait until searches find them.

    Exit code 1 when any of them failed. A document is known by its path under the folder you name (`docs/a.md` for `dragoman ingest docs`): ingesting it
    again replaces it when it has changed, and does nothing when it has not. From 20 files on it is a bulk import, which
    `dragoman imports` pauses, resumes or cancels.
    """
    files = find_files(paths)

    async def body(client: Dragoman) -> tuple[list[Result], Import | None]:
        form: dict[str, Any] = {
            "chatbot_id": await connection.chatbot_id_of(client, chatbot),
            "category": category,
            "content_type": content_type.value if content_type else None,
            "tags": tag or (),
            "visibility": "private" if private else None,
            "bulk": len(files) >= _BULK_FROM,
        }
        with _Screen.open(len(files), quiet=as_json) as screen:
            opened = await _open_import(client, paths, files, form) if len(files) >= _BULK_FROM else None
            if opened is None:
                return await _ingest_all(client, files, form, timeout_s, screen), None
            return await _ingest_together(client, opened, files, form, timeout_s, screen), opened

    results, opened = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    counts = Counter(result.outcome.value for result in results)
    if as_json:
        summary = {outcome.value: counts[outcome.value] for outcome in Outcome}
        as_import = {"import_id": opened.id} if opened else {}
        print_json({"documents": [asdict(result) for result in results], **summary, **as_import})
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


# ---- a few files


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
        code = getattr(error, "code", _NOT_IN_TIME)
        return Result(
            path=path, outcome=Outcome.FAILED, document_id=str(error.document_id), code=code, reason=str(error)
        )
    except OSError as error:
        return Result(path=path, outcome=Outcome.FAILED, code="unreadable", reason=f"The file cannot be read: {error}.")
    waits = Outcome.PENDING if document.approval == "pending" else Outcome.READY
    outcome = Outcome.UNCHANGED if uploaded.is_duplicate else waits
    return Result(path=path, outcome=outcome, document_id=str(document.id), chunks=document.total_chunks)


# ---- many files


async def _open_import(
    client: Dragoman, paths: Sequence[Path], files: Sequence[FileToIngest], form: Mapping[str, Any]
) -> Import | None:
    """None for somebody who may not open imports: members, with private documents of their own."""
    from dragoman.client import ApiError  # noqa: PLC0415 -- 100 ms

    name = f"ingest {', '.join(map(str, paths))}"[:200]
    try:
        return await client.imports.create(name, chatbot_id=form["chatbot_id"], expected_documents=len(files))
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return None


async def _ingest_together(
    client: Dragoman,
    opened: Import,
    files: Sequence[FileToIngest],
    form: Mapping[str, Any],
    timeout_s: float,
    screen: _Screen,
) -> list[Result]:
    """Upload in batches, then follow the import to its end. It goes on when this command is ended before."""
    results: list[Result | None] = [None] * len(files)
    waiting: dict[str, list[int]] = {}
    uploaded_count = 0
    try:
        sent = client.documents.upload_many(
            [file.path for file in files],
            external_ids=[file.external_id for file in files],
            import_id=opened.id,
            **form,
        )
        async for uploaded in sent:
            file = files[uploaded_count]
            if (result := _settled_at_once(file, uploaded)) is not None:
                results[uploaded_count] = result
                screen.tell_of_many(result)
            else:
                waiting.setdefault(str(uploaded.id), []).append(uploaded_count)
            uploaded_count += 1
            screen.advance("Uploading", uploaded_count)
        settled = len(files) - sum(map(len, waiting.values()))
        is_over = await _follow(client, opened, settled, timeout_s, screen)
    except BaseException:
        if uploaded_count:
            screen.say(
                f"{uploaded_count} of {len(files)} files are uploaded and are read whenever Dragoman runs. Steer them "
                f"with `dragoman imports show|pause|resume|cancel {opened.id}`; the same command again uploads the rest."
            )
        raise
    became = await _outcomes(client, opened, is_over=is_over)
    for document_id, places in waiting.items():
        for place in places:
            result = became.get(document_id) or Result(path="", outcome=Outcome.READY)
            results[place] = replace(result, path=str(files[place].path), document_id=document_id)
            screen.tell_of_many(results[place])
    return [result for result in results if result is not None]


def _settled_at_once(file: FileToIngest, uploaded: UploadedFile) -> Result | None:
    """What became of a file that is refused, or was here already; None for one that is being read."""
    path = str(file.path)
    if uploaded.is_duplicate:
        return Result(path=path, outcome=Outcome.UNCHANGED, document_id=str(uploaded.id))
    if uploaded.accepted:
        return None
    is_skipped = uploaded.error_code in _NOT_READABLE_HERE and not file.is_named
    outcome = Outcome.SKIPPED if is_skipped else Outcome.FAILED
    return Result(path=path, outcome=outcome, code=uploaded.error_code, reason=uploaded.error)


async def _follow(client: Dragoman, opened: Import, settled: int, timeout_s: float, screen: _Screen) -> bool:
    """Wait until nothing of an import waits or runs any more; False when nothing of it moved for `timeout_s`."""
    moved_at, last = time.monotonic(), -1
    was_paused = False
    while True:
        now = await client.imports.get(opened.id)
        left = sum(now.counts.get(state, 0) for state in ("queued", "paused", "running"))
        if not left:
            screen.advance("Reading", settled + now.total)
            return True
        if left != last or now.state == "paused":
            moved_at, last = time.monotonic(), left
        if time.monotonic() - moved_at > timeout_s:
            return False
        if now.state == "paused" and not was_paused:
            screen.say(f"The import is paused. `dragoman imports resume {opened.id}` goes on with it.")
        was_paused = now.state == "paused"
        screen.advance("Reading", settled + now.total - left, seconds_left=now.seconds_left)
        await asyncio.sleep(_POLL_S)


async def _outcomes(client: Dragoman, opened: Import, *, is_over: bool) -> dict[str, Result]:
    """What became of documents of an import by their id, of those that are not simply ready."""
    became: dict[str, Result] = {}
    async for document in client.documents.list(chatbot_id=opened.chatbot_id, approval="pending"):
        became[str(document.id)] = Result(path="", outcome=Outcome.PENDING, chunks=document.total_chunks)
    states = ("failed", "cancelled") if is_over else ("failed", "cancelled", "queued", "paused", "running")
    for state in states:
        async for job in client.jobs.list(import_id=opened.id, state=state):
            became[str(job.document_id)] = _result_of(job)
    return became


def _result_of(job: Job) -> Result:
    code, reason = job.error_code, job.error
    if job.state == "cancelled":
        code, reason = _CANCELLED, "It was cancelled before it was read."
    elif job.state != "failed":
        code, reason = _NOT_IN_TIME, f"It is not read yet, and nothing of the import moves ({job.state})."
    return Result(path="", outcome=Outcome.FAILED, code=code, reason=reason)


# ---- what is shown


class _Show:
    """The bar of one file; without a bar it does nothing."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress, self._task = progress, task

    def status(self, status: DocumentStatus) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=status.progress, now=status.step)


class _Screen:
    """A bar for all files and one for each that is being worked on; whole lines where stderr is no terminal."""

    def __init__(self, progress: Progress | None, overall: TaskID | None, *, files: int, quiet: bool) -> None:
        self._progress, self._overall, self._files, self._quiet = progress, overall, files, quiet
        self._line_at = time.monotonic()

    @classmethod
    @contextmanager
    def open(cls, files: int, *, quiet: bool) -> Iterator[_Screen]:
        console = err()
        if quiet or not console.is_terminal:
            yield cls(None, None, files=files, quiet=quiet)
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[now]}"), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            overall = progress.add_task("All files", total=files, now=f"0 of {files}")
            yield cls(progress, overall, files=files, quiet=quiet)

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
        if not self._quiet:
            self._print(result)

    def tell_of_many(self, result: Result | None) -> None:
        """Of many files only those that need somebody."""
        if result is not None and result.outcome in (Outcome.FAILED, Outcome.SKIPPED) and not self._quiet:
            self._print(result)

    def advance(self, doing: str, done: int, *, seconds_left: int | None = None) -> None:
        """So many of all files are done with."""
        left = "" if seconds_left is None else f", about {max(1, round(seconds_left / 60))} min left"
        if self._progress is not None and self._overall is not None:
            self._progress.update(
                self._overall, description=doing, completed=done, now=f"{done} of {self._files}{left}"
            )
        elif not self._quiet and (time.monotonic() - self._line_at > _LINE_EVERY_S):
            self._line_at = time.monotonic()
            self.say(f"{doing} {done} of {self._files}{left}")

    def say(self, text: str) -> None:
        """A line on stderr, also where only JSON is wanted on stdout."""
        console = self._progress.console if self._progress is not None else err()
        console.print(text, markup=False, soft_wrap=True)

    def _print(self, result: Result) -> None:
        console = self._progress.console if self._progress is not None else err()
        style = {Outcome.FAILED: "red", Outcome.SKIPPED: "yellow"}.get(result.outcome, "")
        note = result.reason or (f"{result.chunks} chunks" if result.outcome is Outcome.READY else "")
        console.print(
            f"{result.outcome.value:<10} {result.path}  {note}".rstrip(), style=style, markup=False, soft_wrap=True
        )
