"""What `ports/connector.py` promises, on every connector; then what each of them promises beyond."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from dragoman.kit import registry
from dragoman.kit.errors import DragomanError
from dragoman.kit.fetch import FetchPolicy, RefusedByServerError, ServerFailedError
from dragoman.ports.connector import (
    ConnectorRefusedError,
    ConnectorUnavailableError,
    Fetched,
    Item,
    ItemGoneError,
    ItemRefusedError,
    ItemSkippedError,
    Premises,
    Remembered,
    Unchanged,
)
from tests.contract.conftest import open_adapter
from tests.contract.connector_origins import LOOPBACK, Origin
from tests.contract.s3_server import shared_s3_server
from tests.contract.web_site import WebSite, run_web_site

MIB = 1024 * 1024


@pytest.fixture(params=registry.list_adapters("connector"))
async def origin(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Origin]:
    async with open_adapter("connector", request.param, tmp_path) as found:
        yield found


class Visit:
    """One sync: what was listed, and what became of each item."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.results: dict[str, Any] = {}
        self.contents: dict[str, bytes] = {}
        self.is_whole = False
        self.wants_another_round = False
        self.notes: Sequence[str] = ()

    @property
    def read(self) -> set[str]:
        return {key for key, result in self.results.items() if isinstance(result, Fetched)}

    @property
    def unchanged(self) -> set[str]:
        return {key for key, result in self.results.items() if isinstance(result, Unchanged)}

    def failed(self, kind: type[Exception]) -> set[str]:
        return {key for key, result in self.results.items() if isinstance(result, kind)}

    def remember(self) -> dict[str, Remembered]:
        known = {}
        for key, result in self.results.items():
            if isinstance(result, Fetched | Unchanged):
                known[key] = Remembered(version=result.version, memo=result.memo)
        return known


async def visit(
    adapter: Any,
    premises: Premises,
    folder: Path,
    known: dict[str, Remembered] | None = None,
    *,
    max_bytes: int = MIB,
    only_first: int = 10**9,
) -> Visit:
    """Go through an origin as a sync does."""
    made, remembered = Visit(), known or {}

    async def known_keys() -> Sequence[str]:
        return list(remembered)

    async with adapter.open(premises) as opened:
        async with aclosing(opened.list_items(known_keys)) as items:
            async for item in items:
                made.items.append(item)
                target = folder / f"fetched-{len(made.items)}"
                try:
                    result = await opened.fetch(item, target, max_bytes=max_bytes, remembered=remembered.get(item.key))
                except DragomanError as error:
                    made.results[item.key] = error
                else:
                    made.results[item.key] = result
                    if isinstance(result, Fetched):
                        made.contents[item.key] = target.read_bytes()
                if len(made.items) >= only_first:
                    break
        made.is_whole, made.wants_another_round, made.notes = (
            opened.is_whole,
            opened.wants_another_round,
            opened.notes,
        )
    return made


# ---- every connector


async def test_everything_is_listed_once_and_fetched_whole(origin: Origin, tmp_path: Path) -> None:
    contents = {"a.md": b"# A\n", "deep/er/b.txt": b"B" * 5000, "c d+e%20é.md": "größe".encode()}
    for name, content in contents.items():
        if name.startswith("c") and origin.stray:
            continue  # how a page's address is spelt is the site's business
        origin.put(name, content)
    found = await visit(origin.adapter, origin.premises, tmp_path)
    expected = {origin.key_of(name) for name in contents if not (name.startswith("c") and origin.stray)}
    assert {item.key for item in found.items} - origin.stray == expected
    assert len(found.items) == len({item.key for item in found.items})
    assert found.contents[origin.key_of("deep/er/b.txt")] == b"B" * 5000
    assert found.results[origin.key_of("a.md")].file_name == "a.md"
    assert found.is_whole
    assert not found.wants_another_round


async def test_an_empty_origin_lists_nothing(origin: Origin, tmp_path: Path) -> None:
    found = await visit(origin.adapter, origin.premises, tmp_path)
    assert {item.key for item in found.items} == origin.stray
    assert found.is_whole


