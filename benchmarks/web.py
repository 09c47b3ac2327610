"""The web application in Debian's Chromium: what a first visit loads and how soon it shows something, page by page."""

from __future__ import annotations

import gzip
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import p50_p95
from benchmarks.instance import Instance, running
from dragoman.entrypoints.web import FOLDER

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROUNDS = 5
PAGES = ("/sign-in", "/chat", "/documents", "/search", "/insights", "/admin", "/account")
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_QUESTION = "How long is the warranty?"
# Sizes as they came over the wire, and the paint that the browser itself notes (W3C Paint Timing).
_SEEN = """() => {
  const files = performance.getEntriesByType("resource");
  const bytes = (wanted) => files.filter((file) => wanted(new URL(file.name).pathname)).reduce((sum, file) => sum + file.encodedBodySize, 0);
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return {
    script: bytes((path) => path.endsWith(".js")),
    style: bytes((path) => path.endsWith(".css")),
    files: files.length,
    paint_ms: paint ? paint.startTime : NaN,
  };
}"""
_SCRIPTS = """() => performance.getEntriesByType("resource")
  .map((file) => new URL(file.name).pathname).filter((path) => path.endsWith(".js"))"""
Show = Callable[[str, object], None]


def scripts_kib(page: Page, *, without: str | None = None) -> float:
    """KiB of the scripts that a page has loaded until now, as gzip makes them; browsers get them smaller, by brotli.

    Args:
        without: a chunk that does not count, by its name.
    """
    files = [FOLDER / path.lstrip("/") for path in set(page.evaluate(_SCRIPTS))]
    if without is not None:
        files = [file for file in files if not file.name.startswith(f"{without}-")]
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files) / 1024


def web(show: Show) -> None:
    """Bytes of scripts and styles, first contentful paint, and the time until the page's heading stands, on loopback."""
    chromium = shutil.which("chromium")
    if chromium is None or not (FOLDER / "index.html").is_file():
        sys.exit("This needs Debian's package chromium and the built web application: make web.")
    from playwright.sync_api import sync_playwright

    widget = FOLDER / "widget.js"
    if widget.is_file():
        show("widget.js, KiB compressed by gzip", f"{len(gzip.compress(widget.read_bytes(), 9)) / 1024:.1f}")
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        limits = {"DRAGOMAN_LIMIT_REQUESTS_PER_MINUTE_ADDRESS": "0"}
        with running(Path(name) / "home", **limits) as instance:
            for path, name in {**dict.fromkeys(PAGES), _conversation(instance): "a conversation"}.items():
                loads = [_first_visit(browser, instance, path) for _ in range(ROUNDS)]
                _tell(show, name or path, loads)


def _conversation(instance: Instance) -> str:
    """The address of a conversation with one answer."""
    with instance.http() as http:
        opened = http.post("/api/chatbot/sessions/", json={"chatbot_id": instance.chatbot_id}).raise_for_status()
        address = f"/chat/{opened.json()['id']}"
        messages = f"/api/chatbot/sessions/{opened.json()['id']}/messages/"
        http.post(messages, json={"message": _QUESTION}).raise_for_status()
    return address


def _first_visit(browser: Browser, instance: Instance, path: str) -> dict[str, Any]:
    """Load a page in a window that has nothing in its cache."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    if path != "/sign-in":
        proof = {"api_key": instance.api_key, "cookie": True}
        context.request.post(f"{instance.url}/api/auth/sign-in/", data=proof, headers={"Origin": instance.url})
    page = context.new_page()
    page.goto(instance.url + path)
    page.locator("h1, h2").first.wait_for()
    ready_ms = page.evaluate("performance.now()")
    page.wait_for_timeout(1000)  # what follows the heading; a page that keeps a stream open is never idle
    seen = {**page.evaluate(_SEEN), "ready_ms": ready_ms, "gzip_kib": scripts_kib(page)}
    context.close()
    return seen


def _tell(show: Show, path: str, loads: list[dict[str, Any]]) -> None:
    def of(name: str) -> list[float]:
        return [float(load[name]) for load in loads]

    show(f"{path}: scripts, KiB over the wire", f"{statistics.median(of('script')) / 1024:.0f}")
    show(f"{path}: scripts, KiB as gzip makes them", f"{statistics.median(of('gzip_kib')):.0f}")
    show(f"{path}: styles, KiB over the wire", f"{statistics.median(of('style')) / 1024:.0f}")
    show(f"{path}: files", int(statistics.median(of("files"))))
    for name, what in (("paint_ms", "first contentful paint"), ("ready_ms", "its heading stands")):
        show(f"{path}: {what}", p50_p95(of(name)))
