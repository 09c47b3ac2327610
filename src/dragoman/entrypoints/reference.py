"""Writes the pages of docs/reference from the code: cog runs one function of this module for each block.

What is written depends on the source alone: not on the terminal, the environment, the day or what else is installed.
The words that the code has no place for (what a permission allows, what an event means) stand here, once.
"""

from __future__ import annotations

import ast
import enum
import importlib
import importlib.util
import inspect
import pkgutil
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from fastapi.routing import APIRoute
from prometheus_client import Counter, Gauge, Histogram, Summary
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import dragoman
from dragoman.entrypoints import adapter_catalogue
from dragoman.insights.alerts.rules import BUILTIN
from dragoman.kit import registry
from dragoman.kit.errors import DragomanError

_PACKAGE: Final = Path(dragoman.__file__).parent

PERMISSIONS: Final = {
    "ask": "Open conversations and ask questions.",
    "search": "Search the passages of a chatbot.",
    "sessions:read_all": "Open conversations of other askers.",
    "documents:read": "List and show documents: the shared ones and one's own.",
    "documents:contribute": "Upload private documents and delete one's own.",
    "documents:manage": "Upload, replace and delete shared documents.",
    "chatbots:read": "List and show chatbots with their settings.",
    "chatbots:manage": "Make, change and delete chatbots, and say who may have them: members and widget keys.",
    "keys:manage": "Make, list, rotate and revoke API keys and service accounts with at most one's own role.",
    "explain": "See the raw scores behind a result.",
    "usage:read": "See what model calls took and cost, and the budgets.",
    "budgets:manage": "Set and remove budgets of paid model calls.",
    "users:manage": "Invite users, give and take roles, sign users out.",
    "tenant:manage": "Set limits and quotas, how people sign in, and how long things are kept.",
    "audit:read": "Read, export and verify the audit log.",
    "personal_data:manage": "Export and erase what is stored about a user or visitor.",
    "feedback:give": "Rate answers and say what is wrong with them.",
    "feedback:read": "See ratings, corrections and improvement reports.",
    "analytics:read": "See how much is asked and how well it is answered.",
    "metrics:read": "See the state of the system: processes, database, search.",
    "alerts:manage": "Make, change and silence alert rules.",
}
"""What each permission allows."""

ROLES: Final = {
    "owner": "Runs the tenant. The first key of a tenant has this role.",
    "admin": "Runs the tenant for an owner; cannot make keys of owners.",
    "editor": "Looks after the documents.",
    "agent": "Helps askers and reads their conversations.",
    "member": "Asks, searches and keeps private documents.",
}
"""Who each role is for."""

_OF_DOCUMENT: Final = "`document_id`, `version_id`, `chatbot_id`, `visibility`, `owner`, `state`"
_OF_BUDGET: Final = "`scope`, `subject`, `period`, `starts_on`, `limit_usd`"
_OF_FEEDBACK: Final = (
    "`feedback_id`, `message_id`, `session_id`, `chatbot_id`, `rating`, `reason`, `is_review`, `has_comment`, "
    "`has_correction`"
)
_OF_SYNC: Final = "`connector_id`, `sync_id`, `state`"

