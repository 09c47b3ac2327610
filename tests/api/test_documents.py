"""Documents over HTTP: upload, status, search, replacement, deletion, duplicates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from dragoman.ingestion.validate import IN_MEMORY_BYTES
from dragoman.ports.embedder import EmbedderUnavailableError
from dragoman.ports.malware_scanner import ScanResult


async def _contents(company: Any, query: str, **body: Any) -> str:
    return "\n".join(hit["content"] for hit in (await company.search(query, **body))["results"])


async def _pending_jobs(service: Any, tenant_id: Any, kind: str) -> list[Any]:
    async with service.deps.database.transaction(tenant_id) as connection:
        rows = await connection.execute(
            text("select id from jobs where kind = :kind and state = 'queued' order by id"), {"kind": kind}
        )
        return [row.id for row in rows]


async def test_an_uploaded_document_waits_is_read_and_is_then_found(company: Any, service: Any) -> None:
    uploaded = await company.upload(
        title="Partner handbook", category="sales", tags="a, b", metadata='{"region": "EMEA"}'
    )
    document = uploaded.json()
    assert (uploaded.status_code, document["state"], document["processed"]) == (202, "queued", False)
    status = await company.api().get(f"/api/chatbot/documents/{document['id']}/status/")
    assert (status.json()["state"], status.json()["step"], status.json()["progress"]) == ("queued", "waiting", 0.0)
    assert (await company.search("discount for gold partners"))["results"] == []

    await service.run_jobs()

    status = (await company.api().get(f"/api/chatbot/documents/{document['id']}/status/")).json()
    assert (status["state"], status["processed"], status["progress"], status["step"]) == ("ready", True, 1.0, "done")
    assert status["total_chunks"] >= 1
    assert status["error"] is None
    shown = (await company.api().get(f"/api/chatbot/documents/{document['id']}/")).json()
    assert (shown["title"], shown["category"], shown["tags"]) == ("Partner handbook", "sales", ["a", "b"])
    assert shown["metadata"]["region"] == "EMEA"
    assert shown["language"] == "en"
    [hit] = (await company.search("discount for gold partners"))["results"]
    assert hit["document_id"] == document["id"]
    assert "17 percent" in hit["content"]
    assert 0.0 < hit["similarity_score"] <= 1.0
    assert hit["signals"] is None


async def test_a_search_explains_its_scores_only_when_asked(company: Any) -> None:
    await company.know()
    [hit] = (await company.search("discount for gold partners", explain=True))["results"]
    assert hit["signals"]["dense"] > 0.0
    assert hit["signals"]["keyword"] > 0.0


@pytest.mark.parametrize("mode", ["dense", "keyword", "hybrid"])
async def test_each_search_mode_finds_the_passage(company: Any, mode: str) -> None:
    await company.know()
    result = await company.search("discount for gold partners", mode=mode)
    assert result["mode"] == mode
    assert "17 percent" in result["results"][0]["content"]


async def test_a_search_is_narrowed_to_chosen_documents_categories_and_languages(company: Any) -> None:
    english = await company.know(category="policy")
    german = await company.know(
        "# Rabatt\n\nDie Partner der Stufe Gold erhalten einen Rabatt von 17 Prozent auf jeden Projektor.\n",
        "rabatt.md",
    )
    question = "Rabatt discount gold partner"
    found = [hit["document_id"] for hit in (await company.search(question))["results"]]
    assert set(found) == {english["id"], german["id"]}
    for wanted, narrowed in (
        (english, {"document_ids": [english["id"]]}),
        (english, {"categories": ["policy"]}),
        (german, {"languages": ["de"]}),
    ):
        hits = (await company.search(question, **narrowed))["results"]
        assert {hit["document_id"] for hit in hits} == {wanted["id"]}, narrowed


async def test_documents_are_listed_in_pages_the_newest_first(company: Any) -> None:
    ids = [(await company.upload(f"Note number {number}.", f"note-{number}.txt")).json()["id"] for number in range(3)]
    first = (await company.api().get("/api/chatbot/documents/", params={"limit": 2})).json()
    rest = (await company.api().get("/api/chatbot/documents/", params={"limit": 2, "offset": 2})).json()
    assert [document["id"] for document in first["documents"] + rest["documents"]] == ids[::-1]
    assert (first["total"], first["limit"], rest["offset"]) == (3, 2, 2)
    named = (await company.api().get("/api/chatbot/documents/", params={"title": "NOTE-1"})).json()
    assert [document["id"] for document in named["documents"]] == [ids[1]]
    ready = (await company.api().get("/api/chatbot/documents/", params={"state": "ready"})).json()
    assert ready["total"] == 0


async def test_the_same_file_twice_is_a_duplicate_and_is_not_read_again(company: Any, service: Any) -> None:
    document = await company.know()
    again = await company.upload(name="another-name.md")
    assert (again.status_code, again.json()["is_duplicate"], again.json()["id"]) == (200, True, document["id"])
    assert await service.run_jobs() == 0
    assert (await company.api().get("/api/chatbot/documents/")).json()["total"] == 1


async def test_the_same_file_in_another_tenant_is_no_duplicate(company: Any, other_company: Any) -> None:
    await company.know()
    assert (await other_company.upload()).status_code == 202


# ---- deletion


async def test_a_deleted_document_is_gone_from_the_next_search_and_the_next_answer(company: Any, service: Any) -> None:
    document = await company.know()
    session_id = await company.open_session()
    question = "What discount do gold partners receive on projectors?"
    answer = await company.ask(question, session_id=session_id)
    assert "17 percent" in answer["sources"][0]["excerpt"]

    deleted = await company.api().delete(f"/api/chatbot/documents/{document['id']}/")

    assert deleted.status_code == 204
    assert (await company.search("discount for gold partners"))["results"] == []  # before any job has run
    later = await company.ask(question, session_id=session_id)
    assert not later["answered"]
    assert later["sources"] == []
    assert "17" not in later["content"]
    messages = (await company.api().get(f"/api/chatbot/sessions/{session_id}/messages/")).json()["messages"]
    [source] = messages[1]["sources"]
    assert source["deleted"]
    assert (source["excerpt"], source["title"], source["file_name"]) == ("", "", "")
    for path in ("", "status/"):
        gone = await company.api().get(f"/api/chatbot/documents/{document['id']}/{path}")
        assert gone.status_code == 404

    await service.run_jobs()
    async with service.deps.database.transaction(company.tenant_id) as connection:
        left = (await connection.execute(text("select count(*) from chunks"))).scalar_one()
    assert left == 0
    blobs = [path for path in (service.settings.home / "blobs").rglob("*") if path.is_file()]
    assert not [path for path in blobs if str(company.tenant_id) in str(path)]


async def test_a_document_deleted_while_it_waits_is_never_found(company: Any, service: Any) -> None:
    uploaded = (await company.upload()).json()
    assert (await company.api().delete(f"/api/chatbot/documents/{uploaded['id']}/")).status_code == 204
    await service.run_jobs()
    assert (await company.search("discount for gold partners"))["results"] == []


async def test_a_document_can_be_uploaded_again_after_its_deletion(company: Any) -> None:
    document = await company.know(external_id="handbook")
    await company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    again = await company.know(external_id="handbook")
    assert again["id"] != document["id"]
    assert "17 percent" in await _contents(company, "discount for gold partners")


# ---- replacement


async def test_a_replacement_serves_the_old_version_until_it_is_read_and_then_only_the_new(
    company: Any, service: Any, handbook: str
) -> None:
    document = await company.know(external_id="handbook")
    answer = await company.ask("What discount do gold partners receive?")
    uploaded = await company.upload(handbook.replace("17 percent", "23 percent"), external_id="handbook")
    assert (uploaded.status_code, uploaded.json()["id"], uploaded.json()["version"]) == (202, document["id"], 2)
    assert "17 percent" in await _contents(company, "discount for gold partners")

    await service.run_jobs()

    found = await _contents(company, "discount for gold partners")
    assert "23 percent" in found
    assert "17 percent" not in found
    later = await company.ask("What discount do gold partners receive?")
    assert "23 percent" in later["content"]
    messages = await company.api().get(f"/api/chatbot/sessions/{answer['session_id']}/messages/")
    [source] = messages.json()["messages"][1]["sources"]
    assert (source["deleted"], source["excerpt"]) == (True, "")


async def test_a_replacement_that_cannot_be_read_leaves_the_old_version_in_service(company: Any, service: Any) -> None:
    document = await company.know(external_id="handbook")
    uploaded = await company.upload(_picture_pdf(), "handbook.pdf", external_id="handbook")
    assert uploaded.json()["id"] == document["id"]
    await service.run_jobs()
    status = (await company.api().get(f"/api/chatbot/documents/{document['id']}/status/")).json()
    assert (status["state"], status["processed"], status["error_code"]) == ("ready", True, "ingestion.no_text")
    assert "17 percent" in await _contents(company, "discount for gold partners")


async def test_the_list_says_why_a_document_failed_as_its_status_does(company: Any, service: Any) -> None:
    good = await company.know()
    failed = (await company.upload(_picture_pdf(), "picture.pdf")).json()["id"]
    await service.run_jobs()
    status = (await company.api().get(f"/api/chatbot/documents/{failed}/status/")).json()
    listed = (await company.api().get("/api/chatbot/documents/")).json()["documents"]

    told = {document["id"]: (document["state"], document["error_code"], document["error"]) for document in listed}
    assert told == {good["id"]: ("ready", None, None), failed: ("failed", "ingestion.no_text", status["error"])}
    assert status["error"]

    await company.api().post(f"/api/chatbot/documents/{failed}/retry/")
    [again] = [
        one for one in (await company.api().get("/api/chatbot/documents/")).json()["documents"] if one["id"] == failed
    ]
    assert (again["state"], again["error_code"], again["error"]) == ("queued", None, None)


async def test_an_older_version_that_is_read_late_does_not_replace_the_newer_one(
    company: Any, service: Any, handbook: str
) -> None:
    await company.know(external_id="handbook")
    await company.upload(handbook.replace("17 percent", "20 percent"), external_id="handbook")
    await company.upload(handbook.replace("17 percent", "23 percent"), external_id="handbook")
    older, newer = await _pending_jobs(service, company.tenant_id, "ingestion.ingest_document")
    await service.run_job(company.tenant_id, newer)
    await service.run_job(company.tenant_id, older)
    assert "23 percent" in await _contents(company, "discount for gold partners")


async def test_a_member_cannot_replace_a_shared_document_by_a_private_upload_of_its_external_id(
    company: Any, service: Any, handbook: str
) -> None:
    document = await company.know(external_id="handbook")
    uploaded = await company.upload(
        handbook.replace("17 percent", "99 percent"), who="member", visibility="private", external_id="handbook"
    )
    assert (uploaded.status_code, uploaded.json()["code"]) == (409, "knowledge.external_id_taken")
    assert (await company.api().get(f"/api/chatbot/documents/{document['id']}/")).json()["version"] == 1
    await service.run_jobs()
    assert "99 percent" not in await _contents(company, "discount for gold partners")


# ---- private documents


async def test_a_private_document_is_found_by_its_owner_only(company: Any) -> None:
    document = await company.know(who="member", visibility="private")
    assert "17 percent" in "".join(
        hit["content"] for hit in (await company.search("gold partners discount", who="member"))["results"]
    )
    for other in ("second_member", "owner"):
        assert (await company.search("gold partners discount", who=other))["results"] == []
        assert not (await company.ask("What discount do gold partners receive?", who=other))["answered"]
        assert (await company.api(other).get(f"/api/chatbot/documents/{document['id']}/")).status_code == 404
        assert (await company.api(other).delete(f"/api/chatbot/documents/{document['id']}/")).status_code == 404
        assert (await company.api(other).get("/api/chatbot/documents/")).json()["total"] == 0
    assert (await company.api("member").delete(f"/api/chatbot/documents/{document['id']}/")).status_code == 204


async def test_a_member_may_not_upload_or_delete_shared_documents(company: Any) -> None:
    assert (await company.upload(who="member")).status_code == 403
    document = await company.know()
    refused = await company.api("member").delete(f"/api/chatbot/documents/{document['id']}/")
    assert (refused.status_code, refused.json()["code"]) == (403, "tenancy.forbidden")


# ---- jobs that are interrupted


async def test_a_reading_killed_between_its_steps_resumes_without_doubled_chunks(
    company: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt dies after some batches of vectors; the second goes on where it stood."""
    monkeypatch.setattr("dragoman.ingestion.ingest._EMBED_BATCH", 2)
    sections = [
        f"# Chapter {n}\n\n" + " ".join(f"Fact {n}-{fact} about projectors stands here." for fact in range(40))
        for n in range(8)
    ]
    document = (await company.upload("\n\n".join(sections))).json()
    inference = service.deps.inference
    embedded: list[str] = []
    real, calls = inference.embed_passages, 0

    async def embed_until_killed(context: Any, version: str, texts: list[str]) -> np.ndarray[Any, Any]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise EmbedderUnavailableError
        embedded.extend(texts)
        vectors: np.ndarray[Any, Any] = await real(context, version, texts)
        return vectors

    monkeypatch.setattr(inference, "embed_passages", embed_until_killed)
    await service.run_jobs()
    status = (await company.api().get(f"/api/chatbot/documents/{document['id']}/status/")).json()
    assert (status["state"], status["attempts"], status["error_code"]) == (
        "processing",
        0,
        "embedder.unavailable",
    )  # an outage is no attempt
    assert (await company.search("fact about projectors"))["results"] == []

    [job_id] = await _pending_jobs(service, company.tenant_id, "ingestion.ingest_document")
    async with service.deps.database.system_transaction() as connection:
        await connection.execute(text("update jobs set run_after = now() where id = :id"), {"id": job_id})
    await service.run_jobs()

    assert (await company.api().get(f"/api/chatbot/documents/{document['id']}/status/")).json()["state"] == "ready"
    bodies = [text for text in embedded if "Fact" in text]
    assert len(bodies) == len(set(bodies)), "a text was embedded twice"
    async with service.deps.database.transaction(company.tenant_id) as connection:
        count, distinct, vectors = (
            await connection.execute(
                text(
                    "select count(*), count(distinct (version_id, ordinal)), (select count(*) from chunk_embeddings) "
                    "from chunks"
                )
            )
        ).one()
    assert count == distinct == vectors
    assert count >= 8


