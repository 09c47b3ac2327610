"""`dragoman mcp`: the MCP server for a host on this machine, over standard input and output."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import Home, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode

if TYPE_CHECKING:
    from dragoman.client import Dragoman
    from dragoman.entrypoints.mcp_tools import McpContext

_ANSWER_TIMEOUT_S = 300.0  # a language model on this machine may take minutes


def mcp(url: Url = None, api_key: Key = None, home: Home = None) -> ExitCode:
    """Serve search, questions and the list of documents to an MCP host, over standard input and output.

    Hosts such as Claude Desktop start this command. It talks to a Dragoman that runs, and starts none.
    """
    address, key = connection.running_address(Server(url=url, api_key=api_key, home=home, json=False))
    asyncio.run(_serve(address, key))
    return ExitCode.OK


async def _serve(address: str, key: str) -> None:
    from dragoman.client import Dragoman  # noqa: PLC0415 -- 100 ms that `--help` need not wait for
    from dragoman.entrypoints.mcp_tools import make_server  # noqa: PLC0415 -- 0.8 s

    async with Dragoman(address, key, timeout_s=_ANSWER_TIMEOUT_S) as client:

        @asynccontextmanager
        async def connect(_: McpContext) -> AsyncIterator[Dragoman]:
            yield client

        await make_server(connect).run_stdio_async()
