"""Hashes and checks passwords: argon2id (RFC 9106) in threads, a few at a time, so that no flood takes the memory."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

from dragoman.accounts.errors import BusyHashingError

T = TypeVar("T")

_HASHER: Final = PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
"""The second choice of RFC 9106, section 4: 3 passes over 64 MiB in 4 lanes. About 0.1 s."""
_AT_ONCE: Final = 2  # 128 MiB at most
_MOST_WAITING: Final = 40  # 2 s of work; who comes later is asked to come again
_MAX_CHARACTERS: Final = 1024  # beyond any password that was accepted: not worth hashing


async def hashed(password: str) -> str:
    """The hash to store, with its salt and parameters (PHC string). Raises BusyHashingError."""
    return await _in_thread(lambda: _HASHER.hash(_bytes(password)))


async def matches(password: str, password_hash: str | None) -> bool:
    """Whether the password is the one of this hash. Takes as long without a hash, and is then False.

    Raises:
        BusyHashingError.
    """
    if len(password) > _MAX_CHARACTERS:
        password, password_hash = "", None

    def verify() -> bool:
        try:
            return _HASHER.verify(password_hash or _nobodys_hash(), _bytes(password)) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False

    return await _in_thread(verify)


def needs_rehash(password_hash: str) -> bool:
    """Whether it was made with other parameters than are used now."""
    return _HASHER.check_needs_rehash(password_hash)


def normalised(password: str) -> str:
    """The same password however it was typed: NFKC (NIST SP 800-63B-4, 3.1.1.2), and every space a plain one.

    Spaces as RFC 8265, 4.2 (OpaqueString) maps them.
    """
    composed = unicodedata.normalize("NFKC", password)
    return "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in composed)


def _bytes(password: str) -> bytes:
    return normalised(password).encode("utf-8", "surrogatepass")


@cache
def _nobodys_hash() -> str:
    """Compared with where there is no user, so that an answer takes as long."""
    return _HASHER.hash("no user has this password")


class _Room:
    def __init__(self) -> None:
        self.seats = asyncio.Semaphore(_AT_ONCE)
        self.waiting = 0


_rooms: WeakKeyDictionary[asyncio.AbstractEventLoop, _Room] = WeakKeyDictionary()


async def _in_thread(work: Callable[[], T]) -> T:
    room = _rooms.setdefault(asyncio.get_running_loop(), _Room())
    if room.waiting >= _MOST_WAITING:
        raise BusyHashingError(retry_after_s=1.0)
    room.waiting += 1
    try:
        async with room.seats:
            return await asyncio.to_thread(work)
    finally:
        room.waiting -= 1
