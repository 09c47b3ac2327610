"""Grafana's dashboards and Prometheus' rules, against a real Prometheus that scrapes a real instance under load."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from benchmarks import dashboards

_DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_FILES = sorted((_DEPLOY / "grafana").glob("*.json"))
_needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed (apt-get install prometheus)"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not under pytest's own folders: as root, PostgreSQL runs as a user who may not pass through them."""
    with tempfile.TemporaryDirectory(prefix="dragoman-test-", ignore_cleanup_errors=True) as made:
        yield Path(made)


@_needs_prometheus
def test_every_query_of_the_dashboards_has_data_after_a_short_run(folder: Path) -> None:
    with dashboards.scraped_instance(folder, interval_s=1) as (instance, prometheus):
        queries = [*dashboards.panel_queries("30s"), *dashboards.rule_queries()]
        bad: list[dashboards.Checked] = []
        for _ in range(6):
            dashboards.work(instance, seconds=4)
            bad = [each for each in dashboards.check(prometheus, queries) if not each.is_good]
            if not bad:
                break
        assert [(each.query.where, each.query.expression, each.error) for each in bad] == []
        assert set(dashboards.targets_up(prometheus).values()) == {"up"}
        roles = httpx.get(f"{prometheus.base_url}/api/v1/label/role/values").json()["data"]
        assert roles == ["api", "embedder", "scheduler", "worker"]


@_needs_prometheus
def test_a_query_that_is_wrong_or_finds_nothing_is_seen(folder: Path) -> None:
    with dashboards._prometheus(folder, 1, 1) as url, httpx.Client(base_url=url) as prometheus:
        wrong, empty, silent = dashboards.check(
            prometheus,
            [
                dashboards.Query(where="wrong", expression="sum(", must_have_data=True),
                dashboards.Query(where="empty", expression="no_such_metric", must_have_data=True),
                dashboards.Query(where="silent", expression="no_such_metric > 1", must_have_data=False),
            ],
        )
    assert "parse error" in wrong.error
    assert (wrong.is_good, empty.is_good, silent.is_good) == (False, False, True)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)")
def test_promtool_accepts_the_configuration() -> None:
    command = ["promtool", "check", "config", str(_DEPLOY / "prometheus" / "prometheus.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr + checked.stdout


def test_there_are_four_dashboards_with_a_choice_of_the_data_source() -> None:
    assert [file.stem for file in _FILES] == ["cost", "ingestion", "retrieval", "service"]
    documents = [json.loads(file.read_text()) for file in _FILES]
    assert len({document["uid"] for document in documents}) == 4
    for document in documents:
        names = {variable["name"]: variable["type"] for variable in document["templating"]["list"]}
        assert names == {"datasource": "datasource", "job": "query"}


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_every_panel_has_a_title_a_unit_a_legend_and_a_place_of_its_own(file: Path) -> None:
    panels = json.loads(file.read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["legendFormat"] and 'job=~"$job"' in target["expr"] for target in panel["targets"])
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells
    assert len({panel["title"] for panel in panels}) == len(panels)
