"""Writes judged answers as files that RAGAS and DeepEval load, to be measured by their metrics too.

RAGAS: `EvaluationDataset.from_jsonl(path)`. DeepEval: `EvaluationDataset().add_test_cases_from_json_file(...)` with each key
under its own name. Both read with the machine's usual encoding or UTF-8: all is written in ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from dragoman.evaluation.answers import Judged
from dragoman.evaluation.metrics import without_markers

REFUSAL: Final = "The documents do not answer this question."
"""What is expected of an answer to a question that cannot be answered."""


def write(judged: Sequence[Judged], format: Literal["ragas", "deepeval"], folder: Path) -> Path:  # noqa: A002 - as the option says
    """Write `ragas.jsonl` or `deepeval.json` into the folder, which is made where it is missing; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    if format == "ragas":
        path = folder / "ragas.jsonl"
        text = "".join(json.dumps(_ragas_sample(each)) + "\n" for each in judged)
    else:
        path = folder / "deepeval.json"
        text = json.dumps([_deepeval_case(each) for each in judged], indent=1) + "\n"
    path.write_text(text, encoding="ascii")
    return path


def _ragas_sample(judged: Judged) -> dict[str, Any]:
    """A `SingleTurnSample`. Lone surrogates, which a model may write, have no place in its text."""
    return {
        "user_input": _sound(judged.question.text),
        "response": _sound(without_markers(judged.answer.content)),
        "retrieved_contexts": [_sound(text) for text in judged.contexts],
        "reference": _reference(judged),
        "reference_contexts": [_sound(text) for text in judged.reference_contexts],
    }


def _deepeval_case(judged: Judged) -> dict[str, Any]:
    """An `LLMTestCase`."""
    return {
        "input": _sound(judged.question.text),
        "actual_output": _sound(without_markers(judged.answer.content)),
        "expected_output": _reference(judged),
        "retrieval_context": [_sound(text) for text in judged.contexts],
        "context": [_sound(text) for text in judged.reference_contexts],
    }


def _reference(judged: Judged) -> str:
    answers = judged.question.answers
    return _sound(answers[0]) if judged.question.answerable and answers else REFUSAL


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
