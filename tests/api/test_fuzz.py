"""Schemathesis over the whole OpenAPI document, as each role: no server error, and no answer that it does not declare.

Then along the links of the document: what one operation made is shown, changed and deleted by others.

`DRAGOMAN_TEST_FUZZ_S` sets the seconds for all roles together (`make fuzz`: 20 minutes).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import serving

from dragoman.tenancy.entities import Role

_BUDGET_S = float(os.environ.get("DRAGOMAN_TEST_FUZZ_S", "75"))
_OF_CHAINS = 0.3  # of the budget
_CHAINS = {  # operations that make, show, change and delete, by who may
    Role.OWNER: r"^((create|get|update|delete|rotate|revoke)_(chatbot|session|key|service_account|widget_key|import"
    r"|alert_rule)|(create|get|update|remove)_user|(create|test|delete)_alert_channel|(invite_user|revoke_invitation)"
    r"|(upload|get|change|delete)_document)$",
    Role.MEMBER: r"^((create|get|update|delete|export)_session|list_messages|search|click_result|rate_search)$",
}
_ONLY_DECLARED_LINKS = "[phases.stateful.inference]\nalgorithms = []\n"
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
        code, output = await _fuzz(
            url,
            company.secrets[role.value],
            _SEED + list(Role).index(role),
            report,
            phases="examples,coverage,fuzzing,stateful",
            seconds=_BUDGET_S * (1 - _OF_CHAINS) / len(Role),
        )
    assert code == 0, output[-20_000:]
    tested = json.loads(report.read_text())
    print(f"{role.value}: {tested['test_cases']['generated']} requests in {tested['running_time']:.0f} s")
    assert tested["operations"]["errored"] == 0


@pytest.mark.parametrize("role", _CHAINS, ids=lambda role: role.value)
async def test_what_one_operation_made_goes_through_the_others(
    service: Any, company: Any, role: Role, tmp_path: Path
) -> None:
    """A successful answer to a request with an id in its path proves a chain: nothing was there that could be guessed."""
    (tmp_path / "schemathesis.toml").write_text(_ONLY_DECLARED_LINKS)
    report, recorded = tmp_path / "report.json", _Recorded(service.app)
    async with serving(replace(service, app=recorded)) as url:
        code, output = await _fuzz(
            url,
            company.secrets[role.value],
            _SEED,
            report,
            phases="stateful",
            options=("--include-operation-id-regex", _CHAINS[role], "--mode", "positive"),  # a refusal makes nothing
            seconds=_BUDGET_S * _OF_CHAINS / len(_CHAINS),
        )
    assert code == 0, output[-20_000:]
    covered = re.search(r"API Links:\s+(\d+) covered / (\d+) selected", output)
    assert covered is not None, output[-20_000:]
    print(f"{role.value}: {covered.group()}, {len(recorded.followed)} requests for what was made before")
    assert int(covered[1]) > 0, f"no link was followed: {covered.group()}"
    assert recorded.followed, "no chain ran"


class _Recorded:
    """The application; keeps the routes of requests that found what their path names."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.followed: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300 and scope.get("path_params"):
                self.followed.append(f"{scope['method']} {scope['route'].path}")
            await send(message)

        await self._app(scope, receive, sending)


async def _fuzz(
    url: str, secret: str, seed: int, report: Path, *, phases: str, seconds: float, options: Sequence[str] = ()
) -> tuple[int, str]:
    """Schemathesis' exit code (0: all checks passed) and what it printed."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
        *("--header", f"X-API-Key: {secret}"),
        *("--phases", phases, *options),
        *("--checks", ",".join(_CHECKS)),
        *("--max-time", str(max(1, round(seconds)))),
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
