"""A web site: pages named by its sitemaps, found by links, or both, within the hosts and paths of the start addresses.

A polite reader: robots.txt (RFC 9309) is obeyed with its crawl delay, one request at a time, with a pause between two;
pages are asked for only if they changed (ETag, Last-Modified), and `noindex`, `nofollow` and canonical links are
respected. Each page is fetched once per sync; its links are remembered, so that an unchanged page still leads on.

    list_items: start addresses -> sitemaps -> links of fetched pages -> pages known from before that nothing led to
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import mimetypes
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import ClassVar, Final
from urllib.parse import parse_qsl, unquote, urlencode

import httpx
from defusedxml import DefusedXmlException, ElementTree
from protego import Protego
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from dragoman.kit.clock import Stopwatch
from dragoman.kit.fetch import (
    Fetcher,
    FetchError,
    FetchTimeoutError,
    InvalidUrlError,
    RefusedByServerError,
    Response,
    ServerFailedError,
    ServerUnreachableError,
    inflated,
    origin_of,
    parse_url,
)
from dragoman.kit.retry_after import parse_retry_after
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.ports.connector import (
    ConnectorRefusedError,
    ConnectorUnavailableError,
    Fetched,
    Item,
    ItemGoneError,
    ItemRefusedError,
    ItemSkippedError,
    KnownKeys,
    OpenConnector,
    Premises,
    Remembered,
    Unchanged,
)

_ROBOTS_BYTES: Final = 500 * 1024  # what RFC 9309 asks a reader to take at least
_SITEMAP_BYTES: Final = 50 * 1024 * 1024  # the most a sitemap may have, sitemaps.org
_MAX_SITEMAPS: Final = 100
_MAX_REDIRECTS: Final = 5
_MAX_LINKS: Final = 2000  # remembered of one page
_MAX_KEY_BYTES: Final = 1024
_LONGEST_PAUSE_S: Final = 60.0
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_GONE: Final = frozenset({404, 410})
_TRACKING: Final = re.compile(r"^(utm_\w+|fbclid|gclid|msclkid|mc_[ce]id|_ga|phpsessid|jsessionid|sid)$", re.IGNORECASE)
# Endings of what is surely no document; everything else is asked for, and its type decides.
_NO_DOCUMENT: Final = re.compile(
    r"\.(css|js|mjs|map|ico|svg|woff2?|ttf|eot|otf|mp[34]|m4[av]|webm|avi|mov|wav|ogg|zip|gz|tgz|bz2|xz|7z|rar|iso|dmg|"
    r"exe|msi|apk|jar|bin|rss|atom)$",
    re.IGNORECASE,
)
_VAGUE: Final = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/download"})
_PICTURE: Final = re.compile(r"\.(png|jpe?g|gif|webp|bmp|tiff?|avif|heic)$", re.IGNORECASE)


class Settings(BaseModel):
    """Settings of the connector `website`. `*` in a pattern stands for any characters, `/` too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_urls: tuple[str, ...] = Field(
        min_length=1,
        max_length=20,
        description="Where reading begins. Only pages of these hosts are read, below the folder of such a path.",
    )
    sitemap: bool = Field(default=True, description="Read the sitemaps named by robots.txt, or /sitemap.xml.")
    sitemap_urls: tuple[str, ...] = Field(default=(), max_length=20, description="Sitemaps that are read as well.")
    follow_links: bool = Field(default=True, description="Follow the links of pages.")
    max_depth: int = Field(default=10, ge=0, le=100, description="Links followed one after the other from a start.")
    max_pages: int = Field(default=1000, ge=1, le=20_000, description="Pages read in one sync at most.")
    include: tuple[str, ...] = Field(
        default=("*",), max_length=50, description="Patterns of addresses that are read, such as `*/docs/*`."
    )
    exclude: tuple[str, ...] = Field(default=(), max_length=50, description="Patterns of addresses that are left out.")
    pictures: bool = Field(default=False, description="Read pictures too, as documents of their own.")
    delay_s: float = Field(
        default=1.0, ge=0.0, le=60.0, description="Pause between two requests; a longer one in robots.txt counts."
    )
    max_size_mib: int = Field(default=25, ge=1, le=512, description="Larger pages and files are left out.")
    username: str | None = Field(
        default=None, max_length=200, description="For a site that asks for a password (Basic)."
    )
    password: SecretStr | None = Field(default=None, description="Its password; sent to the hosts of the starts only.")

    @field_validator("start_urls", "sitemap_urls")
    @classmethod
    def _can_be_fetched(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            try:
                parse_url(url)
            except InvalidUrlError as error:
                raise ValueError(error.message.rstrip(".")) from error
        return urls


class Adapter:
    """The connector `website`."""

    reads_this_machine: ClassVar[bool] = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, premises: Premises) -> AbstractAsyncContextManager[OpenConnector]:
        return _opened(self._settings, premises)

    def watched_folder(self, premises: Premises) -> Path | None:
        del premises
        return None

    def describe(self) -> str:
        return ", ".join(self._settings.start_urls)


