"""The pages and files of the web application, served from a build made here."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from dragoman.entrypoints.problems import install_problem_handlers
from dragoman.entrypoints.web import PAGES, web_router

_SCRIPT = b"console.log('quokka');\n" * 50


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Dragoman</title>")
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "main-abc.js").write_bytes(_SCRIPT)
    (tmp_path / "assets" / "main-abc.js.gz").write_bytes(gzip.compress(_SCRIPT))
    return tmp_path


def _client(folder: Path) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(web_router(folder))
    install_problem_handlers(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://dragoman.test")


@pytest.mark.parametrize("path", [*(f"/{page}" for page in PAGES), "/chat/019a", "/documents/019a/quality"])
async def test_every_page_is_the_application_under_a_strict_policy(built: Path, path: str) -> None:
    async with _client(built) as http:
        answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "Dragoman" in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_assets_are_kept_for_ever_and_come_compressed(built: Path) -> None:
    async with _client(built) as http:
        plain = await http.get("/assets/main-abc.js", headers={"Accept-Encoding": "identity"})
        small = await http.get("/assets/main-abc.js", headers={"Accept-Encoding": "gzip, br;q=0.5"})
    assert plain.content == small.content == _SCRIPT
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"])
    assert "immutable" in small.headers["cache-control"]
    assert small.headers["vary"] == "Accept-Encoding"
    assert "javascript" in small.headers["content-type"]


async def test_a_coding_that_the_browser_refuses_is_not_sent(built: Path) -> None:
    async with _client(built) as http:
        answer = await http.get("/assets/main-abc.js", headers={"Accept-Encoding": "br, gzip;q=0"})
    assert "content-encoding" not in answer.headers
    assert answer.content == _SCRIPT


async def test_who_has_the_page_of_this_build_is_told_so(built: Path) -> None:
    async with _client(built) as http:
        first = await http.get("/chat")
        again = await http.get("/chat", headers={"If-None-Match": first.headers["etag"]})
        (built / "index.html").write_text("<!doctype html><title>Another build</title>")
        after = await http.get("/chat", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "script-src 'self';" in again.headers["content-security-policy"]
    assert (after.status_code, "Another build" in after.text) == (200, True)


async def test_a_file_of_an_earlier_build_is_gone(built: Path) -> None:
    async with _client(built) as http:
        (built / "assets" / "main-abc.js").unlink()
        answer = await http.get("/assets/main-abc.js")
    assert (answer.status_code, answer.json()["code"]) == (404, "web.no_such_file")


async def test_a_file_beside_the_pages_is_served(built: Path) -> None:
    async with _client(built) as http:
        answer = await http.get("/icon.svg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("path", ["/assets/gone-123.js", "/assets/..%2findex.html", "/assets/..%2f..%2fweb.py"])
async def test_no_other_file_is_reached(built: Path, path: str) -> None:
    async with _client(built) as http:
        answer = await http.get(path)
    assert answer.status_code == 404
    assert "Dragoman</title>" not in answer.text


async def test_the_manifest_of_the_build_is_not_served(built: Path) -> None:
    async with _client(built) as http:
        assert (await http.get("/manifest.json")).status_code == 404


async def test_without_a_build_the_pages_say_how_to_make_one(tmp_path: Path) -> None:
    async with _client(tmp_path) as http:
        answer = await http.get("/chat")
        form = await http.get("/set-password")
    assert answer.status_code == 404
    assert answer.json()["code"] == "web.not_built"
    assert "make web" in answer.json()["detail"]
    assert form.status_code == 404
    assert "code" not in form.json() or form.json()["code"] != "web.not_built"  # left to the plain form
