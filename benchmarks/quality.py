"""How well hybrid searches find, beside other libraries that are given the same texts and the same vectors.

The corpora are ingested by a Dragoman of its own and searched over HTTP. Its chunks, each as it is embedded (under title
and headings), are the passages that the others rank, with the same vectors of passages and questions (embedder `cached`).
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg

from benchmarks import cached_embedder
from benchmarks.figures import Show
from benchmarks.instance import Instance, running
from benchmarks.quality_packs import Pack, QuestionSet, packs
from dragoman.client import Dragoman
from dragoman.evaluation import metrics, scratch
from dragoman.ingestion.embed import chunk_input
from dragoman.understanding import expansion

_PEERS = ("langchain", "llamaindex", "haystack", "txtai")
_PASSAGES = 50  # of which several may come from one document
_DOCUMENTS = 10
_PEER_LIMIT_S = 1800.0
_LEARNING_LIMIT_S = 300.0
_ROUNDING = 0.0005  # of figures with three places


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to search with Dragoman; `everywhere`: for the questions across languages too."""

    name: str
    mode: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    sentence_vectors: bool = True
    everywhere: bool = False


WAYS = (
    Way(name="dense", mode="dense", everywhere=True),
    Way(name="keyword", mode="keyword"),
    Way(name="hybrid", mode="hybrid", everywhere=True),
    Way(name="hybrid, re-ranker `sentences`", mode="hybrid", settings={"reranker": "sentences"}, everywhere=True),
    Way(name="dense, no sentence vectors", mode="dense", sentence_vectors=False),
    Way(name="hybrid, no sentence vectors", mode="hybrid", sentence_vectors=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table. `ms`: the time of one search as its caller sees it, the vector of the question known."""

    engine: str
    ndcg: float
    recall: float
    ms: float


def quality(data: Path, show: Show) -> None:
    """A table for each set of questions, then the summary."""
    chosen = [name for name in os.environ.get("DRAGOMAN_BENCH_PACKS", "").split(",") if name]
    started, tables = time.monotonic(), {}
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        environment = cached_embedder.on_path(Path(folder) / "named")
        # Every search is asked once; what differs between two ways are settings that come and go.
        environment |= {"DRAGOMAN_SEARCH_CACHE_S": "0"}
        with running(Path(folder) / "home", "--no-sample", **environment) as instance:
            measured = [pack for pack in packs(data) if not chosen or pack.name in chosen]
            for pack in measured:
                asyncio.run(_ingest(show, instance, pack))
            _wait_until_names_are_known(instance)
            for pack in measured:
                for questions, rows in asyncio.run(_measure(show, instance, pack)):
                    _show_table(show, pack, questions, rows)
                    tables[questions.name] = (questions, rows)
    _show_summary(show, list(tables.values()))
    spent = os.times()  # of the service and the others too, once they have ended
    show("minutes", round((time.monotonic() - started) / 60, 1))
    show("processor minutes, without the database", round(sum(spent[:4]) / 60, 1))


async def _ingest(show: Show, instance: Instance, pack: Pack) -> None:
    """The chatbots of the pack, each asked once: that lets it learn the names that its documents tell."""
    files = scratch.corpus_files(pack.documents)
    async with Dragoman(instance.url, api_key=instance.api_key) as client:
        for with_sentences in (True, False):
            settings = {"sentence_vectors": with_sentences}
            prepared = await scratch.prepare(client, files, settings=settings, fresh=False, on_progress=lambda *_: None)
            await client.search(pack.sets[0].questions[0].text, chatbot_id=prepared.chatbot_id)
            indexed, kind = prepared.indexed, "with" if with_sentences else "without"
            figures = f"{indexed.documents} documents, {indexed.chunks} chunks, {indexed.seconds:.0f} s"
            show(f"{pack.name}, ingested {kind} sentence vectors", figures)


def _wait_until_names_are_known(instance: Instance) -> None:
    """Until every search uses the other names that its chatbot has learned: or ways measured later would be others."""
    started = time.monotonic()
    with psycopg.connect(instance.variable("DRAGOMAN_DATABASE_URL"), autocommit=True) as connection:
        while connection.execute(_LEARNING, (expansion.LEARN_EXPANSIONS,)).fetchone():
            assert time.monotonic() - started < _LEARNING_LIMIT_S, "names are still being learned"
            time.sleep(1.0)
    time.sleep(expansion.KEPT_S + 1.0)


_LEARNING = "select from jobs where kind = %s and state in ('queued', 'running') limit 1"


async def _measure(show: Show, instance: Instance, pack: Pack) -> list[tuple[QuestionSet, list[Row]]]:
    rows: dict[str, list[Row]] = {questions.name: [] for questions in pack.sets}
    files = scratch.corpus_files(pack.documents)
    chatbots: dict[bool, UUID] = {}
    async with Dragoman(instance.url, api_key=instance.api_key) as client:
        for way in WAYS:
            settings = {"sentence_vectors": way.sentence_vectors, "reranker": "none", **way.settings}
            prepared = await scratch.prepare(client, files, settings=settings, fresh=False, on_progress=lambda *_: None)
            chatbots[way.sentence_vectors] = prepared.chatbot_id
            for questions in pack.sets:
                if questions.is_main or way.everywhere:
                    rows[questions.name].append(_search(instance, prepared.chatbot_id, way, questions))
    peers = await _peers(show, instance, pack, chatbots[True])
    return [(questions, rows[questions.name] + peers.get(questions.name, [])) for questions in pack.sets]


def _search(instance: Instance, chatbot_id: UUID, way: Way, questions: QuestionSet) -> Row:
    rankings: dict[str, list[str]] = {}
    latencies_ms: list[float] = []
    with instance.http() as http:
        for number, asked in enumerate(
            [questions.questions[0], *questions.questions]
        ):  # the first opens the connection
            body: dict[str, Any] = {"query": asked.text, "chatbot_id": str(chatbot_id), "mode": way.mode}
            body["max_results"] = _PASSAGES
            if asked.history:
                body["history"] = [{"role": "user", "content": said} for said in asked.history]
            started = time.perf_counter()
            answer = http.post("/api/search", json=body)
            took_ms = (time.perf_counter() - started) * 1000
            if answer.is_error:
                sys.exit(f"{questions.name}, {way.name}: {answer.status_code} {answer.text[:500]}")
            found = answer.json()
            assert not found["degraded"], found["degraded"]
            rankings[asked.id] = list(dict.fromkeys(hit["external_id"] for hit in found["results"]))[:_DOCUMENTS]
            if number:
                latencies_ms.append(took_ms)
    return _row(f"dragoman: {way.name}", questions, rankings, statistics.median(latencies_ms))


def _row(engine: str, questions: QuestionSet, rankings: Mapping[str, Sequence[str]], ms: float) -> Row:
    found = metrics.retrieval_metrics(questions.qrels, rankings)
    return Row(engine=engine, ndcg=found["ndcg@10"], recall=found["recall@5"], ms=ms)


# ---- the others


async def _peers(show: Show, instance: Instance, pack: Pack, chatbot_id: UUID) -> dict[str, list[Row]]:
    python = os.environ.get("DRAGOMAN_BENCH_PEERS_PYTHON")
    if not python:
        show(
            "others", "not run: set DRAGOMAN_BENCH_PEERS_PYTHON to a Python that has them (benchmarks/quality_peers.py)"
        )
        return {}
    rows: dict[str, list[Row]] = {questions.name: [] for questions in pack.sets}
    with tempfile.TemporaryDirectory(prefix="dragoman-peers-") as folder:
        places = await _write_pack(instance, pack, chatbot_id, Path(folder))
        for peer in _PEERS:
            result = _run_peer(show, python, peer, Path(folder))
            for depth, rankings in (result or {}).get("rankings", {}).items():
                ms = result["seconds"][depth] * 1000 / len(rankings)
                for questions in pack.sets:
                    asked = {each.id: places[each.text] for each in questions.questions}
                    if max(asked.values()) < len(rankings):
                        ranked = {name: rankings[place] for name, place in asked.items()}
                        rows[questions.name].append(_row(f"{peer}, {depth} candidates an arm", questions, ranked, ms))
    return rows


async def _write_pack(instance: Instance, pack: Pack, chatbot_id: UUID, folder: Path) -> dict[str, int]:
    """Writes the texts and vectors; gives the place of each question."""
    main = [each.text for questions in pack.sets if questions.is_main for each in questions.questions]
    others = [each.text for questions in pack.sets if not questions.is_main for each in questions.questions]
    # The same words in two sets are one question; those of the main sets come first.
    asked, measured_twice = list(dict.fromkeys([*main, *others])), len(set(main))
    documents, texts = _passages(instance, chatbot_id)
    embedder = cached_embedder.Adapter(cached_embedder.Settings())
    np.savez(
        folder / "vectors.npz",
        passages=await embedder.embed_passages(texts),
        questions=await embedder.embed_queries(asked),
    )
    await embedder.close()
    content = {"texts": texts, "documents": documents, "questions": asked, "measured_twice": measured_twice}
    (folder / "pack.json").write_text(json.dumps(content), encoding="utf-8")
    return {text: place for place, text in enumerate(asked)}


def _passages(instance: Instance, chatbot_id: UUID) -> tuple[list[str], list[str]]:
    """The chunks of a chatbot: the ids of their documents, and their texts as they were embedded."""
    with psycopg.connect(instance.roles()["api"].environ()["DRAGOMAN_DATABASE_URL"]) as connection:
        found = connection.execute(
            "select d.external_id, d.title, c.heading_path, c.text from chunks c join documents d "
            "on d.tenant_id = c.tenant_id and d.live_version_id = c.version_id "
            "where d.chatbot_id = %s order by d.external_id, c.ordinal",
            (chatbot_id,),
        ).fetchall()
    return [row[0] for row in found], [chunk_input(*row[1:]) for row in found]


def _run_peer(show: Show, python: str, peer: str, folder: Path) -> Any:
    # -P: or modules of this folder stand before those of the standard library that have the same name.
    command = [python, "-P", str(Path(__file__).parent / "quality_peers.py"), peer, str(folder)]
    environment = {**os.environ, "ANONYMIZED_TELEMETRY": "False", "HAYSTACK_TELEMETRY_ENABLED": "False"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=_PEER_LIMIT_S)
    if done.returncode:
        show(peer, f"failed: {done.stderr.strip()[-500:]}")
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


# ---- what is printed


def _show_table(show: Show, pack: Pack, questions: QuestionSet, rows: Sequence[Row]) -> None:
    size = f"{len(pack.documents)} documents" + (f" of {pack.of}" if pack.of > len(pack.documents) else "")
    show(f"\n{questions.name}", f"{len(questions.questions)} questions, {size}\n")
    print("| engine | nDCG@10 | recall@5 | ms a question |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row.engine} | {row.ndcg:.4f} | {row.recall:.4f} | {row.ms:.1f} |", flush=True)


def _show_summary(show: Show, tables: Sequence[tuple[QuestionSet, Sequence[Row]]]) -> None:
    """For each set: hybrid, the better of its arms, the best figure of another engine; and means over the groups."""
    print("\n| questions | hybrid | the better arm | with `sentences` | best other |\n| --- | --- | --- | --- | --- |")
    for questions, rows in tables:
        print(f"| {questions.name} | {_summary(rows)} |")
    for group in dict.fromkeys(questions.group for questions, _ in tables if not questions.is_main):
        together = [rows for questions, rows in tables if questions.group == group and not questions.is_main]
        mean = [
            Row(
                engine=same[0].engine,
                ndcg=statistics.fmean(row.ndcg for row in same),
                recall=statistics.fmean(row.recall for row in same),
                ms=statistics.fmean(row.ms for row in same),
            )
            for same in zip(*together, strict=True)
        ]
        print(f"| {group}, mean of {len(together)} | {_summary(mean)} |")
    _show_below_dense(show, tables)
    main = [{row.engine: row.ndcg for row in rows} for questions, rows in tables if questions.is_main]
    for engine in main[0] if main else ():
        show(f"mean nDCG@10 of the main sets, {engine}", f"{statistics.fmean(row[engine] for row in main):.4f}")


def _show_below_dense(show: Show, tables: Sequence[tuple[QuestionSet, Sequence[Row]]]) -> None:
    """The sets whose hybrid figure is below that of the dense arm, and by how much."""
    below = []
    for questions, rows in tables:
        ndcg = {row.engine: row.ndcg for row in rows}
        less = ndcg["dragoman: dense"] - ndcg["dragoman: hybrid"]
        if less > _ROUNDING:
            below.append(f"{questions.name} by {less:.3f} ({len(questions.questions)} questions)")
    show(f"hybrid below the dense arm, {len(below)} of {len(tables)} sets", "; ".join(below) or "none")


def _summary(rows: Sequence[Row]) -> str:
    ours = {way.name: row.ndcg for way in WAYS for row in rows if row.engine == f"dragoman: {way.name}"}
    arms = [ours[name] for name in ("dense", "keyword") if name in ours]
    others = sorted(((row.ndcg, row.engine) for row in rows if not row.engine.startswith("dragoman")), reverse=True)
    best = f"{others[0][0]:.3f} ({others[0][1]})" if others else "not run"
    return f"{ours['hybrid']:.3f} | {max(arms):.3f} | {ours['hybrid, re-ranker `sentences`']:.3f} | {best}"