async def test_what_did_not_change_is_not_fetched_again(origin: Origin, tmp_path: Path) -> None:
    origin.put("a.md", b"one")
    origin.put("b.md", b"two")
    first = await visit(origin.adapter, origin.premises, tmp_path)
    again = await visit(origin.adapter, origin.premises, tmp_path, first.remember())
    assert again.read == set()
    assert {origin.key_of("a.md"), origin.key_of("b.md")} <= again.unchanged
    versions = {item.key: item.version for item in first.items if item.version is not None}
    assert {item.key: item.version for item in again.items if item.version is not None} == versions


async def test_what_changed_is_fetched_with_another_version(origin: Origin, tmp_path: Path) -> None:
    origin.put("a.md", b"one")
    origin.put("b.md", b"two")
    first = await visit(origin.adapter, origin.premises, tmp_path)
    origin.put("a.md", b"three, which is longer")
    again = await visit(origin.adapter, origin.premises, tmp_path, first.remember())
    assert again.read - origin.stray == {origin.key_of("a.md")}
    assert again.contents[origin.key_of("a.md")] == b"three, which is longer"
    assert again.results[origin.key_of("a.md")].version != first.results[origin.key_of("a.md")].version


async def test_what_vanished_is_not_fetched(origin: Origin, tmp_path: Path) -> None:
    origin.put("a.md", b"one")
    origin.put("b.md", b"two")
    first = await visit(origin.adapter, origin.premises, tmp_path)
    origin.remove("a.md")
    again = await visit(origin.adapter, origin.premises, tmp_path, first.remember())
    result = again.results.get(origin.key_of("a.md"))
    assert result is None or isinstance(result, ItemGoneError)
    assert origin.key_of("b.md") in again.unchanged


async def test_what_vanishes_between_list_and_fetch_is_gone(origin: Origin, tmp_path: Path) -> None:
    origin.put("a.md", b"one")

    async def known_keys() -> Sequence[str]:
        return ()

    async with origin.adapter.open(origin.premises) as opened, aclosing(opened.list_items(known_keys)) as items:
        async for item in items:
            if item.key == origin.key_of("a.md"):
                origin.remove("a.md")
                with pytest.raises(ItemGoneError):
                    await opened.fetch(item, tmp_path / "x", max_bytes=MIB, remembered=None)
                return
            await opened.fetch(item, tmp_path / "x", max_bytes=MIB, remembered=None)
    pytest.fail("a.md was not listed")


async def test_what_is_too_large_is_refused_and_the_rest_is_read(origin: Origin, tmp_path: Path) -> None:
    origin.put("big.md", b"x" * 3000)
    origin.put("small.md", b"x")
    found = await visit(origin.adapter, origin.premises, tmp_path, max_bytes=2000)
    refused = found.results[origin.key_of("big.md")]
    assert isinstance(refused, DragomanError)
    assert not refused.retryable
    assert origin.key_of("small.md") in found.read


async def test_the_check_says_what_is_there(origin: Origin) -> None:
    origin.put("a.md", b"one")
    async with origin.adapter.open(origin.premises) as opened:
        said = await opened.check()
    assert said.endswith(".")


async def test_an_origin_that_is_away_is_no_empty_origin(origin: Origin, tmp_path: Path) -> None:
    origin.put("a.md", b"one")
    origin.stop()
    with pytest.raises((ConnectorUnavailableError, ConnectorRefusedError)):
        await visit(origin.adapter, origin.premises, tmp_path)
    with pytest.raises((ConnectorUnavailableError, ConnectorRefusedError)):
        async with origin.adapter.open(origin.premises) as opened:
            await opened.check()


async def test_where_it_reads_is_described_without_secrets(origin: Origin) -> None:
    assert origin.adapter.describe()
    assert "testing" not in origin.adapter.describe()  # the secret key of the S3 server


# ---- folder


def _folder(path: Path, **settings: Any) -> tuple[Any, Premises]:
    return registry.create("connector", "folder", {"path": path, **settings}), Premises(folders=(path.resolve(),))


