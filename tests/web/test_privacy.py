"""What is held about a person is exported and erased, and the audit log tells who did so."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Open = Callable[..., "Page"]
DONE_MS = 60_000


def _asked_as(http: httpx.Client, user_id: str) -> str:
    """A conversation of a person of one's own system: its id."""
    key = http.post("/api/keys/", json={"name": "shop", "role": "member", "may_act_for_users": True}).raise_for_status()
    headers = {"X-API-Key": key.json()["api_key"]}
    made = http.post("/api/chatbot/sessions/", json={"user_id": user_id}, headers=headers).raise_for_status()
    session = made.json()
    asked = f"/api/chatbot/sessions/{session['id']}/messages/?user_id={user_id}"
    question = {"message": "Where is my parcel with the zebra print?"}
    http.post(asked, json=question, headers=headers).raise_for_status()
    found: str = session["id"]
    return found


def _request(page: Page, kind: str, deed: str, person: str) -> Locator:
    page.get_by_role("button", name=kind).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Who").select_option("external")
    dialog.get_by_label("Identifier").fill(person)
    if kind.startswith("Erase"):
        dialog.get_by_role("button", name=deed).click()
        assert dialog.is_visible()  # nothing without the tick
        dialog.get_by_label("I know that this cannot be taken back").check()
    dialog.get_by_role("button", name=deed).click()
    dialog.wait_for(state="detached")
    return page.get_by_role("row").filter(has_text=kind).first


def test_a_person_is_exported_and_then_erased(open_page: Open, http: httpx.Client, tmp_path: Path) -> None:
    session = _asked_as(http, "customer-42")
    page = open_page("owner", "/admin/privacy")
    page.get_by_role("heading", name="Personal data").wait_for()
    row = _request(page, "Export a person", "Export", "customer-42")
    row.get_by_text("Done", exact=True).wait_for(timeout=DONE_MS)
    assert "customer-42" in row.inner_text()
    with page.expect_download() as download:
        row.get_by_text(re.compile(r"^Download \(")).click()
    path = tmp_path / "person.zip"
    download.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        texts = [archive.read(name).decode(errors="replace") for name in archive.namelist()]
    assert any("zebra print" in text for text in texts)
    row.get_by_role("button", name="Remove the archive").click()
    row.get_by_text(re.compile(r"^Download \(")).wait_for(state="detached")

    row = _request(page, "Erase a person", "Erase for ever", "customer-42")
    row.get_by_text("Done", exact=True).wait_for(timeout=DONE_MS)
    assert "customer-42" not in row.inner_text()  # a pseudonym by then
    assert http.get(f"/api/chatbot/sessions/{session}/").status_code == 404


def test_the_audit_log_is_filtered_exported_and_verified(open_page: Open, tmp_path: Path, http: httpx.Client) -> None:
    made: Any = http.post("/api/chatbots/", json={"name": "Audited"}).raise_for_status().json()
    http.delete(f"/api/chatbots/{made['id']}/").raise_for_status()
    page = open_page("owner", "/admin/audit")
    page.get_by_label("What (beginning)").fill("chatbot.")
    page.get_by_label("Text in the details").fill("Audited")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**action=chatbot.**")
    events_shown = page.get_by_role("table").get_by_role("button")
    events_shown.filter(has_not_text=re.compile("^chatbot")).first.wait_for(state="detached")  # of the table before
    events_shown.filter(has_text="chatbot.created").first.wait_for()
    events = events_shown.all_inner_texts()
    assert events
    assert {event.split(".")[0] for event in events} == {"chatbot"}
    exported = {}
    for name in ("CSV", "JSON lines"):
        with page.expect_download() as download:
            page.get_by_text(f"Export {name}").click()
        path = tmp_path / name
        download.value.save_as(path)
        exported[name] = path.read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(exported["CSV"])))
    lines = [json.loads(line) for line in exported["JSON lines"].splitlines()]
    assert [row["action"] for row in rows] == [line["action"] for line in lines]
    assert {row["action"].split(".")[0] for row in rows} == {"chatbot"}
    page.get_by_label("From day").fill("2020-01-01")
    page.get_by_label("To day").fill("2020-01-31")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_text("No event fits.").wait_for()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("table").wait_for()
    page.get_by_role("button", name="Verify the chain").click()
    said = page.get_by_role("status").filter(has_text="The chain")
    said.wait_for()
    assert "is whole" in said.inner_text()
