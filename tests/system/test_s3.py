"""The blob store `s3` against a server: what a bucket holds afterwards, what it costs in memory, and what fails how."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import ValidationError
from tests.contract.s3_server import S3Server, shared_s3_server

from dragoman.adapters.blob_store import s3
from dragoman.kit import registry
from dragoman.kit.encryption import Keyring, new_key
from dragoman.kit.registry import MissingExtraError
from dragoman.knowledge import blob_upkeep
from dragoman.knowledge.blob_upkeep import KeptBlob
from dragoman.knowledge.encrypted_blobs import EncryptedBlobStore, read_header
from dragoman.ports.blob_store import BlobNotFoundError, BlobStoreUnavailableError

MIB = 1024 * 1024
KEY = "tenant/bot/document"


@pytest.fixture
def server() -> S3Server:
    return shared_s3_server()


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[Any]:
    store = registry.create("blob_store", "s3", settings)
    try:
        yield store
    finally:
        await store.close()


async def pieces(content: bytes, size: int = MIB) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(store: Any, key: str = KEY) -> bytes:
    return b"".join([piece async for piece in store.read(key)])


def names(server: S3Server, bucket: str) -> list[str]:
    with server.client() as client:
        return [found["Key"] for found in client.list_objects_v2(Bucket=bucket).get("Contents", ())]


def unfinished(server: S3Server, bucket: str) -> int:
    with server.client() as client:
        return len(client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()))


@pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, 20 * MIB + 3])
async def test_a_blob_at_the_edges_of_a_part_is_kept_whole(server: S3Server, size: int) -> None:
    bucket, content = server.new_bucket(), os.urandom(size)
    async with opened(**server.settings(bucket)) as store:
        assert await store.put(KEY, pieces(content, 700_001)) == size
        assert await read(store) == content
    assert names(server, bucket) == [KEY]
    assert unfinished(server, bucket) == 0


async def test_a_prefix_keeps_other_things_in_the_bucket_apart(server: S3Server) -> None:
    bucket = server.new_bucket()
    with server.client() as client:
        client.put_object(Bucket=bucket, Key="theirs/x", Body=b"x")
        client.put_object(Bucket=bucket, Key="ours-too/x", Body=b"x")
    async with opened(**server.settings(bucket, prefix="ours/")) as store:
        await store.put(KEY, pieces(b"x"))
        assert [key async for key in store.list_keys()] == [KEY]
    assert set(names(server, bucket)) == {"theirs/x", "ours-too/x", f"ours/{KEY}"}


async def test_more_keys_than_a_page_are_listed(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    bucket = server.new_bucket()
    with server.client() as client:
        for number in range(23):
            client.put_object(Bucket=bucket, Key=f"t/{number:04}", Body=b"")
    async with opened(**server.settings(bucket)) as store:
        assert len([key async for key in store.list_keys("t/")]) == 23


async def test_an_upload_cancelled_in_its_third_part_is_aborted(server: S3Server) -> None:
    bucket, third = server.new_bucket(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for number in range(20):
            if number == 17:
                third.set()
                await asyncio.sleep(60)
            yield bytes(MIB)

    async with opened(**server.settings(bucket)) as store:
        running = asyncio.create_task(store.put(KEY, slow()))
        await third.wait()
        assert unfinished(server, bucket) == 1
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not await store.exists(KEY)
    assert unfinished(server, bucket) == 0


async def test_what_a_killed_process_left_behind_is_swept(server: S3Server) -> None:
    bucket = server.new_bucket()
    with server.client() as client:
        client.create_multipart_upload(Bucket=bucket, Key="ours/half")
        client.create_multipart_upload(Bucket=bucket, Key="theirs/half")
    async with opened(**server.settings(bucket, prefix="ours")) as store:
        assert await store.sweep_unfinished(older_than_s=365 * 86400) in (0, 1)  # moto dates all uploads to 2010
        await store.sweep_unfinished(older_than_s=0)
    assert unfinished(server, bucket) == 1


async def test_a_large_blob_passes_through_a_few_parts_of_memory(server: S3Server) -> None:
    """The server is in this process and holds the whole blob; so the adapter is measured at what it hands over."""
    size = 64 * MIB
    async with opened(**server.settings(server.new_bucket())) as store:
        store._client = _Discarding()

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(size // MIB):
                yield bytes(MIB)

        tracemalloc.start()
        try:
            assert await store.put(KEY, endless()) == size
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 28 * MIB


class _Discarding:
    """As the client, for uploads that go nowhere."""

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"UploadId": "1"}

    def upload_part(self, **_: Any) -> dict[str, str]:
        return {"ETag": "x"}

    def complete_multipart_upload(self, **_: Any) -> None: ...

    def close(self) -> None: ...


async def test_rotation_and_check_work_on_a_bucket(server: S3Server) -> None:
    old, new = new_key("k1"), new_key("k2")
    content = os.urandom(10 * MIB)

    class Kept:
        async def list_all(self) -> AsyncIterator[KeptBlob]:
            yield KeptBlob(key=KEY, content_hash=hashlib.sha256(content).hexdigest())

        async def is_kept(self, key: str) -> bool:
            return key == KEY

    async with opened(**server.settings(server.new_bucket())) as store:
        await EncryptedBlobStore(store, Keyring.parse(old)).put(KEY, pieces(content))
        both = Keyring.parse(f"{new},{old}")
        assert (await blob_upkeep.rotate_keys(store, both, Kept(), lambda _: None)).rewritten == 1
        header = await read_header(store, KEY)
        assert header is not None
        assert header.key_id == "k2"
        found = await blob_upkeep.check_blobs(store, Keyring.parse(new), Kept(), lambda _: None)
        assert (found.good, found.missing, found.damaged, found.orphans) == (1, [], {}, [])


# --- what fails ------------------------------------------------------------------------------------------------------


async def test_an_absent_bucket_is_unavailable_and_says_so(server: S3Server) -> None:
    async with opened(**server.settings("no-such-bucket")) as store:
        for call in (store.put(KEY, pieces(b"x")), read(store)):
            with pytest.raises(BlobStoreUnavailableError, match="There is no such bucket"):
                await call


async def test_a_store_that_does_not_answer_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        settings = {"bucket": "originals", "endpoint_url": f"http://127.0.0.1:{taken.getsockname()[1]}"}
        async with opened(**settings, access_key_id="a", secret_access_key="b") as store:
            with pytest.raises(BlobStoreUnavailableError, match="Check the endpoint"):
                await store.put(KEY, pieces(b"x"))


async def test_without_keys_it_says_which_settings_are_missing(server: S3Server, monkeypatch: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with opened(bucket=server.new_bucket(), endpoint_url=server.url) as store:
        with pytest.raises(BlobStoreUnavailableError, match="Set access_key_id"):
            await store.put(KEY, pieces(b"x"))


async def test_a_store_that_dies_while_a_blob_is_read_is_unavailable() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(1_500_000))
        await writer.drain()
        writer.close()

    dying = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = dying.sockets[0].getsockname()[1]
    settings = {"bucket": "originals", "endpoint_url": f"http://127.0.0.1:{port}"}
    try:
        async with opened(**settings, access_key_id="a", secret_access_key="b") as store:
            with pytest.raises(BlobStoreUnavailableError):
                await read(store)
    finally:
        dying.close()
        await dying.wait_closed()


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "AccessDenied", "need the rights"),
        (403, "SignatureDoesNotMatch", "secret access key is wrong"),
        (507, "XMinioStorageFull", "disks of the store are full"),
        (400, "SomethingNew", "SomethingNew: no"),
    ],
)
async def test_what_the_store_refuses_is_said_with_a_remedy(status: int, code: str, says: str) -> None:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    refusing = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = refusing.sockets[0].getsockname()[1]
    settings = {"bucket": "originals", "endpoint_url": f"http://127.0.0.1:{port}"}
    try:
        async with opened(**settings, access_key_id="a", secret_access_key="b") as store:
            with pytest.raises(BlobStoreUnavailableError, match=says):
                await read(store)
    finally:
        refusing.close()
        await refusing.wait_closed()


async def test_an_absent_blob_of_a_present_bucket_is_not_found(server: S3Server) -> None:
    async with opened(**server.settings(server.new_bucket())) as store:
        with pytest.raises(BlobNotFoundError):
            await read(store)


async def test_without_its_package_it_names_the_extra(server: S3Server, monkeypatch: Any) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    async with opened(**server.settings("originals")) as store:
        monkeypatch.setattr(s3.importlib, "import_module", absent)
        with pytest.raises(MissingExtraError, match=r"dragoman\[s3\]"):
            await store.exists(KEY)
        monkeypatch.undo()


@pytest.mark.parametrize(
    "settings",
    [
        {"bucket": "originals", "access_key_id": "a"},
        {"bucket": "originals", "prefix": "../x"},
        {"bucket": "originals", "endpoint_url": "minio:9000"},
        {"bucket": ""},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        s3.Settings(**settings)


def test_the_secret_is_not_shown() -> None:
    assert "hush" not in repr(s3.Settings(bucket="originals", access_key_id="a", secret_access_key="hush"))
