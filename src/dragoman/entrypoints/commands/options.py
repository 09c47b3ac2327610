"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_CONNECTION = "Connection"

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="DRAGOMAN_URL",
        help="Address of the server. Without it the instance of the home is used, and started where none runs.",
        rich_help_panel=_CONNECTION,
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="DRAGOMAN_API_KEY",
        show_envvar=True,
        help="Your API key. Without it the one in the home's demo.json.",
        rich_help_panel=_CONNECTION,
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="DRAGOMAN_HOME",
        help="Folder of the instance on this machine.",
        show_default=".dragoman",
        rich_help_panel=_CONNECTION,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
ChatbotId = Annotated[
    str | None, typer.Option("--chatbot", help="Id or name of the chatbot; without it your default.", metavar="ID|NAME")
]
