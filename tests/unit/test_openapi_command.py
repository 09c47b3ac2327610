"""`dragoman openapi` says what the server says at /openapi.json, and needs nothing for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.cli import main
from dragoman.entrypoints.commands.terminal import ExitCode
from dragoman.entrypoints.settings import Settings


def test_the_file_holds_the_document_of_the_server(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"

    assert main(["openapi", "--output", str(file)]) == ExitCode.OK

    assert json.loads(file.read_text(encoding="utf-8")) == create_app(Settings.model_construct()).openapi()


def test_neither_settings_nor_the_order_of_hashes_change_it_and_nothing_is_left_behind(tmp_path: Path) -> None:
    printed = []
    for seed, metrics in (("1", "true"), ("2", "false")):
        home = tmp_path / seed
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "DRAGOMAN_HOME": str(home / "instance"),
            "DRAGOMAN_METRICS_ON_API": metrics,
            "DRAGOMAN_DATABASE_URL": "postgresql://x:y@127.0.0.1:1/x",
        }
        home.mkdir()
        ended = subprocess.run(
            [sys.executable, "-m", "dragoman", "openapi"], cwd=home, env=environment, capture_output=True, check=True
        )
        assert list(home.iterdir()) == []
        printed.append(ended.stdout)

    assert printed[0] == printed[1]
    assert printed[0].endswith(b"}\n")


def test_a_folder_as_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert main(["openapi", "--output", str(tmp_path)]) == ExitCode.USAGE
