"""Where SQL, connections, settings and output may stand. Layers and imports are import-linter's business."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

_SQL_PLACES = re.compile(
    r"(^|/)(repository|tables)\.py$|^adapters/((vector_index|keyword_index)/|scope_sql\.py$)|^kit/(database|reading)\.py$|^entrypoints/schema\.py$"
)
_SQL_WAIVED = {
    "entrypoints/api.py": "readiness asks the database for the number 1",
    "entrypoints/doctor.py": "looks at the database as an administrator does, beneath the domains",
    "entrypoints/up.py": "reads the revision of the schema before there is a wiring",
}
_SQL_IMPORTS = re.compile(
    r"^sqlalchemy\.(text|select|insert|update|delete|func|table|column)$|^sqlalchemy\.(sql|dialects|orm)\b"
)
_SQL_TEXT = re.compile(
    r"^\s*(select\s.+\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s*\()",
    re.IGNORECASE | re.DOTALL,
)
_CONNECTION_PLACES = {"kit/database.py", "kit/reading.py", "entrypoints/schema.py"}
_CONNECTION_WAIVED = {
    "entrypoints/embedded.py": "starts the server and makes its database, before there is a schema",
    "entrypoints/doctor.py": "looks at the database as an administrator does, beneath the domains",
    "entrypoints/up.py": "reads the revision of the schema before there is a wiring",
}
_OWN_CONNECTIONS = re.compile(r"^psycopg(\.(connect|Connection|AsyncConnection))?$|^(asyncpg|psycopg2|psycopg_pool)\b")
_FORBIDDEN_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
_FORBIDDEN_FILES = re.compile(r"(^|_)(utils?|helpers?|common|misc|manager)(_|$)")

Explain = Callable[[list[tuple[str, int, str]]], str]


def _strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _docstring_lines(tree: ast.Module) -> set[int]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.body[0].lineno
        for node in ast.walk(tree)
        if isinstance(node, owners) and node.body and isinstance(node.body[0], ast.Expr)
    }


def test_sql_stands_in_repositories_and_index_adapters_only(sources: list[Any], explain: Explain) -> None:
    found = []
    for source in sources:
        if _SQL_PLACES.search(source.place) or source.place in _SQL_WAIVED:
            continue
        documentation = _docstring_lines(source.tree)
        found += [(source.place, at, name) for at, name in source.names_imported() if _SQL_IMPORTS.search(name)]
        found += [(source.place, at, name) for at, name in source.names_used() if name == "exec_driver_sql"]
        found += [
            (source.place, at, words[:60])
            for at, words in _strings(source.tree)
            if _SQL_TEXT.search(words) and at not in documentation
        ]
    assert not [entry for entry in found if not _is_waived(sources, entry)], explain(found)


def test_there_is_one_door_to_the_database(sources: list[Any], explain: Explain) -> None:
    """Tenant data is reached through `Database.transaction` and `reading`, which set the tenant for row-level security."""
    engines = {"create_engine", "create_async_engine", "async_engine_from_config", "engine_from_config"}
    found = []
    for source in sources:
        if source.place in _CONNECTION_PLACES or source.place in _CONNECTION_WAIVED:
            continue
        found += [(source.place, at, name) for at, name in source.names_used() if name in engines]
        found += [(source.place, at, name) for at, name in source.names_imported() if _OWN_CONNECTIONS.search(name)]
    assert not [entry for entry in found if not _is_waived(sources, entry)], explain(found)


def test_settings_are_read_in_entrypoints_only(sources: list[Any], explain: Explain) -> None:
    found = []
    for source in sources:
        if source.place.startswith("entrypoints/"):
            continue
        found += [
            (source.place, at, name)
            for at, name in source.names_used()
            if name in {"environ", "getenv", "putenv", "BaseSettings", "load_dotenv", "dotenv_values"}
        ]
    assert not [entry for entry in found if not _is_waived(sources, entry)], explain(found)


def test_nothing_is_printed_outside_entrypoints(sources: list[Any], explain: Explain) -> None:
    found = [
        (source.place, node.lineno, "print(…)")
        for source in sources
        if not source.place.startswith("entrypoints/")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not found, explain(found)


def test_nothing_is_left_to_be_done_later(sources: list[Any], explain: Explain) -> None:
    found = [
        (source.place, number, line.strip())
        for source in sources
        for number, line in enumerate(source.lines, start=1)
        if _FORBIDDEN_WORDS.search(line)
    ]
    assert not found, explain(found)


def test_files_are_named_after_what_they_hold(sources: list[Any]) -> None:
    assert not [source.place for source in sources if _FORBIDDEN_FILES.search(source.path.stem)]


def test_each_module_opens_with_a_sentence_on_its_job(sources: list[Any]) -> None:
    assert not [source.place for source in sources if not ast.get_docstring(source.tree)]


def test_waivers_are_still_needed(sources: list[Any]) -> None:
    places = {source.place for source in sources}
    assert set(_SQL_WAIVED) | set(_CONNECTION_WAIVED) <= places
    for source in sources:
        if source.place in _SQL_WAIVED:
            assert any(_SQL_IMPORTS.search(name) or "psycopg" in name for _, name in source.names_imported()), (
                source.place
            )


def _is_waived(sources: list[Any], entry: tuple[str, int, str]) -> bool:
    place, line, _ = entry
    return any(source.place == place and source.is_waived(line) for source in sources)
