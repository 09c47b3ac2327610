"""What owners do with documents over HTTP: versions, approval, downloads, pages, pictures, limits, reports."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from docx import Document as DocxDocument
from docx.shared import Inches
from PIL import Image, ImageDraw
from sqlalchemy import text

DOCUMENTS = "/api/chatbot/documents/"
OLD = "# Returns\n\nGoods may be returned within forty two days of delivery.\n"
NEW = "# Returns\n\nGoods may be returned within ninety nine days of delivery.\n"


async def _get(company: Any, path: str, *, who: str = "owner", **params: Any) -> Any:
    answer = await company.api(who).get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _put(company: Any, document_id: str, content: str, name: str = "returns.md", *, who: str = "owner") -> Any:
    return await company.api(who).put(f"{DOCUMENTS}{document_id}/", files={"file": (name, content.encode())})


async def _set(company: Any, **settings: Any) -> None:
    changed = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    assert changed.status_code == 200, changed.text


async def _contents(company: Any, query: str, *, who: str = "owner") -> str:
    return json.dumps((await company.search(query, who=who))["results"])


# --- versions --------------------------------------------------------------------------------------------------------


async def test_a_replacement_serves_the_old_text_until_it_is_read_and_then_nothing_of_it(
    company: Any, service: Any
) -> None:
    document = await company.know(OLD, "returns.md")
    replaced = await _put(company, document["id"], NEW)
    assert replaced.status_code == 202, replaced.text
    assert "forty two" in await _contents(company, "returns")
    await service.run_jobs()
    found = await _contents(company, "returns")
    assert "ninety nine" in found
    assert "forty two" not in found
    versions = (await _get(company, f"{DOCUMENTS}{document['id']}/versions/"))["versions"]
    assert [(v["version"], v["is_live"]) for v in versions] == [(2, True), (1, False)]


async def test_an_older_version_is_restored_as_a_new_one(company: Any, service: Any) -> None:
    document = await company.know(OLD, "returns.md")
    await _put(company, document["id"], NEW)
    await service.run_jobs()
    restored = await company.api().post(f"{DOCUMENTS}{document['id']}/versions/1/restore/")
    assert restored.status_code == 202, restored.text
    assert "ninety nine" in await _contents(company, "returns")
    await service.run_jobs()
    found = await _contents(company, "returns")
    assert "forty two" in found
    assert "ninety nine" not in found
    versions = (await _get(company, f"{DOCUMENTS}{document['id']}/versions/"))["versions"]
    assert versions[0]["version"] == 3
    assert versions[0]["made_from"] == 1
    missing = await company.api().post(f"{DOCUMENTS}{document['id']}/versions/9/restore/")
    assert (missing.status_code, missing.json()["code"]) == (404, "knowledge.version_not_found")


async def test_the_same_content_again_replaces_nothing(company: Any) -> None:
    document = await company.know(OLD, "returns.md")
    again = await _put(company, document["id"], OLD)
    assert again.status_code == 200
    assert again.json()["is_duplicate"] is True
    assert again.json()["version"] == 1


async def test_a_reprocessed_document_takes_its_vectors_over_unless_all_are_wanted_anew(
    company: Any, service: Any
) -> None:
    document = await company.know()
    path = f"{DOCUMENTS}{document['id']}/reprocess/"
    assert (await company.api().post(path, json={})).status_code == 202
    await service.run_jobs()
    shown = await _get(company, f"{DOCUMENTS}{document['id']}/")
    assert shown["reused_chunks"] == shown["total_chunks"] > 0
    assert (await company.api().post(path, json={"embed_all": True})).status_code == 202
    await service.run_jobs()
    shown = await _get(company, f"{DOCUMENTS}{document['id']}/")
    assert shown["reused_chunks"] == 0
    assert shown["version"] == 3


async def test_an_edited_paragraph_costs_at_most_three_chunks_of_two_hundred(company: Any, service: Any) -> None:
    paragraphs = [
        f"Article {number}. "
        + " ".join(f"Clause {number * 7 + part} governs the delivery of item {part}." for part in range(30))
        for number in range(230)
    ]
    document = await company.know("\n\n".join(paragraphs), "contract.txt")
    assert document["total_chunks"] >= 200
    paragraphs[117] = "This article was struck out by agreement of both parties in the spring of that year."
    await _put(company, document["id"], "\n\n".join(paragraphs), "contract.txt")
    await service.run_jobs()
    after = await _get(company, f"{DOCUMENTS}{document['id']}/")
    assert after["version"] == 2
    assert after["total_chunks"] - after["reused_chunks"] <= 3
    assert "struck out by agreement" in await _contents(
        company, "which article was struck out by agreement of both parties"
    )


async def test_a_new_title_makes_a_new_version_and_labels_change_at_once(company: Any, service: Any) -> None:
    document = await company.know(OLD, "returns.md")
    path = f"{DOCUMENTS}{document['id']}/"
    changed = await company.api().patch(path, json={"category": "law", "tags": ["eu"], "title": "How returns work"})
    assert changed.status_code == 200, changed.text
    shown = await _get(company, path)
    assert (shown["category"], shown["tags"], shown["title"]) == ("law", ["eu"], document["title"])
    await service.run_jobs()
    shown = await _get(company, path)
    assert (shown["title"], shown["version"], shown["category"]) == ("How returns work", 2, "law")
    hit = (await company.search("returns", categories=["law"]))["results"][0]
    assert hit["title"] == "How returns work"


# --- approval --------------------------------------------------------------------------------------------------------


async def test_in_a_moderated_chatbot_nothing_is_found_before_its_approval(company: Any, service: Any) -> None:
    await _set(company, moderation="review")
    uploaded = await company.upload(OLD, "returns.md", who="member")
    assert uploaded.status_code == 202, uploaded.text
    await service.run_jobs()
    path = f"{DOCUMENTS}{uploaded.json()['id']}/"
    assert (await _get(company, path))["state"] == "pending"
    assert (await company.search("returns"))["results"] == []
    assert "forty two" not in (await company.ask("Within how many days may goods be returned?"))["content"]
    assert (await company.api("second_member").get(path)).status_code == 404
    assert (await company.api("member").post(path + "approve/")).status_code == 403
    listed = await _get(company, DOCUMENTS, approval="pending")
    assert [item["id"] for item in listed["documents"]] == [uploaded.json()["id"]]
    approved = await company.api("editor").post(path + "approve/")
    assert approved.json()["state"] == "ready"
    assert "forty two" in await _contents(company, "returns", who="second_member")
    again = await company.api("editor").post(path + "approve/")
    assert (again.status_code, again.json()["code"]) == (409, "knowledge.nothing_to_decide")
    events = (await _get(company, path + "history/"))["events"]
    assert [event["action"] for event in events] == ["document.approved", "document.uploaded"]


async def test_a_rejected_document_tells_its_uploader_why_and_is_never_found(company: Any, service: Any) -> None:
    await _set(company, moderation="review")
    uploaded = await company.upload(OLD, "returns.md", who="member")
    path = f"{DOCUMENTS}{uploaded.json()['id']}/"
    rejected = await company.api("editor").post(path + "reject/", json={"reason": "Out of date."})
    assert rejected.status_code == 200, rejected.text
    await service.run_jobs()
    shown = await _get(company, path, who="member")
    assert (shown["state"], shown["approval_reason"]) == ("rejected", "Out of date.")
    assert (await company.search("returns"))["results"] == []
    assert (await _get(company, path + "chunks/"))["total"] == 0


async def test_a_moderated_replacement_serves_the_old_version_until_it_is_approved(company: Any, service: Any) -> None:
    document = await company.know(OLD, "returns.md")
    await _set(company, moderation="review")
    await _put(company, document["id"], NEW, "draft.md")
    await service.run_jobs()
    found = await _contents(company, "returns")
    assert "forty two" in found
    assert "ninety nine" not in found
    versions = (await _get(company, f"{DOCUMENTS}{document['id']}/versions/", who="member"))["versions"]
    assert [(version["version"], version["file_name"]) for version in versions] == [(1, "returns.md")]
    assert (await _get(company, f"{DOCUMENTS}{document['id']}/quality/", who="member"))["version"] == 1
    assert (await _get(company, f"{DOCUMENTS}{document['id']}/quality/"))["version"] == 2
    await company.api().post(f"{DOCUMENTS}{document['id']}/approve/")
    found = await _contents(company, "returns")
    assert "ninety nine" in found
    assert "forty two" not in found


async def test_a_document_of_too_low_quality_waits_for_approval(company: Any, service: Any) -> None:
    await _set(company, min_quality_score=1.0)
    uploaded = await company.upload("Ã©Ã¨ caf\ufffd\ufffd\ufffd Ã¼ber Ã¶l Ã©t\ufffd", "broken.txt")
    await service.run_jobs()
    shown = await _get(company, f"{DOCUMENTS}{uploaded.json()['id']}/")
    assert shown["state"] == "pending"
    assert "quality score" in shown["approval_reason"]
    report = await _get(company, f"{DOCUMENTS}{uploaded.json()['id']}/quality/")
    assert report["score"] < 1
    assert all(finding["what_to_do"] for finding in report["report"]["findings"])


# --- cancelling and retrying -----------------------------------------------------------------------------------------


async def test_a_cancelled_document_is_not_read_until_it_is_retried(company: Any, service: Any) -> None:
    uploaded = await company.upload(OLD, "returns.md")
    path = f"{DOCUMENTS}{uploaded.json()['id']}/"
    cancelled = await company.api().post(path + "cancel/")
    assert cancelled.json()["state"] == "cancelled", cancelled.text
    await service.run_jobs()
    assert (await company.search("returns"))["results"] == []
    again = await company.api().post(path + "cancel/")
    assert (again.status_code, again.json()["code"]) == (409, "knowledge.nothing_to_cancel")
    retried = await company.api().post(path + "retry/")
    assert retried.status_code == 202, retried.text
    await service.run_jobs()
    assert "forty two" in await _contents(company, "returns")


async def test_a_failed_document_says_why_step_by_step_and_can_be_retried(company: Any, service: Any) -> None:
    uploaded = await company.upload("§ … — !", "nothing.txt")
    await service.run_jobs()
    path = f"{DOCUMENTS}{uploaded.json()['id']}/"
    status = await _get(company, path + "status/")
    assert (status["state"], status["error_code"]) == ("failed", "ingestion.no_text")
    assert status["error"]
    assert {step["state"] for step in status["steps"]} <= {"done", "failed", "skipped"}
    assert (await company.api().post(path + "retry/")).status_code == 202
    await service.run_jobs()
    assert (await _get(company, path))["state"] == "failed"


# --- reading what is stored ------------------------------------------------------------------------------------------


async def test_the_original_comes_back_byte_for_byte_and_is_never_opened_by_a_browser(company: Any) -> None:
    page = "<html><body><script>alert(1)</script><p>Returns take forty two days.</p></body></html>"
    document = await company.know(page, "Rück gabe.html")
    answer = await company.api("member").get(f"{DOCUMENTS}{document['id']}/content/")
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == document["content_hash"]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''R%C3%BCck%20gabe.html")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    events = (await _get(company, f"{DOCUMENTS}{document['id']}/history/"))["events"]
    assert events[0]["action"] == "document.downloaded"


async def test_originals_are_kept_to_managers_where_downloads_are_off(company: Any) -> None:
    document = await company.know()
    await _set(company, downloads=False)
    path = f"{DOCUMENTS}{document['id']}/content/"
    refused = await company.api("member").get(path)
    assert (refused.status_code, refused.json()["code"]) == (403, "knowledge.download_forbidden")
    assert (await company.api("editor").get(path)).status_code == 200


async def test_a_citation_can_be_read_in_the_place_where_it_stands(company: Any) -> None:
    document = await company.know()
    answer = await company.ask("What discount do gold partners receive?")
    source = answer["sources"][0]
    page = await _get(company, f"{DOCUMENTS}{document['id']}/pages/1/")
    place = source["document_start"] - page["start"]
    assert page["text"][place : place + len(source["excerpt"])] == source["excerpt"]
    assert (await company.api().get(f"{DOCUMENTS}{document['id']}/pages/7/")).json()[
        "code"
    ] == "knowledge.page_not_found"
    chunks = await _get(company, f"{DOCUMENTS}{document['id']}/chunks/")
    assert chunks["total"] == document["total_chunks"]
    for chunk in chunks["chunks"]:
        assert page["text"][chunk["start"] - page["start"] : chunk["end"] - page["start"]] == chunk["text"]


async def test_pictures_inside_a_document_are_shown_with_their_passage_and_go_with_it(
    company: Any, service: Any, tmp_path: Path
) -> None:
    picture = Image.effect_noise((240, 180), 80).convert("RGB")
    ImageDraw.Draw(picture).rectangle((20, 20, 120, 120), fill=(200, 30, 30))
    picture.save(tmp_path / "wiring.png")
    file = DocxDocument()
    file.add_heading("Wiring", level=1)
    file.add_paragraph("The red cable goes into the left socket of the projector.")
    file.add_picture(str(tmp_path / "wiring.png"), width=Inches(3))
    file.save(str(tmp_path / "wiring.docx"))
    document = await company.know((tmp_path / "wiring.docx").read_bytes(), "wiring.docx")
    hit = (await company.search("Where does the red cable go?"))["results"][0]
    assert len(hit["images"]) == 1
    path = f"{DOCUMENTS}{document['id']}/images/{hit['images'][0]}/"
    shown = await company.api("member").get(path)
    assert shown.status_code == 200
    assert shown.headers["content-type"].startswith("image/")
    assert "sandbox" in shown.headers["content-security-policy"]
    await company.api().delete(f"{DOCUMENTS}{document['id']}/")
    assert (await company.api().get(path)).status_code == 404
    await service.run_jobs()
    async with service.deps.database.transaction(company.tenant_id) as connection:
        for table in (
            "document_images",
            "document_pages",
            "chunks",
            "chunk_embeddings",
            "keyword_postings",
            "document_bands",
        ):
            left = await connection.execute(text(f"select count(*) from {table}"))  # the tenant's own rows only
            assert left.scalar_one() == 0, table
    assert list(_blobs(service, company)) == []


def _blobs(service: Any, company: Any) -> list[Path]:
    folder: Path = service.settings.home / "blobs" / str(company.tenant_id)
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_documents_are_filtered_and_sorted(company: Any) -> None:
    await company.know(
        "# Prices\n\nThe lamp costs forty euros in the shop.", "prices.md", category="sales", tags="lamp,eu"
    )
    await company.know(
        "# Repair\n\nThe workshop repairs lamps within a week of arrival.", "repair.md", category="service"
    )

    async def titles(**params: Any) -> list[str]:
        return [item["file_name"] for item in (await _get(company, DOCUMENTS, **params))["documents"]]

    assert await titles(category="sales") == ["prices.md"]
    assert await titles(tag="lamp") == ["prices.md"]
    assert await titles(search="repair") == ["repair.md"]
    assert await titles(sort="title") == ["prices.md", "repair.md"]
    assert await titles(language="en", state="ready", source="upload") == ["repair.md", "prices.md"]
    assert await titles(min_quality=0.0, sort="oldest") == ["prices.md", "repair.md"]
    assert await titles(uploaded_before="2020-01-01T00:00:00Z") == []


# --- many, large, and too many ---------------------------------------------------------------------------------------


async def test_many_files_are_accepted_or_refused_each_by_itself(company: Any, service: Any) -> None:
    files = [
        ("files", ("one.md", b"# One\n\nThe first document is about lamps and their prices.")),
        ("files", ("two.pdf", b"<html>this is no PDF</html>")),
        ("files", ("one-again.md", b"# One\n\nThe first document is about lamps and their prices.")),
        ("files", ("../../etc/passwd.txt", b"A note about cables and where they lead to.")),
    ]
    answer = await company.api().post(f"{DOCUMENTS}batch/", files=files)
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["accepted"], body["duplicates"], body["refused"]) == (3, 1, 1)
    assert body["documents"][1]["error_code"] == "ingestion.mismatched_type"
    assert body["documents"][2]["id"] == body["documents"][0]["id"]
    await service.run_jobs()
    listed = (await _get(company, DOCUMENTS))["documents"]
    assert sorted(item["file_name"] for item in listed) == ["one.md", "passwd.txt"]
    assert {item["state"] for item in listed} == {"ready"}


async def test_an_upload_is_stopped_at_the_limit_while_it_streams_in(company: Any) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="big.txt"\r\n\r\n'
        for _ in range(200):
            sent += 1
            yield b"word " * 200_000
            await asyncio.sleep(0)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await company.api().post(DOCUMENTS, content=body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "ingestion.too_large")
    assert sent < 60


async def test_a_stranger_is_refused_before_the_file_is_read(service: Any, company: Any) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await service.client("dgm_nobody").post(DOCUMENTS, content=body(), headers=headers)
    assert answer.status_code == 401


async def test_the_daily_uploads_of_a_contributor_are_counted(company: Any, service: Any) -> None:
    await _set(company, moderation="review", documents_per_day=2)
    for number in range(2):
        assert (await company.upload(f"Note number {number} on lamps.", "note.txt", who="member")).status_code == 202
    third = await company.upload("One more note on lamps.", "note.txt", who="member")
    assert (third.status_code, third.json()["code"]) == (429, "ingestion.daily_uploads_used_up")
    assert "retry-after" in third.headers
    assert (await company.upload("Note of another person.", "note.txt", who="second_member")).status_code == 202
    assert (await company.upload("Note of the owner.", "note.txt")).status_code == 202


async def test_training_data_is_uploaded_and_counted_as_the_seed_says(company: Any, service: Any) -> None:
    table = "question,answer\nHow do I reset my password?,Click on the link below the sign-in form.\nWhere is my invoice?,Under Billing in your account.\n"
    form = {
        "chatbot_id": str(company.chatbot_id),
        "user_id": "u-7",
        "content_type": "faq",
        "title": "FAQ Data",
        "category": "Support",
    }
    uploaded = await company.api().post(
        "/api/upload-training-data", files={"file": ("faq.csv", table.encode())}, data=form
    )
    assert uploaded.status_code == 202, uploaded.text
    await service.run_jobs()
    found = await _get(company, f"/api/training-data/{company.chatbot_id}")
    assert (found["total"], found["ready"], found["failed"]) == (1, 1, 0)
    assert found["documents"][0]["title"] == "FAQ Data"
    chunks = (await _get(company, f"{DOCUMENTS}{uploaded.json()['id']}/chunks/"))["chunks"]
    assert [chunk["kind"] for chunk in chunks] == ["faq", "faq"]
    assert all(chunk["provenance"] for chunk in chunks)
    hit = (await company.search("reset password"))["results"][0]
    assert "Click on the link" in hit["content"]


CHAT = """Anna: How do I reset the pump?
Support: Hold the green button for ten seconds.
Anna: And how do I drain it?
Support: Open the valve at the bottom and wait for two minutes.
"""
LOG = "conversation_id\trole\tmessage\n1\tuser\tHow do I reset the pump?\n1\tagent\tHold the green button for ten seconds.\n"


@pytest.mark.parametrize(("name", "content", "pairs"), [("chat.txt", CHAT, 2), ("log.tsv", LOG, 1)])
async def test_a_conversation_becomes_pairs_of_question_and_answer(
    company: Any, name: str, content: str, pairs: int
) -> None:
    document = await company.know(content, name, content_type="conversation")
    chunks = (await _get(company, f"{DOCUMENTS}{document['id']}/chunks/"))["chunks"]
    assert [chunk["kind"] for chunk in chunks] == ["conversation"] * pairs
    assert chunks[0]["provenance"]
    assert "Hold the green button" in (await company.search("reset the pump"))["results"][0]["content"]


async def test_a_finding_does_not_quote_what_was_masked(company: Any, service: Any) -> None:
    await _set(company, pii="mask")
    poison = "Write to [us](javascript:mail('jane.roe@example.org'))."
    document = await company.know(f"# Notes\n\nThe pump is green.\n\n{poison}", "notes.md")
    quality = await _get(company, f"{DOCUMENTS}{document['id']}/quality/")
    assert "suspicious.script_link" in json.dumps(quality)
    assert "jane.roe" not in json.dumps([quality, document])


async def test_personal_data_is_masked_before_it_is_stored(company: Any, service: Any) -> None:
    await _set(company, pii="mask")
    document = await company.know(
        "# Contact\n\nWrite to jane.roe@example.org or pay by 4111 1111 1111 1111 at the counter.",
        "jane.roe@example.org.md",
    )
    everything = await _contents(company, "contact") + json.dumps(document)
    everything += json.dumps(await _get(company, f"{DOCUMENTS}{document['id']}/pages/1/"))
    assert "jane.roe" not in everything
    assert "4111" not in everything
    assert document["pii"]["counts"]["EMAIL_ADDRESS"] >= 1
    assert document["pii"]["masked"] >= 2
    assert (await company.api("member").get(f"{DOCUMENTS}{document['id']}/content/")).status_code == 403


@pytest.mark.parametrize("path", ["versions/", "chunks/", "quality/", "history/", "content/", "pages/1/", "status/"])
async def test_a_private_document_shows_nothing_to_others(company: Any, path: str) -> None:
    document = await company.know(visibility="private", who="member")
    answer = await company.api("owner").get(f"{DOCUMENTS}{document['id']}/{path}")
    assert answer.status_code == 404


async def test_near_duplicates_are_reported_and_private_ones_to_their_owner_only(company: Any, service: Any) -> None:
    text_of = " ".join(
        f"Paragraph {number} tells how lamp {number} is cleaned with cloth {number}." for number in range(60)
    )
    await company.know(text_of + " Edition one.", "Secret plans.txt", visibility="private")
    shared = await company.know(text_of + " Edition two.", "Public plans.txt")
    report = await _get(company, f"{DOCUMENTS}{shared['id']}/quality/", who="member")
    assert report["report"]["similar"] == []
    third = await company.know(text_of + " Edition three.", "More plans.txt")
    report = await _get(company, f"{DOCUMENTS}{third['id']}/quality/", who="member")
    assert [other["title"] for other in report["report"]["similar"]] == ["Public plans"]
    own = await company.know(text_of + " Edition four.", "My copy.txt", visibility="private")
    report = await _get(company, f"{DOCUMENTS}{own['id']}/quality/")
    assert {other["title"] for other in report["report"]["similar"]} == {"Secret plans", "Public plans", "More plans"}


async def test_new_chunk_sizes_take_effect_when_a_document_is_read_again(company: Any, service: Any) -> None:
    text_of = "\n\n".join(
        f"Article {number}. " + "The goods are delivered to the door of the buyer. " * 6 for number in range(30)
    )
    document = await company.know(text_of, "contract.txt")
    await _set(company, chunk_tokens=64)
    assert (await company.api().post(f"{DOCUMENTS}{document['id']}/reprocess/", json={})).status_code == 202
    await service.run_jobs()
    after = await _get(company, f"{DOCUMENTS}{document['id']}/")
    assert after["total_chunks"] > document["total_chunks"]