@asynccontextmanager
async def _opened(settings: Settings, premises: Premises) -> AsyncIterator[OpenConnector]:
    fetcher = Fetcher(premises.fetch)
    try:
        yield _OpenSite(settings, premises, fetcher)
    finally:
        await fetcher.close()


# ---- asking


class _Manners:
    """Asks a site politely: robots.txt first, one request at a time, a pause between two."""

    def __init__(self, settings: Settings, fetcher: Fetcher) -> None:
        self._settings, self._fetcher = settings, fetcher
        self._robots: dict[tuple[str, str, int], Protego] = {}
        self._since_last: dict[str, Stopwatch] = {}
        self._asked_to_wait_s: dict[str, float] = {}
        self._hosts = {parse_url(url).host for url in settings.start_urls}
        self.agent = fetcher.policy.user_agent.partition("/")[0].partition(" ")[0]

    async def may_fetch(self, url: httpx.URL) -> bool:
        return (await self.robots_of(url)).can_fetch(str(url), self.agent)

    async def robots_of(self, url: httpx.URL) -> Protego:
        """The rules of the site; none where it states none.

        Raises:
            ConnectorUnavailableError: they cannot be had now, which forbids everything (RFC 9309, 2.3.1.4).
        """
        origin = origin_of(url)
        if origin not in self._robots:
            self._robots[origin] = Protego.parse(await self._read_robots(url.copy_with(raw_path=b"/robots.txt")))
        return self._robots[origin]

    async def _read_robots(self, url: httpx.URL) -> str:
        try:
            async with self._fetcher.open(str(url), credentials=self._credentials(url)) as response:
                if 400 <= response.status < 500 and response.status != 429:
                    return ""
                response.raise_for_status()
                return (await response.read_beginning(max_bytes=_ROBOTS_BYTES)).decode("utf-8", "replace")
        except (ServerFailedError, ServerUnreachableError, FetchTimeoutError) as error:
            raise ConnectorUnavailableError(
                f"The rules of the site ({url}) cannot be read now, so nothing is read of it: {error.message}"
            ) from error

    @asynccontextmanager
    async def ask(self, url: httpx.URL, headers: Mapping[str, str] | None = None) -> AsyncIterator[Response]:
        """Ask after the pause that is due; redirects are not followed."""
        await self._pause(url)
        credentials = self._credentials(url)
        try:
            async with self._fetcher.open(
                str(url), headers=headers, credentials=credentials, follow_redirects=False
            ) as response:
                if response.status in (429, 503):
                    self._asked_to_wait_s[url.host] = parse_retry_after(response.headers) or 0.0
                yield response
        finally:
            self._since_last[url.host] = Stopwatch()

    async def _pause(self, url: httpx.URL) -> None:
        crawl_delay_s = float((await self.robots_of(url)).crawl_delay(self.agent) or 0.0)
        wanted_s = max(self._settings.delay_s, crawl_delay_s, self._asked_to_wait_s.pop(url.host, 0.0))
        since = self._since_last.get(url.host)
        if since is not None:
            await asyncio.sleep(max(0.0, min(wanted_s, _LONGEST_PAUSE_S) - since.elapsed_ms / 1000))

    def _credentials(self, url: httpx.URL) -> Mapping[str, str]:
        if self._settings.username is None or url.host not in self._hosts:
            return {}
        password = self._settings.password.get_secret_value() if self._settings.password else ""
        pair = base64.b64encode(f"{self._settings.username}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


# ---- the site


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    url: str
    depth: int


@dataclass(slots=True, kw_only=True)
class _Frontier:
    """Addresses that were found, each once, in the order in which they were found."""

    waiting: deque[_Waiting] = field(default_factory=deque)
    found: set[str] = field(default_factory=set)

    def add(self, url: str, depth: int) -> None:
        if url not in self.found:
            self.found.add(url)
            self.waiting.append(_Waiting(url=url, depth=depth))


class _OpenSite:
    def __init__(self, settings: Settings, premises: Premises, fetcher: Fetcher) -> None:
        self._settings, self._premises = settings, premises
        self._manners = _Manners(settings, fetcher)
        self._frontier = _Frontier()
        self._scopes: list[tuple[str, str]] = []
        self._secure_hosts: set[str] = set()
        self._depths: dict[str, int] = {}
        self._forbidden = 0
        self._is_cut_off = False
        self._failed_sitemaps: list[str] = []

    # -- listing

    async def check(self) -> str:
        starts = await self._find_starts()
        for url in starts:
            if not await self._manners.may_fetch(parse_url(url)):
                raise ConnectorRefusedError(f"The rules of the site (robots.txt) forbid reading {url}.")
            async with self._manners.ask(parse_url(url)) as response:
                try:
                    response.raise_for_status()
                except RefusedByServerError as error:
                    raise ConnectorRefusedError(error.message) from error
                except ServerFailedError as error:
                    raise ConnectorUnavailableError(error.message) from error
        return f"{starts[0]} answers and may be read."

    async def list_items(self, known_keys: KnownKeys) -> AsyncGenerator[Item, None]:
        for url in await self._find_starts():
            self._frontier.add(url, 0)
        async for url in self._sitemap_urls():
            self._frontier.add(url, 0)
        async for item in self._listed():
            yield item
        for key in await known_keys():  # nothing led to them any more, but they may well be there
            if self._is_in_scope(key):
                self._frontier.add(key, self._settings.max_depth)
        async for item in self._listed():
            yield item

    async def _listed(self) -> AsyncGenerator[Item, None]:
        """What waits in the frontier, while `fetch` adds to it."""
        while self._frontier.waiting:
            next_one = self._frontier.waiting.popleft()
            if len(self._depths) >= self._settings.max_pages:
                self._is_cut_off = True
                return
            if not await self._manners.may_fetch(parse_url(next_one.url)):
                self._forbidden += 1
                continue
            self._depths[next_one.url] = next_one.depth
            name = _file_name(parse_url(next_one.url), "text/html")
            yield Item(key=next_one.url, version=None, name=name, url=next_one.url)

    async def _find_starts(self) -> list[str]:
        """The start addresses after their redirects; they set what is in scope.

        Raises:
            ConnectorRefusedError, ConnectorUnavailableError.
        """
        starts = []
        for text in self._settings.start_urls:
            url = parse_url(text)
            final = await self._follow_start(url)
            self._scopes += [_scope_of(each) for each in dict.fromkeys((url, final))]
            if final.scheme == "https":
                self._secure_hosts.add(final.host)
            starts.append(str(_normalised(final)))
        return starts

    async def _follow_start(self, url: httpx.URL) -> httpx.URL:
        current = url
        try:
            for _ in range(_MAX_REDIRECTS):
                async with self._manners.ask(current) as response:
                    if response.status not in _REDIRECTS:
                        if response.status >= 500:
                            response.raise_for_status()
                        return current
                    target = parse_url(response.headers.get("location", ""), base=current)
                if not _are_twins(url.host, target.host):
                    raise ConnectorRefusedError(
                        f"{url} leads to {target}, another site. Give that address if it is meant."
                    )
                current = target
        except (ServerFailedError, ServerUnreachableError, FetchTimeoutError) as error:
            raise ConnectorUnavailableError(error.message) from error
        except FetchError as error:
            raise ConnectorRefusedError(error.message) from error
        raise ConnectorRefusedError(f"{url} redirects more than {_MAX_REDIRECTS} times.")

    def _is_in_scope(self, text: str) -> bool:
        url = httpx.URL(text)
        inside = any(url.host == host and f"{url.path}/".startswith(folder) for host, folder in self._scopes)
        wanted = any(fnmatch(text, pattern) for pattern in self._settings.include)
        return inside and wanted and not any(fnmatch(text, pattern) for pattern in self._settings.exclude)

    def _page_address(self, text: str, base: httpx.URL) -> str | None:
        """The address of what may be a page of ours, None for all else."""
        try:
            url = _normalised(parse_url(text.strip(), base=base))
        except InvalidUrlError:
            return None
        if url.scheme == "http" and url.host in self._secure_hosts and url.port is None:
            url = url.copy_with(scheme="https")
        if _NO_DOCUMENT.search(url.path) or (not self._settings.pictures and _PICTURE.search(url.path)):
            return None
        address = str(url)
        return address if len(address.encode()) <= _MAX_KEY_BYTES and self._is_in_scope(address) else None

    # -- sitemaps

    async def _sitemap_urls(self) -> AsyncIterator[str]:
        waiting = deque(dict.fromkeys(await self._first_sitemaps()))
        seen: set[str] = set()
        while waiting and len(seen) < _MAX_SITEMAPS:
            address = waiting.popleft()
            if address in seen:
                continue
            seen.add(address)
            pages, more = await self._read_sitemap(address)
            waiting.extend(more)
            for page in pages:
                url = self._page_address(page, parse_url(address))
                if url is not None:
                    yield url

    async def _first_sitemaps(self) -> list[str]:
        addresses = [str(parse_url(url)) for url in self._settings.sitemap_urls]
        if self._settings.sitemap:
            for start in dict.fromkeys(self._settings.start_urls):
                url = parse_url(start)
                stated = list((await self._manners.robots_of(url)).sitemaps)
                addresses += stated or [str(url.copy_with(raw_path=b"/sitemap.xml"))]
        return addresses

    async def _read_sitemap(self, address: str) -> tuple[list[str], list[str]]:
        """Pages and further sitemaps. One that cannot be read is told in the report."""
        try:
            url = parse_url(address)
            async with self._manners.ask(url) as response:
                if response.status in _GONE and address not in self._settings.sitemap_urls:
                    return [], []  # nobody said that there is one
                response.raise_for_status()
                content = await response.read(max_bytes=_SITEMAP_BYTES)
            if content.startswith(b"\x1f\x8b"):
                content = await _unzipped(content)
            return await asyncio.to_thread(_parse_sitemap, content)
        except (FetchError, DefusedXmlException, ElementTree.ParseError, ValueError) as error:
            reason = error.message if isinstance(error, FetchError) else "it is no sitemap"
            self._failed_sitemaps.append(f"The sitemap {address} was not read: {reason}")
            return [], []

    # -- fetching

    async def fetch(
        self, item: Item, target: Path, *, max_bytes: int, remembered: Remembered | None
    ) -> Fetched | Unchanged:
        known = remembered or Remembered()
        self._follow(known.memo.get("links", ()), item.key)  # even where the page itself cannot be had this time
        if known.is_fresh:
            return Unchanged(version=known.version or "", memo=known.memo)
        version = _Version.parse(known.version)
        async with self._manners.ask(parse_url(item.key), version.conditions()) as response:
            if response.status == 304 and known.version is not None:
                return Unchanged(version=known.version, memo=known.memo)
            self._require_readable(response, item.key)
            limit = min(max_bytes, self._settings.max_size_mib * 1024 * 1024)
            saved = await response.save(target, max_bytes=limit)
        memo = {"links": await self._read_links(response, target, item.key)}
        present = str(_Version.of(response, saved.sha256))
        if version.sha256 == saved.sha256:
            return Unchanged(version=present, memo=memo)
        file_name = _file_name(parse_url(item.key), response.mime_type)
        return Fetched(file_name=file_name, mime_type=response.mime_type or None, version=present, memo=memo)

    def _require_readable(self, response: Response, key: str) -> None:
        """Raises ItemGoneError, ItemSkippedError, ItemRefusedError, RefusedByServerError, ServerFailedError."""
        if response.status in _GONE:
            raise ItemGoneError(f"The site says that {key} is gone ({response.status}).")
        if response.status in _REDIRECTS:
            target = response.headers.get("location", "")
            address = self._page_address(target, parse_url(key))
            raise self._left_out(f"This leads to {address or target[:500]}.", key, [address] if address else [])
        response.raise_for_status()
        if response.status != 200:
            raise ItemRefusedError(f"The site answers with the status {response.status}.")
        mime_type = response.mime_type
        if mime_type.startswith("image/") and not self._settings.pictures:
            raise ItemSkippedError("Pictures are not read from this site.", withdraw=True)
        types = {mime_type, mimetypes.guess_type(httpx.URL(key).path)[0]} if mime_type in _VAGUE else {mime_type}
        if self._premises.mime_types and mime_type and not types & self._premises.mime_types:
            raise ItemSkippedError(f"Documents of the type {mime_type} cannot be read here.", withdraw=True)

    async def _read_links(self, response: Response, page_file: Path, key: str) -> list[str]:
        """The links of a page to pages of ours, which are taken into the frontier.

        Raises:
            ItemSkippedError: the page asks not to be read, or names another as the right one.
        """
        directives = _robots_header(response.headers, self._manners.agent)
        page = _Page()
        if response.mime_type in _HTML:
            page = await asyncio.to_thread(_read_page, page_file, response.headers.get("content-type", ""))
        directives |= page.robots
        base = _base_of(page, key)
        found = [] if "nofollow" in directives else [self._page_address(link, base) for link in page.links]
        links = list(dict.fromkeys(link for link in found if link is not None))[:_MAX_LINKS]
        self._follow(links, key)
        if "noindex" in directives:
            raise self._left_out("The page asks not to be indexed (noindex).", key, links)
        canonical = self._page_address(page.canonical, base) if page.canonical else None
        if canonical is not None and canonical != key:
            raise self._left_out(f"The page names {canonical} as the right one.", key, [canonical, *links])
        return links

    def _left_out(self, reason: str, key: str, links: Sequence[str]) -> ItemSkippedError:
        self._follow(links, key)
        return ItemSkippedError(reason, withdraw=True, memo={"links": list(links)})

    def _follow(self, links: Iterable[str], key: str) -> None:
        depth = self._depths.get(key, 0) + 1
        if not self._settings.follow_links or depth > self._settings.max_depth:
            return
        for link in links:
            if self._is_in_scope(link):
                self._frontier.add(link, depth)

    # -- the report

    @property
    def is_whole(self) -> bool:
        return not self._is_cut_off

    @property
    def wants_another_round(self) -> bool:
        return False

    @property
    def notes(self) -> Sequence[str]:
        notes = []
        if self._is_cut_off:
            notes.append(f"The limit of {self._settings.max_pages} pages was reached; raise `max_pages` to read all.")
        if self._forbidden:
            notes.append(f"The rules of the site (robots.txt) forbid {self._forbidden} pages.")
        return [*notes, *self._failed_sitemaps][:20]


# ---- addresses


def _scope_of(url: httpx.URL) -> tuple[str, str]:
    """Host and folder: of a file the one it lies in, else the path itself."""
    path = url.path if "." not in url.path.rpartition("/")[2] else url.path.rpartition("/")[0]
    return url.host, path.rstrip("/") + "/"


def _are_twins(host: str, other: str) -> bool:
    """The same host, with or without `www.`."""
    return host.removeprefix("www.") == other.removeprefix("www.")


def _normalised(url: httpx.URL) -> httpx.URL:
    """One spelling for addresses of the same page: no fragment, no marks of campaigns and sessions, never an empty path."""
    url = url.copy_with(fragment=None)
    query = url.query.decode("ascii", "replace")
    if query:
        pairs = parse_qsl(query, keep_blank_values=True)
        kept = [(name, value) for name, value in pairs if not _TRACKING.match(name)]
        if len(kept) < len(pairs):
            url = url.copy_with(query=urlencode(kept).encode() or None)
    elif str(url).endswith("?"):
        url = url.copy_with(query=None)
    return url


def _file_name(url: httpx.URL, mime_type: str) -> str:
    """A name for the page as a file, with an extension that fits its type."""
    last = unquote(PurePosixPath(url.path).name) or url.host
    if mime_type in _HTML:
        return last if last.lower().endswith((".html", ".htm", ".xhtml")) else f"{last}.html"
    if PurePosixPath(last).suffix and mimetypes.guess_type(last)[0]:
        return last
    return last + (mimetypes.guess_extension(mime_type) or "")


# ---- what a page was when it was read last


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    etag: str | None = None
    modified: str | None = None
    sha256: str | None = None

    @classmethod
    def parse(cls, text: str | None) -> _Version:
        try:
            return cls(**json.loads(text or "{}"))
        except (ValueError, TypeError):
            return cls()

    @classmethod
    def of(cls, response: Response, sha256: str) -> _Version:
        etag, modified = response.headers.get("etag"), response.headers.get("last-modified")
        return cls(etag=etag and etag[:500], modified=modified and modified[:100], sha256=sha256)

    def conditions(self) -> dict[str, str]:
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in headers.items() if value}

    def __str__(self) -> str:
        return json.dumps({"etag": self.etag, "modified": self.modified, "sha256": self.sha256})


