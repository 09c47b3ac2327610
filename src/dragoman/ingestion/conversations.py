"""Makes question-answer pairs of FAQ pages and of exported conversations, each with its provenance.

Read downwards: `read_pairs` tries the readers that fit the kind of document, cleanest input first: columns or keys named
"question" and "answer", then logs of messages, then the text itself. A FAQ page keeps its text, and the pairs are
stretches of it; a table or a log is written anew as `## question` with its answer below.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from dragoman.ingestion.clean import clean_pages
from dragoman.ingestion.conversation_words import (
    ANSWER_NAMES,
    CATEGORY_NAMES,
    CONVERSATION_NAMES,
    ID_NAMES,
    MESSAGE_LIST_NAMES,
    NEW_CONVERSATION,
    PAIR_LABELS,
    QUESTION_NAMES,
    SPEAKER_NAMES,
    TEXT_NAMES,
    TIME_NAMES,
    TITLE_NAMES,
)
from dragoman.ingestion.faq_pages import faq_in_place
from dragoman.ingestion.message_logs import SURE_SHARE, Message, Role, is_surely_log, pairs_of_messages, role_of
from dragoman.ingestion.pairs import JSON_TYPES, TABULAR_TYPES, Found, PairedDocument, add_pair, clean_message, written
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.kit.text.markdown import cells_of, readable_name
from dragoman.ports.extractor import ExtractedPage


def read_pairs(
    pages: Sequence[ExtractedPage], *, mime_type: str, content_type: str, raw: bytes | None
) -> PairedDocument | None:
    """Finds the pairs of a document; None where it has none and is chunked as any other.

    Args:
        pages: As cleaned.
        mime_type: Of the original.
        content_type: What the uploader calls it. `faq` and `conversation` are taken at their word; anything else is
            read as pairs only where that is beyond doubt, and in an ordinary document only its FAQ section.
        raw: The original bytes: tables and JSON are read from them, since the extractor writes them as prose.
            None: only the pages are looked at.
    """
    stated = content_type if content_type in ("faq", "conversation") else None
    found = _from_records(mime_type, raw, stated) if raw is not None else None
    if found is None and mime_type not in JSON_TYPES:
        found = _from_tables(pages, stated)
    if found is None:
        for reader in (faq_in_place, _from_transcript)[:: -1 if stated == "conversation" else 1]:
            if result := reader(pages, mime_type, raw, stated):
                return result
        return None
    return written(found)


# --- names of columns and keys ---------------------------------------------------------------------------------------


_PROVENANCE: Final = {"title": TITLE_NAMES, "category": CATEGORY_NAMES}


def _name(key: str) -> str:
    return " ".join(readable_name(key.strip().lstrip("\ufeff")).replace("_", " ").replace("-", " ").casefold().split())


def _find(names: Sequence[str], accepted: Mapping[str, int]) -> int | None:
    """Position of the name that fits best."""
    fitting = [(accepted[name], at) for at, name in enumerate(names) if name in accepted]
    return min(fitting)[1] if fitting else None


def _value(record: Mapping[str, Any], accepted: Mapping[str, int], *, of: type = object) -> Any:
    """The value whose key fits best and that is filled and of the wanted type; None where there is none."""
    fitting = [
        (accepted[name], at, value)
        for at, (key, value) in enumerate(record.items())
        if (name := _name(str(key))) in accepted and value not in (None, "", [], {}) and isinstance(value, of)
    ]
    return min(fitting, key=lambda entry: entry[:2])[2] if fitting else None


# --- records: CSV and JSON -------------------------------------------------------------------------------------------


def _from_records(mime_type: str, raw: bytes, stated: str | None) -> Found | None:
    """From the original bytes of a table or of JSON; None where it is neither, or holds no pairs."""
    if mime_type not in TABULAR_TYPES and mime_type not in JSON_TYPES:
        return None
    try:
        text = decode_text(raw).text
    except BinaryContentError:
        return None  # the extractor has said so already
    if mime_type in TABULAR_TYPES:
        return _from_rows(_rows(text), stated)
    try:
        value = _parsed(text)
        return _from_json(value, stated)
    except (ValueError, RecursionError):
        return None  # the extractor reports what is wrong with it


def _rows(text: str) -> list[list[str]]:
    """The rows of a table, empty ones too, so that their numbers are those that a spreadsheet shows."""
    stated = re.match(r"sep=(.)\r?\n", text, re.IGNORECASE)
    if stated:
        text = text[stated.end() :]
    csv.field_size_limit(max(len(text), 131_072))
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=stated[1] if stated else _delimiter(text)))
    except csv.Error:
        return []


def _delimiter(text: str) -> str:
    """The sign that cuts the header into the most cells whose names are known, else into the most cells."""
    header = next(iter(text.splitlines()), "")

    def cells(delimiter: str) -> tuple[int, int]:
        names = [_name(cell.strip(' "')) for cell in header.split(delimiter)]
        known = sum(
            any(name in accepted for accepted in (QUESTION_NAMES, ANSWER_NAMES, TEXT_NAMES, SPEAKER_NAMES))
            for name in names
        )
        return known, len(names)

    return max(",;\t|", key=cells)


def _from_rows(rows: Sequence[Sequence[str]], stated: str | None) -> Found | None:
    """A table of questions and answers, or a log with a message a row."""
    if len(rows) < 2:
        return None
    names = [_name(cell) for cell in rows[0]]
    records = [(number, row) for number, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    asked, answered = _find(names, QUESTION_NAMES), _find(names, ANSWER_NAMES)
    if asked is not None and answered is not None:
        read = _from_pair_rows(rows[0], records, asked, answered)
        return None if stated is None and read is not None and read.unanswered else read
    said, speaker = _find(names, TEXT_NAMES), _find(names, SPEAKER_NAMES)
    if said is None or speaker is None:
        return None
    columns = {
        key: _find(names, accepted)
        for key, accepted in (("conversation", CONVERSATION_NAMES), ("time", TIME_NAMES), ("id", ID_NAMES))
    }

    def cell(row: Sequence[str], key: str) -> str:
        at = columns[key]
        return row[at].strip() if at is not None and at < len(row) else ""

    messages = [
        Message(
            conversation=cell(row, "conversation"),
            speaker=row[speaker].strip() if speaker < len(row) else "",
            text=clean_message(row[said]) if said < len(row) else "",
            time=cell(row, "time"),
            ref=cell(row, "id"),
            row=number,
        )
        for number, row in records
    ]
    if stated is None and not is_surely_log(messages):
        return None
    return pairs_of_messages(messages)


def _from_pair_rows(
    header: Sequence[str], records: Iterable[tuple[int, Sequence[str]]], asked: int, answered: int
) -> Found | None:
    """Columns of other names are not lost: they follow the answer, each with its name."""
    found = Found()
    names = [_name(cell) for cell in header]
    columns = {key: _find(names, accepted) for key, accepted in _PROVENANCE.items()}
    used = {asked, answered, *columns.values()}
    for number, row in records:
        question = clean_message(row[asked]) if asked < len(row) else ""
        answer = clean_message(row[answered]) if answered < len(row) else ""
        provenance: dict[str, Any] = {"rows": [number]}
        for key, at in columns.items():
            if at is not None and at < len(row) and row[at].strip():
                provenance[key] = row[at].strip()
        others = [
            f"{header[at].strip()}: {text}" if at < len(header) and header[at].strip() else text
            for at, cell in enumerate(row)
            if at not in used and (text := clean_message(cell))
        ]
        add_pair(found, question, "\n\n".join([answer, *others]) if answer else "", "faq", provenance)
    return found if found.pairs else None


def _is_other(key: str, value: Any) -> bool:
    """Whether a field of a record is neither part of the pair nor of its provenance, and says something."""
    used = (QUESTION_NAMES, ANSWER_NAMES, ID_NAMES, *_PROVENANCE.values())
    has_words = isinstance(value, (str, int, float)) and not isinstance(value, bool) and str(value).strip() != ""
    return has_words and not any(_name(key) in accepted for accepted in used)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and error.msg == "Extra data":
            return [json.loads(line) for line in lines]
        raise


def _from_json(value: Any, stated: str | None) -> Found | None:
    """Records with question and answer; or conversations, each a list of messages; or one list of messages."""
    pairs = _pair_records(value)
    if pairs:
        found = Found()
        for number, record in enumerate(pairs, start=1):
            provenance: dict[str, Any] = {"rows": [number]}
            for key, accepted in {"messages": ID_NAMES, **_PROVENANCE}.items():
                if isinstance(shown := _value(record, accepted), (str, int)):
                    provenance[key] = [str(shown)] if key == "messages" else str(shown)
            question, answer = _value(record, QUESTION_NAMES, of=str), _value(record, ANSWER_NAMES)
            said = clean_message(_spoken(answer))
            others = [f"{key}: {clean_message(str(other))}" for key, other in record.items() if _is_other(key, other)]
            add_pair(
                found, clean_message(question or ""), "\n\n".join([said, *others]) if said else "", "faq", provenance
            )
        if stated is None and found.unanswered:
            return None
        return found if found.pairs else None
    messages = [
        message for number, record in enumerate(_conversations(value), start=1) for message in _log(record, number)
    ]
    if not messages or (stated is None and not is_surely_log(messages)):
        return None
    return pairs_of_messages(messages)


def _pair_records(value: Any, depth: int = 3) -> list[Mapping[str, Any]]:
    """The records of the first list most of whose objects have a question and an answer."""
    if isinstance(value, list):
        records = [record for record in value if isinstance(record, Mapping)]
        asked = [record for record in records if isinstance(_value(record, QUESTION_NAMES), str)]
        paired = [record for record in asked if isinstance(_value(record, ANSWER_NAMES), (str, list))]
        return asked if paired and len(paired) * 2 >= len(records) else []
    if isinstance(value, Mapping) and depth:
        return next((found for part in value.values() if (found := _pair_records(part, depth - 1))), [])
    return []


def _conversations(value: Any, depth: int = 3) -> Iterator[Mapping[str, Any]]:
    """Objects that hold messages; a list of messages is one such object with what its messages say of themselves."""
    if isinstance(value, list):
        records = [record for record in value if isinstance(record, Mapping)]
        if records and sum(_is_message(record) for record in records) * 2 > len(records):
            yield {"messages": records}
        elif depth:
            for record in records:
                yield from _conversations(record, depth - 1)
    elif isinstance(value, Mapping):
        inner = _value(value, MESSAGE_LIST_NAMES)
        if _messages_of(inner):
            yield value
        elif depth:
            for part in value.values():
                if isinstance(part, (list, Mapping)):
                    yield from _conversations(part, depth - 1)


def _messages_of(value: Any) -> list[Mapping[str, Any]]:
    """The messages of a list, of ChatGPT's tree (`mapping`), or of an object that wraps a list, as Intercom has it."""
    if isinstance(value, Mapping):
        nodes = [node for node in value.values() if isinstance(node, Mapping) and "message" in node]
        if nodes:
            said = [node["message"] for node in nodes if isinstance(node["message"], Mapping)]
            return sorted(said, key=lambda message: float(message.get("create_time") or 0))
        return next((found for part in value.values() if isinstance(part, list) and (found := _messages_of(part))), [])
    if not isinstance(value, list):
        return []
    return [record for record in value if isinstance(record, Mapping) and _is_message(record)]


