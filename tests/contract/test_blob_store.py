"""What `ports/blob_store.py` promises, on every blob store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.kit import registry
from dragoman.kit.errors import DragomanError
from dragoman.ports.blob_store import BlobNotFoundError, BlobStoreUnavailableError
from tests.contract.conftest import open_adapter

KEY = "tenant/ab/abcdef"


@pytest.fixture(params=registry.list_adapters("blob_store"))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    async with open_adapter("blob_store", request.param, tmp_path) as adapter:
        yield adapter


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(store: Any, key: str) -> bytes:
    return b"".join([piece async for piece in store.read(key)])


async def test_what_was_put_is_read_in_pieces_of_at_most_a_mebibyte(store: Any) -> None:
    content = bytes(range(256)) * 10_000
    assert await store.put(KEY, pieces(content[:7], content[7:])) == len(content)
    found = [piece async for piece in store.read(KEY)]
    assert b"".join(found) == content
    assert max(map(len, found)) <= 1024 * 1024
    assert await store.exists(KEY)


async def test_an_empty_blob_is_a_blob(store: Any) -> None:
    assert await store.put(KEY, pieces()) == 0
    assert await store.exists(KEY)
    assert await read(store, KEY) == b""


async def test_a_second_put_replaces_the_first(store: Any) -> None:
    await store.put(KEY, pieces(b"a longer first text"))
    await store.put(KEY, pieces(b"second"))
    assert await read(store, KEY) == b"second"


async def test_an_absent_blob_is_not_found_and_deleting_it_does_nothing(store: Any) -> None:
    assert not await store.exists(KEY)
    await store.delete(KEY)
    with pytest.raises(BlobNotFoundError):
        await read(store, KEY)


async def test_a_deleted_blob_is_gone(store: Any) -> None:
    await store.put(KEY, pieces(b"x"))
    await store.delete(KEY)
    assert not await store.exists(KEY)


async def test_an_upload_that_breaks_off_leaves_the_old_blob_whole(store: Any) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("client gone")

    await store.put(KEY, pieces(b"old"))
    with pytest.raises(RuntimeError):
        await store.put(KEY, broken())
    assert await read(store, KEY) == b"old"
    with pytest.raises(RuntimeError):
        await store.put("tenant/new", broken())
    assert not await store.exists("tenant/new")


async def test_a_cancelled_upload_leaves_nothing(store: Any, tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.001)

    task = asyncio.create_task(store.put("tenant/ab/endless", endless()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await store.exists("tenant/ab/endless")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_reader_sees_the_blob_it_opened_while_it_is_replaced(store: Any) -> None:
    old = b"o" * (3 * 1024 * 1024)
    await store.put(KEY, pieces(old))
    reading = store.read(KEY)
    first = await anext(reading)
    await store.put(KEY, pieces(b"new"))
    assert first + b"".join([piece async for piece in reading]) == old
    assert await read(store, KEY) == b"new"


async def test_puts_of_one_key_at_the_same_time_leave_one_of_them_whole(store: Any) -> None:
    contents = [bytes([letter]) * 200_000 for letter in b"abcd"]
    await asyncio.gather(*(store.put(KEY, pieces(content[:1000], content[1000:])) for content in contents))
    assert await read(store, KEY) in contents


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a\\..\\b", "a\0b", "C:/x", "a/"]
)
async def test_a_key_that_leads_elsewhere_is_refused(store: Any, key: str) -> None:
    for call in (store.put(key, pieces(b"x")), store.exists(key), store.delete(key), read(store, key)):
        with pytest.raises(DragomanError) as caught:
            await call
        assert caught.value.status == 422


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = registry.create("blob_store", "filesystem", {"root": tmp_path / "file" / "blobs"})
    with pytest.raises(BlobStoreUnavailableError):
        await store.put(KEY, pieces(b"x"))
