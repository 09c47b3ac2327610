"""`dragoman up` and the roles it runs: `api`, `worker`, `scheduler`, `embedder`."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands.options import Home, Json
from dragoman.entrypoints.commands.terminal import ExitCode, print_json

if TYPE_CHECKING:
    from dragoman.entrypoints.settings import Settings

Port = Annotated[int | None, typer.Option(envvar="DRAGOMAN_PORT", help="Port to listen on.", show_default="8000")]
JsonLogs = Annotated[bool, typer.Option("--json", help="Log as JSON, one object a line, on stderr.")]


def up(
    port: Port = None,
    home: Home = None,
    no_sample: Annotated[
        bool, typer.Option("--no-sample", help="At the first start make an account, but ingest no sample knowledge.")
    ] = False,
    as_json: Json = False,
) -> ExitCode:
    """Start everything on this machine; Ctrl-C stops it.

    The first start makes a database, an account and (unless told not to) sample knowledge. With --json one line when
    it is ready: url, api_key, chatbot_id, question, home.
    """
    from dragoman.entrypoints.seed import first_link_in_a_child, seed_in_a_child  # noqa: PLC0415
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415
    from dragoman.entrypoints.up import UpHooks, run_up  # noqa: PLC0415

    settings = load_settings(home=home, port=port)
    if as_json:
        threading.Thread(target=_print_when_ready, args=(settings.home,), daemon=True).start()
    # `sample` is True either way: without a sample the seed still makes the account.
    hooks = UpHooks(seed=partial(seed_in_a_child, sample=not no_sample), first_link=first_link_in_a_child)
    return ExitCode(run_up(settings, hooks=hooks, sample=True, quiet=as_json))


def _print_when_ready(home: Path) -> None:
    """Print demo.json as soon as this process serves and the account is there."""
    from dragoman.entrypoints.home import read_json  # noqa: PLC0415 -- 60 ms

    while True:
        server: dict[str, Any] | None = read_json(home / "run" / "server.json")
        demo: dict[str, str] | None = read_json(home / "demo.json")
        if server is not None and server["pid"] == os.getpid() and demo is not None and demo["url"] == server["url"]:
            print_json({**demo, "home": str(home)})
            return
        time.sleep(0.1)


def api(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="GROUP", help="Serve these groups of endpoints only: repeated, or separated by commas."
        ),
    ] = None,
    port: Port = None,
    home: Home = None,
    as_json: JsonLogs = False,
) -> ExitCode:
    """Serve the HTTP API, whole or in part.

    Groups of endpoints: chat, documents, search, openai, tenancy, usage.
    """
    return _run(
        "api", _settings(home, as_json=as_json, port=port), [name for given in only or [] for name in given.split(",")]
    )


def worker(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=64, help="Jobs that run at once.", show_default="2")
    ] = None,
    home: Home = None,
    as_json: JsonLogs = False,
) -> ExitCode:
    """Run background jobs, such as reading documents."""
    return _run("worker", _settings(home, as_json=as_json, worker_concurrency=concurrency), [])


def scheduler(home: Home = None, as_json: JsonLogs = False) -> ExitCode:
    """Re-send lost jobs, publish events, sweep."""
    return _run("scheduler", _settings(home, as_json=as_json), [])


def embedder(
    socket: Annotated[
        Path | None, typer.Option(envvar="DRAGOMAN_EMBEDDER_SOCKET", help="Path of the unix socket to listen on.")
    ] = None,
    home: Home = None,
    as_json: JsonLogs = False,
) -> ExitCode:
    """Hold the embedding model for the other roles.

    One per machine; api and worker find it by the same DRAGOMAN_EMBEDDER_SOCKET.
    """
    return _run("embedder", _settings(home, as_json=as_json, embedder_socket=socket), [])


def _settings(home: Path | None, *, as_json: bool, **overrides: object) -> Settings:
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415 -- 80 ms

    return load_settings(home=home, log_style="json" if as_json else None, **overrides)


def _run(role: str, settings: Settings, only: list[str]) -> ExitCode:
    from dragoman.entrypoints.roles import run_role  # noqa: PLC0415

    run_role(role, settings, only=only)
    return ExitCode.OK