# ---- reading HTML and sitemaps


@dataclass(slots=True, kw_only=True)
class _Page:
    """What a page says of itself and where it leads."""

    links: list[str] = field(default_factory=list)
    base: str | None = None
    canonical: str | None = None
    robots: set[str] = field(default_factory=set)


class _PageParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = _Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        relations = given.get("rel", "").lower().split()
        match tag:
            case "a" | "area" if given.get("href") and "nofollow" not in relations:
                self.page.links.append(given["href"])
            case "base" if self.page.base is None and given.get("href"):
                self.page.base = given["href"]
            case "link" if "canonical" in relations and given.get("href"):
                self.page.canonical = given["href"]
            case "meta" if given.get("name", "").lower() in ("robots", "dragoman"):
                self.page.robots |= _directives(given.get("content", ""))
            case _:
                return


def _read_page(page_file: Path, content_type: str) -> _Page:
    content = page_file.read_bytes()
    stated = re.search(r"charset=[\"']?([\w-]+)", content_type, re.IGNORECASE)
    stated_inside = re.search(rb"<meta[^>]{0,200}charset=[\"']?([\w-]+)", content[:4096], re.IGNORECASE)
    charset = stated.group(1) if stated else stated_inside.group(1).decode() if stated_inside else None
    parser = _PageParser()
    try:
        parser.feed(decode_text(content, declared=charset).text)
        parser.close()
    except (BinaryContentError, AssertionError):  # html.parser asserts on some broken declarations
        return parser.page
    return parser.page


