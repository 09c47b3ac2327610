"""JSON and JSON lines: records become sections or table rows, chat logs become transcripts. Numbers stay as written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.kit.text.markdown import readable_name, table
from dragoman.ports.extractor import ExtractedDocument, ExtractedPage, ExtractionError

MIME_TYPES: Final = frozenset({"application/json", "application/x-ndjson"})

NAMES: Final = ("title", "name", "question", "subject", "headline", "label", "topic", "part_number", "sku", "id")
PROSE: Final = ("answer", "text", "body", "content", "description", "summary")
SPEAKERS: Final = ("speaker", "role", "author", "from", "sender", "user", "username", "name")
UTTERANCES: Final = ("text", "message", "content", "body", "value", "utterance")
TIMES: Final = ("time", "timestamp", "date", "created_at", "sent_at", "ts")
LONGEST_CELL: Final = 80
MOST_COLUMNS: Final = 6
LONGEST_LINE: Final = 240  # characters; a longer value is a paragraph of its own


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    max_depth: int = Field(default=8, ge=1, le=50, description="Levels written as structure; deeper ones stay JSON.")


class Adapter:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def mime_types(self) -> frozenset[str]:
        return MIME_TYPES

    async def extract(
        self,
        content: bytes,
        *,
        mime_type: str,  # noqa: ARG002 - JSON and JSON lines are told apart by content
        file_name: str,
        with_images: bool = False,  # noqa: ARG002 - text holds no pictures
    ) -> ExtractedDocument:
        return await asyncio.to_thread(self._extract, content, file_name)

    def _extract(self, content: bytes, file_name: str) -> ExtractedDocument:
        try:
            text = decode_text(content).text
        except BinaryContentError as error:
            raise ExtractionError(f"{file_name} holds binary data, not JSON.", file_name=file_name) from error
        try:
            value = _parse(text)
            title = value["title"] if isinstance(value, dict) and isinstance(value.get("title"), str) else None
            markdown = "\n\n".join(_blocks(value, 1, self._settings.max_depth))
        except RecursionError as error:
            raise ExtractionError(f"{file_name} is nested too deeply to be read.", file_name=file_name) from error
        return ExtractedDocument(pages=[ExtractedPage(number=None, markdown=markdown)], title=title or None)


def _parse(text: str) -> Any:
    """Numbers are kept as the strings they were: 389.00 is a price, not 389.0."""
    try:
        return json.loads(text, parse_float=str, parse_int=str)
    except json.JSONDecodeError as error:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
        if len(lines) > 1 and error.msg == "Extra data":
            return [_parse_line(number, line) for number, line in lines]
        message = f"The JSON is broken at line {error.lineno}, column {error.colno}: {error.msg}."
        raise ExtractionError(message, line=error.lineno) from error


def _parse_line(number: int, line: str) -> Any:
    try:
        return json.loads(line, parse_float=str, parse_int=str)
    except json.JSONDecodeError as error:
        raise ExtractionError(f"Line {number} is not valid JSON: {error.msg}.", line=number) from error


def _blocks(value: Any, level: int, depth: int) -> Iterator[str]:
    """The Markdown blocks of a value. `level` is that of the next heading, `depth` how many levels may follow."""
    if _is_scalar(value):
        if value is not None:
            yield _text(value)
    elif depth == 0:
        yield f"```json\n{json.dumps(value, ensure_ascii=False)}\n```"
    elif isinstance(value, Mapping):
        yield from _object(value, level, depth)
    elif _is_transcript(value):
        yield from (line for turn in value if (line := _turn(turn)))
    elif _is_table(value):
        yield table([readable_name(key) for key in value[0]], [[_text(cell) for cell in row.values()] for row in value])
    elif all(_is_scalar(item) for item in value):
        yield "\n".join(f"- {_text(item)}" for item in value if item is not None)
    else:
        for at, item in enumerate(value):
            if at and isinstance(item, Mapping) and not _name(item):
                yield "---"  # otherwise the lists of two records would be one
            yield from _blocks(item, level, depth - 1)


def _object(value: Mapping[str, Any], level: int, depth: int) -> Iterator[str]:
    """A heading from the field that names the object, then its short fields as a list, its texts, its parts."""
    named = _name(value)
    beside = _beside(value, named) if named else None
    shown = {named, beside}
    if named:
        yield _heading(value[named] + (f" – {value[beside]}" if beside else ""), level)
    fields = {key: field for key, field in value.items() if key not in shown and field not in (None, "", [], {})}
    short = {key: line for key, field in fields.items() if (line := _line(key, field)) is not None}
    if short:
        yield "\n".join(f"- {readable_name(key)}: {line}" for key, line in short.items())
    for key, field in fields.items():
        if key in short:
            continue
        if _is_scalar(field):
            yield _text(field) if key.lower() in PROSE else f"**{readable_name(key)}**: {_text(field)}"
        else:
            yield _heading(readable_name(key), level + 1)
            yield from _blocks(field, level + 2, depth - 1)


def _name(value: Any) -> str | None:
    """The field that says what the object is."""
    if not isinstance(value, Mapping):
        return None
    return next(
        (key for key in NAMES if isinstance(name := value.get(key), str) and 0 < len(name) <= LONGEST_LINE), None
    )


def _beside(value: Mapping[str, Any], named: str) -> str | None:
    """The number of a product belongs beside its name: people ask for either."""
    codes = ("part_number", "sku", "id", "code", "number")
    return next((key for key in codes if key != named and isinstance(value.get(key), str) and value[key]), None)


def _line(key: str, field: Any) -> str | None:
    """The value on one line, None where it does not fit one."""
    if isinstance(field, list) and field and all(_is_scalar(item) for item in field):
        line = ", ".join(_text(item) for item in field)
    elif _is_scalar(field) and key.lower() not in PROSE:
        line = _text(field)
    else:
        return None
    return line if len(line) <= LONGEST_LINE and "\n" not in line else None


def _heading(text: str, level: int) -> str:
    return f"{'#' * min(level, 6)} {' '.join(text.split())}"


def _is_transcript(value: Sequence[Any]) -> bool:
    return len(value) > 1 and all(
        isinstance(turn, Mapping) and _key(turn, SPEAKERS) and _key(turn, UTTERANCES) and not _key(turn, ("answer",))
        for turn in value
    )


def _turn(turn: Mapping[str, Any]) -> str:
    speaker, spoken, time = (_key(turn, keys) for keys in (SPEAKERS, UTTERANCES, TIMES))
    said = _utterance(turn[spoken] if spoken else "")
    when = f" ({_text(turn[time])})" if time and _is_scalar(turn[time]) and turn[time] else ""
    return f"**{_text(turn[speaker or 'speaker'])}**{when}: {said}" if said else ""


def _utterance(value: Any) -> str:
    """What was said; chat interfaces also send it as a list of parts."""
    if isinstance(value, list):
        return " ".join(_utterance(part.get("text") if isinstance(part, Mapping) else part) for part in value).strip()
    return _text(value).strip() if _is_scalar(value) else json.dumps(value, ensure_ascii=False)


def _key(value: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """The first of `keys` that the object has, whatever its case, with a value that can be shown."""
    own = {key.lower(): key for key in value}
    return next((own[key] for key in keys if key in own and not isinstance(value[own[key]], Mapping)), None)


def _is_table(value: Sequence[Any]) -> bool:
    """Records with the same few short fields."""
    if len(value) < 2 or not isinstance(value[0], Mapping) or not 0 < len(value[0]) <= MOST_COLUMNS:
        return False
    keys = list(value[0])
    return all(
        isinstance(row, Mapping)
        and list(row) == keys
        and all(_is_scalar(cell) and len(_text(cell)) <= LONGEST_CELL for cell in row.values())
        for row in value
    )


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, bool))


def _text(value: Any) -> str:
    """How a scalar is written; parsed numbers are strings already."""
    if value is None:
        return ""
    return (
        ("true" if value else "false")
        if isinstance(value, bool)
        else str(value).replace("\r\n", "\n").replace("\r", "\n")
    )
