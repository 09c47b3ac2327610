"""The keys that sign access tokens: made at first use, rotated on command, published as a JWKS (RFC 7517)."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

from joserfc.jwk import ECKey

from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.tenancy.tokens import repository
from dragoman.tenancy.tokens.entities import ACCESS_TOKEN_S, SigningKey
from dragoman.tenancy.tokens.errors import SigningKeyNotFoundError

ALGORITHM: Final = "ES256"
"""The one algorithm; what a token's header says is compared with it, never followed (RFC 8725, 3.1)."""

LEEWAY_S: Final = 5
"""Clocks of two machines may differ so much."""

_REMEMBERED_S: Final = 2.0
_ASKED_AGAIN_AFTER_S: Final = 0.5  # for a key that is not known: strangers can name as many as they like
_VERIFIES_FOR: Final = timedelta(
    seconds=ACCESS_TOKEN_S + LEEWAY_S + _REMEMBERED_S
)  # another process may sign that long


async def ensure(database: Database, keyring: Keyring, issuer: str) -> SigningKey:
    """The key that signs now for this issuer, made where there is none; remembered for two seconds."""
    memory = _memory_of(database)
    known = memory.signing.get(issuer)
    if known is not None and time.monotonic() - known[0] < _REMEMBERED_S:
        return known[1]
    read_at = time.monotonic()
    key = await _ensure(database, keyring, issuer)
    memory.signing[issuer] = (read_at, key)
    return key


async def _ensure(database: Database, keyring: Keyring, issuer: str) -> SigningKey:
    async with database.system_transaction() as connection:
        await repository.lock_signing_keys(connection)
        for key in await repository.list_signing_keys(connection):
            if key.retired_at is None and key.issuer == issuer:
                return key
        key = _new_key(keyring, issuer)
        await repository.insert_signing_key(connection, key)
    _memory_of(database).forget()
    return key


async def rotate(database: Database, keyring: Keyring, issuer: str) -> SigningKey:
    """A new key that signs from now on. Those before it verify until the last token they signed has expired."""
    async with database.system_transaction() as connection:
        await repository.lock_signing_keys(connection)
        key = _new_key(keyring, issuer)
        await repository.insert_signing_key(connection, key)
        await repository.retire_signing_keys(connection, but=key.id, at=now())
        await repository.delete_signing_keys(connection, retired_before=now() - _VERIFIES_FOR)
    _memory_of(database).forget()
    return key


async def list_keys(database: Database) -> list[SigningKey]:
    """Those that sign or verify, newest first."""
    async with database.system_reading() as reading:
        found = await repository.list_signing_keys(reading)
    return [key for key in found if _verifies(key)]


async def remove(database: Database, key_id: str) -> None:
    """Let a key verify nothing from now on (elsewhere within 2 s): for one that has got out.

    Raises:
        SigningKeyNotFoundError.
    """
    async with database.system_transaction() as connection:
        if not await repository.delete_signing_key(connection, key_id):
            raise SigningKeyNotFoundError
    _memory_of(database).forget()


async def jwks(database: Database) -> dict[str, list[dict[str, Any]]]:
    """The public keys, for services that check our tokens themselves."""
    return {"keys": [key.public_key for key in await list_keys(database)]}


def private_key(key: SigningKey, keyring: Keyring) -> ECKey:
    """Raises UnknownKeyError, TamperedError."""
    return ECKey.import_key(keyring.open(key.sealed_private_key, _place(key.id)))


async def find_verifying(database: Database, key_id: str) -> tuple[ECKey, str] | None:
    """The public key of this `kid` and its issuer; None: there is none, or it verifies no more."""
    return await _memory_of(database).find(database, key_id)


def _new_key(keyring: Keyring, issuer: str) -> SigningKey:
    key_id = new_id().hex
    pair = ECKey.generate_key("P-256", parameters={"kid": key_id, "use": "sig", "alg": ALGORITHM}, private=True)
    return SigningKey(
        id=key_id,
        issuer=issuer,
        public_key=dict(pair.as_dict(private=False)),
        sealed_private_key=keyring.seal(pair.as_pem(private=True).decode(), _place(key_id)),
        created_at=now(),
        retired_at=None,
    )


def _place(key_id: str) -> str:
    return f"signing-key/{key_id}"


def _verifies(key: SigningKey) -> bool:
    return key.retired_at is None or key.retired_at + _VERIFIES_FOR > now()


class _Memory:
    """The public keys of one database, read again every two seconds while they are used."""

    def __init__(self) -> None:
        self.signing: dict[str, tuple[float, SigningKey]] = {}
        self._keys: dict[str, tuple[ECKey, str]] = {}
        self._read_at = -_REMEMBERED_S

    async def find(self, database: Database, key_id: str) -> tuple[ECKey, str] | None:
        age_s = time.monotonic() - self._read_at
        if age_s > _REMEMBERED_S or (key_id not in self._keys and age_s > _ASKED_AGAIN_AFTER_S):
            read_at = time.monotonic()
            self._keys = {key.id: (ECKey.import_key(key.public_key), key.issuer) for key in await list_keys(database)}
            self._read_at = read_at
        return self._keys.get(key_id)

    def forget(self) -> None:
        self.signing.clear()
        self._read_at = -_REMEMBERED_S


_memories: WeakKeyDictionary[Database, _Memory] = WeakKeyDictionary()


def _memory_of(database: Database) -> _Memory:
    memory = _memories.get(database)
    if memory is None:
        memory = _memories[database] = _Memory()
    return memory
