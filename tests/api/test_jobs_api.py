"""The list of jobs, dead ones above all, and what may be done about them."""

from __future__ import annotations

from typing import Any

ABSENT = "019a0000-0000-7000-8000-000000000000"


def _picture_pdf() -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.rect(20, 20, 100, 100)
    return bytes(pdf.output())


async def _list(company: Any, who: str = "owner", **params: Any) -> list[dict[str, Any]]:
    found = await company.api(who).get("/api/jobs/", params=params)
    assert found.status_code == 200, found.text
    jobs: list[dict[str, Any]] = found.json()["jobs"]
    assert found.json()["total"] >= len(jobs)
    return jobs


async def test_a_dead_job_is_listed_with_its_reason_and_can_be_retried(company: Any, service: Any) -> None:
    uploaded = (await company.upload(_picture_pdf(), "scan.pdf", title="Scan")).json()
    await company.know()
    [job] = await _list(company, state="failed")
    assert (job["document_id"], job["title"], job["file_name"]) == (uploaded["id"], "Scan", "scan.pdf")
    assert job["error_code"]
    assert job["error"]
    assert job["chatbot_id"] == str(company.chatbot_id)
    assert [each["id"] for each in await _list(company, reason=job["error_code"])] == [job["id"]]
    assert await _list(company, reason="no.such_reason") == []
    assert [each["id"] for each in await _list(company, document_id=uploaded["id"])] == [job["id"]]
    assert len(await _list(company, kind=job["kind"])) == 2
    assert await _list(company, chatbot_id=ABSENT) == []

    retried = (await company.api().post(f"/api/jobs/{job['id']}/retry/")).json()
    assert (retried["state"], retried["attempts"], retried["error_code"]) == ("queued", 0, None)
    await service.run_jobs()
    [again] = await _list(company, state="failed")
    assert (again["id"], again["attempts"]) == (job["id"], 1)


async def test_a_waiting_job_can_be_cancelled_and_is_never_run(company: Any, service: Any) -> None:
    uploaded = (await company.upload()).json()
    [job] = await _list(company, state="queued")
    cancelled = await company.api().post(f"/api/jobs/{job['id']}/cancel/")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    await service.run_jobs()
    assert (await company.search("discount for gold partners"))["results"] == []
    again = await company.api().post(f"/api/jobs/{job['id']}/cancel/")
    assert (again.status_code, again.json()["code"]) == (409, "jobs.not_cancellable")
    status = (await company.api().get(f"/api/chatbot/documents/{uploaded['id']}/status/")).json()
    assert status["state"] not in ("ready", "queued", "processing")

    assert (await company.api().post(f"/api/jobs/{job['id']}/retry/")).json()["state"] == "queued"
    await service.run_jobs()
    assert (await company.search("discount for gold partners"))["results"]


async def test_a_job_that_succeeded_cannot_be_retried(company: Any) -> None:
    await company.know()
    [job] = await _list(company, state="succeeded")
    refused = await company.api().post(f"/api/jobs/{job['id']}/retry/")
    assert (refused.status_code, refused.json()["code"]) == (409, "jobs.not_retryable")


async def test_jobs_of_another_tenant_are_not_there(company: Any, other_company: Any) -> None:
    await company.upload()
    [job] = await _list(company)
    assert await _list(other_company) == []
    for action in ("retry", "cancel"):
        answer = await other_company.api().post(f"/api/jobs/{job['id']}/{action}/")
        assert (answer.status_code, answer.json()["code"]) == (404, "jobs.not_found")
    assert (await _list(company))[0]["state"] == "queued"


async def test_jobs_are_for_those_who_manage_documents_and_show_no_title_of_private_ones(company: Any) -> None:
    await company.upload("# Salary\n\nA private note.", "salary.md", who="member", visibility="private")
    for who in ("agent", "member"):
        assert (await company.api(who).get("/api/jobs/")).status_code == 403
    [job] = await _list(company, who="editor")
    assert (job["title"], job["file_name"]) == (None, None)
