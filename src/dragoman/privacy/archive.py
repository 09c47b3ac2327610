"""The job of an export: an archive of all that is held about a person, made page by page in a file, then kept as a blob.

manifest.json         whom it is about, when it was made, how many of each thing
<kind>.jsonl          the rows, a line each: sessions, messages, turns with what was retrieved, usage, …
uploads/<document>/   the originals of their private documents
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any, Final
from uuid import UUID

from dragoman.deps import Deps
from dragoman.jobs.entities import Progress
from dragoman.kit.clock import now
from dragoman.ports.blob_store import BlobNotFoundError
from dragoman.privacy import repository
from dragoman.privacy.entities import PrivacyRequest, RequestState, Subject
from dragoman.privacy.holdings import holdings
from dragoman.privacy.names import actors_of, search_askers
from dragoman.tenancy.audit_log import export as audit_export
from dragoman.tenancy.audit_log import repository as audit_repository

KEPT: Final = timedelta(days=7)
_PAGE: Final = 500
_PIECE_BYTES: Final = 1024 * 1024


def blob_key_of(request: PrivacyRequest) -> str:
    return f"{request.tenant_id}/privacy/{request.id}.zip"


async def make_archive(deps: Deps, request: PrivacyRequest, subject: Subject, progress: Progress) -> dict[str, Any]:
    """Write the archive and return the columns of the request that say so; again after a crash, it is made anew."""
    with tempfile.TemporaryDirectory(dir=deps.upload_directory, prefix="export-") as folder:
        path = Path(folder) / "archive.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            counts = await _write(deps, archive, subject, progress)
            manifest = {
                "request_id": str(request.id),
                "subject": {"kind": subject.kind.value, "id": subject.id, "email": subject.email or None},
                "made_at": now().isoformat(),
                "counts": counts,
            }
            archive.writestr("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False))
        await progress("storing", 0.95)
        key = blob_key_of(request)
        await deps.blob_store.put(key, _pieces(path))
        size = path.stat().st_size
    moment = now()
    return {
        "state": RequestState.DONE.value,
        "counts": counts,
        "blob_key": key,
        "size_bytes": size,
        "finished_at": moment,
        "expires_at": moment + KEPT,
    }


async def _write(deps: Deps, archive: zipfile.ZipFile, subject: Subject, progress: Progress) -> dict[str, int]:
    counts: dict[str, int] = {}
    register = [holding for holding in holdings() if holding.is_exported]
    for done, holding in enumerate(register):
        await progress(holding.name, 0.05 + 0.6 * done / len(register))
        counts[holding.name] = 0
        after: Any = None
        lines = _Lines(archive, f"{holding.name}.jsonl")
        while True:
            async with deps.database.transaction(subject.tenant_id) as connection:
                rows, after = await repository.list_rows(connection, holding, subject, after=after, limit=_PAGE)
            counts[holding.name] += await lines.add(rows)
            if after is None:
                break
        lines.close()
    counts["searches"] = await _write_searches(deps, archive, subject)
    counts["audit"] = await _write_audit(deps, archive, subject)
    await progress("uploads", 0.75)
    counts["uploads"] = await _write_uploads(deps, archive, subject)
    return counts


class _Lines:
    """A file of the archive, which is made with its first line."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive, self._name = archive, name
        self._file: Any = None

    async def add(self, rows: list[dict[str, Any]]) -> int:
        if rows:
            if self._file is None:
                self._file = self._archive.open(self._name, "w")
            text = "".join(f"{json.dumps(row, default=_plain, ensure_ascii=False)}\n" for row in rows)
            await asyncio.to_thread(self._file.write, text.encode())
        return len(rows)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


async def _write_searches(deps: Deps, archive: zipfile.ZipFile, subject: Subject) -> int:
    lines, count = _Lines(archive, "searches.jsonl"), 0
    askers, after = search_askers(deps.keyring, subject), None
    while True:
        async with deps.database.transaction(subject.tenant_id) as connection:
            rows = await repository.list_searches(
                connection, tenant_id=subject.tenant_id, askers=askers, after=after, limit=_PAGE
            )
        count += await lines.add(rows)
        if len(rows) < _PAGE:
            break
        after = rows[-1]["id"]
    lines.close()
    return count


async def _write_audit(deps: Deps, archive: zipfile.ZipFile, subject: Subject) -> int:
    lines, count = _Lines(archive, "audit.jsonl"), 0
    after: UUID | None = None
    while True:
        async with deps.database.transaction(subject.tenant_id) as connection:
            actors = await actors_of(connection, subject)
            events = await audit_repository.list_events_about(
                connection, tenant_id=subject.tenant_id, actors=actors, after=after, limit=_PAGE
            )
        count += await lines.add([audit_export.as_json(event) for event in events])
        if len(events) < _PAGE:
            break
        after = events[-1].id
    lines.close()
    return count


async def _write_uploads(deps: Deps, archive: zipfile.ZipFile, subject: Subject) -> int:
    async with deps.database.transaction(subject.tenant_id) as connection:
        own = await repository.list_own_documents(connection, subject, limit=1_000_000)
    count = 0
    for document_id, _ in own:
        async with deps.database.transaction(subject.tenant_id) as connection:
            originals = await repository.list_originals(
                connection, tenant_id=subject.tenant_id, document_id=document_id
            )
        for number, file_name, blob_key, _ in originals:
            if number:
                name = PurePath(file_name.replace("\\", "/")).name or "file"
                count += await _copy(deps, archive, f"uploads/{document_id}/{number}-{name}", blob_key)
    return count


async def _copy(deps: Deps, archive: zipfile.ZipFile, name: str, blob_key: str) -> int:
    """1; 0 where the original is gone: its document was deleted, and is being purged."""
    pieces = deps.blob_store.read(blob_key)
    try:
        first = await anext(pieces, b"")
    except BlobNotFoundError:
        return 0
    with archive.open(name, "w") as file:
        await asyncio.to_thread(file.write, first)
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)
    return 1


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
