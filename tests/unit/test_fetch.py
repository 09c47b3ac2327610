"""Fetching what strangers name: private addresses in every spelling, redirects, rebinding, size, time, packing."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.kit.errors import DragomanError
from dragoman.kit.fetch import (
    BodyTooLargeError,
    Fetcher,
    FetchPolicy,
    FetchTimeoutError,
    ForbiddenAddressError,
    HostNotFoundError,
    InvalidNetworkError,
    InvalidUrlError,
    RefusedByServerError,
    ServerFailedError,
    ServerUnreachableError,
    TooManyRedirectsError,
    UnreadableResponseError,
    guarded_client,
    parse_url,
    require_reachable,
)

LOOPBACK = FetchPolicy.of(["127.0.0.0/8"], user_agent="Dragoman/test (+mailto:ops@example.com)")
MIB = 1024 * 1024

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(kw_only=True)
class Site:
    """A server on loopback that answers each path as the test says, and notes the requests it got."""

    port: int = 0
    pages: dict[str, bytes | Handler] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def answer(self, path: str, body: bytes = b"", status: str = "200 OK", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        if not any(name.lower() in ("content_length", "transfer_encoding") for name in headers):
            lines.append(f"Content-Length: {len(body)}")
        self.pages[path] = "\r\n".join([*lines, "", ""]).encode() + body

    def redirect(self, path: str, location: str, status: str = "302 Found") -> None:
        self.answer(path, status=status, Location=location)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                path = first.split(" ")[1]
                self.requests.append((path, {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}))
                page = self.pages.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                if callable(page):
                    await page(writer)
                    break
                writer.write(page)
                await writer.drain()
        writer.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@contextlib.asynccontextmanager
async def fetching(policy: FetchPolicy = LOOPBACK) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(policy)
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def get(url: str, *, policy: FetchPolicy = LOOPBACK, max_bytes: int = MIB, **options: Any) -> bytes:
    async with fetching(policy) as fetcher, fetcher.open(url, **options) as response:
        response.raise_for_status()
        return await response.read(max_bytes=max_bytes)


# ---- where one may go


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.1",
        "017700000001",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.88.99.1",
        "[::1]",
        "[::]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::1]",
        "[2001::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
    ],
)
async def test_an_address_off_the_public_internet_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(ForbiddenAddressError) as refused:
        await get(f"http://{host}/", policy=FetchPolicy())
    assert "DRAGOMAN_PRIVATE_NETWORKS" in refused.value.message


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_a_public_address_is_allowed(address: str) -> None:
    FetchPolicy().require_allowed("example.com", [address])


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_however_ipv6_wraps_it(address: Any) -> None:
    def is_allowed(text: str) -> bool:
        try:
            FetchPolicy().require_allowed("host", [text])
        except ForbiddenAddressError:
            return False
        return True

    number = int(address)
    plain = is_allowed(str(address))
    assert is_allowed(f"::ffff:{address}") == plain
    assert is_allowed(f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}") == plain
    assert is_allowed(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1") == plain


def test_one_private_address_among_public_ones_condemns_the_name() -> None:
    with pytest.raises(ForbiddenAddressError):
        FetchPolicy().require_allowed("both.example", ["8.8.8.8", "10.0.0.1"])


def test_the_operator_allows_networks_addresses_and_hosts() -> None:
    policy = FetchPolicy.of(["10.1.0.0/16", "192.168.7.7", "fd12::/16", "Wiki.Intern"])
    for host, address in (
        ("a", "10.1.2.3"),
        ("b", "192.168.7.7"),
        ("c", "fd12::1"),
        ("wiki.intern", "172.16.0.9"),
        ("WIKI.intern.", "172.16.0.9"),
        ("d", "::ffff:10.1.2.3"),
    ):
        policy.require_allowed(host, [address])
    for host, address in (("a", "10.2.0.1"), ("b", "192.168.7.8"), ("x.wiki.intern", "172.16.0.9")):
        with pytest.raises(ForbiddenAddressError):
            policy.require_allowed(host, [address])


def test_the_metadata_service_stays_forbidden_where_a_whole_network_is_allowed() -> None:
    with pytest.raises(ForbiddenAddressError):
        FetchPolicy.of(["169.254.0.0/16", "0.0.0.0/0"]).require_allowed("m", ["169.254.169.254"])
    FetchPolicy.of(["169.254.169.254"]).require_allowed("m", ["169.254.169.254"])


@pytest.mark.parametrize("text", ["", "10.0.0.0/99", "*.intern", "http://intern", "a b"])
def test_a_private_network_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidNetworkError):
        FetchPolicy.of([text])


async def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve_to(monkeypatch, ["10.9.8.7"])
    with pytest.raises(ForbiddenAddressError, match=r"innocent\.example leads to 10\.9\.8\.7"):
        await get("http://innocent.example/", policy=FetchPolicy())


async def test_the_connection_goes_to_the_address_that_was_judged(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the second look-up would give another address, and there is none."""
    site.answer("/", b"judged")
    lookups = _resolve_to(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    assert await get(site.url(host="rebinding.example")) == b"judged"
    assert lookups == ["rebinding.example"]
    assert site.requests[0][1]["host"] == f"rebinding.example:{site.port}"


async def test_a_second_address_is_tried_when_the_first_does_not_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.answer("/", b"second")
    _resolve_to(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    assert await get(site.url(host="two.example")) == b"second"


async def test_proxies_of_the_environment_are_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    site.answer("/", b"direct")
    assert await get(site.url()) == b"direct"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "example.com",
        "//example.com/",
        "http://",
        "http:///path",
        "http://user:secret@example.com/",
        "http://user@example.com/",
        "http://example.com:99999/",
        "http://example.com/\x00",
        "http://exa mple.com/",
        "http://[::1/",
        "http://0177.0.0.1/",
        "",
        "javascript:alert(1)",
        "http://example.com/" + "a" * 3000,
    ],
)
async def test_what_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrlError):
        await get(url)


