"""Which server a command talks to: the one named, the one that runs in the home, or one started for this command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from dragoman.entrypoints.commands.terminal import err, spinner
from dragoman.kit.errors import InvalidRequestError, InvalidSettingError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from dragoman.client import Chatbot, Dragoman
    from dragoman.entrypoints.settings import Settings

T = TypeVar("T")

_START_LIMIT_S = 180.0
_STOP_LIMIT_S = 30.0


class MissingApiKeyError(InvalidSettingError):
    """This server needs an API key. Give it with --api-key, or set DRAGOMAN_API_KEY."""

    code = "cli.missing_api_key"


class InstanceNotStartedError(UnavailableError):
    """The instance of this home could not be started for this command. `dragoman up` shows why."""

    code = "cli.instance_not_started"


class NoInstanceError(UnavailableError):
    """No Dragoman runs in this home. Start it with `dragoman up`, or name another one with --url or DRAGOMAN_URL."""

    code = "cli.no_instance"


class ChatbotNameNotFoundError(NotFoundError):
    """There is no chatbot of this name. `dragoman chatbots list` lists yours."""

    code = "cli.chatbot_not_found"


class AmbiguousNameError(InvalidRequestError):
    """Several things have this name. Give the id instead."""

    code = "cli.ambiguous_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What the options of a command say of the server, and how it prints."""

    url: str | None
    api_key: str | None
    home: Path | None
    json: bool


def run(server: Server, body: Callable[[Dragoman], Awaitable[T]], *, max_retries: int = 3) -> T:
    """Run the body of a command with a client, which asks a busy server again so many times."""

    async def connect_and_run() -> T:
        async with connected(server, max_retries=max_retries) as client:
            return await body(client)

    return asyncio.run(connect_and_run())


@contextlib.asynccontextmanager
async def connected(server: Server, *, max_retries: int = 3) -> AsyncIterator[Dragoman]:
    """A client of the server. An instance that is started here is stopped with the block.

    Raises:
        MissingApiKeyError, InstanceNotStartedError.
    """
    from dragoman.client import Dragoman  # noqa: PLC0415 -- 100 ms that `--help` need not wait for

    async with _address(server) as (url, api_key), Dragoman(url, api_key, max_retries=max_retries) as client:
        yield client


async def find_chatbot(client: Dragoman, id_or_name: str) -> Chatbot:
    """The chatbot of this id or, failing that, of this name.

    Raises:
        ChatbotNameNotFoundError, AmbiguousNameError.
    """
    from dragoman.client import ApiError  # noqa: PLC0415

    if is_id(id_or_name):
        try:
            return await client.chatbots.get(id_or_name)
        except ApiError as error:
            if error.status != 404:
                raise
    found = [chatbot async for chatbot in client.chatbots.list() if chatbot.name == id_or_name]
    if not found:
        raise ChatbotNameNotFoundError(f"There is no chatbot {id_or_name!r}. `dragoman chatbots list` lists yours.")
    if len(found) > 1:
        raise AmbiguousNameError(f"{len(found)} chatbots are named {id_or_name!r}. Give the id instead.")
    return found[0]


async def chatbot_id_of(client: Dragoman, id_or_name: str | None) -> str | None:
    """The id for an optional `--chatbot`. Raises as `find_chatbot`."""
    return None if id_or_name is None else str((await find_chatbot(client, id_or_name)).id)


def is_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4


# ---- which server


@contextlib.asynccontextmanager
async def _address(server: Server) -> AsyncIterator[tuple[str, str]]:
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415 -- 80 ms

    settings = load_settings(home=server.home)
    if server.url is not None:
        url = server.url.rstrip("/")
        yield url, server.api_key or _known_key(settings.home, url)
        return
    running = find_running(settings.home)
    if running is not None:
        yield running, server.api_key or _known_key(settings.home, running)
        return
    async with _started_instance(settings, quiet=server.json) as started:
        yield started, server.api_key or _known_key(settings.home, started)


