"""Documents in the web application: pages as pictures, addresses that the server fetches, many read again, imports held."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fpdf import FPDF

from tests.web.test_documents import PARKING, READ_MS, documents, empty_chatbot, row, uploaded

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["empty_chatbot"]  # a fixture for each test

Open = Callable[..., "Page"]
BADGER = "The badger sleeps in the lower burrow from November until the end of March."


def _pdf() -> bytes:
    pdf = FPDF(unit="pt", format=(600, 800))
    pdf.set_font("helvetica", size=12)
    for at, text in ((120, "The heron stands in shallow water and waits for small fish."), (600, BADGER)):
        pdf.add_page()
        pdf.set_xy(60, at)
        pdf.cell(h=14, text=text)
    return bytes(pdf.output())


def _has_ended(http: httpx.Client, document_id: str) -> bool:
    return http.get(f"/api/chatbot/documents/{document_id}/").json()["state"] not in ("queued", "processing")


def test_a_chunk_is_framed_on_the_picture_of_its_page(open_page: Open, http: httpx.Client) -> None:
    made = http.post("/api/chatbot/documents/", files={"file": ("animals.pdf", _pdf())}).raise_for_status().json()
    while not _has_ended(http, made["id"]):
        time.sleep(0.2)
    page = open_page("owner", f"/documents/{made['id']}?tab=text&page=2")
    page.get_by_label("View", exact=True).select_option("Page image")
    picture = page.get_by_role("img", name="Image of page 2")
    picture.wait_for()
    page.wait_for_function("document.querySelector('img[src*=\"/pages/2/image/\"]').naturalWidth > 400")
    frames = page.get_by_role("img", name=re.compile("^Image of page")).locator("xpath=following-sibling::span")
    assert frames.count() == 0
    page.get_by_role("button", name=re.compile("^Chunk 1")).click()  # it begins on the page before
    page.get_by_role("img", name="Image of page 1").wait_for()
    frames.first.wait_for()
    page.get_by_role("button", name="Next page").click()
    page.wait_for_function("document.querySelector('img[src*=\"/pages/2/image/\"]').naturalWidth > 400")
    frames.first.wait_for()
    assert page.get_by_label("View", exact=True).input_value() == "picture"  # the choice holds
    frame, whole = frames.first.bounding_box(), picture.bounding_box()
    assert frame is not None
    assert whole is not None
    assert (frame["x"] - whole["x"]) / whole["width"] == pytest.approx(0.1, abs=0.02)
    assert (frame["y"] - whole["y"]) / whole["height"] == pytest.approx(
        0.755, abs=0.03
    )  # the text stands at 600 of 800
    page.get_by_label("View", exact=True).select_option("Text")
    page.locator("mark", has_text="lower burrow").wait_for()


@pytest.fixture
def site() -> Iterator[str]:
    """A web site on this machine with a page and a gap."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/terms")
            content = "<title>Terms of delivery</title><h1>Terms of delivery</h1><p>Parcels leave the depot at Vejle within three working days.</p>"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content.encode() if found else b"gone")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_addresses_are_fetched_and_what_is_not_there_is_named(open_page: Open, http: httpx.Client, site: str) -> None:
    page = open_page("owner", "/documents")
    page.get_by_role("button", name="Add documents").first.click()
    page.get_by_role("tab", name="Web addresses").click()
    page.get_by_label("Addresses", exact=True).fill(f"{site}/terms.html\n{site}/gone.html")
    page.get_by_label("Tags").fill("delivery")
    page.get_by_role("button", name="Fetch addresses (2)").click()
    page.wait_for_url("**/documents/imports/*")
    page.get_by_text("Failed documents (1)").wait_for(timeout=READ_MS)
    page.get_by_role("table").get_by_text("gone.html").first.wait_for()
    page.get_by_text("3 of 3 read").wait_for(timeout=READ_MS)  # two were fetched, one of them read
    (terms,) = documents(http, tag="delivery", state="ready")
    page.goto(page.url.split("/documents")[0] + f"/documents/{terms['id']}?tab=text")
    page.get_by_text("within three working days").first.wait_for()


def test_many_are_read_again_under_the_settings_of_now(open_page: Open, http: httpx.Client) -> None:
    ids = [uploaded(http, f"{name}.md", PARKING.replace("Cormorant", name)) for name in ("Heron", "Stork")]
    before = {each["id"]: each["processed_at"] for each in documents(http)}
    page = open_page("owner", "/documents")
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Read again").click()
    page.get_by_text("2 documents: done.").wait_for()
    for document_id in ids:
        for _ in range(300):
            now = http.get(f"/api/chatbot/documents/{document_id}/").json()
            if now["processed_at"] is not None and now["processed_at"] > before[document_id]:
                break
            time.sleep(0.1)
        assert now["processed_at"] > before[document_id]
        assert now["state"] == "ready"
    assert page.locator("tbody tr").count() == 2
    row(page, "Parking rules").first.get_by_text("Ready", exact=True).wait_for()


def test_an_import_is_held_goes_on_and_is_cancelled(open_page: Open, http: httpx.Client) -> None:
    begun = http.post("/api/chatbot/imports/", json={"name": "Houses", "expected_documents": 4}).raise_for_status()
    group = begun.json()["id"]

    def send(*names: str) -> None:
        files = [("files", (f"{name}.md", PARKING.replace("Cormorant", name).encode())) for name in names]
        sent = http.post("/api/chatbot/documents/batch/", files=files, data={"import_id": group, "bulk": "true"})
        sent.raise_for_status()

    page = open_page("owner", f"/documents/imports/{group}")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused", exact=True).first.wait_for()
    send("Heron", "Stork")
    time.sleep(2)
    assert documents(http, state="ready") == []  # held
    page.get_by_role("button", name="Go on").click()
    page.get_by_text("2 of 4 read").first.wait_for(timeout=READ_MS)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Go on").wait_for()
    send("Crane", "Ibis")
    page.get_by_role("button", name="Cancel import").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel import").click()
    page.get_by_text("Cancelled", exact=True).first.wait_for()
    page.get_by_role("button", name="Cancel import").wait_for(state="detached")
    assert page.get_by_role("button", name="Go on").count() == 0
    states = sorted(each["state"] for each in documents(http))
    assert states == ["cancelled", "cancelled", "ready", "ready"]