TOPICS: Final = {
    "index.mended": (
        "A check mended an index outside PostgreSQL.",
        "`places`, `entries`, `missing`, `different`, `unknown`, `sent`, `removed`",
    ),
    "document.registered": ("An upload was accepted; a job will read it.", _OF_DOCUMENT),
    "document.ready": ("The document is searchable from now on.", _OF_DOCUMENT),
    "document.replaced": ("A new version serves in place of the old one from now on.", _OF_DOCUMENT),
    "document.pending": ("The newest version is read and waits for approval.", _OF_DOCUMENT),
    "document.approved": ("Somebody approved the version that waited.", _OF_DOCUMENT),
    "document.rejected": ("Somebody refused the version that waited.", _OF_DOCUMENT),
    "document.cancelled": ("The reading of the newest version was stopped.", _OF_DOCUMENT),
    "document.failed": (
        "The newest version cannot be read; an older one keeps serving.",
        f"{_OF_DOCUMENT}, `code`, `error`",
    ),
    "document.visibility_changed": ("Others than before find the document from now on.", _OF_DOCUMENT),
    "document.deleted": ("The document is deleted; no search knows it any more.", _OF_DOCUMENT),
    "budget.warning": ("80 % of a budget are spent. Once in its period.", _OF_BUDGET),
    "budget.exhausted": ("A paid call did not fit into a budget any more. Once in its period.", _OF_BUDGET),
    "feedback.given": ("An answer was rated.", _OF_FEEDBACK),
    "feedback.changed": ("Somebody changed what they said of an answer.", _OF_FEEDBACK),
    "feedback.withdrawn": ("Somebody took back what they said of an answer.", _OF_FEEDBACK),
    "feedback.correction_accepted": ("A correction became a document.", "`feedback_id`, `chatbot_id`, `document_id`"),
    "feedback.correction_rejected": (
        "A correction was turned down.",
        "`feedback_id`, `chatbot_id`, `document_id` of an earlier one that was accepted, or null",
    ),
    "feedback.report_ready": (
        "An improvement report is written.",
        "`report_id`, `chatbot_id`, `first_day`, `last_day`, `is_scheduled`",
    ),
    "connector.sync_ended": ("A sync succeeded, failed or was cancelled; its report says what happened.", _OF_SYNC),
}
"""What each topic of the outbox means, and its payload."""

JOBS: Final = {
    "ingestion.ingest_document": "Reads, cuts, embeds and indexes one version of a document, then makes it live.",
    "knowledge.purge_document": "Removes chunks, vectors, postings and files of a deleted document.",
    "knowledge.purge_blobs": "Removes stored files and pictures that nothing refers to any more.",
    "knowledge.tidy_keyword_index": "Takes the words of removed documents out of the stored keyword index.",
    "ingestion.refill_keyword_index": "Fills the keyword index of a chatbot where an upgrade has changed its layout.",
    "check_external_index": "Compares the indexes outside PostgreSQL with it and mends what differs.",
    "build_vector_index": "Builds, checks or drops the vector index of a chatbot, as its size and recall ask for.",
    "insights.deliver_alert": "Tells one channel of an alert that fires or is resolved.",
    "understanding.learn_expansions": "Learns acronyms and other names from the documents of a chatbot.",
    "feedback.write_report": "Groups the questions of a period and writes an improvement report.",
    "connectors.sync": "Brings the documents of a connector in step with their origin.",
    "connectors.remove": "Deletes the documents of a deleted connector.",
    "connectors.fetch_url": "Fetches one address of a list and uploads what is there.",
    "privacy.request": "Makes an archive of what is held about a person, or erases the person everywhere.",
    "privacy.expire_archives": "Removes archives with personal data that are kept no longer.",
}
"""What each kind of job does."""

STREAM_EVENTS: Final = {
    "status": "What happens now: `understanding`, `searching`, `reading`, and with the first word `writing`.",
    "token": "The next words of the answer, in order. Put together they are the whole text.",
    "source": "One citation. They come after the last token.",
    "complete": "The end of an answer, with its facts. Comes once, last; also where the answer was stopped.",
    "error": "The end of an answer that failed after the stream had begun. Comes once, last.",
}
"""What each event of a streamed answer means."""

