"""Uploads as the HTTP API shows them."""

from __future__ import annotations

from pydantic import Field

from dragoman.ingestion.service import Uploaded
from dragoman.knowledge.schemas import DocumentOut


class UploadedOut(DocumentOut):
    is_duplicate: bool = Field(description="The same content was here already; nothing was read again.")

    @classmethod
    def of_upload(cls, uploaded: Uploaded) -> UploadedOut:
        return cls(**DocumentOut.of(uploaded.document).model_dump(), is_duplicate=uploaded.is_duplicate)
