"""Documents at the limit of what is accepted: how long they take, how much memory, and whether progress moves meanwhile."""

from __future__ import annotations

import csv
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.figures import Show
from benchmarks.instance import Instance, command_of, running

PDF_PAGES = 500
CSV_ROWS = 100_000
TXT_BYTES = 25_000_000
_SAMPLE_S = 0.2
_SEARCH_EVERY_S = 0.5
_LIMIT_S = 1500.0
_MIB = 1024 * 1024
_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_PLACES = ("Lisbon", "Oslo", "Turin", "Ghent", "Leeds", "Gdansk", "Porto", "Basel", "Graz", "Lyon")
_GOODS = ("valve", "pump", "filter", "gasket", "sensor", "relay", "hinge", "bracket", "nozzle", "spindle")


def bigfiles(show: Show) -> None:
    """A PDF of 500 pages, a CSV of 100,000 rows and a TXT of 25 MB with the embedder `hashing`, one after the other."""
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        for write in (write_pdf, write_csv, write_txt):
            path, questions = write(Path(folder))
            measure_file(path, questions, Path(folder) / path.suffix[1:], show)


def measure_file(path: Path, questions: Sequence[str], folder: Path, show: Show) -> None:
    """One file in an instance of its own.

    Args:
        path: the file.
        questions: words of which each is in one place of the file, from its beginning, middle and end.
        folder: for the instance.
        show: prints a figure.
    """
    folder.mkdir()
    with running(folder / "home", "--no-sample", DRAGOMAN_EMBEDDER="hashing") as instance, instance.http() as http:
        _ingest_small_note(http)
        watch = _Watch(instance=instance)
        started = time.perf_counter()
        document_id = _upload(http, path)
        uploaded_s = time.perf_counter() - started
        watch.until_read(http, document_id, started)
        name = f"{path.suffix[1:].upper()}, {path.stat().st_size / 1e6:.1f} MB"
        document = http.get(f"/api/chatbot/documents/{document_id}/").json()
        show(f"{name}: pages, chunks", f"{document['pages']}, {document['total_chunks']}")
        show(f"{name}: seconds of the upload", round(uploaded_s, 1))
        show(f"{name}: seconds until ready", round(watch.seconds, 1))
        show(f"{name}: seconds by step", {step: round(seconds, 1) for step, seconds in watch.step_s.items()})
        show(f"{name}: peak PSS MiB", {role: round(mib) for role, mib in sorted(watch.peak_pss_mib.items())})
        show(f"{name}: peak RSS MiB", {role: round(mib) for role, mib in sorted(watch.peak_rss_mib.items())})
        show(f"{name}: distinct values of progress", len(watch.values))
        show(f"{name}: longest pause without progress, seconds", f"{watch.longest_pause_s:.1f} (in {watch.paused_in})")
        show(f"{name}: searches meanwhile", len(watch.search_ms))
        if len(watch.search_ms) > 1:
            cuts = statistics.quantiles(watch.search_ms, n=20)
            show(f"{name}: search meanwhile, ms p50 / p95", f"{cuts[9]:.0f} / {cuts[18]:.0f}")
        show(f"{name}: searches that failed", watch.failed_searches)
        found = [question for question in questions if _finds(http, question)]
        show(f"{name}: code words found", f"{len(found)} of {len(questions)}")


def _ingest_small_note(http: httpx.Client) -> None:
    """So that the searches meanwhile have something to find."""
    files = {"file": ("note.md", b"# Opening hours\n\nThe counter in Lisbon is open from nine to five.\n")}
    document_id = http.post("/api/chatbot/documents/", files=files).json()["id"]
    while http.get(f"/api/chatbot/documents/{document_id}/").json()["state"] != "ready":
        time.sleep(0.1)


def _upload(http: httpx.Client, path: Path) -> str:
    with path.open("rb") as file:
        answer = http.post("/api/chatbot/documents/", files={"file": (path.name, file)}, timeout=300)
    if answer.status_code != 202:
        sys.exit(f"{path.name} was not accepted: {answer.text}")
    return str(answer.json()["id"])


