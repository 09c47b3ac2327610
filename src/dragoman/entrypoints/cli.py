"""The command `dragoman`: the list of all commands, and what becomes of their errors."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence

import typer

import dragoman
from dragoman.entrypoints.commands import (
    alerts,
    analytics,
    ask,
    audit,
    blobs,
    chatbots,
    connectors,
    db,
    doctor,
    documents,
    evaluate,
    feedback,
    imports,
    index,
    ingest,
    jobs,
    key,
    limits,
    machines,
    mcp,
    metrics,
    openapi,
    privacy,
    search,
    server,
    signing_keys,
    sso,
    tenant,
    translators,
    user,
    widget,
)
from dragoman.entrypoints.commands.options import Json
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, report

_USE, _RUN, _ADMINISTER = "Use", "Run", "Administer"

app = typer.Typer(
    name="dragoman",
    help="Knowledge chatbots in every language: documents in, cited answers out.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("up", rich_help_panel=_RUN)(server.up)
app.command("api", rich_help_panel=_RUN)(server.api)
app.command("worker", rich_help_panel=_RUN)(server.worker)
app.command("scheduler", rich_help_panel=_RUN)(server.scheduler)
app.command("embedder", rich_help_panel=_RUN)(server.embedder)

app.command("ingest", rich_help_panel=_USE)(ingest.ingest)
app.command("search", rich_help_panel=_USE)(search.search)
app.command("ask", rich_help_panel=_USE)(ask.ask)
app.command("chat", rich_help_panel=_USE)(ask.chat)
app.command("mcp", rich_help_panel=_USE)(mcp.mcp)
app.add_typer(documents.app, name="documents", rich_help_panel=_USE)
app.add_typer(chatbots.app, name="chatbots", rich_help_panel=_USE)
app.add_typer(imports.app, name="imports", rich_help_panel=_USE)
app.add_typer(connectors.app, name="connectors", rich_help_panel=_USE)
app.add_typer(feedback.app, name="feedback", rich_help_panel=_USE)

app.add_typer(analytics.app, name="analytics", rich_help_panel=_ADMINISTER)
app.add_typer(metrics.app, name="metrics", rich_help_panel=_ADMINISTER)
app.add_typer(alerts.app, name="alerts", rich_help_panel=_ADMINISTER)
app.add_typer(key.app, name="key", rich_help_panel=_ADMINISTER)
app.add_typer(machines.app, name="service-accounts", rich_help_panel=_ADMINISTER)
app.add_typer(widget.app, name="widget", rich_help_panel=_ADMINISTER)
app.add_typer(user.app, name="user", rich_help_panel=_ADMINISTER)
app.add_typer(sso.app, name="sso", rich_help_panel=_ADMINISTER)
app.add_typer(tenant.app, name="tenant", rich_help_panel=_ADMINISTER)
app.add_typer(limits.app, name="limits", rich_help_panel=_ADMINISTER)
app.add_typer(signing_keys.app, name="signing-keys", rich_help_panel=_ADMINISTER)
app.add_typer(audit.app, name="audit", rich_help_panel=_ADMINISTER)
app.add_typer(privacy.app, name="privacy", rich_help_panel=_ADMINISTER)
app.add_typer(db.app, name="db", rich_help_panel=_ADMINISTER)
app.add_typer(jobs.app, name="jobs", rich_help_panel=_ADMINISTER)
app.add_typer(blobs.app, name="blobs", rich_help_panel=_ADMINISTER)
app.add_typer(index.app, name="index", rich_help_panel=_ADMINISTER)
app.add_typer(evaluate.app, name="eval", rich_help_panel=_ADMINISTER)
app.command("translators", rich_help_panel=_ADMINISTER)(translators.translators)
app.command("openapi", rich_help_panel=_ADMINISTER)(openapi.openapi)
app.command("doctor", rich_help_panel=_ADMINISTER)(doctor.doctor)


@app.command("version", rich_help_panel=_ADMINISTER)
def version(as_json: Json = False) -> ExitCode:
    """Print the version of this installation."""
    if as_json:
        print_json({"version": dragoman.__version__, "python": platform.python_version()})
    else:
        print_line(f"dragoman {dragoman.__version__}")
    return ExitCode.OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; errors become one line on stderr (see `terminal`)."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        result = app(args=given, prog_name="dragoman", standalone_mode=False)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except Exception as error:
        exit_code = report(_first(error), as_json="--json" in given)
        if exit_code is None:
            raise
        return exit_code
    return int(result or 0)


def _first(error: BaseException) -> BaseException:
    """The first of several failures that happened side by side."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
