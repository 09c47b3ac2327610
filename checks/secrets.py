"""Looks for secrets in all files that git keeps: `python checks/secrets.py`. Exit code 1: there is one.

Only the plugins of detect-secrets that know a secret by its shape: those that guess by entropy or by the name of a variable
take a minute and find test data. What is no secret, or one of a test, is marked with `pragma: allowlist secret` on its line.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.scan import get_plugins, scan_file
from detect_secrets.settings import transient_settings

_ROOT = Path(__file__).resolve().parents[1]
_PLUGINS: Final = (
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
_FILTERS: Final = ("detect_secrets.filters.allowlist.is_line_allowlisted",)
_LARGEST_BYTES: Final = 1024 * 1024


def main() -> int:
    found = [f"{path}:{secret.line_number}: {secret.type}" for path in _files() for secret in _secrets_in(path)]
    for line in found:
        print(line)
    print(f"Secrets: {len(found)} found." if found else "Secrets: none.")
    return 1 if found else 0


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - whichever git works here
        cwd=_ROOT,
        capture_output=True,
        check=True,
    )
    paths = (_ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return [path for path in paths if path.is_file() and path.stat().st_size <= _LARGEST_BYTES]


def _secrets_in(path: Path) -> list[PotentialSecret]:
    """Those of a file; line by line only where the whole of it holds something: a second instead of twelve."""
    content = path.read_text(encoding="utf-8", errors="replace")
    shapes = [shape for plugin in get_plugins() for shape in getattr(plugin, "denylist", ())]
    return list(scan_file(str(path))) if any(shape.search(content) for shape in shapes) else []


if __name__ == "__main__":
    own = {"name": "DragomanKeyDetector", "path": f"file://{_ROOT / 'checks' / 'own_keys.py'}"}
    with transient_settings(
        {
            "plugins_used": [*({"name": name} for name in _PLUGINS), own],
            "filters_used": [{"path": path} for path in _FILTERS],
        }
    ):
        sys.exit(main())
