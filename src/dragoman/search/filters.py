"""Reads the filter of a search: one grammar for the API, the client and the command line.

    filter    = condition { space condition }                   all of them must hold
    condition = [ "-" ] field ":" value { "," value }           one of the values; with "-" none of them
              | "date" ( ">=" | ">" | "<=" | "<" ) moment       uploaded since, after, until, before
              | "date:" moment [ ".." moment ]                  uploaded then, or between; the last day is included
    field     = language | document | content_type | category | tag | tags | heading
    value     = word | '"' text '"'                             quoted where it holds a space, a comma or a quote
    moment    = 2025 | 2025-03 | 2025-03-31 | 2025-03-31T12:00:00Z      UTC where it names no zone

In quotes `\\"` is a quote and `\\\\` a backslash. The same as JSON: `{"language": ["de", "fr"], "category": "Price lists",
"not": {"tag": "internal"}, "date": {"from": "2025-01-01", "to": "2025-12-31"}}`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from dragoman.kit.errors import InvalidRequestError
from dragoman.knowledge.entities import ContentType
from dragoman.ports.search_scope import Condition, FilterField

MAX_CHARACTERS: Final = 2000
MAX_CONDITIONS: Final = 20
MAX_VALUES: Final = 200

FIELDS: Final[Mapping[str, FilterField]] = {
    "language": "language",
    "document": "document",
    "content_type": "content_type",
    "category": "category",
    "tag": "tag",
    "tags": "tag",
    "heading": "heading",
}
CONTENT_TYPES: Final = tuple(kind.value for kind in ContentType)

_FIELD_NAMES: Final = "language, document, content_type, category, tags, date, heading"
_DATE: Final = "date"
_MOMENT: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(.+))?)?)?")
_NAME: Final = re.compile(r"\w*")
_WORD: Final = re.compile(r'[^\s,"]+')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(r"\\(.)")
_COMPARISON: Final = re.compile(r">=|<=|>|<|:|=")
_MOMENTS: Final = "2025, 2025-03, 2025-03-31 or 2025-03-31T12:00:00Z"


class InvalidFilterError(InvalidRequestError):
    """The filter cannot be read. Write it like `language:de,fr category:"Price lists" -tags:internal date>=2025-01-01`."""

    code = "search.invalid_filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a filter asks of the passages.

    Attributes:
        conditions: all of them must hold.
        dated_from, dated_before: bounds of the upload of the live version; the end is not included.
    """

    conditions: tuple[Condition, ...] = ()
    dated_from: datetime | None = None
    dated_before: datetime | None = None


NO_FILTER: Final = Filter()


def parse_filter(given: str | Mapping[str, object] | None) -> Filter:
    """The filter of a request, as text or as the object of a JSON body.

    Raises:
        InvalidFilterError: saying where, and what may stand there.
    """
    if not given:
        return NO_FILTER
    draft = _Draft()
    if isinstance(given, str):
        _read_text(given, draft)
    else:
        _read_object(given, draft)
    return draft.finished()


@dataclass(slots=True)
class _Draft:
    """A filter while it is read."""

    conditions: list[Condition] = field(default_factory=list)
    dated_from: datetime | None = None
    dated_before: datetime | None = None

    def add(self, name: FilterField, values: list[str], *, is_negated: bool, where: str) -> None:
        """`where` is the place in the filter, for errors."""
        if len(values) > MAX_VALUES:
            raise InvalidFilterError(f"The filter has more than {MAX_VALUES} values {where}. Leave some out.")
        if name == "language":
            values = [value.lower() for value in values]
        if name == "content_type":
            for value in values:
                if value not in CONTENT_TYPES:
                    raise InvalidFilterError(
                        f"The filter cannot be read {where}: there is no content type “{value}”. "
                        f"There are {', '.join(CONTENT_TYPES)}."
                    )
        self.conditions.append(Condition(field=name, values=tuple(values), is_negated=is_negated))
        if len(self.conditions) > MAX_CONDITIONS:
            raise InvalidFilterError(f"The filter has more than {MAX_CONDITIONS} conditions. Leave some out.")

    def since(self, moment: datetime) -> None:
        self.dated_from = moment if self.dated_from is None else max(self.dated_from, moment)

    def before(self, moment: datetime) -> None:
        self.dated_before = moment if self.dated_before is None else min(self.dated_before, moment)

    def finished(self) -> Filter:
        return Filter(conditions=tuple(self.conditions), dated_from=self.dated_from, dated_before=self.dated_before)


# ---- as text