def test_a_fragment_is_no_part_of_the_address() -> None:
    assert str(parse_url("HTTP://Example.com/a?b=c#d")) == "http://example.com/a?b=c"


async def test_a_name_that_nobody_has_is_not_found() -> None:
    with pytest.raises((HostNotFoundError, ServerUnreachableError)):
        await get("http://nobody.invalid/")


async def test_a_closed_port_is_said_to_be_one_that_does_not_answer(unused_tcp_port: int) -> None:
    with pytest.raises(ServerUnreachableError, match="does not answer"):
        await get(f"http://127.0.0.1:{unused_tcp_port}/")


# ---- redirects


async def test_redirects_are_followed_and_the_last_address_is_told(site: Site) -> None:
    site.redirect("/a", "/b", "301 Moved Permanently")
    site.redirect("/b", "c?x=1", "307 Temporary Redirect")
    site.answer("/c?x=1", b"here")
    told: list[str] = []

    async def on_redirect(url: str) -> None:
        told.append(url)

    async with fetching() as fetcher, fetcher.open(site.url("/a"), on_redirect=on_redirect) as response:
        assert response.url == site.url("/c?x=1")
        assert await response.read(max_bytes=100) == b"here"
    assert told == [site.url("/b"), site.url("/c?x=1")]


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "//0x0a000001/"]
)
async def test_a_redirect_into_a_private_network_is_refused(site: Site, target: str) -> None:
    site.redirect("/", target)
    with pytest.raises(ForbiddenAddressError):
        await get(site.url())


async def test_a_redirect_to_another_scheme_is_refused(site: Site) -> None:
    site.redirect("/", "file:///etc/passwd")
    with pytest.raises(InvalidUrlError):
        await get(site.url())