async def test_running_the_job_of_a_ready_document_again_changes_nothing(company: Any, service: Any) -> None:
    document = await company.know()
    async with service.deps.database.system_transaction() as connection:
        job_id = (
            await connection.execute(
                text("update jobs set state = 'queued', run_after = now() where tenant_id = :t returning id"),
                {"t": company.tenant_id},
            )
        ).scalar_one()
    await service.run_job(company.tenant_id, job_id)
    found = (await company.search("discount for gold partners"))["results"]
    assert [hit["document_id"] for hit in found] == [document["id"]]


def _picture_pdf() -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.rect(20, 20, 100, 100)
    return bytes(pdf.output())


async def test_uploads_of_one_external_id_at_the_same_time_lose_nothing_that_was_accepted(
    company: Any, service: Any, handbook: str
) -> None:
    """One that came too late by a moment is told to try again; it is no error of the server."""
    uploads = await asyncio.gather(
        *(company.upload(handbook + f"\nEdition {number}.\n", external_id="handbook") for number in range(4))
    )
    assert {upload.status_code for upload in uploads} <= {202, 409}
    accepted = [upload.json() for upload in uploads if upload.status_code == 202]
    assert accepted
    for refused in (upload.json() for upload in uploads if upload.status_code == 409):
        assert (refused["code"], refused["status"]) == ("conflict", 409)
    await service.run_jobs()
    assert {document["id"] for document in accepted} == {accepted[0]["id"]}
    shown = (await company.api().get(f"/api/chatbot/documents/{accepted[0]['id']}/")).json()
    assert (shown["state"], shown["version"]) == ("ready", len(accepted))
    assert (await company.api().get("/api/chatbot/documents/")).json()["total"] == 1


