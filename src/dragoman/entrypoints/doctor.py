"""What is wrong with this set-up and how to mend it: every part is tried, none is changed."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.client import ClientError, Dragoman
from dragoman.entrypoints import embedded, schema, wiring
from dragoman.entrypoints.administration import NoDatabaseYetError, administered_settings
from dragoman.entrypoints.embedded import EmbeddedValkey
from dragoman.entrypoints.home import InstanceHome, read_json
from dragoman.entrypoints.settings import Settings, adapter_settings, load_settings
from dragoman.entrypoints.up import check_port_is_free
from dragoman.inference.catalogue import AUTO
from dragoman.jobs.celery_app import create_celery
from dragoman.kit import registry
from dragoman.kit.cache import Cache
from dragoman.kit.clock import new_id
from dragoman.kit.database import APP_ROLE, SYSTEM_ROLE, Database
from dragoman.kit.errors import DragomanError
from dragoman.ports.llm import ChatMessage, Completion, Llm, TextRequest

_ENOUGH_DISK_MIB, _LEAST_DISK_MIB = 2048, 256
_STUCK_AFTER_S = 60.0
_CLOCK_TOLERANCE_S = 2.0
_LLM_LIMIT_S = 30.0
_OLD_KEY_DAYS, _UNUSED_KEY_DAYS = 365, 90
_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)[^;]*(?:;(?P<marker>.*))?$")


class State(StrEnum):
    """`skip`: it could not be tried, or needs not be there."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found. `remedy` says how to mend it; empty where nothing is wrong."""

    check: str
    state: State
    message: str
    remedy: str = ""


@dataclass(slots=True, kw_only=True)
class _Patient:
    """The set-up as far as it is known. `settings` have the URLs of an embedded instance filled in where it runs."""

    settings: Settings
    home: InstanceHome
    server_url: str | None
    why_no_database: str = ""

    @property
    def is_running(self) -> bool:
        return self.server_url is not None


_Check = Callable[[_Patient], Awaitable[Finding]]


async def examine(home: Path | None, tell: Callable[[Finding], None]) -> list[Finding]:
    """Try every part; each finding is told as it is made.

    The embedded database is started for the examination where it does not run; a home that is not there is not made.
    """
    findings: list[Finding] = []

    def note(finding: Finding) -> None:
        findings.append(finding)
        tell(finding)

    note(_python())
    note(_packages())
    try:
        settings = load_settings(home=home)
    except DragomanError as error:
        note(_failed("settings", error))
        return findings
    note(Finding(check="settings", state=State.OK, message=f"home {settings.home}, embedder {settings.embedder}"))
    async with AsyncExitStack() as held:
        patient = await _admit(settings, held, note)
        for name, check in _CHECKS.items():
            note(await _tried(name, check, patient))
    return findings


async def _admit(settings: Settings, held: AsyncExitStack, note: Callable[[Finding], None]) -> _Patient:
    """Find the running instance, or start the embedded database."""
    home = InstanceHome(settings.home)
    server = read_json(home.run_dir / "server.json")
    patient = _Patient(settings=settings, home=home, server_url=None if server is None else _url_if_alive(server))
    try:
        patient.settings = await held.enter_async_context(administered_settings(settings))
    except NoDatabaseYetError as error:
        patient.why_no_database = "There is no database yet."
        note(Finding(check="database start", state=State.SKIP, message=error.message))
    except DragomanError as error:
        patient.why_no_database = "The database does not start."
        note(_failed("database start", error))
    if patient.is_running:
        patient.settings = patient.settings.model_copy(update=_addresses(settings, home))
    return patient


def _addresses(settings: Settings, home: InstanceHome) -> dict[str, Any]:
    """Where the parts of a running embedded instance are, for those that the settings leave open."""
    valkey = EmbeddedValkey(home)
    cache_url = settings.cache_url or valkey.cache_url
    embedded_broker = None if settings.cache_url else valkey.broker_url
    return {
        "cache_url": cache_url,
        "broker_url": settings.broker_url or embedded_broker,
        "embedder_socket": settings.embedder_socket or home.socket_dir / "embedder.sock",
    }


