"""An improvement report as people read it: with the text of its questions and the titles of its documents as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.feedback.entities import ImprovementReport
from dragoman.feedback.improvement import repository
from dragoman.feedback.kept_text import KeptText
from dragoman.kit.text.safe_markdown import sanitise
from dragoman.tenancy.entities import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDocument:
    """`title` None: it was deleted. The figures are those of `report.CitedDocument`, or of `misleading.Misleading`."""

    document_id: UUID
    title: str | None
    down: int
    pages: Sequence[int]
    cited: int | None = None
    rated: int | None = None
    expected: float | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTopic:
    """`label`: its most central question; None where the chatbot keeps no text, or nobody's question is left."""

    kind: str
    label: str | None
    examples: Sequence[str]
    asked: int
    unanswered: int
    up: int
    down: int
    languages: Mapping[str, int]
    reasons: Mapping[str, int]
    documents: Sequence[ShownDocument]
    suggestion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReport:
    report: ImprovementReport
    figures: Mapping[str, int]
    topics: Sequence[ShownTopic]
    misleading: Sequence[ShownDocument]


_FIGURES = ("asked", "unanswered", "looked_at", "up", "down", "topics_found")


async def show(deps: Deps, connection: AsyncConnection, caller: Caller, report: ImprovementReport) -> ShownReport:
    content = report.content
    topics: Sequence[Mapping[str, Any]] = content.get("topics", ())
    misleading: Sequence[Mapping[str, Any]] = content.get("misleading", ())
    texts = await _texts(deps, connection, caller, report, topics)
    named = [*misleading, *(document for topic in topics for document in topic["documents"])]
    titles = await repository.read_titles(
        connection, tenant_id=report.tenant_id, document_ids=[UUID(each["document_id"]) for each in named]
    )
    return ShownReport(
        report=report,
        figures={name: content.get(name, 0) for name in _FIGURES},
        topics=[_topic(topic, texts, titles) for topic in topics],
        misleading=[_document(each, titles) for each in misleading],
    )


async def _texts(
    deps: Deps,
    connection: AsyncConnection,
    caller: Caller,
    report: ImprovementReport,
    topics: Sequence[Mapping[str, Any]],
) -> dict[str, str]:
    """The questions that may be shown, by id."""
    ids = [UUID(question) for topic in topics for question in topic["questions"]]
    kept = await KeptText.of(deps, connection, caller, {report.chatbot_id})
    shown = {}
    found = await repository.read_questions(connection, tenant_id=report.tenant_id, question_ids=ids)
    for question_id, (text, language) in found.items():
        if (allowed := await kept.shown(report.chatbot_id, text, language)) is not None:
            shown[str(question_id)] = allowed
    return shown


def _topic(topic: Mapping[str, Any], texts: Mapping[str, str], titles: Mapping[UUID, str]) -> ShownTopic:
    examples = [texts[question] for question in topic["questions"] if question in texts]
    documents = [_document(each, titles) for each in topic["documents"]]
    label = examples[0] if examples else None
    return ShownTopic(
        kind=topic["kind"],
        label=label,
        examples=examples,
        asked=topic["asked"],
        unanswered=topic["unanswered"],
        up=topic["up"],
        down=topic["down"],
        languages=topic["languages"],
        reasons=topic["reasons"],
        documents=documents,
        suggestion=_suggestion(topic, label, documents),
    )


def _document(document: Mapping[str, Any], titles: Mapping[UUID, str]) -> ShownDocument:
    document_id = UUID(document["document_id"])
    figures = {name: value for name, value in document.items() if name != "document_id"}
    return ShownDocument(document_id=document_id, title=titles.get(document_id), **figures)


_BY_REASON = {
    "outdated": "Bring {document} up to date",
    "incomplete": "Add what is missing to {document}",
    "bad_citation": "Check what {document} says there",
    "incorrect": "Check {document}",
    "hard_to_understand": "Say it more simply in {document}",
}


def _suggestion(topic: Mapping[str, Any], label: str | None, documents: Sequence[ShownDocument]) -> str:
    """What to do about a topic, in a sentence; empty where it is answered well."""
    about = f" about “{label}”" if label else ""
    if topic["kind"] == "missing":
        return f"Add a document{about}."
    if topic["kind"] != "bad":
        return ""
    blamed = next((document for document in documents if document.down and document.title is not None), None)
    if blamed is None:
        return f"Add a document{about}: what was quoted is gone, or nothing was."
    reason = next((reason for reason in topic["reasons"] if reason in _BY_REASON), "incorrect")
    return _BY_REASON[reason].format(document=_place(blamed)) + "."


def _place(document: ShownDocument) -> str:
    if not document.pages:
        return f"“{document.title}”"
    pages = ", ".join(map(str, sorted(document.pages)))
    return f"page{'s' if len(document.pages) > 1 else ''} {pages} of “{document.title}”"


# ---- Markdown


def as_markdown(shown: ShownReport) -> str:
    """The report as a text for people."""
    report, figures = shown.report, shown.figures
    asked = f"{figures['asked']} questions, {figures['unanswered']} of them not answered."
    rated = f"{figures['up']} ratings up, {figures['down']} down."
    parts = [f"# Improvement report, {report.first_day} to {report.last_day}", f"{asked} {rated}"]
    if report.state != "ready":
        parts.append(f"The report is {report.state}." + (f" {report.error}" if report.error else ""))
        return "\n\n".join(parts) + "\n"
    if figures["looked_at"] < figures["asked"]:
        parts.append(f"The groups below are of {figures['looked_at']} questions: the worst answered, then the latest.")
    sections = (
        ("Missing knowledge", [topic for topic in shown.topics if topic.kind == "missing"]),
        ("Badly answered", [topic for topic in shown.topics if topic.kind == "bad"]),
    )
    for title, topics in sections:
        parts += [f"## {title}", *(map(_topic_as_markdown, topics) if topics else ["Nothing."])]
    parts += ["## Documents that mislead", _misleading_as_markdown(shown.misleading)]
    most = sorted(shown.topics, key=lambda topic: -topic.asked)[:10]
    parts += ["## Most asked", "\n".join(f"- {_line(topic.label)}: {topic.asked}" for topic in most) or "Nothing."]
    return "\n\n".join(parts) + "\n"


def _topic_as_markdown(topic: ShownTopic) -> str:
    asked = f"{topic.asked} asked, {topic.unanswered} not answered, {topic.up} up, {topic.down} down"
    lines = [f"### {_line(topic.label)}", "", f"{asked} ({', '.join(topic.languages)}). {_safe(topic.suggestion)}", ""]
    lines += [f"- {_line(example)}" for example in topic.examples[1:]]
    return "\n".join(lines).rstrip()


def _misleading_as_markdown(documents: Sequence[ShownDocument]) -> str:
    if not documents:
        return "None stands out beyond chance."
    return "\n".join(
        f"- {_line(each.title or 'a deleted document')}: {each.down} of {each.rated} rated answers that cite it are rated "
        f"down, {each.expected} would be expected."
        + (f" Pages {', '.join(map(str, each.pages))}." if each.pages else "")
        for each in documents
    )


def _line(text: str | None) -> str:
    return _safe(" ".join(text.split())) if text else "(text not kept)"


def _safe(text: str) -> str:
    """What people wrote becomes no link, picture or HTML of the report."""
    return sanitise(text, lambda _: False)
