"""`dragoman translators`."""

from __future__ import annotations

import asyncio
from typing import Any

from dragoman.entrypoints.commands.options import Json
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_table


def translators(as_json: Json = False) -> ExitCode:
    """List the translators of this installation, and the language pairs that each can do now.

    A pair that is not in the list is translated through English where both halves are.
    """
    found = asyncio.run(_examined())
    if as_json:
        print_json({"translators": found})
        return ExitCode.OK
    rows = [(each["name"], "yes" if each["is_default"] else "", _pairs(each)) for each in found]
    print_table(("Name", "Default", "Pairs"), rows)
    for each in found:
        if each["problem"]:
            print_line(f"{each['name']}: {each['problem']}", style="yellow")
    return ExitCode.OK


async def _examined() -> list[dict[str, Any]]:
    from dragoman.entrypoints import wiring  # noqa: PLC0415 -- a second
    from dragoman.entrypoints.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    return [
        {
            "name": name,
            "is_default": name == settings.translator,
            "pairs": pairs if pairs is None else [str(pair) for pair in sorted(pairs)],
            "problem": problem,
        }
        for name, pairs, problem in await wiring.examine_translators(settings)
    ]


def _pairs(each: dict[str, Any]) -> str:
    if each["problem"]:
        return "cannot be used"
    return "any" if each["pairs"] is None else ", ".join(each["pairs"]) or "none is set"
