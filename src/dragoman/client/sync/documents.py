# Made from client/documents.py by `python -m dragoman.client.twin`. Change that one.
"""Documents: upload, follow, list, read, change, approve, download, delete."""

from __future__ import annotations

import json
import mimetypes
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from email.message import Message as Headers
from pathlib import Path
from typing import Any, Literal, Unpack
from uuid import UUID, uuid4

import httpx

from dragoman.client.documents import DocumentFilter, FileContent
from dragoman.client.errors import ApiError, DocumentFailedError, NotReadyInTimeError
from dragoman.client.models import (
    Chunk,
    Document,
    DocumentStatus,
    DocumentVersion,
    HistoryEntry,
    Page,
    PagePlace,
    QualityReport,
    TrainingData,
    UploadedDocument,
    UploadedFile,
    UrlList,
)
from dragoman.client.sync.paging import count, pages
from dragoman.client.sync.transport import Parts, Transport

_PATH = "/api/chatbot/documents/"
_FIRST_POLL_S, _LONGEST_POLL_S = 0.1, 1.0
_BATCH_FILES = 100  # so that a request is answered well within the time-out, and few files are open at once
_BATCH_BYTES = 16 * 1024 * 1024  # the server takes four times the largest document in one request: 100 MiB by default
_TOO_LARGE = 413


