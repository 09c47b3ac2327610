"""For each connector an origin that a test can fill, change and empty."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dragoman.kit import registry
from dragoman.kit.fetch import FetchPolicy
from dragoman.ports.connector import Premises
from tests.contract.s3_server import shared_s3_server
from tests.contract.web_site import run_web_site

LOOPBACK = FetchPolicy.of(["127.0.0.0/8"], user_agent="Dragoman/test (+https://example.com/bot)")


@dataclass(kw_only=True)
class Origin:
    """A connector with the place it reads.

    Attributes:
        put, remove: change the place; names are such as `a/b.md`.
        key_of: the key under which the connector lists a name.
        stop: make the place unreachable.
    """

    adapter: Any
    premises: Premises
    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]
    key_of: Callable[[str], str]
    stop: Callable[[], None]
    stray: set[str] = field(default_factory=set)  # keys that are there beside what was put


@asynccontextmanager
async def folder_origin(folder: Path) -> AsyncIterator[Origin]:
    root = folder / "documents"
    root.mkdir()

    def put(name: str, content: bytes) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.write_bytes(content)
        settled = max(time.time_ns() - 10**10, before + 1)  # written long enough ago, and later than before
        os.utime(path, ns=(settled, settled))

    def stop() -> None:
        root.rename(folder / "elsewhere")

    yield Origin(
        adapter=registry.create("connector", "folder", {"path": root}),
        premises=Premises(folders=(folder.resolve(),), fetch=LOOPBACK),
        put=put,
        remove=lambda name: (root / name).unlink(),
        key_of=lambda name: name,
        stop=stop,
    )


@asynccontextmanager
async def website_origin(folder: Path) -> AsyncIterator[Origin]:
    async with run_web_site() as site:
        names: dict[str, bytes] = {}

        def show_index() -> None:
            site.link("/", *(f"/{name}" for name in names))

        def put(name: str, content: bytes) -> None:
            names[name] = content
            site.put(f"/{name}", content, mime_type="text/markdown")
            show_index()

        def remove(name: str) -> None:
            del names[name], site.pages[f"/{name}"]
            show_index()

        def stop() -> None:
            for path in (*site.pages, "/robots.txt"):
                site.answer(path, 503)

        show_index()
        yield Origin(
            adapter=registry.create("connector", "website", {"start_urls": [site.url("/")], "delay_s": 0}),
            premises=Premises(fetch=LOOPBACK),
            put=put,
            remove=remove,
            key_of=lambda name: site.url(f"/{name}"),
            stop=stop,
            stray={site.url("/")},
        )


@asynccontextmanager
async def s3_origin(folder: Path) -> AsyncIterator[Origin]:
    server = shared_s3_server()
    bucket = server.new_bucket()
    with server.client() as client:

        def put(name: str, content: bytes) -> None:
            client.put_object(Bucket=bucket, Key=f"docs/{name}", Body=content)

        def remove(name: str) -> None:
            client.delete_object(Bucket=bucket, Key=f"docs/{name}")

        def stop() -> None:
            for found in client.list_objects_v2(Bucket=bucket).get("Contents", ()):
                client.delete_object(Bucket=bucket, Key=found["Key"])
            client.delete_bucket(Bucket=bucket)

        client.put_object(Bucket=bucket, Key="other/secret.md", Body=b"not below the prefix")
        client.put_object(Bucket=bucket, Key="docs/", Body=b"")
        yield Origin(
            adapter=registry.create("connector", "s3", server.settings(bucket, prefix="docs/")),
            premises=Premises(fetch=LOOPBACK),
            put=put,
            remove=remove,
            key_of=lambda name: f"docs/{name}",
            stop=stop,
        )
