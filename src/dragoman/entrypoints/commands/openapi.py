"""`dragoman openapi`: the description of the HTTP API, from the code alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dragoman.entrypoints.commands import output_file
from dragoman.entrypoints.commands.terminal import ExitCode


def openapi(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; without it stdout.")] = None,
) -> ExitCode:
    """Print the OpenAPI document of the HTTP API as JSON.

    It needs no server, database or home, and depends on nothing but this release: settings do not change it.
    """
    output_file.require_writable(output)
    from dragoman.entrypoints.api import create_app  # noqa: PLC0415 -- a second
    from dragoman.entrypoints.settings import Settings  # noqa: PLC0415

    # Settings that nobody loaded: neither a file, nor a variable, nor a folder has a part in it.
    document = create_app(Settings.model_construct()).openapi()
    with output_file.opened(output) as file:
        file.write(json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")
    return ExitCode.OK
