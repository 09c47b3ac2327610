"""HTTP: documents (all but the upload, which is ingestion's), and the deletion of a chatbot."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from dragoman.deps.http import DepsDep
from dragoman.knowledge import service
from dragoman.knowledge.entities import DocumentFilter, DocumentState
from dragoman.knowledge.schemas import DocumentList, DocumentOut, DocumentStatus
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.http import (
    CallerWhoContributes,
    CallerWhoManagesChatbots,
    CallerWhoReadsDocuments,
    ChatbotIdQuery,
    PageDep,
)

router = APIRouter()


@router.get("/api/chatbot/documents/", tags=["documents"])
async def list_documents(
    caller: CallerWhoReadsDocuments,
    deps: DepsDep,
    page: PageDep,
    chatbot_id: ChatbotIdQuery = None,
    state: DocumentState | None = None,
    title: Annotated[str | None, Query(max_length=200, description="Only titles that contain this.")] = None,
) -> DocumentList:
    """List the documents of a chatbot, newest first."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
    wanted = DocumentFilter(chatbot_id=chatbot.id, asker=caller.asker, state=state, title_contains=title)
    found = await service.list_documents(deps, caller, wanted=wanted, page=page)
    items = [DocumentOut.of(document) for document in found.items]
    return DocumentList(documents=items, total=found.total, limit=page.limit, offset=page.offset)


@router.get("/api/chatbot/documents/{document_id}/", tags=["documents"])
async def get_document(document_id: UUID, caller: CallerWhoReadsDocuments, deps: DepsDep) -> DocumentOut:
    """Show one document."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        return DocumentOut.of(await service.get_document(connection, caller, document_id))


@router.get("/api/chatbot/documents/{document_id}/status/", tags=["documents"])
async def get_document_status(document_id: UUID, caller: CallerWhoReadsDocuments, deps: DepsDep) -> DocumentStatus:
    """Show how far the reading of a document is, or why it failed."""
    return DocumentStatus.of(*await service.get_document_with_job(deps, caller, document_id))


@router.delete("/api/chatbot/documents/{document_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["documents"])
async def delete_document(document_id: UUID, caller: CallerWhoContributes, deps: DepsDep) -> None:
    """Delete a document. From now on no search and no answer knows its text."""
    await service.delete_document(deps, caller, document_id)


@router.delete("/api/chatbots/{chatbot_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["chatbots"])
async def delete_chatbot(chatbot_id: UUID, caller: CallerWhoManagesChatbots, deps: DepsDep) -> None:
    """Delete a chatbot with its documents and conversations."""
    await service.delete_chatbot(deps, caller, chatbot_id)
