"""Documents in the web application: upload, watch, preview, replace, approve, delete, sources, imports."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Open = Callable[..., "Page"]
Look = Callable[["Page"], list[str]]

READ_MS = 60_000
PARKING = "# Parking rules\n\nVisitors park in lot Cormorant behind the warehouse. The gate closes at half past nine.\n"
HOSTILE = "<img src=x onerror=document.title='owned'>.md"
HOSTILE_TEXT = (
    "# <script>document.title='owned'</script> Tides <img src=x onerror=document.title='owned'>\n\n"
    "[Read more](javascript:document.title='owned') about the tides of the Wadden Sea and how they come and go.\n"
)
DROP = """([name, text]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([text], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    window.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


@pytest.fixture(autouse=True)
def empty_chatbot(http: httpx.Client) -> Iterator[None]:
    """Each test has the default chatbot to itself; what it uploaded goes afterwards."""
    yield
    for document in documents(http):
        http.delete(f"/api/chatbot/documents/{document['id']}/").raise_for_status()


def documents(http: httpx.Client, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/api/chatbot/documents/", params={"limit": 200, **query}).json()[
        "documents"
    ]
    return found


def uploaded(http: httpx.Client, name: str, text: str, **labels: str) -> str:
    """Upload a document over the API and wait until it is read."""
    answer = http.post("/api/chatbot/documents/", files={"file": (name, text.encode())}, data=labels)
    answer.raise_for_status()
    document_id: str = answer.json()["id"]
    for _ in range(300):
        if http.get(f"/api/chatbot/documents/{document_id}/").json()["state"] not in ("queued", "processing"):
            return document_id
        time.sleep(0.2)
    raise AssertionError(f"{name} is not read")


def row(page: Page, text: str) -> Locator:
    return page.locator("tbody tr", has_text=text)


def upload(page: Page, *files: dict[str, Any]) -> None:
    page.get_by_role("button", name="Add documents").first.click()
    page.locator("dialog input[type=file]").first.set_input_files(list(files))
    page.get_by_role("button", name=re.compile("^Upload ")).click()


def file(name: str, content: str | bytes) -> dict[str, Any]:
    payload = content.encode() if isinstance(content, str) else content
    return {"name": name, "mimeType": "application/octet-stream", "buffer": payload}


def found_texts(http: httpx.Client, query: str) -> str:
    return http.post("/api/search/", json={"query": query}).text


def test_a_dropped_file_is_read_before_ones_eyes_and_can_be_opened(open_page: Open, http: httpx.Client) -> None:
    page = open_page("owner", "/documents")
    page.get_by_role("heading", name="Nothing here yet").wait_for()
    page.evaluate(DROP, ["parking.md", PARKING])
    page.get_by_role("button", name="Upload 1 file").click()
    panel = page.get_by_role("region", name="Uploads")
    panel.get_by_text("Ready", exact=True).wait_for(timeout=READ_MS)
    assert panel.get_by_role("link", name="Ask about it").get_attribute("href") is not None
    row(page, "Parking rules").get_by_text("Ready", exact=True).wait_for()
    row(page, "Parking rules").get_by_role("link", name="Parking rules").click()
    page.get_by_role("tab", name="Text and chunks").click()
    page.get_by_role("button", name=re.compile("Chunk 1")).click()
    page.locator("mark", has_text="lot Cormorant").wait_for()
    page.get_by_role("tab", name="History").click()
    page.get_by_text("Uploaded", exact=True).wait_for()
    # The same file again is said to be here already.
    page.goto(page.url.split("/documents/")[0] + "/documents")
    upload(page, file("parking.md", PARKING))
    page.get_by_text("The same file is here already").wait_for()
    assert len(documents(http)) == 1


def test_a_file_is_uploaded_watched_asked_about_and_deleted(open_page: Open) -> None:
    page = open_page("owner", "/documents")
    page.get_by_role("heading", name="Nothing here yet").wait_for()
    page.evaluate(DROP, ["parking.md", PARKING])
    page.get_by_role("button", name="Upload 1 file").click()
    panel = page.get_by_role("region", name="Uploads")
    panel.get_by_text("Ready", exact=True).wait_for(timeout=READ_MS)
    panel.get_by_role("link", name="Ask about it").click()
    ask = "Where do visitors park?"
    page.locator("textarea").last.fill(ask)
    page.keyboard.press("Enter")
    answer = page.get_by_role("article", name="Answer").last
    answer.get_by_text("Visitors park in lot Cormorant").first.wait_for()
    answer.get_by_role("button", name=re.compile("^Source 1")).first.click()
    source = page.get_by_role("complementary", name="Source 1")
    source.locator("mark", has_text="lot Cormorant").wait_for()

    page.get_by_role("link", name="Documents", exact=True).click()
    page.get_by_role("button", name="Delete Parking rules").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("heading", name="Nothing here yet").wait_for()
    page.get_by_role("link", name="Chat", exact=True).click()
    page.locator("textarea").last.fill(ask)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Write the answer again").wait_for()
    assert "Cormorant" not in page.get_by_role("main").inner_text()


def test_a_broken_file_says_why_and_offers_to_try_again(open_page: Open, http: httpx.Client) -> None:
    page = open_page("owner", "/documents")
    upload(page, file("broken.pdf", b"%PDF-1.4\n1 0 obj\n<<garbage"), file("blank.md", "\n \n"))
    panel = page.get_by_role("region", name="Uploads")
    panel.get_by_text("damaged or was cut off").wait_for()
    panel.get_by_role("button", name="Send broken.pdf again").wait_for()
    # What only fails when it is read stays in the list with its reason.
    for document in documents(http):
        page.goto(page.url.split("/documents")[0] + "/documents?state=failed")
        row(page, document["file_name"]).get_by_role("button", name="Try again").wait_for(timeout=READ_MS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for document in documents(http):
        page.reload()
        row(page, document["file_name"]).get_by_text(document["error"]).wait_for()
    assert [url for url in asked if url.endswith("/status/")] == []  # the list itself tells the reason


def test_a_replacement_becomes_the_version_that_serves(open_page: Open, http: httpx.Client) -> None:
    document_id = uploaded(http, "parking.md", PARKING)
    page = open_page("owner", f"/documents/{document_id}?tab=versions")
    page.get_by_role("button", name="Replace").first.click()
    page.get_by_label("New file").set_input_files(file("parking.md", PARKING.replace("Cormorant", "Pelican")))
    page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    row(page, "Searches find this one").get_by_text("2", exact=True).wait_for(timeout=READ_MS)
    assert "Pelican" in found_texts(http, "Where do visitors park?")
    page.get_by_role("button", name="Restore version 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    row(page, "Searches find this one").get_by_text("3", exact=True).wait_for(timeout=READ_MS)


def test_a_deleted_document_is_gone_from_the_list_and_from_search(open_page: Open, http: httpx.Client) -> None:
    uploaded(http, "parking.md", PARKING)
    assert "Cormorant" in found_texts(http, "Where do visitors park?")
    page = open_page("owner", "/documents")
    page.get_by_role("button", name="Delete Parking rules").click()
    page.get_by_text("This cannot be undone").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("heading", name="Nothing here yet").wait_for()
    assert "Cormorant" not in found_texts(http, "Where do visitors park?")


def test_many_are_labelled_and_deleted_at_once(open_page: Open, http: httpx.Client) -> None:
    for bird in ("heron", "stork", "crane"):
        uploaded(http, f"{bird}.md", f"# The {bird}\n\nThe {bird} stands in shallow water and waits for small fish.\n")
    page = open_page("owner", "/documents")
    page.get_by_label("Select The heron").check()
    page.get_by_label("Select The stork").check()
    page.get_by_role("button", name="Labels").click()
    page.get_by_label("Add tags").fill("birds, water")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_text("2 documents: done.").wait_for()
    assert len(documents(http, tag="birds")) == 2
    page.get_by_label("Search title, file name or tags").fill("birds")
    page.wait_for_url("**search=birds*")
    row(page, "The crane").wait_for(state="detached")
    page.get_by_label("Select all on this page").check()
    page.get_by_role("region", name="Actions on the selected documents").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("heading", name="No document matches").wait_for()
    assert [document["title"] for document in documents(http)] == ["The crane"]


def test_documents_are_approved_and_rejected_by_keyboard(open_page: Open, http: httpx.Client) -> None:
    [chatbot] = [each for each in http.get("/api/chatbots/").json()["chatbots"] if each["is_default"]]
    settings = f"/api/chatbots/{chatbot['id']}/"
    http.patch(settings, json={"settings": {"moderation": "review"}}).raise_for_status()
    try:
        first = uploaded(http, "parking.md", PARKING)
        second = uploaded(
            http, "heron.md", "# The heron\n\nThe heron stands in shallow water and waits for small fish.\n"
        )
        assert "Cormorant" not in found_texts(http, "Where do visitors park?")
        page = open_page("owner", "/documents/review")
        titles = {document["id"]: document["title"] for document in documents(http)}
        page.get_by_role("region", name=titles[first], exact=True).wait_for()
        page.keyboard.press("a")
        page.get_by_role("region", name=titles[second], exact=True).wait_for()
        page.keyboard.press("r")
        page.get_by_label("Reason").fill("It is about birds")
        page.get_by_role("dialog").get_by_role("button", name="Reject").click()
        page.get_by_role("heading", name="Nothing waits").wait_for()
        assert http.get(f"/api/chatbot/documents/{first}/").json()["state"] == "ready"
        assert http.get(f"/api/chatbot/documents/{second}/").json()["approval_reason"] == "It is about birds"
        assert "Cormorant" in found_texts(http, "Where do visitors park?")
    finally:
        http.patch(settings, json={"settings": {"moderation": None}}).raise_for_status()


def test_hostile_names_and_texts_do_nothing(open_page: Open, http: httpx.Client) -> None:
    document_id = uploaded(http, HOSTILE, HOSTILE_TEXT, tags="<svg onload=document.title='owned'>")
    page = open_page("owner", "/documents")
    page.locator("tbody tr").get_by_text("Tides").wait_for()
    upload(page, file(HOSTILE, HOSTILE_TEXT))
    page.get_by_text("The same file is here already").wait_for()
    for tab in ("overview", "text", "quality", "versions", "history"):
        page.goto(page.url.split("/documents")[0] + f"/documents/{document_id}?tab={tab}")
        page.get_by_role("tabpanel").wait_for()
        page.wait_for_timeout(300)
        assert "owned" not in page.title().replace("='owned'", "")
        assert page.locator("main script, main img[src=x], main svg[onload], main a[href^='javascript']").count() == 0


def test_many_files_are_a_bulk_import(open_page: Open, http: httpx.Client) -> None:
    page = open_page("owner", "/documents")
    notes = [
        file(f"note{at}.txt", f"Note {at}: room {at} has {at + 3} seats and a screen on the wall.") for at in range(22)
    ]
    upload(page, *notes)
    page.get_by_role("link", name="To the import").click()
    page.get_by_text("Finished", exact=True).wait_for(timeout=2 * READ_MS)
    page.get_by_text("22 of 22 read").first.wait_for()
    assert len(documents(http, state="ready")) == 22


def test_a_member_keeps_private_documents_and_sees_no_controls_of_others(open_page: Open, http: httpx.Client) -> None:
    uploaded(http, "parking.md", PARKING)
    page = open_page("member", "/documents")
    row(page, "Parking rules").wait_for()
    assert page.get_by_role("button", name="Delete Parking rules").count() == 0
    assert page.get_by_role("link", name="Sources in sync").count() == 0
    upload(
        page, file("mine.md", "# My own notes\n\nThe password of the coffee machine is written under its left foot.\n")
    )
    row(page, "My own notes").get_by_text("Ready", exact=True).wait_for(timeout=READ_MS)
    assert [document["title"] for document in documents(http)] == ["Parking rules"]
    page.get_by_role("button", name="Delete My own notes").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    row(page, "My own notes").wait_for(state="detached")


def test_a_document_is_kept_for_oneself_and_shared_again(open_page: Open, http: httpx.Client) -> None:
    page = open_page("owner", "/documents")
    upload(page, file("parking.md", PARKING))
    row(page, "Parking rules").get_by_text("Ready").wait_for(timeout=READ_MS)
    row(page, "Parking rules").get_by_role("link").first.click()
    page.get_by_role("heading", level=1, name="Parking rules").wait_for()
    page.get_by_role("heading", name="Facts").wait_for()
    for deed, told, others_see in (
        ("Keep for me only", "Only you see the document now.", False),
        ("Share with everybody", "The document is shared.", True),
    ):
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("menuitem", name=deed).click()
        page.get_by_role("dialog").get_by_role("button", name=deed).click()
        page.get_by_text(told).wait_for()
        assert page.get_by_text("A new version is being read").count() == 0
        assert ("Cormorant" in found_texts(http, "Where do visitors park?")) is others_see


def test_only_who_uploaded_a_document_is_offered_to_keep_it(open_page: Open, http: httpx.Client) -> None:
    page = open_page("owner", "/documents")
    upload(page, file("parking.md", PARKING))
    row(page, "Parking rules").get_by_text("Ready").wait_for(timeout=READ_MS)
    [document] = documents(http)
    other = open_page("admin", f"/documents/{document['id']}")
    other.get_by_role("button", name="More actions").click()
    other.get_by_role("menuitem", name="Delete").wait_for()
    assert other.get_by_role("menuitem", name="Keep for me only").count() == 0


@pytest.mark.parametrize(
    ("scheme", "language", "width"),
    [("light", "en", 1280), ("dark", "de", 390), ("light", "ar", 1280), ("dark", "ar", 390)],
)
def test_every_page_is_accessible(
    open_page: Open, http: httpx.Client, axe: Look, scheme: str, language: str, width: int
) -> None:
    document_id = uploaded(http, "parking.md", PARKING, tags="cars, gates", category="policies")
    page = open_page("owner", "/account", color_scheme=scheme, viewport={"width": width, "height": 900})
    page.evaluate("language => localStorage.setItem('dragoman.language', language)", language)
    base = page.url.split("/account")[0]
    paths = [
        "/documents",
        "/documents?min_quality=0.5",
        *(f"/documents/{document_id}?tab={tab}" for tab in ("overview", "text", "quality", "versions", "history")),
        "/documents/review",
        "/documents/sources",
        "/documents/imports",
        "/documents/imports?tab=jobs",
    ]
    violations = []
    for path in paths:
        page.goto(base + path)
        page.locator("main h1").first.wait_for()
        page.wait_for_timeout(700)
        violations += [f"{path}: {violation}" for violation in axe(page)]
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            violations.append(f"{path}: {wide} pixels wider than the window")
    page.goto(base + "/documents")
    page.locator("main header button").first.click()
    page.locator("dialog").wait_for()
    violations += [f"dialog: {violation}" for violation in axe(page)]
    assert violations == []


def test_a_folder_of_the_server_that_is_not_allowed_is_refused_with_the_reason(open_page: Open, tmp_path: Path) -> None:
    page = open_page("owner", "/documents/sources")
    page.get_by_role("button", name="Add a source").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kind of source").select_option("folder")
    dialog.get_by_label("Name").fill("Share")
    dialog.get_by_label("Folder", exact=True).fill(str(tmp_path))
    dialog.get_by_role("button", name="Add and sync").click()
    dialog.get_by_role("alert").filter(has_text="DRAGOMAN_CONNECTOR_FOLDERS").wait_for()


@pytest.fixture
def web_site() -> Iterator[tuple[str, dict[str, str]]]:
    """A web site on this machine: its address, and the pages by their paths, which may change meanwhile."""
    pages = {"/": "", "/ferry.html": ""}

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((body or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", pages
    server.shutdown()
    server.server_close()


def test_an_editor_adds_a_source_by_a_form_sees_what_its_syncs_did_changes_and_removes_it(
    open_page: Open, http: httpx.Client, web_site: tuple[str, dict[str, str]]
) -> None:
    address, pages = web_site
    pages["/"] = "<title>Pilots</title><h1>Pilots</h1><p>Pilots board before dawn. <a href='/ferry.html'>Ferry</a></p>"
    pages["/ferry.html"] = "<title>Ferry</title><h1>Ferry</h1><p>The ferry leaves from quay Guillemot at noon.</p>"
    page = open_page("editor", "/documents/sources")
    page.get_by_role("button", name="Add a source").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Start addresses").fill(address)
    # What lies on the server's own disks is for administrators.
    assert dialog.get_by_label("Kind of source").locator("option").all_inner_texts() == ["Bucket (S3)", "Web site"]
    dialog.get_by_label("Name", exact=True).fill("Harbour")
    dialog.get_by_label("Not these").fill("*ferry*")
    dialog.get_by_label("Pause between requests (s)").fill("0")
    dialog.get_by_label("Category").fill("sea")
    dialog.get_by_role("button", name="Add and sync").click()

    page.get_by_role("heading", level=1, name="Harbour").wait_for()
    table = page.get_by_role("table", name="What the syncs did")
    table.get_by_role("row").filter(has_text=address).get_by_text("New").wait_for(timeout=READ_MS)
    assert [each["category"] for each in documents(http)] == ["sea"]

    page.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_label("Start addresses").input_value() == address
    assert dialog.get_by_label("Not these").input_value() == "*ferry*"
    dialog.get_by_label("Not these").fill("")
    dialog.get_by_label("Name", exact=True).fill("Harbour and ferry")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("heading", level=1, name="Harbour and ferry").wait_for()
    table.get_by_role("row").filter(has_text="ferry.html").get_by_text("New").wait_for(timeout=READ_MS)

    page.get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Delete its documents").check()
    dialog.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/documents/sources")
    page.get_by_text("Harbour and ferry").wait_for(state="detached")
    assert http.get("/api/chatbot/connectors/").json()["connectors"] == []