async def test_a_replacement_brings_its_own_title_and_labels_when_it_goes_live(company: Any, service: Any) -> None:
    document = await company.know(external_id="handbook", title="Handbook 2025", category="old")
    await company.upload(
        "# Handbook\n\nGold partners receive 23 percent on projectors.",
        "handbook-2026.md",
        external_id="handbook",
        title="Handbook 2026",
        category="new",
    )
    path = f"/api/chatbot/documents/{document['id']}/"
    assert (await company.api().get(path)).json()["title"] == "Handbook 2025"
    await service.run_jobs()
    found = (await company.api().get(path)).json()
    assert (found["title"], found["category"], found["file_name"]) == ("Handbook 2026", "new", "handbook-2026.md")


async def test_a_blank_title_means_none_and_a_missing_one_comes_from_the_file_name(company: Any) -> None:
    assert (await company.know("Just a line of text.", "note.txt", title=" "))["title"] == ""
    assert (await company.know("Another line of text.", "other-note.txt"))["title"] == "other-note"


async def test_raw_scores_are_explained_to_those_who_may_see_them_only(company: Any) -> None:
    await company.know()
    body = {"query": "discount for gold partners", "explain": True}
    assert (await company.api("member").post("/api/search", json=body)).status_code == 403
    assert (await company.api("editor").post("/api/search", json=body)).status_code == 200


