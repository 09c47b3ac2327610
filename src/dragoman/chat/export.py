"""A conversation as a file: Markdown for people, JSON for programs."""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel

from dragoman.chat.entities import Session
from dragoman.chat.schemas import GivenFeedbackOut, MessageOut, SessionOut, SourceOut, StoredMessageOut
from dragoman.chat.service import Shown
from dragoman.kit.text.safe_markdown import sanitise

_NAMES: Final = {"user": "Question", "assistant": "Answer", "agent": "Agent", "system": "Note"}
_FILE_NAME_CHARACTERS: Final = 60


class Export(BaseModel):
    """The JSON file: `messages` of all branches, by their age; `parent_id` tells what each one follows."""

    session: SessionOut
    messages: list[StoredMessageOut]


def messages_out(shown: Shown) -> list[StoredMessageOut]:
    return [
        StoredMessageOut.of_stored(
            MessageOut.of(
                message,
                [SourceOut.of_reference(reference, shown.chunks) for reference in message.citations],
                shown.alternatives.get(message.id, ()),
                shown.feedback.get(message.id),
            ),
            shown.facts.get(message.id),
        )
        for message in shown.page.items
    ]


def as_json(shown: Shown) -> str:
    return Export(session=SessionOut.of(shown.session), messages=messages_out(shown)).model_dump_json(indent=2)


def as_markdown(shown: Shown) -> str:
    """Question and answer in turn, each answer with what it quotes."""
    parts = [f"# {_shown(_line(shown.session.title)) or 'Conversation'}"]
    for message in messages_out(shown):
        moment = f"{message.created_at:%Y-%m-%d %H:%M} UTC"
        cut = ", interrupted" if message.state == "interrupted" else ""
        parts.append(f"## {_NAMES[message.role]}, {moment}{cut}\n\n{_content(message)}")
        parts += ["\n".join(_source(source) for source in message.sources)] if message.sources else []
        parts += [_feedback(message.feedback)] if message.feedback else []
    return "\n\n".join(parts) + "\n"


def _feedback(feedback: GivenFeedbackOut) -> str:
    reason = f" ({feedback.reason.replace('_', ' ')})" if feedback.reason else ""
    said = {"Comment": feedback.comment, "Correction": feedback.correction}
    lines = [f"Rated {feedback.rating}{reason}.", *(f"{name}: {_shown(text)}" for name, text in said.items() if text)]
    return "\n\n".join(lines)


def _content(message: MessageOut) -> str:
    """Answers were made safe to show when they were written; what people wrote is made so here."""
    return message.content if message.role == "assistant" else _shown(message.content)


def _shown(text: str) -> str:
    return sanitise(text, lambda _: False)


def _source(source: SourceOut) -> str:
    if source.deleted:
        return f"- [{source.number}] (deleted)"
    place = f", page {source.page}" if source.page is not None else ""
    return f"- [{source.number}] {_shown(_line(source.title))}{place}: “{_shown(_line(source.excerpt))}”"


def file_name(session: Session, format_: str) -> str:
    """Of the title, as far as letters, digits and dashes go: it stands in an HTTP header."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", session.title).strip("-")[:_FILE_NAME_CHARACTERS].strip("-")
    return f"{name or 'conversation'}.{'json' if format_ == 'json' else 'md'}"


def _line(text: str) -> str:
    return " ".join(text.split())