class Documents:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # ---- bringing them in

    def upload(
        self,
        source: Path | FileContent,
        *,
        chatbot_id: UUID | str | None = None,
        title: str | None = None,
        visibility: str | None = None,
        content_type: str | None = None,
        category: str | None = None,
        tags: Sequence[str] = (),
        external_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        import_id: UUID | str | None = None,
        bulk: bool = False,
    ) -> UploadedDocument:
        """Send a file, in pieces. It is read in the background: `wait_until_ready` waits for that.

        Raises:
            ApiError: refused: 413 too large, 415 of a kind that cannot be read, 422 empty, damaged or unsafe, 429 too
                many today.
            OSError: the file cannot be opened.
        """
        form = {
            "chatbot_id": chatbot_id and str(chatbot_id),
            "title": title,
            "visibility": visibility,
            "content_type": content_type,
            "category": category,
            "tags": ",".join(tags) or None,
            "external_id": external_id,
            "metadata": None if metadata is None else json.dumps(metadata),
            "import_id": import_id and str(import_id),
            "bulk": "true" if bulk else None,
        }
        return UploadedDocument.model_validate(self._send("POST", _PATH, source, form))

    def upload_many(
        self,
        sources: Sequence[Path | FileContent],
        *,
        external_ids: Sequence[str | None] | None = None,
        chatbot_id: UUID | str | None = None,
        visibility: str | None = None,
        content_type: str | None = None,
        category: str | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        import_id: UUID | str | None = None,
        bulk: bool = True,
    ) -> Iterator[UploadedFile]:
        """Send many files, several in a request, straight from disk. What became of each comes in their order.

        A file that is refused, or that cannot be opened (`error_code` "unreadable"), holds up none of the others.

        Args:
            external_ids: Your own name for each file, as many as there are files.
            import_id: The bulk import that they are part of.

        Raises:
            ValueError: there are not as many external ids as files.
            ApiError: the server takes nothing from you, or takes nothing at all.
        """
        if external_ids is not None and len(external_ids) != len(sources):
            raise ValueError(f"There are {len(sources)} files but {len(external_ids)} external ids.")
        form = {
            "chatbot_id": chatbot_id and str(chatbot_id),
            "visibility": visibility,
            "content_type": content_type,
            "category": category,
            "tags": ",".join(tags) or None,
            "metadata": None if metadata is None else json.dumps(metadata),
            "import_id": import_id and str(import_id),
            "bulk": "true" if bulk else "false",
        }
        names = external_ids if external_ids is not None else [None] * len(sources)
        for batch in _batches(list(zip(sources, names, strict=True))):
            for uploaded in self._send_batch(batch, form):
                yield uploaded

    def upload_urls(
        self,
        urls: Sequence[str],
        *,
        chatbot_id: UUID | str | None = None,
        visibility: str | None = None,
        content_type: str | None = None,
        category: str | None = None,
        tags: Sequence[str] = (),
    ) -> UrlList:
        """Have the server fetch up to 500 addresses. Each document is named after its address (`external_id`)."""
        body = {
            "urls": list(urls),
            "chatbot_id": chatbot_id and str(chatbot_id),
            "visibility": visibility,
            "content_type": content_type,
            "category": category,
            "tags": list(tags) or None,
        }
        return UrlList.model_validate(self._transport.request("POST", f"{_PATH}urls/", json=_given(body)))

    def upload_training_data(
        self,
        source: Path | FileContent,
        *,
        chatbot_id: UUID | str | None = None,
        user_id: str | None = None,
        content_type: str | None = None,
        title: str | None = None,
        category: str | None = None,
    ) -> UploadedDocument:
        """Send a document, an FAQ or an export of conversations. Raises as `upload`."""
        form = {
            "chatbot_id": chatbot_id and str(chatbot_id),
            "user_id": user_id,
            "content_type": content_type,
            "title": title,
            "category": category,
        }
        return UploadedDocument.model_validate(self._send("POST", "/api/upload-training-data", source, form))

    def replace(
        self, document_id: UUID | str, source: Path | FileContent, *, title: str | None = None
    ) -> UploadedDocument:
        """Give a document a new content. Searches find the old one until the new one is read. Raises as `upload`."""
        path = f"{_PATH}{document_id}/"
        return UploadedDocument.model_validate(self._send("PUT", path, source, {"title": title}))

    def _send(self, method: str, path: str, source: Path | FileContent, form: Mapping[str, Any]) -> dict[str, Any]:
        with ExitStack() as opened:

            def files() -> Parts:
                return [("file", _part(source, opened))]

            answer: dict[str, Any] = self._transport.request(method, path, form=form, files=files)
        return answer

    def _send_batch(self, batch: _Batch, form: Mapping[str, Any]) -> Sequence[UploadedFile]:
        """One request. Two of half the size where it is too large for the server, or a file of it cannot be read."""
        try:
            return self._send_files(batch, form)
        except ApiError as error:
            if error.status != _TOO_LARGE:
                raise
            refused = _refused(batch[0][0], code=error.code, reason=error.detail)
        except OSError as error:
            refused = _refused(batch[0][0], code="unreadable", reason=f"The file cannot be read: {error}.")
        if len(batch) == 1:
            return [refused]
        half = len(batch) // 2
        return [*self._send_batch(batch[:half], form), *self._send_batch(batch[half:], form)]

    def _send_files(self, batch: _Batch, form: Mapping[str, Any]) -> Sequence[UploadedFile]:
        names = json.dumps([name for _, name in batch])
        with ExitStack() as opened:

            def files() -> Parts:
                return [("files", _part(source, opened)) for source, _ in batch]

            answer = self._transport.request(
                "POST", f"{_PATH}batch/", form={**form, "external_ids": names}, files=files
            )
        return [UploadedFile.model_validate(item) for item in answer["documents"]]

    # ---- looking at them

    def get(self, document_id: UUID | str) -> Document:
        return Document.model_validate(self._transport.request("GET", f"{_PATH}{document_id}/"))

    def get_status(self, document_id: UUID | str) -> DocumentStatus:
        return DocumentStatus.model_validate(self._transport.request("GET", f"{_PATH}{document_id}/status/"))

    def list(self, **wanted: Unpack[DocumentFilter]) -> Iterator[Document]:
        """The documents of a chatbot, newest first unless sorted otherwise, fetched page by page."""
        for item in pages(self._transport, _PATH, "documents", _params(wanted)):
            yield Document.model_validate(item)

    def count(self, **wanted: Unpack[DocumentFilter]) -> int:
        return count(self._transport, _PATH, _params(wanted))

    def list_versions(self, document_id: UUID | str) -> Sequence[DocumentVersion]:
        """All its versions, newest first."""
        answer = self._transport.request("GET", f"{_PATH}{document_id}/versions/")
        return [DocumentVersion.model_validate(item) for item in answer["versions"]]

    def get_quality(self, document_id: UUID | str) -> QualityReport:
        """What was noticed while the newest version was read, and what to do about it."""
        return QualityReport.model_validate(self._transport.request("GET", f"{_PATH}{document_id}/quality/"))

    def list_chunks(self, document_id: UUID | str) -> Iterator[Chunk]:
        """Its chunks in reading order, fetched page by page."""
        for item in pages(self._transport, f"{_PATH}{document_id}/chunks/", "chunks", {}):
            yield Chunk.model_validate(item)

    def get_page(self, document_id: UUID | str, number: int) -> Page:
        """The text of a page, in which a citation can be read in its place."""
        return Page.model_validate(self._transport.request("GET", f"{_PATH}{document_id}/pages/{number}/"))

    def get_page_picture(self, document_id: UUID | str, number: int, *, width: int = 1000) -> FileContent:
        """A page as it looks, as PNG: of a PDF or a picture. Raises ApiError 404: other documents have none."""
        path = f"{_PATH}{document_id}/pages/{number}/image/"
        with self._transport.open_content(path, params={"width": width}) as response:
            content = response.read()
        return FileContent(name=f"page-{number}.png", content=content, mime_type="image/png")

    def find_page_places(
        self, document_id: UUID | str, number: int, text: str, *, at: int | None = None
    ) -> Sequence[PagePlace]:
        """Where a quote stands on the picture of a page: a rectangle for each line, none where it is not found.

        `at` is the `document_start` of a citation; with it, of several places the right one is found.
        """
        params = _given({"text": text, "at": at})
        found = self._transport.request("GET", f"{_PATH}{document_id}/pages/{number}/places/", params=params)
        return [PagePlace.model_validate(place) for place in found["places"]]

    def get_image(self, document_id: UUID | str, image_id: UUID | str) -> FileContent:
        """A picture found inside a document, as the `images` of a passage name it."""
        with self._transport.open_content(f"{_PATH}{document_id}/images/{image_id}/") as response:
            content = response.read()
        mime_type = response.headers.get("content-type", "application/octet-stream")
        name = f"{image_id}{mimetypes.guess_extension(mime_type) or ''}"
        return FileContent(name=name, content=content, mime_type=mime_type)

    def list_history(self, document_id: UUID | str) -> Iterator[HistoryEntry]:
        """Who changed, approved or downloaded it, newest first, fetched page by page."""
        for item in pages(self._transport, f"{_PATH}{document_id}/history/", "events", {}):
            yield HistoryEntry.model_validate(item)

    def get_training_data(self, chatbot_id: UUID | str, *, limit: int = 50, offset: int = 0) -> TrainingData:
        """How far the knowledge of a chatbot is, with a page of its documents."""
        params = {"limit": limit, "offset": offset}
        return TrainingData.model_validate(
            self._transport.request("GET", f"/api/training-data/{chatbot_id}", params=params)
        )

    def download(self, document_id: UUID | str, to: Path, *, version: int | None = None) -> Path:
        """Write the original file, exactly as it was uploaded, piece by piece; where it lies then.

        Args:
            to: A file, which is overwritten once all is there, or a folder, in which it gets its own name.
            version: None for the one that searches find.

        Raises:
            ApiError: there is none, or you may not download it.
            ConnectionFailedError: also where it breaks off; nothing is left of it then.
            OSError: it cannot be written.
        """
        with self._transport.open_content(f"{_PATH}{document_id}/content/", params={"version": version}) as found:
            target = to / _name_of(found, fallback=str(document_id)) if to.is_dir() else to
            _write(found, target)
        return target

    # ---- changing them

    def update(
        self,
        document_id: UUID | str,
        *,
        title: str | None = None,
        content_type: str | None = None,
        category: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        visibility: Literal["shared", "private"] | None = None,
    ) -> Document:
        """Change what is given: labels and who sees it at once, a title by a new version that is embedded under it."""
        body = {
            "title": title,
            "content_type": content_type,
            "category": category,
            "tags": None if tags is None else [*tags],
            "metadata": metadata,
            "visibility": visibility,
        }
        path = f"{_PATH}{document_id}/"
        return Document.model_validate(self._transport.request("PATCH", path, json=_given(body)))

    def restore(self, document_id: UUID | str, version: int) -> Document:
        """Bring an older version back, as a new one; the present one serves until it is read."""
        return self._act(document_id, f"versions/{version}/restore")

    def reprocess(self, document_id: UUID | str, *, embed_all: bool = False) -> Document:
        """Read and chunk the stored file again under the present settings. `embed_all`: unchanged chunks too."""
        return self._act(document_id, "reprocess", {"embed_all": embed_all})

    def cancel(self, document_id: UUID | str) -> Document:
        """Stop its reading."""
        return self._act(document_id, "cancel")

    def retry(self, document_id: UUID | str) -> Document:
        """Read it again after its reading failed or was cancelled."""
        return self._act(document_id, "retry")

    def approve(self, document_id: UUID | str) -> Document:
        """Let searches find a document that waits for approval."""
        return self._act(document_id, "approve")

    def reject(self, document_id: UUID | str, reason: str) -> Document:
        """Refuse a document that waits for approval; who uploaded it reads the reason."""
        return self._act(document_id, "reject", {"reason": reason})

    def delete(self, document_id: UUID | str) -> None:
        """From now on no search and no new answer knows its text."""
        self._transport.request("DELETE", f"{_PATH}{document_id}/")

    def _act(self, document_id: UUID | str, action: str, body: Mapping[str, Any] | None = None) -> Document:
        path = f"{_PATH}{document_id}/{action}/"
        return Document.model_validate(self._transport.request("POST", path, json=body))

    # ---- waiting for them

    def wait_until_ready(
        self,
        document_id: UUID,
        *,
        timeout_s: float = 600.0,
        on_status: Callable[[DocumentStatus], None] | None = None,
    ) -> Document:
        """The document, once its newest version is searchable, or waits for approval (`approval` is "pending" then).

        Raises:
            DocumentFailedError: it cannot be read, was cancelled or rejected.
            NotReadyInTimeError: it takes longer than `timeout_s`; reading goes on.
        """
        deadline, pause_s = time.monotonic() + timeout_s, _FIRST_POLL_S
        while True:
            status = self.get_status(document_id)
            if on_status is not None:
                on_status(status)
            if (document := self._if_settled(status)) is not None:
                return document
            if time.monotonic() > deadline:
                raise NotReadyInTimeError(document_id, step=status.step, timeout_s=timeout_s)
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)

    def _if_settled(self, status: DocumentStatus) -> Document | None:
        """The document if it is ready. One that is replaced is `ready` all along: its newest version decides.

        Raises:
            DocumentFailedError: it, or its newest version, cannot be read, was cancelled or rejected.
        """
        if status.approval == "rejected":
            document = self.get(status.id)
            raise DocumentFailedError(
                status.id, code="rejected", reason=f"It was rejected: {document.approval_reason or 'without a reason'}."
            )
        if any(step.state in ("failed", "skipped") for step in status.steps):
            raise _failure(status)
        if status.step == "approval":
            return self.get(status.id)
        if status.state != "ready":
            return None
        document = self.get(status.id)
        return document if document.processed_at is not None else None


