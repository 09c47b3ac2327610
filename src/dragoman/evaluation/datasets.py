"""Golden sets on disk: BEIR folders, and questions with expected answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.evaluation.errors import DatasetError

Qrels = Mapping[str, Mapping[str, int]]
"""Relevant documents by query id: document id to grade, 1 or more."""

_LANGUAGE_KEYS = ("language", "lang")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusDocument:
    """A line of corpus.jsonl. `heading` is None where it is the query itself and must not be indexed."""

    id: str
    title: str
    heading: str | None
    text: str

    @property
    def markdown(self) -> str:
        return f"## {self.heading}\n\n{self.text}" if self.heading else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """The documents, and the ids of those with neither text nor title (cranfield has two), which nothing can find."""

    documents: Sequence[CorpusDocument]
    without_text: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationQuery:
    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with what a right answer has.

    Attributes:
        documents: external ids of documents, any of which may be cited; empty when it cannot be answered.
        answers: phrases, any of which is right.
    """

    id: str
    language: str
    text: str
    answerable: bool
    documents: Sequence[str]
    answers: Sequence[str]


def is_beir(folder: Path) -> bool:
    return (folder / "corpus.jsonl").is_file()


def read_corpus(folder: Path) -> Corpus:
    """Raises DatasetError."""
    documents, without_text = [], []
    for record in _records(folder / "corpus.jsonl"):
        document = _document(record)
        if document.text:
            documents.append(document)
        else:
            without_text.append(document.id)
    if not documents:
        raise DatasetError(f"{folder / 'corpus.jsonl'} holds no text.")
    return Corpus(documents=documents, without_text=without_text)


def _document(record: Mapping[str, Any]) -> CorpusDocument:
    """Where only a title is given, it is the text. `text` is empty where there is neither."""
    title = str(record.get("title") or "").strip()
    heading = "" if record.get("heading_is_query") else str(record.get("heading") or "")
    text = _text(record, "text", may_be_empty=True)
    return CorpusDocument(
        id=_text(record, "_id"),
        title=title,
        heading=" ".join(heading.split()) or None,
        text=text if text.strip() else title,
    )


def read_queries(file: Path) -> list[EvaluationQuery]:
    """Raises DatasetError."""
    return [EvaluationQuery(id=_text(record, "_id"), text=_text(record, "text")) for record in _records(file)]


def read_qrels(file: Path) -> Qrels:
    """Judgements in BEIR's form: `query-id corpus-id score` under a heading line, tabs between. Grades below 1 are left out.

    Raises:
        DatasetError.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_lines(file), start=1):
        parts = line.split("\t")
        if number == 1 and parts[0] == "query-id":
            continue
        try:
            query_id, document_id, grade = parts[0], parts[1], int(parts[2])
        except (IndexError, ValueError) as error:
            raise DatasetError(f"{file}, line {number}: not `query-id<TAB>corpus-id<TAB>score`.") from error
        if grade > 0:
            qrels.setdefault(query_id, {})[document_id] = grade
    if not qrels:
        raise DatasetError(f"{file} holds no judgements.")
    return qrels


def read_questions(file: Path, *, corpus_answers: Path | None = None) -> list[Question]:
    """Questions of examples/questions.jsonl, or of a queries.jsonl with `answers` and `passage`.

    Args:
        file: one JSON object a line.
        corpus_answers: the same questions in the language of the corpus; their answers are right too, since an
            answer quotes the corpus.

    Raises:
        DatasetError.
    """
    also: dict[str, list[str]] = {}
    if corpus_answers is not None and corpus_answers != file and corpus_answers.is_file():
        also = {_text(record, "_id"): list(record.get("answers") or ()) for record in _records(corpus_answers)}
    return [_question(record, file, also) for record in _records(file)]


def _question(record: Mapping[str, Any], file: Path, also: Mapping[str, Sequence[str]]) -> Question:
    question_id = str(record.get("id") or record.get("_id") or "")
    document = record.get("document") or record.get("passage")
    documents = [document] if isinstance(document, str) else list(document or record.get("documents") or ())
    answers = [*(record.get("answers") or ()), *also.get(question_id, ())]
    return Question(
        id=question_id,
        language=_language(record, file),
        text=str(record.get("question") or _text(record, "text")),
        answerable=bool(record.get("answerable", bool(answers))),
        documents=documents,
        answers=list(dict.fromkeys(str(answer) for answer in answers)),
    )


def _language(record: Mapping[str, Any], file: Path) -> str:
    """As the record says, else the name of its folder where that is a language code, else `und`."""
    given = next((str(record[key]) for key in _LANGUAGE_KEYS if record.get(key)), None)
    folder = file.resolve().parent.name
    return given or (folder if len(folder) == 2 and folder.isalpha() else "und")


def _records(file: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(_lines(file), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{file}, line {number}: not JSON ({error}).") from error
        if not isinstance(record, dict):
            raise DatasetError(f"{file}, line {number}: not a JSON object.")
        yield record


def _lines(file: Path) -> Iterator[str]:
    """Lines end with a line feed only: text in JSON may hold U+2028 and its like."""
    try:
        with file.open(encoding="utf-8", newline="\n") as stream:
            for line in stream:
                if stripped := line.strip("\r\n"):
                    yield stripped
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file} cannot be read: {error}.") from error


def _text(record: Mapping[str, Any], key: str, *, may_be_empty: bool = False) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not (value or may_be_empty):
        raise DatasetError(f"A record lacks {key!r}: {json.dumps(record, ensure_ascii=False)[:200]}")
    return value
