"""The source as the architecture tests read it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

import dragoman

ROOT = Path(dragoman.__file__).parent


@dataclass(frozen=True)
class Source:
    """A module. A line that ends with `# architecture: <reason>` is waived."""

    path: Path

    @property
    def place(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    def is_waived(self, line: int) -> bool:
        _, mark, reason = self.lines[line - 1].partition("# architecture: ")
        return bool(mark) and len(reason) > 10

    def names_imported(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of each import: `from a import b` is `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)

    def names_used(self) -> Iterator[tuple[int, str]]:
        """Line and last part of each name or attribute that the code mentions."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                yield node.lineno, node.id
            elif isinstance(node, ast.Attribute):
                yield node.lineno, node.attr


Found = list[tuple[str, int, str]]


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    found = [Source(path) for path in sorted(ROOT.rglob("*.py"))]
    assert len(found) > 80, "the source was not found"
    return found


@pytest.fixture(scope="session")
def explain() -> Callable[[Found], str]:
    """What was found where, one a line, for the message of a failed test."""
    return lambda found: "\n" + "\n".join(f"  {place}:{line}: {what}" for place, line, what in found)