@dataclass(slots=True)
class _Reader:
    """The text of a filter and how far it is read."""

    text: str
    at: int = 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def take_mark(self, mark: str) -> bool:
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def skip_spaces(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    @property
    def is_at_end(self) -> bool:
        return self.at >= len(self.text)

    def error(self, what: str, *, at: int | None = None) -> InvalidFilterError:
        start = self.at if at is None else at
        rest = self.text[start : start + 20]
        place = f"at character {start + 1} (“{rest}”)" if rest else "at its end"
        return InvalidFilterError(f"The filter cannot be read {place}: {what}")


def _read_text(text: str, draft: _Draft) -> None:
    if len(text) > MAX_CHARACTERS:
        raise InvalidFilterError(f"The filter is longer than {MAX_CHARACTERS} characters. Leave something out.")
    reader = _Reader(text)
    reader.skip_spaces()
    while not reader.is_at_end:
        _read_condition(reader, draft)
        if not reader.is_at_end and not reader.text[reader.at].isspace():
            raise reader.error("a space must stand between two conditions, a comma between two values.")
        reader.skip_spaces()


def _read_condition(reader: _Reader, draft: _Draft) -> None:
    start = reader.at
    is_negated = reader.take_mark("-")
    name = _taken(reader, _NAME)
    if name.lower() == _DATE:
        if is_negated:
            raise reader.error("a date cannot be excluded. Write `date<2025-01-01` or `date>=2026-01-01`.", at=start)
        _read_date(reader, draft)
        return
    if not reader.take_mark(":"):
        raise reader.error(
            f"a condition is a field, a colon and a value, such as `language:de`. {_fields(name)}", at=start
        )
    known = FIELDS.get(name.lower())
    if known is None:
        raise reader.error(f"there is no field “{name}”. {_fields(name)}", at=start)
    values = list(_read_values(reader, name))
    draft.add(known, values, is_negated=is_negated, where=f"at character {start + 1}")


def _read_values(reader: _Reader, name: str) -> Iterator[str]:
    yield _read_value(reader, name)
    while reader.take_mark(","):
        yield _read_value(reader, name)


def _read_value(reader: _Reader, name: str) -> str:
    if reader.text.startswith('"', reader.at):
        quoted = reader.take(_QUOTED)
        if quoted is None:
            raise reader.error("a quote is opened and never closed.")
        value = _ESCAPE.sub(r"\1", quoted.group(1))
    else:
        value = _taken(reader, _WORD)
    if not value:
        raise reader.error(f"a value of “{name}” is missing. Quote it where it holds a space or a comma.")
    return value


def _read_date(reader: _Reader, draft: _Draft) -> None:
    compared = reader.take(_COMPARISON)
    if compared is None:
        raise reader.error("after `date` stands one of `:`, `>=`, `>`, `<=` and `<`.")
    place = reader.at
    word = _taken(reader, _WORD)
    try:
        _apply_date(compared.group(), word, draft)
    except (ValueError, OverflowError):
        raise reader.error(f"a date is written {_MOMENTS}.", at=place) from None


def _taken(reader: _Reader, pattern: re.Pattern[str]) -> str:
    found = reader.take(pattern)
    return found.group() if found else ""


def _fields(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), [*FIELDS, _DATE], n=1)
    hint = f"Did you mean “{near[0]}”? " if near and near[0] != name.lower() else ""
    return f"{hint}Fields: {_FIELD_NAMES}."


# ---- as JSON


def _read_object(given: Mapping[str, object], draft: _Draft) -> None:
    for name, value in given.items():
        if name == "not":
            if not isinstance(value, Mapping):
                raise InvalidFilterError('The filter cannot be read at "not": it holds fields and their values.')
            for negated, values in cast("Mapping[str, object]", value).items():
                _add_member(negated, values, draft, is_negated=True)
        elif name == _DATE:
            _read_dates(value, draft)
        else:
            _add_member(name, value, draft, is_negated=False)


def _add_member(name: str, value: object, draft: _Draft, *, is_negated: bool) -> None:
    where = f'at "not" → "{name}"' if is_negated else f'at "{name}"'
    known = FIELDS.get(name)
    if known is None:
        raise InvalidFilterError(f"The filter cannot be read {where}: there is no field “{name}”. {_fields(name)}")
    given = value if isinstance(value, list) else [value]
    values = [each for each in given if isinstance(each, str) and each]
    if not values or len(values) < len(given):
        raise InvalidFilterError(f"The filter cannot be read {where}: it takes a text, or a list of texts.")
    draft.add(known, values, is_negated=is_negated, where=where)


def _read_dates(value: object, draft: _Draft) -> None:
    try:
        if isinstance(value, str):
            _apply_date(":", value, draft)
            return
        if not isinstance(value, Mapping) or not value or set(value) - {"from", "to"}:
            raise ValueError
        if "from" in value:
            _apply_date(">=", str(value["from"]), draft)
        if "to" in value:
            _apply_date("<=", str(value["to"]), draft)
    except (ValueError, OverflowError):
        raise InvalidFilterError(
            f'The filter cannot be read at "date": write {{"from": …, "to": …}} with dates such as {_MOMENTS}.'
        ) from None


# ---- dates


def _apply_date(comparison: str, word: str, draft: _Draft) -> None:
    """Narrow the draft. Raises ValueError where the word is no date."""
    if comparison in (":", "="):
        first, dots, last = word.partition("..")
        if first or not dots:
            draft.since(_period(first)[0])
        if last or not dots:
            draft.before(_period(last or first)[1])
        if dots and not first and not last:
            raise ValueError
        return
    begin, end = _period(word)
    match comparison:
        case ">=":
            draft.since(begin)
        case ">":
            draft.since(end)
        case "<":
            draft.before(begin)
        case _:
            draft.before(end)


def _period(word: str) -> tuple[datetime, datetime]:
    """When a year, month, day or moment begins, and when it is over. Raises ValueError."""
    found = _MOMENT.fullmatch(word)
    if found is None:
        raise ValueError
    year, month, day, time = found.groups()
    if time is not None:
        moment = datetime.fromisoformat(word)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return moment, moment + timedelta(microseconds=1)
    begin = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    if day is not None:
        return begin, begin + timedelta(days=1)
    if month is not None:
        return begin, (begin + timedelta(days=31)).replace(day=1)
    return begin, begin.replace(year=begin.year + 1)
