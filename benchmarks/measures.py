"""The measurements, one function each; every one prints its figures as lines of `name: value`."""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks import audit as chains
from benchmarks import bigfiles as large
from benchmarks import dashboards as panels
from benchmarks import defences as injections
from benchmarks import feedback as opinions
from benchmarks import grounding as groundings
from benchmarks import guards as guarding
from benchmarks import ingest as bulk
from benchmarks import insights as years
from benchmarks import isolation as apart
from benchmarks import pipeline as shares
from benchmarks import quality as qualities
from benchmarks import search as searches
from benchmarks import search_beside_ingestion as besides
from benchmarks import search_growth as growths
from benchmarks import search_latency as latencies
from benchmarks import semantic_cache as similar_questions
from benchmarks import streams as many_streams
from benchmarks import understanding as questions
from benchmarks import untraced as spans
from benchmarks import web as pages
from benchmarks.figures import percentile, show
from benchmarks.instance import Instance, running

_REPOSITORY = Path(__file__).resolve().parents[1]
_DATA = Path(os.environ.get("DRAGOMAN_BENCH_DATA") or _REPOSITORY.parent / "shared" / "data")
_UNTIL_IDLE_S = 75.0  # the processes that read documents leave after 60 s without one


def start() -> None:
    """First start with the sample, then three later starts; memory when idle; time to the first streamed event."""
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        home = Path(folder) / "home"
        with running(home) as instance:
            show("first start, seconds until ready", round(instance.ready_s, 1))
            show("first start, seconds until the sample is searchable", round(instance.seeded_s, 1))
            first_event(instance)
            time.sleep(_UNTIL_IDLE_S)
            memory(instance)
        later = []
        for _ in range(3):
            with running(home) as instance:
                later.append(instance.ready_s)
        show("later start, seconds until ready (median of 3)", round(statistics.median(later), 1))


def memory(instance: Instance) -> None:
    """Sum of PSS of everything that `up` started, in MiB."""
    total = 0.0
    for process in instance.processes():
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        pss = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        total += pss
        show(f"PSS MiB of {' '.join(process.cmdline()[-2:])[:60] or process.name()}", round(pss, 1))
    show("PSS MiB in all", round(total, 1))


def first_event(instance: Instance) -> None:
    """Time from the request to the first `token` event and to the end, over the sample's questions, one at a time."""
    lines = (_REPOSITORY / "examples" / "questions.jsonl").read_text().splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    to_event, to_token, to_end = [], [], []
    with instance.http() as http:
        for number, question in enumerate(questions):
            session = http.post("/api/chatbot/sessions/", json={}).json()["id"]
            started = time.perf_counter()
            event_s = token_s = None
            path = f"/api/chatbot/sessions/{session}/messages/stream/"
            with http.stream("POST", path, json={"message": question}) as response:
                for line in response.iter_lines():
                    if line.startswith("data:") and event_s is None:
                        event_s = time.perf_counter() - started
                    if '"type": "token"' in line and token_s is None:
                        token_s = time.perf_counter() - started
            if number >= 10:  # the first ten warm it up
                to_event.append(event_s or 0.0)
                to_token.append(token_s or 0.0)
                to_end.append(time.perf_counter() - started)
    for name, values in (("event", to_event), ("token", to_token)):
        show(f"first {name}, ms p50", round(statistics.median(values) * 1000))
        show(f"first {name}, ms p95", round(percentile(values, 0.95) * 1000))
    show("whole answer, ms p50", round(statistics.median(to_end) * 1000))
    show("whole answer, ms p95", round(percentile(to_end, 0.95) * 1000))


def pipeline() -> None:
    """The pipeline's own share of a bulk import with the bundled model: 2,000 Markdown files, against embedding alone."""
    _require_data()
    shares.pipeline(_DATA / "partner-center-a", show)