async def test_the_same_content_under_two_names_is_recognised_under_each(company: Any) -> None:
    for name in ("one", "two"):
        assert (await company.upload(external_id=name)).status_code == 202
    for name in ("one", "two"):
        again = await company.upload(external_id=name)
        assert (again.status_code, again.json()["is_duplicate"], again.json()["external_id"]) == (200, True, name)


# --- many at once ----------------------------------------------------------------------------------------------------

BATCH = "/api/chatbot/documents/batch/"


async def _upload_many(company: Any, files: dict[str, bytes], *, who: str = "owner", **form: str) -> dict[str, Any]:
    """The answer's items by the names of the files."""
    parts = [("files", file) for file in files.items()]
    answer = await company.api(who).post(BATCH, files=parts, data=form)
    assert answer.status_code == 202, answer.text
    items: list[dict[str, Any]] = answer.json()["documents"]
    assert [item["file_name"] for item in items] == list(files)
    return dict(zip(files, items, strict=True))


async def test_small_and_large_files_of_one_request_are_each_stored_whole(company: Any, service: Any) -> None:
    files = {f"{number}.txt": f"Lamp number {number} is bright.".encode() for number in range(60)}
    files["large.txt"] = b"Many lamps. " * (IN_MEMORY_BYTES // 10)
    files["same large.txt"] = files["large.txt"]
    items = await _upload_many(company, files)
    assert all(item["accepted"] for item in items.values())
    assert items["same large.txt"]["id"] == items["large.txt"]["id"]
    for name in ("0.txt", "59.txt", "large.txt"):
        stored = await company.api().get(f"/api/chatbot/documents/{items[name]['id']}/content/")
        assert stored.content == files[name], name
    assert list(service.deps.upload_directory.iterdir()) == []
    again = await _upload_many(company, files)
    assert {item["is_duplicate"] for item in again.values()} == {True}
    assert {name: item["id"] for name, item in again.items()} == {name: item["id"] for name, item in items.items()}


async def test_each_bad_file_of_many_is_refused_with_its_own_reason(company: Any, service: Any) -> None:
    files = {
        "good.md": b"# Lamps\n\nLamps are bright.",
        "empty.txt": b"",
        "program.txt": b"MZ" + bytes(200),
        "locked.pdf": _locked_pdf(),
        "broken.pdf": b"%PDF-1.4\nnothing else",
        "active.svg": b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg xmlns='http://www.w3.org/2000/svg'><text>a</text></svg>",
        "page.html": b"<html><body><p>Words.</p></body></html>",
    }
    items = await _upload_many(company, files)
    assert {name: item["error_code"] for name, item in items.items()} == {
        "good.md": None,
        "empty.txt": "ingestion.empty",
        "program.txt": "ingestion.mismatched_type",
        "locked.pdf": "extractor.encrypted",
        "broken.pdf": "ingestion.damaged",
        "active.svg": "ingestion.unsafe",
        "page.html": None,
    }
    assert list(service.deps.upload_directory.iterdir()) == []


async def test_the_uploads_of_a_day_run_out_in_the_middle_of_many_files(company: Any) -> None:
    changed = await company.api().patch(
        f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"documents_per_day_managers": 30}}
    )
    assert changed.status_code == 200, changed.text
    items = await _upload_many(company, {f"{number}.txt": f"Lamp {number}.".encode() for number in range(40)})
    assert [item["error_code"] for item in items.values()] == [None] * 30 + ["ingestion.daily_uploads_used_up"] * 10
    keys = [key async for key in company.service.deps.blob_store.list_keys(f"{company.tenant_id}/")]
    assert len(keys) == 30