def _finds(http: httpx.Client, word: str) -> bool:
    results = http.post("/api/search", json={"query": word, "mode": "keyword"}).json()["results"]
    return any(word in hit["content"] for hit in results)


# ---- watching


@dataclass(slots=True, kw_only=True)
class _Watch:
    """What was seen from the upload until the document was ready."""

    instance: Instance
    seconds: float = 0.0
    values: set[tuple[str, float]] = field(default_factory=set)
    step_s: dict[str, float] = field(default_factory=dict)
    longest_pause_s: float = 0.0
    paused_in: str = ""
    peak_pss_mib: dict[str, float] = field(default_factory=dict)
    peak_rss_mib: dict[str, float] = field(default_factory=dict)
    search_ms: list[float] = field(default_factory=list)
    failed_searches: int = 0
    _is_over: threading.Event = field(default_factory=threading.Event)

    def until_read(self, http: httpx.Client, document_id: str, started: float) -> None:
        others = [threading.Thread(target=work, daemon=True) for work in (self._sample_memory, self._search)]
        for thread in others:
            thread.start()
        try:
            self._follow(http, document_id, started)
        finally:
            self._is_over.set()
            for thread in others:
                thread.join()

    def _follow(self, http: httpx.Client, document_id: str, started: float) -> None:
        last: tuple[str, float] | None = None
        since = seen = time.perf_counter()
        while True:
            status = http.get(f"/api/chatbot/documents/{document_id}/status/").json()
            now = time.perf_counter()
            step, progress = status["step"], status["progress"]
            self.step_s[step] = self.step_s.get(step, 0.0) + now - seen
            seen = now
            if (step, progress) != last:
                if last is not None:
                    self._note_pause(now - since, last[0])
                last, since = (step, progress), now
                self.values.add(last)
            if status["state"] == "ready":
                self.seconds = now - started
                return
            if status["state"] == "failed" or now - started > _LIMIT_S:
                sys.exit(f"The document was not read after {now - started:.0f} s: {status}")
            time.sleep(_SAMPLE_S)

    def _note_pause(self, pause_s: float, step: str) -> None:
        if pause_s > self.longest_pause_s:
            self.longest_pause_s, self.paused_in = pause_s, step

    def _sample_memory(self) -> None:
        while not self._is_over.wait(_SAMPLE_S):
            pss: defaultdict[str, float] = defaultdict(float)
            rss: defaultdict[str, float] = defaultdict(float)
            for process in self.instance.processes():
                try:
                    name = _name(process)
                    pss[name] += _pss_mib(process)
                    rss[name] += process.memory_info().rss / _MIB
                except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                    continue
            for name, mib in pss.items():
                self.peak_pss_mib[name] = max(self.peak_pss_mib.get(name, 0.0), mib)
                self.peak_rss_mib[name] = max(self.peak_rss_mib.get(name, 0.0), rss[name])
            self.peak_pss_mib["all"] = max(self.peak_pss_mib.get("all", 0.0), sum(pss.values()))

    def _search(self) -> None:
        with self.instance.http() as http:
            while not self._is_over.wait(_SEARCH_EVERY_S):
                started = time.perf_counter()
                answer = http.post("/api/search", json={"query": "When is the counter in Lisbon open?"})
                self.search_ms.append((time.perf_counter() - started) * 1000)
                if answer.status_code != 200 or not answer.json()["results"]:
                    self.failed_searches += 1


def _name(process: psutil.Process) -> str:
    """`worker`, `reader`, `embedder`, …; all of PostgreSQL's processes are one."""
    command = command_of(process)
    if any("reader" in part for part in command[:-1]):
        return "readers"
    if command and "postgres" in command[0]:
        return "postgres"
    if command and "valkey" in command[0]:
        return "valkey"
    return "up" if "up" in command else (command or ["gone"])[-1]


