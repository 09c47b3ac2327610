"""Makes the synchronous client, `dragoman.client.sync`, from the asynchronous one: `python -m dragoman.client.twin`.

Each module with something asynchronous in it gets a twin of the same name, in which the words of `_WORDS` are replaced.
Public values such as `FileContent` are no twins: both clients share them. `make fix` runs this and formats the result.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_CLIENT: Final = Path(__file__).parent
FOLDER: Final = _CLIENT / "sync"
_NO_SOURCES: Final = {"__init__", "twin"}

_WORDS: Final = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncGenerator\[(.+?), None\]", r"Generator[\1, None, None]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\baclosing\b", "closing"),
    (r"\bAsync(Client|BaseTransport)\b", r"\1"),
    (r"\.a(close|read|iter_lines|iter_bytes)\(", r".\1("),
    (r"`aiter_bytes`", "`iter_bytes`"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\basyncio\.shield\((.*)\)$", r"\1"),
    (r"\basyncio\.to_thread\(([\w.]+)(?:, )?", r"\1("),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\basyncio\.timeout\(.*?\)", "nullcontext()"),  # the transport's own time-out holds without it
    (r"\ban async context manager\b", "a context manager"),
    (r"\bDragoman:$", "SyncDragoman:"),
)


class NotSynchronousError(Exception):
    """A module uses something asynchronous that has no counterpart in `_WORDS`. Add it there."""


def make() -> dict[str, str]:
    """The text of each module of `dragoman.client.sync`, by its file name; `tidy` makes it readable."""
    sources = {
        path.stem: path.read_text(encoding="utf-8") for path in _CLIENT.glob("*.py") if path.stem not in _NO_SOURCES
    }
    twins = {name for name, source in sources.items() if _is_asynchronous(source)}
    made = {f"{name}.py": _twin(name, sources, twins) for name in sorted(twins)}
    made["__init__.py"] = (
        '"""The synchronous client, made from the asynchronous one by `dragoman.client.twin`."""\n\n'
        "from __future__ import annotations\n\n"
        "from dragoman.client.sync.api import SyncDragoman\n\n"
        '__all__ = ["SyncDragoman"]\n'
    )
    return made


def _is_asynchronous(source: str) -> bool:
    return "async def" in source


def _twin(name: str, sources: Mapping[str, str], twins: set[str]) -> str:
    lines = sources[name].split("\n")
    shared = _shared(sources[name])
    for node in reversed(shared):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        del lines[first - 1 : node.end_lineno]
    text = "\n".join(lines)
    for pattern, replacement in _WORDS:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    has_time = re.search(r"^import time$", text, re.MULTILINE) is not None
    text = text.replace("import asyncio\n", "" if has_time else "import time\n")
    if "nullcontext()" in text:
        text = text.replace(
            "\nfrom contextlib import", "\nfrom contextlib import nullcontext\nfrom contextlib import", 1
        )
    text = _IMPORT.sub(lambda found: _imports(found[1], found[2], sources, twins), text)
    if shared:
        line = f"from dragoman.client.{name} import {', '.join(node.name for node in shared)}\n"
        text = re.sub(r"^(?=from dragoman\.client)", line, text, count=1, flags=re.MULTILINE)
    if left := re.search(r"^.*(?:\basync\b|asyncio\.).*$", text, re.MULTILINE):
        raise NotSynchronousError(f"{name}: {left[0].strip()}")
    return f"# Made from client/{name}.py by `python -m dragoman.client.twin`. Change that one.\n{text}"


def _shared(source: str) -> list[ast.ClassDef]:
    """The public classes without anything asynchronous: what methods are given and return."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return [
        node
        for node in classes
        if not node.name.startswith("_")
        and not any(isinstance(inner, ast.AsyncFunctionDef) for inner in ast.walk(node))
    ]


_IMPORT: Final = re.compile(r"from dragoman\.client\.(\w+) import (\([^)]*\)|[\w, ]+)")


def _imports(module: str, names: str, sources: Mapping[str, str], twins: set[str]) -> str:
    """The import of these names, each from where it is."""
    given = re.findall(r"\w+", names)
    shared = {node.name for node in _shared(sources[module])} if module in twins else set(given)
    lines = [
        f"from dragoman.client.{place}{module} import {', '.join(chosen)}"
        for place, chosen in (
            ("", [name for name in given if name in shared]),
            ("sync.", [name for name in given if name not in shared]),
        )
        if chosen
    ]
    return "\n".join(lines)


def tidy(name: str, text: str) -> str:
    """The text without imports that are not needed, sorted and formatted by ruff, with the settings of the project."""
    path = ["--quiet", "--stdin-filename", str(FOLDER / name), "-"]
    for command in (["check", "--fix-only", "--select", "F401,I001", *path], ["format", *path]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command], input=text, capture_output=True, text=True, check=True
        ).stdout
    return text


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    made = make()
    for old in FOLDER.glob("*.py"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(tidy(name, text), encoding="utf-8")


if __name__ == "__main__":
    write()
