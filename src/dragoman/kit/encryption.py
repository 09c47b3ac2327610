"""Encryption at rest: files in segments under a key of their own, short secrets in one piece; master keys by name.

A file is encrypted with AES-256-GCM in segments of 64 KiB after the STREAM construction (Hoang, Reyhanitabar, Rogaway,
Vizar 2015): the nonce of a segment is a random prefix of 7 bytes, its number in 4 bytes, and one byte that is 1 in the
last segment only. A segment that was changed, moved, left out or added, and an end that was cut off, do not decrypt.
Each file has a random 256-bit data key. It stands in the file's header, wrapped by a master key, so that changing the
master key rewrites headers, not content (envelope encryption). The file's name is authenticated with every part of it:
one file put in the place of another does not decrypt either.

    header of version 1, big-endian
     8  magic and version      b"DRGMENC\\x01"
     1  length n of the id of the master key
     n  id of the master key   ASCII
     4  check value of the master key: tells a wrong key from changed content
    12  nonce of the wrapped data key
    48  data key, AES-256-GCM under the master key
     7  prefix of the segments' nonces
    then segments: 64 KiB of content (the last one may be shorter), each followed by its 16-byte tag

Master keys wrap at random nonces; at 2^32 of them (NIST SP 800-38D) a master key has to be replaced.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dragoman.kit.errors import DragomanError, InvalidSettingError

SEGMENT_BYTES = 64 * 1024
TAG_BYTES = 16
MAGIC = b"DRGMENC\x01"
MAX_HEADER_BYTES = len(MAGIC) + 1 + 32 + 4 + 12 + 48 + 7

_KEY_BYTES = 32
_NONCE_BYTES = 12
_PREFIX_BYTES = 7
_CHECK_BYTES = 4
_MAX_SEGMENTS = 2**32
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SECRET_VERSION = "s1"  # noqa: S105 - names a format


class InvalidKeyringError(InvalidSettingError):
    """The encryption keys must be `id:key,id:key`, newest first; a key is 32 bytes in base64."""

    code = "encryption.invalid_keyring"


class UnknownKeyError(DragomanError):
    """This was encrypted with a master key that is not here. Add that key to the encryption keys again."""

    code, status = "encryption.unknown_key", 500


class WrongKeyError(DragomanError):
    """The master key of this id is another one than this was encrypted with. Set the right key under its id."""

    code, status = "encryption.wrong_key", 500


class TamperedError(DragomanError):
    """Encrypted data was changed, cut off or put in another place, and cannot be read. Restore it from a backup."""

    code, status = "encryption.tampered", 500


@dataclass(frozen=True, slots=True)
class Keyring:
    """Master keys by id, 32 bytes each, the newest first: that one encrypts, all of them decrypt."""

    keys: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.keys:
            raise InvalidKeyringError("There is no encryption key. A key is written `id:key`.")
        for key_id, key in self.keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise InvalidKeyringError(f"{key_id!r} is no id of a key: 1 to 32 letters, digits, `-` and `_`.")
            if len(key) != _KEY_BYTES:
                raise InvalidKeyringError(
                    f"The encryption key {key_id!r} has {len(key)} bytes instead of {_KEY_BYTES}."
                )

    @property
    def newest_id(self) -> str:
        return next(iter(self.keys))

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """The keys of a setting such as `k2:base64,k1:base64`; separated by commas or lines.

        Raises:
            InvalidKeyringError: naming the key by its id or place, never by its value.
        """
        keys: dict[str, bytes] = {}
        entries = [entry.strip() for entry in re.split(r"[,\n]", text) if entry.strip()]
        for number, entry in enumerate(entries, start=1):
            key_id, colon, encoded = entry.partition(":")
            if not colon:
                raise InvalidKeyringError(f"Encryption key number {number} has no id. A key is written `id:key`.")
            if key_id in keys:
                raise InvalidKeyringError(f"The encryption key {key_id!r} is there twice.")
            keys[key_id] = _decode_key(key_id, encoded)
        return cls(keys)

    @classmethod
    def load_or_create(cls, path: Path) -> Keyring:
        """The keys in a file, which is made with one new key where there is none.

        The file is readable by its owner only and appears whole or not at all; of two processes that make it at the
        same time, both return the keys of the one that was first.

        Raises:
            InvalidKeyringError: the file is unreadable, open to everybody, or holds no keys.
        """
        try:
            if not path.exists():
                with contextlib.suppress(FileExistsError):
                    _write_new(path, f"{new_key('k1')}\n")
            if os.name != "nt" and path.stat().st_mode & 0o007:
                raise InvalidKeyringError(f"Everybody may read the encryption keys in {path}. Run `chmod 600` on it.")
            return cls.parse(path.read_text("ascii"))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidKeyringError(f"The encryption keys in {path} cannot be read: {error}.") from error

    def key(self, key_id: str) -> bytes:
        """Raises UnknownKeyError."""
        try:
            return self.keys[key_id]
        except KeyError:
            known = ", ".join(self.keys)
            raise UnknownKeyError(
                f"This was encrypted with the master key {key_id!r}, which is not here (known: {known}). "
                "Add that key to the encryption keys again."
            ) from None

    def seal(self, secret: str, associated_data: str) -> str:
        """A short secret, such as a password in a row, encrypted with the newest key; printable ASCII.

        Args:
            secret: any text.
            associated_data: where it belongs, such as `connector/<id>/password`; `open` needs the same.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        context = _context("secret", self.newest_id, associated_data)
        sealed = nonce + AESGCM(self.key(self.newest_id)).encrypt(nonce, secret.encode(), context)
        return f"{_SECRET_VERSION}:{self.newest_id}:{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, associated_data: str) -> str:
        """The secret that `seal` encrypted.

        Raises:
            UnknownKeyError: its master key is not in this keyring.
            TamperedError: it was changed, belongs elsewhere, or the master key is another one.
        """
        version, _, rest = sealed.partition(":")
        key_id, _, encoded = rest.partition(":")
        if version != _SECRET_VERSION:
            raise TamperedError("This is no sealed secret. Enter the secret again.")
        key = self.key(key_id)
        try:
            content = base64.b64decode(encoded, altchars=b"-_", validate=True)
            context = _context("secret", key_id, associated_data)
            return AESGCM(key).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], context).decode()
        except (InvalidTag, ValueError) as error:
            raise TamperedError(
                f"A secret sealed with the master key {key_id!r} does not decrypt. Enter the secret again."
            ) from error

    def is_sealed_with_newest(self, sealed: str) -> bool:
        """Whether the master keys other than the newest are not needed to open this."""
        return sealed.startswith(f"{_SECRET_VERSION}:{self.newest_id}:")


