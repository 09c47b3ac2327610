"""Connectors and lists of URLs as the HTTP API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from dragoman.connectors.entities import (
    ConnectorItem,
    ItemState,
    NewConnector,
    OnVanished,
    Outcome,
    Sync,
    SyncEntry,
    SyncState,
    SyncTrigger,
)
from dragoman.connectors.fetch_urls import UrlList
from dragoman.connectors.service import ConnectorChange, ConnectorView
from dragoman.jobs.entities import Job, JobGroup
from dragoman.kit.pagination import Page
from dragoman.knowledge.entities import ContentType, Visibility
from dragoman.tenancy.http import RequestBody

_Tag = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Url = Annotated[str, StringConstraints(min_length=8, max_length=2048)]
_Interval = Annotated[int, Field(ge=60, le=366 * 24 * 3600)]


class ConnectorIn(RequestBody):
    name: str = Field(min_length=1, max_length=200, examples=["Help centre"])
    kind: str = Field(description="folder, website or s3.", max_length=100, examples=["website"])
    settings: dict[str, Any] = Field(
        description="What the kind needs: see the reference of adapters.",
        examples=[{"start_urls": ["https://docs.example.com/"]}],
    )
    chatbot_id: UUID | None = Field(None, description="Whose documents these are; without it your default chatbot.")
    visibility: Visibility = Field(Visibility.SHARED, description="Of the documents; `private`: for you only.")
    content_type: ContentType = ContentType.DOCUMENT
    category: str = Field("", max_length=200)
    tags: list[_Tag] = Field(default_factory=list, max_length=50)
    interval_s: _Interval | None = Field(
        3600, description="Seconds between two syncs; null: only when asked for, or when a watched folder changes."
    )
    on_vanished: OnVanished = Field(OnVanished.DELETE, description="What becomes of documents that vanish there.")

    def entity(self) -> NewConnector:
        return NewConnector(
            name=self.name,
            kind=self.kind,
            settings=self.settings,
            chatbot_id=self.chatbot_id,
            visibility=self.visibility,
            content_type=self.content_type.value,
            category=self.category,
            tags=tuple(self.tags),
            interval_s=self.interval_s,
            on_vanished=self.on_vanished,
        )


class ConnectorPatch(RequestBody):
    name: str | None = Field(None, min_length=1, max_length=200)
    settings: dict[str, Any] | None = Field(
        None, description="Merged into the present ones; null restores a default. Everything is read anew."
    )
    content_type: ContentType | None = None
    category: str | None = Field(None, max_length=200)
    tags: list[_Tag] | None = Field(None, max_length=50)
    interval_s: _Interval | None = Field(None, description="Null: no more syncs by the clock.")
    on_vanished: OnVanished | None = None
    is_paused: bool | None = Field(None, description="A sync that runs stops within an item.")

    def change(self) -> ConnectorChange:
        given = {
            name: getattr(self, name)
            for name in self.model_fields_set
            if name != "settings" and (name == "interval_s" or getattr(self, name) is not None)
        }
        if self.content_type is not None:
            given["content_type"] = self.content_type.value
        if self.tags is not None:
            given["tags"] = tuple(self.tags)
        return ConnectorChange(given=given, settings=self.settings)


class SyncIn(RequestBody):
    allow_mass_deletion: bool = Field(
        False, description="Delete although nothing, or less than half of what was known, is still there."
    )


class SyncOut(BaseModel):
    id: UUID
    connector_id: UUID
    state: SyncState
    trigger: SyncTrigger = Field(description="settings, interval, change (of a watched folder) or hand.")
    allow_mass_deletion: bool
    counts: dict[Outcome, int] = Field(description="Items by what happened to them.")
    notes: list[str] = Field(description="What is to be known of this sync, in sentences.")
    error_code: str | None
    error: str | None = Field(description="Why it failed, and what to do.")
    job_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None

    @classmethod
    def of(cls, sync: Sync) -> SyncOut:
        return cls(
            id=sync.id,
            connector_id=sync.connector_id,
            state=sync.state,
            trigger=sync.trigger,
            allow_mass_deletion=sync.allow_mass_deletion,
            counts=dict(sync.counts),
            notes=list(sync.notes),
            error_code=sync.error_code,
            error=sync.error_message,
            job_id=sync.job_id,
            created_at=sync.created_at,
            started_at=sync.started_at,
            finished_at=sync.finished_at,
            duration_s=sync.duration_s,
        )


class SyncList(BaseModel):
    syncs: list[SyncOut]
    total: int
    limit: int
    offset: int


class SyncEntryOut(BaseModel):
    key: str
    outcome: Outcome
    reason_code: str | None
    reason: str | None
    document_id: UUID | None

    @classmethod
    def of(cls, entry: SyncEntry) -> SyncEntryOut:
        return cls.model_validate(entry, from_attributes=True)


class SyncReport(SyncOut):
    items: list[SyncEntryOut] = Field(
        description="All but the unchanged, in the order in which they came; 1,000 at most."
    )
    total: int
    limit: int
    offset: int

    @classmethod
    def of_report(cls, sync: Sync, page: Page[SyncEntry]) -> SyncReport:
        items = [SyncEntryOut.of(entry) for entry in page.items]
        whole = SyncOut.of(sync).model_dump()
        return cls(**whole, items=items, total=page.total, limit=page.limit, offset=page.offset)


class ConnectorOut(BaseModel):
    id: UUID
    chatbot_id: UUID
    name: str
    kind: str
    settings: dict[str, Any] = Field(description="With their defaults; secrets are shown as stars.")
    origin: str = Field(description="Where the documents come from.")
    visibility: Visibility
    content_type: str
    category: str
    tags: list[str]
    interval_s: int | None
    on_vanished: OnVanished
    is_paused: bool
    is_watched: bool = Field(description="A change of its folder starts a sync at once.")
    next_sync_at: datetime | None
    last_sync: SyncOut | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: ConnectorView) -> ConnectorOut:
        connector = view.connector
        return cls(
            id=connector.id,
            chatbot_id=connector.chatbot_id,
            name=connector.name,
            kind=connector.kind,
            settings=dict(view.settings),
            origin=view.described,
            visibility=connector.visibility,
            content_type=connector.content_type,
            category=connector.category,
            tags=list(connector.tags),
            interval_s=connector.interval_s,
            on_vanished=connector.on_vanished,
            is_paused=connector.is_paused,
            is_watched=connector.watched_folder is not None,
            next_sync_at=None if connector.is_paused else connector.next_sync_at,
            last_sync=SyncOut.of(view.last_sync) if view.last_sync else None,
            created_at=connector.created_at,
            updated_at=connector.updated_at,
        )


class ConnectorList(BaseModel):
    connectors: list[ConnectorOut]
    total: int
    limit: int
    offset: int


class ConnectorItemOut(BaseModel):
    key: str
    name: str
    url: str | None
    state: ItemState
    document_id: UUID | None
    size_bytes: int | None
    reason_code: str | None
    reason: str | None = Field(description="Why it failed or was left out.")
    last_sync_id: UUID
    updated_at: datetime

    @classmethod
    def of(cls, item: ConnectorItem) -> ConnectorItemOut:
        return cls.model_validate(item, from_attributes=True)


class ConnectorItemList(BaseModel):
    items: list[ConnectorItemOut]
    total: int
    limit: int
    offset: int


class UrlListIn(RequestBody):
    urls: list[_Url] = Field(min_length=1, max_length=500, examples=[["https://example.com/terms.html"]])
    chatbot_id: UUID | None = Field(None, description="Without it your default chatbot.")
    visibility: Visibility = Visibility.SHARED
    content_type: ContentType = ContentType.DOCUMENT
    category: str = Field("", max_length=200)
    tags: list[_Tag] = Field(default_factory=list, max_length=50)

    def entity(self) -> UrlList:
        return UrlList(
            urls=self.urls,
            chatbot_id=self.chatbot_id,
            visibility=self.visibility,
            content_type=self.content_type.value,
            category=self.category,
            tags=tuple(self.tags),
        )


class UrlJobOut(BaseModel):
    url: str
    job_id: UUID


class UrlListOut(BaseModel):
    group_id: UUID = Field(description="Follow, pause or cancel the whole list by this id.")
    jobs: list[UrlJobOut] = Field(description="One for each address; a job that fails says why.")

    @classmethod
    def of(cls, group: JobGroup, jobs: Sequence[Job]) -> UrlListOut:
        return cls(group_id=group.id, jobs=[UrlJobOut(url=job.payload["url"], job_id=job.id) for job in jobs])
