"""What a search costs beyond the embedding model: questions never asked before, one after the other, over HTTP.

The bundled model, real texts with a vector for each sentence, one connection. Beside it the same embedder process is asked
for the vectors of other unseen questions as long as those, and for nothing else.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.figures import Show, p50_p95, percentile
from benchmarks.instance import Instance, running
from benchmarks.search import drive
from dragoman.client import Dragoman
from dragoman.evaluation import datasets, scratch
from dragoman.kit import registry

PACK = "partner-center-a/en"
QUESTIONS_OF = (PACK, "mtrag-cloud", "cranfield", "xquad-a/en")
_ROUNDS, _A_ROUND, _TO_WARM_UP = 4, 60, 40
_MODES = ("hybrid", "dense")
_LIMIT_S = 120.0


def latency(data: Path, show: Show) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder,
        running(Path(folder) / "home", "--no-sample") as instance,
    ):
        chatbot_id = ingest_pack(instance, data / PACK, show)
        warm, *dealt = deal(english_questions(data), shares=len(_MODES) + 1)
        search(instance, chatbot_id, warm, "hybrid")
        asyncio.run(embed_alone(instance, warm))
        whole: dict[str, list[float]] = {mode: [] for mode in _MODES}
        model: dict[str, list[float]] = {mode: [] for mode in _MODES}
        alone: list[float] = []
        spent_s: dict[str, Counter[str]] = {mode: Counter() for mode in _MODES}
        for number in range(_ROUNDS):  # in turns, so that what else the machine does meets all of them
            part = slice(number * _A_ROUND, (number + 1) * _A_ROUND)
            for mode, questions in zip(_MODES, dealt, strict=False):
                before = instance.cpu_by_role()
                for whole_ms, timings_ms in search(instance, chatbot_id, questions[part], mode):
                    whole[mode].append(whole_ms)
                    model[mode].append(timings_ms["embed"])
                spent_s[mode].update({role: now - before[role] for role, now in instance.cpu_by_role().items()})
            alone += asyncio.run(embed_alone(instance, dealt[-1][part]))
    show("the model alone, over its socket", f"{p50_p95(alone)} ({len(alone)} questions)")
    for mode in _MODES:
        beyond = [of_all - of_model for of_all, of_model in zip(whole[mode], model[mode], strict=True)]
        show(f"{mode}, whole", f"{p50_p95(whole[mode])} ({len(whole[mode])} questions)")
        show(f"{mode}, its step `embed`", p50_p95(model[mode]))
        show(f"{mode}, beyond that step", p50_p95(beyond))
        difference = percentile(whole[mode], 0.5) - percentile(alone, 0.5)
        show(f"{mode}, p50 less that of the model alone", f"{difference:.1f} ms")
        each = {role: seconds * 1000 / len(whole[mode]) for role, seconds in spent_s[mode].most_common()}
        show(f"{mode}, processor ms a search", ", ".join(f"{role} {ms:.1f}" for role, ms in each.items() if ms >= 0.1))


def ingest_pack(instance: Instance, folder: Path, show: Show, *, most: int | None = None) -> UUID:
    """A chatbot that holds the corpus of the pack, or so many of its documents."""
    documents = datasets.read_corpus(folder).documents[:most]

    async def prepare() -> scratch.Scratch:
        async with Dragoman(instance.url, api_key=instance.api_key) as client:
            files = scratch.corpus_files(documents)
            return await scratch.prepare(client, files, settings={}, fresh=False, on_progress=lambda *_: None)

    prepared = asyncio.run(prepare())
    indexed = prepared.indexed
    show("knowledge", f"{indexed.documents} documents, {indexed.chunks} chunks, ingested in {indexed.seconds:.0f} s")
    return prepared.chatbot_id


def english_questions(data: Path) -> list[str]:
    """Those of the packs, each once."""
    files = [data / name / "queries.jsonl" for name in QUESTIONS_OF]
    return list(dict.fromkeys(query.text for file in files for query in datasets.read_queries(file)))


def deal(questions: Iterable[str], *, shares: int) -> list[list[str]]:
    """Some to warm up with, then shares of questions as long as one another's, each in an order of chance."""
    chance = random.Random(7)
    by_length = sorted(questions, key=lambda text: (len(text), text))
    warm = chance.sample(by_length, _TO_WARM_UP)
    left = [text for text in by_length if text not in set(warm)]
    dealt = [left[share::shares] for share in range(shares)]
    for share in dealt:
        chance.shuffle(share)
    return [warm, *dealt]


def search(
    instance: Instance, chatbot_id: UUID, questions: Sequence[str], mode: str
) -> list[tuple[float, dict[str, float]]]:
    """For each question the milliseconds that its asker waits, and those of the steps."""
    requests: list[dict[str, Any]] = [
        {
            "path": "/api/search",
            "headers": {"X-API-Key": instance.api_key},
            "body": {"query": question, "chatbot_id": str(chatbot_id), "mode": mode, "max_results": 10},
        }
        for question in questions
    ]
    result = drive(instance.port, requests, seconds=_LIMIT_S, connections=1, kept=len(requests), once=True)
    assert not result["errors"], result["errors"]
    assert len(result["answers"]) == len(questions), f"not all were answered within {_LIMIT_S:.0f} s"
    found = []
    for number, answer in result["answers"].items():
        content = json.loads(answer)
        assert not content["cached"], content["query"]
        assert not content["degraded"], content["degraded"]
        found.append((result["kept_ms"][number], content["timings_ms"]))
    return found


async def embed_alone(instance: Instance, questions: Sequence[str]) -> list[float]:
    """For each question the milliseconds until its vector came from the instance's embedder process."""
    embedder = registry.create("embedder", "socket", {"path": instance.variable("DRAGOMAN_EMBEDDER_SOCKET")})
    await embedder.embed_queries(["warm"])
    took = []
    for question in questions:
        started = time.perf_counter()
        await embedder.embed_queries([question])
        took.append((time.perf_counter() - started) * 1000)
    await embedder.close()
    return took