class _Scanner:
    """Finds the word `malware`, and notes what it was shown."""

    def __init__(self) -> None:
        self.shown: list[bytes] = []

    async def scan(self, path: Path) -> ScanResult:
        content = await asyncio.to_thread(path.read_bytes)
        self.shown.append(content)
        return ScanResult(signature="Test.Malware" if b"malware" in content else None)


@pytest.fixture
def scanner(service: Any) -> Iterator[_Scanner]:
    """Set for the length of a test."""
    before, scanner = service.deps, _Scanner()
    service.app.state.deps = replace(before, malware_scanner=scanner)
    yield scanner
    service.app.state.deps = before


async def test_the_malware_scanner_sees_each_of_many_files(company: Any, service: Any, scanner: _Scanner) -> None:
    files = {f"{number}.txt": f"Lamp {number}.".encode() for number in range(30)}
    files["bad.txt"] = b"Some malware."
    files["large and bad.txt"] = b"Many lamps. " * (IN_MEMORY_BYTES // 10) + b"malware"
    items = await _upload_many(company, files)
    assert sorted(scanner.shown) == sorted(files.values())
    refused = {name for name, item in items.items() if not item["accepted"]}
    assert refused == {"bad.txt", "large and bad.txt"}
    assert items["bad.txt"]["error_code"] == "ingestion.malware"
    assert list(service.deps.upload_directory.iterdir()) == []


def _locked_pdf() -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.set_encryption(owner_password="owner", user_password="user")
    return bytes(pdf.output())


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/chatbot/documents/", "post"),
        ("/api/chatbot/documents/{document_id}/", "put"),
        ("/api/upload-training-data", "post"),
    ],
)
async def test_an_upload_of_what_is_here_already_answers_as_the_openapi_document_says(
    service: Any, company: Any, path: str, method: str
) -> None:
    document = await company.know()
    api = company.api()
    original = await api.get(f"/api/chatbot/documents/{document['id']}/content/")
    assert original.status_code == 200, original.text
    files = {"file": (document["file_name"], original.content, "text/markdown")}
    again = await api.request(method, path.format(document_id=document["id"]), files=files)
    assert (again.status_code, again.json()["is_duplicate"]) == (200, True), again.text
    declared = service.app.openapi()["paths"][path][method]["responses"]
    assert {"200", "202"} <= set(declared)
    assert declared["200"]["content"] == declared["202"]["content"]
