"""HTTP: uploading documents, one or many, new or as a new version."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, File, Form, Response, UploadFile, status

from dragoman.deps import Deps
from dragoman.deps.http import DepsDep
from dragoman.ingestion import service
from dragoman.ingestion.http import ManyFilesRoute, UploadRoute
from dragoman.ingestion.schemas import BatchItem, BatchUploaded, UploadedOut
from dragoman.ingestion.service import Upload
from dragoman.ingestion.validate import SpooledUpload, spool_upload
from dragoman.jobs.entities import Priority
from dragoman.kit.errors import InvalidRequestError
from dragoman.knowledge.entities import ContentType, Visibility
from dragoman.tenancy.access import asker_of
from dragoman.tenancy.http import CallerWhoContributes

router = APIRouter(route_class=UploadRoute)

_HARD_LIMIT_BYTES = 512 * 1024 * 1024  # no chatbot may accept more; its own, lower limit is checked with the content
_MOST_FILES = 200

_File = Annotated[UploadFile, File(description="PDF, DOCX, TXT, Markdown, HTML, CSV, JSON, pictures and more.")]
_ChatbotId = Annotated[UUID | None, Form(description="Without it the key's or the tenant's default.")]
_Title = Annotated[
    str | None, Form(max_length=500, description="Else from the document or the file name; a blank means none.")
]
_Category = Annotated[str, Form(max_length=200)]
_Tags = Annotated[str, Form(max_length=1000, description="Separated by commas.")]
_Metadata = Annotated[str, Form(max_length=10_000, description="A JSON object.")]
_ImportId = Annotated[UUID | None, Form(description="The bulk import that this is part of: read after users' uploads.")]
_Bulk = Annotated[bool, Form(description="Read after the uploads of users.")]


_HERE_ALREADY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": UploadedOut, "description": "The same content is here already (`is_duplicate`)."}
}


@router.post(
    "/api/chatbot/documents/", status_code=status.HTTP_202_ACCEPTED, responses=_HERE_ALREADY, tags=["documents"]
)
async def upload_document(
    caller: CallerWhoContributes,
    deps: DepsDep,
    response: Response,
    file: _File,
    chatbot_id: _ChatbotId = None,
    title: _Title = None,
    visibility: Annotated[Visibility, Form()] = Visibility.SHARED,
    content_type: Annotated[ContentType, Form()] = ContentType.DOCUMENT,
    category: _Category = "",
    tags: _Tags = "",
    external_id: Annotated[str | None, Form(max_length=500, description="Your own name for the document.")] = None,
    metadata: _Metadata = "{}",
    import_id: _ImportId = None,
    bulk: _Bulk = False,
) -> UploadedOut:
    """Upload a document. It is read in the background; its status tells when searches find it.

    202: accepted and being read. 200: the same content is here already (`is_duplicate`).
    """
    async with _spooled(deps, file) as spooled:
        upload = Upload(
            path=spooled.path,
            content=spooled.content,
            content_hash=spooled.sha256,
            file_name=file.filename or "document",
            declared_mime_type=file.content_type,
            title=title,
            chatbot_id=chatbot_id,
            visibility=visibility,
            content_type=content_type.value,
            category=category,
            tags=_list(tags),
            external_id=external_id,
            metadata=_json_object(metadata),
            group_id=import_id,
            priority=_priority(import_id, bulk),
        )
        uploaded = await service.upload_document(deps, caller, upload)
    if uploaded.is_duplicate:
        response.status_code = status.HTTP_200_OK
    return UploadedOut.of_upload(uploaded, caller)


async def upload_many_documents(
    caller: CallerWhoContributes,
    deps: DepsDep,
    files: Annotated[list[UploadFile], File(description="At most 200 files, each as `files`.")],
    chatbot_id: _ChatbotId = None,
    visibility: Annotated[Visibility, Form()] = Visibility.SHARED,
    content_type: Annotated[ContentType, Form()] = ContentType.DOCUMENT,
    category: _Category = "",
    tags: _Tags = "",
    external_ids: Annotated[
        str, Form(max_length=200_000, description="A JSON list with your own name for each file, or null.")
    ] = "[]",
    metadata: _Metadata = "{}",
    import_id: _ImportId = None,
    bulk: _Bulk = True,
) -> BatchUploaded:
    """Upload many documents at once. Each is accepted or refused by itself; the answer says which, in their order."""
    if len(files) > _MOST_FILES:
        raise InvalidRequestError(f"At most {_MOST_FILES} files at once; these are {len(files)}. Send the rest after.")
    names = _external_ids(external_ids, len(files))
    labels, facts, priority = _list(tags), _json_object(metadata), _priority(import_id, bulk)
    async with AsyncExitStack() as stack:
        spooled = [await stack.enter_async_context(_spooled(deps, file)) for file in files]
        uploads = [
            Upload(
                path=item.path,
                content=item.content,
                content_hash=item.sha256,
                file_name=file.filename or "document",
                declared_mime_type=file.content_type,
                title=None,
                chatbot_id=chatbot_id,
                visibility=visibility,
                content_type=content_type.value,
                category=category,
                tags=labels,
                external_id=name,
                metadata=facts,
                group_id=import_id,
                priority=priority,
            )
            for file, item, name in zip(files, spooled, names, strict=True)
        ]
        results = await service.upload_documents(deps, caller, uploads)
    items = [BatchItem.of(file.filename or "", result) for file, result in zip(files, results, strict=True)]
    return BatchUploaded.of(items)


@router.put(
    "/api/chatbot/documents/{document_id}/",
    status_code=status.HTTP_202_ACCEPTED,
    responses=_HERE_ALREADY,
    tags=["documents"],
)
async def replace_document(
    document_id: UUID,
    caller: CallerWhoContributes,
    deps: DepsDep,
    response: Response,
    file: _File,
    title: _Title = None,
) -> UploadedOut:
    """Replace a document by a new version. Searches find the old one until the new one is read; then only the new."""
    document = await service.get_document(deps, caller, document_id)
    async with _spooled(deps, file) as spooled:
        upload = Upload(
            path=spooled.path,
            content=spooled.content,
            content_hash=spooled.sha256,
            file_name=file.filename or document.file_name,
            declared_mime_type=file.content_type,
            title=title,
            chatbot_id=document.chatbot_id,
            visibility=document.visibility,
            content_type=document.content_type,
            category=document.category,
            tags=document.tags,
            external_id=document.external_id,
            metadata=document.metadata,
            replaces=document_id,
        )
        uploaded = await service.upload_document(deps, caller, upload)
    if uploaded.is_duplicate:
        response.status_code = status.HTTP_200_OK
    return UploadedOut.of_upload(uploaded, caller)


@router.post(
    "/api/upload-training-data", status_code=status.HTTP_202_ACCEPTED, responses=_HERE_ALREADY, tags=["documents"]
)
async def upload_training_data(
    caller: CallerWhoContributes,
    deps: DepsDep,
    response: Response,
    file: _File,
    chatbot_id: _ChatbotId = None,
    user_id: Annotated[
        str | None, Form(max_length=200, description="Whose document it is, for keys that may act for users.")
    ] = None,
    content_type: Annotated[ContentType, Form()] = ContentType.DOCUMENT,
    title: _Title = None,
    category: _Category = "",
) -> UploadedOut:
    """Upload training data: a document, an FAQ, or an export of conversations (CSV, JSON, text with speakers)."""
    async with _spooled(deps, file) as spooled:
        upload = Upload(
            path=spooled.path,
            content=spooled.content,
            content_hash=spooled.sha256,
            file_name=file.filename or "document",
            declared_mime_type=file.content_type,
            title=title,
            chatbot_id=chatbot_id,
            visibility=Visibility.SHARED,
            content_type=content_type.value,
            category=category,
            tags=(),
            external_id=None,
            metadata={"uploaded_for": asker_of(caller, user_id)} if user_id else {},
        )
        uploaded = await service.upload_document(deps, caller, upload)
    if uploaded.is_duplicate:
        response.status_code = status.HTTP_200_OK
    return UploadedOut.of_upload(uploaded, caller)


router.add_api_route(
    "/api/chatbot/documents/batch/",
    upload_many_documents,
    methods=["POST"],
    status_code=status.HTTP_202_ACCEPTED,
    tags=["documents"],
    route_class_override=ManyFilesRoute,
)


def _spooled(deps: Deps, file: UploadFile) -> AbstractAsyncContextManager[SpooledUpload]:
    return spool_upload(file.read, deps.upload_directory, max_bytes=_HARD_LIMIT_BYTES)


def _priority(import_id: UUID | None, bulk: bool) -> Priority:
    return Priority.BULK if bulk or import_id is not None else Priority.USER


def _list(tags: str) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in tags.split(",") if tag.strip())


def _external_ids(text: str, files: int) -> Sequence[str | None]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidRequestError(
            "`external_ids` is not JSON. Send a list with a name or null for each file."
        ) from error
    if value == []:
        return [None] * files
    right = isinstance(value, list) and all(
        item is None or (isinstance(item, str) and 0 < len(item) <= 500) for item in value
    )
    if not right or len(value) != files:
        raise InvalidRequestError(f"`external_ids` must be a list of {files} names (or null), one for each file.")
    return list(value)


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidRequestError('`metadata` is not JSON. Send an object such as {"region": "EMEA"}.') from error
    if not isinstance(value, dict):
        raise InvalidRequestError("`metadata` must be a JSON object.")
    return value
