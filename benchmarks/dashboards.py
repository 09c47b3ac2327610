"""Every query of the Grafana dashboards and of the Prometheus rules, asked of a real Prometheus after a run under load."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from benchmarks.instance import Instance, free_port, free_ports, running

_DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
_ROLES = 4
_VARIABLES = {"$job": ".+", "$__range": "2m"}
_ENVIRONMENT = {
    "DRAGOMAN_EMBEDDER": "hashing",  # this is about figures, not about meaning
    "DRAGOMAN_LLM": "scripted",
    "DRAGOMAN_LLM_SCRIPTED_REPLIES": '["Goods may be returned within 42 days [1]."]',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query with the place where it stands. `must_have_data`: of a panel; an alert that does not fire has none."""

    where: str
    expression: str
    must_have_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What Prometheus said to a query: an error, or how many series it returned."""

    query: Query
    error: str
    series: int

    @property
    def is_good(self) -> bool:
        return not self.error and (self.series > 0 or not self.query.must_have_data)


def panel_queries(rate_interval: str) -> list[Query]:
    """The queries of all dashboards as Grafana would send them."""
    found = []
    for file in sorted((_DEPLOY / "grafana").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"].replace("$__rate_interval", rate_interval)
                for name, value in _VARIABLES.items():
                    expression = expression.replace(name, value)
                found.append(Query(where=f"{file.stem}: {panel['title']}", expression=expression, must_have_data=True))
    return found


def rule_queries() -> list[Query]:
    """The expressions of the rules beside prometheus.yml; those that record must have data."""
    found = []
    for file in sorted((_DEPLOY / "prometheus").glob("rules*.yml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                name = rule.get("record") or rule["alert"]
                found.append(
                    Query(where=f"{file.name}: {name}", expression=rule["expr"], must_have_data="record" in rule)
                )
    return found


@contextmanager
def scraped_instance(folder: Path, *, interval_s: int) -> Iterator[tuple[Instance, httpx.Client]]:
    """A whole instance, and a client of a Prometheus that scrapes all of its roles, set up by deploy/prometheus."""
    first = free_ports(_ROLES)
    with (
        running(folder / "home", "--no-sample", **_ENVIRONMENT, DRAGOMAN_METRICS_PORT=str(first)) as instance,
        _prometheus(folder, first, interval_s) as url,
        httpx.Client(base_url=url, timeout=20) as prometheus,
    ):
        yield instance, prometheus


def work(instance: Instance, *, seconds: float, stop: Callable[[], bool] = lambda: False) -> int:
    """Uploads, searches, questions, streams and mistakes for so long; how many requests there were."""
    deadline, done = time.monotonic() + seconds, 0
    with instance.http() as http:
        session = http.post("/api/chatbot/sessions/", json={}).json()["id"]
        messages = f"/api/chatbot/sessions/{session}/messages/"
        while time.monotonic() < deadline and not stop():
            text = f"# Note {done}\n\nThe code word of note {done} is quokka{done}. Goods may be returned in 42 days.\n"
            http.post("/api/chatbot/documents/", files={"file": (f"note-{done}.md", text.encode())})
            for number in range(3):
                http.post("/api/search", json={"query": f"What is the code word of note {done - number}?"})
            http.post(messages, json={"message": "When may goods be returned?"})
            http.post(f"{messages}stream/", json={"message": f"And note {done}?"})
            http.get(f"/api/chatbot/documents/{session}/")  # no such document
            http.get("/api/chatbots/")
            done += 8
            time.sleep(0.2)
    return done


def check(prometheus: httpx.Client, queries: Sequence[Query]) -> list[Checked]:
    """Ask each query once."""
    return [_checked(prometheus, query) for query in queries]


def targets_up(prometheus: httpx.Client) -> dict[str, str]:
    """The health of each scraped address."""
    active = prometheus.get("/api/v1/targets").json()["data"]["activeTargets"]
    return {target["scrapeUrl"]: target["health"] for target in active}


def dashboards(show: Callable[[str, object], None], *, seconds: float = 120.0) -> None:
    """Two minutes of load, then every query."""
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        with scraped_instance(Path(folder), interval_s=15) as (instance, prometheus):
            show("requests", work(instance, seconds=seconds))
            checked = check(prometheus, [*panel_queries("60s"), *rule_queries()])
            show("processes scraped", sum(health == "up" for health in targets_up(prometheus).values()))
    show("queries of panels", sum(each.query.must_have_data for each in checked))
    show("queries of rules", sum(not each.query.must_have_data for each in checked))
    show("queries with an error", sum(bool(each.error) for each in checked))
    bad = [each for each in checked if not each.is_good]
    show("queries without data", len(bad))
    for each in bad:
        show(each.query.where, each.error or "no data")


def _checked(prometheus: httpx.Client, query: Query) -> Checked:
    answer: Mapping[str, Any] = prometheus.get("/api/v1/query", params={"query": query.expression}).json()
    if answer["status"] != "success":
        return Checked(query=query, error=str(answer["error"]), series=0)
    return Checked(query=query, error="", series=len(answer["data"]["result"]))


@contextmanager
def _prometheus(folder: Path, first_port: int, interval_s: int) -> Iterator[str]:
    program = shutil.which("prometheus")
    if program is None:
        raise FileNotFoundError("prometheus is not installed: apt-get install prometheus")
    shutil.copytree(_DEPLOY / "prometheus", folder / "prometheus")
    configuration = folder / "prometheus" / "prometheus.yml"
    settings = yaml.safe_load(configuration.read_text())
    settings["global"] = {"scrape_interval": f"{interval_s}s", "evaluation_interval": f"{interval_s}s"}
    for number, target in enumerate(settings["scrape_configs"][0]["static_configs"]):
        target["targets"] = [f"127.0.0.1:{first_port + number}"]
    configuration.write_text(yaml.safe_dump(settings))
    port = free_port()
    command = [
        program,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, folder / "prometheus.log")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"Prometheus did not start:\n{log.read_text()[-2000:]}")
