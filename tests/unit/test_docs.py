"""The documentation is complete and true: what the code has is on a page, and what a page names exists."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

import dragoman
from dragoman.entrypoints import reference
from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.settings import Settings
from dragoman.entrypoints.wiring import job_kinds
from dragoman.kit import registry
from dragoman.tenancy.access import PERMISSIONS
from dragoman.tenancy.entities import Permission, Role
from dragoman.tenancy.settings import ChatbotSettings

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(dragoman.__file__).parent
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "changelog.d").glob("*.md"),
        ROOT / "examples/README.md",
    ]
)
REFERENCE = ROOT / "docs" / "reference"

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
_ANCHOR = re.compile(r'<a id="([^"]+)">')
_VARIABLE = re.compile(r"\bDRAGOMAN_[A-Z0-9_]*[A-Z0-9]\b(?![_…])")
_OTHER_VARIABLES = {
    "DRAGOMAN_URL",
    "DRAGOMAN_API_KEY",
    "DRAGOMAN_BENCH_CACHE",
    "DRAGOMAN_BENCH_CHUNKS",
    "DRAGOMAN_BENCH_DATA",
    "DRAGOMAN_BENCH_FILES",
    "DRAGOMAN_BENCH_GROWTH_VECTORS",
    "DRAGOMAN_BENCH_LOCAL_MODEL",
    "DRAGOMAN_BENCH_PACKS",
    "DRAGOMAN_BENCH_PEERS_PYTHON",
    "DRAGOMAN_BENCH_TENANTS",
    "DRAGOMAN_BENCH_TURNS",
    "DRAGOMAN_TEST_CHROMA",
    "DRAGOMAN_TEST_EVAL_PYTHON",
    "DRAGOMAN_TEST_DATABASE_URL",
    "DRAGOMAN_TEST_FUZZ_S",
    "DRAGOMAN_TEST_CACHE_URL",
}


# What needs no caller: signs of life, and where somebody becomes one by a password, a token, a link or a provider.
_OPEN_PATHS = (
    *("/healthz", "/readyz", "/metrics", "/docs", "/.well-known/"),
    *("/api/auth/sign-in/", "/api/auth/refresh/", "/api/auth/sign-out/", "/api/auth/single-sign-on/"),
    *("/api/auth/set-password/", "/api/auth/password-reset/", "/api/widget/"),
)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return [code for _, found, code in _FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def reference_page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def constant_argument(call: ast.Call, name: str) -> str | None:
    for keyword in call.keywords:
        if keyword.arg == name and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
            return keyword.value.value
    return None


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


# ---- the reference is complete


def test_every_setting_has_an_entry() -> None:
    page = reference_page("settings")
    assert not [name for name in Settings.model_fields if f"| `DRAGOMAN_{name.upper()}` |" not in page]


def test_every_chatbot_setting_has_an_entry() -> None:
    page = reference_page("chatbot-settings")
    assert not [name for name in ChatbotSettings.model_fields if f"| `{name}` |" not in page]


def test_every_adapter_and_each_of_its_settings_has_an_entry() -> None:
    page = reference_page("adapters")
    for port in registry.list_ports():
        for name in reference.own_adapters(port):
            assert f"### {port}: {name}\n" in page
            for field in registry.settings_type(port, name).model_fields:
                assert f"`DRAGOMAN_{port}_{name}_{field}`".upper() in page.upper()


def test_every_port_and_every_class_of_it_has_an_entry() -> None:
    page = reference_page("ports")
    for path, tree in modules():
        if path.parent.name == "ports" and path.stem != "__init__":
            assert f"## {path.stem}\n" in page
            for node in tree.body:
                assert not isinstance(node, ast.ClassDef) or node.name in page


def test_every_error_has_an_entry_with_its_code_as_anchor() -> None:
    anchors = set(_ANCHOR.findall(reference_page("errors")))
    assert not {error.code for error in reference.error_classes()} - anchors


def test_every_code_that_no_class_carries_has_an_entry() -> None:
    anchors = set(_ANCHOR.findall(reference_page("errors")))
    codes = set()
    for path, tree in modules():
        if path.is_relative_to(SOURCE / "client") or path.name in {"quality.py", "scan.py"}:  # codes of findings
            continue
        codes |= {code for call in calls(tree) if (code := constant_argument(call, "code"))}
        codes |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"jobs\.[a-z_]+", node.value)
        }
    logged = {"jobs.attempt_ended", "jobs.attempt_failed", "jobs.announce_failed", "jobs.heartbeat_failed"}
    no_errors = {"und", "unreadable"}  # a language; what `ingest` says of a file on this machine
    assert not codes - anchors - logged - no_errors


def test_the_page_for_problem_types_has_the_same_anchors() -> None:
    classes = reference.error_classes()
    page = reference.error_page()
    assert {error.code for error in classes} | set(reference.OTHER_CODES) == set(re.findall(r'<h2 id="([^"]+)">', page))


def test_the_codes_of_the_page_exist() -> None:
    known = {error.code for error in reference.error_classes()} | set(reference.OTHER_CODES)
    assert set(_ANCHOR.findall(reference_page("errors"))) == known


def test_every_command_and_each_of_its_options_has_an_entry() -> None:
    page = reference_page("cli")
    for path, command in reference.commands():
        assert f"## {path}\n" in page
        options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
        for option in options:
            assert option.name.endswith("_completion") or f"`{option.opts[0]}`" in page, f"{path} {option.opts[0]}"


def test_every_topic_that_is_emitted_is_described_and_no_other() -> None:
    emitted = {
        topic
        for _, tree in modules()
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "emit"
        and (topic := constant_argument(call, "topic"))
    }
    assert emitted == set(reference.TOPICS)
    assert not [topic for topic in emitted if f"| `{topic}` |" not in reference_page("events")]


def test_every_event_of_a_stream_and_every_kind_of_job_has_an_entry() -> None:
    page = reference_page("events")
    assert set(reference.stream_event_models()) == set(reference.STREAM_EVENTS)
    assert not [name for name in reference.STREAM_EVENTS if f"### {name}\n" not in page]
    nothing: Any = None
    assert set(job_kinds(nothing)) == set(reference.JOBS)
    assert not [kind for kind in reference.JOBS if f"| `{kind}` |" not in page]


def test_every_metric_has_an_entry() -> None:
    listed = reference.metric_list()
    assert len(listed) >= 10
    assert not [name for name, *_ in listed if f"| `{name}` |" not in reference_page("metrics")]


def test_every_http_operation_has_an_entry_with_its_permission() -> None:
    page = reference_page("http")
    paths = create_app(Settings.model_construct()).openapi()["paths"]
    for path, operations in paths.items():
        for method in operations:
            [row] = [line for line in page.splitlines() if line.startswith(f"| {method.upper()} | `{path}` |")]
            assert row.endswith("| none |") == path.startswith(_OPEN_PATHS), row


def test_every_permission_and_role_is_described() -> None:
    assert set(reference.PERMISSIONS) == {permission.value for permission in Permission}
    assert set(reference.ROLES) == {role.value for role in Role} == {role.value for role in PERMISSIONS}


def test_every_extra_is_described() -> None:
    declared = re.findall(r"^([\w-]+) = \[", _section_of_pyproject("project.optional-dependencies"), re.MULTILINE)
    assert set(reference.EXTRAS) == set(declared)


def _section_of_pyproject(name: str) -> str:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return text.partition(f"[{name}]\n")[2].partition("\n[")[0]


# ---- the pages are fresh


def test_generated_text_is_what_the_code_makes_now() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for body, output in re.findall(r"\[\[\[cog\n(.*?)\n\]\]\] -->\n(.*?)<!-- \[\[\[end\]\]\] -->", text, re.DOTALL):
            functions = re.findall(r"cog\.outl\(reference\.(\w+)\(\)\)", body)
            assert functions, f"{name_of(page)}: a block that this test cannot follow"
            expected = "".join(f"{getattr(reference, function)()}\n" for function in functions)
            assert output == expected, f"{name_of(page)} is stale: run `make fix`"


def test_generated_text_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("DRAGOMAN_PORT", "9999")
    monkeypatch.setenv("DRAGOMAN_CORS_ORIGINS", "*")
    for function in ("settings", "cli", "http"):
        assert getattr(reference, function)() in (REFERENCE / f"{function}.md").read_text(encoding="utf-8")


# ---- what the pages say is true


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        leads_to = (page.parent / file).resolve() if file else page
        assert leads_to.exists(), f"{name_of(page)} links to {target}"
        if anchor and leads_to.suffix == ".md":
            assert anchor in _anchors(leads_to), f"{name_of(page)} links to {target}"


def _anchors(page: Path) -> set[str]:
    text = prose(page)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", re.sub(r"<[^>]*>", "", heading).lower()).replace(" ", "-") for heading in headings}
    return slugs | set(_ANCHOR.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_compile(page: Path) -> None:
    for number, code in enumerate(blocks(page, "python"), start=1):
        compile(code, f"{name_of(page)}, block {number}", "exec")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_shell_blocks_exist_with_their_options(page: Path) -> None:
    known = dict(reference.commands())
    for block in [*blocks(page, "bash"), *blocks(page, "console")]:
        for line in block.replace("\\\n", " ").splitlines():
            words = _words_of_command(line)
            if words is not None:
                _check_command(f"{name_of(page)}: {line}", words, known)


def _words_of_command(line: str) -> list[str] | None:
    """The words behind `dragoman`, None for a line that calls something else."""
    if not re.match(r"\s*(\.venv/bin/)?dragoman\s", line):
        return None
    return shlex.split(line, comments=True)[1:]


def _check_command(where: str, words: list[str], known: dict[str, Any]) -> None:
    path = "dragoman"
    while words and f"{path} {words[0]}" in known:
        path = f"{path} {words.pop(0)}"
    command = known[path]
    assert path != "dragoman", f"{where}: there is no such command"
    is_group = getattr(command, "commands", None) and not command.invoke_without_command
    assert not is_group, f"{where}: a command is missing"
    options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    assert not unknown, f"{where}: {path} has no {', '.join(unknown)}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_that_a_page_names_exists(page: Path) -> None:
    text = re.sub(r"```diff.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    of_recipes = {"DRAGOMAN_LLM_OLLAMA_MODEL"}
    assert not set(_VARIABLE.findall(text)) - _known_variables() - of_recipes


@cache
def _known_variables() -> frozenset[str]:
    adapters = {
        f"DRAGOMAN_{port}_{name}_{field}".upper()
        for port in registry.list_ports()
        for name in reference.own_adapters(port)
        for field in registry.settings_type(port, name).model_fields
    }
    return frozenset({f"DRAGOMAN_{name.upper()}" for name in Settings.model_fields} | adapters | _OTHER_VARIABLES)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = {word for found in re.findall(r"`make ([a-z ]+)[`\s=]", text) for word in found.split()}
    for block in [*blocks(page, "bash"), *blocks(page, "console")]:
        named |= set(re.findall(r"^(?:[A-Z_]+=\S+ )*make ([a-z]+)", block, re.MULTILINE))
    assert not named - targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_machine(page: Path) -> None:
    found = re.findall(
        r"(?:/root|/home|/Users|/work|/tmp|/opt|/mnt)/[\w.-]+|\bpypi\S*|files\.pythonhosted\S*", page.read_text("utf-8")
    )
    assert not found


def test_the_recipes_apply_to_the_present_code_and_compile(tmp_path: Path) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git, which applies the diffs")
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    diffs = blocks(ROOT / "CONTRIBUTING.md", "diff")
    assert len(diffs) == 3
    for diff in diffs:
        result = subprocess.run(
            [git, "apply", "-"], input=diff, text=True, cwd=tmp_path, capture_output=True, check=False,
            env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert result.returncode == 0, f"A recipe in CONTRIBUTING.md no longer applies:\n{result.stderr}"
        for changed in re.findall(r"^\+\+\+ b/(.+)$", diff, re.MULTILINE):
            compile((tmp_path / changed).read_text(encoding="utf-8"), changed, "exec")


async def test_every_path_answers_with_and_without_its_trailing_slash() -> None:
    """As docs/reference/http.md says. Without a key an address that exists answers anything but 404."""
    app = create_app(Settings.model_construct())
    app.state.database = app.state.deps = None
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path, operations in app.openapi()["paths"].items():
            real = re.sub(r"\{\w+\}", "00000000-0000-0000-0000-000000000000", path)
            for address in (real, real.rstrip("/") if real.endswith("/") else f"{real}/"):
                for method in operations:
                    with capture_logs():  # drawing the traceback of a 500 takes up to ten seconds
                        response = await client.request(method.upper(), address)
                    assert response.status_code != httpx.codes.NOT_FOUND, f"{method.upper()} {address}"
