"""HTTP: connectors with their syncs, and documents from a list of URLs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status

from dragoman.connectors import fetch_urls, service
from dragoman.connectors.entities import ItemState, Outcome
from dragoman.connectors.schemas import (
    ConnectorIn,
    ConnectorItemList,
    ConnectorItemOut,
    ConnectorList,
    ConnectorOut,
    ConnectorPatch,
    SyncIn,
    SyncList,
    SyncOut,
    SyncReport,
    UrlListIn,
    UrlListOut,
)
from dragoman.deps.http import DepsDep
from dragoman.tenancy.http import CallerWhoContributes, CallerWhoManagesDocuments, PageDep

router = APIRouter()


class Documents(StrEnum):
    """What becomes of the documents of a connector that is removed."""

    KEEP = "keep"
    DELETE = "delete"


@router.post("/api/chatbot/documents/urls/", status_code=status.HTTP_202_ACCEPTED, tags=["documents"])
async def upload_urls(body: UrlListIn, caller: CallerWhoContributes, deps: DepsDep) -> UrlListOut:
    """Fetch documents from up to 500 addresses in the background.

    A document is named after its address: the same list again replaces the pages that changed.
    """
    return UrlListOut.of(*await fetch_urls.enqueue_urls(deps, caller, body.entity()))


@router.get("/api/chatbot/connectors/", tags=["connectors"])
async def list_connectors(
    caller: CallerWhoManagesDocuments,
    deps: DepsDep,
    page: PageDep,
    chatbot_id: Annotated[UUID | None, Query(description="Only those of this chatbot.")] = None,
) -> ConnectorList:
    """List the connectors of your tenant, newest first."""
    found = await service.list_views(deps, caller, chatbot_id=chatbot_id, page=page)
    items = [ConnectorOut.of(view) for view in found.items]
    return ConnectorList(connectors=items, total=found.total, limit=found.limit, offset=found.offset)


@router.post("/api/chatbot/connectors/", status_code=status.HTTP_201_CREATED, tags=["connectors"])
async def create_connector(body: ConnectorIn, caller: CallerWhoManagesDocuments, deps: DepsDep) -> ConnectorOut:
    """Keep the documents of a folder, web site or bucket in sync from now on.

    The settings are tried before anything is stored, and the first sync starts at once.
    """
    return ConnectorOut.of(await service.create_connector(deps, caller, body.entity()))


@router.get("/api/chatbot/connectors/{connector_id}/", tags=["connectors"])
async def get_connector(connector_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep) -> ConnectorOut:
    """Show a connector with its last sync. Secrets are shown as stars."""
    return ConnectorOut.of(await service.get_view(deps, caller, connector_id))


@router.patch("/api/chatbot/connectors/{connector_id}/", tags=["connectors"])
async def update_connector(
    connector_id: UUID, body: ConnectorPatch, caller: CallerWhoManagesDocuments, deps: DepsDep
) -> ConnectorOut:
    """Change, pause or resume a connector. New settings are tried first, and everything is read anew."""
    return ConnectorOut.of(await service.update_connector(deps, caller, connector_id, body.change()))


@router.delete("/api/chatbot/connectors/{connector_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["connectors"])
async def delete_connector(
    connector_id: UUID,
    caller: CallerWhoManagesDocuments,
    deps: DepsDep,
    documents: Annotated[Documents, Query(description="Its documents stay, or are deleted too.")] = Documents.KEEP,
) -> None:
    """Remove a connector, with its documents or without."""
    await service.delete_connector(deps, caller, connector_id, with_documents=documents is Documents.DELETE)


@router.post("/api/chatbot/connectors/{connector_id}/sync/", status_code=status.HTTP_202_ACCEPTED, tags=["connectors"])
async def sync_connector(
    connector_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep, body: SyncIn | None = None
) -> SyncOut:
    """Start a sync now, which also tries again what failed; where one runs already, that one is returned."""
    allow = body is not None and body.allow_mass_deletion
    return SyncOut.of(await service.request_sync(deps, caller, connector_id, allow_mass_deletion=allow))


@router.get("/api/chatbot/connectors/{connector_id}/syncs/", tags=["connectors"])
async def list_syncs(connector_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep, page: PageDep) -> SyncList:
    """List the last 50 syncs of a connector, newest first."""
    found = await service.list_syncs(deps, caller, connector_id, page)
    items = [SyncOut.of(sync) for sync in found.items]
    return SyncList(syncs=items, total=found.total, limit=found.limit, offset=found.offset)


@router.get("/api/chatbot/connectors/{connector_id}/syncs/{sync_id}/", tags=["connectors"])
async def get_sync_report(
    connector_id: UUID,
    sync_id: UUID,
    caller: CallerWhoManagesDocuments,
    deps: DepsDep,
    page: PageDep,
    outcome: Annotated[Outcome | None, Query(description="Only items to which this happened.")] = None,
) -> SyncReport:
    """Show what a sync did, item by item."""
    sync, entries = await service.get_report(deps, caller, connector_id, sync_id, outcome=outcome, page=page)
    return SyncReport.of_report(sync, entries)


@router.get("/api/chatbot/connectors/{connector_id}/items/", tags=["connectors"])
async def list_connector_items(
    connector_id: UUID,
    caller: CallerWhoManagesDocuments,
    deps: DepsDep,
    page: PageDep,
    state: Annotated[ItemState | None, Query(description="Only items in this state.")] = None,
) -> ConnectorItemList:
    """List what a connector knows of each file, page or object."""
    found = await service.list_items(deps, caller, connector_id, state=state, page=page)
    items = [ConnectorItemOut.of(item) for item in found.items]
    return ConnectorItemList(items=items, total=found.total, limit=found.limit, offset=found.offset)
