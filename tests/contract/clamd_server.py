"""A real clamd with a signature database made here, which knows nothing but the EICAR test string."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

# In two parts, so that no scanner takes this file for what it describes.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamd:
    """Where it listens."""

    socket: str
    tcp: str


def find_clamd() -> str | None:
    return shutil.which("clamd", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")


@contextmanager
def run_clamd(*, stream_max_mib: int = 100) -> Iterator[Clamd]:
    """The daemon, stopped in the end by its process id. The test is skipped where it is not installed."""
    program = find_clamd()
    if program is None:
        pytest.skip("clamd is not installed (Debian: clamav-daemon)")
    # A short folder: the path of a unix socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="clamd-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "test.ndb").write_text(f"Dragoman.Test.Eicar:0:*:{EICAR.hex()}\n")
        port = _free_port()
        configuration = folder / "clamd.conf"
        configuration.write_text(_configuration(folder, port, stream_max_mib))
        process = subprocess.Popen(
            [program, "--config-file", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_until_it_answers(process, folder)
            yield Clamd(socket=f"unix:{folder}/clamd.sock", tcp=f"tcp://127.0.0.1:{port}")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _configuration(folder: Path, port: int, stream_max_mib: int) -> str:
    lines = {
        "LocalSocket": f"{folder}/clamd.sock",
        "TCPSocket": port,
        "TCPAddr": "127.0.0.1",
        "DatabaseDirectory": folder,
        "TemporaryDirectory": folder,
        "LogFile": f"{folder}/clamd.log",
        "Foreground": "yes",
        "StreamMaxLength": f"{stream_max_mib}M",
        "MaxThreads": 2,
        "Bytecode": "no",
        "SelfCheck": 0,
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _wait_until_it_answers(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{folder}/clamd.sock")
            client.sendall(b"zPING\0")
            if client.recv(16) == b"PONG\0":
                return
        time.sleep(0.05)
    log = folder / "clamd.log"
    pytest.fail(f"clamd does not start: {log.read_text() if log.exists() else process.returncode}")
