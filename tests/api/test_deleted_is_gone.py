"""Deleted is gone: in the first request after the response nothing shows the old text, and after the purge nothing holds it.

Each test writes a word that nobody else writes and then looks for it: in all that the API shows, in every row of the
tenant, and in every file. Messages keep the words of answers already given, as the design says.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from docx import Document as DocxDocument
from docx.shared import Inches
from PIL import Image
from psycopg import sql
from sqlalchemy import text
from tests.api.conftest import Company, Service

from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.wiring import job_kinds
from dragoman.ingestion import ingest
from dragoman.ingestion.embed import embed_chunks
from dragoman.jobs import service as jobs

DOCUMENTS = "/api/chatbot/documents/"
QUESTION = "Which word opens the vault of the archive?"
KEEPS_ITS_WORDS = {"messages", "sessions"}  # what askers wrote and were answered


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder below which connectors may read."""
    return tmp_path_factory.mktemp("allowed")


@pytest.fixture(scope="module")
async def service(settings_for: Callable[..., Any], files: Path) -> AsyncIterator[Service]:
    settings = settings_for(connector_folders=[files], ocr=None)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


@pytest.fixture
def word() -> str:
    """A word of letters only, which no stemmer shortens: it ends in a consonant that no ending has."""
    return "q" + "".join(chr(ord("a") + int(digit, 16)) for digit in uuid4().hex[:12]) + "zq"


def about(word: str) -> str:
    return f"# The archive\n\nThe vault of the archive opens with the word {word}.\n\nThe archive has two floors.\n"


# --- looking ---------------------------------------------------------------------------------------------------------


async def shown(company: Company, document_id: str = "", session_id: str = "") -> dict[str, str]:
    """What each request shows that might show the text of a document, as JSON."""
    answers: dict[str, Any] = {
        f"search {mode}": await company.search(QUESTION, mode=mode) for mode in ("hybrid", "dense", "keyword")
    }
    asking = await company.open_session()
    for turn in ("ask", "ask again"):
        answers[turn] = await company.ask(QUESTION, session_id=asking)
    paths = [
        DOCUMENTS,
        f"/api/training-data/{company.chatbot_id}",
        "/api/jobs/",
        "/api/chatbot/imports/",
        "/api/chatbot/connectors/",
    ]
    if document_id:
        paths += [
            f"{DOCUMENTS}{document_id}/{part}"
            for part in ("", "status/", "versions/", "chunks/", "pages/1/", "quality/", "history/")
        ]
    for path in paths:
        answers[path] = (await company.api().get(path)).json()
    if session_id:
        listed = (await company.api().get(f"/api/chatbot/sessions/{session_id}/messages/")).json()["messages"]
        answers["old citations"] = [message["sources"] for message in listed]
    return {name: json.dumps(answer, ensure_ascii=False) for name, answer in answers.items()}


async def require_not_shown(company: Company, word: str, document_id: str = "", session_id: str = "") -> None:
    seen = await shown(company, document_id, session_id)
    assert [name for name, answer in seen.items() if word in answer] == []


async def require_nothing_held(company: Company, word: str, *, files_too: bool = True) -> None:
    """No row of the tenant and no file holds the word, asked as the administrator, who sees all rows."""
    held = [table for table in await tables_with(company, word) if table not in KEEPS_ITS_WORDS]
    assert held == []
    if files_too:
        assert files_with(company, word) == []


async def tables_with(company: Company, word: str) -> list[str]:
    url = str(company.service.settings.database_url).replace("+psycopg", "")
    found = []
    async with await psycopg.AsyncConnection.connect(url) as connection:
        tables = await connection.execute(
            "select table_name from information_schema.columns join information_schema.tables using (table_schema, table_name) "
            "where table_schema = 'public' and column_name = 'tenant_id' and table_type = 'BASE TABLE' order by 1"
        )
        names = [row[0] for row in await tables.fetchall()]
        assert {"chunks", "document_pages", "outbox_events", "jobs", "messages"} <= set(names)
        for name in names:
            query = sql.SQL(
                "select 1 from {table} as line where tenant_id = %s and (line::text ilike %s or line::text ilike %s) limit 1"
            )
            row = await connection.execute(
                query.format(table=sql.Identifier(name)),
                (company.tenant_id, f"%{word}%", f"%{word.encode().hex()}%"),  # bytes are shown in hexadecimal
            )
            found += [name] if await row.fetchone() else []
    return found