async def test_a_circle_of_redirects_ends(site: Site) -> None:
    site.redirect("/", "/")
    with pytest.raises(TooManyRedirectsError):
        await get(site.url())
    assert len(site.requests) == 6


async def test_redirects_can_be_left_to_the_caller(site: Site) -> None:
    site.redirect("/", "/elsewhere")
    async with fetching() as fetcher, fetcher.open(site.url(), follow_redirects=False) as response:
        assert (response.status, response.headers["location"]) == (302, "/elsewhere")


async def test_credentials_go_to_the_first_server_only_and_cookies_nowhere(site: Site) -> None:
    other = Site()
    server = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    other.port = server.sockets[0].getsockname()[1]
    site.answer("/in", status="302 Found", Location="/own", Set_Cookie="session=1; Path=/")
    site.redirect("/own", other.url("/out"))
    other.answer("/out", b"other")
    assert await get(site.url("/in"), credentials={"Authorization": "Basic abc"}) == b"other"
    server.close()
    assert [request[1].get("authorization") for request in site.requests] == ["Basic abc", "Basic abc"]
    assert "authorization" not in other.requests[0][1]
    assert not [headers for _, headers in site.requests + other.requests if "cookie" in headers]


# ---- what comes back


async def test_we_introduce_ourselves(site: Site) -> None:
    site.answer("/", b"")
    await get(site.url())
    assert site.requests[0][1]["user-agent"] == "Dragoman/test (+mailto:ops@example.com)"


async def test_a_body_goes_to_disk_with_its_hash(site: Site, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    site.answer("/", content, Content_Type="Application/PDF; charset=x")
    async with fetching() as fetcher, fetcher.open(site.url()) as response:
        saved = await response.save(tmp_path / "body", max_bytes=2 * MIB)
        assert response.mime_type == "application/pdf"
    assert (tmp_path / "body").read_bytes() == content
    assert (saved.size_bytes, saved.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "410 Gone"])
async def test_a_refusal_is_told_as_one(site: Site, status: str) -> None:
    site.answer("/", status=status)
    with pytest.raises(RefusedByServerError, match=status[:3]):
        await get(site.url())


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "429 Slow down"])
async def test_a_passing_problem_is_worth_another_try(site: Site, status: str) -> None:
    site.answer("/", status=status, Retry_After="7")
    with pytest.raises(ServerFailedError) as failed:
        await get(site.url())
    assert failed.value.retryable
    assert failed.value.retry_after_s == 7


async def test_a_body_that_says_it_is_too_large_is_not_read(site: Site) -> None:
    site.answer("/", b"x" * 2000)
    with pytest.raises(BodyTooLargeError):
        await get(site.url(), max_bytes=1999)
    assert len(await get(site.url(), max_bytes=2000)) == 2000


async def test_a_body_without_end_is_cut_at_the_limit(site: Site) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    site.pages["/"] = endless
    with pytest.raises(BodyTooLargeError):
        await get(site.url(), max_bytes=MIB)
    assert sent < 20 * MIB


async def test_a_body_that_drips_is_given_up_after_the_time_limit(site: Site) -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    site.pages["/"] = dripping
    policy = FetchPolicy(allowed_networks=LOOPBACK.allowed_networks, total_timeout_s=0.3)
    with pytest.raises(FetchTimeoutError):
        await get(site.url(), policy=policy)


async def test_a_server_that_says_nothing_is_given_up(site: Site) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)

    site.pages["/"] = silent
    policy = FetchPolicy(allowed_networks=LOOPBACK.allowed_networks, idle_timeout_s=0.2)
    with pytest.raises(FetchTimeoutError):
        await get(site.url(), policy=policy)


