"""`dragoman doctor`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from dragoman.entrypoints.commands.options import Home, Json
from dragoman.entrypoints.commands.terminal import ExitCode, out, print_json

if TYPE_CHECKING:
    from dragoman.entrypoints.doctor import Finding

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


def doctor(
    security: Annotated[
        bool, typer.Option("--security", help="Look for what makes it easier to attack, instead of what is broken.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Say what is wrong with this set-up and how to mend it.

    Exit code 1 when a check fails.
    """
    from dragoman.entrypoints.doctor import State, examine  # noqa: PLC0415 -- a second
    from dragoman.entrypoints.security_review import review  # noqa: PLC0415

    look = review if security else examine
    findings = asyncio.run(look(home, _tell_nobody if as_json else _show))
    failed = [finding for finding in findings if finding.state is State.FAIL]
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(finding) for finding in findings]})
    elif failed:
        out().print(Text(f"\n{len(failed)} of {len(findings)} checks failed.", style="red"))
    else:
        out().print(Text(f"\nAll is well ({len(findings)} checks).", style="green"))
    return ExitCode.FAILED if failed else ExitCode.OK


def _show(finding: Finding) -> None:
    line = Text(f"{finding.state.value:<5}", style=_STYLES[finding.state.value])
    line.append(f"{finding.check:<22}", style="bold")
    line.append(finding.message, style="")
    out().print(line, soft_wrap=True)
    if finding.remedy:
        out().print(Text(f"{'':<27}→ {finding.remedy}", style="cyan"), soft_wrap=True)


def _tell_nobody(_finding: Finding) -> None:
    """With --json all findings come together at the end."""