def _old(path: Path, content: bytes = b"text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.mark.parametrize("allowed", [(), ("elsewhere",), ("docs-old",)])
async def test_a_folder_that_the_operator_does_not_allow_is_refused(tmp_path: Path, allowed: tuple[str, ...]) -> None:
    (tmp_path / "docs").mkdir()
    adapter = registry.create("connector", "folder", {"path": tmp_path / "docs"})
    premises = Premises(folders=tuple((tmp_path / name).resolve() for name in allowed))
    with pytest.raises(ConnectorRefusedError, match="DRAGOMAN_CONNECTOR_FOLDERS"):
        adapter.watched_folder(premises)
    with pytest.raises(ConnectorRefusedError, match="DRAGOMAN_CONNECTOR_FOLDERS"):
        adapter.open(premises)


@pytest.mark.parametrize("path", ["allowed/../secret", "allowed/link", "relative"])
async def test_no_spelling_of_a_path_leads_out_of_the_allowed_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "secret")
    given = Path(path) if path == "relative" else tmp_path / path
    adapter = registry.create("connector", "folder", {"path": given})
    with pytest.raises(ConnectorRefusedError):
        adapter.open(Premises(folders=((tmp_path / "allowed").resolve(),)))


async def test_symbolic_links_inside_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = _old(tmp_path / "secret" / "s.md")
    root = tmp_path / "docs"
    _old(root / "a.md")
    (root / "file-link.md").symlink_to(secret)
    (root / "folder-link").symlink_to(secret.parent)
    adapter, premises = _folder(root)
    found = await visit(adapter, premises, tmp_path)
    assert {item.key for item in found.items} == {"a.md"}
    async with adapter.open(premises) as opened:
        for key in ("file-link.md", "folder-link/s.md", "../secret/s.md", "/etc/passwd", str(secret)):
            item = Item(key=key, version="x", name="x")
            with pytest.raises((ItemGoneError, ItemSkippedError)):
                await opened.fetch(item, tmp_path / "stolen", max_bytes=MIB, remembered=None)
    assert not (tmp_path / "stolen").exists()


