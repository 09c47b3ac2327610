"""Schemathesis over the whole OpenAPI document, as each role: no server error, and no answer that it does not declare.

`DRAGOMAN_TEST_FUZZ_S` sets the seconds for all roles together (`make fuzz`: 20 minutes).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import serving

from dragoman.tenancy.entities import Role

_BUDGET_S = float(os.environ.get("DRAGOMAN_TEST_FUZZ_S", "75"))
_SEED = 20260101
_CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


@pytest.fixture(autouse=True)
async def _jobs_run(service: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """As beside a worker; and the stream of document events ends after its first event instead of half an hour."""
    monkeypatch.setattr("dragoman.imports.watch.LONGEST_S", 0.0)

    async def work() -> None:
        while True:
            await service.run_jobs()
            await asyncio.sleep(0.5)

    working = asyncio.create_task(work())
    yield
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
async def test_no_input_makes_a_server_error_or_an_undeclared_answer(
    service: Any, company: Any, role: Role, tmp_path: Path
) -> None:
    await company.upload()
    report = tmp_path / "report.json"
    async with serving(service) as url:
        code, output = await _fuzz(url, company.secrets[role.value], _SEED + list(Role).index(role), report)
    assert code == 0, output[-20_000:]
    tested = json.loads(report.read_text())
    print(f"{role.value}: {tested['test_cases']['generated']} requests in {tested['running_time']:.0f} s")
    assert tested["operations"]["errored"] == 0


async def _fuzz(url: str, secret: str, seed: int, report: Path) -> tuple[int, str]:
    """Schemathesis' exit code (0: all checks passed) and what it printed."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
        *("--header", f"X-API-Key: {secret}"),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *("--checks", ",".join(_CHECKS)),
        *("--max-time", str(max(1, round(_BUDGET_S / len(Role))))),
        *("--seed", str(seed), "--no-color", "--continue-on-failure", "--suppress-health-check", "all"),
        *("--request-timeout", "60", "--warnings", "off"),
        *("--report", "json", "--report-json-path", str(report)),
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=report.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")