def _is_message(record: Mapping[str, Any]) -> bool:
    return _value(record, SPEAKER_NAMES) is not None and _value(record, TEXT_NAMES) is not None


def _log(conversation: Mapping[str, Any], number: int) -> Iterator[Message]:
    """The messages of a conversation. ChatGPT, OpenAI, ShareGPT, Intercom, Zendesk and Slack name things differently."""
    inner = _value(conversation, MESSAGE_LIST_NAMES)
    source = conversation.get("source")
    records = [*([source] if isinstance(source, Mapping) and _is_message(source) else []), *_messages_of(inner)]
    tree = isinstance(inner, Mapping) and conversation.get("current_node")
    if tree and isinstance(inner, Mapping):
        records = _branch(inner, str(tree)) or records
    stated = _value(conversation, ID_NAMES) or conversation.get("conversation_id") or conversation.get("ticket_id")
    title = _value(conversation, TITLE_NAMES, of=str)
    for at, record in enumerate(records, start=1):
        if _is_internal(record):
            continue
        own = _value(record, CONVERSATION_NAMES) or record.get("ts" if "ts" in record else "")
        speaker, role = _author(record, conversation)
        yield Message(
            conversation=str(stated or (own if _is_scalar(own) else "") or number),
            speaker=speaker,
            role=role,
            text=clean_message(_spoken(_value(record, TEXT_NAMES))),
            time=str(time) if _is_scalar(time := _value(record, TIME_NAMES)) else "",
            ref=str(ref) if _is_scalar(ref := _value(record, ID_NAMES)) else "",
            row=at,
            title=title or "",
        )