OTHER_CODES: Final[Mapping[str, tuple[int | None, str]]] = {
    "invalid_json": (400, "The body of the request is not valid JSON. The message says where it breaks."),
    "method_not_allowed": (405, "This address does not know this method. The documentation lists those it knows."),
    "http_error": (400, "The request broke a rule of HTTP. The message says which one."),
    "not_ready": (503, "A part that every answer needs does not answer. `checks` in the problem names it."),
    "jobs.unknown_kind": (
        500,
        "A worker was sent a kind of job that it does not know. Restart workers of an older release.",
    ),
    "jobs.crashed": (500, "The worker stopped in the middle of this job each time. The document may be too heavy."),
    "usage": (None, "The command line is wrong. `--help` shows what the command takes."),
    "connection_failed": (None, "The server did not answer. Check that it runs, or start it with `dragoman up`."),
    "failed": (None, "The command failed. The message says why."),
}
"""Codes that no error class carries, with the HTTP status: those of the HTTP layer, those that are only written on a
document, and (without a status) those that only commands print."""

EXTRAS: Final = {
    "otlp": "Sends OpenTelemetry traces (`DRAGOMAN_OTLP_ENDPOINT`).",
    "local-llm": "Runs a local model file (GGUF) in the process: the `llm` adapter `llama_cpp`.",
    "pii": "Finds names, places and addresses in text: the `pii_detector` adapter `onnx_ner`.",
    "faiss": "Finds nearest vectors in the process: the `vector_index` adapter `faiss`.",
    "pii-presidio": "Microsoft Presidio's recognisers of personal data: the `pii_detector` adapter `presidio`.",
    "s3": "Buckets of any S3-compatible store: the `blob_store` and the `connector` adapters `s3`.",
    "langchain": "The retriever for LangChain: `dragoman.integrations.langchain`.",
    "llama-index": "The retriever for LlamaIndex: `dragoman.integrations.llamaindex`.",
    "translate": "Runs Marian models with CTranslate2: the `translator` adapter `marian`.",
    "train": "Trains models. The running service never needs it.",
    "bench": "Metrics of `dragoman eval`. `make up` installs it.",
    "dev": "Tools for working on Dragoman itself.",
}
"""What each extra of the package is for."""


# ---- settings


