"""HTTP: documents (all but uploads, which are ingestion's), and the deletion of a chatbot."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, status
from fastapi.responses import StreamingResponse

from dragoman.deps.http import DepsDep
from dragoman.knowledge import service
from dragoman.knowledge.entities import (
    Approval,
    ContentType,
    DocumentFilter,
    DocumentSort,
    DocumentState,
    Source,
    Visibility,
)
from dragoman.knowledge.schemas import (
    ChunkList,
    ChunkOut,
    DocumentChange,
    DocumentList,
    DocumentOut,
    DocumentStatus,
    History,
    HistoryEntry,
    PageOut,
    QualityReportOut,
    ReadAgain,
    Rejection,
    TrainingDataOut,
    VersionList,
    VersionOut,
)
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.http import (
    CallerWhoContributes,
    CallerWhoManagesChatbots,
    CallerWhoManagesDocuments,
    CallerWhoReadsDocuments,
    ChatbotIdQuery,
    PageDep,
)

router = APIRouter()

# Whatever is in the file: the browser neither guesses a type nor runs anything of it under this origin.
_SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}


@router.get("/api/chatbot/documents/", tags=["documents"])
async def list_documents(
    caller: CallerWhoReadsDocuments,
    deps: DepsDep,
    page: PageDep,
    chatbot_id: ChatbotIdQuery = None,
    state: DocumentState | None = None,
    approval: Annotated[Approval | None, Query(description="Of the newest version: `pending` waits for you.")] = None,
    search: Annotated[
        str | None, Query(max_length=200, description="Words of the title, the file name or the tags.")
    ] = None,
    title: Annotated[str | None, Query(max_length=200, description="The same as `search`.")] = None,
    content_type: ContentType | None = None,
    category: Annotated[str | None, Query(max_length=200)] = None,
    tag: Annotated[str | None, Query(max_length=200)] = None,
    language: Annotated[str | None, Query(max_length=8, description="ISO 639-1 of one of its languages.")] = None,
    visibility: Visibility | None = None,
    source: Source | None = None,
    connector_id: UUID | None = None,
    external_id: Annotated[str | None, Query(max_length=500)] = None,
    min_quality: Annotated[float | None, Query(ge=0, le=1, description="Least quality score.")] = None,
    uploaded_after: datetime | None = None,
    uploaded_before: datetime | None = None,
    sort: DocumentSort = DocumentSort.NEWEST,
) -> DocumentList:
    """List the documents of a chatbot, newest first unless sorted otherwise."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
    wanted = DocumentFilter(
        chatbot_id=chatbot.id,
        asker=caller.asker,
        state=state,
        approval=approval,
        words=" ".join(words for words in (search, title) if words) or None,
        content_type=content_type,
        category=category,
        tag=tag,
        language=language,
        visibility=visibility,
        source=source,
        connector_id=connector_id,
        external_id=external_id,
        min_quality=min_quality,
        uploaded_after=uploaded_after,
        uploaded_before=uploaded_before,
        sort=sort,
    )
    found = await service.list_documents(deps, caller, wanted=wanted, page=page)
    items = [DocumentOut.of(document, caller) for document in found.items]
    return DocumentList(documents=items, total=found.total, limit=page.limit, offset=page.offset)


@router.get("/api/training-data/{chatbot_id}", tags=["documents"])
async def get_training_data(
    chatbot_id: UUID, caller: CallerWhoReadsDocuments, deps: DepsDep, page: PageDep
) -> TrainingDataOut:
    """Show how far the knowledge of a chatbot is: counts by state, and its documents."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
    wanted = DocumentFilter(chatbot_id=chatbot.id, asker=caller.asker)
    counts = await service.count_documents(deps, caller, chatbot.id)
    found = await service.list_documents(deps, caller, wanted=wanted, page=page)
    return TrainingDataOut(
        chatbot_id=chatbot.id,
        total=sum(counts.values()),
        ready=counts.get(DocumentState.READY, 0),
        processing=counts.get(DocumentState.QUEUED, 0) + counts.get(DocumentState.PROCESSING, 0),
        failed=counts.get(DocumentState.FAILED, 0),
        by_state=counts,
        documents=[DocumentOut.of(document, caller) for document in found.items],
        limit=page.limit,
        offset=page.offset,
    )


@router.get("/api/chatbot/documents/{document_id}/", tags=["documents"])
async def get_document(document_id: UUID, caller: CallerWhoReadsDocuments, deps: DepsDep) -> DocumentOut:
    """Show one document."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await service.get_document(connection, caller, document_id)
    audit.note_access(deps.database, caller, "document", subject_id=document_id)
    return DocumentOut.of(document, caller)


