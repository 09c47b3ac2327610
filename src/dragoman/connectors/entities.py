"""Connectors, their items and syncs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from dragoman.knowledge.entities import Visibility
from dragoman.tenancy.entities import Role


class OnVanished(StrEnum):
    """What becomes of the document of an item that is no longer there."""

    DELETE = "delete"
    KEEP = "keep"


class SyncState(StrEnum):
    """`queued` -> `running` -> `succeeded` | `failed` | `cancelled`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SyncTrigger(StrEnum):
    """Why a sync began: the connector is new or changed, its interval is over, its folder changed, a person asked."""

    SETTINGS = "settings"
    INTERVAL = "interval"
    CHANGE = "change"
    HAND = "hand"


class Outcome(StrEnum):
    """What happened to an item in a sync. `kept`: it has vanished, but its document stays."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    VANISHED = "vanished"
    KEPT = "kept"
    FAILED = "failed"
    SKIPPED = "skipped"


class ItemState(StrEnum):
    """`withdrawn`: it is there, but asks not to be read; a document read earlier goes with the end of the sync."""

    SYNCED = "synced"
    FAILED = "failed"
    SKIPPED = "skipped"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """An origin of documents of one chatbot.

    Attributes:
        settings: as the owner gave them, without secrets.
        sealed_secrets: the secret settings, encrypted for this connector's id.
        interval_s: seconds between syncs; None: only by hand, or when its folder changes.
        created_by, role: whose documents these are, and the role of that caller.
        deleted_at: it is being removed with its documents.
    """

    id: UUID
    tenant_id: UUID
    chatbot_id: UUID
    name: str
    kind: str
    settings: dict[str, Any]
    sealed_secrets: str | None = field(repr=False)
    visibility: Visibility
    content_type: str
    category: str
    tags: tuple[str, ...]
    interval_s: int | None
    on_vanished: OnVanished
    is_paused: bool
    watched_folder: str | None
    created_by: str
    role: Role
    next_sync_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnector:
    """What an owner says of a new connector; `settings` with their secrets."""

    name: str
    kind: str
    settings: Mapping[str, Any] = field(repr=False)
    chatbot_id: UUID | None
    visibility: Visibility
    content_type: str
    category: str
    tags: tuple[str, ...]
    interval_s: int | None
    on_vanished: OnVanished


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    id: UUID
    connector_id: UUID
    state: SyncState
    trigger: SyncTrigger
    allow_mass_deletion: bool
    job_id: UUID | None
    counts: Mapping[Outcome, int]
    notes: Sequence[str]
    error_code: str | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_active(self) -> bool:
        return self.state in (SyncState.QUEUED, SyncState.RUNNING)

    @property
    def duration_s(self) -> float | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEntry:
    """What happened to one item."""

    key: str
    outcome: Outcome
    reason_code: str | None = None
    reason: str | None = None
    document_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorItem:
    key: str
    name: str
    url: str | None
    state: ItemState
    document_id: UUID | None
    size_bytes: int | None
    reason_code: str | None
    reason: str | None
    last_sync_id: UUID
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownItem:
    """What a sync needs of an item from before; some 400 bytes of memory each."""

    version: str | None
    state: ItemState
    document_id: UUID | None
    reason_code: str | None
    reason: str | None
    last_sync_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRecord:
    """What a sync writes of an item."""

    key: str
    name: str
    url: str | None
    size_bytes: int | None
    state: ItemState
    version: str | None
    memo: Mapping[str, Any]
    document_id: UUID | None
    reason_code: str | None = None
    reason: str | None = None
