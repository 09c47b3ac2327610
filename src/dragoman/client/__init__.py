"""The typed client of the HTTP API. It imports nothing else of Dragoman.

async with Dragoman("http://127.0.0.1:8000", "dgm_…") as dragoman:
    document = await dragoman.documents.upload(Path("returns.pdf"))
    await dragoman.documents.wait_until_ready(document.id)
    answer = await dragoman.ask("How long may goods be returned?")
"""

from __future__ import annotations

from dragoman.client.api import Dragoman
from dragoman.client.documents import FileContent
from dragoman.client.errors import (
    ApiError,
    ClientError,
    ConnectionFailedError,
    DocumentFailedError,
    NotReadyInTimeError,
    StreamFailedError,
)
from dragoman.client.models import (
    Answer,
    ApiKey,
    Chatbot,
    CompleteEvent,
    CreatedApiKey,
    Document,
    DocumentStatus,
    ErrorEvent,
    Message,
    Passage,
    Readiness,
    SearchResult,
    Session,
    Source,
    SourceEvent,
    StatusEvent,
    StreamEvent,
    TokenEvent,
    UploadedDocument,
    Usage,
)

__all__ = [
    "Answer",
    "ApiError",
    "ApiKey",
    "Chatbot",
    "ClientError",
    "CompleteEvent",
    "ConnectionFailedError",
    "CreatedApiKey",
    "Document",
    "DocumentFailedError",
    "DocumentStatus",
    "Dragoman",
    "ErrorEvent",
    "FileContent",
    "Message",
    "NotReadyInTimeError",
    "Passage",
    "Readiness",
    "SearchResult",
    "Session",
    "Source",
    "SourceEvent",
    "StatusEvent",
    "StreamEvent",
    "StreamFailedError",
    "TokenEvent",
    "UploadedDocument",
    "Usage",
]
