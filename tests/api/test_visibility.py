"""Who sees a document can be changed after its upload, and everything obeys from the commit on."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import Company, Service
from tests.api.signing_in import audited

from dragoman.entrypoints.api import create_app

QUESTION = "Which word opens the vault of the archive?"
WORD = "quillfeather"
ARCHIVE = f"# The archive\n\nThe vault of the archive opens with the word {WORD}.\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("allowed")


@pytest.fixture(scope="module")
async def service(settings_for: Callable[..., Any], files: Path) -> AsyncIterator[Service]:
    settings = settings_for(connector_folders=[files])
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


async def _change(company: Company, document_id: str, visibility: str, who: str = "owner") -> Any:
    path = f"/api/chatbot/documents/{document_id}/"
    return await company.api(who).patch(path, json={"visibility": visibility})


async def _shows(company: Company, who: str, document_id: str) -> dict[str, bool]:
    """In which places this caller meets the document's text."""
    places = {}
    for mode in ("hybrid", "dense", "keyword"):
        body = {"query": QUESTION, "mode": mode}
        for attempt in ("first", "again"):  # what a search remembers must obey too
            places[f"{mode} {attempt}"] = WORD in (await company.api(who).post("/api/search", json=body)).text
    places["answer"] = WORD in (await company.ask(QUESTION, who=who))["content"]
    listed = (await company.api(who).get("/api/chatbot/documents/")).json()["documents"]
    places["list"] = document_id in {each["id"] for each in listed}
    places["page"] = (await company.api(who).get(f"/api/chatbot/documents/{document_id}/pages/1/")).status_code == 200
    return places


async def test_what_becomes_private_is_gone_for_all_others_and_comes_back_when_shared(company: Company) -> None:
    await company.know()
    document_id = (await company.know(ARCHIVE, "archive.md"))["id"]
    session_id = await company.open_session("member")
    await company.ask(QUESTION, who="member", session_id=session_id)
    assert all((await _shows(company, "member", document_id)).values())

    hidden = await _change(company, document_id, "private")
    assert (hidden.status_code, hidden.json()["visibility"]) == (200, "private")
    assert not any((await _shows(company, "member", document_id)).values())
    assert all((await _shows(company, "owner", document_id)).values())
    told = (await company.api("member").get(f"/api/chatbot/sessions/{session_id}/messages/")).json()["messages"][-1]
    assert [(source["deleted"], WORD in source["excerpt"]) for source in told["sources"]] == [(True, False)]
    narrowed = await company.api("member").post("/api/chatbot/sessions/", json={"document_ids": [document_id]})
    assert narrowed.status_code == 404

    assert (await _change(company, document_id, "shared")).json()["visibility"] == "shared"
    assert all((await _shows(company, "member", document_id)).values())
    events = await audited(company, "document.visibility_changed", document_id)
    assert [(event["before"], event["after"]) for event in events] == [("shared", "private"), ("private", "shared")]


async def test_a_member_cannot_share_and_a_manager_cannot_keep_the_document_of_another(
    company: Company, other_company: Company
) -> None:
    own = (await company.know(ARCHIVE, "archive.md", who="member", visibility="private"))["id"]
    refused = await _change(company, own, "shared", who="member")
    assert (refused.status_code, refused.json()["code"]) == (403, "tenancy.forbidden")
    assert (await _change(company, own, "shared", who="owner")).status_code == 404  # only its owner sees it
    shared = (await company.know(ARCHIVE, "shared.md", who="editor"))["id"]
    for who, expected in (
        ("admin", (403, "knowledge.not_yours_to_hide")),
        ("member", (403, "tenancy.forbidden")),
    ):
        refused = await _change(company, shared, "private", who=who)
        assert (refused.status_code, refused.json()["code"]) == expected
    assert (await _change(other_company, shared, "private")).status_code == 404
    assert (await _change(company, shared, "secret")).status_code == 422
    assert (await _change(company, shared, "private", who="editor")).status_code == 200
    assert (await _change(company, shared, "private", who="admin")).status_code == 404
    assert len(await audited(company, "document.visibility_changed", shared)) == 1


async def test_a_document_says_whether_it_is_ones_own(company: Company) -> None:
    uploaded = await company.know(ARCHIVE, "shared.md", who="editor")
    for who, is_own in (("editor", True), ("admin", False), ("member", False)):
        shown = (await company.api(who).get(f"/api/chatbot/documents/{uploaded['id']}/")).json()
        [listed] = (await company.api(who).get("/api/chatbot/documents/")).json()["documents"]
        assert (shown["is_own"], listed["is_own"]) == (is_own, is_own)


async def test_what_is_read_waits_or_comes_from_a_connector_keeps_who_sees_it(company: Company, files: Path) -> None:
    being_read = (await company.upload(ARCHIVE, "archive.md")).json()["id"]
    refused = await _change(company, being_read, "private")
    assert (refused.status_code, refused.json()["code"]) == (409, "knowledge.still_reading")
    await company.service.run_jobs()

    note = files / "note.md"
    note.write_text("# Note\n\nA note about lamps that a connector brings.\n")
    os.utime(note, (1, 1))  # one that was written less than a second ago is left for the next sync
    body = {"kind": "folder", "name": "Archive", "settings": {"path": str(files)}}
    made = (await company.api().post("/api/chatbot/connectors/", json=body)).json()
    await company.service.run_jobs()
    listed = (await company.api().get("/api/chatbot/documents/")).json()["documents"]
    [synced] = [each["id"] for each in listed if each["connector_id"] == made["id"]]
    refused = await _change(company, synced, "private")
    assert (refused.status_code, refused.json()["code"]) == (409, "knowledge.visibility_of_connector")

    settings = {"settings": {"moderation": "review"}}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=settings)
    waiting = (await company.upload("# New\n\nNew text that waits.\n", "new.md")).json()["id"]
    await company.service.run_jobs()
    refused = await _change(company, waiting, "private")
    assert (refused.status_code, refused.json()["code"]) == (409, "knowledge.undecided")
