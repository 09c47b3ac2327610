"""`dragoman blobs`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from dragoman.entrypoints.commands.options import Home, Json
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line, print_pairs

if TYPE_CHECKING:
    from dragoman.entrypoints.settings import Settings
    from dragoman.kit.database import Database
    from dragoman.kit.encryption import Keyring
    from dragoman.knowledge.blob_upkeep import Check, KeptBlobs, Rewriting
    from dragoman.ports.blob_store import BlobStore

T = TypeVar("T")

_TELL_EVERY = 100
_CONNECTIONS = 4
_UNFINISHED_AFTER_S = 24 * 3600.0
_KEYRING_FILE = "master.key"  # as in wiring.create_keyring

app = typer.Typer(help="Check, encrypt and re-key the stored original files of all tenants.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Storage:
    store: BlobStore
    keyring: Keyring
    kept: KeptBlobs


@app.command("check")
def check_blobs(home: Home = None, as_json: Json = False) -> ExitCode:
    """Read every file that a document needs and compare it with its hash. Changes nothing.

    Exit code 1 when a file is missing or damaged. Orphans are files that no document needs: left over, or of an upload
    or a deletion in progress.
    """
    from dragoman.knowledge import blob_upkeep  # noqa: PLC0415 -- 300 ms

    async def body(storage: _Storage) -> Check:
        return await blob_upkeep.check_blobs(storage.store, storage.keyring, storage.kept, _teller(quiet=as_json))

    found = asyncio.run(_with_storage(home, body))
    is_good = not found.missing and not found.damaged
    if as_json:
        print_json({"ok": is_good, **asdict(found)})
        return ExitCode.OK if is_good else ExitCode.FAILED
    for key in found.missing:
        print_line(f"missing  {key}", style="red")
    for key, why in found.damaged.items():
        print_line(f"damaged  {key}: {why}", style="red")
    for key in found.orphans:
        print_line(f"orphan   {key}", style="yellow")
    print_line(
        f"{found.good} files are good, {len(found.missing)} missing, {len(found.damaged)} damaged, "
        f"{len(found.orphans)} orphans."
    )
    return ExitCode.OK if is_good else ExitCode.FAILED


@app.command("encrypt")
def encrypt(home: Home = None, as_json: Json = False) -> ExitCode:
    """Encrypt the files that were stored plain. Can be ended at any time and run again."""
    from dragoman.knowledge import blob_upkeep  # noqa: PLC0415 -- 300 ms

    async def body(storage: _Storage) -> Rewriting:
        return await blob_upkeep.encrypt_plain(storage.store, storage.keyring, storage.kept, _teller(quiet=as_json))

    return _report(asyncio.run(_with_storage(home, body)), "encrypted", as_json=as_json)


@app.command("rotate-keys")
def rotate_keys(home: Home = None, as_json: Json = False) -> ExitCode:
    """Let the newest encryption key protect all encrypted files. Can be ended at any time and run again.

    Add the key first (`dragoman blobs new-key`) and restart every process, so that none writes with an older one. The
    content is not decrypted. When nothing failed or was skipped, no file needs the older keys any more.
    """
    from dragoman.knowledge import blob_upkeep  # noqa: PLC0415 -- 300 ms

    async def body(storage: _Storage) -> Rewriting:
        return await blob_upkeep.rotate_keys(storage.store, storage.keyring, storage.kept, _teller(quiet=as_json))

    return _report(asyncio.run(_with_storage(home, body)), "re-keyed", as_json=as_json)


@app.command("new-key")
def new_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Name of the new key, such as k2.")],
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Make a new encryption key: in the home's keyring, or, where DRAGOMAN_ENCRYPTION_KEYS is set, to be put into it."""
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415 -- 80 ms
    from dragoman.kit import encryption  # noqa: PLC0415

    settings = load_settings(home=home)
    if settings.encryption_keys is None:
        path = settings.home / _KEYRING_FILE
        encryption.add_new_key(path, key_id)
        if as_json:
            print_json({"key_id": key_id, "path": str(path)})
        else:
            print_line(f"The key {key_id} is the first in {path}. Save a copy of it: without it no file can be read.")
            print_line("Restart all processes, then run `dragoman blobs rotate-keys`.")
        return ExitCode.OK
    line = encryption.new_key(key_id)
    encryption.Keyring.parse(f"{line},{settings.encryption_keys.get_secret_value()}")
    if as_json:
        print_json({"key_id": key_id, "key": line})
        return ExitCode.OK
    print_line(line)
    err().print("Put it before the others in DRAGOMAN_ENCRYPTION_KEYS, with a comma. Then restart all processes.")
    return ExitCode.OK


@app.command("sweep")
def sweep(home: Home = None, as_json: Json = False) -> ExitCode:
    """Remove what uploads left behind that broke off more than a day ago."""

    async def body(storage: _Storage) -> int:
        return await storage.store.sweep_unfinished(older_than_s=_UNFINISHED_AFTER_S)

    swept = asyncio.run(_with_storage(home, body))
    if as_json:
        print_json({"swept": swept})
    else:
        print_line(f"{swept} unfinished uploads removed.")
    return ExitCode.OK


def _report(result: Rewriting, done: str, *, as_json: bool) -> ExitCode:
    exit_code = ExitCode.FAILED if result.failed else ExitCode.OK
    if as_json:
        print_json({"ok": not result.failed, **asdict(result)})
        return exit_code
    for key, why in result.failed.items():
        print_line(f"failed  {key}: {why}", style="red")
    print_pairs(
        [
            (f"{done.capitalize()}", result.rewritten),
            ("Were so before", result.unchanged),
            ("Not encrypted", result.plain or None),
            ("Of no document, not touched", result.skipped or None),
            ("Deleted meanwhile", result.gone or None),
            ("Failed", len(result.failed) or None),
        ]
    )
    return exit_code


def _teller(*, quiet: bool) -> Callable[[int], None]:
    """Progress on stderr, a line for every hundred files."""

    def tell(done: int) -> None:
        if not quiet and done % _TELL_EVERY == 0:
            err().print(f"{done} files done", style="dim")

    return tell


async def _with_storage(home: Path | None, body: Callable[[_Storage], Coroutine[Any, Any, T]]) -> T:
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415 -- 80 ms
    from dragoman.entrypoints.wiring import create_blob_store, create_keyring  # noqa: PLC0415 -- a second
    from dragoman.knowledge.blob_upkeep import BlobsOfDocuments  # noqa: PLC0415
    from dragoman.knowledge.encrypted_blobs import EncryptedBlobStore  # noqa: PLC0415

    settings = load_settings(home=home)
    keyring = create_keyring(settings)
    store = create_blob_store(settings, keyring)
    beneath = store.beneath if isinstance(store, EncryptedBlobStore) else store
    try:
        async with _database(settings) as database:
            return await body(_Storage(store=beneath, keyring=keyring, kept=BlobsOfDocuments(database)))
    finally:
        await store.close()


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    """As the application's roles, whose URLs may be all that is set; else by way of the administrator's."""
    from dragoman.entrypoints.administration import administered_settings  # noqa: PLC0415 -- 300 ms
    from dragoman.entrypoints.wiring import database_urls  # noqa: PLC0415
    from dragoman.kit.database import Database  # noqa: PLC0415

    has_roles = settings.database_app_url is not None and settings.database_system_url is not None
    async with nullcontext(settings) if has_roles else administered_settings(settings) as reachable:
        database = Database(database_urls(reachable), pool_size=_CONNECTIONS)
        try:
            yield database
        finally:
            await database.close()
