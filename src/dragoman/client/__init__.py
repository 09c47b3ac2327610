"""The typed client of the HTTP API. It imports nothing else of Dragoman.

async with Dragoman("http://127.0.0.1:8000", "dgm_…") as dragoman:
    document = await dragoman.documents.upload(Path("returns.pdf"))
    await dragoman.documents.wait_until_ready(document.id)
    answer = await dragoman.ask("How long may goods be returned?")

`SyncDragoman` is the same without `async` and `await`.
"""

from __future__ import annotations

from dragoman.client.api import Dragoman
from dragoman.client.connectors import Connector, Sync, SyncEntry, SyncReport
from dragoman.client.documents import DocumentFilter, FileContent
from dragoman.client.errors import (
    ApiError,
    ClientError,
    ConnectionFailedError,
    DocumentFailedError,
    NotReadyInTimeError,
    StreamFailedError,
)
from dragoman.client.imports import Import, ImportDetails
from dragoman.client.jobs import Job
from dragoman.client.models import (
    Answer,
    ApiKey,
    BatchItem,
    Budget,
    Chatbot,
    Chunk,
    CompleteEvent,
    CreatedApiKey,
    Document,
    DocumentStatus,
    DocumentVersion,
    ErrorEvent,
    HistoryEntry,
    Message,
    Page,
    Passage,
    QualityReport,
    Readiness,
    SearchResult,
    Session,
    Source,
    SourceEvent,
    StatusEvent,
    Step,
    StreamEvent,
    TokenEvent,
    TrainingData,
    UploadedDocument,
    UploadedFile,
    UrlJob,
    UrlList,
    Usage,
    UsageLine,
)
from dragoman.client.sync import SyncDragoman

__all__ = [
    "Answer",
    "ApiError",
    "ApiKey",
    "BatchItem",
    "Budget",
    "Chatbot",
    "Chunk",
    "ClientError",
    "CompleteEvent",
    "ConnectionFailedError",
    "Connector",
    "CreatedApiKey",
    "Document",
    "DocumentFailedError",
    "DocumentFilter",
    "DocumentStatus",
    "DocumentVersion",
    "Dragoman",
    "ErrorEvent",
    "FileContent",
    "HistoryEntry",
    "Import",
    "ImportDetails",
    "Job",
    "Message",
    "NotReadyInTimeError",
    "Page",
    "Passage",
    "QualityReport",
    "Readiness",
    "SearchResult",
    "Session",
    "Source",
    "SourceEvent",
    "StatusEvent",
    "Step",
    "StreamEvent",
    "StreamFailedError",
    "Sync",
    "SyncDragoman",
    "SyncEntry",
    "SyncReport",
    "TokenEvent",
    "TrainingData",
    "UploadedDocument",
    "UploadedFile",
    "UrlJob",
    "UrlList",
    "Usage",
    "UsageLine",
]
