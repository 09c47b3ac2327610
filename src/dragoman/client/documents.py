"""Documents: upload, follow, list, delete."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from dragoman.client.errors import DocumentFailedError, NotReadyInTimeError
from dragoman.client.models import Document, DocumentStatus, UploadedDocument
from dragoman.client.paging import count, pages
from dragoman.client.transport import Transport

_PATH = "/api/chatbot/documents/"
_FIRST_POLL_S, _LONGEST_POLL_S = 0.1, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """A document that is no file on disk."""

    name: str
    content: bytes
    mime_type: str = "application/octet-stream"


class Documents:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def upload(
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
        bulk: bool = False,
    ) -> UploadedDocument:
        """Send a file, in pieces. It is read in the background: `wait_until_ready` waits for that.

        Raises:
            ApiError: refused: 413 too large, 415 of a kind that cannot be read, 422 empty or damaged.
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
            "bulk": "true" if bulk else None,
        }
        with ExitStack() as opened:

            def files() -> dict[str, Any]:
                if isinstance(source, FileContent):
                    return {"file": (source.name, source.content, source.mime_type)}
                stream = opened.enter_context(source.open("rb"))
                mime_type = mimetypes.guess_type(source.name)[0] or "application/octet-stream"
                return {"file": (source.name, stream, mime_type)}

            answer = await self._transport.request("POST", _PATH, form=form, files=files)
        return UploadedDocument.model_validate(answer)

    async def get(self, document_id: UUID | str) -> Document:
        return Document.model_validate(await self._transport.request("GET", f"{_PATH}{document_id}/"))

    async def get_status(self, document_id: UUID | str) -> DocumentStatus:
        return DocumentStatus.model_validate(await self._transport.request("GET", f"{_PATH}{document_id}/status/"))

    async def list(
        self, *, chatbot_id: UUID | str | None = None, state: str | None = None, title: str | None = None
    ) -> AsyncIterator[Document]:
        """The documents of a chatbot, newest first, fetched page by page."""
        async for item in pages(self._transport, _PATH, "documents", _wanted(chatbot_id, state, title)):
            yield Document.model_validate(item)

    async def count(
        self, *, chatbot_id: UUID | str | None = None, state: str | None = None, title: str | None = None
    ) -> int:
        return await count(self._transport, _PATH, _wanted(chatbot_id, state, title))

    async def delete(self, document_id: UUID | str) -> None:
        await self._transport.request("DELETE", f"{_PATH}{document_id}/")

    async def wait_until_ready(
        self,
        document_id: UUID,
        *,
        timeout_s: float = 600.0,
        on_status: Callable[[DocumentStatus], None] | None = None,
    ) -> Document:
        """The document, once its newest version is searchable.

        Raises:
            DocumentFailedError: it cannot be read.
            NotReadyInTimeError: it takes longer than `timeout_s`; reading goes on.
        """
        deadline, pause_s = time.monotonic() + timeout_s, _FIRST_POLL_S
        while True:
            status = await self.get_status(document_id)
            if on_status is not None:
                on_status(status)
            if (document := await self._if_settled(status)) is not None:
                return document
            if time.monotonic() > deadline:
                raise NotReadyInTimeError(document_id, step=status.step, timeout_s=timeout_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)

    async def _if_settled(self, status: DocumentStatus) -> Document | None:
        """The document if it is ready. One that is replaced is `ready` all along: its newest version decides.

        Raises:
            DocumentFailedError: it, or its newest version, cannot be read.
        """
        if status.state == "failed" or (status.state == "ready" and status.error_code):
            raise DocumentFailedError(
                status.id,
                code=status.error_code or "unknown",
                reason=status.error or "The server does not say why it cannot be read.",
            )
        if status.state != "ready":
            return None
        document = await self.get(status.id)
        return document if document.processed_at is not None else None


def _wanted(chatbot_id: UUID | str | None, state: str | None, title: str | None) -> dict[str, Any]:
    return {"chatbot_id": chatbot_id and str(chatbot_id), "state": state, "title": title}