def _pss_mib(process: psutil.Process) -> float:
    """Proportional set size: what processes share is counted in parts. Linux only."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


# ---- the files


def write_pdf(folder: Path) -> tuple[Path, Sequence[str]]:
    """500 pages of prose with headings, and a table on each tenth."""
    from fpdf import FPDF

    chance, prose = random.Random(1), _Prose(1)
    pdf = FPDF()
    pdf.set_title("The yearbook")
    for page in range(1, PDF_PAGES + 1):
        pdf.add_page()
        pdf.set_font("helvetica", "B", 14)
        pdf.cell(text=f"Section {page}", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("helvetica", size=10)
        code = f"The code word is wombat{page}."  # in the midst: on top of each page it would be a running head
        pdf.multi_cell(0, 5, "\n\n".join([prose.paragraphs(700), code, prose.paragraphs(700)]))
        if page % 10 == 0:
            pdf.ln(4)
            rows = [("Part", "Place", "Pieces"), *(_part(chance) for _ in range(8))]
            with pdf.table() as table:
                for row in rows:
                    table.row(row)
    path = folder / "yearbook.pdf"
    pdf.output(str(path))
    return path, [f"wombat{page}" for page in (1, PDF_PAGES // 2, PDF_PAGES)]


def _part(chance: random.Random) -> tuple[str, str, str]:
    return chance.choice(_GOODS), chance.choice(_PLACES), str(chance.randrange(10_000))


def write_csv(folder: Path) -> tuple[Path, Sequence[str]]:
    """100,000 rows of six columns."""
    chance = random.Random(2)
    path = folder / "orders.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("order", "part", "place", "pieces", "price in EUR", "remark"))
        for row in range(1, CSV_ROWS + 1):
            remark = f"packed by {chance.choice(_PLACES)} crew, to be checked in week {chance.randrange(1, 53)}"
            writer.writerow((f"ORD{row:06}", *_part(chance), f"{chance.randrange(100, 99_999) / 100:.2f}", remark))
    return path, [f"ORD{row:06}" for row in (1, CSV_ROWS // 2, CSV_ROWS)]


def write_txt(folder: Path) -> tuple[Path, Sequence[str]]:
    """25 MB of prose, with a code word at the beginning, in the middle and at the end."""
    prose = _Prose(3)
    path = folder / "chronicle.txt"
    words = iter(("wombat1", "wombat2", "wombat3"))
    marks = iter((0, TXT_BYTES // 2, TXT_BYTES - 10_000, TXT_BYTES * 2))
    mark, size = next(marks), 0
    with path.open("w", encoding="ascii") as file:
        while size < TXT_BYTES - 3000:
            if size >= mark:
                size += file.write(f"The code word of this place is {next(words)}.\n\n")
                mark = next(marks)
            size += file.write(prose.paragraphs(2000) + "\n\n")
    return path, ["wombat1", "wombat2", "wombat3"]


class _Prose:
    """Sentences of the words of the sample knowledge, as frequent as there: no sense, but the shape of a text."""

    def __init__(self, seed: int) -> None:
        texts = [file.read_text(encoding="utf-8") for file in sorted(_EXAMPLES.rglob("*.md"))]
        self._words = re.findall(r"[a-z]{2,}", " ".join(texts).lower())
        self._chance = random.Random(seed)

    def paragraphs(self, characters: int) -> str:
        parts: list[str] = []
        while sum(map(len, parts)) < characters:
            parts.append(" ".join(self._sentence() for _ in range(self._chance.randrange(3, 7))))
        return "\n\n".join(parts)

    def _sentence(self) -> str:
        return " ".join(self._chance.choices(self._words, k=self._chance.randrange(6, 20))).capitalize() + "."


if __name__ == "__main__":

    def _print(name: str, value: Any) -> None:
        print(f"{name}: {value}", flush=True)

    bigfiles(_print)