@router.patch("/api/chatbot/documents/{document_id}/", tags=["documents"])
async def change_document(
    document_id: UUID, body: DocumentChange, caller: CallerWhoContributes, deps: DepsDep
) -> DocumentOut:
    """Change labels and who sees it at once; a new title makes a new version, which is embedded under it."""
    if body.visibility is not None:
        await service.change_visibility(deps, caller, document_id, body.visibility)
    document = await service.change_labels(
        deps,
        caller,
        document_id,
        content_type=body.content_type,
        category=body.category,
        tags=body.tags,
        metadata=body.metadata,
    )
    if body.title is not None and body.title.strip() != document.title:
        document = await service.read_again(deps, caller, document_id, title=body.title.strip())
    return DocumentOut.of(document, caller)


@router.get("/api/chatbot/documents/{document_id}/status/", tags=["documents"])
async def get_document_status(document_id: UUID, caller: CallerWhoReadsDocuments, deps: DepsDep) -> DocumentStatus:
    """Show how far the reading of a document is, step by step, or why it failed."""
    return DocumentStatus.of(*await service.get_document_with_job(deps, caller, document_id))


@router.get(
    "/api/chatbot/documents/{document_id}/content/",
    tags=["documents"],
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The original file."}},
)
async def download_document(
    document_id: UUID,
    caller: CallerWhoReadsDocuments,
    deps: DepsDep,
    version: Annotated[int | None, Query(ge=1, description="Without it the one that searches find.")] = None,
) -> StreamingResponse:
    """Download the original file, exactly as it was uploaded."""
    document, found, content = await service.open_original(deps, caller, document_id, version)
    name = found.described_as.get("file_name") or document.file_name
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Length": str(found.size_bytes),
        "ETag": f'"{found.content_hash}"',
        **_SAFE_HEADERS,
    }
    return StreamingResponse(content, media_type="application/octet-stream", headers=headers)


@router.get("/api/chatbot/documents/{document_id}/versions/", tags=["documents"])
async def list_document_versions(document_id: UUID, caller: CallerWhoReadsDocuments, deps: DepsDep) -> VersionList:
    """List the versions of a document, newest first."""
    document, versions = await service.list_versions(deps, caller, document_id)
    numbers = {version.id: version.number for version in versions}
    return VersionList(
        document_id=document_id,
        versions=[
            VersionOut.of(version, live_version_id=document.live_version_id, numbers=numbers) for version in versions
        ],
    )


@router.post(
    "/api/chatbot/documents/{document_id}/versions/{version}/restore/",
    status_code=status.HTTP_202_ACCEPTED,
    tags=["documents"],
)
async def restore_document_version(
    document_id: UUID, version: int, caller: CallerWhoContributes, deps: DepsDep
) -> DocumentOut:
    """Bring an older version back, as a new version; the present one serves until it is read."""
    return DocumentOut.of(await service.read_again(deps, caller, document_id, number=version), caller)


@router.post(
    "/api/chatbot/documents/{document_id}/reprocess/", status_code=status.HTTP_202_ACCEPTED, tags=["documents"]
)
async def reprocess_document(
    document_id: UUID, body: ReadAgain, caller: CallerWhoContributes, deps: DepsDep
) -> DocumentOut:
    """Read, chunk and embed a stored document again under the present settings, without an upload."""
    return DocumentOut.of(await service.read_again(deps, caller, document_id, reuse_vectors=not body.embed_all), caller)


@router.post("/api/chatbot/documents/{document_id}/cancel/", tags=["documents"])
async def cancel_document(document_id: UUID, caller: CallerWhoContributes, deps: DepsDep) -> DocumentOut:
    """Stop the reading of a document."""
    return DocumentOut.of(await service.cancel_reading(deps, caller, document_id), caller)


@router.post("/api/chatbot/documents/{document_id}/retry/", status_code=status.HTTP_202_ACCEPTED, tags=["documents"])
async def retry_document(document_id: UUID, caller: CallerWhoContributes, deps: DepsDep) -> DocumentOut:
    """Read a document again whose reading failed or was cancelled."""
    return DocumentOut.of(await service.retry_reading(deps, caller, document_id), caller)