_Batch = Sequence[tuple[Path | FileContent, str | None]]


def _batches(files: Sequence[tuple[Path | FileContent, str | None]]) -> Iterator[_Batch]:
    """A file that is larger than a batch goes alone."""
    batch: list[tuple[Path | FileContent, str | None]] = []
    size = 0
    for source, name in files:
        length = len(source.content) if isinstance(source, FileContent) else _size_of(source)
        if batch and (len(batch) == _BATCH_FILES or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((source, name))
        size += length
    if batch:
        yield batch


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # told of when it is its turn
        return 0


def _refused(source: Path | FileContent, *, code: str, reason: str) -> UploadedFile:
    return UploadedFile(file_name=source.name, accepted=False, error_code=code, error=reason)


def _part(source: Path | FileContent, opened: ExitStack) -> tuple[str, Any, str]:
    """One file of a form; a file on disk is opened, and read while it is sent."""
    if isinstance(source, FileContent):
        return source.name, source.content, source.mime_type
    mime_type = mimetypes.guess_type(source.name)[0] or "application/octet-stream"
    return source.name, opened.enter_context(source.open("rb")), mime_type


def _params(wanted: DocumentFilter) -> dict[str, Any]:
    return {name: _param(value) for name, value in wanted.items() if value is not None}


def _param(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _name_of(response: httpx.Response, *, fallback: str) -> str:
    """The file's own name, without any folder: it comes from whoever uploaded it."""
    headers = Headers()
    headers["Content-Disposition"] = response.headers.get("content-disposition", "")
    name = Path((headers.get_filename() or "").replace("\\", "/")).name
    return name if name.strip(".") else fallback


def _write(response: httpx.Response, target: Path) -> None:
    """Beside its place first, so that a download that breaks off leaves the old file."""
    part = target.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            for piece in response.iter_bytes():
                file.write(piece)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _failure(status: DocumentStatus) -> DocumentFailedError:
    is_cancelled = status.state == "cancelled" or status.error_code is None
    if is_cancelled:
        reason = "Its reading was cancelled. `dragoman documents retry` reads it again."
        return DocumentFailedError(status.id, code="cancelled", reason=reason)
    return DocumentFailedError(
        status.id,
        code=status.error_code or "unknown",
        reason=status.error or "The server does not say why it cannot be read.",
    )
