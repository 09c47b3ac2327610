"""`/widget.js`, which web sites of others load: its headers, its versions, and what is said where it is not built."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from dragoman.entrypoints import widget_script


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "widget.js"
    _build(file, "(()=>{/* the widget of Dragoman */})();\n")
    monkeypatch.setattr(widget_script, "FILE", file)
    return file


def _build(file: Path, script: str) -> None:
    """What the build leaves: the file, and compressed ones beside it."""
    file.write_text(script)
    file.with_name("widget.js.gz").write_bytes(gzip.compress(script.encode(), mtime=0))


async def test_any_web_site_may_load_the_widget(service: Any, built: Path) -> None:
    answer = await service.client(Origin="https://anybody.example").get("/widget.js")
    assert (answer.status_code, answer.text) == (200, built.read_text())
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, br", "gzip"), ("br", None), ("gzip;q=0", None), ("GZIP;q=0.5", "gzip"), ("identity", None)],
)
async def test_it_comes_compressed_to_those_who_take_that(
    service: Any, built: Path, accepted: str, coding: str | None
) -> None:
    answer = await service.client(**{"Accept-Encoding": accepted}).get("/widget.js")
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.text == built.read_text()  # httpx unpacks it
    if coding:
        assert int(answer.headers["content-length"]) == len(gzip.compress(built.read_bytes(), mtime=0))


async def test_who_has_this_version_is_told_so_until_there_is_a_new_one(service: Any, built: Path) -> None:
    client = service.client()
    tag = (await client.get("/widget.js")).headers["etag"]
    again = await client.get("/widget.js", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    _build(built, "(()=>{/* a new version */})();\n")
    new = await client.get("/widget.js", headers={"If-None-Match": tag})
    assert (new.status_code, new.text) == (200, built.read_text())
    assert new.headers["etag"] != tag


async def test_where_nothing_is_built_the_answer_says_what_to_do(service: Any, built: Path) -> None:
    for each in built.parent.iterdir():
        each.unlink()
    answer = await service.client().get("/widget.js")
    assert (answer.status_code, answer.json()["code"]) == (404, "web.not_built")
    assert "make web" in answer.json()["detail"]
    assert "max-age" not in answer.headers.get("cache-control", "")


async def test_the_preview_is_framed_by_pages_of_this_server_only_and_asks_nobody(service: Any) -> None:
    answer = await service.client().get("/widget-preview")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert (
        policy == "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    assert answer.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert '<script src="/widget.js" data-preview></script>' in answer.text