def files_with(company: Company, word: str) -> list[str]:
    home = company.service.settings.home
    return [str(path) for path in home.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def blobs_of(company: Company) -> list[Path]:
    folder = company.service.settings.home / "blobs" / str(company.tenant_id)
    return [path for path in folder.rglob("*") if path.is_file()]


async def known_and_cited(company: Company, word: str, **form: str) -> tuple[str, str]:
    """A document that is ready and was quoted in a session: their ids."""
    document = await company.know(about(word), **form)
    session_id = await company.open_session()
    answer = await company.ask(QUESTION, session_id=session_id)
    assert word in answer["content"]
    assert word in answer["sources"][0]["excerpt"]
    return document["id"], session_id


async def set_chatbot(company: Company, **settings: Any) -> None:
    changed = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    assert changed.status_code == 200, changed.text


async def replace(company: Company, document_id: str, content: str) -> None:
    put = await company.api().put(f"{DOCUMENTS}{document_id}/", files={"file": ("handbook.md", content.encode())})
    assert put.status_code == 202, put.text


# --- what is deleted, replaced or refused ----------------------------------------------------------------------------


async def test_a_deleted_document_is_gone_from_the_next_request_and_after_the_purge_from_everywhere(
    company: Company, word: str
) -> None:
    document_id, session_id = await known_and_cited(
        company,
        word,
        name=f"{word}.md",
        title=f"Title {word}",
        category=f"category {word}",
        tags=f"tag-{word}",
        external_id=f"id-{word}",
        metadata=json.dumps({"note": word}),
    )
    assert {"chunks", "document_pages", "document_versions", "documents"} <= set(await tables_with(company, word))
    assert files_with(company, word)

    assert (await company.api().delete(f"{DOCUMENTS}{document_id}/")).status_code == 204

    await require_not_shown(company, word, document_id, session_id)
    listed = (await company.api().get(f"/api/chatbot/sessions/{session_id}/messages/")).json()["messages"]
    assert all(source["deleted"] for message in listed for source in message["sources"])
    assert word in listed[1]["content"]  # what was said stays said
    await company.service.run_jobs()
    await require_nothing_held(company, word)
    await require_not_shown(company, word, document_id, session_id)


async def test_a_deleted_document_takes_its_pictures_along(company: Company, word: str, tmp_path: Path) -> None:
    Image.effect_noise((240, 180), 80).convert("RGB").save(tmp_path / "plan.png")
    file = DocxDocument()
    file.add_paragraph(f"The vault of the archive opens with the word {word}.")
    file.add_picture(str(tmp_path / "plan.png"), width=Inches(3))
    file.save(str(tmp_path / "plan.docx"))
    document = await company.know((tmp_path / "plan.docx").read_bytes(), "plan.docx")
    [image] = (await company.search(QUESTION))["results"][0]["images"]
    path = f"{DOCUMENTS}{document['id']}/images/{image}/"
    assert (await company.api().get(path)).status_code == 200

    await company.api().delete(f"{DOCUMENTS}{document['id']}/")

    assert (await company.api().get(path)).status_code == 404
    await company.service.run_jobs()
    await require_nothing_held(company, word)
    assert blobs_of(company) == []


async def test_a_replaced_text_is_gone_with_the_commit_of_the_new_one(company: Company, word: str) -> None:
    document_id, session_id = await known_and_cited(company, word)
    await replace(company, document_id, about("swordfish"))
    assert word in json.dumps(await company.search(QUESTION))  # serves until the new one is read

    await company.service.run_jobs(kind="ingestion.ingest_document")

    await require_not_shown(company, word, document_id, session_id)
    assert "swordfish" in (await company.ask(QUESTION))["content"]
    await company.service.run_jobs()
    await require_nothing_held(company, word, files_too=False)  # the original stays, so that it can be restored


async def test_a_restored_version_takes_the_place_of_the_present_one(company: Company, word: str) -> None:
    document_id = (await company.know(about("swordfish")))["id"]
    await replace(company, document_id, about(word))
    await company.service.run_jobs()
    session_id = await company.open_session()
    assert word in (await company.ask(QUESTION, session_id=session_id))["content"]

    restored = await company.api().post(f"{DOCUMENTS}{document_id}/versions/1/restore/")
    assert restored.status_code == 202
    await company.service.run_jobs()

    await require_not_shown(company, word, document_id, session_id)
    await require_nothing_held(company, word, files_too=False)


async def test_what_is_masked_when_a_document_is_read_again_is_gone(company: Company, word: str) -> None:
    address = f"{word}@example.com"
    document = await company.know(f"# The archive\n\nAsk {address} which word opens the vault of the archive.\n")
    session_id = await company.open_session()
    assert address in (await company.ask(QUESTION, session_id=session_id))["content"]
    await set_chatbot(company, pii="mask")

    again = await company.api().post(f"{DOCUMENTS}{document['id']}/reprocess/", json={})
    assert again.status_code == 202
    await company.service.run_jobs()

    assert (await company.search("vault of the archive"))["results"]
    await require_not_shown(company, word, document["id"], session_id)
    await require_nothing_held(company, word, files_too=False)


async def test_a_rejected_document_leaves_no_text_behind(company: Company, word: str) -> None:
    await set_chatbot(company, moderation="review")
    document_id = (await company.upload(about(word))).json()["id"]
    await company.service.run_jobs()
    assert word not in json.dumps(await company.search(QUESTION))

    rejected = await company.api().post(f"{DOCUMENTS}{document_id}/reject/", json={"reason": "Not for all."})
    assert rejected.status_code == 200, rejected.text

    await require_not_shown(company, word, document_id)
    await company.service.run_jobs()
    await require_nothing_held(company, word, files_too=False)


async def test_a_removed_connector_takes_the_text_of_its_documents_along(
    company: Company, word: str, files: Path
) -> None:
    folder = files / str(company.tenant_id)
    folder.mkdir()
    (folder / f"{word}.md").write_text(about(word))
    os.utime(folder / f"{word}.md", (time.time() - 100,) * 2)  # one that was just written may not be whole yet
    body = {"name": "Files", "kind": "folder", "settings": {"path": str(folder)}}
    connector = (await company.api().post("/api/chatbot/connectors/", json=body)).json()
    await company.service.run_jobs()
    session_id = await company.open_session()
    await company.ask(QUESTION, session_id=session_id)
    found = await company.search(QUESTION)
    assert word in json.dumps(found)
    [document] = (await company.api().get(DOCUMENTS)).json()["documents"]

    gone = await company.api().delete(f"/api/chatbot/connectors/{connector['id']}/", params={"documents": "delete"})
    assert gone.status_code == 204

    await company.service.run_jobs(kind="connectors.remove")
    await require_not_shown(company, word, document["id"], session_id)
    await company.service.run_jobs()
    await require_nothing_held(company, word)


async def test_the_reason_of_a_failure_goes_with_the_document_that_it_names(company: Company, word: str) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (40, 40)).save(picture, "PNG")
    document_id = (await company.upload(picture.getvalue(), f"{word}.png")).json()["id"]
    await company.service.run_jobs()
    status = (await company.api().get(f"{DOCUMENTS}{document_id}/status/")).json()
    assert status["state"] == "failed"
    assert word in status["error"]
    await company.api().delete(f"{DOCUMENTS}{document_id}/")
    await company.service.run_jobs()
    await require_not_shown(company, word, document_id)
    await require_nothing_held(company, word)


