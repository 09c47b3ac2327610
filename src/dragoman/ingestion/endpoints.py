"""HTTP: uploading a document."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import anyio
from fastapi import APIRouter, File, Form, Response, UploadFile, status

from dragoman.deps.http import DepsDep
from dragoman.ingestion import service
from dragoman.ingestion.errors import DocumentTooLargeError
from dragoman.ingestion.schemas import UploadedOut
from dragoman.ingestion.service import Upload
from dragoman.jobs.entities import Priority
from dragoman.kit.errors import InvalidRequestError
from dragoman.knowledge.entities import ContentType, Visibility
from dragoman.tenancy.http import CallerWhoContributes

router = APIRouter()

_PIECE_BYTES = 1024 * 1024
_HARD_LIMIT_MIB = 512  # no chatbot may accept more; its own, lower limit is checked with the content


@router.post("/api/chatbot/documents/", status_code=status.HTTP_202_ACCEPTED, tags=["documents"])
async def upload_document(
    caller: CallerWhoContributes,
    deps: DepsDep,
    response: Response,
    file: Annotated[UploadFile, File(description="PDF, DOCX, TXT, Markdown, HTML, CSV, JSON and more.")],
    chatbot_id: Annotated[UUID | None, Form()] = None,
    title: Annotated[
        str | None, Form(max_length=500, description="Else from the document or the file name; a blank means none.")
    ] = None,
    visibility: Annotated[Visibility, Form()] = Visibility.SHARED,
    content_type: Annotated[ContentType, Form()] = ContentType.DOCUMENT,
    category: Annotated[str, Form(max_length=200)] = "",
    tags: Annotated[str, Form(max_length=1000, description="Separated by commas.")] = "",
    external_id: Annotated[str | None, Form(max_length=500, description="Your own name for the document.")] = None,
    metadata: Annotated[str, Form(max_length=10_000, description="A JSON object.")] = "{}",
    bulk: Annotated[bool, Form(description="Part of a large import: read after the uploads of users.")] = False,
) -> UploadedOut:
    """Upload a document. It is read in the background; its status tells when searches find it.

    202: accepted and being read. 200: the same content is here already (`is_duplicate`).
    """
    async with _spooled(file, deps.upload_directory) as path:
        upload = Upload(
            path=path,
            file_name=Path(file.filename or "document").name,
            declared_mime_type=file.content_type,
            title=title,
            chatbot_id=chatbot_id,
            visibility=visibility,
            content_type=content_type.value,
            category=category,
            tags=tuple(tag.strip() for tag in tags.split(",") if tag.strip()),
            external_id=external_id,
            metadata=_json_object(metadata),
            priority=Priority.BULK if bulk else Priority.USER,
        )
        uploaded = await service.upload_document(deps, caller, upload)
    if uploaded.is_duplicate:
        response.status_code = status.HTTP_200_OK
    return UploadedOut.of_upload(uploaded)


@asynccontextmanager
async def _spooled(file: UploadFile, directory: Path) -> AsyncIterator[Path]:
    """The upload as a file on disk, copied in pieces and removed in the end.

    Raises:
        DocumentTooLargeError: it goes on beyond what any chatbot may accept.
    """
    handle, name = tempfile.mkstemp(dir=directory, prefix="upload-")
    path = anyio.Path(name)
    try:
        written = 0
        async with await anyio.open_file(handle, "wb") as target:
            while piece := await file.read(_PIECE_BYTES):
                written += len(piece)
                if written > _HARD_LIMIT_MIB * 1024 * 1024:
                    raise DocumentTooLargeError
                await target.write(piece)
        yield Path(name)
    finally:
        await path.unlink(missing_ok=True)


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidRequestError('`metadata` is not JSON. Send an object such as {"region": "EMEA"}.') from error
    if not isinstance(value, dict):
        raise InvalidRequestError("`metadata` must be a JSON object.")
    return value
