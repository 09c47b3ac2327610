"""`dragoman jobs`: work in the background, above all what died of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, print_json, print_line, print_table

if TYPE_CHECKING:
    from dragoman.client import Dragoman, Job

app = typer.Typer(help="List jobs with their reasons, retry and cancel them.")

JobIds = Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of jobs: see `jobs list`.")]


class State(StrEnum):
    QUEUED = "queued"
    PAUSED = "paused"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@app.command("list")
def list_jobs(
    state: Annotated[State | None, typer.Option(help="`failed` lists the dead ones.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, such as ingestion.ingest_document.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this code, such as ingestion.damaged.")] = None,
    document: Annotated[str | None, typer.Option(metavar="ID", help="Only those of this document.")] = None,
    of_import: Annotated[str | None, typer.Option("--import", metavar="ID", help="Only of this bulk import.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many at most.")] = 100,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """List jobs, newest first, with what they failed of."""

    async def body(client: Dragoman) -> tuple[list[Job], int]:
        wanted = {
            "state": state.value if state else None,
            "kind": kind,
            "reason": reason,
            "document_id": document,
            "chatbot_id": await connection.chatbot_id_of(client, chatbot),
            "import_id": of_import,
        }
        jobs: list[Job] = []
        async for job in client.jobs.list(**wanted):
            jobs.append(job)
            if len(jobs) == limit:
                break
        return jobs, await client.jobs.count(**wanted)

    jobs, total = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if as_json:
        print_json({"jobs": [job.model_dump(mode="json") for job in jobs], "total": total})
        return ExitCode.OK
    rows = [
        (
            job.id,
            job.kind,
            job.state,
            job.title or job.document_id,
            f"{job.attempts} of {job.max_attempts}",
            f"{job.error_code}: {job.error}" if job.error_code else f"{job.step} {job.progress:.0%}".strip(),
        )
        for job in jobs
    ]
    print_table(("Id", "Kind", "State", "Document", "Attempts", "Reason or step"), rows)
    print_line(f"{len(jobs)} of {total} jobs", style="dim")
    return ExitCode.OK


@app.command("retry")
def retry_jobs(
    jobs: JobIds, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Run jobs again that failed or were cancelled, as if they had never been tried."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, jobs, lambda client, job_id: client.jobs.retry(job_id))


@app.command("cancel")
def cancel_jobs(
    jobs: JobIds, url: Url = None, api_key: Key = None, home: Home = None, as_json: Json = False
) -> ExitCode:
    """Cancel jobs that wait or run; one that runs stops within a second."""
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    return _act(server, jobs, lambda client, job_id: client.jobs.cancel(job_id))


def _act(server: Server, ids: list[str], action: Callable[[Dragoman, str], Awaitable[Job]]) -> ExitCode:
    async def body(client: Dragoman) -> list[Job]:
        return [await action(client, job_id) for job_id in ids]

    changed = connection.run(server, body)
    if server.json:
        print_json({"jobs": [job.model_dump(mode="json") for job in changed]})
    else:
        for job in changed:
            print_line(f"{job.id} is {job.state}: {job.title or job.kind}")
    return ExitCode.OK