def _branch(mapping: Mapping[str, Any], node: str) -> list[Mapping[str, Any]]:
    """From the message shown last up to the root: edited questions and answers made again lie on other branches."""
    records: list[Mapping[str, Any]] = []
    for _ in range(len(mapping)):
        entry = mapping.get(node)
        if not isinstance(entry, Mapping):
            break
        if isinstance(entry.get("message"), Mapping) and _is_message(entry["message"]):
            records.append(entry["message"])
        node = str(entry.get("parent") or "")
    return records[::-1]


def _is_internal(record: Mapping[str, Any]) -> bool:
    """Notes among agents, and lines that a system writes: nobody may be answered with them."""
    if record.get("public") is False or record.get("private") is True or record.get("internal") is True:
        return True
    return bool(record.get("subtype")) or record.get("part_type") in (
        "note",
        "assignment",
        "close",
        "open",
        "away_mode_assignment",
    )


def _author(record: Mapping[str, Any], conversation: Mapping[str, Any]) -> tuple[str, Role | None]:
    """Name and, where it is stated, role: by name, by type, or by being the requester of the ticket."""
    author = _value(record, SPEAKER_NAMES)
    name = author if _is_scalar(author) else ""
    role = role_of(str(name))
    if isinstance(author, Mapping):
        name = author.get("name") or author.get("email") or author.get("id") or author.get("role") or ""
        role = role_of(str(author.get("role") or author.get("type") or "")) or role_of(str(name))
    requester = conversation.get("requester_id")
    if requester is not None and record.get("author_id") is not None:
        role = "asker" if record["author_id"] == requester else "answerer"
    shown = next((record[key] for key in ("name", "author_name", "speaker") if isinstance(record.get(key), str)), None)
    return str(shown or name), role


