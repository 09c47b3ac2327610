"""A reading process whose documents say what it does: `python toy_reader.py LIMITS`. Everything but the reading is real.

The first word of the file is the deed, the second its number.
"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dragoman.entrypoints.reader import main
from dragoman.ports.extractor import EncryptedDocumentError, ExtractedDocument, ExtractedImage, ExtractedPage
from dragoman.ports.ocr import OcrError

MIB = 1024 * 1024
held: list[bytearray] = []


async def read(
    content: bytes, *, options: Any, progress: Callable[[str, float], Awaitable[None]], **_: Any
) -> ExtractedDocument:
    deed, _space, number = content.decode().partition(" ")
    text = await DEEDS[deed](float(number or 0), progress)
    return text if isinstance(text, ExtractedDocument) else plain(text or "done")


def plain(text: str) -> ExtractedDocument:
    return ExtractedDocument(pages=[ExtractedPage(number=None, markdown=text)], title="Toy")


async def say(number: float, progress: Any) -> ExtractedDocument:
    """Everything that a document may hold, in sizes beyond a frame."""
    pages = [ExtractedPage(number=at, markdown=f"page {at} ü字\n") for at in range(1, int(number) + 1)]
    pages.append(ExtractedPage(number=99, markdown="long " * (2 * MIB), ocr=True, confidence=0.5))
    pages.append(ExtractedPage(number=None, markdown=""))
    images = [
        ExtractedImage(data=bytes(9 * MIB), mime_type="image/png", width=3, height=4, page=1, description="x"),
        ExtractedImage(data=b"", mime_type="image/gif", width=1, height=1),
    ]
    for share in (0.25, 0.5):
        await progress("pages", share)
    return ExtractedDocument(
        pages=pages, title="Tïtle", metadata={"authors": ["a"], "path": Path("x")}, images=images, warnings=["careful"]
    )


async def who(number: float, progress: Any) -> str:
    """The process, and how it is confined."""
    reachable = ["network"] if any(name != "lo" for _, name in socket.if_nameindex()) else []
    bounds = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)]
    return " ".join(map(str, [os.getpid(), Path.cwd(), *bounds, *reachable, *sorted(os.environ)]))


async def spin(number: float, progress: Any) -> None:
    while True:
        pass


async def sleep(number: float, progress: Any) -> None:
    """Silent for so long; with the loop free."""
    await asyncio.sleep(number)


async def dawdle(number: float, progress: Any) -> None:
    """Always a little progress."""
    while True:
        await progress("pages", 0.5)
        await asyncio.sleep(0.02)


async def eat(number: float, progress: Any) -> None:
    """Takes so many MiB at once."""
    held.append(bytearray(int(number) * MIB))
    held.clear()


async def keep(number: float, progress: Any) -> None:
    """Takes so many MiB and never gives them back."""
    held.append(bytearray(os.urandom(MIB)) * int(number))


async def share(number: float, progress: Any) -> None:
    """Takes so many MiB of shared memory, bit by bit: RLIMIT_DATA does not count it."""
    shared = mmap.mmap(-1, int(number) * MIB)
    for at in range(int(number)):
        shared.write(b"x" * MIB)
        await asyncio.sleep(0.005 * (at % 2))


async def abort(number: float, progress: Any) -> None:
    os.write(2, b"memory allocation of 123 bytes failed\n" if number else b"assertion failed\n")
    os.abort()


async def crash(number: float, progress: Any) -> None:
    ctypes.string_at(0)


async def leave(number: float, progress: Any) -> None:
    os._exit(int(number))


async def killed(number: float, progress: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def fail(number: float, progress: Any) -> None:
    errors: list[BaseException] = [
        EncryptedDocumentError(file_name="x"),
        OcrError("Odd picture."),
        ValueError("bug"),
        MemoryError(),
        RecursionError(),
    ]
    raise errors[int(number)]


async def babble(number: float, progress: Any) -> None:
    """Writes between the frames as a library might, then as only an attacker can."""
    print("a library says hello", flush=True)
    if number:
        for handle in range(3, 20):
            try:
                os.write(handle, b"no frame at all, no frame at all")
            except OSError:
                continue
        time.sleep(60)


async def fill(number: float, progress: Any) -> None:
    """Writes a file of so many MiB into its folder."""
    with Path("large").open("wb") as file:
        file.writelines(bytes(MIB) for _ in range(int(number)))


async def spawn(number: float, progress: Any) -> str:
    """Starts a process of its own, as an OCR program is started, and says which."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(os.environ["TOY_NOTE"]).write_text(str(child.pid))
    await asyncio.sleep(number)
    return str(child.pid)


async def endless(number: float, progress: Any) -> ExtractedDocument:
    return plain("x" * (int(number) * MIB))


DEEDS = {
    deed.__name__: deed
    for deed in (
        *(
            say,
            who,
            spin,
            sleep,
            dawdle,
            eat,
            keep,
            share,
            abort,
            crash,
            leave,
            killed,
            fail,
            babble,
            fill,
            spawn,
            endless,
        ),
    )
}

if __name__ == "__main__":
    sys.exit(main(read=read))
