"""`dragoman metrics`: what the installation, its database and its searches do now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_pairs, print_table

if TYPE_CHECKING:
    from dragoman.client import Dragoman

app = typer.Typer(help="Tell what the installation, its database and its searches do now.")

_Told = dict[str, Any]
_MIB = 1024**2


@app.command("system")
def system(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """Tell of waiting jobs; with a key of the operator's tenant also of processes, machine and Valkey."""
    return _run(
        Server(url=url, api_key=api_key, home=home, json=as_json),
        lambda client: client.insights.system_metrics(),
        _show_system,
    )


@app.command("database")
def database(url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False) -> ExitCode:
    """Tell what your tenant keeps; with a key of the operator's tenant also of the server and its largest tables."""
    return _run(
        Server(url=url, api_key=api_key, home=home, json=as_json),
        lambda client: client.insights.database_metrics(),
        _show_database,
    )


@app.command("search")
def search(
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="Up to now.")] = 60,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Tell of the searches of the last minutes: how many, how fast, how often in vain, by which indexes."""

    async def body(client: Dragoman) -> _Told:
        chatbot_id = await connection.chatbot_id_of(client, chatbot)
        return await client.insights.search_metrics(minutes=minutes, chatbot_id=chatbot_id)

    return _run(Server(url=url, api_key=api_key, home=home, json=as_json), body, _show_search)


def _run(server: Server, body: Callable[[Dragoman], Awaitable[_Told]], show: Callable[[_Told], None]) -> ExitCode:
    async def asked(client: Dragoman) -> _Told:
        return await body(client)

    told = connection.run(server, asked)
    if server.json:
        print_json(told)
    else:
        show(told)
    return ExitCode.OK


def _show_system(told: _Told) -> None:
    machine, cache = told["machine"], told["cache"]
    print_pairs(
        [
            ("Tells of", told["scope"]),
            ("Worker", {True: "there", False: "none", None: "unknown: Valkey does not answer"}[told["has_worker"]]),
            ("Valkey", "reachable" if told["cache_is_reachable"] else "not reachable"),
            ("Its memory", f"{cache['used_memory_mib']} MiB" if cache else None),
            ("Machine", machine and f"{machine['processors']} processors, load {machine['load_1min']}"),
            (
                "Memory",
                machine and f"{machine['memory_available_mib']:.0f} of {machine['memory_total_mib']:.0f} MiB free",
            ),
            ("Disk", machine and f"{machine['disk_free_gib']} of {machine['disk_total_gib']} GiB free"),
        ]
    )
    _table("Jobs", told["jobs"], {"State": "state", "Jobs": "jobs", "Oldest, s": "oldest_s"})
    names = {"Role": "role", "Process": "pid", "CPU %": "cpu_percent", "Memory, MiB": "memory_mib", "Up, s": "uptime_s"}
    _table("Processes", told["processes"], names)


def _show_database(told: _Told) -> None:
    holdings, server = told["holdings"], told["server"]
    print_pairs(
        [
            ("Tells of", told["scope"]),
            ("Round trip", f"{told['round_trip_ms']} ms"),
            *((name.replace("_", " ").capitalize(), value) for name, value in holdings.items()),
            ("PostgreSQL", server and server["version"]),
            ("Size", server and f"{server['size_bytes'] / _MIB:.0f} MiB"),
            ("Longest transaction", server and f"{server['longest_transaction_s']:.0f} s"),
        ]
    )
    if server:
        tables = [{**each, "mib": f"{each['total_bytes'] / _MIB:.1f}"} for each in server["tables"]]
        _table("Largest tables", tables, {"Table": "name", "MiB": "mib", "Rows": "live_rows", "Dead": "dead_rows"})


def _show_search(told: _Told) -> None:
    print_pairs(
        [
            ("Minutes", told["minutes"]),
            ("Searches", f"{told['searches']} ({told['searches_per_minute']} a minute)"),
            ("Latency", _latency(told["latency_ms"])),
            ("Found nothing", told["zero_results"]),
            ("Low confidence", told["low_confidence"]),
            ("Remembered", told["cached"]),
            ("Degraded", told["degraded"]),
            ("Questions", told["questions"]),
            ("Their retrieval", _latency(told["retrieval_ms"])),
        ]
    )
    _table("Indexes", told["indexes"], {"Chatbot": "name", "Index": "kind", "State": "state", "Chunks": "chunks"})


def _latency(quantiles: _Told | None) -> str:
    if quantiles is None:
        return "-"
    return ", ".join(f"{name} {quantiles[name]:.0f} ms" for name in ("p50", "p95", "p99"))


def _table(title: str, items: list[_Told] | None, columns: dict[str, str]) -> None:
    if items:
        print_line()
        print_line(title, style="bold")
        print_table(list(columns), [tuple(item.get(name) for name in columns.values()) for item in items])