def _spoken(value: Any) -> str:
    """What was said; it may come in parts."""
    if isinstance(value, list):
        return "\n".join(part for item in value if (part := _spoken(item)))
    if isinstance(value, Mapping):
        return _spoken(value.get("parts") or value.get("text") or value.get("value") or value.get("content"))
    return str(value) if _is_scalar(value) else ""


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


# --- tables inside documents -----------------------------------------------------------------------------------------


def _from_tables(pages: Sequence[ExtractedPage], stated: str | None) -> Found | None:
    """Tables with a column for the question and one for the answer, as spreadsheets hold them."""
    if stated is None and any(map(_is_text, (line for page in pages for line in page.markdown.split("\n")))):
        return None
    found = Found()
    characters = covered = 0
    rest = False  # text that is in no such table, or columns that are of no pair
    for page in pages:
        characters += len(page.markdown)
        table: list[list[str]] = []
        for line in [*page.markdown.split("\n"), ""]:
            if line.startswith("|"):
                table.append(cells_of(line))
                continue
            read = _pairs_of_table(table, page.number) if len(table) > 2 else None
            if read:
                found.pairs += read.pairs
                found.unanswered += read.unanswered
                covered += sum(len(cell) + 3 for row in table for cell in row)
            more = bool(table) and (not read or any(_is_other(name, name) for name in table[0]))
            rest = rest or more or _is_text(line)
            table = []
    if stated is None and (found.unanswered or rest):  # an ordinary workbook keeps its tables
        return None
    return found if found.pairs and covered >= 0.5 * characters else None


def _is_text(line: str) -> bool:
    """Neither a row of a table nor a heading."""
    return not line.startswith(("|", "#")) and bool(line.strip())


def _pairs_of_table(table: Sequence[Sequence[str]], page: int | None) -> Found | None:
    names = [_name(cell) for cell in table[0]]
    asked, answered = _find(names, QUESTION_NAMES), _find(names, ANSWER_NAMES)
    if asked is None or answered is None:
        return None
    read = _from_pair_rows(table[0], enumerate(table[2:], start=2), asked, answered)
    if read:
        read.pairs = [replace(pair, page=page) for pair in read.pairs]
    return read


# --- transcripts: text with speakers ---------------------------------------------------------------------------------