@router.post("/api/chatbot/documents/{document_id}/approve/", tags=["documents"])
async def approve_document(document_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep) -> DocumentOut:
    """Let searches find a document that waits for approval."""
    return DocumentOut.of(await service.approve(deps, caller, document_id), caller)


@router.post("/api/chatbot/documents/{document_id}/reject/", tags=["documents"])
async def reject_document(
    document_id: UUID, body: Rejection, caller: CallerWhoManagesDocuments, deps: DepsDep
) -> DocumentOut:
    """Refuse a document that waits for approval, with the reason."""
    return DocumentOut.of(await service.reject(deps, caller, document_id, reason=body.reason), caller)


@router.get("/api/chatbot/documents/{document_id}/quality/", tags=["documents"])
async def get_quality_report(document_id: UUID, caller: CallerWhoReadsDocuments, deps: DepsDep) -> QualityReportOut:
    """Show the quality report, of the newest version for managers and the owner, and what to do about it."""
    version = await service.get_version_to_judge(deps, caller, document_id)
    return QualityReportOut(
        document_id=document_id,
        version=version.number,
        score=version.quality_score,
        report=version.quality,
        pii=version.pii,
    )


@router.get("/api/chatbot/documents/{document_id}/chunks/", tags=["documents"])
async def list_document_chunks(
    document_id: UUID, caller: CallerWhoReadsDocuments, deps: DepsDep, page: PageDep
) -> ChunkList:
    """List the chunks of a document in reading order."""
    found = await service.list_chunks(deps, caller, document_id, page=page)
    audit.note_access(deps.database, caller, "chunks", subject_id=document_id, offset=page.offset)
    return ChunkList(
        chunks=[ChunkOut.of(chunk) for chunk in found.items], total=found.total, limit=page.limit, offset=page.offset
    )


@router.get("/api/chatbot/documents/{document_id}/pages/{page_number}/", tags=["documents"])
async def get_document_page(
    document_id: UUID, page_number: int, caller: CallerWhoReadsDocuments, deps: DepsDep
) -> PageOut:
    """Show the text of a page, so that a citation can be read in its place."""
    page = await service.get_page(deps, caller, document_id, page_number)
    audit.note_access(deps.database, caller, "page", subject_id=document_id, page=page_number)
    return PageOut.of(page)


@router.get(
    "/api/chatbot/documents/{document_id}/images/{image_id}/",
    tags=["documents"],
    response_class=StreamingResponse,
    responses={200: {"content": {"image/*": {}}, "description": "The picture."}},
)
async def get_document_image(
    document_id: UUID, image_id: UUID, caller: CallerWhoReadsDocuments, deps: DepsDep
) -> StreamingResponse:
    """Show a picture found inside a document."""
    image, content = await service.open_image(deps, caller, document_id, image_id)
    audit.note_access(deps.database, caller, "image", subject_id=document_id, image_id=str(image_id))
    headers = {"Content-Length": str(image.size_bytes), "Content-Disposition": "inline", **_SAFE_HEADERS}
    return StreamingResponse(content, media_type=image.mime_type, headers=headers)


@router.get("/api/chatbot/documents/{document_id}/history/", tags=["documents"])
async def get_document_history(
    document_id: UUID, caller: CallerWhoContributes, deps: DepsDep, page: PageDep
) -> History:
    """Show who changed, approved or downloaded a document, newest first."""
    found = await service.list_history(deps, caller, document_id, page=page)
    return History(
        events=[HistoryEntry.of(event) for event in found.items],
        total=found.total,
        limit=page.limit,
        offset=page.offset,
    )


@router.delete("/api/chatbot/documents/{document_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["documents"])
async def delete_document(document_id: UUID, caller: CallerWhoContributes, deps: DepsDep) -> None:
    """Delete a document. From now on no search and no answer knows its text."""
    await service.delete_document(deps, caller, document_id)


@router.delete("/api/chatbots/{chatbot_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["chatbots"])
async def delete_chatbot(chatbot_id: UUID, caller: CallerWhoManagesChatbots, deps: DepsDep) -> None:
    """Delete a chatbot with its documents and conversations."""
    await service.delete_chatbot(deps, caller, chatbot_id)
