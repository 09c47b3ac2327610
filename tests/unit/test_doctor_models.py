"""What `dragoman doctor` says of language models: the one that is set, and each that is listed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dragoman.entrypoints import doctor
from dragoman.entrypoints.doctor import Finding, State
from dragoman.entrypoints.settings import Settings

MODELS = """
models:
  - {{ name: good, adapter: scripted, settings: {{ replies: [ready] }} }}
  - {{ name: bad, adapter: scripted, settings: {{ replies: [never], fail_with: {how} }} }}
"""


async def _examined(tmp_path: Path, llm: str | None, models: str) -> Finding:
    (tmp_path / "models.yaml").write_text(models)
    patient: Any = SimpleNamespace(settings=Settings(home=tmp_path, config_directory=tmp_path, llm=llm))
    return await doctor._llm(patient)


async def test_without_models_there_is_nothing_to_examine(tmp_path: Path) -> None:
    assert (await _examined(tmp_path, None, "models: []")).state is State.SKIP


@pytest.mark.parametrize(("llm", "state"), [("good", State.WARN), ("auto", State.WARN), ("bad", State.FAIL)])
async def test_each_listed_model_is_asked_and_the_one_that_is_set_decides(
    tmp_path: Path, llm: str, state: State
) -> None:
    found = await _examined(tmp_path, llm, MODELS.format(how="unavailable"))
    assert found.state is state
    assert "good: scripted answered" in found.message
    assert "bad: " in found.message
    assert "bad" in (found.remedy or "")


async def test_an_adapter_that_is_not_listed_is_asked_too(tmp_path: Path) -> None:
    found = await _examined(tmp_path, "scripted", "models: []")
    assert (found.state, found.message.startswith("scripted: scripted answered")) == (State.OK, True)


@pytest.mark.parametrize(("llm", "told"), [("auto", "no model is listed"), ("oracle", "there are: auto, ")])
async def test_a_setting_that_leads_nowhere_is_a_failure_that_says_so(tmp_path: Path, llm: str, told: str) -> None:
    found = await _examined(tmp_path, llm, "models: []")
    assert found.state is State.FAIL
    assert told in found.message
