"""Secrets are compared in a time that tells nothing of them; SECURITY.md names tests that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_PROJECT = Path(__file__).parents[2]
_SECRET_NAMES = re.compile(
    r"(^|_)(secret|token|password|passphrase|csrf|nonce|signature|mac|hmac|digest|hash|seal|credential|verifier|api_key)$"
)
_COMPARED_IN_SQL = re.compile(r"(^|/)(repository|tables)\.py$")
_NO_SECRETS = {
    "tenancy/audit_log/chain.py": "hashes of events, which whoever reads the log knows; seals are compared by hmac",
    "tenancy/audit_log/verification.py": "the same",
    "accounts/schemas.py": "whether a field was given at all",
}
_PLACES = re.compile(
    r"^(accounts|tenancy|connectors|privacy|openai_api|insights/alerts|kit|entrypoints|deps)/|^search/analytics"
)

Explain = Callable[[list[tuple[str, int, str]]], str]


def _compared(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each value with the name of a secret that `==` or `!=` compares with more than a literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(sign, ast.Eq | ast.NotEq) for sign in node.ops):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) for side in sides):
                continue
            for side in sides:
                name = _name_of(side)
                if name is not None and _SECRET_NAMES.search(name):
                    yield node.lineno, name


def _name_of(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Call(func=function):
            return _name_of(function)
        case _:
            return None


def test_secrets_are_compared_in_constant_time(sources: list[Any], explain: Explain) -> None:
    """`hmac.compare_digest`, or a look-up by hash in the database."""
    found = [
        (source.place, line, f"{name}: use hmac.compare_digest")
        for source in sources
        if _PLACES.search(source.place)
        and not _COMPARED_IN_SQL.search(source.place)
        and source.place not in _NO_SECRETS
        for line, name in _compared(source.tree)
        if not source.is_waived(line)
    ]
    assert not found, explain(found)


def test_what_is_excepted_still_compares_so(sources: list[Any]) -> None:
    named = {source.place: source for source in sources if source.place in _NO_SECRETS}
    assert set(named) == set(_NO_SECRETS)
    for place in ("tenancy/audit_log/chain.py", "tenancy/audit_log/verification.py"):
        assert list(_compared(named[place].tree)), place


@pytest.mark.parametrize(
    "code", ["if a.token == b: ...", "x = given_secret != secret", "kept['state_hash'] == hash_of(x)", "mac(x) == y"]
)
def test_a_plain_comparison_would_be_seen(code: str) -> None:
    assert list(_compared(ast.parse(code)))


@pytest.mark.parametrize("code", ["token == ''", "page_number == 3", "token is None", "tokens == limit"])
def test_what_compares_no_secret_is_left_alone(code: str) -> None:
    assert not list(_compared(ast.parse(code)))


def test_bytes_or_ascii_are_compared(sources: list[Any], explain: Explain) -> None:
    """`hmac.compare_digest` raises for text beyond ASCII: what somebody else wrote is encoded before."""
    found = [
        (source.place, node.lineno, ast.unparse(node))
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and _name_of(node) == "compare_digest"
        and any(isinstance(each, ast.Call) and _name_of(each) == "str" for each in node.args)
        and not source.is_waived(node.lineno)
    ]
    assert not found, explain(found)


# ---- SECURITY.md


def _rows() -> list[tuple[str, list[str]]]:
    """Threat and what holds it, of each row of the tables of threats."""
    text = (_PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"[STRIDE](, ?[STRIDE])*", cells[0]):
            found.append((cells[1], re.findall(r"`([^`]+)`", cells[3])))
    return found


def test_each_threat_names_the_tests_that_hold_it() -> None:
    rows = _rows()
    assert len(rows) > 30, "the tables were not found"
    unheld = [threat for threat, held in rows if not any(each.startswith("tests/") for each in held)]
    assert not unheld, f"SECURITY.md names no test for: {unheld}"


def test_each_test_that_security_names_exists() -> None:
    absent = []
    for threat, held in _rows():
        for each in held:
            path, _, name = each.partition("::")
            file = _PROJECT / path
            if not file.is_file():
                absent.append(f"{threat}: {path}")
            elif name and f"def {name}(" not in file.read_text(encoding="utf-8"):
                absent.append(f"{threat}: {each}")
            elif not name:
                absent.append(f"{threat}: {path} names no test in it, as {path}::test_…")
    assert not absent, "\n".join(absent)
