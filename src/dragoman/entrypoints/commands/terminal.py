"""What commands print, and the exit codes they end with.

Results go to stdout, everything else (progress, errors) to stderr. With `--json` stdout holds JSON and nothing else,
one object a line, and an error is `{"error": {"code", "message", …}}` on stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dragoman.kit.errors import DragomanError, InvalidSettingError


class ExitCode(IntEnum):
    """What the exit code of a command means."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    INTERRUPTED = 130


EXIT_CODES = {
    ExitCode.OK: "Done.",
    ExitCode.FAILED: "It failed, or the result is negative: nothing found, no answer known, a document refused, a check failed.",
    ExitCode.USAGE: "The command line or a setting is wrong.",
    ExitCode.UNREACHABLE: "The server, the database or another part does not answer.",
    ExitCode.NOT_ALLOWED: "No API key, one that opens nothing, or a role that may not do this.",
    ExitCode.NOT_FOUND: "There is nothing with this id.",
    ExitCode.INTERRUPTED: "Ended by Ctrl-C.",
}
"""The one table of exit codes; the reference is made from it."""


_PIPED_WIDTH = 500  # for tables that a program reads: no line is broken


def out() -> Console:
    return Console(highlight=False)


def err() -> Console:
    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """One line of JSON on stdout, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def print_line(line: str = "", *, style: str = "") -> None:
    """A line on stdout, as it is: brackets in documents are no markup, long lines are not broken."""
    out().print(Text(line, style=style), soft_wrap=True)


def print_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """Names and values in two columns; values that are None are left out."""
    width = max((len(name) for name, _ in pairs), default=0) + 2
    for name, value in pairs:
        if value is not None:
            print_line(f"{name:<{width}}{value}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        is_id = column == "Id"  # to be copied whole
        table.add_column(column, justify="right" if column in right else "left", overflow="fold", no_wrap=is_id)
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    console = out()
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    console.print(table)


@contextmanager
def spinner(what: str, *, quiet: bool) -> Iterator[None]:
    """A turning sign on stderr while the block runs; nothing where no person looks."""
    console = err()
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def report(error: BaseException, *, as_json: bool) -> ExitCode | None:
    """Print the error in one red line, or as JSON; returns its exit code, None for an error that nobody foresaw."""
    known = _describe(error)
    if known is None:
        return None
    exit_code, code, message, more = known
    if as_json:
        details = {"code": code, "message": message, "exit_code": int(exit_code), **more}
        sys.stderr.write(json.dumps({"error": details}, ensure_ascii=False, default=str) + "\n")
    else:
        err().print(Text(message, style="red"), soft_wrap=True)
    return exit_code


_Described = tuple[ExitCode, str, str, dict[str, object]]


def _describe(error: BaseException) -> _Described | None:
    if isinstance(error, DragomanError):
        is_usage = isinstance(error, InvalidSettingError)
        return (ExitCode.USAGE if is_usage else _exit_code(error.status)), error.code, error.message, {}
    if (format_message := getattr(error, "format_message", None)) is not None:  # Typer: the command line is wrong
        message = f"{str(format_message()).rstrip('.')}. See `{_command_path(error)} --help`."
        return ExitCode.USAGE, "usage", message, {}
    return _describe_client_error(error)


def _describe_client_error(error: BaseException) -> _Described | None:
    from dragoman.client import ApiError, ClientError, ConnectionFailedError  # noqa: PLC0415 -- 100 ms

    match error:
        case ConnectionFailedError():
            return ExitCode.UNREACHABLE, "connection_failed", str(error), {"url": error.url}
        case ApiError():
            more: dict[str, object] = {
                "status": error.status,
                "request_id": error.request_id,
                "retry_after_s": error.retry_after_s,
            }
            return _exit_code(error.status), error.code, error.detail, more
        case ClientError():
            return ExitCode.FAILED, getattr(error, "code", "failed"), str(error), {}
        case _:
            return None


def _exit_code(status: int) -> ExitCode:
    if status in (401, 403):
        return ExitCode.NOT_ALLOWED
    if status == 404:
        return ExitCode.NOT_FOUND
    return ExitCode.UNREACHABLE if status in (502, 503, 504) else ExitCode.FAILED


def _command_path(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context is not None else "dragoman"
