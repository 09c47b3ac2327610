"""Encryption at rest: the keyring, sealed secrets, the segments of a file, and the blob store that uses them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.entrypoints.commands import blobs
from dragoman.kit import registry
from dragoman.kit.encryption import (
    MAGIC,
    MAX_HEADER_BYTES,
    SEGMENT_BYTES,
    TAG_BYTES,
    Header,
    InvalidKeyringError,
    Keyring,
    SegmentBuffer,
    TamperedError,
    UnknownKeyError,
    WrongKeyError,
    add_new_key,
    new_key,
)
from dragoman.kit.errors import DragomanError
from dragoman.knowledge import blob_upkeep
from dragoman.knowledge.blob_upkeep import KeptBlob
from dragoman.knowledge.encrypted_blobs import EncryptedBlobStore, PlainBlobRefusedError, read_header

KEY_1, KEY_2 = (f"k{n}:{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2))
OLD, BOTH, NEW = Keyring.parse(KEY_1), Keyring.parse(f"{KEY_2},{KEY_1}"), Keyring.parse(KEY_2)
KEY = "tenant/bot/document"


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(store: Any, key: str = KEY) -> bytes:
    return b"".join([piece async for piece in store.read(key)])


def ignore(_done: int) -> None:
    """Nobody watches the progress."""


@pytest.fixture
def files(tmp_path: Path) -> Any:
    return registry.create("blob_store", "file", {"root": tmp_path / "blobs"})


@pytest.fixture
def encrypted(files: Any) -> EncryptedBlobStore:
    return EncryptedBlobStore(files, OLD)


# --- keyring ---------------------------------------------------------------------------------------------------------


def test_the_first_key_of_the_setting_is_the_newest() -> None:
    assert BOTH.newest_id == "k2"
    assert Keyring.parse(f" {KEY_2}\n{KEY_1}\n").newest_id == "k2"


def test_a_key_may_be_written_in_the_base64_of_urls() -> None:
    key = bytes([0xFB, 0xFF] * 16)
    assert Keyring.parse(f"k1:{base64.urlsafe_b64encode(key).decode()}").key("k1") == key


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no encryption key"),
        ("c2VjcmV0", "number 1 has no id"),
        ("k 1:AAAA", "no id of a key"),
        ("k1:%%%", "not base64"),
        ("k1:c2VjcmV0", "6 bytes instead of 32"),
        (f"{KEY_1},{KEY_1}", "there twice"),
    ],
)
def test_a_keyring_that_cannot_work_is_refused_without_showing_a_key(text: str, says: str) -> None:
    with pytest.raises(InvalidKeyringError, match=says) as caught:
        Keyring.parse(text)
    assert "c2VjcmV0" not in caught.value.message


def test_a_keyring_does_not_show_its_keys() -> None:
    assert repr(OLD) == "Keyring()"


def test_a_keyring_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "home" / "encryption.keys"
    made = Keyring.load_or_create(path)
    assert Keyring.load_or_create(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_make_a_keyring_at_the_same_time_agree(tmp_path: Path) -> None:
    found: list[Keyring] = []
    threads = [
        threading.Thread(target=lambda: found.append(Keyring.load_or_create(tmp_path / "keys"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(keyring == found[0] for keyring in found)


def test_a_keyring_open_to_everybody_is_refused(tmp_path: Path) -> None:
    Keyring.load_or_create(tmp_path / "keys")
    (tmp_path / "keys").chmod(0o644)
    with pytest.raises(InvalidKeyringError, match="chmod 600"):
        Keyring.load_or_create(tmp_path / "keys")


def test_a_new_key_comes_first_and_the_old_ones_stay(tmp_path: Path) -> None:
    old = Keyring.load_or_create(tmp_path / "keys")
    new = add_new_key(tmp_path / "keys")
    assert list(new.keys) == ["k2", "k1"]
    assert new.key("k1") == old.key("k1")
    with pytest.raises(InvalidKeyringError, match="there twice"):
        add_new_key(tmp_path / "keys", "k1")
    assert Keyring.load_or_create(tmp_path / "keys") == new


# --- sealed secrets --------------------------------------------------------------------------------------------------


@given(secret=st.text(max_size=200), place=st.text(max_size=50))
@settings(deadline=None)
def test_a_sealed_secret_opens_in_its_place(secret: str, place: str) -> None:
    sealed = OLD.seal(secret, place)
    assert sealed.isascii()
    assert sealed.isprintable()
    assert BOTH.open(sealed, place) == secret


def test_the_same_secret_is_never_sealed_to_the_same_text() -> None:
    assert OLD.seal("x", "row/1") != OLD.seal("x", "row/1")


def test_a_secret_moved_to_another_row_does_not_open() -> None:
    with pytest.raises(TamperedError):
        OLD.open(OLD.seal("x", "row/1"), "row/2")


@pytest.mark.parametrize("sealed", ["", "x", "s1:k1:", "s1:k1:AAAA", "s1:k1:%%", "s1:k1:ü", "s9:k1:AAAA"])
def test_what_is_no_sealed_secret_is_refused(sealed: str) -> None:
    with pytest.raises(TamperedError):
        OLD.open(sealed, "row/1")


def test_a_secret_of_an_absent_key_names_the_key() -> None:
    with pytest.raises(UnknownKeyError, match=r"'k1'.*known: k2"):
        NEW.open(OLD.seal("x", "row/1"), "row/1")


def test_it_is_told_which_secrets_are_to_be_sealed_anew() -> None:
    assert not BOTH.is_sealed_with_newest(OLD.seal("x", "row/1"))
    assert BOTH.is_sealed_with_newest(BOTH.seal("x", "row/1"))


# --- segments --------------------------------------------------------------------------------------------------------


@given(chunks=st.lists(st.binary(max_size=40), max_size=20), size=st.integers(1, 16))
def test_a_stream_is_cut_into_whole_segments_and_a_last_one(chunks: list[bytes], size: int) -> None:
    buffer = SegmentBuffer(size)
    segments = [segment for chunk in chunks for segment in buffer.add(chunk)]
    content = b"".join(chunks)
    assert b"".join(segments) + buffer.last() == content
    assert {len(segment) for segment in segments} <= {size}
    assert bool(buffer.last()) == bool(content)
    assert len(buffer.last()) <= size


def test_a_header_is_read_back() -> None:
    header = Header(
        key_id="k" * 32, key_check=b"c" * 4, wrap_nonce=b"n" * 12, wrapped_key=b"w" * 48, nonce_prefix=b"p" * 7
    )
    assert Header.decode(header.encode() + b"more") == (header, MAX_HEADER_BYTES)


@given(rest=st.binary(max_size=200))
def test_a_header_of_random_bytes_is_refused_or_whole(rest: bytes) -> None:
    try:
        header, length = Header.decode(MAGIC + rest)
    except TamperedError:
        return
    assert header.encode() == (MAGIC + rest)[:length]


# --- the blob store --------------------------------------------------------------------------------------------------

SIZES = [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES, 3 * 1024 * 1024 + 5]


@pytest.mark.parametrize("size", SIZES)
async def test_a_blob_of_any_size_is_read_back_and_stored_unreadably(files: Any, size: int) -> None:
    content = (b"confidential " * (size // 13 + 1))[:size]
    store = EncryptedBlobStore(files, OLD)
    assert await store.put(KEY, pieces(content)) == size
    found = [piece async for piece in store.read(KEY)]
    assert b"".join(found) == content
    assert max(map(len, found), default=0) <= 1024 * 1024
    stored = await read(files)
    assert b"confidential" not in stored
    segments = max(1, -(-size // SEGMENT_BYTES))
    assert len(stored) == len(MAGIC) + 1 + len("k1") + 4 + 12 + 48 + 7 + size + segments * TAG_BYTES


@given(cuts=st.lists(st.integers(0, 200_000), max_size=6))
@settings(deadline=None, max_examples=20)
def test_it_does_not_matter_how_an_upload_is_cut(cuts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    content = bytes(range(251)) * 797
    edges = [0, *sorted(cuts), len(content)]
    parts = [content[start:end] for start, end in pairwise(edges)]
    folder = tmp_path_factory.mktemp("blobs")
    store = EncryptedBlobStore(registry.create("blob_store", "file", {"root": folder}), OLD)

    async def put_and_read() -> bytes:
        assert await store.put(KEY, pieces(*parts)) == len(content)
        return await read(store)

    assert asyncio.run(put_and_read()) == content


async def test_many_blobs_put_at_once_are_encrypted_each_under_a_key_of_its_own(
    files: Any, encrypted: EncryptedBlobStore
) -> None:
    assert await encrypted.put_many({KEY: b"the same words", "other": b"the same words"}) == {}
    stored = [await read(files), await read(files, "other")]
    assert all(content.startswith(MAGIC) and b"words" not in content for content in stored)
    assert stored[0][-20:] != stored[1][-20:]
    assert await read(encrypted) == b"the same words"


@pytest.mark.parametrize("size", [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES])
async def test_many_blobs_read_at_once_are_decrypted_each_with_its_own_key(
    files: Any, encrypted: EncryptedBlobStore, size: int
) -> None:
    content = os.urandom(size)
    await encrypted.put(KEY, pieces(content))
    await files.put("changed", pieces(await read(files)))  # a blob under another key does not decrypt
    await files.put("plain", pieces(b"words"))
    whole, changed, plain = await encrypted.read_many([KEY, "changed", "plain"])
    assert whole == content
    assert isinstance(changed, TamperedError | WrongKeyError)
    assert plain == b"words"
    strict = EncryptedBlobStore(files, OLD, allow_plain=False)
    assert isinstance((await strict.read_many(["plain"]))[0], PlainBlobRefusedError)


async def test_without_encryption_only_what_looks_encrypted_of_many_blobs_is(files: Any) -> None:
    store = EncryptedBlobStore(files, OLD, encrypt_new=False)
    blobs = {"plain": b"words", KEY: MAGIC + b"words"}
    assert await store.put_many(blobs) == {}
    assert await read(files, "plain") == b"words"
    assert b"words" not in await read(files)
    assert await read(store) == MAGIC + b"words"


@pytest.mark.parametrize(
    "place", ["magic's end", "key id", "check", "wrapped key", "prefix", "first", "middle", "last"]
)
async def test_a_blob_changed_in_one_bit_is_refused(files: Any, encrypted: EncryptedBlobStore, place: str) -> None:
    await encrypted.put(KEY, pieces(os.urandom(3 * SEGMENT_BYTES)))
    stored = bytearray(await read(files))
    places = {
        "magic's end": 8, "key id": 9, "check": 11, "wrapped key": 30, "prefix": 80,
        "first": 100, "middle": len(stored) // 2, "last": len(stored) - 1,
    }  # fmt: skip
    stored[places[place]] ^= 1
    await files.put(KEY, pieces(bytes(stored)))
    with pytest.raises((TamperedError, UnknownKeyError, WrongKeyError)):
        await read(encrypted)


async def test_a_blob_cut_off_anywhere_is_refused(files: Any, encrypted: EncryptedBlobStore) -> None:
    await encrypted.put(KEY, pieces(os.urandom(3 * SEGMENT_BYTES)))
    stored = await read(files)
    header = len(stored) - 3 * (SEGMENT_BYTES + TAG_BYTES)
    whole_segments = [header + n * (SEGMENT_BYTES + TAG_BYTES) for n in range(3)]
    for length in (*whole_segments, len(MAGIC), 20, header - 1, header + 5, len(stored) - 1):
        await files.put(KEY, pieces(stored[:length]))
        with pytest.raises(TamperedError):
            await read(encrypted)


async def test_segments_in_another_order_or_twice_are_refused(files: Any, encrypted: EncryptedBlobStore) -> None:
    await encrypted.put(KEY, pieces(os.urandom(3 * SEGMENT_BYTES)))
    stored = await read(files)
    size = SEGMENT_BYTES + TAG_BYTES
    header = stored[: len(stored) - 3 * size]
    first, second, third = (stored[len(header) + n * size : len(header) + (n + 1) * size] for n in range(3))
    for order in (
        (second, first, third),
        (first, third),
        (first, second, second, third),
        (first, second, third, third),
    ):
        await files.put(KEY, pieces(header, *order))
        with pytest.raises(TamperedError):
            await read(encrypted)


async def test_a_blob_in_the_place_of_another_is_refused(files: Any, encrypted: EncryptedBlobStore) -> None:
    await encrypted.put("tenant/bot/hers", pieces(b"hers"))
    await files.put("tenant/bot/his", files.read("tenant/bot/hers"))
    with pytest.raises(TamperedError):
        await read(encrypted, "tenant/bot/his")


async def test_without_its_key_a_blob_is_refused_by_the_name_of_the_key(files: Any, encrypted: Any) -> None:
    await encrypted.put(KEY, pieces(b"x"))
    with pytest.raises(UnknownKeyError, match="'k1'"):
        await read(EncryptedBlobStore(files, NEW))
    other = Keyring.parse(KEY_2.replace("k2", "k1"))
    with pytest.raises(WrongKeyError, match="'k1' is another one"):
        await read(EncryptedBlobStore(files, other))


async def test_plain_blobs_are_read_where_that_is_allowed(files: Any) -> None:
    content = os.urandom(2_500_000)
    await files.put(KEY, pieces(content))
    assert await read(EncryptedBlobStore(files, OLD)) == content
    with pytest.raises(PlainBlobRefusedError):
        await read(EncryptedBlobStore(files, OLD, allow_plain=False))


async def test_switched_off_it_stores_plain_and_still_reads_what_is_encrypted(files: Any, encrypted: Any) -> None:
    await encrypted.put("old", pieces(b"old text"))
    store = EncryptedBlobStore(files, OLD, encrypt_new=False)
    assert await store.put("new", pieces(b"new ", b"text" * 300_000)) == 1_200_004
    assert await read(files, "new") == b"new " + b"text" * 300_000
    assert await read(store, "old") == b"old text"


async def test_a_file_that_looks_encrypted_is_not_mistaken_for_one(files: Any) -> None:
    store = EncryptedBlobStore(files, OLD, encrypt_new=False)
    content = MAGIC + b"\x02k1 a file somebody uploaded to confuse the reader"
    assert await store.put(KEY, pieces(content[:3], content[3:])) == len(content)
    assert await read(store) == content


async def test_an_upload_of_many_mebibytes_is_never_held_as_a_whole(files: Any) -> None:
    class Watched:
        """The adapter, with the largest piece that reached it."""

        largest = 0

        async def put(self, key: str, chunks: AsyncIterator[bytes]) -> int:
            async def watched() -> AsyncIterator[bytes]:
                async for chunk in chunks:
                    self.largest = max(self.largest, len(chunk))
                    yield chunk

            return int(await files.put(key, watched()))

    watched = Watched()
    await EncryptedBlobStore(watched, OLD).put(KEY, pieces(bytes(20_000_000)))  # type: ignore[arg-type]
    assert watched.largest <= 1024 * 1024 + SEGMENT_BYTES


# --- upkeep ----------------------------------------------------------------------------------------------------------


@dataclass
class Kept:
    """Which blobs documents need, as the database would know."""

    blobs: dict[str, str | None]
    asked: list[str] = field(default_factory=list)
    forget_after: int | None = None

    async def list_all(self) -> AsyncIterator[KeptBlob]:
        for key, content_hash in list(self.blobs.items()):
            yield KeptBlob(key=key, content_hash=content_hash)

    async def is_kept(self, key: str) -> bool:
        if self.forget_after is not None and len(self.asked) >= self.forget_after:
            self.blobs.pop(key, None)
        self.asked.append(key)
        return key in self.blobs


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_rotation_moves_every_file_to_the_newest_key_and_the_old_key_can_go(files: Any, encrypted: Any) -> None:
    contents = {f"t/{n}": os.urandom(n * 70_000) for n in range(5)}
    for key, content in contents.items():
        await encrypted.put(key, pieces(content))
    kept = Kept({key: sha256(content) for key, content in contents.items()})
    before = {key: await read(files, key) for key in contents}
    result = await blob_upkeep.rotate_keys(files, BOTH, kept, ignore)
    assert (result.rewritten, result.unchanged, result.failed) == (5, 0, {})
    for key, content in contents.items():
        assert await read(EncryptedBlobStore(files, NEW), key) == content
        assert (await read(files, key))[80:] == before[key][80:], "the content itself is not encrypted anew"
    again = await blob_upkeep.rotate_keys(files, BOTH, kept, ignore)
    assert (again.rewritten, again.unchanged) == (0, 5)


async def test_a_rotation_that_was_killed_is_finished_by_the_next(files: Any, encrypted: Any) -> None:
    keys = [f"t/{n}" for n in range(8)]
    for key in keys:
        await encrypted.put(key, pieces(os.urandom(200_000)))
    done = asyncio.Event()

    def stop_after_two(count: int) -> None:
        if count >= 2:
            done.set()

    running = asyncio.create_task(blob_upkeep.rotate_keys(files, BOTH, Kept(dict.fromkeys(keys)), stop_after_two))
    await done.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for key in keys:
        assert len(await read(EncryptedBlobStore(files, BOTH), key)) == 200_000
    result = await blob_upkeep.rotate_keys(files, BOTH, Kept(dict.fromkeys(keys)), ignore)
    assert result.unchanged >= 2
    assert result.rewritten + result.unchanged == 8
    for key in keys:
        assert len(await read(EncryptedBlobStore(files, NEW), key)) == 200_000


async def test_a_file_deleted_while_it_is_rewritten_does_not_come_back(files: Any, encrypted: Any) -> None:
    await encrypted.put(KEY, pieces(b"x"))
    result = await blob_upkeep.rotate_keys(files, BOTH, Kept({KEY: None}, forget_after=1), ignore)
    assert (result.rewritten, result.gone) == (0, 1)
    assert not await files.exists(KEY)


async def test_files_of_no_document_are_not_touched(files: Any, encrypted: Any) -> None:
    await encrypted.put(KEY, pieces(b"being uploaded"))
    result = await blob_upkeep.rotate_keys(files, BOTH, Kept({}), ignore)
    assert (result.rewritten, result.skipped) == (0, 1)
    assert await read(encrypted) == b"being uploaded"


async def test_a_file_whose_key_is_lost_is_reported_and_the_others_go_on(files: Any, encrypted: Any) -> None:
    await EncryptedBlobStore(files, Keyring.parse(new_key("lost"))).put("t/lost", pieces(b"x"))
    await encrypted.put("t/fine", pieces(b"x"))
    result = await blob_upkeep.rotate_keys(files, BOTH, Kept({"t/lost": None, "t/fine": None}), ignore)
    assert result.rewritten == 1
    assert "'lost'" in result.failed["t/lost"]


async def test_plain_files_are_encrypted_once(files: Any) -> None:
    await files.put("t/a", pieces(b"plain"))
    kept = Kept({"t/a": sha256(b"plain")})
    assert (await blob_upkeep.rotate_keys(files, BOTH, kept, ignore)).plain == 1
    assert (await blob_upkeep.encrypt_plain(files, BOTH, kept, ignore)).rewritten == 1
    assert (await blob_upkeep.encrypt_plain(files, BOTH, kept, ignore)).unchanged == 1
    header = await read_header(files, "t/a")
    assert header is not None
    assert header.key_id == "k2"
    assert await read(EncryptedBlobStore(files, NEW, allow_plain=False), "t/a") == b"plain"


async def test_a_check_finds_what_is_missing_damaged_or_left_over(files: Any, encrypted: Any) -> None:
    for key in ("t/good", "t/cut", "t/other", "t/orphan"):
        await encrypted.put(key, pieces(b"content"))
    await files.put("t/plain", pieces(b"content"))
    await files.put("t/cut", pieces((await read(files, "t/cut"))[:-1]))
    kept = Kept(
        dict.fromkeys(("t/good", "t/cut", "t/missing", "t/plain"), sha256(b"content")) | {"t/other": sha256(b"!")}
    )
    counted: list[int] = []
    found = await blob_upkeep.check_blobs(files, OLD, kept, counted.append)
    assert found.good == 2
    assert found.missing == ["t/missing"]
    assert set(found.damaged) == {"t/cut", "t/other"}
    assert "another one than was uploaded" in found.damaged["t/other"]
    assert found.orphans == ["t/orphan"]
    assert max(counted) == 5


def test_each_error_of_encryption_says_what_to_do() -> None:
    for error in (InvalidKeyringError, UnknownKeyError, WrongKeyError, TamperedError, PlainBlobRefusedError):
        assert issubclass(error, DragomanError)
        assert not error.retryable


# --- the command -----------------------------------------------------------------------------------------------------


def test_a_new_key_is_put_into_the_keyring_of_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DRAGOMAN_ENCRYPTION_KEYS", raising=False)
    assert blobs.new_key("k2", home=tmp_path) == 0
    keys = Keyring.load_or_create(tmp_path / "master.key").keys
    assert list(keys) == ["k2", "k1"]
    printed = capsys.readouterr().out
    assert "rotate-keys" in printed
    assert not any(base64.b64encode(key).decode() in printed for key in keys.values())


def test_where_keys_are_a_setting_a_new_one_is_printed_to_be_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRAGOMAN_ENCRYPTION_KEYS", KEY_1)
    assert blobs.new_key("k2", home=tmp_path) == 0
    assert Keyring.parse(capsys.readouterr().out).newest_id == "k2"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidKeyringError, match="there twice"):
        blobs.new_key("k1", home=tmp_path)