def new_key(key_id: str) -> str:
    """A random master key as the setting wants it: `id:base64`."""
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}"


def add_new_key(path: Path, key_id: str | None = None) -> Keyring:
    """Put a new master key before those in a keyring's file; the file is replaced in one step.

    Args:
        path: of a file that `Keyring.load_or_create` made, or will make.
        key_id: of the new key; without it `k<number>`.

    Raises:
        InvalidKeyringError.
    """
    present = Keyring.load_or_create(path)
    key_id = key_id or next(f"k{n}" for n in range(len(present.keys) + 1, 2**31) if f"k{n}" not in present.keys)
    lines = [new_key(key_id), *path.read_text("ascii").splitlines()]
    text = "\n".join(lines) + "\n"
    Keyring.parse(text)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        _write_new(beside, text)
        beside.replace(path)
    except OSError as error:
        raise InvalidKeyringError(f"The encryption keys in {path} cannot be written: {error}.") from error
    return Keyring.load_or_create(path)


# ---- files


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The beginning of an encrypted file, as it is stored. The data key in it is still wrapped."""

    key_id: str
    key_check: bytes
    wrap_nonce: bytes
    wrapped_key: bytes
    nonce_prefix: bytes

    def encode(self) -> bytes:
        key_id = self.key_id.encode("ascii")
        start = MAGIC + bytes([len(key_id)]) + key_id
        return start + self.key_check + self.wrap_nonce + self.wrapped_key + self.nonce_prefix

    @classmethod
    def decode(cls, start: bytes) -> tuple[Header, int]:
        """The header in the first `MAX_HEADER_BYTES` of a file (all of it, where it is shorter), and its length.

        Raises:
            TamperedError: it begins like an encrypted file but has no whole header.
        """
        key_id_end = len(MAGIC) + 1 + (start[len(MAGIC)] if len(start) > len(MAGIC) else 0)
        ends = [key_id_end]
        for length in (_CHECK_BYTES, _NONCE_BYTES, _KEY_BYTES + TAG_BYTES, _PREFIX_BYTES):
            ends.append(ends[-1] + length)
        key_id = start[len(MAGIC) + 1 : key_id_end].decode("ascii", "replace")
        if not is_encrypted(start) or len(start) < ends[-1] or not _KEY_ID.fullmatch(key_id):
            raise TamperedError
        check, nonce, wrapped, prefix = (start[ends[i] : ends[i + 1]] for i in range(4))
        header = cls(key_id=key_id, key_check=check, wrap_nonce=nonce, wrapped_key=wrapped, nonce_prefix=prefix)
        return header, ends[-1]


def is_encrypted(start: bytes) -> bool:
    """Whether a file that begins so is an encrypted one, of this version."""
    return start.startswith(MAGIC)


def new_header(keyring: Keyring, name: str) -> tuple[Header, bytes]:
    """The header of a new file with this name, and its data key."""
    data_key = secrets.token_bytes(_KEY_BYTES)
    return _wrap(keyring, name, data_key, secrets.token_bytes(_PREFIX_BYTES)), data_key


def unwrap(keyring: Keyring, name: str, header: Header) -> bytes:
    """The data key of a file.

    Raises:
        UnknownKeyError, WrongKeyError, TamperedError.
    """
    master = keyring.key(header.key_id)
    if not hmac.compare_digest(_check_value(master), header.key_check):
        raise WrongKeyError(
            f"The master key {header.key_id!r} is another one than this was encrypted with. "
            "Set the right key under its id."
        )
    try:
        return AESGCM(master).decrypt(header.wrap_nonce, header.wrapped_key, _context("data key", header.key_id, name))
    except InvalidTag as error:
        raise TamperedError from error


def rewrap(keyring: Keyring, name: str, header: Header) -> Header:
    """The same data key, wrapped by the newest master key.

    Raises:
        UnknownKeyError, WrongKeyError, TamperedError.
    """
    return _wrap(keyring, name, unwrap(keyring, name, header), header.nonce_prefix)


class SegmentCipher:
    """Encrypts or decrypts the segments of one file, one after the other."""

    def __init__(self, data_key: bytes, nonce_prefix: bytes, name: str) -> None:
        self._cipher = AESGCM(data_key)
        self._prefix = nonce_prefix
        self._context = _context("content", "", name)
        self._number = 0

    def encrypt(self, segment: bytes | memoryview, *, is_last: bool) -> bytes:
        """Of exactly `SEGMENT_BYTES`, unless it is the last one; only the one segment of an empty file is empty."""
        return self._cipher.encrypt(self._nonce(is_last=is_last), segment, self._context)

    def decrypt(self, segment: bytes | memoryview, *, is_last: bool) -> bytes:
        """The content of a segment with its tag.

        Raises:
            TamperedError: it is not the next, or not the last segment of this file as it was written.
        """
        try:
            return self._cipher.decrypt(self._nonce(is_last=is_last), segment, self._context)
        except (InvalidTag, ValueError) as error:
            raise TamperedError from error

    def _nonce(self, *, is_last: bool) -> bytes:
        if self._number >= _MAX_SEGMENTS:
            raise OverflowError("a file of more than 256 TiB")
        nonce = self._prefix + self._number.to_bytes(4, "big") + bytes([is_last])
        self._number += 1
        return nonce


class SegmentBuffer:
    """Cuts a stream into segments of one size, holding back what may be the end: only the last segment is flagged."""

    def __init__(self, segment_bytes: int) -> None:
        self._segment_bytes = segment_bytes
        self._held = bytearray()

    def add(self, chunk: bytes) -> Sequence[bytes]:
        """The segments of which it is certain that more follows them."""
        self._held += chunk
        whole = max(0, (len(self._held) - 1) // self._segment_bytes)
        segments = list(self._cut(whole))
        del self._held[: whole * self._segment_bytes]
        return segments

    def last(self) -> bytes:
        """What is left at the end of the stream: 0 bytes up to a whole segment."""
        return bytes(self._held)

    def _cut(self, count: int) -> Iterator[bytes]:
        for number in range(count):
            yield bytes(self._held[number * self._segment_bytes : (number + 1) * self._segment_bytes])


def _wrap(keyring: Keyring, name: str, data_key: bytes, nonce_prefix: bytes) -> Header:
    key_id = keyring.newest_id
    master, nonce = keyring.key(key_id), secrets.token_bytes(_NONCE_BYTES)
    return Header(
        key_id=key_id,
        key_check=_check_value(master),
        wrap_nonce=nonce,
        wrapped_key=AESGCM(master).encrypt(nonce, data_key, _context("data key", key_id, name)),
        nonce_prefix=nonce_prefix,
    )


def _context(purpose: str, key_id: str, name: str) -> bytes:
    """Associated data. Its purpose keeps the uses of a master key apart; neither purpose nor id holds a NUL."""
    return b"\0".join((b"dragoman v1", purpose.encode(), key_id.encode(), name.encode()))


def _check_value(master: bytes) -> bytes:
    return hmac.digest(master, b"dragoman v1 key check", hashlib.sha256)[:_CHECK_BYTES]


def _decode_key(key_id: str, encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidKeyringError(f"The encryption key {key_id!r} is not base64.") from error


def _write_new(path: Path, text: str) -> None:
    """A file that only its owner may read; whole or not at all.

    Raises:
        FileExistsError: it is there already.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)
