"""A small server that speaks Dragoman's HTTP API from memory, for the tests of the client, the CLI and evaluation."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

KEY = "dgm_good"
_NOW = "2026-01-02T03:04:05Z"


@dataclass(kw_only=True)
class FakeDragoman:
    """What the server holds, and what it was asked. `busy` many requests are refused with 503 first.

    `review`: documents wait for approval. `requests`: method and path of each request for documents, imports and jobs.
    `largest_batch`: of the files of one request, in bytes. A member may open no imports.
    """

    url: str = ""
    chatbots: dict[str, dict[str, Any]] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    imports: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    searches: list[dict[str, Any]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    busy: int = 0
    polls_until_ready: int = 1
    review: bool = False
    is_member: bool = False
    largest_batch: int = 100 * 1024 * 1024
    embedding_version: str = "hashing:test:32"

    def __post_init__(self) -> None:
        self.default_chatbot = self.add_chatbot("Knowledge", is_default=True)
        self.polls: dict[str, int] = {}

    def add_chatbot(self, name: str, *, is_default: bool = False, **values: Any) -> dict[str, Any]:
        chatbot = {
            "id": str(uuid4()),
            "name": name,
            "description": "",
            "is_default": is_default,
            "settings": {},
            "knowledge_revision": 1,
            "created_at": _NOW,
            "updated_at": _NOW,
            **values,
        }
        self.chatbots[chatbot["id"]] = chatbot
        return chatbot

    def add_document(self, form: Mapping[str, Any], name: str, content: bytes) -> tuple[dict[str, Any], bool]:
        chatbot_id = form.get("chatbot_id") or self.default_chatbot["id"]
        external_id = form.get("external_id")
        digest = hashlib.sha256(content).hexdigest()
        known = next(
            (
                each
                for each in self.documents.values()
                if external_id is not None and (each["external_id"], each["chatbot_id"]) == (external_id, chatbot_id)
            ),
            None,
        )
        if known is not None and known["content_hash"] == digest:
            return known, True
        document = {
            "id": known["id"] if known else str(uuid4()),
            "chatbot_id": chatbot_id,
            "title": form.get("title") or name.rsplit(".", 1)[0],
            "file_name": name,
            "file_type": "text/markdown",
            "size_bytes": len(content),
            "approval": "pending" if self.review else "approved",
            "approval_reason": None,
            "languages": ["en"],
            "reused_chunks": 0,
            "quality_score": 0.9,
            "pii": {},
            "source": "upload",
            "source_url": None,
            "connector_id": None,
            "import_id": form.get("import_id"),
            "content_hash": digest,
            "content_type": form.get("content_type") or "document",
            "category": form.get("category") or "",
            "tags": [tag for tag in (form.get("tags") or "").split(",") if tag],
            "visibility": form.get("visibility") or "shared",
            "state": "ready" if known else "queued",  # one that is replaced serves its old version meanwhile
            "processed": known is not None,
            "version": known["version"] + 1 if known else 1,
            "language": "en",
            "pages": None,
            "total_chunks": 1,
            "total_tokens": 10,
            "quality": {},
            "metadata": json.loads(form.get("metadata") or "{}"),
            "uploaded_at": _NOW,
            "processed_at": None,
            "external_id": external_id,
        }
        self.documents[document["id"]] = document
        self.contents[document["id"]] = content
        self.polls[document["id"]] = 0
        self.add_version(document, content)
        return document, False

    def add_version(self, document: dict[str, Any], content: bytes, *, made_from: int | None = None) -> None:
        for version in self.versions.setdefault(document["id"], []):
            version["is_live"] = False
        version = {
            "version": document["version"],
            "state": "ready",
            "is_live": True,
            "uploaded_by": "key:1",
            "made_from": made_from,
            "decided_by": None,
            "decided_at": None,
            "error_code": None,
            "error": None,
            "created_at": _NOW,
            "ready_at": _NOW,
            "content": content.decode("latin-1"),
        }
        same = "title file_name file_type size_bytes content_hash approval approval_reason total_chunks reused_chunks"
        version |= {name: document[name] for name in [*same.split(), "quality_score"]}
        self.versions[document["id"]].insert(0, version)

    def poll(self, document: dict[str, Any]) -> None:
        """Each look at a document brings it on its way; one whose name begins with `bad` fails."""
        if document["state"] in ("cancelled", "rejected"):
            return
        self.polls[document["id"]] += 1
        if self.polls[document["id"]] > self.polls_until_ready:
            is_bad = document["file_name"].startswith("bad")
            waits = not is_bad and document["approval"] == "pending"
            document["state"] = "failed" if is_bad else "pending" if waits else "ready"
            document["processed_at"] = None if is_bad or waits else _NOW
            document["processed"] = document["state"] == "ready"

    def status_of(self, document: dict[str, Any]) -> dict[str, Any]:
        state = document["state"]
        failed = state == "failed"
        shown = {"failed": "failed", "cancelled": "skipped", "pending": "done"}.get(state, "running")
        is_read = state == "ready" and document["processed_at"] is not None
        return {
            "id": document["id"],
            "state": state,
            "processed": document["processed"],
            "approval": document["approval"],
            "step": "done" if is_read else "approval" if state == "pending" else "embedding",
            "progress": 0.5,
            "steps": [
                {"name": "extracting", "state": "done"},
                {"name": "embedding", "state": "done" if is_read else shown},
            ],
            "attempts": 1,
            "total_chunks": 1,
            "reused_chunks": 0,
            "job_id": document["id"],
            "error_code": "ingestion.damaged" if failed else None,
            "error": "The file is damaged." if failed else None,
        }

    def job_of(self, document: dict[str, Any]) -> dict[str, Any]:
        status = self.status_of(document)
        state = {"ready": "succeeded", "pending": "succeeded"}.get(document["state"], document["state"])
        same = {name: status[name] for name in ("step", "progress", "attempts", "error_code", "error")}
        return {
            **same,
            "id": document["id"],
            "kind": "ingestion.ingest_document",
            "state": state,
            "priority": 8,
            "max_attempts": 5,
            "document_id": document["id"],
            "title": document["title"],
            "file_name": document["file_name"],
            "chatbot_id": document["chatbot_id"],
            "import_id": document["import_id"],
            "created_at": _NOW,
            "started_at": _NOW,
            "finished_at": None,
            "run_after": _NOW,
        }

    def import_of(self, import_id: str) -> dict[str, Any]:
        jobs = [self.job_of(each) for each in self.documents.values() if each["import_id"] == import_id]
        counts = Counter(job["state"] for job in jobs)
        reasons = Counter(job["error_code"] for job in jobs if job["error_code"])
        return {**self.imports[import_id], "total": len(jobs), "counts": counts, "reasons": reasons}


def problem(status: int, code: str, detail: str, **headers: str) -> JSONResponse:
    body = {"status": status, "code": code, "detail": detail, "title": code, "type": "", "request_id": "req-1"}
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


def create_fake_app(fake: FakeDragoman) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        if fake.busy > 0:
            fake.busy -= 1
            return problem(503, "unavailable", "Busy. Try again.", **{"Retry-After": "0"})
        if request.url.path.startswith("/api") and request.headers.get("x-api-key") != KEY:
            return problem(401, "tenancy.invalid_key", "This API key is not known.")
        if request.url.path.startswith(("/api/chatbot/documents", "/api/chatbot/imports", "/api/jobs")):
            fake.requests.append(f"{request.method} {request.url.path}")
            fake.queries.append(dict(request.query_params))
        response: Response = await call_next(request)
        return response

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "version": "1.2.3"}

    @app.get("/readyz")
    async def readyz() -> dict[str, Any]:
        return {"status": "ok", "checks": {"database": "ok"}, "embedding_version": fake.embedding_version}

    _add_tenancy(app, fake)
    _add_documents(app, fake)
    _add_changes_of_documents(app, fake)
    _add_parts_of_documents(app, fake)
    _add_imports(app, fake)
    _add_questions(app, fake)
    return app


def _page(field_name: str, items: list[dict[str, Any]], limit: int, offset: int) -> dict[str, Any]:
    return {field_name: items[offset : offset + limit], "total": len(items), "limit": limit, "offset": offset}


def _add_tenancy(app: FastAPI, fake: FakeDragoman) -> None:
    @app.get("/api/chatbots/")
    async def list_chatbots(limit: int = 50, offset: int = 0) -> dict[str, Any]:
        return _page("chatbots", list(fake.chatbots.values()), limit, offset)

    @app.post("/api/chatbots/", status_code=201)
    async def create_chatbot(body: dict[str, Any]) -> dict[str, Any]:
        return fake.add_chatbot(body["name"], description=body["description"], settings=body["settings"])

    @app.get("/api/chatbots/{chatbot_id}/")
    async def get_chatbot(chatbot_id: str) -> Any:
        return fake.chatbots.get(chatbot_id) or problem(404, "tenancy.chatbot_not_found", "There is no such chatbot.")

    @app.patch("/api/chatbots/{chatbot_id}/")
    async def update_chatbot(chatbot_id: str, body: dict[str, Any]) -> dict[str, Any]:
        fake.chatbots[chatbot_id] |= body
        return fake.chatbots[chatbot_id]

    @app.delete("/api/chatbots/{chatbot_id}/", status_code=204)
    async def delete_chatbot(chatbot_id: str) -> None:
        del fake.chatbots[chatbot_id]
        for document in [each for each in fake.documents.values() if each["chatbot_id"] == chatbot_id]:
            del fake.documents[document["id"]]

    @app.post("/api/keys/", status_code=201)
    async def create_key(body: dict[str, Any]) -> Any:
        if body["role"] == "owner":
            return problem(403, "tenancy.forbidden", "The role 'admin' cannot make one with 'owner'.")
        number = len(fake.keys) + 1
        key = {
            "id": str(UUID(int=number)),
            "name": body["name"],
            "prefix": f"dgm_{number:08d}",
            "role": body["role"],
            "user_id": None,
            "chatbot_id": body.get("chatbot_id"),
            "may_act_for_users": body["may_act_for_users"],
            "created_at": _NOW,
            "expires_at": body.get("expires_at"),
            "revoked_at": None,
            "last_used_at": None,
        }
        fake.keys[key["id"]] = key
        return {**key, "api_key": f"dgm_{number:08d}secret"}

    @app.get("/api/keys/")
    async def list_keys(limit: int = 50, offset: int = 0) -> dict[str, Any]:
        return _page("keys", list(fake.keys.values()), limit, offset)

    @app.delete("/api/keys/{key_id}/")
    async def revoke_key(key_id: str) -> Any:
        if key_id not in fake.keys:
            return problem(404, "tenancy.key_not_found", "There is no API key with this id.")
        fake.keys[key_id]["revoked_at"] = _NOW
        return fake.keys[key_id]


def _add_documents(app: FastAPI, fake: FakeDragoman) -> None:
    @app.post("/api/chatbot/documents/", status_code=202)
    async def upload(request: Request) -> Any:
        async with request.form() as received:
            form = dict(received)
            file: Any = form.pop("file")
            content = await file.read()
        if file.filename.endswith(".bin"):
            return problem(415, "ingestion.unsupported_type", "Files of this kind cannot be read.")
        document, is_duplicate = fake.add_document(form, file.filename, content)
        return JSONResponse({**document, "is_duplicate": is_duplicate}, status_code=200 if is_duplicate else 202)

    @app.post("/api/chatbot/documents/batch/", status_code=202)
    async def upload_many(request: Request) -> Any:
        async with request.form() as received:
            form = {name: value for name, value in received.items() if name != "files"}
            files: list[Any] = [(file.filename, await file.read()) for file in received.getlist("files")]
        if sum(len(content) for _, content in files) > fake.largest_batch:
            return problem(413, "ingestion.too_large", "The upload is larger than is accepted at once.")
        results = []
        for (name, content), external_id in zip(files, json.loads(form.pop("external_ids")), strict=True):
            result = {"file_name": name, "accepted": not name.endswith(".bin")}
            if result["accepted"]:
                document, twice = fake.add_document({**form, "external_id": external_id}, name, content)
                result |= {"id": document["id"], "state": document["state"], "is_duplicate": twice}
            else:
                result |= {"error_code": "ingestion.unsupported_type", "error": "Files of this kind cannot be read."}
            results.append(result)
        return {"accepted": 0, "duplicates": 0, "refused": 0, "documents": results}

    @app.get("/api/chatbot/documents/")
    async def list_documents(
        chatbot_id: str | None = None, state: str | None = None, limit: int = 50, offset: int = 0
    ) -> dict[str, Any]:
        wanted = chatbot_id or fake.default_chatbot["id"]
        mine = [each for each in fake.documents.values() if each["chatbot_id"] == wanted]
        for document in mine:
            fake.poll(document)
        exact = {name: value for name, value in fake.queries[-1].items() if name in ("approval", "external_id")}
        found = [each for each in mine if all(each[name] == value for name, value in exact.items())]
        return _page("documents", [each for each in found if state in (None, each["state"])], limit, offset)

    @app.get("/api/chatbot/documents/{document_id}/")
    async def get_document(document_id: str) -> Any:
        return fake.documents.get(document_id) or problem(
            404, "knowledge.document_not_found", "There is no such document."
        )

    @app.get("/api/chatbot/documents/{document_id}/status/")
    async def get_status(document_id: str) -> dict[str, Any]:
        document = fake.documents[document_id]
        fake.poll(document)
        return fake.status_of(document)

    @app.delete("/api/chatbot/documents/{document_id}/", status_code=204)
    async def delete_document(document_id: str) -> None:
        del fake.documents[document_id]


def _add_changes_of_documents(app: FastAPI, fake: FakeDragoman) -> None:
    def read_again(document: dict[str, Any], content: bytes, *, made_from: int | None = None) -> dict[str, Any]:
        document |= {"version": document["version"] + 1, "processed_at": None, "state": "ready"}
        fake.contents[document["id"]] = content
        fake.polls[document["id"]] = 0
        fake.add_version(document, content, made_from=made_from)
        return document

    @app.put("/api/chatbot/documents/{document_id}/", status_code=202)
    async def replace(document_id: str, request: Request) -> Any:
        async with request.form() as received:
            file: Any = received["file"]
            content = await file.read()
            title = received.get("title")
        document = fake.documents[document_id]
        if title:
            document["title"] = title
        return {**read_again(document, content), "is_duplicate": False}

    @app.patch("/api/chatbot/documents/{document_id}/")
    async def update(document_id: str, body: dict[str, Any]) -> Any:
        fake.documents[document_id] |= body
        return fake.documents[document_id]

    @app.post("/api/chatbot/documents/{document_id}/versions/{version}/restore/", status_code=202)
    async def restore(document_id: str, version: int) -> Any:
        found = next((each for each in fake.versions[document_id] if each["version"] == version), None)
        if found is None:
            return problem(404, "knowledge.version_not_found", "The document has no version of this number.")
        return read_again(fake.documents[document_id], found["content"].encode("latin-1"), made_from=version)

    @app.post("/api/chatbot/documents/urls/", status_code=202)
    async def upload_urls(body: dict[str, Any]) -> Any:
        fake.bodies.append(body)
        return {"group_id": str(uuid4()), "jobs": [{"url": url, "job_id": str(uuid4())} for url in body["urls"]]}

    @app.post("/api/chatbot/documents/{document_id}/{action}/")
    async def act(document_id: str, action: str, request: Request) -> Any:
        body = await request.json() if await request.body() else None
        fake.bodies.append(body)
        document = fake.documents[document_id]
        match action:
            case "reprocess":
                read_again(document, fake.contents[document_id], made_from=document["version"])
            case "cancel" | "retry":
                document["state"] = {"cancel": "cancelled", "retry": "queued"}[action]
                fake.polls[document_id] = 0
            case "approve":
                document |= {"approval": "approved", "state": "ready", "processed_at": _NOW}
            case "reject":
                document |= {"approval": "rejected", "state": "rejected", "approval_reason": body["reason"]}
        return document


QUALITY = {
    "parts": {"readable": 0.5, "safe": 1.0},
    "languages": {"en": 0.9, "de": 0.1},
    "counts": {"pages": 2, "empty_pages": 1, "ocr_pages": 0},
    "readability": {"lix": 45.0, "flesch": 52.0, "formula": "Flesch 1948", "words_per_sentence": 18.0},
    "similar": [],
    "findings": [
        {
            "code": "pages.empty",
            "severity": "warning",
            "message": "1 of 2 pages have no text.",
            "what_to_do": "Switch OCR on.",
            "pages": [2],
        }
    ],
    "warnings": [],
}


def _add_parts_of_documents(app: FastAPI, fake: FakeDragoman) -> None:
    place = "/api/chatbot/documents/{document_id}"

    @app.get(place + "/content/")
    async def download(document_id: str, version: int | None = None) -> Any:
        found = [each for each in fake.versions[document_id] if version in (None, each["version"])]
        if not found:
            return problem(404, "knowledge.version_not_found", "The document has no version of this number.")
        content = found[0]["content"].encode("latin-1")
        name = quote(f"../{found[0]['file_name']}", safe="")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Content-Length": str(len(content))}
        cut = content[: len(content) // 2] if found[0]["file_name"].startswith("cut") else content
        return StreamingResponse(iter([cut]), headers=headers)

    @app.get(place + "/versions/")
    async def versions(document_id: str) -> Any:
        return {"document_id": document_id, "versions": fake.versions[document_id]}

    @app.get(place + "/quality/")
    async def quality(document_id: str) -> Any:
        pii = {"mode": "mask", "counts": {"EMAIL_ADDRESS": 3}, "pages": {}, "masked": 3}
        return {"document_id": document_id, "version": 1, "score": 0.71, "report": QUALITY, "pii": pii}

    @app.get(place + "/chunks/")
    async def chunks(document_id: str, limit: int = 50, offset: int = 0) -> Any:
        chunk = {
            "id": str(uuid4()),
            "index": 0,
            "text": fake.contents[document_id].decode(),
            "language": "en",
            "kind": "text",
            "headings": ["Returns", "Terms"],
            "page": 3,
            "start": 0,
            "end": 10,
            "tokens": 7,
            "images": [],
            "provenance": {},
        }
        return _page("chunks", [{**chunk, "index": index} for index in range(3)], limit, offset)

    @app.get(place + "/pages/{number}/")
    async def page(document_id: str, number: int) -> Any:
        text = fake.contents[document_id].decode()
        return {"page": number, "text": text, "start": 0, "ocr": False, "confidence": None}

    @app.get(place + "/images/{image_id}/")
    async def image(document_id: str, image_id: str) -> Response:
        return Response(b"\x89PNG", media_type="image/png")

    @app.get(place + "/history/")
    async def history(document_id: str, limit: int = 50, offset: int = 0) -> Any:
        event = {"id": str(uuid4()), "actor": "key:1", "details": {"version": 1}, "created_at": _NOW}
        return _page("events", [{**event, "action": "document.uploaded"}], limit, offset)

    @app.get("/api/training-data/{chatbot_id}")
    async def training_data(chatbot_id: str, limit: int = 50, offset: int = 0) -> Any:
        mine = [each for each in fake.documents.values() if each["chatbot_id"] == chatbot_id]
        ready = sum(each["state"] == "ready" for each in mine)
        counts = {"total": len(mine), "ready": ready, "processing": 0, "failed": 0, "by_state": {"ready": ready}}
        return {"chatbot_id": chatbot_id, **counts, **_page("documents", mine, limit, offset), "total": len(mine)}


def _add_imports(app: FastAPI, fake: FakeDragoman) -> None:
    @app.post("/api/chatbot/imports/", status_code=201)
    async def create(body: dict[str, Any]) -> Any:
        if fake.is_member:
            return problem(403, "tenancy.forbidden", "The role 'member' may not do this.")
        opened = {
            "id": str(uuid4()),
            "chatbot_id": body.get("chatbot_id") or fake.default_chatbot["id"],
            "name": body["name"],
            "state": "running",
            "expected_documents": body.get("expected_documents"),
            "progress": 0.5,
            "documents_per_minute": 120,
            "seconds_left": 90,
            "requested_by": "key:1",
            "created_at": _NOW,
            "updated_at": _NOW,
            "finished_at": None,
        }
        fake.imports[opened["id"]] = opened
        return fake.import_of(opened["id"])

    @app.get("/api/chatbot/imports/")
    async def list_imports(limit: int = 50, offset: int = 0) -> Any:
        return _page("imports", [fake.import_of(each) for each in fake.imports], limit, offset)

    @app.get("/api/chatbot/imports/{import_id}/")
    async def get(import_id: str) -> Any:
        if import_id not in fake.imports:
            return problem(404, "jobs.group_not_found", "There is no import with this id.")
        for document in fake.documents.values():
            if document["import_id"] == import_id and fake.imports[import_id]["state"] == "running":
                fake.poll(document)
        return fake.import_of(import_id)

    @app.post("/api/chatbot/imports/{import_id}/{action}/")
    async def act(import_id: str, action: str) -> Any:
        states = {"pause": "paused", "resume": "running", "cancel": "cancelled", "retry-failed": "running"}
        fake.imports[import_id]["state"] = states[action]
        return fake.import_of(import_id)

    @app.get("/api/jobs/")
    async def jobs(
        state: str | None = None, import_id: str | None = None, limit: int = 50, offset: int = 0
    ) -> dict[str, Any]:
        found = [fake.job_of(each) for each in fake.documents.values() if import_id in (None, each["import_id"])]
        return _page("jobs", [job for job in found if state in (None, job["state"])], limit, offset)

    @app.post("/api/jobs/{job_id}/{action}/")
    async def act_on_job(job_id: str, action: str) -> Any:
        if job_id not in fake.documents:
            return problem(404, "jobs.not_found", "There is no job with this id.")
        fake.documents[job_id]["state"] = {"retry": "queued", "cancel": "cancelled"}[action]
        return fake.job_of(fake.documents[job_id])


def _add_questions(app: FastAPI, fake: FakeDragoman) -> None:
    def matching(text: str, chatbot_id: str | None) -> list[dict[str, Any]]:
        """Documents by how many words of the text they hold, best first."""
        words = set(text.lower().strip("?").split())
        scored = [
            (len(words & set(fake.contents[each["id"]].decode().lower().replace(".", " ").split())), each)
            for each in fake.documents.values()
            if each["chatbot_id"] == (chatbot_id or fake.default_chatbot["id"])
        ]
        return [each for score, each in sorted(scored, key=lambda pair: -pair[0]) if score]

    def source(document: dict[str, Any], number: int) -> dict[str, Any]:
        return {
            "number": number,
            "doc_id": document["id"],
            "title": document["title"],
            "excerpt": fake.contents[document["id"]].decode(),
            "chunk_id": str(uuid4()),
            "file_name": document["file_name"],
            "external_id": document["external_id"],
            "page": 3,
            "heading_path": ["Returns"],
            "language": "en",
            "start": 0,
            "end": 5,
            "document_start": 100,
            "images": [],
            "similarity_score": 0.9,
            "deleted": False,
        }

    def facts(*, answered: bool) -> dict[str, Any]:
        return {
            "answered": answered,
            "confidence": 0.8,
            "usage": {"input_tokens": 1, "output_tokens": 2, "embedding_calls": 1, "llm_calls": 0, "cost_usd": 0.0},
            "timings": {"retrieve": 5.0, "total": 9.0},
            "grounding": {"method": "quotation", "score": 1.0},
            "degraded": [],
            "model": "extractive",
        }

    @app.post("/api/search")
    async def search(body: dict[str, Any]) -> dict[str, Any]:
        fake.searches.append(body)
        found = matching(body["query"], body.get("chatbot_id"))[: body["max_results"]]
        results = [
            {
                **source(document, rank),
                "content": fake.contents[document["id"]].decode(),
                "rank": rank,
                "document_id": document["id"],
                "content_type": "document",
                "category": "",
                "provenance": {},
                "signals": None,
            }
            for rank, document in enumerate(found, start=1)
        ]
        return {
            "query": body["query"],
            "chatbot_id": body.get("chatbot_id") or fake.default_chatbot["id"],
            "language": "en",
            "mode": body.get("mode") or "hybrid",
            "results": results,
            "total_results": len(results),
            "search_time_ms": 3.0,
            "timings_ms": {"total": 3.0},
            "degraded": [],
        }

    sessions: dict[str, str] = {}
    narrowed: dict[str, list[str] | None] = {}

    @app.post("/api/chatbot/sessions/", status_code=201)
    async def create_session(body: dict[str, Any]) -> dict[str, Any]:
        session_id = str(uuid4())
        sessions[session_id] = body.get("chatbot_id") or fake.default_chatbot["id"]
        narrowed[session_id] = body.get("document_ids")
        return {
            "id": session_id,
            "chatbot_id": sessions[session_id],
            "title": "",
            "state": "bot",
            "is_active": True,
            "settings": {},
            "document_ids": None,
            "created_at": _NOW,
            "updated_at": _NOW,
        }

    @app.post("/api/chatbot/sessions/{session_id}/messages/")
    async def send(session_id: str, body: dict[str, Any]) -> dict[str, Any]:
        fake.questions.append(body["message"])
        chosen = narrowed[session_id]
        found = matching(body["message"], sessions[session_id])
        found = [document for document in found if chosen is None or document["id"] in chosen][:1]
        content = f"{fake.contents[found[0]['id']].decode()} [1]" if found else "I don't know."
        return {
            "id": str(uuid4()),
            "session_id": session_id,
            "parent_id": None,
            "role": "assistant",
            "state": "complete",
            "content": content,
            "language": "en",
            "sources": [source(document, 1) for document in found],
            "tokens_used": 3,
            "response_time": 0.1,
            "created_at": _NOW,
            **facts(answered=bool(found)),
        }

    @app.post("/api/chatbot/sessions/{session_id}/messages/stream/")
    async def stream(session_id: str, body: dict[str, Any]) -> Response:
        if session_id not in sessions:
            return problem(404, "chat.session_not_found", "There is no such session.")
        fake.questions.append(body["message"])
        found = matching(body["message"], sessions[session_id])[:1]
        words = fake.contents[found[0]["id"]].decode().split() if found else ["I", "don't", "know."]
        events: list[dict[str, Any]] = [{"type": "status", "stage": "searching"}]
        events += [{"type": "token", "content": f"{word} "} for word in words]
        if "break" in body["message"]:
            events.append({"type": "error", "code": "inference.llm_unavailable", "detail": "The model went away."})
        else:
            events += [{"type": "source", **source(document, 1)} for document in found]
            ids = {"message_id": str(uuid4()), "session_id": session_id, "tokens": 3, "language": "en"}
            events.append({"type": "complete", **ids, **facts(answered=bool(found))})
        lines = [": heartbeat\n\n", *(f"data: {json.dumps(event)}\n\n" for event in events)]
        return StreamingResponse(iter(lines), media_type="text/event-stream")


@pytest.fixture
def fake() -> FakeDragoman:
    """The state of a server, without one: for `httpx.ASGITransport`."""
    return FakeDragoman()


@pytest.fixture
def fake_server(fake: FakeDragoman) -> Iterator[FakeDragoman]:
    """The same behind a real socket, for commands."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        fake.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(create_fake_app(fake), log_config=None, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield fake
        finally:
            server.should_exit = True
            thread.join(timeout=5)