async def test_what_is_no_ordinary_file_is_left_out(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    _old(root / "a.md")
    os.mkfifo(root / "pipe.md")
    adapter, premises = _folder(root)
    async with asyncio.timeout(5):
        found = await visit(adapter, premises, tmp_path)
        assert found.read == {"a.md"}
        async with adapter.open(premises) as opened:
            with pytest.raises(ItemSkippedError):
                await opened.fetch(
                    Item(key="pipe.md", version="x", name="x"), tmp_path / "x", max_bytes=MIB, remembered=None
                )


async def test_patterns_choose_files_and_hidden_ones_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    for name in ("a.md", "b.pdf", "old/c.md", "x/old/d.md", ".git/e.md", ".f.md", "~$g.docx", "h.md.tmp", "i.txt"):
        _old(root / name)
    adapter, premises = _folder(root, include=["*.md", "*.pdf"], exclude=["old/*"])
    found = await visit(adapter, premises, tmp_path)
    assert [item.key for item in found.items] == ["a.md", "b.pdf", "x/old/d.md"]
    flat, premises = _folder(root, recursive=False)
    assert {item.key for item in (await visit(flat, premises, tmp_path)).items} == {"a.md", "b.pdf", "i.txt"}


async def test_a_file_that_was_just_written_is_left_for_the_next_round(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    _old(root / "old.md")
    (root / "new.md").write_bytes(b"half a sen")
    adapter, premises = _folder(root)
    found = await visit(adapter, premises, tmp_path)
    assert found.read == {"old.md"}
    assert found.failed(ItemSkippedError) == {"new.md"}
    assert not found.results["new.md"].withdraw
    assert found.wants_another_round


async def test_a_name_that_is_not_utf8_is_left_out_and_told(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    _old(root / "a.md")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe.md")).write_bytes(b"x")
    adapter, premises = _folder(root)
    found = await visit(adapter, premises, tmp_path)
    assert {item.key for item in found.items} == {"a.md"}
    assert "not UTF-8" in found.notes[0]


def test_a_folder_is_watched_unless_that_is_switched_off(tmp_path: Path) -> None:
    adapter, premises = _folder(tmp_path)
    assert adapter.watched_folder(premises) == tmp_path.resolve()
    adapter, premises = _folder(tmp_path, watch=False)
    assert adapter.watched_folder(premises) is None


# ---- web site


@pytest.fixture
async def site() -> AsyncIterator[WebSite]:
    async with run_web_site() as made:
        yield made


def _site(site: WebSite, start: str = "/", **settings: Any) -> tuple[Any, Premises]:
    given = {"start_urls": [site.url(start)], "delay_s": 0, **settings}
    return registry.create("connector", "website", given), Premises(fetch=LOOPBACK)


def _paths(site: WebSite, keys: Any) -> set[str]:
    return {key.removeprefix(site.url("")) for key in keys}


async def test_a_site_in_a_private_network_is_refused_unless_it_is_allowed(site: WebSite, tmp_path: Path) -> None:
    site.link("/")
    adapter, _ = _site(site)
    async with adapter.open(Premises(fetch=FetchPolicy())) as opened:
        with pytest.raises(ConnectorRefusedError, match="DRAGOMAN_PRIVATE_NETWORKS"):
            await opened.check()
    assert site.requests == []


async def test_links_are_followed_within_host_and_path(site: WebSite, tmp_path: Path) -> None:
    site.link(
        "/docs/index.html",
        "a.html",
        "b/",
        "../outside.html",
        "http://other.invalid/docs/x.html",
        "mailto:a@example.com",
        "javascript:void(0)",
        "style.css",
        "logo.png",
        "a.html#part",
        "a.html?utm_source=x",
    )
    site.link("/docs/a.html", "/docs/index.html")
    site.link("/docs/b/", "c.html")
    site.link("/docs/b/c.html")
    site.link("/outside.html")
    adapter, premises = _site(site, "/docs/index.html")
    found = await visit(adapter, premises, tmp_path)
    assert _paths(site, found.read) == {"/docs/index.html", "/docs/a.html", "/docs/b/", "/docs/b/c.html"}
    assert found.results[site.url("/docs/b/")].file_name == "b.html"
    assert found.results[site.url("/docs/a.html")].file_name == "a.html"


async def test_depth_and_number_of_pages_are_limited_and_told(site: WebSite, tmp_path: Path) -> None:
    for number in range(10):
        site.link(f"/{number}.html", f"/{number + 1}.html")
    adapter, premises = _site(site, "/0.html", max_depth=3)
    assert len((await visit(adapter, premises, tmp_path)).read) == 4
    adapter, premises = _site(site, "/0.html", max_pages=5)
    found = await visit(adapter, premises, tmp_path)
    assert len(found.read) == 5
    assert not found.is_whole
    assert "max_pages" in found.notes[0]


async def test_patterns_choose_pages(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/docs/a.html", "/docs/old/b.html", "/blog/c.html")
    for path in ("/docs/a.html", "/docs/old/b.html", "/blog/c.html"):
        site.link(path)
    adapter, premises = _site(site, include=["*/docs/*", f"{site.url('/')}"], exclude=["*/old/*"])
    assert _paths(site, (await visit(adapter, premises, tmp_path)).read) == {"/", "/docs/a.html"}


async def test_sitemaps_name_pages_also_packed_ones_and_indexes(site: WebSite, tmp_path: Path) -> None:
    def urlset(*paths: str) -> bytes:
        urls = "".join(f"<url><loc>{site.url(path)}</loc><lastmod>2026-01-01</lastmod></url>" for path in paths)
        return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()

    index = "".join(f"<sitemap><loc>{site.url(path)}</loc></sitemap>" for path in ("/one.xml", "/two.xml.gz"))
    site.put("/robots.txt", f"Sitemap: {site.url('/index.xml')}\n", mime_type="text/plain")
    site.put("/index.xml", f"<sitemapindex>{index}</sitemapindex>", mime_type="text/xml")
    site.put("/one.xml", urlset("/a.html", "/b.html"), mime_type="application/xml")
    site.put("/two.xml.gz", gzip.compress(urlset("/c.html")), mime_type="application/gzip")
    site.link("/")
    for name in "abc":
        site.link(f"/{name}.html", "/unlisted.html")
    adapter, premises = _site(site, follow_links=False)
    found = await visit(adapter, premises, tmp_path)
    assert _paths(site, found.read) == {"/", "/a.html", "/b.html", "/c.html"}
    assert found.notes == []


@pytest.mark.parametrize(
    "content",
    [
        b"not xml at all <",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>',
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset><url><loc>&f;</loc></url></urlset>',
        gzip.compress(b"\0" * 60 * MIB),
        gzip.compress(b"<urlset/>" * 100)[:-9],
    ],
)
async def test_a_sitemap_that_is_none_or_a_bomb_is_told_and_left(site: WebSite, tmp_path: Path, content: bytes) -> None:
    site.link("/")
    site.put("/sitemap.xml", content, mime_type="application/xml")
    adapter, premises = _site(site)
    found = await visit(adapter, premises, tmp_path)
    assert _paths(site, found.read) == {"/"}
    assert "sitemap" in found.notes[0]


async def test_the_rules_of_the_site_are_obeyed(site: WebSite, tmp_path: Path) -> None:
    rules = "User-agent: *\nDisallow: /private/\nDisallow: /*.secret$\n\nUser-agent: Dragoman\nDisallow: /private/\n"
    site.put("/robots.txt", rules, mime_type="text/plain")
    site.link("/", "/private/a.html", "/open.html")
    site.link("/private/a.html")
    site.link("/open.html")
    adapter, premises = _site(site)
    found = await visit(adapter, premises, tmp_path)
    assert _paths(site, found.read) == {"/", "/open.html"}
    assert "/private/a.html" not in site.asked
    assert "robots.txt" in found.notes[0]
    assert site.requests[0][1]["user-agent"].startswith("Dragoman/")


async def test_rules_that_cannot_be_read_forbid_everything(site: WebSite, tmp_path: Path) -> None:
    site.link("/")
    site.answer("/robots.txt", 500)
    adapter, premises = _site(site)
    with pytest.raises(ConnectorUnavailableError):
        await visit(adapter, premises, tmp_path)
    assert site.asked == []


async def test_a_site_that_forbids_its_start_is_refused_by_the_check(site: WebSite) -> None:
    site.link("/")
    site.put("/robots.txt", "User-agent: *\nDisallow: /\n", mime_type="text/plain")
    adapter, premises = _site(site)
    async with adapter.open(premises) as opened:
        with pytest.raises(ConnectorRefusedError, match=r"robots\.txt"):
            await opened.check()


async def test_requests_come_one_by_one_with_the_longer_pause_between(site: WebSite, tmp_path: Path) -> None:
    site.put("/robots.txt", "User-agent: *\nCrawl-delay: 0.2\n", mime_type="text/plain")
    site.link("/", "/a.html", "/b.html")
    site.link("/a.html")
    site.link("/b.html")
    adapter, premises = _site(site, delay_s=0.05, sitemap=False)
    await visit(adapter, premises, tmp_path)
    pages = site.times[1:]
    assert site.most_at_once == 1
    assert min(later - earlier for earlier, later in pairwise(pages)) >= 0.19


async def test_a_site_that_asks_to_wait_is_waited_for(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/busy.html", "/next.html")
    site.answer("/busy.html", 429, Retry_After="0.3")
    site.link("/next.html")
    adapter, premises = _site(site, sitemap=False)
    found = await visit(adapter, premises, tmp_path)
    assert isinstance(found.results[site.url("/busy.html")], ServerFailedError)
    assert site.times[-1] - site.times[-2] >= 0.29


async def test_pages_without_validators_are_told_by_their_content(site: WebSite, tmp_path: Path) -> None:
    site.link("/", text="same")
    site.pages["/"].validators = False
    adapter, premises = _site(site)
    first = await visit(adapter, premises, tmp_path)
    assert (await visit(adapter, premises, tmp_path, first.remember())).unchanged == {site.url("/")}
    site.link("/", text="other")
    site.pages["/"].validators = False
    assert (await visit(adapter, premises, tmp_path, first.remember())).read == {site.url("/")}


async def test_an_unchanged_page_still_leads_on(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/a.html")
    site.link("/a.html", "/b.html")
    site.link("/b.html")
    adapter, premises = _site(site)
    first = await visit(adapter, premises, tmp_path, only_first=2)
    again = await visit(adapter, premises, tmp_path, first.remember())
    assert _paths(site, again.unchanged) == {"/", "/a.html"}
    assert _paths(site, again.read) == {"/b.html"}


async def test_an_interrupted_sync_does_not_ask_again_for_what_it_has(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/a.html")
    site.link("/a.html", "/b.html")
    site.link("/b.html")
    adapter, premises = _site(site, sitemap=False)
    first = await visit(adapter, premises, tmp_path, only_first=2)
    fresh = {
        key: Remembered(version=known.version, memo=known.memo, is_fresh=True)
        for key, known in first.remember().items()
    }
    site.forget_requests()
    rest = await visit(adapter, premises, tmp_path, fresh)
    assert _paths(site, rest.read) == {"/b.html"}
    assert site.asked == ["/", "/b.html"]  # the start is looked at for its redirects


async def test_a_page_to_which_nothing_leads_any_more_is_kept_while_it_is_there(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/orphan.html", "/gone.html", "/410.html")
    for path in ("/orphan.html", "/gone.html", "/410.html"):
        site.link(path)
    adapter, premises = _site(site)
    first = await visit(adapter, premises, tmp_path)
    site.link("/")
    del site.pages["/gone.html"]
    site.answer("/410.html", 410)
    again = await visit(adapter, premises, tmp_path, first.remember())
    assert site.url("/orphan.html") in again.unchanged
    assert _paths(site, again.failed(ItemGoneError)) == {"/gone.html", "/410.html"}


async def test_a_page_that_fails_for_now_is_not_gone_and_its_children_are_read(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/a.html")
    site.link("/a.html", "/b.html")
    site.link("/b.html")
    adapter, premises = _site(site)
    first = await visit(adapter, premises, tmp_path)
    site.answer("/a.html", 503)
    again = await visit(adapter, premises, tmp_path, first.remember())
    failed = again.results[site.url("/a.html")]
    assert isinstance(failed, ServerFailedError)
    assert failed.retryable
    assert site.url("/b.html") in again.unchanged


async def test_a_page_behind_a_password_is_refused_but_not_gone(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/locked.html")
    site.answer("/locked.html", 401)
    adapter, premises = _site(site)
    found = await visit(adapter, premises, tmp_path)
    refused = found.results[site.url("/locked.html")]
    assert isinstance(refused, RefusedByServerError | ItemRefusedError)
    assert not refused.retryable


@pytest.mark.parametrize("where", ["meta", "header", "header for us", "none"])
async def test_a_page_that_asks_not_to_be_indexed_is_left_out_but_leads_on(
    site: WebSite, tmp_path: Path, where: str
) -> None:
    head = {"meta": '<meta name="Robots" content="NoIndex">', "none": '<meta name="robots" content="none">'}
    headers = {"header": {"X_Robots_Tag": "noindex"}, "header for us": {"X_Robots_Tag": "dragoman: noindex"}}
    site.link("/", "/a.html")
    site.link("/a.html", "/b.html", head=head.get(where, ""), **headers.get(where, {}))
    site.link("/b.html")
    adapter, premises = _site(site)
    found = await visit(adapter, premises, tmp_path)
    left_out = found.results[site.url("/a.html")]
    assert isinstance(left_out, ItemSkippedError)
    assert left_out.withdraw
    assert (site.url("/b.html") in found.read) == (where != "none")


async def test_directives_for_others_are_not_ours(site: WebSite, tmp_path: Path) -> None:
    site.link("/", X_Robots_Tag="googlebot: noindex")
    adapter, premises = _site(site)
    assert (await visit(adapter, premises, tmp_path)).read == {site.url("/")}


async def test_nofollow_is_respected(site: WebSite, tmp_path: Path) -> None:
    site.put("/", '<a rel="nofollow" href="/a.html">a</a><a href="/b.html">b</a>')
    site.link("/b.html", "/c.html", head='<meta name="robots" content="nofollow">')
    for path in ("/a.html", "/c.html"):
        site.link(path)
    adapter, premises = _site(site)
    assert _paths(site, (await visit(adapter, premises, tmp_path)).read) == {"/", "/b.html"}


async def test_a_page_with_another_right_address_is_read_there_only(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/print/a.html")
    site.link("/print/a.html", head='<link rel="canonical" href="/a.html">')
    site.link("/a.html", head='<link rel="canonical" href="/a.html#top">')
    adapter, premises = _site(site)
    found = await visit(adapter, premises, tmp_path)
    assert _paths(site, found.read) == {"/", "/a.html"}
    assert isinstance(found.results[site.url("/print/a.html")], ItemSkippedError)


async def test_a_redirect_is_read_where_it_leads_and_only_inside_the_site(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/old.html", "/out.html", "/inner.html")
    site.answer("/old.html", 301, Location="/new.html")
    site.answer("/out.html", 302, Location="http://169.254.169.254/latest/")
    site.answer("/inner.html", 302, Location="http://10.0.0.1/")
    site.link("/new.html")
    adapter, premises = _site(site)
    found = await visit(adapter, premises, tmp_path)
    assert _paths(site, found.read) == {"/", "/new.html"}
    assert _paths(site, found.failed(ItemSkippedError)) == {"/old.html", "/out.html", "/inner.html"}


async def test_a_start_that_leads_to_another_site_is_refused(site: WebSite, tmp_path: Path) -> None:
    site.answer("/", 301, Location="http://elsewhere.invalid/")
    adapter, premises = _site(site)
    with pytest.raises(ConnectorRefusedError, match=r"elsewhere\.invalid"):
        await visit(adapter, premises, tmp_path)


async def test_a_start_that_redirects_on_its_host_is_followed(site: WebSite, tmp_path: Path) -> None:
    site.answer("/", 302, Location="/en/")
    site.link("/en/", "/en/a.html")
    site.link("/en/a.html")
    adapter, premises = _site(site)
    assert _paths(site, (await visit(adapter, premises, tmp_path)).read) == {"/en/", "/en/a.html"}


async def test_only_types_that_can_be_read_are_taken(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/a.pdf", "/b", "/c", "/d.bin2", "/picture")
    site.put("/a.pdf", b"%PDF-1.4", mime_type="application/pdf")
    site.put("/b", b"GIF89a", mime_type="image/gif")
    site.put("/c", b"\0" * 10, mime_type="application/x-shockwave")
    site.put("/d.bin2", b"text", mime_type="text/plain")
    adapter, _ = _site(site)
    readable = frozenset({"text/html", "application/pdf", "text/plain", "image/gif"})
    found = await visit(adapter, Premises(fetch=LOOPBACK, mime_types=readable), tmp_path)
    assert _paths(site, found.read) == {"/", "/a.pdf", "/d.bin2"}
    assert _paths(site, found.failed(ItemSkippedError)) == {"/b", "/c"}
    assert found.results[site.url("/a.pdf")].mime_type == "application/pdf"


async def test_a_password_goes_to_the_site_and_nowhere_else(site: WebSite, tmp_path: Path) -> None:
    site.link("/", "/a.html")
    site.link("/a.html")
    adapter, premises = _site(site, username="reader", password="s3cret")
    await visit(adapter, premises, tmp_path)
    assert {headers.get("authorization") for _, headers in site.requests} == {"Basic cmVhZGVyOnMzY3JldA=="}
    assert "s3cret" not in repr(adapter._settings) + adapter.describe()


@pytest.mark.parametrize(
    "body",
    [
        b"<a href='/a.html",
        b"<html" * 1000,
        b"<![if x]><a href='/a.html'>a</a>",
        "<a href='/ä.html'>ä</a>".encode("latin-1"),
        b"\xff\xfe<\0a\0>\0",
        b"<base href='http://['><a href='/a.html'>a</a>",
        b"<a href='http://[::1'>a</a><a href='http://x:99999/'>a</a>",
        b"",
    ],
)
async def test_broken_html_breaks_nothing(site: WebSite, tmp_path: Path, body: bytes) -> None:
    site.put("/", body)
    adapter, premises = _site(site)
    assert site.url("/") in (await visit(adapter, premises, tmp_path)).read


@pytest.mark.parametrize("field", ["start_urls", "sitemap_urls"])
@pytest.mark.parametrize("url", ["ftp://example.com/", "example.com", "http://user:pw@example.com/"])
def test_what_is_no_address_is_refused_with_the_settings(field: str, url: str) -> None:
    with pytest.raises(ValueError, match=r"http://|password"):
        registry.create("connector", "website", {"start_urls": ["http://example.com/"], field: [url]})


# ---- S3


async def test_a_bucket_of_more_than_one_page_is_listed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.adapters.connector.s3._PAGE_KEYS", 10)
    server = shared_s3_server()
    bucket = server.new_bucket()
    with server.client() as client:
        for number in range(25):
            client.put_object(Bucket=bucket, Key=f"p/{number:04}.md", Body=b"x")
    adapter = registry.create("connector", "s3", server.settings(bucket, prefix="p/"))

    async def known_keys() -> Sequence[str]:
        return ()

    async with adapter.open(Premises(fetch=LOOPBACK)) as opened:
        keys = [item.key async for item in opened.list_items(known_keys)]
    assert keys == [f"p/{number:04}.md" for number in range(25)]


async def test_a_store_in_a_private_network_is_refused_unless_it_is_allowed() -> None:
    settings = {"bucket": "archive", "endpoint_url": "http://127.0.0.1:9", "region": "us-east-1"}
    adapter = registry.create("connector", "s3", settings)
    async with adapter.open(Premises(fetch=FetchPolicy())) as opened:
        with pytest.raises(ConnectorRefusedError, match="DRAGOMAN_PRIVATE_NETWORKS"):
            await opened.check()


async def test_a_bucket_that_is_not_there_is_said_to_be_so() -> None:
    adapter = registry.create("connector", "s3", shared_s3_server().settings("absent"))
    async with adapter.open(Premises(fetch=LOOPBACK)) as opened:
        with pytest.raises(ConnectorRefusedError, match="no such bucket"):
            await opened.check()


async def test_what_is_no_store_is_said_to_be_none(site: WebSite) -> None:
    site.put("/archive/?encoding-type=url&list-type=2&max-keys=10&prefix=", "<html><body>Hello</body></html>")
    adapter = registry.create("connector", "s3", {"bucket": "archive", "endpoint_url": site.url("")})
    async with adapter.open(Premises(fetch=LOOPBACK)) as opened:
        with pytest.raises(ConnectorRefusedError, match="no S3 store"):
            await opened.check()


@pytest.mark.parametrize("key", ["plain.md", "sp ace+plus%25.md", "größe/日本.md", "a//b.md", "~tilde'(x).md"])
async def test_requests_are_signed_as_they_are_sent(key: str, tmp_path: Path) -> None:
    """The signature that the server would compute from the request as it arrives is the one that it carries."""
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: x\r\nConnection: close\r\n\r\nx")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = {"bucket": "archive", "endpoint_url": f"http://127.0.0.1:{port}"}
    keys = {"access_key_id": "AKID", "secret_access_key": "SECRET"}
    adapter = registry.create("connector", "s3", {**settings, **keys})
    async with adapter.open(Premises(fetch=LOOPBACK)) as opened:
        item = Item(key=key, version=None, name="x")
        await opened.fetch(item, tmp_path / "x", max_bytes=10, remembered=None)
    server.close()
    first, *lines = seen[0].strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert _signature(f"http://127.0.0.1:{port}{first.split(' ')[1]}", headers) in headers["authorization"]


def _signature(url: str, headers: dict[str, str]) -> str:
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request = botocore.awsrequest.AWSRequest(method="GET", url=url, headers={name: headers[name] for name in signed})
    request.context["timestamp"] = headers["x-amz-date"]
    auth = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials("AKID", "SECRET"), "s3", "us-east-1")
    canonical = auth.canonical_request(request)
    signature: str = auth.signature(auth.string_to_sign(request, canonical), request)
    return signature


async def test_an_open_bucket_is_read_without_keys_even_where_this_machine_has_some(
    site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "operators")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "operators")
    listing = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
    site.put("/archive/?encoding-type=url&list-type=2&max-keys=10&prefix=", listing, mime_type="application/xml")
    adapter = registry.create("connector", "s3", {"bucket": "archive", "endpoint_url": site.url("")})
    async with adapter.open(Premises(fetch=LOOPBACK)) as opened:
        await opened.check()
    assert "authorization" not in site.requests[-1][1]


def test_a_key_without_its_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret_access_key"):
        registry.create("connector", "s3", {"bucket": "archive", "access_key_id": "AKID"})


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    adapter = registry.create("connector", "s3", {"bucket": "archive", "endpoint_url": f"http://127.0.0.1:{port}"})
    async with adapter.open(Premises(fetch=LOOPBACK)) as opened:
        with pytest.raises(ConnectorUnavailableError):
            await opened.check()