def kill() -> None:
    """kill -9 of the worker, five times at random, while 200 documents are ingested."""
    with (
        tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder,
        running(Path(folder) / "home", "--no-sample") as instance,
        instance.http() as http,
    ):
        for number in range(200):
            content = f"# Note {number}\n\nThe code word of note {number} is quokka{number}. It was chosen by hand.\n"
            files = {"file": (f"note-{number}.md", content.encode())}
            assert http.post("/api/chatbot/documents/", files=files).status_code == 202
        kills = 0
        chance = random.Random(7)
        started = time.monotonic()
        while (ready := _ready(http)) < 200 and time.monotonic() - started < 600:
            if kills < 5 and ready < 190:
                time.sleep(chance.uniform(0.5, 3.0))
                if worker := instance.roles().get("worker"):
                    worker.send_signal(signal.SIGKILL)
                    kills += 1
            time.sleep(0.2)
        show("kills", kills)
        show("documents ready", _ready(http))
        found = sum(_finds(http, number) for number in range(200))
        show("documents found by their own code word", found)
        documents = http.get("/api/chatbot/documents/", params={"limit": 200}).json()["documents"]
        show("documents with other than one chunk", sum(document["total_chunks"] != 1 for document in documents))
        show("seconds", round(time.monotonic() - started))


def _ready(http) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    return int(http.get("/api/chatbot/documents/", params={"state": "ready", "limit": 1}).json()["total"])


def _finds(http, number: int) -> bool:  # type: ignore[no-untyped-def]  # noqa: ANN001
    body = {"query": f"quokka{number}", "mode": "keyword"}
    results = http.post("/api/search", json=body).json()["results"]
    texts = [hit["content"] for hit in results]
    return any(f"quokka{number}." in content for content in texts) and len(texts) == len(set(texts))


def retrieval(names: Sequence[str] = ("xquad-a", "partner-center-a")) -> None:
    """`dragoman eval retrieval` on the evaluation data beside the project."""
    _require_data()
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        with running(Path(folder) / "home", "--no-sample") as instance:
            if "xquad-a" in names:
                for language in ("en", "es", "de", "ru", "hi", "th", "zh", "ar"):
                    queries = _DATA / "xquad-a" / language / "queries.jsonl"
                    for mode in ("hybrid", "dense") if language in ("en", "de") else ("hybrid",):
                        _eval(instance, "retrieval", _DATA / "xquad-a" / "en", "--queries", queries, "--mode", mode)
                _eval(instance, "answers", _DATA / "xquad-a" / "en")
            if "partner-center-a" in names:
                for language in ("en", "de", "fr"):
                    for mode in ("hybrid", "dense", "keyword"):
                        _eval(instance, "retrieval", _DATA / "partner-center-a" / language, "--mode", mode)


def _require_data() -> None:
    if not _DATA.is_dir():
        sys.exit(f"The evaluation data is not at {_DATA}. DRAGOMAN_BENCH_DATA says where it is.")


def answers() -> None:
    """`dragoman eval answers` on the questions about the sample knowledge."""
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder, running(Path(folder) / "home") as instance:
        _eval(
            instance, "answers", _REPOSITORY / "examples", "--questions", _REPOSITORY / "examples" / "questions.jsonl"
        )


def grounding() -> None:
    """Planted falsehoods in 200 answers: recall of the grounding check by kind, and false alarms."""
    _require_data()
    groundings.grounding(_DATA, show)


def semantic_cache() -> None:
    """Paraphrases and look-alikes: which questions the answer cache takes for the same."""
    similar_questions.semantic_cache(_DATA if _DATA.is_dir() else None, show)


def _eval(instance: Instance, kind: str, *arguments: object) -> None:
    command = [sys.executable, "-m", "dragoman", "eval", kind, *map(str, arguments), "--json"]
    command += ["--url", instance.url, "--api-key", instance.api_key]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    show(
        " ".join(
            [
                kind,
                *(Path(str(a)).parent.name + "/" + Path(str(a)).name if "/" in str(a) else str(a) for a in arguments),
            ]
        ),
        result.stdout.strip() or result.stderr.strip(),
    )


