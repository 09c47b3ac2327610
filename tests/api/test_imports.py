"""Bulk imports through the API: opening, filling, following, pausing, cancelling, retrying."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from dragoman.client.imports import Imports
from dragoman.client.jobs import Jobs
from dragoman.client.transport import Transport
from dragoman.jobs import groups

ABSENT = "019a0000-0000-7000-8000-000000000000"


async def _open(company: Any, who: str = "owner", **body: Any) -> dict[str, Any]:
    opened = await company.api(who).post("/api/chatbot/imports/", json={"name": "Archive", **body})
    assert opened.status_code == 201, opened.text
    made: dict[str, Any] = opened.json()
    return made


async def _fill(company: Any, import_id: str, count: int, *, broken: int = 0) -> list[str]:
    """Uploads so many notes, the last of them unreadable; their ids."""
    ids = []
    for number in range(count):
        content = f"# Note {number}\n\nThe projector of room {number} has {number + 3} lamps."
        name = f"note-{number}.md"
        if number >= count - broken:
            content, name = _picture_pdf(number), f"scan-{number}.pdf"
        uploaded = await company.upload(content, name, import_id=import_id)
        assert uploaded.status_code == 202, uploaded.text
        ids.append(uploaded.json()["id"])
    return ids


def _picture_pdf(number: int) -> Any:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.rect(20, 20, 100 + number, 100)
    return bytes(pdf.output())


async def _show(company: Any, import_id: str, **params: Any) -> dict[str, Any]:
    found = await company.api().get(f"/api/chatbot/imports/{import_id}/", params=params)
    assert found.status_code == 200, found.text
    shown: dict[str, Any] = found.json()
    return shown


async def _act(company: Any, import_id: str, action: str) -> Any:
    return await company.api().post(f"/api/chatbot/imports/{import_id}/{action}/")


async def test_an_import_counts_its_documents_and_ends_when_all_have_come(company: Any, service: Any) -> None:
    opened = await _open(company, expected_documents=3)
    assert (opened["state"], opened["total"], opened["progress"]) == ("running", 0, 0.0)
    await _fill(company, opened["id"], 3)
    waiting = await _show(company, opened["id"])
    assert (waiting["total"], waiting["counts"]["queued"], waiting["progress"]) == (3, 3, 0.0)

    await service.run_jobs()
    await groups.finish_groups(service.deps.database)

    done = await _show(company, opened["id"])
    assert (done["state"], done["counts"]["succeeded"], done["progress"]) == ("finished", 3, 1.0)
    assert done["documents_per_minute"] == 3
    assert done["finished_at"] is not None


async def test_what_failed_is_listed_with_its_reason_page_by_page_and_can_be_retried(
    company: Any, service: Any
) -> None:
    opened = await _open(company)
    ids = await _fill(company, opened["id"], 3, broken=2)
    await service.run_jobs()
    shown = await _show(company, opened["id"], limit=1)
    assert (shown["counts"]["succeeded"], shown["counts"]["failed"]) == (1, 2)
    assert sum(shown["reasons"].values()) == 2
    assert (shown["failures"]["total"], len(shown["failures"]["jobs"])) == (2, 1)
    [failure] = shown["failures"]["jobs"]
    assert failure["document_id"] == ids[2]
    assert failure["error_code"] in shown["reasons"]
    assert failure["error"]
    assert failure["file_name"] == "scan-2.pdf"
    assert len((await _show(company, opened["id"], limit=5, offset=1))["failures"]["jobs"]) == 1

    retried = (await _act(company, opened["id"], "retry-failed")).json()
    assert (retried["retried"], retried["counts"]["queued"], retried["counts"]["failed"]) == (2, 2, 0)
    await service.run_jobs()
    assert (await _show(company, opened["id"]))["counts"]["failed"] == 2, "they are as unreadable as before"


async def test_a_paused_import_reads_nothing_until_it_is_resumed(company: Any, service: Any) -> None:
    opened = await _open(company)
    await _fill(company, opened["id"], 2)
    paused = (await _act(company, opened["id"], "pause")).json()
    assert (paused["state"], paused["counts"]["paused"]) == ("paused", 2)
    await service.run_jobs()
    assert (await company.search("projector"))["results"] == []
    await _fill_one_more(company, opened["id"])
    resumed = (await _act(company, opened["id"], "resume")).json()
    assert (resumed["state"], resumed["counts"]["queued"]) == ("running", 3)
    await service.run_jobs()
    assert (await _show(company, opened["id"]))["counts"]["succeeded"] == 3
    assert (await company.search("projector"))["results"]


async def _fill_one_more(company: Any, import_id: str) -> None:
    uploaded = await company.upload("# Late\n\nThis came while it was paused.", "late.md", import_id=import_id)
    assert uploaded.status_code == 202


async def test_a_cancelled_import_reads_no_more_keeps_what_is_ready_and_takes_nothing(
    company: Any, service: Any
) -> None:
    opened = await _open(company)
    await company.know("# Kept\n\nThe kept note knows of lamps.", "kept.md", import_id=opened["id"])
    ids = await _fill(company, opened["id"], 2)
    cancelled = (await _act(company, opened["id"], "cancel")).json()
    assert (cancelled["state"], cancelled["counts"]["cancelled"], cancelled["counts"]["succeeded"]) == (
        "cancelled",
        2,
        1,
    )
    await service.run_jobs()
    found = (await company.search("lamps"))["results"]
    assert {hit["file_name"] for hit in found} == {"kept.md"}
    for document_id in ids:
        status = (await company.api().get(f"/api/chatbot/documents/{document_id}/status/")).json()
        assert status["state"] not in ("ready", "queued", "processing")
    refused = await company.upload("# More\n\nToo late.", "more.md", import_id=opened["id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "jobs.group_cancelled")
    for action in ("pause", "resume"):
        assert (await _act(company, opened["id"], action)).json()["code"] == "jobs.group_over"


async def test_imports_are_listed_newest_first_by_chatbot_and_state(company: Any) -> None:
    first, second = await _open(company, name="First"), await _open(company, name="Second")
    await _act(company, first["id"], "pause")
    listed = (await company.api().get("/api/chatbot/imports/")).json()
    assert ([each["id"] for each in listed["imports"]], listed["total"]) == ([second["id"], first["id"]], 2)
    paused = (await company.api().get("/api/chatbot/imports/", params={"state": "paused"})).json()
    assert [each["id"] for each in paused["imports"]] == [first["id"]]
    none = await company.api().get("/api/chatbot/imports/", params={"chatbot_id": ABSENT})
    assert none.status_code == 404


@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "retry-failed"])
async def test_another_tenants_import_is_not_there(company: Any, other_company: Any, action: str) -> None:
    opened = await _open(company)
    answer = await _act(other_company, opened["id"], action)
    assert (answer.status_code, answer.json()["code"]) == (404, "jobs.group_not_found")
    assert (await other_company.api().get(f"/api/chatbot/imports/{opened['id']}/")).status_code == 404
    assert (await other_company.api().get("/api/chatbot/imports/")).json()["imports"] == []
    foreign = await other_company.upload("# Note\n\nA note.", "note.md", import_id=opened["id"])
    assert foreign.status_code == 404
    assert (await _show(company, opened["id"]))["total"] == 0


async def test_imports_are_for_those_who_manage_documents(company: Any) -> None:
    opened = await _open(company, who="editor")
    for who in ("agent", "member"):
        api = company.api(who)
        assert (await api.post("/api/chatbot/imports/", json={"name": "Mine"})).status_code == 403
        assert (await api.get("/api/chatbot/imports/")).status_code == 403
        assert (await api.get(f"/api/chatbot/imports/{opened['id']}/")).status_code == 403
        assert (await api.post(f"/api/chatbot/imports/{opened['id']}/cancel/")).status_code == 403


async def test_steering_an_import_is_audited(company: Any, service: Any) -> None:
    opened = await _open(company)
    for action in ("pause", "resume", "cancel"):
        await _act(company, opened["id"], action)
    async with service.deps.database.transaction(company.tenant_id) as connection:
        rows = await connection.execute(
            text("select action from audit_events where subject_id = :id order by id"), {"id": opened["id"]}
        )
        assert list(rows.scalars()) == ["import.created", "import.paused", "import.resumed", "import.cancelled"]


async def test_the_client_opens_follows_and_steers_imports_and_jobs(company: Any, service: Any) -> None:
    transport = Transport(
        "http://dragoman.test",
        company.secrets["owner"],
        timeout_s=10,
        max_retries=0,
        transport=httpx.ASGITransport(app=service.app),
    )
    imports, jobs = Imports(transport), Jobs(transport)
    opened = await imports.create("Archive", chatbot_id=company.chatbot_id, expected_documents=2)
    await _fill(company, str(opened.id), 2, broken=1)
    assert (await imports.pause(opened.id)).state == "paused"
    assert (await imports.resume(opened.id)).counts["queued"] == 2
    await service.run_jobs()
    details = await imports.get(opened.id)
    assert (details.progress, sum(details.reasons.values())) == (1.0, 1)
    [failure] = [job async for job in imports.failures(opened.id)]
    assert [job.id async for job in jobs.list(import_id=opened.id, state="failed")] == [failure.id]
    assert (await jobs.retry(failure.id)).state == "queued"
    assert (await jobs.cancel(failure.id)).state == "cancelled"
    assert await jobs.count(import_id=opened.id) == 2
    assert (await imports.retry_failed(opened.id)).counts["queued"] == 0
    assert (await imports.cancel(opened.id)).state == "cancelled"
    assert [each.id async for each in imports.list(state="cancelled")] == [opened.id]
    await transport.close()