def settings() -> str:
    """The settings of a process: variable, type, default, meaning."""
    from dragoman.entrypoints.settings import Settings  # noqa: PLC0415 - each page loads only what it shows

    rows = [
        (f"`DRAGOMAN_{name.upper()}`", _type_of(field), _default_of(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return _table(("Variable", "Type", "Default", "What it is"), rows)


def chatbot_settings() -> str:
    """The settings of one chatbot."""
    from dragoman.tenancy.settings import ChatbotSettings  # noqa: PLC0415

    return _fields_table(ChatbotSettings)


def widget_look() -> str:
    """How a chatbot looks on web sites."""
    from dragoman.tenancy.widget_look import WidgetLook  # noqa: PLC0415

    return _fields_table(WidgetLook)


# ---- adapters and ports


def adapters() -> str:
    """Every adapter that comes with Dragoman, by port, with its settings."""
    return "\n".join(_adapters_of(port) for port in registry.list_ports())


def own_adapters(port: str) -> list[str]:
    """The adapters of this package; those that other packages add are not ours to document."""
    return [
        name
        for name in registry.list_adapters(port)
        if importlib.util.find_spec(f"dragoman.adapters.{port}.{name}") is not None
    ]


def extras() -> str:
    """The extras of the package with the packages they bring."""
    file = _PACKAGE.parent.parent / "pyproject.toml"
    declared = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    rows = [
        (f"`{extra}`", EXTRAS[extra], ", ".join(f"`{_package_name(requirement)}`" for requirement in requirements))
        for extra, requirements in declared.items()
    ]
    return _table(("Extra", "What it is for", "Packages"), rows)


def ports() -> str:
    """Every port: what it promises, its methods, its values and its errors, from the docstrings."""
    modules = sorted(module.name for module in pkgutil.iter_modules([str(_PACKAGE / "ports")]))
    return "\n".join(_port(name) for name in modules)


def _adapters_of(port: str) -> str:
    parts = [f"## {port}\n\n{adapter_catalogue.chosen(port)}\n"]
    for name in own_adapters(port):
        module = registry.load_module(port, name)
        parts.append(f"### {port}: {name}\n\n{adapter_catalogue.summary(module)}\n")
        if extra := re.search(r"dragoman\[([\w-]+)\]", inspect.getsource(module)):
            parts.append(f"Needs the extra `{extra[1]}`.\n")
        fields = _fields_table(module.Settings, prefix=f"DRAGOMAN_{port}_{name}_".upper())
        parts.append(fields if module.Settings.model_fields else "It has no settings.\n")
    return "\n".join(parts)


def _port(name: str) -> str:
    tree = ast.parse((_PACKAGE / "ports" / f"{name}.py").read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    protocols = [node for node in classes if "Protocol" in map(ast.unparse, node.bases)]
    errors = [node for node in classes if node.name.endswith("Error")]
    values = [node for node in classes if node not in protocols and node not in errors]
    parts = [f"## {name}\n\n{_prose(ast.get_docstring(tree))}"]
    parts += [_section(node.name, _prose(ast.get_docstring(node)), _methods(node)) for node in protocols]
    parts += [_section(node.name, _prose(ast.get_docstring(node)), _value_fields(node)) for node in values]
    if errors:
        module = importlib.import_module(f"dragoman.ports.{name}")
        codes = {node.name: getattr(module, node.name).code for node in errors}
        rows = [
            (f"[`{node.name}`](errors.md#{codes[node.name]})", _flat(ast.get_docstring(node) or "")) for node in errors
        ]
        parts.append(f"### Errors of {name}\n\n{_table(('Error', 'Meaning'), rows)}")
    return "\n".join(parts)


def _section(title: str, *blocks: str) -> str:
    return "\n".join([f"### {title}\n", *(block for block in blocks if block)])


def _methods(protocol: ast.ClassDef) -> str:
    lines = []
    for node in protocol.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            coroutine = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
            is_property = any(ast.unparse(decorator) == "property" for decorator in node.decorator_list)
            arguments = "" if is_property else f"({ast.unparse(node.args).removeprefix('self').removeprefix(', ')})"
            returns = ast.unparse(node.returns) if node.returns else "None"
            lines.append(f"- `{coroutine}{node.name}{arguments} -> {returns}`")
            if text := ast.get_docstring(node):
                lines.append(f"  {_flat(text)}")
    return "\n".join(["Methods:", "", *lines]) + "\n"


def _value_fields(value: ast.ClassDef) -> str:
    fields = [node for node in value.body if isinstance(node, ast.AnnAssign)]
    lines = [f"- `{ast.unparse(node)}`" for node in fields]
    return "\n".join(["Fields:", "", *lines]) + "\n" if lines else ""


def _package_name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


# ---- commands


def cli() -> str:
    """The help of every command, the options that most share, and the exit codes."""
    listed = list(commands())
    shared = _shared_options(command for _, command in listed)
    parts = [_command(command, path, shared) for path, command in listed]
    table = _table(_OPTION_COLUMNS, shared)
    return "\n".join([*parts, f"## Shared options\n\n{table}", exit_codes()])


def commands() -> Iterator[tuple[str, Any]]:
    """Every command as (how it is called, its Typer command), in the order of the help."""
    import typer  # noqa: PLC0415

    app = importlib.import_module("dragoman.entrypoints.cli").app
    yield from _walk("dragoman", typer.main.get_command(app))


def exit_codes() -> str:
    from dragoman.entrypoints.commands.terminal import EXIT_CODES  # noqa: PLC0415

    rows = [(str(int(code)), meaning) for code, meaning in EXIT_CODES.items()]
    return f"## Exit codes\n\n{_table(('Code', 'Meaning'), rows)}"


_OPTION_COLUMNS: Final = ("Option", "Type", "Default", "What it is")
_SHARED_BY: Final = 8
"""An option that stands alike on at least this many commands is described once."""

_OptionRow = tuple[str, str, str, str]


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in _children(command).items():
        yield from _walk(f"{path} {name}", child)


def _children(command: Any) -> dict[str, Any]:
    return {name: child for name, child in getattr(command, "commands", {}).items() if not child.hidden}


def _shared_options(every: Iterable[Any]) -> list[_OptionRow]:
    counts: dict[_OptionRow, int] = {}
    for command in every:
        for row in _option_rows(command):
            counts[row] = counts.get(row, 0) + 1
    return [row for row, count in counts.items() if count >= _SHARED_BY]


def _command(command: Any, path: str, shared: Sequence[_OptionRow]) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument" and not each.hidden]
    options = _option_rows(command)
    own = [row for row in options if row not in shared]
    children = _children(command)
    words = [path, *(_argument_usage(each) for each in arguments)]
    words += (["COMMAND"] if children else []) + (["[OPTIONS]"] if options else [])
    parts = [f"## {path}\n", f"```text\n{' '.join(words)}\n```\n"]
    parts += [_prose(command.help)] if command.help else []
    if arguments:
        rows = [(f"`{_argument_name(each)}`", _type_name(each), each.help or "") for each in arguments]
        parts.append(_table(("Argument", "Type", "What it is"), rows))
    if own:
        parts.append(_table(_OPTION_COLUMNS, own))
    if common := [row[0].partition("<br>")[0] for row in options if row in shared]:
        parts.append(f"And the [shared options](#shared-options) {', '.join(common)}.\n")
    if children:
        parts.append(_table(("Command", "What it does"), [_child_row(path, *child) for child in children.items()]))
    return "\n".join(parts)


def _child_row(path: str, name: str, child: Any) -> tuple[str, str]:
    return f"`{path} {name}`", _first_sentence(child.help or "")


def _argument_name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _argument_usage(argument: Any) -> str:
    name = _argument_name(argument).removesuffix("…") + ("…" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _option_rows(command: Any) -> list[_OptionRow]:
    """The options of a command, without those that Typer adds to every program."""
    return [
        (_option_names(each), _type_name(each), _option_default(each), each.help or "")
        for each in command.params
        if each.param_type_name == "option" and not each.hidden and not each.name.endswith("_completion")
    ]


def _option_names(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return f"{names}<br>(`{option.envvar}`)" if isinstance(option.envvar, str) else names


def _option_default(option: Any) -> str:
    if isinstance(option.show_default, str):
        return f"`{option.show_default}`"
    value = option.default
    if value is None or value is False or callable(value) or value in ([], (), ""):
        return "required" if option.required else ""
    return f"`{value.value if isinstance(value, enum.Enum) else value}`"


def _type_name(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return "flag"
    if parameter.metavar and parameter.param_type_name == "option":
        return f"`{parameter.metavar}`"
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", str)
    repeated = ", repeatable" if getattr(parameter, "multiple", False) else ""
    return _type_words(annotation).removesuffix(" (list)") + repeated


# ---- errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEntry:
    """One code with what is known of it: its status, and the messages of all errors that carry it."""

    code: str
    facts: str
    messages: Sequence[str]


def errors() -> str:
    """Every code that a problem document, a failed document or a command may carry, with an anchor of the same name."""
    parts = []
    group = None
    for entry in _error_entries(error_classes()):
        if (prefix := entry.code.partition(".")[0] if "." in entry.code else "general") != group:
            group = prefix
            parts.append(f"## {group}\n")
        text = "\n\n".join([entry.facts, *entry.messages])
        parts.append(f'### <a id="{entry.code}"></a>`{entry.code}`\n\n{text}\n')
    return "\n".join(parts)


def error_page() -> str:
    """The page that `type` of a problem leads to, `/docs/errors`: HTML, of the errors that this process can raise.

    It imports nothing: what was never imported cannot be raised here.
    """
    sections = [
        f'<h2 id="{escape(entry.code)}"><code>{escape(entry.code)}</code></h2><p>{escape(entry.facts)}</p>'
        + "".join(f"<p>{escape(message)}</p>" for message in entry.messages)
        for entry in _error_entries(_known_errors())
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Errors of Dragoman</title>'
        "<style>body{font:16px/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}"
        "h2{font-size:1.1rem;margin-top:2rem}:target{background:#ff6}</style></head>"
        f"<body><h1>Errors</h1>{''.join(sections)}</body></html>"
    )


def error_classes() -> list[type[DragomanError]]:
    """Every error of this package, by code."""
    _import_everything()
    return _known_errors()


def _known_errors() -> list[type[DragomanError]]:
    """The errors whose modules are imported."""
    found: list[type[DragomanError]] = []
    waiting: list[type[DragomanError]] = [DragomanError]
    while waiting:
        error = waiting.pop(0)
        if error not in found and error.__module__.startswith("dragoman."):
            found.append(error)
        waiting += error.__subclasses__()
    return sorted(found, key=lambda error: (error.code, error.__name__))


def _error_entries(classes: Iterable[type[DragomanError]]) -> list[ErrorEntry]:
    """By code, those without a domain first."""
    by_code = {
        code: ErrorEntry(code=code, facts=_facts_of(status, retryable=False), messages=[message])
        for code, (status, message) in OTHER_CODES.items()
    }
    for error in classes:
        message = _flat(inspect.getdoc(error) or "")
        new = ErrorEntry(code=error.code, facts=_facts_of(error.status, retryable=error.retryable), messages=[])
        entry = by_code.get(error.code, new)
        if message not in entry.messages:
            by_code[error.code] = replace(entry, messages=[*entry.messages, message])
    return sorted(by_code.values(), key=lambda entry: ("." in entry.code, entry.code))


def _facts_of(status: int | None, *, retryable: bool) -> str:
    if status is None:
        return "Printed by commands only."
    return f"Status {status}." + (" Worth another try." if retryable else "")


# ---- events and jobs


def topics() -> str:
    """The topics of the outbox."""
    rows = [(f"`{topic}`", meaning, payload) for topic, (meaning, payload) in TOPICS.items()]
    return _table(("Topic", "When", "Payload"), rows)


def stream_events() -> str:
    """The events of a streamed answer with their fields."""
    parts = []
    for name, model in stream_event_models().items():
        parts.append(f"### {name}\n\n{STREAM_EVENTS[name]}\n")
        fields = [(f"`{key}`", _type_of(field), field.description or "") for key, field in model.model_fields.items()]
        parts.append(_table(("Field", "Type", "What it is"), [row for row in fields if row[0] != "`type`"]))
    return "\n".join(parts)


def stream_event_models() -> dict[str, type[BaseModel]]:
    """The schema of each event by its `type`, in the order in which a stream sends them."""
    from dragoman.chat import schemas  # noqa: PLC0415

    models = (
        schemas.StatusEvent,
        schemas.TokenEvent,
        schemas.SourceEvent,
        schemas.CompleteEvent,
        schemas.ErrorEvent,
    )
    return {str(model.model_fields["type"].default): model for model in models}


def jobs() -> str:
    """The kinds of jobs and their states."""
    from dragoman.jobs.entities import JobState  # noqa: PLC0415

    rows = [(f"`{kind}`", meaning) for kind, meaning in JOBS.items()]
    states = ", ".join(f"`{state.value}`" for state in JobState)
    return f"{_table(('Kind', 'What it does'), rows)}\nStates: {states}. {_flat(JobState.__doc__ or '')}\n"


# ---- metrics


def alert_rules() -> str:
    """The built-in rules of alerts."""
    rows = [
        (
            f"`{builtin.name}`",
            f"`{builtin.signal.value}` {'below' if builtin.rule.fires_below else 'above'} {builtin.threshold:g}",
            f"{builtin.window_s // 60} min",
            f"{builtin.for_s // 60} min",
            str(builtin.min_samples),
            builtin.severity.value,
            "installation" if builtin.rule.is_of_installation else "tenant",
            f"{builtin.summary} {builtin.remedy}",
        )
        for builtin in BUILTIN
    ]
    return _table(("Rule", "Fires when", "Window", "For", "Least", "Severity", "Of", "What it means"), rows)


def metrics() -> str:
    """What `/metrics` offers beside the figures of the Python process."""
    rows = [
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), text)
        for name, kind, labels, text in metric_list()
    ]
    return _table(("Metric", "Type", "Labels", "What it is"), rows)


def metric_list() -> list[tuple[str, str, Sequence[str], str]]:
    """Every metric of this package as (name, type, labels, help), by name."""
    found = set()
    for module in _import_everything():
        for value in vars(module).values():
            if isinstance(value, Counter | Gauge | Histogram | Summary):
                found.add(value)
    listed = []
    for metric in found:
        [family] = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        listed.append((name, family.type, tuple(metric._labelnames), family.documentation))
    return sorted(listed)


# ---- HTTP


def http() -> str:
    """Every operation of the HTTP API: method, path, summary, permission."""
    parts = []
    for tag, rows in _operations_by_tag().items():
        parts.append(f"## {tag[:1].upper()}{tag[1:]}\n")
        parts.append(_table(("Method", "Path", "What it does", "Permission"), rows))
    return "\n".join(parts)


def _operations_by_tag() -> Mapping[str, list[Sequence[str]]]:
    from dragoman.entrypoints.api import create_app  # noqa: PLC0415
    from dragoman.entrypoints.settings import Settings  # noqa: PLC0415

    document = create_app(Settings.model_construct()).openapi()
    permissions = permissions_by_operation()
    by_tag: dict[str, list[Sequence[str]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = (method.upper(), path)
            permission = f"`{permissions[place]}`" if place in permissions else _without_permission(place)
            summary = _first_sentence(operation.get("description", operation["summary"]))
            row = (method.upper(), f"`{path}`", summary, permission)
            by_tag.setdefault(operation["tags"][0], []).append(row)
    return by_tag


def permissions_by_operation() -> Mapping[tuple[str, str], str]:
    """The permission that the signature of each endpoint asks for, where it asks for one."""
    found: dict[tuple[str, str], str] = {}
    for route in _routes():
        if permission := _permission_of(route):
            found |= dict.fromkeys(((method, route.path_format) for method in route.methods or ()), permission)
    return found


def _routes() -> Iterator[APIRoute]:
    from dragoman.entrypoints.api import GROUPS  # noqa: PLC0415

    for modules in GROUPS.values():
        for module in modules:
            for route in importlib.import_module(module).router.routes:
                if isinstance(route, APIRoute):
                    yield route


def _without_permission(place: tuple[str, str]) -> str:
    """Some operations are for whoever shows who he is, some for everybody."""
    from dragoman.tenancy.http import _caller  # noqa: PLC0415

    for route in _routes():
        if place[0] in (route.methods or ()) and route.path_format == place[1]:
            is_for_callers = any(dependency.call is _caller for dependency in route.dependant.dependencies)
            return "any caller" if is_for_callers else "none"
    return "none"


def _permission_of(route: APIRoute) -> str | None:
    for dependency in route.dependant.dependencies:
        if dependency.call is not None and inspect.isfunction(dependency.call):
            permission = inspect.getclosurevars(dependency.call).nonlocals.get("permission")
            if permission is not None:
                return str(permission)
    return None


def permissions() -> str:
    """Which role has which permission, which of them a role on a single chatbot gives, and what visitors may do."""
    from dragoman.tenancy.access import CHATBOT_PERMISSIONS, VISITOR_PERMISSIONS  # noqa: PLC0415
    from dragoman.tenancy.access import PERMISSIONS as GRANTED  # noqa: PLC0415
    from dragoman.tenancy.entities import Permission  # noqa: PLC0415

    rows = [
        (
            f"`{permission.value}`",
            PERMISSIONS[permission.value],
            *(
                "yes" if permission in granted else ""
                for granted in (*GRANTED.values(), VISITOR_PERMISSIONS, CHATBOT_PERMISSIONS)
            ),
        )
        for permission in Permission
    ]
    roles = [role.value for role in GRANTED]
    return _table(("Permission", "What it allows", *roles, "visitor", "given per chatbot"), rows)


def roles() -> str:
    """Who each role is for, from most to least rights."""
    from dragoman.tenancy.entities import Role  # noqa: PLC0415

    return _table(("Role", "Who it is for"), [(f"`{role.value}`", ROLES[role.value]) for role in Role])


# ---- shared by the pages


def _import_everything() -> list[types.ModuleType]:
    """Every module of this package: errors and metrics are known once their module is.

    Integrations have none of their own, and need frameworks that are not there.
    """
    names = [
        module.name
        for module in pkgutil.walk_packages(dragoman.__path__, "dragoman.")
        if not module.name.endswith("__main__") and not module.name.startswith("dragoman.integrations.")
    ]
    return [importlib.import_module(name) for name in names]


def _fields_table(model: type[BaseModel], prefix: str = "") -> str:
    rows = [
        (f"`{prefix}{name.upper() if prefix else name}`", _type_of(field), _default_of(field), field.description or "")
        for name, field in model.model_fields.items()
    ]
    first = "Variable" if prefix else "Setting"
    return _table((first, "Type", "Default", "What it is"), rows)


def _type_of(field: FieldInfo) -> str:
    bounds = [text for item in field.metadata for text in _bound(item)]
    return ", ".join([_type_words(field.annotation), *bounds])


def _bound(item: Any) -> Iterator[str]:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "max_length": "length at most"}
    for name, word in words.items():
        value = getattr(item, name, None)
        if value is not None:
            yield f"{word} {value:g}" if isinstance(value, int | float) else f"{word} {value}"


def _type_words(annotation: Any) -> str:
    """A type as a person says it; the same on every version of Python."""
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _type_words(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_words(argument) for argument in arguments if argument is not type(None))
    if origin in (list, tuple, Sequence):
        return f"{_type_words(arguments[0])} (list)"
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "object"
    plain = {
        str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", UUID: "id",
        SecretStr: "secret text", dict: "object", datetime: "moment",
    }  # fmt: skip
    return plain.get(origin or annotation, getattr(annotation, "__name__", str(annotation)))


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if field.default_factory is not None or value is PydanticUndefined:
        return "empty"
    if value is None:
        return "none"
    if value == "":
        return "empty"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return _flat(text).replace("|", "\\|")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", _flat(text), maxsplit=1)[0]


_DOCSTRING_SECTION: Final = re.compile(r"^(Attributes|Args|Raises|Returns):$")


def _prose(text: str | None) -> str:
    """A docstring as Markdown: its paragraphs, and its sections (`Attributes:` …) as lists."""
    if not text:
        return ""
    lines: list[str] = []
    in_section = False
    for line in inspect.cleandoc(text.replace("\b", "")).splitlines():
        if _DOCSTRING_SECTION.match(line):
            in_section = True
            lines += [line, ""]
        elif in_section and line.startswith("        "):
            lines.append(f"  {line.strip()}")
        elif in_section and line.startswith("    "):
            name, colon, rest = line.strip().partition(": ")
            is_name = bool(colon) and all(part.isidentifier() for part in name.split(", "))
            lines.append(f"- `{name}`: {rest}" if is_name else f"- {line.strip()}")
        else:
            in_section = in_section and not line.strip()
            lines.append(line)
    return "\n".join(lines) + "\n"
