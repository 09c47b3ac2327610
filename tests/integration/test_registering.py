"""Documents as they are registered, beside what is read of them afterwards."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from tests.conftest import Tenant

from dragoman.jobs.entities import Priority
from dragoman.kit.database import Database
from dragoman.knowledge import repository
from dragoman.knowledge.entities import Approval, NewDocument, Source, Visibility
from dragoman.knowledge.service import Registration, register_documents


def _new(chatbot_id: UUID, **values: Any) -> NewDocument:
    return NewDocument(
        **{
            "chatbot_id": chatbot_id,
            "title": "Größen",
            "file_name": "sizes.md",
            "mime_type": "text/markdown",
            "size_bytes": 12,
            "content_hash": "ab" * 32,
            "blob_key": f"t/{uuid4()}",
            "owner": "user:ada",
            "visibility": Visibility.SHARED,
            "content_type": "document",
            "category": "",
            "tags": (),
            "external_id": None,
            "metadata": {"title_given": False},
            "uploaded_by": "user:ada",
            **values,
        }
    )


async def test_a_registered_document_is_what_is_read_of_it_afterwards(database: Database, tenant: Tenant) -> None:
    rich = {
        "visibility": Visibility.PRIVATE,
        "category": "manual",
        "tags": ("a", "ü"),
        "external_id": "x-1",
        "metadata": {"title_given": True, "deep": {"list": [1, None, "2"]}},
        "findings": ({"code": "macro", "severity": "warning"},),
        "approval": Approval.PENDING,
        "source": Source.URL,
        "source_url": "https://example.org/a",
    }
    wanted = [Registration(new=_new(tenant.chatbot_id, **values), priority=Priority.USER) for values in ({}, rich)]
    async with database.transaction(tenant.tenant_id) as connection:
        registered = await register_documents(connection, wanted, tenant_id=tenant.tenant_id)
    for result in registered:
        assert isinstance(result, tuple)
        async with database.transaction(tenant.tenant_id) as connection:
            read = await repository.find_document(connection, tenant_id=tenant.tenant_id, document_id=result[0].id)
        assert read == result[0]