def running_address(server: Server) -> tuple[str, str]:
    """Address and key of a server that is there: the one named, or else the one that runs in the home.

    Raises:
        MissingApiKeyError, NoInstanceError.
    """
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415 -- 80 ms

    home = load_settings(home=server.home).home
    url = server.url.rstrip("/") if server.url is not None else find_running(home)
    if url is None:
        raise NoInstanceError
    return url, server.api_key or _known_key(home, url)


def find_running(home: Path) -> str | None:
    """The address of the instance that runs in this home, None where none does."""
    from dragoman.entrypoints.home import read_json  # noqa: PLC0415 -- 60 ms that `--help` need not wait for

    known = read_json(home / "run" / "server.json")
    return str(known["url"]) if known is not None and _is_alive(int(known["pid"])) else None


def _known_key(home: Path, url: str) -> str:
    """The key in demo.json. It is given to the instance it belongs to and to nobody else.

    Raises:
        MissingApiKeyError.
    """
    from dragoman.entrypoints.home import read_json  # noqa: PLC0415

    demo = read_json(home / "demo.json")
    if demo is None or url not in (demo["url"], find_running(home)):
        raise MissingApiKeyError
    return str(demo["api_key"])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, as somebody else
        return True
    return True


# ---- an instance for one command


@contextlib.asynccontextmanager
async def _started_instance(settings: Settings, *, quiet: bool) -> AsyncIterator[str]:
    """`dragoman up` as a child of ours, until the block ends: its address. Where another starts just now: that one's."""
    from dragoman.entrypoints.supervisor import leashed  # noqa: PLC0415

    command = [sys.executable, "-m", "dragoman", "up", "--json"]
    command += ["--home", str(settings.home), "--port", str(_free_port(settings.port))]
    if not (settings.home / "demo.json").exists():
        command.append("--no-sample")  # whoever starts with a command brings knowledge of their own
    # Not MAKELEVEL: `up` would take us for the make that it must not outlive.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    with tempfile.TemporaryFile() as errors:
        # In a session of its own, so that a Ctrl-C reaches us alone; on a leash, so that it ends however we end.
        process = await asyncio.create_subprocess_exec(
            *leashed(command, leash=signal.SIGTERM),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            with spinner("Starting Dragoman for this command …", quiet=quiet):
                url = await _address_when_ready(process, errors, settings.home)
            yield url
        finally:
            with spinner("Stopping Dragoman …", quiet=quiet):
                await _stop(process)


async def _address_when_ready(process: asyncio.subprocess.Process, errors: IO[bytes], home: Path) -> str:
    assert process.stdout is not None  # a pipe, by the call above
    try:
        async with asyncio.timeout(_START_LIMIT_S):
            line = await process.stdout.readline()
            if line:
                return str(json.loads(line)["url"])
            await process.wait()
    except TimeoutError as error:
        raise InstanceNotStartedError(
            f"Dragoman was not ready within {_START_LIMIT_S:.0f} s. `dragoman up` shows what takes so long."
        ) from error
    problem = _last_error(errors)
    if problem.get("code") == "up.already_running":  # another command has just begun to start it
        return await _wait_for_other(home)
    raise InstanceNotStartedError(f"Dragoman could not be started for this command: {problem.get('message')}")


def _last_error(errors: IO[bytes]) -> Mapping[str, Any]:
    errors.seek(0)
    text = errors.read().decode("utf-8", "replace").strip()
    last = text.splitlines()[-1] if text else "it ended without a word"
    try:
        problem: Mapping[str, Any] = json.loads(last)["error"]
    except (ValueError, KeyError, TypeError):
        return {"message": last}
    return problem


async def _wait_for_other(home: Path) -> str:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        if (url := find_running(home)) is not None and (home / "demo.json").exists():
            return url
        await asyncio.sleep(0.2)
    raise InstanceNotStartedError("Another process holds this home but does not answer. Stop it, then try again.")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), timeout=_STOP_LIMIT_S)
    except TimeoutError:
        err().print(f"Dragoman did not stop within {_STOP_LIMIT_S:.0f} s; ending it hard.", style="red")
        process.kill()
        await process.wait()


def _free_port(wanted: int) -> int:
    """The port wanted, or any free one where it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise InstanceNotStartedError("There is no free port on this machine.")
