"""`dragoman eval`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.chatbots import Settings, parse_settings
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.memory import api_memory
from dragoman.entrypoints.commands.options import Home, Json, Key, Url
from dragoman.entrypoints.commands.search import SearchMode
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from dragoman.client import Dragoman
    from dragoman.evaluation.answers import AnswersReport
    from dragoman.evaluation.load import LoadReport
    from dragoman.evaluation.retrieval import RetrievalReport
    from dragoman.evaluation.scratch import OnProgress

app = typer.Typer(help="Measure retrieval and answers on golden sets.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="The golden set.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Run the first so many only.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Ingest the corpus again, even if it is there.")]
Drop = Annotated[bool, typer.Option("--drop", help="Remove the scratch chatbot in the end.")]

_ANSWER_COLUMNS = {
    "questions": "Questions",
    "answerable": "Answerable",
    "contains_answer": "Contains",
    "token_f1": "F1",
    "cited_right": "Cited right",
    "dont_know_answerable": "Don't know (answerable)",
    "dont_know_unanswerable": "Don't know (unanswerable)",
    "median_s": "Median s",
    "p95_s": "p95 s",
}
_SUPPORT_COLUMNS = {
    "faithfulness": "Faithful",
    "judge_faithfulness": "by judge",
    "citation_precision": "Cite precision",
    "citation_recall": "Cite recall",
    "gold_precision": "Gold precision",
    "gold_recall": "Gold recall",
    "quality": "Quality",
    "dont_know_unanswerable": "Refused rightly",
    "dont_know_answerable": "Refused wrongly",
}
_PII_COLUMNS = {"spans": "Spans", "recall": "Recall", "precision": "Precision", "findings": "Findings"}


@app.command("retrieval")
def retrieval(
    folder: Folder,
    queries: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Another file of queries.")] = None,
    qrels: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Another file of judgements.")] = None,
    mode: Annotated[SearchMode | None, typer.Option(help="Which arms search; without it the default.")] = None,
    settings: Settings = None,
    limit: Limit = None,
    fresh: Fresh = False,
    drop: Drop = False,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Ingest a BEIR corpus into a scratch chatbot (once), run its queries, print hit@1, recall, nDCG, MRR and speed.

    DIR holds corpus.jsonl, queries.jsonl and qrels.tsv. --queries of another language is the cross-lingual test.
    """
    from dragoman.evaluation.retrieval import RetrievalTask, evaluate_retrieval  # noqa: PLC0415

    task = RetrievalTask(
        folder=folder,
        queries=queries,
        qrels=qrels,
        mode=mode.value if mode else None,
        settings=parse_settings(settings or ()),
        limit=limit,
        fresh=fresh,
        drop=drop,
    )

    async def body(client: Dragoman) -> RetrievalReport:
        with _progress(quiet=as_json) as show:
            return await evaluate_retrieval(client, task, show)

    report = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    values = report.as_json()
    if as_json:
        print_json(values)
    else:
        print_pairs([(name.replace("_", " "), value) for name, value in values.items()])
    return ExitCode.OK


class ExportFormat(StrEnum):
    """A tool that measures answers."""

    RAGAS = "ragas"
    DEEPEVAL = "deepeval"


class Without(StrEnum):
    """What a question is asked without."""

    DOCUMENT = "document"
    GROUP = "group"


