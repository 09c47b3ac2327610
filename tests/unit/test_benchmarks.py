"""What the benchmarks do besides measuring."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
_STOPPED_BY_SIGTERM = """
import time
from benchmarks.instance import leaving_on_sigterm

with leaving_on_sigterm():
    try:
        print("measuring", flush=True)
        time.sleep(60)
    finally:
        print("stopped what it had started", flush=True)
"""


def test_a_measurement_that_gets_sigterm_stops_what_it_had_started() -> None:
    command = [sys.executable, "-c", _STOPPED_BY_SIGTERM]
    with subprocess.Popen(command, cwd=_REPOSITORY, stdout=subprocess.PIPE, text=True) as measuring:
        assert measuring.stdout is not None
        assert measuring.stdout.readline() == "measuring\n"
        measuring.send_signal(signal.SIGTERM)
        output, _ = measuring.communicate(timeout=20)
    assert output == "stopped what it had started\n"
    assert measuring.returncode == 128 + signal.SIGTERM
