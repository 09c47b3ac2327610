"""What `eval answers` says beyond right and wrong: support, citations, refusals; and the files for RAGAS and DeepEval."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from dragoman.client import Answer, Dragoman
from dragoman.evaluation import export
from dragoman.evaluation.answers import AnswersTask, Judged, evaluate_answers, judge, summarise
from dragoman.evaluation.citations import support_of
from dragoman.evaluation.datasets import Question

from .conftest import KEY, FakeDragoman, create_fake_app
from .test_evaluation import _question, _write_lines


def sentence(*, grounded: bool, sources: list[int], spans: list[int] = (), **more: Any) -> dict[str, Any]:  # type: ignore[assignment]
    places = [{"number": number, "start": 0, "end": 5} for number in spans]
    return {"start": 0, "end": 9, "grounded": grounded, "score": 0.9, "sources": sources, "spans": places, **more}


def answer(*cited: str, answered: bool = True, sentences: list[dict[str, Any]] = (), **more: Any) -> Answer:  # type: ignore[assignment]
    sources = [
        {
            "number": number, "doc_id": uuid4(), "title": "", "excerpt": "x", "chunk_id": uuid4(), "file_name": "",
            "external_id": name, "page": None, "heading_path": [], "language": "en", "start": 0, "end": 1,
            "document_start": 0, "images": [], "similarity_score": 0.5,
        }
        for number, name in enumerate(cited, start=1)
    ]  # fmt: skip
    return Answer.model_validate(
        {
            "id": uuid4(), "session_id": uuid4(), "parent_id": None, "role": "assistant", "state": "complete",
            "content": "It is so [1].", "language": "en", "sources": sources, "tokens_used": 0, "response_time": 0.1,
            "created_at": "2026-01-01T00:00:00Z", "answered": answered, "confidence": 0.9, "usage": {}, "timings": {},
            "grounding": {"method": "sentences", "sentences": list(sentences)}, "degraded": [], "model": "m", **more,
        }
    )  # fmt: skip


def question(*, answerable: bool = True, **fields: Any) -> Question:
    values = {"id": "1", "language": "en", "text": "When?", "documents": ["a"], "answers": ["so"]}
    return Question(**{**values, **fields}, answerable=answerable)


def test_citation_recall_and_precision_are_those_of_alce() -> None:
    told = answer(
        "a", "b", "c",
        sentences=[
            sentence(grounded=True, sources=[1, 2], spans=[1]),  # 2 does not support it
            sentence(grounded=True, sources=[]),  # supported, not cited
            sentence(grounded=False, sources=[3], judge=0.2),  # cited, not supported
            sentence(grounded=True, sources=[2], spans=[2], judge=0.9),
            sentence(grounded=True, sources=[], claims=False),  # states nothing: counts nowhere
        ],
    )  # fmt: skip
    found = support_of(told, ["a", "z"])
    assert found.faithfulness == 3 / 4
    assert found.judge_faithfulness == 1 / 2
    assert found.citation_recall == 2 / 4
    assert found.citation_precision == 2 / 4
    assert found.gold_precision == 1 / 3
    assert found.gold_recall == 1 / 2


def test_a_refusal_has_no_citations_to_be_precise_and_finds_nothing() -> None:
    found = support_of(answer(answered=False), ["a"])
    assert (found.gold_recall, found.gold_precision, found.faithfulness, found.citation_recall) == (
        0.0,
        None,
        None,
        None,
    )
    assert support_of(answer(answered=False), []).gold_recall is None


def test_figures_are_means_over_what_they_speak_of() -> None:
    good = judge(question(), answer("a", sentences=[sentence(grounded=True, sources=[1], spans=[1])], quality=0.8), 1.0)
    refused = judge(question(), answer(answered=False, quality=0.2), 1.0)
    invented = judge(question(answerable=False), answer("b", sentences=[sentence(grounded=False, sources=[1])]), 1.0)
    found = summarise([good, refused, invented])
    assert (found["faithfulness"], found["citation_recall"], found["citation_precision"]) == (0.5, 0.5, 0.5)
    assert (found["gold_precision"], found["gold_recall"]) == (1.0, 0.5)
    assert (found["dont_know_answerable"], found["dont_know_unanswerable"]) == (0.5, 0.0)
    assert (found["quality"], found["judge_faithfulness"]) == (0.5, None)


# --- exports


def judged() -> list[Judged]:
    hard = answer("a", content="It is\u2028“so” [1], 保証 \ud800.")
    return [
        Judged(
            question=question(text="Wann? \U0001f600"), answer=hard, seconds=1.0, contains=True, f1=1.0, cited_right=True,
            contexts=["Zeile eins\nZeile zwei", "保証"], reference_contexts=["gold"],
        ),
        Judged(
            question=question(answerable=False, answers=[]), answer=answer(answered=False), seconds=1.0, contains=False,
            f1=0.0, cited_right=False,
        ),
    ]  # fmt: skip


def test_an_export_for_ragas_holds_samples_of_one_turn(tmp_path: Path) -> None:
    path = export.write(judged(), "ragas", tmp_path / "new")
    first, second = map(json.loads, path.read_text(encoding="ascii").splitlines())
    assert first == {
        "user_input": "Wann? \U0001f600",
        "response": "It is\u2028“so”, 保証 ?.",
        "retrieved_contexts": ["Zeile eins\nZeile zwei", "保証"],
        "reference": "so",
        "reference_contexts": ["gold"],
    }
    assert (second["reference"], second["retrieved_contexts"]) == (export.REFUSAL, [])


def test_an_export_for_deepeval_holds_test_cases(tmp_path: Path) -> None:
    first, second = json.loads(export.write(judged(), "deepeval", tmp_path).read_text(encoding="ascii"))
    assert set(first) == {"input", "actual_output", "expected_output", "retrieval_context", "context"}
    assert (first["context"], first["expected_output"], first["retrieval_context"][1]) == (["gold"], "so", "保証")
    assert second["expected_output"] == export.REFUSAL


_LOAD_RAGAS = """
import sys
from ragas import EvaluationDataset
samples = EvaluationDataset.from_jsonl(sys.argv[1]).samples
print(len(samples), type(samples[0]).__name__, samples[0].retrieved_contexts[1] == "\\u4fdd\\u8a3c", samples[0].reference)
"""
_LOAD_DEEPEVAL = """
import sys
from deepeval.dataset import EvaluationDataset
data = EvaluationDataset()
keys = {"input_key_name": "input", "actual_output_key_name": "actual_output", "expected_output_key_name": "expected_output",
        "context_key_name": "context", "retrieval_context_key_name": "retrieval_context"}
