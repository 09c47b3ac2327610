"""A web site on loopback, for tests: pages from memory, with validators, robots.txt and a note of each request."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Page:
    """What a path answers. `body` may be anything; an ETag is made of it unless `validators` is off."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    validators: bool = True


@dataclass(kw_only=True)
class WebSite:
    """The site. Paths that have no page answer 404."""

    port: int = 0
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def put(self, path: str, body: str | bytes, *, mime_type: str = "text/html; charset=utf-8", **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = Page(body=content, headers={"Content-Type": mime_type, **named})

    def link(self, path: str, *targets: str, text: str = "", head: str = "", **headers: str) -> None:
        """An HTML page that leads to these addresses."""
        links = "".join(f'<li><a href="{target}">{target}</a></li>' for target in targets)
        self.put(path, f"<html><head>{head}</head><body><p>{text or path}</p><ul>{links}</ul></body></html>", **headers)

    def answer(self, path: str, status: int, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = Page(status=status, headers=named, validators=False)

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for, but for the rules of the site."""
        return [path for path, _ in self.requests if path not in ("/robots.txt", "/sitemap.xml")]

    def forget_requests(self) -> None:
        self.requests.clear()
        self.times.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                path = first.split(" ")[1]
                self.requests.append((path, headers))
                self.times.append(time.monotonic())
                await asyncio.sleep(0)
                writer.write(self._answer(path, headers))
                await writer.drain()
                self.at_once -= 1
        writer.close()

    def _answer(self, path: str, headers: dict[str, str]) -> bytes:
        page = self.pages.get(path, Page(status=404, validators=False))
        etag = f'"{hashlib.sha256(page.body).hexdigest()[:16]}"'
        status, body, sent = page.status, page.body, dict(page.headers)
        if page.validators:
            sent["ETag"] = etag
            if headers.get("if-none-match") == etag:
                status, body = 304, b""
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in sent.items())]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@contextlib.asynccontextmanager
async def run_web_site() -> AsyncIterator[WebSite]:
    site = WebSite()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
