"""Evaluation: reading golden sets, the figures on examples worked out by hand, and both runs against a server."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from dragoman.client import Dragoman
from dragoman.evaluation import datasets, metrics, scratch
from dragoman.evaluation.answers import AnswersTask, evaluate_answers
from dragoman.evaluation.errors import DatasetError, IngestionFailedError
from dragoman.evaluation.retrieval import RetrievalTask, documents_of, evaluate_retrieval

from .conftest import KEY, FakeDragoman, create_fake_app

CORPUS = [
    {"_id": "d1", "title": "", "text": "Goods may be returned within 42 days."},
    {"_id": "d2", "title": "Warranty", "heading": "Lamp", "text": "The warranty covers the lamp."},
    {
        "_id": "d3",
        "title": "Payment",
        "heading": "How is it paid?",
        "heading_is_query": True,
        "text": "Pay by transfer.",
    },
]
QUERIES = [
    {"_id": "q1", "text": "returned goods", "answers": ["42 days"], "passage": "d1"},
    {"_id": "q2", "text": "warranty lamp", "answers": ["the moon"], "passage": "d1"},
    {"_id": "unjudged", "text": "nothing", "answers": ["x"], "passage": "d1"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\nq2\td1\t0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _write_lines(tmp_path / "corpus.jsonl", CORPUS)
    _write_lines(tmp_path / "queries.jsonl", QUERIES)
    (tmp_path / "qrels.tsv").write_text(QRELS, encoding="utf-8")
    return tmp_path


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_POLL_S", 0.01)


@pytest.fixture
async def client(fake: FakeDragoman) -> AsyncIterator[Dragoman]:
    async with Dragoman(
        "http://dragoman.test", KEY, transport=httpx.ASGITransport(app=create_fake_app(fake))
    ) as client:
        yield client


# ---- figures


def test_retrieval_metrics_are_those_worked_out_by_hand() -> None:
    pytest.importorskip("ir_measures", reason="the extra `bench` is not installed")
    qrels = {"a": {"1": 1, "2": 1}, "b": {"3": 1}, "c": {"4": 1}}
    rankings = {"a": ["9", "1", "8", "7", "6", "2"], "b": ["3"], "c": ["x"]}
    found = metrics.retrieval_metrics(qrels, rankings)
    ndcg_a5 = (1 / math.log2(3)) / (1 + 1 / math.log2(3))
    ndcg_a10 = (1 / math.log2(3) + 1 / math.log2(7)) / (1 + 1 / math.log2(3))
    expected = {
        "hit@1": 1 / 3,
        "recall@5": (0.5 + 1 + 0) / 3,
        "recall@10": (1 + 1 + 0) / 3,
        "ndcg@5": (ndcg_a5 + 1 + 0) / 3,
        "ndcg@10": (ndcg_a10 + 1 + 0) / 3,
        "mrr@10": (0.5 + 1 + 0) / 3,
    }
    assert found == pytest.approx(expected)


def test_a_query_without_results_counts_as_zero() -> None:
    pytest.importorskip("ir_measures", reason="the extra `bench` is not installed")
    found = metrics.retrieval_metrics({"a": {"1": 1}, "b": {"2": 1}}, {"a": ["1"], "b": []})
    assert set(found.values()) == {0.5}


@pytest.mark.parametrize(
    ("answer", "phrases", "expected"),
    [
        ("Within 45  DAYS of the invoice. [1]", ["45 days"], True),
        ("Innerhalb von ４５ Tagen", ["45 tagen"], True),  # full-width digits
        ("It is 4 [1] 5 days", ["45 days"], False),
        ("It costs 1 [2] 000 euros", ["1 000 euros"], True),
        ("STRASSE", ["straße"], True),
        ("anything", [""], False),
    ],
)
def test_an_answer_contains_a_phrase_whatever_its_form(answer: str, phrases: list[str], expected: bool) -> None:
    assert metrics.contains_phrase(answer, phrases) is expected


@pytest.mark.parametrize(
    ("answer", "phrases", "expected"),
    [
        ("The cat.", ["cat"], 1.0),
        ("the black cat sat", ["a black dog", "black cat"], 2 * (2 / 3) * 1 / (2 / 3 + 1)),
        ("四十五天", ["四十天"], 2 * (3 / 4) * 1 / (3 / 4 + 1)),
        ("no", ["yes"], 0.0),
        ("", ["yes"], 0.0),
        ("anything", [], 0.0),
    ],
)
def test_token_f1_is_the_best_over_the_phrases(answer: str, phrases: list[str], expected: float) -> None:
    assert metrics.token_f1(answer, phrases) == pytest.approx(expected)


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (metrics.percentile(values, 0.5), metrics.percentile(values, 0.95)) == (50.0, 95.0)
    assert (metrics.percentile([7.0], 0.95), metrics.percentile([], 0.5)) == (7.0, 0.0)


def test_a_document_stands_where_its_best_passage_does() -> None:
    class Passage:
        def __init__(self, external_id: str) -> None:
            self.external_id = external_id

    passages: Any = [Passage(name) for name in ["b", "a", "b", "c", "a", "d", "e", "f", "g", "h", "i", "j", "k", "l"]]
    assert documents_of(passages) == ["b", "a", "c", "d", "e", "f", "g", "h", "i", "j"]


# ---- golden sets


def test_a_heading_that_is_the_query_is_not_indexed(folder: Path) -> None:
    _, lamp, payment = datasets.read_corpus(folder).documents
    assert lamp.markdown == "## Lamp\n\nThe warranty covers the lamp."
    assert payment.markdown == "Pay by transfer."


def test_text_with_unicode_line_separators_stays_one_record(tmp_path: Path) -> None:
    _write_lines(tmp_path / "corpus.jsonl", [{"_id": "1", "text": "one\u2028two\x85three"}])
    assert [each.text for each in datasets.read_corpus(tmp_path).documents] == ["one\u2028two\x85three"]


@pytest.mark.parametrize("content", ["", "not json\n", '["a list"]\n', '{"_id": "1"}\n'])
def test_a_broken_corpus_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "corpus.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"corpus\.jsonl|lacks"):
        datasets.read_corpus(tmp_path)


def test_a_document_with_nothing_but_a_title_is_found_by_it_and_one_without_both_is_left_out(tmp_path: Path) -> None:
    lines = [{"_id": "1", "title": "", "text": " "}, {"_id": "2", "title": "Wings", "text": ""}, *CORPUS]
    _write_lines(tmp_path / "corpus.jsonl", lines)
    corpus = datasets.read_corpus(tmp_path)
    assert corpus.without_text == ["1"]
    assert [each.id for each in corpus.documents] == ["2", "d1", "d2", "d3"]
    assert corpus.documents[0].markdown == "Wings"


def test_a_corpus_of_nothing_but_empty_documents_is_a_clear_error(tmp_path: Path) -> None:
    _write_lines(tmp_path / "corpus.jsonl", [{"_id": "1", "title": "", "text": ""}])
    with pytest.raises(DatasetError, match=r"corpus\.jsonl holds no text"):
        datasets.read_corpus(tmp_path)


async def test_what_was_left_out_of_the_corpus_stands_in_the_report(client: Dragoman, folder: Path) -> None:
    pytest.importorskip("ir_measures", reason="the extra `bench` is not installed")
    _write_lines(folder / "corpus.jsonl", [*CORPUS, {"_id": "empty", "text": ""}])
    report = await evaluate_retrieval(client, RetrievalTask(folder=folder), lambda *_: None)
    assert report.as_json()["documents"] == 3
    assert report.as_json()["documents_without_text"] == ["empty"]


def test_judgements_of_grade_zero_are_none(folder: Path) -> None:
    assert datasets.read_qrels(folder / "qrels.tsv") == {"q1": {"d1": 1}, "q2": {"d2": 1}}


def test_questions_of_both_forms_are_read(tmp_path: Path) -> None:
    german = tmp_path / "de"
    german.mkdir()
    _write_lines(german / "queries.jsonl", [{"_id": "q1", "text": "Wann?", "answers": ["42 Tage"], "passage": "d1"}])
    _write_lines(tmp_path / "queries.jsonl", QUERIES)
    (question,) = datasets.read_questions(german / "queries.jsonl", corpus_answers=tmp_path / "queries.jsonl")
    assert (question.language, question.documents, question.answers) == ("de", ["d1"], ["42 Tage", "42 days"])
    record = {"id": "x", "language": "tr", "question": "?", "answerable": False, "document": None, "answers": []}
    _write_lines(tmp_path / "questions.jsonl", [record])
    (unanswerable,) = datasets.read_questions(tmp_path / "questions.jsonl")
    assert (unanswerable.answerable, unanswerable.documents, unanswerable.language) == (False, [], "tr")


# ---- runs


async def test_retrieval_is_measured_through_a_scratch_chatbot_that_is_kept(
    client: Dragoman, fake: FakeDragoman, folder: Path
) -> None:
    pytest.importorskip("ir_measures", reason="the extra `bench` is not installed")
    steps: list[str] = []
    task = RetrievalTask(folder=folder, mode="dense")
    report = await evaluate_retrieval(client, task, lambda done, total, what: steps.append(what))
    assert (report.queries, report.mode, report.scratch.was_reused) == (2, "dense", False)
    assert report.metrics["hit@1"] == 1.0
    assert set(steps) == {"uploading", "reading", "searching"}
    stored = {each["external_id"]: each for each in fake.documents.values()}
    assert set(stored) == {"d1", "d2", "d3"}
    assert (stored["d1"]["title"], stored["d2"]["title"]) == (scratch.NO_TITLE, "Warranty")

    again = await evaluate_retrieval(client, RetrievalTask(folder=folder, drop=True), lambda *_: None)
    assert again.scratch.was_reused
    assert again.as_json()["documents_per_s"] == report.as_json()["documents_per_s"]
    assert [each["name"] for each in fake.chatbots.values()] == ["Knowledge"]


async def test_another_corpus_setting_or_embedding_version_is_another_scratch_chatbot(
    client: Dragoman, fake: FakeDragoman, folder: Path
) -> None:
    async def name(**settings: Any) -> str:
        files = scratch.corpus_files(datasets.read_corpus(folder).documents)
        made = await scratch.prepare(client, files, settings=settings, fresh=False, on_progress=lambda *_: None)
        return made.name

    first = await name()
    assert await name(max_quotes=1) == first  # nothing that vectors depend on
    others = {await name(chunk_tokens=128)}
    fake.embedding_version = "other"
    others.add(await name())
    _write_lines(folder / "corpus.jsonl", CORPUS[:2])
    others.add(await name())
    assert len(others | {first}) == 4


async def test_an_interrupted_ingestion_goes_on(client: Dragoman, fake: FakeDragoman, folder: Path) -> None:
    files = scratch.corpus_files(datasets.read_corpus(folder).documents)
    made = await scratch.prepare(client, files, settings={}, fresh=False, on_progress=lambda *_: None)
    fake.chatbots[str(made.chatbot_id)]["description"] = ""  # as if the end had never come
    kept = dict(list(fake.documents.items())[:2])
    fake.documents = dict(kept)
    again = await scratch.prepare(client, files, settings={}, fresh=False, on_progress=lambda *_: None)
    assert again.chatbot_id == made.chatbot_id
    assert set(kept) < set(fake.documents)
    assert len(fake.documents) == 3


async def test_a_document_that_cannot_be_read_ends_the_evaluation(client: Dragoman, tmp_path: Path) -> None:
    bad = tmp_path / "bad.md"
    bad.write_text("x", encoding="utf-8")
    files = [scratch.CorpusFile(external_id="bad", source=bad)]
    with pytest.raises(IngestionFailedError, match="'bad' cannot be read: The file is damaged"):
        await scratch.prepare(client, files, settings={}, fresh=False, on_progress=lambda *_: None)


async def test_queries_that_match_no_judgement_are_an_error(client: Dragoman, folder: Path) -> None:
    pytest.importorskip("ir_measures", reason="the extra `bench` is not installed")
    _write_lines(folder / "other.jsonl", [{"_id": "else", "text": "x"}])
    with pytest.raises(DatasetError, match="ids do not match"):
        await evaluate_retrieval(client, RetrievalTask(folder=folder, queries=folder / "other.jsonl"), lambda *_: None)


async def test_answers_are_judged_by_phrase_document_and_language(
    client: Dragoman, fake: FakeDragoman, tmp_path: Path
) -> None:
    knowledge = tmp_path / "knowledge" / "policies"
    knowledge.mkdir(parents=True)
    (knowledge / "returns.md").write_text("Goods may be returned within 42 days.", encoding="utf-8")
    (knowledge / "warranty.md").write_text("Our warranty lasts a year.", encoding="utf-8")
    questions = [
        _question("1", "en", "Goods returned when?", ["42 days"], "policies/returns.md"),
        _question("2", "en", "warranty?", ["two years"], "policies/warranty.md"),
        _question("3", "de", "Rücknahmefrist?", ["42 days"], "policies/returns.md"),
        _question("4", "de", "Wer ist Batman?", [], None),
        _question("5", "en", "Are goods alive?", [], None),
    ]
    _write_lines(tmp_path / "questions.jsonl", questions)
    report = await evaluate_answers(client, AnswersTask(folder=tmp_path), lambda *_: None)
    overall = {name: report.overall[name] for name in ("questions", "answerable", "contains_answer", "cited_right")}
    assert overall == {"questions": 5, "answerable": 3, "contains_answer": 0.3333, "cited_right": 0.6667}
    assert (report.overall["dont_know_answerable"], report.overall["dont_know_unanswerable"]) == (0.3333, 0.5)
    assert report.by_language["de"]["dont_know_answerable"] == 1.0
    assert sorted(each.question.id for each in report.judged if each.is_failure) == ["2", "3", "5"]
    assert len(fake.chatbots) == 2  # the default chatbot was left as it is


async def test_the_default_chatbot_is_asked_where_it_holds_the_knowledge(
    client: Dragoman, fake: FakeDragoman, tmp_path: Path
) -> None:
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "a.md").write_text("Goods", encoding="utf-8")
    fake.add_document({"external_id": "a.md"}, "a.md", b"Goods")
    fake.polls_until_ready = 0
    _write_lines(tmp_path / "questions.jsonl", [_question("1", "en", "goods", ["goods"], "a.md")])
    report = await evaluate_answers(client, AnswersTask(folder=tmp_path, drop=True), lambda *_: None)
    assert report.overall["contains_answer"] == 1.0
    assert len(fake.chatbots) == 1


@pytest.mark.parametrize(("without", "known"), [(None, 0.0), ("document", 0.5), ("group", 1.0)])
async def test_questions_are_asked_without_what_answers_them(
    client: Dragoman, tmp_path: Path, without: Literal["document", "group"] | None, known: float
) -> None:
    (tmp_path / "knowledge").mkdir()
    for name, text in (("1-1", "Looms rattle."), ("1-2", "Looms hum."), ("2-1", "Reeds bend.")):
        (tmp_path / "knowledge" / name).write_text(text, encoding="utf-8")
    questions = [
        _question("1", "en", "looms", ["rattle", "hum"], "1-1"),
        _question("2", "en", "reeds", ["bend"], "2-1"),
    ]
    _write_lines(tmp_path / "questions.jsonl", questions)
    report = await evaluate_answers(client, AnswersTask(folder=tmp_path, without=without), lambda *_: None)
    key = "dont_know_answerable" if without is None else "dont_know_unanswerable"
    assert report.overall[key] == known


def _question(question_id: str, language: str, text: str, answers: list[str], document: str | None) -> dict[str, Any]:
    return {
        "id": question_id,
        "language": language,
        "question": text,
        "answerable": bool(answers),
        "document": document,
        "answers": answers,
        "category": "same-language",
    }


def _write_lines(file: Path, records: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