@app.command("answers")
def answers(
    folder: Folder,
    questions: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, dir_okay=False, help="Another file of questions; may be repeated, for more languages."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the figures here, as JSON.")] = None,
    exports: Annotated[
        list[ExportFormat] | None,
        typer.Option("--export", help="Write the answers for this tool to measure; may be repeated."),
    ] = None,
    export_folder: Annotated[
        Path, typer.Option(file_okay=False, help="Where `ragas.jsonl` and `deepeval.json` are written.")
    ] = Path(),
    failures: Annotated[
        Path | None, typer.Option(help="Write each failed question here, one JSON object a line.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=16, help="Questions asked at once.")] = 2,
    without: Annotated[
        Without | None,
        typer.Option(
            help="Ask each question without the document that answers it, or also without those whose id begins as its "
            "own, up to the last hyphen: how often is it known that the answer is missing?"
        ),
    ] = None,
    settings: Settings = None,
    limit: Limit = None,
    fresh: Fresh = False,
    drop: Drop = False,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Ask questions whose answers are known; print by language what share is right, supported, cited and refused.

    DIR holds questions.jsonl and knowledge/ (as examples/ does; the default chatbot answers where it holds that
    knowledge), or a BEIR corpus with queries.jsonl that has `answers` and `passage`.
    """
    from dragoman.evaluation import export  # noqa: PLC0415
    from dragoman.evaluation.answers import AnswersTask, evaluate_answers  # noqa: PLC0415

    task = AnswersTask(
        folder=folder,
        questions=questions or (),
        settings=parse_settings(settings or ()),
        limit=limit,
        concurrency=concurrency,
        without=without.value if without else None,
        with_contexts=bool(exports),
        fresh=fresh,
        drop=drop,
    )

    async def body(client: Dragoman) -> AnswersReport:
        with _progress(quiet=as_json) as show:
            return await evaluate_answers(client, task, show)

    found = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    if report is not None:
        report.write_text(json.dumps(found.as_json(), indent=1) + "\n", encoding="utf-8")
    for chosen in exports or ():
        export.write(found.judged, chosen.value, export_folder)
    if failures is not None:
        lines = [json.dumps(each.as_json(), ensure_ascii=False) + "\n" for each in found.judged if each.is_failure]
        failures.write_text("".join(lines), encoding="utf-8")
    if as_json:
        print_json(found.as_json())
    else:
        for columns in (_ANSWER_COLUMNS, _SUPPORT_COLUMNS):
            rows = [
                _row(name, values, columns) for name, values in (*found.by_language.items(), ("all", found.overall))
            ]
            print_table(("Language", *columns.values()), rows, right=tuple(columns.values()))
    return ExitCode.OK


@app.command("load")
def load(
    questions: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, show_default="200", help="How many are asked at most.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, max=86_400, help="For how long they are asked.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Questions asked at once.")] = 8,
    whole: Annotated[bool, typer.Option("--whole", help="Wait for whole answers instead of streaming them.")] = False,
    new_questions: Annotated[
        bool, typer.Option("--new-questions", help="Ask what was never asked before: each is embedded anew.")
    ] = False,
    first_token_ms: Annotated[float, typer.Option(min=0, max=600_000, help="The model's time to its first token.")] = 0,
    token_ms: Annotated[float, typer.Option(min=0, max=60_000, help="Its time from token to token.")] = 0,
    tokens: Annotated[int, typer.Option(min=1, max=1_000, help="Tokens of an answer.")] = 20,
    errors: Annotated[float, typer.Option(min=0, max=1, help="Share of its calls that fail at once.")] = 0,
    hangs: Annotated[float, typer.Option(min=0, max=1, help="Share of its calls that never answer.")] = 0,
    cuts: Annotated[float, typer.Option(min=0, max=1, help="Share of its calls that break off in the middle.")] = 0,
    timeout_s: Annotated[float, typer.Option(min=0.1, max=3_600, help="A question is given up after so long.")] = 30,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Also a server that is not on this machine.")
    ] = False,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Ask many questions of a chatbot made for it, whose scripted model is as slow and as broken as you say.

    Prints percentiles of the time to the first token and to the whole answer, what of it is Dragoman's own, answers a
    second, errors, what gave way, and how the API's memory grew. The chatbot is removed in the end.
    """
    from dragoman.evaluation.load import LoadTask, evaluate_load, require_local  # noqa: PLC0415

    task = LoadTask(
        questions=200 if questions is None and seconds is None else questions,
        seconds=seconds,
        concurrency=concurrency,
        is_streamed=not whole,
        new_questions=new_questions,
        first_token_ms=first_token_ms,
        token_ms=token_ms,
        tokens=tokens,
        errors=errors,
        hangs=hangs,
        cuts=cuts,
        timeout_s=timeout_s,
    )

    async def body(client: Dragoman) -> LoadReport:
        if not allow_remote:
            require_local(client.url)
        with _progress(quiet=as_json) as show:
            return await evaluate_load(client, task, show, memory_mib=api_memory(home, client.url))

    if url is not None and not allow_remote:
        require_local(url)
    values = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body, max_retries=0).as_json()
    if as_json:
        print_json(values)
    else:
        print_pairs([(name.replace("_", " "), _told(value)) for name, value in values.items()])
    return ExitCode.OK


def _told(value: object) -> object:
    """A figure on a line: percentiles and counts as `name value`."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items()) or "none"
    return value


@app.command("pii")
def pii(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Texts with marked spans.")],
    detectors: Annotated[
        list[str] | None, typer.Option("--detector", help="An adapter of pii_detector; may be repeated.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of the texts, ISO 639-1.")] = "en",
    min_score: Annotated[float, typer.Option(min=0, max=1, help="Less sure findings are left out.")] = 0.5,
    as_json: Json = False,
) -> ExitCode:
    """Print recall and precision of detectors of personal data, by type. Needs no server.

    FILE has one JSON object a line: `full_text` and `spans` of `start_position`, `end_position` and `entity_type`.
    """
    from dragoman.evaluation.pii import evaluate_pii, read_marked_texts  # noqa: PLC0415
    from dragoman.kit import registry  # noqa: PLC0415

    marked = read_marked_texts(file)
    adapters = [registry.create("pii_detector", name) for name in detectors or ("patterns",)]

    figures = asyncio.run(evaluate_pii(adapters, marked, language=language, min_score=min_score))
    values = figures.as_json()
    if as_json:
        print_json(values)
        return ExitCode.OK
    rows = [(kind, *(_cell(own[column]) for column in _PII_COLUMNS)) for kind, own in values["types"].items()]
    print_table(("Type", *_PII_COLUMNS.values()), rows, right=tuple(_PII_COLUMNS.values()))
    others = ", ".join(f"{kind} {count}" for kind, count in values["unmarked"].items()) or "none"
    print_pairs([("characters a second", values["characters_per_second"]), ("other findings", others)])
    return ExitCode.OK


def _row(name: str, values: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[str, ...]:
    return (name, *(_cell(values[column]) for column in columns))


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[OnProgress]:
    """A bar on stderr that begins anew with each part of the work; nothing where no person looks."""
    console = err()
    if quiet or not console.is_terminal:
        yield _show_nothing
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, Any] = {}

        def show(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what.capitalize(), total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield show


def _show_nothing(_done: int, _total: int, _what: str) -> None:
    """No person looks."""
