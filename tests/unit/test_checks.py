"""The checks of `make check` that are our own: secrets in files, and known vulnerabilities of dependencies."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dragoman.tenancy.access import new_secret

_CHECKS = Path(__file__).resolve().parents[2] / "checks"


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"checks_{name}", _CHECKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VULNERABLE = {
    "name": "lamp",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}],
}
CLEAN = {"name": "bulb", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "ours", "version": "1.0", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("report", "ignored", "code", "said"),
    [
        ([CLEAN, VULNERABLE], set(), 1, "lamp 1.0: PYSEC-1, fixed in 2"),
        ([CLEAN, VULNERABLE], {"CVE-1"}, 0, "no known vulnerability in 2"),
        ([CLEAN, UNKNOWN], set(), 0, "no known vulnerability in 1 packages; 1 unknown."),
        ([UNKNOWN], set(), 0, "NOT checked"),
    ],
)
def test_a_vulnerability_fails_and_an_unknown_package_does_not(
    report: list[Any], ignored: set[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _module("dependencies").tell(report, ignored) == code
    assert said in capsys.readouterr().out


def test_without_the_service_it_says_that_nothing_was_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dependencies = _module("dependencies")
    away = subprocess.CompletedProcess((), 1, stdout="", stderr="Connection refused")
    monkeypatch.setattr(dependencies.subprocess, "run", lambda *_, **__: away)
    assert dependencies.main(["--again"]) == 0
    assert "NOT checked: the advisory service cannot be asked (Connection refused)" in capsys.readouterr().out


def test_the_shape_of_our_own_keys_is_known() -> None:
    (shape,) = _module("own_keys").DragomanKeyDetector.denylist
    assert all(shape.search(f"X-API-Key: {new_secret()}") for _ in range(20))
    assert not shape.search("X-API-Key: dgm_…")