async def test_a_time_out_of_the_reader_stays_the_readers(site: Site) -> None:
    site.answer("/", b"x")
    with pytest.raises(TimeoutError):
        async with fetching() as fetcher, fetcher.open(site.url()):
            raise TimeoutError


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"hello " * 1000)),
        ("x-gzip", gzip.compress(b"hello " * 400) + gzip.compress(b"hello " * 600)),
        ("deflate", zlib.compress(b"hello " * 1000)),
    ],
    ids=["gzip", "two-members", "deflate"],  # those made of the bytes would hold the time
)
async def test_packed_bodies_are_unpacked(site: Site, encoding: str, packed: bytes) -> None:
    site.answer("/", packed, Content_Encoding=encoding)
    assert await get(site.url()) == b"hello " * 1000


async def test_a_gzip_bomb_is_cut_at_the_limit(site: Site) -> None:
    bomb = gzip.compress(bytes(64 * MIB))
    assert len(bomb) < 100_000
    site.answer("/", bomb, Content_Encoding="gzip")
    with pytest.raises(BodyTooLargeError):
        await get(site.url(), max_bytes=MIB)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"hello" * 100)[:-10]),
        ("gzip", b"this was never packed"),
        ("br", b"x"),
        ("gzip, gzip", b"x"),
    ],
)
async def test_damaged_and_unknown_packing_is_said_to_be_unreadable(site: Site, encoding: str, body: bytes) -> None:
    site.answer("/", body, Content_Encoding=encoding)
    with pytest.raises(UnreadableResponseError):
        await get(site.url())


async def test_what_is_no_http_is_said_to_be_unreadable(site: Site) -> None:
    async def other_protocol(writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await writer.drain()

    site.pages["/"] = other_protocol
    with pytest.raises(UnreadableResponseError):
        await get(site.url())


async def test_a_body_that_ends_too_early_is_said_to_be_unreadable(site: Site) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
        await writer.drain()

    site.pages["/"] = cut
    with pytest.raises(DragomanError) as failed:
        await get(site.url())
    assert isinstance(failed.value, UnreadableResponseError | ServerUnreachableError)


async def test_connections_are_kept_for_the_next_page(site: Site) -> None:
    site.answer("/", b"x")
    async with fetching() as fetcher:
        for _ in range(3):
            async with fetcher.open(site.url()) as response:
                await response.read(max_bytes=10)
        assert fetcher._known_pool is not None
        assert len(fetcher._known_pool.connections) == 1


# ---- requests of other methods


async def test_a_guarded_client_posts_to_the_address_that_was_judged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.answer("/hook", b"taken")
    lookups = _resolve_to(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with guarded_client(LOOPBACK) as client:
        answered = await client.post(site.url("/hook", host="rebinding.example"), content=b"")
    assert (answered.content, lookups) == (b"taken", ["rebinding.example"])
    assert site.requests[0][1]["user-agent"] == LOOPBACK.user_agent


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"])
async def test_a_guarded_client_reaches_no_private_address(site: Site, host: str) -> None:
    async with guarded_client(FetchPolicy()) as client:
        with pytest.raises(ForbiddenAddressError):
            await client.post(site.url(host=host), content=b"secret")
    assert site.requests == []


async def test_a_guarded_client_follows_no_redirect_into_a_private_network(site: Site) -> None:
    site.redirect("/", "http://169.254.169.254/latest/meta-data/")
    async with guarded_client(LOOPBACK, follow_redirects=True) as client:
        with pytest.raises(ForbiddenAddressError):
            await client.post(site.url(), content=b"")


async def test_a_url_is_judged_as_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve_to(monkeypatch, ["93.184.216.34"], ["10.0.0.1"])
    assert await require_reachable(FetchPolicy(), "https://hooks.example/a#b") == "https://hooks.example/a"
    with pytest.raises(ForbiddenAddressError):
        await require_reachable(FetchPolicy(), "https://hooks.example/a")
    with pytest.raises(InvalidUrlError):
        await require_reachable(FetchPolicy(), "gopher://hooks.example/")


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let the name server give these addresses, one answer after the other; returns the names asked for."""
    asked: list[str] = []
    loop = asyncio.get_running_loop()

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    return asked
