"""The first start: a tenant, a key and the sample knowledge, uploaded through the HTTP API like any other.

It runs in a process of its own (`python -m dragoman.entrypoints.seed URL`), so that `up` stays small, and says on
stdout how far it is, one JSON object a line. It may be interrupted at any point and started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dragoman.entrypoints.home import FIRST_USER, InstanceHome, read_json, write_private_json
from dragoman.entrypoints.resources import resource_path
from dragoman.entrypoints.supervisor import child_environment, leashed
from dragoman.kit.errors import DragomanError

if TYPE_CHECKING:
    from dragoman.client import Document, Dragoman
    from dragoman.entrypoints.settings import Settings
    from dragoman.entrypoints.up import DemoInfo, ProgressCallback, UpContext

SAMPLE_TENANT = "Tavelund Systems"  # the made-up company of examples/
FIRST_QUESTION = "Within how many days of the invoice can partners return unopened stock?"

_EMPTY_TENANT = "My organisation"
_STATE_FILE = "seed.json"  # the account, from the moment it exists until demo.json tells it
_UPLOADS_AT_ONCE = 4
_POLL_S = 0.4
_PATIENCE_S = 300.0  # without any document getting ready: then reading goes on in the background, and we go on too
_CONTENT_TYPES = {
    "support-tickets": "ticket",
    "chat-log": "conversation",
    "preguntas-frecuentes": "faq",
    "price-list": "product",
    "product-catalogue": "product",
}

Say = Callable[[Mapping[str, Any]], None]


class SeedError(DragomanError):
    """The sample of the first start could not be made. Start again to go on with it, or use `dragoman up --no-sample`."""

    code = "up.seed"


# ---- called by `up`


async def seed_in_a_child(context: UpContext, progress: ProgressCallback, *, sample: bool) -> DemoInfo:
    """Make the account and, if wanted, ingest the sample; documents that cannot be read are told on stderr.

    Raises:
        SeedError: it ended before it was done.
    """
    from dragoman.entrypoints.up import DemoInfo  # noqa: PLC0415 -- the child needs nothing of `up`

    command = [sys.executable, "-m", "dragoman.entrypoints.seed", context.url, *([] if sample else ["--no-sample"])]
    demo: DemoInfo | None = None
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *leashed(command, leash=signal.SIGTERM),
            env=child_environment(InstanceHome(context.home), context.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        assert process.stdout is not None  # a pipe, by the call above
        try:
            async for line in process.stdout:
                said = json.loads(line)
                if "total" in said:
                    progress(said["done"], said["total"], said["label"])
                elif "problem" in said:
                    sys.stderr.write(f"{said['problem']}\n")
                else:
                    demo = DemoInfo(**said["demo"])
            code = await process.wait()
        finally:
            await _end(process)
        if demo is None:
            raise SeedError(f"The first account and its sample could not be made (exit code {code}):\n{_tail(errors)}")
    return demo


async def first_link_in_a_child(context: UpContext) -> str | None:
    """A link by which the first user chooses a password; None: it is chosen.

    Raises:
        SeedError: the child ended without saying.
    """
    process = await asyncio.create_subprocess_exec(
        *leashed([sys.executable, "-m", "dragoman.entrypoints.seed", "--first-link"], leash=signal.SIGTERM),
        env=child_environment(InstanceHome(context.home), context.environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said, errors = await process.communicate()
    finally:
        await _end(process)
    if process.returncode != 0:
        raise SeedError(
            f"No link could be made for the first user:\n{errors.decode('utf-8', 'replace').strip()[-2000:]}"
        )
    link: str | None = json.loads(said)["first_link"]
    return link


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _tail(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace").strip()[-2000:]


# ---- the child


async def seed(settings: Settings, url: str, *, sample: bool, say: Say) -> dict[str, str]:
    """What demo.json shall hold, once account and sample are there. Safe to repeat after an interruption."""
    from dragoman.client import Dragoman  # noqa: PLC0415

    account = await _account(settings, SAMPLE_TENANT if sample else _EMPTY_TENANT)
    if sample:
        async with Dragoman(url, account["api_key"]) as client:
            await ingest_sample(client, account["chatbot_id"], say)
    demo = {"url": url, **account, "question": FIRST_QUESTION}
    return {name: demo[name] for name in ("url", "api_key", "chatbot_id", "question")}


async def _account(settings: Settings, tenant_name: str) -> dict[str, str]:
    """Id of the chatbot and a key: those of an interrupted start, or new ones."""
    file = settings.home / _STATE_FILE
    known: dict[str, str] | None = read_json(file)
    if known is None:
        known = await _recovered_account(settings, tenant_name) or await _new_account(settings, tenant_name)
        write_private_json(file, known)
    return known


async def _new_account(settings: Settings, tenant_name: str) -> dict[str, str]:
    from dragoman.entrypoints.administration import create_account  # noqa: PLC0415 -- `up` imports this file too

    created = await create_account(settings, name=tenant_name, owner_email=FIRST_USER)
    return {"chatbot_id": str(created.chatbot.id), "api_key": created.key.secret}


async def _recovered_account(settings: Settings, tenant_name: str) -> dict[str, str] | None:
    """A new key for the tenant of a start that was killed before it could write the first one down."""
    from dragoman.entrypoints.wiring import create_audit_log, database_urls  # noqa: PLC0415 -- `up` imports this file too
    from dragoman.kit.database import Database  # noqa: PLC0415
    from dragoman.tenancy import service as tenancy  # noqa: PLC0415
    from dragoman.tenancy.access import tenant_of_system  # noqa: PLC0415
    from dragoman.tenancy.entities import Role  # noqa: PLC0415

    database = Database(database_urls(settings), pool_size=2)
    create_audit_log(settings, database)
    try:
        for tenant in await tenancy.list_tenants(database):
            if tenant.name == tenant_name and tenant.default_chatbot_id is not None:
                system = tenant_of_system(tenant.id)
                key = await tenancy.create_key(
                    database, system, name="first key", role=Role.OWNER, user_email=FIRST_USER
                )
                return {"chatbot_id": str(tenant.default_chatbot_id), "api_key": key.secret}
    finally:
        await database.close()
    return None


async def ingest_sample(client: Dragoman, chatbot_id: str, say: Say) -> None:
    """Upload what is not there yet of examples/knowledge and wait until all of it is read.

    A document is known by its path below `knowledge/`, as examples/questions.jsonl names it.
    """
    folder = resource_path("examples") / "knowledge"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    names = [path.relative_to(folder).as_posix() for path in files]
    there = {each.external_id async for each in client.documents.list(chatbot_id=chatbot_id)}
    say({"done": 0, "total": len(files), "label": "uploading"})
    await _upload(client, chatbot_id, folder, [name for name in names if name not in there])
    await _wait(client, chatbot_id, set(names), say)


async def _upload(client: Dragoman, chatbot_id: str, folder: Path, names: Sequence[str]) -> None:
    room = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    async def upload(name: str) -> None:
        async with room:
            await client.documents.upload(
                folder / name,
                chatbot_id=chatbot_id,
                external_id=name,
                category=name.split("/", maxsplit=1)[0],
                content_type=content_type_of(name),
                bulk=True,
            )

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(upload(name))


def content_type_of(name: str) -> str:
    """What kind of document a file of the sample is, by the beginning of its name."""
    stem = Path(name).stem
    return next((kind for start, kind in _CONTENT_TYPES.items() if stem.startswith(start)), "document")


async def _wait(client: Dragoman, chatbot_id: str, names: set[str], say: Say) -> None:
    """Until every document is ready or has failed; each failure is told."""
    last_done, last_moved = -1, time.monotonic()
    while True:
        documents = [each async for each in client.documents.list(chatbot_id=chatbot_id) if each.external_id in names]
        settled = [each for each in documents if each.state in ("ready", "failed")]
        now = next((each.file_name for each in documents if each.state == "processing"), "")
        if len(settled) != last_done:
            last_done, last_moved = len(settled), time.monotonic()
        say({"done": len(settled), "total": len(names), "label": now})
        if len(settled) >= len(names):
            await _tell_failures(client, settled, say)
            return
        if time.monotonic() - last_moved > _PATIENCE_S:
            say(
                {
                    "problem": "The sample takes long; it is still being read. `dragoman doctor` tells whether a worker runs."
                }
            )
            return
        await asyncio.sleep(_POLL_S)


async def _tell_failures(client: Dragoman, settled: Sequence[Document], say: Say) -> None:
    for document in settled:
        if document.state == "failed":
            status = await client.documents.get_status(document.id)
            say({"problem": f"{document.external_id} could not be read: {status.error}"})


def main(arguments: Sequence[str]) -> int:
    from dragoman.client import ClientError  # noqa: PLC0415
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415

    def say(said: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()

    try:
        if "--first-link" in arguments:
            say({"first_link": asyncio.run(_first_link(load_settings()))})
            return 0
        demo = asyncio.run(seed(load_settings(), arguments[0], sample="--no-sample" not in arguments, say=say))
    except (DragomanError, ClientError, ExceptionGroup) as failure:
        sys.stderr.write(f"{_first(failure)}\n")
        return 1
    say({"demo": demo})
    return 0


async def _first_link(settings: Settings) -> str | None:
    from dragoman.entrypoints.administration import first_link  # noqa: PLC0415 -- `up` imports this file too

    return await first_link(settings, email=FIRST_USER)


def _first(failure: BaseException) -> BaseException:
    """The first of the failures of a task group."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
