"""How good answers are: questions with expected phrases and documents, asked over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from dragoman.client import Answer, Dragoman
from dragoman.evaluation import datasets, metrics, scratch
from dragoman.evaluation.citations import Support, support_of
from dragoman.evaluation.datasets import Question
from dragoman.evaluation.errors import DatasetError
from dragoman.evaluation.scratch import CorpusFile, OnProgress
from dragoman.tenancy.settings import ChatbotSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersTask:
    """What to measure.

    Attributes:
        folder: a BEIR folder whose queries.jsonl has `answers` and `passage`, or one with questions.jsonl and knowledge/.
        questions: other files of questions than the folder's.
        settings: settings of the scratch chatbot that differ from the defaults. They force a scratch chatbot.
        limit: questions of each file to ask at most; None for all.
        concurrency: questions asked at once.
        without: ask each question without the documents that answer it (`document`), or also without those whose id is the
            same up to its last hyphen (`group`): then none can be answered, and "I don't know" is right.
        with_contexts: fetch the passages that each answer was made of, for an export.
        fresh, drop: as in `RetrievalTask`.
    """

    folder: Path
    questions: Sequence[Path] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    concurrency: int = 2
    without: Literal["document", "group"] | None = None
    with_contexts: bool = False
    fresh: bool = False
    drop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One answer, judged. `contains`, `f1` and `cited_right` say something of answerable questions only.

    `contexts` are the passages that were found, `reference_contexts` those that answer; empty where they are not wanted or
    not known.
    """

    question: Question
    answer: Answer
    seconds: float
    contains: bool
    f1: float
    cited_right: bool
    support: Support = field(default_factory=Support)
    contexts: Sequence[str] = ()
    reference_contexts: Sequence[str] = ()

    @property
    def is_failure(self) -> bool:
        if not self.question.answerable:
            return self.answer.answered
        return not (self.answer.answered and self.contains and self.cited_right)

    def as_json(self) -> dict[str, Any]:
        """For study: what was expected, what came."""
        return {
            "id": self.question.id,
            "language": self.question.language,
            "question": self.question.text,
            "answerable": self.question.answerable,
            "expected_documents": list(self.question.documents),
            "expected_answers": list(self.question.answers),
            "answered": self.answer.answered,
            "answer": self.answer.content,
            "cited": [source.external_id for source in self.answer.sources],
            "contains": self.contains,
            "f1": round(self.f1, 4),
            "cited_right": self.cited_right,
            **_rounded(asdict(self.support)),
            "quality": self.answer.quality,
            "confidence": self.answer.confidence,
            "model": self.answer.model,
            "degraded": self.answer.degraded,
            "seconds": round(self.seconds, 4),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersReport:
    """Figures over all questions, and by the language of the question. Shares are 0 to 1, None of no questions."""

    overall: Mapping[str, float | int | None]
    by_language: Mapping[str, Mapping[str, float | int | None]]
    judged: Sequence[Judged]

    def as_json(self) -> dict[str, Any]:
        return {**self.overall, "by_language": self.by_language}


async def evaluate_answers(client: Dragoman, task: AnswersTask, on_progress: OnProgress) -> AnswersReport:
    """Ask every question in a session of its own and compare.

    Raises:
        DatasetError, IngestionFailedError, IngestionStalledError.
    """
    questions = _read(task)
    chatbot_id, is_scratch = await _chatbot(client, task, on_progress)
    try:
        left_out = await _LeftOut.of(client, chatbot_id, task.without)
        asking = _Asking(client=client, chatbot_id=chatbot_id, task=task, left_out=left_out, texts=_texts(task))
        judged = await _ask_all(asking, questions, on_progress)
    finally:
        if task.drop and is_scratch:
            await client.chatbots.delete(chatbot_id)
    languages = sorted({question.language for question in questions})
    return AnswersReport(
        overall=summarise(judged),
        by_language={
            language: summarise([each for each in judged if each.question.language == language])
            for language in languages
        },
        judged=judged,
    )


def summarise(judged: Sequence[Judged]) -> dict[str, float | int | None]:
    """The figures of these answers."""
    answerable = [each for each in judged if each.question.answerable]
    unanswerable = [each for each in judged if not each.question.answerable]
    seconds = [each.seconds for each in judged]
    answered = [each.support for each in judged if each.answer.answered]
    expected = [each.support for each in answerable]
    return {
        "questions": len(judged),
        "answerable": len(answerable),
        "contains_answer": _mean([each.contains for each in answerable]),
        "token_f1": _mean([each.f1 for each in answerable]),
        "cited_right": _mean([each.cited_right for each in answerable]),
        "faithfulness": _mean_known([each.faithfulness for each in answered]),
        "judge_faithfulness": _mean_known([each.judge_faithfulness for each in answered]),
        "citation_precision": _mean_known([each.citation_precision for each in answered]),
        "citation_recall": _mean_known([each.citation_recall for each in answered]),
        "gold_precision": _mean_known([each.gold_precision for each in expected]),
        "gold_recall": _mean_known([each.gold_recall for each in expected]),
        "quality": _mean_known([each.answer.quality for each in judged]),
        "dont_know_answerable": _mean([not each.answer.answered for each in answerable]),
        "dont_know_unanswerable": _mean([not each.answer.answered for each in unanswerable]),
        "median_s": round(metrics.percentile(seconds, 0.5), 4),
        "p95_s": round(metrics.percentile(seconds, 0.95), 4),
    }


def judge(question: Question, answer: Answer, seconds: float) -> Judged:
    """An answer that says "I don't know" contains and cites nothing."""
    cited = {source.external_id for source in answer.sources}
    return Judged(
        question=question,
        answer=answer,
        seconds=seconds,
        contains=answer.answered and metrics.contains_phrase(answer.content, question.answers),
        f1=metrics.token_f1(answer.content, question.answers) if answer.answered else 0.0,
        cited_right=answer.answered and not cited.isdisjoint(question.documents),
        support=support_of(answer, question.documents if question.answerable else ()),
    )


def _mean(values: Sequence[float | bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _mean_known(values: Sequence[float | None]) -> float | None:
    return _mean([value for value in values if value is not None])


def _rounded(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 4) for name, value in values.items()}


def _read(task: AnswersTask) -> list[Question]:
    own = task.folder / ("queries.jsonl" if datasets.is_beir(task.folder) else "questions.jsonl")
    corpus_answers = own if datasets.is_beir(task.folder) else None
    questions = [
        question
        for file in task.questions or (own,)
        for question in datasets.read_questions(file, corpus_answers=corpus_answers)[: task.limit]
    ]
    without = [question.id for question in questions if question.answerable and not question.answers]
    if not questions or without:
        raise DatasetError(f"Questions without expected answers: {', '.join(without[:5]) or 'there are none at all'}.")
    return questions


def _texts(task: AnswersTask) -> Mapping[str, str]:
    """The text of each document of the corpus by its external id, where an export wants it and it is plain text here."""
    if not task.with_contexts:
        return {}
    if datasets.is_beir(task.folder):
        return {document.id: document.text for document in datasets.read_corpus(task.folder).documents}
    return {
        file.external_id: file.source.read_text(encoding="utf-8", errors="replace")
        for file in knowledge_files(task.folder / "knowledge")
        if isinstance(file.source, Path) and file.source.suffix in (".md", ".txt")
    }


async def _chatbot(client: Dragoman, task: AnswersTask, on_progress: OnProgress) -> tuple[UUID, bool]:
    """The chatbot to ask, and whether it is a scratch one: the default chatbot where it holds the documents."""
    if datasets.is_beir(task.folder):
        files = scratch.corpus_files(datasets.read_corpus(task.folder).documents)
    else:
        files = knowledge_files(task.folder / "knowledge")
        if not task.settings and not task.fresh and (default := await _default_with(client, files)) is not None:
            return default, False
    prepared = await scratch.prepare(client, files, settings=task.settings, fresh=task.fresh, on_progress=on_progress)
    return prepared.chatbot_id, True


def knowledge_files(folder: Path) -> list[CorpusFile]:
    """All files below the folder, known by their paths in it. Raises DatasetError: there is none."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise DatasetError(f"{folder} holds no documents.")
    return [CorpusFile(external_id=path.relative_to(folder).as_posix(), source=path) for path in paths]


async def _default_with(client: Dragoman, files: Sequence[CorpusFile]) -> UUID | None:
    """The default chatbot, if all these documents are ready in it."""
    async for chatbot in client.chatbots.list():
        if chatbot.is_default:
            ready = client.documents.list(chatbot_id=chatbot.id, state="ready")
            there = {document.external_id async for document in ready}
            return chatbot.id if {file.external_id for file in files} <= there else None
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _LeftOut:
    """Which documents a question is asked without."""

    without: str | None
    documents: Mapping[str, UUID]

    @classmethod
    async def of(cls, client: Dragoman, chatbot_id: UUID, without: str | None) -> _LeftOut:
        """Raises DatasetError: a session cannot be narrowed to so many documents."""
        documents: dict[str, UUID] = {}
        if without is not None:
            async for document in client.documents.list(chatbot_id=chatbot_id):
                documents[document.external_id or str(document.id)] = document.id
            if len(documents) > _MOST_DOCUMENTS:
                raise DatasetError(f"--without works with at most {_MOST_DOCUMENTS} documents, not {len(documents)}.")
        return cls(without=without, documents=documents)

    def others(self, question: Question) -> list[UUID] | None:
        """The documents that it is asked with; None for all."""
        if self.without is None:
            return None
        own = {self._group(name) for name in question.documents}
        return [document_id for name, document_id in self.documents.items() if self._group(name) not in own]

    def judged_as(self, question: Question) -> Question:
        return question if self.without is None else replace(question, answerable=False)

    def _group(self, name: str) -> str:
        return name.rpartition("-")[0] or name if self.without == "group" else name


_MOST_DOCUMENTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """How questions are asked. `texts`: of the documents that the golden set expects."""

    client: Dragoman
    chatbot_id: UUID
    task: AnswersTask
    left_out: _LeftOut
    texts: Mapping[str, str]

    async def ask(self, question: Question) -> Judged:
        documents = self.left_out.others(question)
        started = time.perf_counter()
        session = await self.client.sessions.create(chatbot_id=self.chatbot_id, document_ids=documents)
        answer = await self.client.messages.send(session.id, question.text)
        judged = judge(self.left_out.judged_as(question), answer, time.perf_counter() - started)
        if not self.task.with_contexts:
            return judged
        known = [self.texts[name] for name in question.documents if name in self.texts]
        return replace(judged, contexts=await self._contexts(question, documents), reference_contexts=known)

    async def _contexts(self, question: Question, documents: Sequence[UUID] | None) -> list[str]:
        """The passages that the answer was made of: the same search again."""
        limit = ChatbotSettings(**self.task.settings).max_sources
        found = await self.client.search(
            question.text, chatbot_id=self.chatbot_id, max_results=limit, document_ids=documents
        )
        return [passage.content for passage in found.results]


async def _ask_all(asking: _Asking, questions: Sequence[Question], on_progress: OnProgress) -> list[Judged]:
    room = asyncio.Semaphore(asking.task.concurrency)
    done = 0

    async def ask(question: Question) -> Judged:
        nonlocal done
        async with room:
            judged = await asking.ask(question)
        done += 1
        on_progress(done, len(questions), "asking")
        return judged

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(question)) for question in questions]
    return [task.result() for task in tasks]