async def test_events_tell_ids_and_no_text(company: Company, word: str) -> None:
    document_id, _ = await known_and_cited(company, word, title=f"Title {word}")
    await company.api().delete(f"{DOCUMENTS}{document_id}/")
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        told = list(await connection.execute(text("select topic, payload from outbox_events")))
    assert {"document.ready", "document.deleted"} <= {event.topic for event in told}
    assert word not in json.dumps([event.payload for event in told])


# --- while a job is at work ------------------------------------------------------------------------------------------


async def _alone(company: Company) -> None:
    await company.service.run_jobs(kind="ingestion.ingest_document")


async def _together(company: Company) -> None:
    """As a worker does, which reads small new documents many at a time."""
    deps = company.service.deps
    while await jobs.execute_next(deps.database, job_kinds(deps)):
        pass


@pytest.mark.parametrize("run", [_alone, _together])
@pytest.mark.parametrize("step", ["_read", "embed_chunks", "_cut_pages"])
async def test_a_document_deleted_and_purged_while_it_is_read_leaves_nothing(
    company: Company,
    word: str,
    step: str,
    run: Callable[[Company], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document_id = (await company.upload(about(word), f"{word}.md", title=f"Title {word}")).json()["id"]
    real, done = getattr(ingest, step), False

    async def delete_after(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        result = await real(*args, **kwargs)
        if not done:
            done = True
            assert (await company.api().delete(f"{DOCUMENTS}{document_id}/")).status_code == 204
            await require_not_shown(company, word, document_id)
            await company.service.run_jobs(kind="knowledge.purge_document")
        return result

    monkeypatch.setattr(ingest, step, delete_after)
    await run(company)
    assert done
    await require_not_shown(company, word, document_id)
    await company.service.run_jobs()
    await require_nothing_held(company, word)
    failed = (await company.api().get("/api/jobs/", params={"state": "failed"})).json()
    assert failed["total"] == 0, failed


async def test_a_document_deleted_while_its_replacement_is_read_leaves_nothing(
    company: Company, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id, session_id = await known_and_cited(company, word)
    await replace(company, document_id, about(word) + "\nIt was painted in spring.\n")
    real = embed_chunks

    async def delete_first(*args: Any, **kwargs: Any) -> Any:
        assert (await company.api().delete(f"{DOCUMENTS}{document_id}/")).status_code == 204
        await company.service.run_jobs(kind="knowledge.purge_document")
        return await real(*args, **kwargs)

    monkeypatch.setattr(ingest, "embed_chunks", delete_first)
    await company.service.run_jobs()
    await require_not_shown(company, word, document_id, session_id)
    await require_nothing_held(company, word)


async def test_a_deleted_document_is_not_resurrected_by_its_own_retry(company: Company, word: str) -> None:
    document_id = (await company.upload(about(word))).json()["id"]
    assert (await company.api().post(f"{DOCUMENTS}{document_id}/cancel/")).status_code == 200
    assert (await company.api().post(f"{DOCUMENTS}{document_id}/retry/")).status_code == 202
    await company.api().delete(f"{DOCUMENTS}{document_id}/")
    await company.service.run_jobs()
    await require_not_shown(company, word, document_id)
    await require_nothing_held(company, word)


# --- a purge that is killed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "dragoman.knowledge.repository.delete_pages",
        "dragoman.knowledge.repository.forget_deleted",
        "dragoman.knowledge.service.jobs.announce_many",
        "blob",
    ],
)
async def test_a_purge_killed_half_way_ends_clean_when_it_is_run_again(
    company: Company, word: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id, session_id = await known_and_cited(company, word)
    await replace(company, document_id, about(word) + "\nIt was painted in spring.\n")
    await company.service.run_jobs()
    assert (await company.api().delete(f"{DOCUMENTS}{document_id}/")).status_code == 204
    with monkeypatch.context() as patch:
        if place == "blob":
            kill_at_the_second_blob(company, patch)
        else:
            patch.setattr(place, killed)
        await company.service.run_jobs(kind="knowledge.purge_document")
    await require_not_shown(company, word, document_id, session_id)
    assert blobs_of(company) or place.endswith("announce_many")
    async with company.service.deps.database.system_transaction() as connection:
        await connection.execute(
            text("update jobs set run_after = now() where tenant_id = :t and state = 'queued'"),
            {"t": company.tenant_id},
        )
    await company.service.run_jobs()
    await require_nothing_held(company, word)
    assert blobs_of(company) == []


async def killed(*_: Any, **__: Any) -> None:
    raise KilledError


def kill_at_the_second_blob(company: Company, patch: pytest.MonkeyPatch) -> None:
    store = company.service.deps.blob_store
    real, calls = store.delete, 0

    async def delete(key: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KilledError
        await real(key)

    patch.setattr(store, "delete", delete)


class KilledError(Exception):
    """The worker died here."""
