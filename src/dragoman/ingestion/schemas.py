"""Uploads as the HTTP API shows them."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.ingestion.service import Uploaded
from dragoman.kit.errors import DragomanError
from dragoman.knowledge.entities import DocumentState
from dragoman.knowledge.schemas import DocumentOut
from dragoman.tenancy.entities import Caller


class UploadedOut(DocumentOut):
    is_duplicate: bool = Field(description="The same content was here already; nothing was read again.")

    @classmethod
    def of_upload(cls, uploaded: Uploaded, caller: Caller) -> UploadedOut:
        return cls(**DocumentOut.of(uploaded.document, caller).model_dump(), is_duplicate=uploaded.is_duplicate)


class BatchItem(BaseModel):
    """One file of many: its document, or why it was refused."""

    file_name: str
    accepted: bool
    id: UUID | None = None
    state: DocumentState | None = None
    is_duplicate: bool = False
    error_code: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, file_name: str, result: Uploaded | DragomanError) -> BatchItem:
        if isinstance(result, DragomanError):
            return cls(file_name=file_name, accepted=False, error_code=result.code, error=result.message)
        return cls(
            file_name=file_name,
            accepted=True,
            id=result.document.id,
            state=result.document.state,
            is_duplicate=result.is_duplicate,
        )


class BatchUploaded(BaseModel):
    accepted: int
    duplicates: int = Field(description="Of the accepted ones: those whose content was here already.")
    refused: int
    documents: list[BatchItem]

    @classmethod
    def of(cls, items: list[BatchItem]) -> BatchUploaded:
        return cls(
            accepted=sum(item.accepted for item in items),
            duplicates=sum(item.is_duplicate for item in items),
            refused=sum(not item.accepted for item in items),
            documents=items,
        )