_STAMP: Final = r"\[?(?P<time>\d{1,4}[./-]\d{1,2}[./-]\d{1,4},?\s+\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\s?[AaPp]\.?\s?[Mm]\.?)?|\d{1,2}:\d{2}(?::\d{2})?(?:\s?[AaPp][Mm])?)\]?"
_TURN: Final = re.compile(
    rf"\s*(?:{_STAMP}\s*[-–—]?\s*)?[*_]{{0,2}}(?P<speaker>[^\s:：|#*_<>\[\]\d][^:：|*_<>\n\[\]]{{0,39}}?)[*_]{{0,2}}"
    r"\s*(?:[(\[](?P<after>[^()\[\]\n]{1,40})[)\]])?\s*[:：][*_]{0,2}(?=\s|[^\x00-\x7f/])\s*(?P<text>.*)$"
)
_HEAD: Final = 20_000  # characters, in which a text that nobody calls a conversation must begin as one
_STAMPED_LINE: Final = re.compile(rf"\s*{_STAMP}\s*[-–—]?\s*\S")


def _from_transcript(
    pages: Sequence[ExtractedPage], mime_type: str, raw: bytes | None, stated: str | None
) -> PairedDocument | None:
    """Lines that begin with a name, with a time or without: chats written by people, and exports as WhatsApp makes them."""
    if mime_type in TABULAR_TYPES or mime_type in JSON_TYPES:
        return None
    if mime_type == "text/plain" and raw is not None:
        # The extractor of plain text takes short lines for headings, and a turn may be one.
        try:
            text = decode_text(raw).text
        except BinaryContentError:
            return None  # the extractor has said so already
        if stated is None and sum(map(bool, map(_TURN.match, text[:_HEAD].split("\n")))) < 2:
            return None  # cleaning 25 MB takes seconds
        pages = clean_pages([ExtractedPage(number=None, markdown=text)]).pages
    lines = [(page.number, line) for page in pages for line in page.markdown.split("\n") if line.strip()]
    turns = [_TURN.match(line) if ":" in line or "：" in line else None for _, line in lines]
    counts = Counter(_speaker(turn["speaker"]) for turn in turns if turn)
    stamped = {_speaker(turn["speaker"]) for turn in turns if turn and turn["time"]}
    speakers = {name for name, count in counts.items() if count > 1 or name in stamped or role_of(name)}
    opening = [turn for turn in turns if turn and _speaker(turn["speaker"]) in speakers]
    if len(speakers) < 2 or len(opening) < 2 or {name.casefold() for name in speakers} <= PAIR_LABELS:
        return None
    if stated is None and not _is_surely_transcript(lines, opening):
        return None
    found = pairs_of_messages(_turns(lines, turns, speakers))
    return written(found) if found else None


def _speaker(label: str) -> str:
    return " ".join(label.split())


def _is_surely_transcript(lines: Sequence[tuple[int | None, str]], opening: Sequence[re.Match[str]]) -> bool:
    """Nearly all lines bear the time, or speakers of both roles take turns in most of them."""
    if len(opening) < 4:
        return False
    if sum(bool(turn["time"]) for turn in opening) >= SURE_SHARE * len(lines):
        return True
    roles = Counter(role_of(turn["speaker"]) for turn in opening)
    return (
        bool(roles["asker"] and roles["answerer"])
        and len(opening) >= len(lines) / 2
        and not roles[None] > len(opening) / 5
    )


def _turns(
    lines: Sequence[tuple[int | None, str]], turns: Sequence[re.Match[str] | None], speakers: set[str]
) -> Iterator[Message]:
    """A message for each turn, with the lines that go on with it. A rule or a name of a conversation opens a new one."""
    conversation, number = "1", 1
    current: Message | None = None
    for row, ((page, line), turn) in enumerate(zip(lines, turns, strict=True), start=1):
        if turn and _speaker(turn["speaker"]) in speakers:
            if current:
                yield current
            time = (
                turn["time"] or (turn["after"] if turn["after"] and any(map(str.isdigit, turn["after"])) else "") or ""
            )
            role = role_of(turn["after"] or "") if not role_of(turn["speaker"]) else None
            current = Message(
                conversation=conversation,
                speaker=_speaker(turn["speaker"]),
                role=role,
                text=turn["text"].strip(),
                time=time,
                row=row,
                page=page,
            )
        elif opened := NEW_CONVERSATION.match(line):
            if current:
                yield current
                current, number = None, number + 1
            conversation = (opened["name"] or str(number)).strip()
        elif current and not _STAMPED_LINE.match(line):  # a line with a time and without a speaker is the program's
            current = replace(current, text=f"{current.text}\n{line.strip()}".strip())
    if current:
        yield current