def _url_if_alive(server: Mapping[str, Any]) -> str | None:
    try:
        os.kill(int(server["pid"]), 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return str(server["url"])


async def _tried(name: str, check: _Check, patient: _Patient) -> Finding:
    try:
        return await check(patient)
    except (DragomanError, ClientError) as error:
        return _failed(name, error)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with a part is what we are here to tell
        return Finding(check=name, state=State.FAIL, message=f"{type(error).__name__}: {error}", remedy=_ASK_LOG)


_ASK_LOG = "The log in the folder `logs` of the home tells more."


def _failed(name: str, error: Exception) -> Finding:
    """Our own errors say what happened in the first sentence and what to do in the rest."""
    happened, _, todo = str(error).partition(". ")
    return Finding(check=name, state=State.FAIL, message=f"{happened.rstrip('.')}.", remedy=todo or _ASK_LOG)


# ---- this machine


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < (3, 11):  # noqa: UP036 -- the package may have been forced onto an older one
        remedy = "Install Python 3.11 or newer and make the virtual environment again."
        return Finding(check="python", state=State.FAIL, message=f"Python {version} is too old.", remedy=remedy)
    return Finding(check="python", state=State.OK, message=f"Python {version} on {sys.platform}")


def _packages() -> Finding:
    try:
        requirements = importlib.metadata.requires("dragoman") or []
    except importlib.metadata.PackageNotFoundError:
        return Finding(check="packages", state=State.SKIP, message="Dragoman runs from its sources, uninstalled.")
    names = [name for name in map(_required_here, requirements) if name is not None]
    missing = [name for name in names if not _is_installed(name)]
    if missing:
        remedy = "Install Dragoman again: `make install`, or `pip install dragoman`."
        return Finding(check="packages", state=State.FAIL, message=f"Missing: {', '.join(missing)}.", remedy=remedy)
    return Finding(check="packages", state=State.OK, message=f"{len(names)} packages are there")


def _required_here(requirement: str) -> str | None:
    """The name of a package that must be there; None for one of an extra or of another platform."""
    match = _REQUIREMENT.match(requirement)
    marker = (match["marker"] or "") if match else "extra"
    is_foreign = "extra" in marker or (sys.platform == "win32" and "!= 'win32'" in marker.replace('"', "'"))
    return None if match is None or is_foreign else match["name"]


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


async def _home(patient: _Patient) -> Finding:
    path = patient.settings.home
    if not path.exists():
        return Finding(check="home", state=State.SKIP, message=f"{path} is not there yet; the first start makes it.")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        remedy = f"Give it to yourself (chown -R {os.getuid()} {path}), or set DRAGOMAN_HOME to another folder."
        return Finding(check="home", state=State.FAIL, message=f"{path} cannot be written.", remedy=remedy)
    readable = [each.name for each in path.glob("*.json") if each.stat().st_mode & 0o077]
    if readable:
        remedy = f"chmod 600 {' '.join(str(path / name) for name in readable)}"
        return Finding(check="home", state=State.WARN, message=f"Others can read {', '.join(readable)}.", remedy=remedy)
    return Finding(check="home", state=State.OK, message=f"{path} is ours alone")


async def _disk(patient: _Patient) -> Finding:
    folder = next(each for each in (patient.settings.home, *patient.settings.home.parents) if each.exists())
    free_mib = shutil.disk_usage(folder).free // (1024 * 1024)
    message = f"{free_mib / 1024:.1f} GiB free"
    remedy = "Make room, or set DRAGOMAN_HOME to a larger disk."
    if free_mib < _LEAST_DISK_MIB:
        return Finding(check="disk", state=State.FAIL, message=message, remedy=remedy)
    if free_mib < _ENOUGH_DISK_MIB:
        return Finding(check="disk", state=State.WARN, message=message, remedy=remedy)
    return Finding(check="disk", state=State.OK, message=message)


async def _binaries(patient: _Patient) -> Finding:
    if patient.settings.cache_url and not _is_embedded(patient):
        return Finding(check="embedded servers", state=State.SKIP, message="Outside servers are set.")
    versions = []
    for binary in (embedded._postgres_binaries() / "postgres", embedded._valkey_binary()):
        process = await asyncio.create_subprocess_exec(
            str(binary), "--version", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = await process.communicate()
        versions.append(" ".join(output.decode(errors="replace").split()[:4]))
        if process.returncode != 0:
            remedy = "Install Dragoman again for this platform: `make install`."
            return Finding(check="embedded servers", state=State.FAIL, message=f"{binary} does not run.", remedy=remedy)
    return Finding(check="embedded servers", state=State.OK, message="; ".join(versions))


def _is_embedded(patient: _Patient) -> bool:
    return (patient.home.path / "postgres").exists() or not patient.settings.database_url


async def _port(patient: _Patient) -> Finding:
    if patient.is_running:
        return Finding(check="port", state=State.OK, message=f"used by our own server, {patient.server_url}")
    check_port_is_free(patient.settings.port)
    return Finding(check="port", state=State.OK, message=f"{patient.settings.port} is free")


# ---- database


async def _database(patient: _Patient) -> Finding:
    async with _system_connection(patient) as connection:
        version = (await connection.execute(text("show server_version"))).scalar_one()
        vector = (
            await connection.execute(text("select extversion from pg_extension where extname = 'vector'"))
        ).scalar()
    if vector is None:
        remedy = "Install pgvector 0.8 on the server, then run `dragoman db upgrade`."
        return Finding(check="database", state=State.FAIL, message="The extension `vector` is missing.", remedy=remedy)
    return Finding(check="database", state=State.OK, message=f"PostgreSQL {version}, pgvector {vector}")


async def _roles(patient: _Patient) -> Finding:
    database = Database(wiring.database_urls(patient.settings), pool_size=2)
    try:
        async with database.transaction(new_id()) as connection:
            app = await _role_of(connection)
        async with database.system_transaction() as connection:
            system = await _role_of(connection)
    finally:
        await database.close()
    too_mighty = [name for name, is_mighty in (app, system) if is_mighty]
    if too_mighty:
        remedy = f"Use {APP_ROLE} and {SYSTEM_ROLE} in DRAGOMAN_DATABASE_APP_URL and DRAGOMAN_DATABASE_SYSTEM_URL."
        message = f"{', '.join(too_mighty)} can pass by row-level security."
        return Finding(check="database roles", state=State.FAIL, message=message, remedy=remedy)
    return Finding(
        check="database roles", state=State.OK, message=f"{app[0]} and {system[0]} log in, neither is mighty"
    )


async def _role_of(connection: AsyncConnection) -> tuple[str, bool]:
    row = (
        await connection.execute(
            text("select current_user, rolsuper or rolbypassrls from pg_roles where rolname = current_user")
        )
    ).one()
    return str(row[0]), bool(row[1])


async def _row_level_security(patient: _Patient) -> Finding:
    """Every table with a tenant_id must force it; partitions inherit by being reached through their parents."""
    async with _system_connection(patient) as connection:
        rows = await connection.execute(
            text(
                "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
                "join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' "
                "where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition "
                "and not (c.relrowsecurity and c.relforcerowsecurity)"
            )
        )
        open_tables = [str(row[0]) for row in rows]
    if open_tables:
        message = f"Not forced on: {', '.join(open_tables)}."
        remedy = "Run `dragoman db upgrade`; if that changes nothing, `dragoman db check` shows the difference."
        return Finding(check="row-level security", state=State.FAIL, message=message, remedy=remedy)
    return Finding(check="row-level security", state=State.OK, message="forced on every table of tenants")


async def _append_only(patient: _Patient) -> Finding:
    """The roles that serve requests may add audit events and read them, nothing else."""
    async with _system_connection(patient) as connection:
        rows = await connection.execute(
            text(
                "select r.rolname || ' may ' || p.privilege from (values ('dragoman_app'), ('dragoman_system')) r(rolname) "
                "cross join (values ('update'), ('delete'), ('truncate')) p(privilege) "
                "where has_table_privilege(r.rolname, 'audit_events', p.privilege)"
            )
        )
        mighty = [str(row[0]) for row in rows]
    if mighty:
        remedy = "Revoke it as an administrator: revoke update, delete, truncate on audit_events from …"
        message = f"The audit is not append-only: {', '.join(mighty)}."
        return Finding(check="audit", state=State.FAIL, message=message, remedy=remedy)
    return Finding(check="audit", state=State.OK, message="can be added to, not changed")


async def _keys(patient: _Patient) -> Finding:
    async with _system_connection(patient) as connection:
        old, unused = (
            await connection.execute(
                text(
                    "select count(*) filter (where expires_at is null and created_at < now() - make_interval(days => :old)), "
                    "count(*) filter (where coalesce(last_used_at, created_at) < now() - make_interval(days => :unused)) "
                    "from api_keys where revoked_at is null and (expires_at is null or expires_at > now())"
                ),
                {"old": _OLD_KEY_DAYS, "unused": _UNUSED_KEY_DAYS},
            )
        ).one()
    if old or unused:
        message = (
            f"{old} keys are older than {_OLD_KEY_DAYS} days and never expire; "
            f"{unused} were not used for {_UNUSED_KEY_DAYS} days."
        )
        remedy = "`dragoman key list` shows them; make new ones with an expiry, and revoke these."
        return Finding(check="API keys", state=State.WARN, message=message, remedy=remedy)
    return Finding(check="API keys", state=State.OK, message="none is old or forgotten")


async def _revision(patient: _Patient) -> Finding:
    if not patient.settings.database_url:
        return Finding(check="migrations", state=State.SKIP, message="Needs the administrator's DRAGOMAN_DATABASE_URL.")
    present = await asyncio.to_thread(schema.revision_of, patient.settings.database_url)
    head = schema.head_revision()
    if present != head:
        message, remedy = f"The database is at revision {present}, the code at {head}.", "Run `dragoman db upgrade`."
        return Finding(check="migrations", state=State.FAIL, message=message, remedy=remedy)
    return Finding(check="migrations", state=State.OK, message=f"at revision {head}")


async def _clock(patient: _Patient) -> Finding:
    async with _system_connection(patient) as connection:
        theirs = (await connection.execute(text("select clock_timestamp()"))).scalar_one()
    apart_s = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart_s > _CLOCK_TOLERANCE_S:
        remedy = "Let both machines keep time by NTP: leases of jobs and expiry of keys depend on it."
        message = f"This machine and the database are {apart_s:.1f} s apart."
        return Finding(check="clock", state=State.WARN, message=message, remedy=remedy)
    return Finding(check="clock", state=State.OK, message="in step with the database")


async def _worker(patient: _Patient) -> Finding:
    async with _system_connection(patient) as connection:
        waiting, stuck = (
            await connection.execute(
                text(
                    "select count(*), count(*) filter (where run_after < now() - make_interval(secs => :limit_s)) "
                    "from jobs where state = 'queued'"
                ),
                {"limit_s": _STUCK_AFTER_S},
            )
        ).one()
    if stuck and patient.is_running:
        message = f"{stuck} jobs have waited for more than {_STUCK_AFTER_S:.0f} s."
        remedy = "No worker takes them, or it has too much to do: look at logs/worker.log, or start another `dragoman worker`."
        return Finding(check="worker", state=State.FAIL, message=message, remedy=remedy)
    if stuck:
        message = f"{stuck} jobs wait; they run when a worker does."
        return Finding(
            check="worker", state=State.WARN, message=message, remedy="Start `dragoman up` or `dragoman worker`."
        )
    return Finding(check="worker", state=State.OK, message=f"{waiting} jobs wait, none for long")


@asynccontextmanager
async def _system_connection(patient: _Patient) -> AsyncIterator[AsyncConnection]:
    """A connection as the `system` role, closed with its pool."""
    database = Database(wiring.database_urls(patient.settings), pool_size=2)
    try:
        async with database.system_transaction() as connection:
            yield connection
    finally:
        await database.close()


# ---- the other parts


async def _cache(patient: _Patient) -> Finding:
    cache = Cache(wiring.cache_url(patient.settings))
    try:
        reachable = await cache.is_reachable()
    finally:
        await cache.close()
    if not reachable:
        remedy = "Start Valkey, or correct DRAGOMAN_CACHE_URL. Answers are right without it, but slower."
        return Finding(check="cache", state=State.WARN, message="Valkey does not answer.", remedy=remedy)
    return Finding(check="cache", state=State.OK, message="Valkey answers")


async def _broker(patient: _Patient) -> Finding:
    connection = create_celery(wiring.broker_url(patient.settings)).connection_for_write()

    def connect() -> None:
        with connection:
            connection.ensure_connection(max_retries=1, timeout=5)

    try:
        await asyncio.to_thread(connect)
    except Exception as error:  # noqa: BLE001 -- each transport has errors of its own
        remedy = "Start the broker, or correct DRAGOMAN_BROKER_URL. Uploads are kept and read once it answers."
        return Finding(check="broker", state=State.FAIL, message=f"The broker does not answer: {error}.", remedy=remedy)
    return Finding(check="broker", state=State.OK, message="the broker answers")


async def _embedder(patient: _Patient) -> Finding:
    embedder = wiring.create_embedder(patient.settings)
    try:
        await embedder.embed_queries(["ready?"])  # the first loads the model
        started = time.perf_counter()
        vectors = await embedder.embed_queries(["How long may goods be returned?"])
        took_ms = (time.perf_counter() - started) * 1000
        profile = embedder.profile
    finally:
        await embedder.close()
    if vectors.shape != (1, profile.dimensions):
        message = f"{profile.model} gave vectors of shape {vectors.shape}, not {profile.dimensions} dimensions."
        remedy = "Correct the dimensions in the settings of the embedder."
        return Finding(check="embedder", state=State.FAIL, message=message, remedy=remedy)
    message = f"{profile.model}, {profile.dimensions} dimensions, {took_ms:.0f} ms a question"
    return Finding(check="embedder", state=State.OK, message=message)


async def _adapters(patient: _Patient) -> Finding:
    """Whether what the settings choose can be imported and configured."""
    chosen = [
        (port, str(getattr(patient.settings, port))) for port in ("vector_index", "keyword_index", "language_detector")
    ]
    chosen += [("extractor", name) for name in registry.list_adapters("extractor")]
    for port, name in chosen:
        registry.create(port, name, adapter_settings(port, name))
    return Finding(check="adapters", state=State.OK, message=", ".join(name for _, name in chosen))


async def _blob_store(patient: _Patient) -> Finding:
    if not patient.settings.home.exists():
        return Finding(check="blob store", state=State.SKIP, message="The home is not there yet.")
    name = patient.settings.blob_store
    defaults: dict[str, Any] = {"root": patient.settings.home / "blobs"} if name == "file" else {}
    store = registry.create("blob_store", name, adapter_settings("blob_store", name, **defaults))
    key, content = f"doctor/{new_id()}", b"written by dragoman doctor"
    await store.put(key, _one_piece(content))
    try:
        read = b"".join([piece async for piece in store.read(key)])
    finally:
        await store.delete(key)
    if read != content:
        remedy = "Check the disk or the storage service behind it."
        return Finding(
            check="blob store", state=State.FAIL, message="It returns other bytes than were written.", remedy=remedy
        )
    return Finding(check="blob store", state=State.OK, message=f"{name} keeps what it is given")


async def _one_piece(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _llm(patient: _Patient) -> Finding:
    """The answerer that is set, and each listed model."""
    name = "language model"
    catalogue = wiring.load_catalogue(patient.settings)
    default = patient.settings.llm
    answerers = [model.name for model in catalogue.models]
    if default == AUTO and not answerers:
        message, remedy = "DRAGOMAN_LLM is `auto`, and no model is listed.", "List models in models.yaml."
        return Finding(check=name, state=State.FAIL, message=message, remedy=remedy)
    if default not in (None, AUTO, *answerers):
        answerers.insert(0, str(default))
    if not answerers:
        return Finding(check=name, state=State.SKIP, message="None is set: answers are quotations.")
    factories = wiring.llm_factories(catalogue)
    if default in answerers and default not in factories:
        message = f"DRAGOMAN_LLM is {default!r}; there are: {', '.join(sorted((AUTO, *factories)))}."
        return Finding(check=name, state=State.FAIL, message=message, remedy="Name one of them.")
    answers = await asyncio.gather(*(_ask_model(answerer, factories[answerer]) for answerer in answerers))
    message = "; ".join(said for said, _ in answers)
    away = [answerer for answerer, (_, is_well) in zip(answerers, answers, strict=True) if not is_well]
    if not away:
        return Finding(check=name, state=State.OK, message=message)
    remedy = f"Check the address, the key and the model's name of {', '.join(away)}: DRAGOMAN_LLM_… or models.yaml."
    state = State.FAIL if default in away or len(away) == len(answerers) else State.WARN
    return Finding(check=name, state=state, message=message, remedy=remedy)


async def _ask_model(name: str, create: Callable[[], Llm]) -> tuple[str, bool]:
    """What to say of a model, and whether it answers."""
    request = TextRequest(messages=[ChatMessage(role="user", content="Say: ready")], max_tokens=8)
    started = time.perf_counter()
    try:
        llm = create()
        try:
            async with asyncio.timeout(_LLM_LIMIT_S):
                completion = [event async for event in llm.stream(request) if isinstance(event, Completion)][-1]
        finally:
            await llm.close()
    except TimeoutError:
        return f"{name} did not answer within {_LLM_LIMIT_S:.0f} s", False
    except DragomanError as error:
        return f"{name}: {error.message.rstrip('.')}", False
    return f"{name}: {completion.model} answered in {time.perf_counter() - started:.1f} s", True


async def _translator(patient: _Patient) -> Finding:
    name = patient.settings.translator
    if name is None:
        message = "None is set: quotes stay in their language, unless a chatbot names one."
        return Finding(check="translator", state=State.SKIP, message=message)
    remedy = "`dragoman translators` lists what can be used; the reference of adapters says what each needs."
    found = {each: (pairs, problem) for each, pairs, problem in await wiring.examine_translators(patient.settings)}
    if name not in found:
        message = f"There is no translator {name!r}."
        return Finding(check="translator", state=State.FAIL, message=message, remedy=remedy)
    pairs, problem = found[name]
    if problem or (pairs is not None and not pairs):
        message = problem or f"{name} has no language pair."
        return Finding(check="translator", state=State.FAIL, message=message, remedy=remedy)
    told = "any pair" if pairs is None else ", ".join(map(str, sorted(pairs)))
    return Finding(check="translator", state=State.OK, message=f"{name}: {told}")


async def _server(patient: _Patient) -> Finding:
    if patient.server_url is None:
        message, remedy = "No server runs in this home.", "`dragoman up` starts it."
        return Finding(check="server", state=State.SKIP, message=message, remedy=remedy)
    async with Dragoman(patient.server_url, None, timeout_s=10.0) as client:
        version = (await client.check_health()).get("version")
        readiness = await client.check_readiness()
    poor = [name for name, state in readiness.checks.items() if state != "ok"]
    if poor:
        message, remedy = f"It answers, but without: {', '.join(poor)}.", "The findings on those parts tell more."
        return Finding(check="server", state=State.WARN, message=message, remedy=remedy)
    return Finding(check="server", state=State.OK, message=f"{patient.server_url} is ready, version {version}")


def _if_database(check: _Check, name: str) -> _Check:
    async def checked(patient: _Patient) -> Finding:
        if patient.why_no_database:
            return Finding(check=name, state=State.SKIP, message=patient.why_no_database)
        return await check(patient)

    return checked


def _if_cache(check: _Check, name: str) -> _Check:
    async def checked(patient: _Patient) -> Finding:
        if not patient.settings.cache_url:
            return Finding(check=name, state=State.SKIP, message="The embedded Valkey starts with `dragoman up`.")
        return await check(patient)

    return checked


_CHECKS: dict[str, _Check] = {
    "home": _home,
    "disk": _disk,
    "embedded servers": _binaries,
    "port": _port,
    "database": _if_database(_database, "database"),
    "database roles": _if_database(_roles, "database roles"),
    "row-level security": _if_database(_row_level_security, "row-level security"),
    "migrations": _if_database(_revision, "migrations"),
    "clock": _if_database(_clock, "clock"),
    "cache": _if_cache(_cache, "cache"),
    "broker": _if_cache(_broker, "broker"),
    "adapters": _adapters,
    "embedder": _embedder,
    "blob store": _blob_store,
    "language model": _llm,
    "translator": _translator,
    "server": _server,
    "worker": _if_database(_worker, "worker"),
}
