"""What `ports/blob_store.py` promises, on every blob store, alone and behind encryption."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dragoman.kit import registry
from dragoman.kit.encryption import Keyring, new_key
from dragoman.kit.errors import DragomanError
from dragoman.knowledge.encrypted_blobs import EncryptedBlobStore
from dragoman.ports.blob_store import BlobNotFoundError, BlobStoreUnavailableError
from tests.contract.conftest import open_adapter

KEY = "tenant/ab/abcdef"
ADAPTERS = registry.list_adapters("blob_store")


@pytest.fixture(params=[*ADAPTERS, *(f"encrypted {name}" for name in ADAPTERS)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    async with open_adapter("blob_store", request.param.removeprefix("encrypted "), tmp_path) as adapter:
        if request.param in ADAPTERS:
            yield adapter
        else:
            yield EncryptedBlobStore(adapter, Keyring.parse(new_key("k1")))


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


async def test_keys_are_listed_by_their_beginning(store: Any) -> None:
    keys = {"acme/a/1", "acme/a/2", "acme/b/1", "acme2/a/1", "zenith"}
    for key in keys:
        await store.put(key, pieces(b"x"))
    expected = {
        "": keys,
        "acme/": {"acme/a/1", "acme/a/2", "acme/b/1"},
        "acme": keys - {"zenith"},
        "acme/a/": {"acme/a/1", "acme/a/2"},
        "acme/a/2": {"acme/a/2"},
        "nobody/": set(),
    }
    for prefix, wanted in expected.items():
        listed = [key async for key in store.list_keys(prefix)]
        assert set(listed) == wanted, prefix
        assert len(listed) == len(wanted)


async def test_an_empty_store_lists_and_sweeps_nothing(store: Any) -> None:
    assert [key async for key in store.list_keys()] == []
    assert await store.sweep_unfinished(older_than_s=0) == 0


async def test_a_blob_of_many_mebibytes_survives_whole(store: Any) -> None:
    content = os.urandom(1024 * 1024) * 17 + b"the end"
    assert await store.put(KEY, pieces(content[:100], content[100:9_000_000], content[9_000_000:])) == len(content)
    found = [piece async for piece in store.read(KEY)]
    assert b"".join(found) == content
    assert max(map(len, found)) <= 1024 * 1024


async def test_a_large_upload_that_breaks_off_leaves_nothing_to_sweep(store: Any) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield bytes(1024 * 1024)
        raise OSError(errno.EIO, "the upload's own disk")

    with pytest.raises(OSError, match="the upload's own disk"):
        await store.put(KEY, broken())
    assert not await store.exists(KEY)
    assert await store.sweep_unfinished(older_than_s=0) == 0


async def test_a_reader_that_turns_away_gives_its_file_or_connection_back(store: Any) -> None:
    await store.put(KEY, pieces(bytes(3 * 1024 * 1024)))
    for _ in range(40):  # more than the connections of a pool
        async with aclosing(store.read(KEY)) as reading:
            await anext(reading)
    assert await store.exists(KEY)


async def test_puts_of_one_key_at_the_same_time_leave_one_of_them_whole(store: Any) -> None:
    contents = [bytes([letter]) * 200_000 for letter in b"abcd"]
    await asyncio.gather(*(store.put(KEY, pieces(content[:1000], content[1000:])) for content in contents))
    assert await read(store, KEY) in contents


async def test_many_small_blobs_are_put_at_once(store: Any) -> None:
    blobs = {f"tenant/{number % 3}/{number}": bytes([number]) * number * 50 for number in range(60)}
    await store.put("tenant/1/1", pieces(b"what was there before"))
    assert await store.put_many(blobs) == {}
    assert {key: await read(store, key) for key in blobs} == blobs
    assert {key async for key in store.list_keys()} == blobs.keys()
    assert await store.sweep_unfinished(older_than_s=0) == 0
    assert await store.put_many({}) == {}


@pytest.mark.parametrize("size", [0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 200_000])
async def test_a_blob_of_many_is_as_whole_as_one_by_itself(store: Any, size: int) -> None:
    content = os.urandom(size)
    assert await store.put_many({KEY: content}) == {}
    assert await read(store, KEY) == content


async def test_many_small_blobs_are_read_at_once_and_one_that_is_gone_by_itself_is_an_error(store: Any) -> None:
    blobs = {f"tenant/{number % 3}/{number}": bytes([number]) * number * 50 for number in range(30)}
    await store.put_many(blobs)
    *contents, gone = await store.read_many([*blobs, "tenant/0/none"])
    assert contents == list(blobs.values())
    assert isinstance(gone, BlobNotFoundError)
    assert await store.read_many([]) == []


async def test_many_blobs_are_not_read_where_a_key_leads_elsewhere(store: Any) -> None:
    with pytest.raises(DragomanError) as caught:
        await store.read_many([KEY, "../x"])
    assert caught.value.status == 422


async def test_many_blobs_with_a_key_that_leads_elsewhere_are_refused_together(store: Any) -> None:
    with pytest.raises(DragomanError) as caught:
        await store.put_many({KEY: b"x", "../x": b"x"})
    assert caught.value.status == 422
    assert not await store.exists(KEY)


async def test_putting_many_is_over_when_its_cancelling_is(store: Any, tmp_path: Path) -> None:
    keys = [f"tenant/ab/{number}" for number in range(100)]
    task = asyncio.create_task(store.put_many(dict.fromkeys(keys, b"words")))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for key in keys:
        await store.delete(key)
    await asyncio.sleep(0.05)
    assert [key async for key in store.list_keys()] == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/./b",
        "a\\..\\b",
        "a\0b",
        "C:/x",
        "a/",
        "x" * 256,
        "x/" * 500 + "x",
    ],
)
async def test_a_key_that_leads_elsewhere_is_refused(store: Any, key: str) -> None:
    for call in (store.put(key, pieces(b"x")), store.exists(key), store.delete(key), read(store, key)):
        with pytest.raises(DragomanError) as caught:
            await call
        assert caught.value.status == 422


# --- the blob store `file` ---------------------------------------------------------------------------------------------


def open_file_store(root: Path) -> Any:
    return registry.create("blob_store", "file", {"root": root})


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = open_file_store(tmp_path / "file" / "blobs")
    with pytest.raises(BlobStoreUnavailableError):
        await store.put(KEY, pieces(b"x"))


async def test_many_blobs_without_a_folder_are_all_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused = await open_file_store(tmp_path / "file" / "blobs").put_many({KEY: b"x", "other": b"y"})
    assert refused.keys() == {KEY, "other"}
    assert all(isinstance(error, BlobStoreUnavailableError) for error in refused.values())


async def test_a_blob_of_many_that_cannot_be_stored_is_named_and_the_others_are_stored(tmp_path: Path) -> None:
    store = open_file_store(tmp_path)
    await store.put("tenant/b/in the way", pieces(b"x"))
    with largest_file(100_000):
        refused = await store.put_many({"tenant/a": b"1", "tenant/b": b"2", "tenant/c": bytes(100_001), KEY: b"4"})
    assert refused.keys() == {"tenant/b", "tenant/c"}
    assert all(isinstance(error, BlobStoreUnavailableError) for error in refused.values())
    assert "no file of this size" in refused["tenant/c"].message
    assert (await read(store, "tenant/a"), await read(store, KEY)) == (b"1", b"4")
    assert not await store.exists("tenant/c")
    assert list((tmp_path / ".unfinished").iterdir()) == []


async def test_a_file_of_the_folder_of_unfinished_uploads_is_no_blob(tmp_path: Path) -> None:
    store = open_file_store(tmp_path)
    with pytest.raises(DragomanError) as caught:
        await store.exists(".unfinished/x")
    assert caught.value.status == 422


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """The system refuses to write beyond this size, as it refuses beyond the end of a disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