data.add_test_cases_from_json_file(file_path=sys.argv[1], **keys)
case = data.test_cases[0]
print(len(data.test_cases), type(case).__name__, str(case.retrieval_context[1]) == "\\u4fdd\\u8a3c", case.expected_output)
"""


@pytest.mark.parametrize(
    ("package", "code", "kind"),
    [("ragas", _LOAD_RAGAS, "SingleTurnSample"), ("deepeval", _LOAD_DEEPEVAL, "LLMTestCase")],
)
def test_their_own_loaders_read_the_export(tmp_path: Path, package: str, code: str, kind: str) -> None:
    """With DRAGOMAN_TEST_EVAL_PYTHON another Python than this one loads it: both packages want much that we do not."""
    python = os.environ.get("DRAGOMAN_TEST_EVAL_PYTHON", "")
    if not python and importlib.util.find_spec(package) is None:
        pytest.skip(f"needs the package {package}, here or where DRAGOMAN_TEST_EVAL_PYTHON says")
    path = export.write(judged(), package, tmp_path)  # type: ignore[arg-type]
    quiet = {**os.environ, "DEEPEVAL_TELEMETRY_OPT_OUT": "YES", "RAGAS_DO_NOT_TRACK": "true"}
    quiet.pop("PYTHONPATH", None)
    ran = subprocess.run(
        [python or sys.executable, "-c", code, str(path)], env=quiet, cwd=tmp_path, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert ran.stdout.splitlines()[-1:] == [f"2 {kind} True so"], ran.stderr[-2000:]


# --- through a server


@pytest.fixture
async def client(fake: FakeDragoman) -> AsyncIterator[Dragoman]:
    transport = httpx.ASGITransport(app=create_fake_app(fake))
    async with Dragoman("http://dragoman.test", KEY, transport=transport) as client:
        yield client


async def test_several_files_of_questions_are_several_languages(
    client: Dragoman, fake: FakeDragoman, tmp_path: Path
) -> None:
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "returns.md").write_text("Goods may be returned within 42 days.", encoding="utf-8")
    files = []
    for language, words in (("en", ("Goods returned when?", "Goods may be?")), ("de", ("goods zurück?", "goods?"))):
        files.append(tmp_path / f"{language}.jsonl")
        _write_lines(
            files[-1],
            [_question(str(at), language, word, ["42 days"], "returns.md") for at, word in enumerate(words)],
        )
    task = AnswersTask(folder=tmp_path, questions=files, limit=1, with_contexts=True)
    report = await evaluate_answers(client, task, lambda *_: None)
    assert {language: figures["questions"] for language, figures in report.by_language.items()} == {"de": 1, "en": 1}
    assert report.overall["gold_recall"] == 1.0
    first = report.judged[0]
    assert first.contexts == ["Goods may be returned within 42 days."] == first.reference_contexts
    assert {search["max_results"] for search in fake.searches} == {5}