def _base_of(page: _Page, key: str) -> httpx.URL:
    own = parse_url(key)
    try:
        return parse_url(page.base.strip(), base=own) if page.base else own
    except InvalidUrlError:
        return own


def _robots_header(headers: httpx.Headers, agent: str) -> set[str]:
    """The directives of `X-Robots-Tag` that are for all or for us."""
    found: set[str] = set()
    for line in headers.get_list("x-robots-tag"):
        name, colon, rest = line.partition(":")
        if colon and "," not in name and name.strip().lower() not in ("unavailable_after", "max-snippet"):
            found |= _directives(rest) if name.strip().lower() == agent.lower() else set()
        else:
            found |= _directives(line)
    return found


def _directives(text: str) -> set[str]:
    found = {word.strip().lower() for word in text.split(",")}
    return found | {"noindex", "nofollow"} if "none" in found else found


def _parse_sitemap(content: bytes) -> tuple[list[str], list[str]]:
    """Pages and sitemaps that a sitemap or an index of them names; plain text has one address a line.

    Raises:
        ParseError, DefusedXmlException, ValueError.
    """
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        lines = content.decode("utf-8", "replace").splitlines()
        addresses = [line.strip() for line in lines if line.strip().startswith(("http://", "https://"))]
        if not addresses:
            raise ValueError("no addresses")
        return addresses, []
    pages: list[str] = []
    sitemaps: list[str] = []
    inside, location = False, ""
    for event, element in ElementTree.iterparse(io.BytesIO(content), events=("start", "end")):
        kind = element.tag.rpartition("}")[2]
        if kind in ("url", "sitemap"):
            if event == "end" and location:
                (sitemaps if kind == "sitemap" else pages).append(location)
            inside, location = event == "start", ""
            if event == "end":
                element.clear()  # a sitemap may have 50,000 of them
        elif kind == "loc" and event == "end" and inside and not location:
            location = (element.text or "").strip()
    return pages, sitemaps


async def _unzipped(content: bytes) -> bytes:
    """Raises UnreadableResponseError, ValueError: larger than a sitemap may be."""

    async def whole() -> AsyncIterator[bytes]:
        yield content

    pieces = bytearray()
    async for piece in inflated(whole(), window_bits=31):
        pieces += piece
        if len(pieces) > _SITEMAP_BYTES:
            raise ValueError("a sitemap of more than 50 MiB")
    return bytes(pieces)