async def test_a_blob_beyond_the_space_is_unavailable_and_leaves_nothing(tmp_path: Path) -> None:
    store = open_file_store(tmp_path)
    await store.put(KEY, pieces(b"old"))
    with largest_file(1_500_000), pytest.raises(BlobStoreUnavailableError, match="no file of this size"):
        await store.put(KEY, pieces(bytes(1_000_000), bytes(1_000_000)))
    assert await read(store, KEY) == b"old"
    assert list((tmp_path / ".unfinished").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write everything")
async def test_a_folder_without_rights_is_unavailable_and_says_so(tmp_path: Path) -> None:
    store = open_file_store(tmp_path)
    await store.put(KEY, pieces(b"x"))
    (tmp_path / "tenant").chmod(0)
    try:
        for call in (read(store, KEY), store.exists(KEY), store.delete(KEY), store.put(KEY, pieces(b"y"))):
            with pytest.raises(BlobStoreUnavailableError, match="the right to its folder"):
                await call
    finally:
        (tmp_path / "tenant").chmod(0o700)


async def test_files_and_folders_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    await open_file_store(tmp_path / "blobs").put(KEY, pieces(b"x"))
    assert {path.stat().st_mode & 0o077 for path in tmp_path.rglob("*")} == {0}


async def test_what_a_killed_process_left_behind_is_swept_by_the_next_one_after_a_day(tmp_path: Path) -> None:
    unfinished = tmp_path / ".unfinished"
    unfinished.mkdir()
    old, new = unfinished / "old", unfinished / "new"
    for file in (old, new):
        file.write_bytes(b"half")
    two_days_ago = time.time() - 48 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    store = open_file_store(tmp_path)
    await store.put(KEY, pieces(b"x"))
    assert list(unfinished.iterdir()) == [new]
    assert [key async for key in store.list_keys()] == [KEY]
    assert await store.sweep_unfinished(older_than_s=0) == 1
    assert list(unfinished.iterdir()) == []
