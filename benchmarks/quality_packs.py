"""The evaluation packs as corpora with sets of questions, sampled in the same way each time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.evaluation.datasets import CorpusDocument, Qrels, read_qrels

_HELP_LANGUAGES = ("en", "de", "zh", "fr", "ja")  # partner-center-a
_ALSO_ASKED_IN = (*_HELP_LANGUAGES, "es")
_ARTICLE_LANGUAGES = ("en", "ar", "de", "el", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")  # xquad-a
_OTHERS_IN_MTRAG = 400  # passages that nobody judged, beside the judged ones
_CROSS_LINGUAL_QUESTIONS = {"xquad-a": 80, "partner-center-a": 25}  # for each pair of languages


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question. `history`: what its asker said before, oldest first."""

    id: str
    text: str
    history: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """Questions with the documents that answer them.

    Attributes:
        group: sets of one group are averaged in the summary.
        is_main: its figures belong to the targets; all engines and all ways are measured.
    """

    name: str
    group: str
    questions: Sequence[Asked]
    qrels: Qrels
    is_main: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    name: str
    documents: Sequence[CorpusDocument]
    of: int
    sets: Sequence[QuestionSet]


def packs(data: Path) -> Iterator[Pack]:
    """All packs, one after the other. `of` is the number of documents before sampling."""
    yield _cranfield(data / "cranfield")
    yield _mtrag(data / "mtrag-cloud")
    for language in _HELP_LANGUAGES:
        yield _help(data / "partner-center-a", language)
    yield _articles(data / "xquad-a")


def _cranfield(folder: Path) -> Pack:
    documents, qrels = _documents(folder), read_qrels(folder / "qrels.tsv")
    main = _set("cranfield", "cranfield", _asked(folder / "queries.jsonl"), qrels)
    return Pack(name="cranfield", documents=documents, of=len(documents), sets=[main])


def _mtrag(folder: Path) -> Pack:
    """Judged passages and some others; questions as a person rewrote them, and as they were typed."""
    all_documents, qrels = _documents(folder), read_qrels(folder / "qrels.tsv")
    judged = {document for relevant in qrels.values() for document in relevant}
    others = [document.id for document in all_documents if document.id not in judged]
    random.Random(1).shuffle(others)
    kept = judged.union(others[:_OTHERS_IN_MTRAG])
    records = list(_records(folder / "queries.jsonl"))
    typed = [Asked(id=record["_id"], text=record["last_turn"]) for record in records]
    in_conversation = [
        Asked(id=record["_id"], text=record["last_turn"], history=record["history_user_turns"][:-1])
        for record in records
    ]
    sets = [
        _set("mtrag-cloud, rewritten by a person", "mtrag-cloud", _asked(folder / "queries.jsonl"), qrels),
        _set("mtrag-cloud, last turn with history", "mtrag-cloud", in_conversation, qrels),
        _set("mtrag-cloud, last turn alone", "mtrag-cloud", typed, qrels, is_main=False),
    ]
    documents = [document for document in all_documents if document.id in kept]
    return Pack(name="mtrag-cloud", documents=documents, of=len(all_documents), sets=sets)


def _help(folder: Path, language: str) -> Pack:
    """Sections of one language; its own questions, and those of the other languages by `qrels.crosslingual.tsv`."""
    name = f"{folder.name} {language}"
    documents, crossing = _documents(folder / language), read_qrels(folder / "qrels.crosslingual.tsv")
    known = {document.id for document in documents}
    qrels = {
        query: {document: grade for document, grade in relevant.items() if document in known}
        for query, relevant in crossing.items()
    }
    own = read_qrels(folder / language / "qrels.tsv")
    sets = [_set(name, folder.name, _asked(folder / language / "queries.jsonl"), own)]
    for other in _ALSO_ASKED_IN:
        if other != language:
            asked = [each for each in _asked(folder / other / "queries.jsonl") if qrels.get(each.id)]
            sets.append(_crossing(f"{folder.name}, {other} -> {language}", folder.name, asked, qrels))
    return Pack(name=name, documents=documents, of=len(documents), sets=sets)


def _articles(folder: Path) -> Pack:
    """English passages, questions in twelve languages."""
    documents, sets = _documents(folder / "en"), []
    for language in _ARTICLE_LANGUAGES:
        asked, qrels = _asked(folder / language / "queries.jsonl"), read_qrels(folder / language / "qrels.tsv")
        sets.append(_crossing(f"{folder.name}, {language} -> en", folder.name, asked, qrels))
    return Pack(name=f"{folder.name} en", documents=documents, of=len(documents), sets=sets)


def _crossing(name: str, pack: str, asked: Sequence[Asked], qrels: Qrels) -> QuestionSet:
    some = random.Random(1).sample(asked, min(len(asked), _CROSS_LINGUAL_QUESTIONS[pack]))
    return _set(name, f"{pack}, across languages", some, qrels, is_main=False)


def _set(name: str, group: str, asked: Sequence[Asked], qrels: Qrels, *, is_main: bool = True) -> QuestionSet:
    judged = [each for each in asked if qrels.get(each.id)]
    relevant = {each.id: qrels[each.id] for each in judged}
    return QuestionSet(name=name, group=group, questions=judged, qrels=relevant, is_main=is_main)


def _asked(file: Path) -> list[Asked]:
    return [Asked(id=record["_id"], text=record["text"]) for record in _records(file)]


def _documents(folder: Path) -> list[CorpusDocument]:
    """Passages with text. A heading that is the question itself is left out."""
    documents = []
    for record in _records(folder / "corpus.jsonl"):
        if record["text"].strip():
            heading = "" if record.get("heading_is_query") else str(record.get("heading") or "")
            documents.append(
                CorpusDocument(
                    id=record["_id"],
                    title=str(record.get("title") or "").strip(),
                    heading=" ".join(heading.split()) or None,
                    text=record["text"],
                )
            )
    return documents


def _records(file: Path) -> Iterator[Mapping[str, Any]]:
    with file.open(encoding="utf-8", newline="\n") as stream:  # text in JSON may hold U+2028 and its like
        for line in stream:
            if line.strip():
                yield json.loads(line)