def ingest() -> None:
    """2,000 Markdown files with the embedder `hashing`, beside LangChain, LlamaIndex and Haystack in the same run."""
    _require_data()
    bulk.ingest(_DATA / "partner-center-a", show)


def bigfiles() -> None:
    """A 500-page PDF, a 100,000-row CSV and a 25 MB text: memory, progress, and searches meanwhile."""
    large.bigfiles(show)


def search() -> None:
    """Searches over HTTP among 50 tenants with 100,000 chunks, beside Chroma, LanceDB, FAISS and bare pgvector."""
    searches.search(show)


def latency() -> None:
    """What a search costs beyond the embedding model: questions never asked before, end to end, one at a time."""
    _require_data()
    latencies.latency(_DATA, show)


def beside() -> None:
    """Searches while documents are ingested with the bundled model, against searches of an idle instance."""
    _require_data()
    besides.beside(_DATA, show)


def understanding() -> None:
    """The language of questions, and follow-ups completed without a language model."""
    _require_data()
    questions.understanding(_DATA, show)


def growth() -> None:
    """How the time of a search grows with its chatbot: 10,000 to 100,000 vectors, 1,000 to 100,000 real texts."""
    _require_data()
    growths.growth(_DATA, show)


def quality() -> None:
    """How well hybrid searches find, beside LangChain, LlamaIndex, Haystack and txtai with the same texts and vectors."""
    _require_data()
    qualities.quality(_DATA, show)


def streams() -> None:
    """Streamed answers of the scripted model: 500 open at once, stopped, and as many as it can."""
    many_streams.streams(show)


def defences() -> None:
    """Prompt injections, direct and in documents, with the defences and without; honest questions taken for them."""
    _require_data()
    injections.defences(_DATA, show, local_model=os.environ.get("DRAGOMAN_BENCH_LOCAL_MODEL"))


def dashboards() -> None:
    """Every query of Grafana's dashboards and Prometheus' rules, on a real Prometheus after two minutes of load."""
    panels.dashboards(show)


def isolation() -> None:
    """8 clients, 4 tenants, 10,000 mixed requests with ids of others: foreign rows, and what foreign ids open."""
    apart.measure()


def guards() -> None:
    """Processor time that authentication, limits, metrics, audit, safe headers and bounds add to a search."""
    guarding.guards(show)


def audit() -> None:
    """How long verifying an audit log of 100,000 events takes, and how much memory."""
    chains.audit_log(show)


def untraced() -> None:
    """What tracing costs a turn while it is off."""
    spans.untraced(show)


def insights() -> None:
    """What counting costs, and how fast the analytics of a year with two million turns are read."""
    years.run(show)


def topics() -> None:
    """Questions with known topics, grouped as an improvement report groups them."""
    _require_data()
    opinions.topics(_DATA, show)


def feedback() -> None:
    """A year of feedback summed up: 1,000,000 turns, 100,000 of them rated."""
    opinions.year(show)


def web() -> None:
    """The web application: what a first visit loads, and how soon it shows something."""
    pages.web(show)


MEASURES: dict[str, Callable[[], None]] = {
    "start": start,
    "pipeline": pipeline,
    "kill": kill,
    "ingest": ingest,
    "bigfiles": bigfiles,
    "search": search,
    "latency": latency,
    "beside": beside,
    "growth": growth,
    "streams": streams,
    "quality": quality,
    "understanding": understanding,
    "answers": answers,
    "grounding": grounding,
    "defences": defences,
    "isolation": isolation,
    "guards": guards,
    "retrieval": retrieval,
    "semantic_cache": semantic_cache,
    "dashboards": dashboards,
    "audit": audit,
    "untraced": untraced,
    "insights": insights,
    "topics": topics,
    "feedback": feedback,
    "web": web,
}


def machine() -> str:
    return (
        f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, Python {sys.version.split()[0]}"
    )
