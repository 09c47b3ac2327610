"""Asks the advisory service whether a package of the lock files has a known vulnerability: `python checks/dependencies.py`.

pip-audit does the asking (of PyPI, or of OSV with `--service osv`), of what the lock files pin: nothing is installed for it.
Exit code 1: there is a vulnerability. Where the service cannot be asked, that is said, and nothing fails: a check that
fails without the internet would be switched off. What was found clean is not asked again on the same day.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_LOCKS = ("requirements/run.lock", "requirements/dev.lock")
_IGNORED = _ROOT / "checks" / "ignored_advisories.txt"
_REMEMBERED = Path(".venv") / "dependencies-checked.json"
_LIMIT_S = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", default="pypi", choices=("pypi", "osv"))
    parser.add_argument("--again", action="store_true", help="ask even if nothing was found today")
    given = parser.parse_args(arguments)
    locks = [_ROOT / name for name in _LOCKS]
    stamp = {
        "day": datetime.now(UTC).date().isoformat(),
        "locks": _digest([*locks, _IGNORED]),
        "service": given.service,
    }
    if not given.again and _remembered() == stamp:
        print("Dependencies: no known vulnerability, as of today.")
        return 0
    report = audit(locks, given.service)
    if report is None:
        return 0
    code = tell(report, ignored())
    if code == 0 and asked_of(report) and _REMEMBERED.parent.is_dir():
        _REMEMBERED.write_text(json.dumps(stamp))
    return code


def audit(locks: Sequence[Path], service: str) -> list[dict[str, Any]] | None:
    """What pip-audit says of each pinned package; None where the service cannot be asked, which is told."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--disable-pip"]
    command += ["--no-deps", "--vulnerability-service", service, "--timeout", "10"]
    for lock in locks:
        command += ["--requirement", str(lock)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False, env=os.environ)
        report: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        print(f"Dependencies: NOT checked: the advisory service did not answer within {_LIMIT_S:.0f} s.")
        return None
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"Dependencies: NOT checked: the advisory service cannot be asked ({reason[:200]}).")
        return None
    return report


def asked_of(report: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The packages of which the service knew something to say."""
    return [package for package in report if "skip_reason" not in package]


def tell(report: Sequence[dict[str, Any]], ignored_ids: set[str]) -> int:
    """Print what was found; the exit code."""
    asked = asked_of(report)
    found = [
        (package, advisory)
        for package in asked
        for advisory in package.get("vulns", ())
        if not ignored_ids & {advisory["id"], *advisory.get("aliases", ())}
    ]
    for package, advisory in found:
        fixed = ", ".join(advisory.get("fix_versions", ())) or "no version yet"
        print(f"{package['name']} {package['version']}: {advisory['id']}, fixed in {fixed}")
    if found:
        print(f"Dependencies: {len(found)} known vulnerabilities. Raise the pins, or say why not in {_IGNORED.name}.")
        return 1
    if not asked:
        print(f"Dependencies: NOT checked: the advisory service knows none of the {len(report)} packages (a mirror?).")
        return 0
    unknown = len(report) - len(asked)
    print(
        f"Dependencies: no known vulnerability in {len(asked)} packages" + (f"; {unknown} unknown." if unknown else ".")
    )
    return 0


def ignored() -> set[str]:
    """Advisories that were looked at and do not concern this code: one a line, the reason behind `#`."""
    lines = (re.sub("#.*", "", line).strip() for line in _IGNORED.read_text().splitlines())
    return set(filter(None, lines))


def _digest(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _remembered() -> Any:
    try:
        return json.loads(_REMEMBERED.read_text())
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
