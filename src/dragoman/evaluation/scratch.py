"""The scratch chatbot: a golden set's corpus, ingested once through the real pipeline and kept for the next run.

Its name is made of what its vectors and chunks depend on: the corpus, the settings of chunking, the embedding version.
It is complete when its description says so; an interrupted ingestion goes on where it stood.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from dragoman.client import Chatbot, Dragoman, FileContent
from dragoman.evaluation.datasets import CorpusDocument
from dragoman.evaluation.errors import IngestionFailedError, IngestionStalledError
from dragoman.tenancy.settings import ChatbotSettings

NAME_PREFIX = "eval:"
NO_TITLE = " "  # said so, or ingestion would embed the name of the file as one

_UPLOADS_AT_ONCE = 4
_POLL_S = 0.5
_PATIENCE_S = 300.0
_CHUNKING = ("chunk_tokens", "chunk_overlap_tokens", "sentence_vectors")

OnProgress = Callable[[int, int, str], None]
"""Called as (done, total, what is done now)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFile:
    """A document of a corpus: a file of the sample, or a line of corpus.jsonl made into Markdown."""

    external_id: str
    source: Path | FileContent
    title: str | None = None

    def digest(self) -> bytes:
        content = self.source.content if isinstance(self.source, FileContent) else self.source.read_bytes()
        parts = (self.external_id.encode(), (self.title or "").encode(), content)
        return b"".join(hashlib.sha256(part).digest() for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """How a corpus was indexed. `seconds` from the first upload until the last document was searchable."""

    documents: int
    chunks: int
    seconds: float

    @property
    def documents_per_s(self) -> float:
        return self.documents / max(self.seconds, 1e-9)

    @property
    def chunks_per_s(self) -> float:
        return self.chunks / max(self.seconds, 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    chatbot_id: UUID
    name: str
    indexed: Indexed
    was_reused: bool


def corpus_files(documents: Sequence[CorpusDocument]) -> list[CorpusFile]:
    return [
        CorpusFile(
            external_id=document.id,
            title=document.title or NO_TITLE,
            source=FileContent(name="document.md", content=document.markdown.encode(), mime_type="text/markdown"),
        )
        for document in documents
    ]


async def prepare(
    client: Dragoman,
    files: Sequence[CorpusFile],
    *,
    settings: Mapping[str, Any],
    fresh: bool,
    on_progress: OnProgress,
) -> Scratch:
    """A chatbot that holds exactly this corpus, ingested now or by an earlier run.

    Args:
        client: holds a key that may manage chatbots.
        files: the corpus.
        settings: settings of the chatbot that differ from the defaults.
        fresh: ingest it again, even if it is there.
        on_progress: told how far the ingestion is.

    Raises:
        IngestionFailedError, IngestionStalledError.
    """
    effective = ChatbotSettings(**settings).model_dump()
    chunking = {name: effective[name] for name in _CHUNKING}
    name = await _name(client, files, chunking)
    chatbot = await find(client, name)
    if chatbot is not None and fresh:
        await client.chatbots.delete(chatbot.id)
        chatbot = None
    if chatbot is None:
        chatbot = await client.chatbots.create(name, settings={**chunking, **settings})
    elif settings:
        await client.chatbots.update(chatbot.id, settings=dict(settings))
    known = _known_indexed(chatbot)
    if known is not None:
        return Scratch(chatbot_id=chatbot.id, name=name, indexed=known, was_reused=True)
    indexed = await _ingest(client, chatbot.id, files, on_progress)
    await client.chatbots.update(chatbot.id, description=json.dumps(asdict(indexed)))
    return Scratch(chatbot_id=chatbot.id, name=name, indexed=indexed, was_reused=False)


async def find(client: Dragoman, name: str) -> Chatbot | None:
    async for chatbot in client.chatbots.list():
        if chatbot.name == name:
            return chatbot
    return None


async def _name(client: Dragoman, files: Sequence[CorpusFile], chunking: Mapping[str, Any]) -> str:
    readiness = await client.check_readiness()
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.external_id):
        digest.update(file.digest())
    digest.update(json.dumps([chunking, readiness.embedding_version], sort_keys=True).encode())
    return f"{NAME_PREFIX}{digest.hexdigest()[:24]}"


def _known_indexed(chatbot: Chatbot) -> Indexed | None:
    try:
        return Indexed(**json.loads(chatbot.description))
    except (ValueError, TypeError):  # empty: it was never finished
        return None


async def _ingest(client: Dragoman, chatbot_id: UUID, files: Sequence[CorpusFile], on_progress: OnProgress) -> Indexed:
    there = {document.external_id async for document in client.documents.list(chatbot_id=chatbot_id)}
    started = time.monotonic()
    on_progress(0, len(files), "uploading")
    watching = asyncio.create_task(_wait(client, chatbot_id, len(files), on_progress))
    try:
        await _upload(client, chatbot_id, [file for file in files if file.external_id not in there])
        await watching
    finally:
        watching.cancel()
    seconds = time.monotonic() - started
    chunks = [document.total_chunks async for document in client.documents.list(chatbot_id=chatbot_id)]
    return Indexed(documents=len(files), chunks=sum(chunks), seconds=round(seconds, 2))


async def _upload(client: Dragoman, chatbot_id: UUID, files: Sequence[CorpusFile]) -> None:
    room = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    async def upload(file: CorpusFile) -> None:
        async with room:
            await client.documents.upload(
                file.source, chatbot_id=chatbot_id, title=file.title, external_id=file.external_id, bulk=True
            )

    async with asyncio.TaskGroup() as group:
        for file in files:
            group.create_task(upload(file))


async def _wait(client: Dragoman, chatbot_id: UUID, total: int, on_progress: OnProgress) -> None:
    """Until all documents are ready. A document that failed would make the figures wrong: it ends the evaluation."""
    last_ready, last_moved = -1, time.monotonic()
    while True:
        ready = await client.documents.count(chatbot_id=chatbot_id, state="ready")
        async for failed in client.documents.list(chatbot_id=chatbot_id, state="failed"):
            status = await client.documents.get_status(failed.id)
            raise IngestionFailedError(f"The document {failed.external_id!r} cannot be read: {status.error}")
        if ready != last_ready:
            last_ready, last_moved = ready, time.monotonic()
            on_progress(ready, total, "reading")
        if ready >= total:
            return
        if time.monotonic() - last_moved > _PATIENCE_S:
            raise IngestionStalledError
        await asyncio.sleep(_POLL_S)
