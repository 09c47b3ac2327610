"""Nothing has a default secret: all are made up at the first start, for our eyes only."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import SecretStr

from dragoman.entrypoints.home import InstanceHome
from dragoman.entrypoints.settings import Settings
from dragoman.kit.encryption import Keyring


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_no_setting_that_is_secret_has_a_default() -> None:
    fields = Settings.model_fields
    secret = [name for name, field in fields.items() if "Secret" in str(field.annotation)]
    assert {"encryption_keys", "metrics_token"} <= set(secret)
    assert {name: fields[name].default for name in secret if fields[name].default is not None} == {}
    assert not any(isinstance(field.default, SecretStr) for field in fields.values())


def test_two_homes_have_different_secrets_that_only_we_may_read(tmp_path: Path) -> None:
    made = []
    for name in ("one", "other"):
        home = InstanceHome(tmp_path / name)
        home.prepare()
        made.append(home.secret("database_password"))
        assert home.secret("database_password") == made[-1], "it stays the same"
        assert _mode(home.path / "secrets.json") == 0o600
        assert _mode(home.path) & 0o066 == 0
        assert _mode(home.log_dir) == 0o700
    assert made[0] != made[1]
    assert all(len(secret) >= 48 for secret in made)


def test_encryption_keys_are_made_for_our_eyes_only(tmp_path: Path) -> None:
    file = tmp_path / "home" / "encryption.keys"
    Keyring.load_or_create(file)
    assert (_mode(file), _mode(file.parent)) == (0o600, 0o700)


def test_each_test_that_the_threat_model_names_is_there() -> None:
    root = Path(__file__).resolve().parents[2]
    named = set(re.findall(r"`(tests/[\w/]+\.py)(?:::\w+)?`", (root / "SECURITY.md").read_text()))
    assert len(named) > 20
    assert sorted(name for name in named if not (root / name).is_file()) == []
