"""Reads documents in processes of their own, so that a hostile or broken file harms nothing but its reader.

The child is `entrypoints/reader.py`; what is said between the two are frames (`kit/frames.py`) over its standard
input and output. In order of appearance:

    child   {"is": "ready"}                                     once, after the start
    parent  {"do": "read" | "probe" | "cut", "files", "options"} + body
    child   {"is": "started"}                                   then, for each of the files:
    child   {"is": "progress", "step", "share"}                 any number of times
    child   {"is": "piece"} + body                              a part of a text or picture longer than a frame
    child   {"is": "page" | "image", …} + body                  the last part, with all that is known about it
    child   {"is": "done", "title", "metadata", "warnings"}     or {"is": "error", "classes", "message", "details"}

Small files are also cut there ("do": "cut"), so that this work is spread over the processors:

    child   {"is": "read"}                                      for each of the files; or {"is": "done" | "error"}: all is said
    child   {"is": "count"} + texts as JSON                     any number of times, for all of the files together
    parent  {"do": "counts", "counts"}
    child   {"is": "cut"} + JSON                                for each file that was read; or {"is": "error"}

Pages are looked at by {"do": "show" | "find", "files", "page"}: the picture comes as `image`, rectangles as

    child   {"is": "places"} + JSON                             before its {"is": "done"}

A file is `{"mime_type", "file_name", "path"}`; a small one has its length in `bytes` instead of a path, and its content
is a part of the body. A child reads one document at a time and is used again. It is killed when it says nothing for too
long, takes too much memory or time over a document, or when the caller is cancelled. Where that happens among several
files, those without an answer are read again one by one, so that a hostile file fails alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import psutil
import structlog

from dragoman.ingestion import errors
from dragoman.ingestion.errors import (
    ExtractionCrashedError,
    ExtractionMemoryError,
    ExtractionTimeoutError,
    ReaderUnavailableError,
)
from dragoman.ingestion.storable import storable
from dragoman.kit.errors import DragomanError
from dragoman.kit.frames import Frame, FrameError, encode_frame, parse_json, read_frame
from dragoman.ports import extractor as extractor_port
from dragoman.ports import ocr as ocr_port
from dragoman.ports.extractor import (
    ExtractedDocument,
    ExtractedImage,
    ExtractedPage,
    PagePlace,
    ReadOptions,
    ReadProgress,
    SmallFile,
    TokenCounter,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_log = structlog.get_logger(__name__)

MIB: Final = 1024 * 1024
DOCUMENTS_PER_PROCESS: Final = 5000  # a new one costs 0.5 to 1 s; one that has grown goes earlier
NEARLY_ALL: Final = 0.7  # of the memory limit: who breaks down above it has most likely run out of memory
GROWN_SHARE: Final = 0.4  # of the memory limit: what a child may hold between two documents; with OCR 300 to 600 MiB
START_TIMEOUT_S: Final = 60.0  # 0.5 s on an idle machine
SHARE_FILES: Final = 16  # of many small files, what one process takes at once: it is let go between two shares
CUT_SHARE_FILES: Final = 32  # the same where they are cut too: their tokens are counted together
SHARE_BYTES: Final = 8 * MIB  # of their contents: a frame takes 16 MiB
MOST_PLACES: Final = 1000  # rectangles on a page
WATCH_INTERVAL_S: Final = 0.1
PIPE_BUFFER_BYTES: Final = 1 * MIB
KEPT_OUTPUT_BYTES: Final = 8192  # the end of what a child wrote to its standard error, for the log
SHUTTING_DOWN: Final = "Dragoman is shutting down. Try again in a moment."

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_OUT_OF_MEMORY: Final = (b"memory allocation of", b"bad_alloc", b"MemoryError", b"out of memory", b"Out of memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """What one document may cost.

    Attributes:
        memory_mib: of the reading process, libraries and OCR models included. A Markdown file takes 65 MiB, most PDFs
            below 200, a page that is recognised by `rapidocr` up to 1,450.
        stall_s: without a sign of progress (a page, a step).
        total_s: in all.
        result_mib: of text and pictures taken out of the document.
        file_mib: of any file that the process writes; its folder is removed with it.
    """

    memory_mib: int = 2048
    stall_s: float = 60.0
    total_s: float = 1800.0
    result_mib: int = 256
    file_mib: int = 512


class Sandbox:
    """Reading processes, started when needed and stopped when idle. Belongs to one event loop.

    Args:
        command: Starts a reader (`entrypoints/reader.py`); its limits are added as last argument.
        environment: All variables that the child gets. No secrets belong there.
        limits: For each document.
        processes: How many documents are read at once; further calls wait in order.
        idle_s: After this time without work a process ends.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        limits: SandboxLimits | None = None,
        processes: int = 2,
        idle_s: float = 60.0,
    ) -> None:
        self._command, self._environment = tuple(command), dict(environment)
        self._limits = limits or SandboxLimits()
        self._slots = asyncio.Semaphore(processes)
        self._idle_s = idle_s
        self._idle: list[_Reader] = []
        self._timers: dict[_Reader, asyncio.TimerHandle] = {}
        self._alive: set[_Reader] = set()
        self._closed = False
        self.peak_memory_mib = 0.0
        """The most that any of the processes has taken so far."""

    async def read(
        self,
        path: Path,
        *,
        mime_type: str,
        file_name: str,
        options: ReadOptions,
        progress: ReadProgress | None = None,
    ) -> ExtractedDocument:
        """Extract a document, as `reading.read_document` does it, in a process of its own.

        Raises:
            ExtractionError and its kinds, OcrError: as raised in the process.
            ExtractionTimeoutError, ExtractionMemoryError, ExtractionCrashedError: the process was stopped, or broke down.
            ReaderUnavailableError: no process can be started.
        """
        assembly = self._assembly(progress)
        await self._converse(
            Frame(header=_request("read", [_on_disk(path, mime_type, file_name)], options)), [assembly]
        )
        return _document_of(assembly.outcome())

    async def read_many(
        self, files: Sequence[SmallFile], *, options: ReadOptions
    ) -> list[ExtractedDocument | DragomanError]:
        """Extract small files, shares of them side by side. The outcome of each: its text, or an error as of `read`."""
        work = _SharedWork(header={"do": "read", "options": asdict(options)}, outcome=_Assembly.outcome)
        return await self._in_shares(files, SHARE_FILES, work)

    async def cut_many(
        self,
        files: Sequence[SmallFile],
        *,
        options: ReadOptions,
        settings: Mapping[str, Any],
        count_tokens: TokenCounter,
    ) -> list[bytes | DragomanError | None]:
        """Read and cut small files, shares of them side by side. The outcome of each: JSON, None, or an error as of `read`.

        Raises:
            What `count_tokens` raises.
        """
        header = {"do": "cut", "options": asdict(options), "settings": settings}
        work = _SharedWork(header=header, outcome=_Assembly.cut_outcome, count_tokens=count_tokens)
        return await self._in_shares(files, CUT_SHARE_FILES, work)

    async def _in_shares(self, files: Sequence[SmallFile], most: int, work: _SharedWork[T]) -> list[T | DragomanError]:
        working = [self._share(share, work) for share in _shares(files, most)]
        shares = await asyncio.gather(*working, return_exceptions=True)
        outcomes: list[T | DragomanError] = []
        for share in shares:
            if isinstance(share, _CountingError):
                raise share.reason from None
            if isinstance(share, BaseException):
                raise share
            outcomes += share
        return outcomes

    async def _share(self, files: Sequence[SmallFile], work: _SharedWork[T]) -> list[T | DragomanError]:
        assemblies = [self._assembly() for _ in files]
        header = {**work.header, "files": [_inline(file) for file in files]}
        broken: DragomanError | None = None
        try:
            request = Frame(header=header, body=b"".join(file.content for file in files))
            await self._converse(request, assemblies, work.count_tokens)
        except DragomanError as error:
            broken = error
        outcomes: list[T | DragomanError] = []
        for file, assembly in zip(files, assemblies, strict=True):
            if broken is None or assembly.is_answered:
                outcomes.append(work.outcome(assembly))
            elif len(files) == 1 or isinstance(broken, ReaderUnavailableError):
                outcomes.append(broken)
            else:  # one of them broke the process, which one nobody can say
                outcomes += await self._share([file], work)
        return outcomes

    def _assembly(self, progress: ReadProgress | None = None) -> _Assembly:
        return _Assembly(max_bytes=self._limits.result_mib * MIB, progress=progress)

    async def probe(self, path: Path, *, mime_type: str, file_name: str) -> None:
        """Find out whether a document opens without a password.

        Raises:
            EncryptedDocumentError: it does not.
            ExtractionTimeoutError, ExtractionMemoryError, ExtractionCrashedError, ReaderUnavailableError.
        """
        assembly = self._assembly()
        await self._converse(Frame(header=_request("probe", [_on_disk(path, mime_type, file_name)])), [assembly])
        _document_of(assembly.outcome())

    async def show_page(self, path: Path, *, mime_type: str, file_name: str, number: int, width: int) -> bytes:
        """A page as PNG. Raises as `read`."""
        assembly = self._assembly()
        await self._look(assembly, "show", _on_disk(path, mime_type, file_name), {"number": number, "width": width})
        images = _document_of(assembly.outcome()).images
        if len(images) != 1 or not images[0].data.startswith(_PNG):
            raise ExtractionCrashedError(reason="The reader sent something that is no picture.")
        return images[0].data

    async def find_on_page(
        self, path: Path, *, mime_type: str, file_name: str, number: int, text: str, near: int | None
    ) -> list[PagePlace]:
        """Where a text stands on a page. Raises as `read`."""
        assembly = self._assembly()
        asked = {"number": number, "text": text, "near": near}
        await self._look(assembly, "find", _on_disk(path, mime_type, file_name), asked)
        _document_of(assembly.outcome())
        return _places(assembly.json)

    async def _look(self, assembly: _Assembly, what: str, file: Mapping[str, Any], page: Mapping[str, Any]) -> None:
        await self._converse(Frame(header={"do": what, "files": [file], "page": page}), [assembly])

    async def close(self) -> None:
        """Stop all processes, also those at work."""
        self._closed = True
        for reader in list(self._alive):
            await self._dismiss(reader)

    async def _converse(
        self, request: Frame, assemblies: Sequence[_Assembly], count_tokens: TokenCounter | None = None
    ) -> None:
        """Has a process read the files of the request, and puts what it says of each into its assembly."""
        async with self._slots:
            while True:
                reader = await self._take()
                try:
                    with self._watched(reader):
                        await reader.converse(request, assemblies, self._limits, count_tokens)
                except BaseException as error:
                    await self._dismiss(reader)
                    if not isinstance(error, _GoneError):
                        raise
                    if reader.documents and not error.started:
                        continue  # it ended while it waited for work; that says nothing about this document
                    raise reader.explain() from None
                reader.documents += len(assemblies)
                self._give_back(reader)
                return

    async def _take(self) -> _Reader:
        while self._idle:
            reader = self._idle.pop()
            self._timers.pop(reader).cancel()
            if reader.is_running:
                return reader
            await self._dismiss(reader)
        if self._closed:
            raise ReaderUnavailableError(SHUTTING_DOWN)
        reader = await _Reader.start(self._command, self._environment, self._limits)
        self._alive.add(reader)
        try:
            await reader.greet(START_TIMEOUT_S)
        except BaseException:
            await self._dismiss(reader)
            raise
        return reader

    def _give_back(self, reader: _Reader) -> None:
        self._note_peak(reader)
        grown = reader.memory_mib > self._limits.memory_mib * GROWN_SHARE
        if self._closed or grown or reader.documents >= DOCUMENTS_PER_PROCESS or not reader.is_running:
            self._retire(reader)
            return
        self._idle.append(reader)
        loop = asyncio.get_running_loop()
        self._timers[reader] = loop.call_later(self._idle_s, self._retire, reader)

    def _retire(self, reader: _Reader) -> None:
        """Ends a reader without waiting for it."""
        if reader in self._idle:
            self._idle.remove(reader)
        self._begin_ending(reader)

    async def _dismiss(self, reader: _Reader) -> None:
        """Ends a reader and waits until it is gone, also where the caller is cancelled once more."""
        self._note_peak(reader)
        await asyncio.shield(self._begin_ending(reader))

    def _begin_ending(self, reader: _Reader) -> asyncio.Task[None]:
        timer = self._timers.pop(reader, None)
        if timer is not None:
            timer.cancel()
        ending = reader.end()
        ending.add_done_callback(lambda _: self._alive.discard(reader))
        return ending

    @contextlib.contextmanager
    def _watched(self, reader: _Reader) -> Iterator[None]:
        """Kills the reader as soon as it takes more memory than allowed.

        On Linux its own limit stops it earlier; this also counts what that limit does not know, and serves elsewhere.
        """
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def look() -> None:
            nonlocal timer
            if reader.look_at_memory() > self._limits.memory_mib:
                reader.kill(because="memory")
                return
            timer = loop.call_later(WATCH_INTERVAL_S, look)

        timer = loop.call_later(WATCH_INTERVAL_S, look)
        try:
            yield
        finally:
            timer.cancel()

    def _note_peak(self, reader: _Reader) -> None:
        self.peak_memory_mib = max(self.peak_memory_mib, reader.peak_memory_mib)


def _request(what: str, files: Sequence[Mapping[str, Any]], options: ReadOptions | None = None) -> dict[str, Any]:
    return {"do": what, "files": files, "options": asdict(options or ReadOptions())}


def _on_disk(path: Path, mime_type: str, file_name: str) -> dict[str, Any]:
    return {"path": str(path.resolve()), "mime_type": mime_type, "file_name": file_name}


def _inline(file: SmallFile) -> dict[str, Any]:
    return {
        "bytes": len(file.content),
        "mime_type": file.mime_type,
        "file_name": file.file_name,
        "about": file.about,
    }


def _shares(files: Sequence[SmallFile], most: int) -> Iterator[list[SmallFile]]:
    share: list[SmallFile] = []
    size = 0
    for file in files:
        if share and (len(share) == most or size + len(file.content) > SHARE_BYTES):
            yield share
            share, size = [], 0
        share.append(file)
        size += len(file.content)
    if share:
        yield share


def _document_of(outcome: ExtractedDocument | DragomanError) -> ExtractedDocument:
    if isinstance(outcome, DragomanError):
        raise outcome
    return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class _SharedWork(Generic[T_co]):
    """What is asked for many small files. `outcome`: what comes of one that was answered."""

    header: Mapping[str, Any]
    outcome: Callable[[_Assembly], T_co | DragomanError]
    count_tokens: TokenCounter | None = None


# --- one process -----------------------------------------------------------------------------------------------------


class _GoneError(Exception):
    """The process ended. `started`: it had begun to work on the document."""

    def __init__(self, *, started: bool) -> None:
        self.started = started


class _CountingError(Exception):
    """The tokens cannot be counted: no fault of a document or of a process. `reason`: why."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason


class _Reader:
    """One reading process, the folder it may write in, and what it last said on its standard error."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, *, limit_mib: int) -> None:
        self._process, self._folder, self._limit_mib = process, folder, limit_mib
        self._output = b""
        self._listening = asyncio.create_task(self._keep_output())
        self._ending: asyncio.Task[None] | None = None
        self._killed_for: str | None = None
        self._statistics: psutil.Process | None = None
        self._started = False
        self._last_seen_mib = 0.0
        self.documents = 0
        self.memory_mib = 0.0
        self.peak_memory_mib = 0.0

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str], limits: SandboxLimits) -> _Reader:
        """Raises ReaderUnavailableError."""
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="dragoman-reader-"))
        given = json.dumps({**asdict(limits), "parent": os.getpid()})
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                given,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=PIPE_BUFFER_BYTES,
                cwd=folder,
                env={**environment, "TMPDIR": str(folder)},
                start_new_session=True,  # so that one signal reaches what it may have started itself
            )
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)  # empty; at once, for the caller may be cancelled
            if isinstance(error, OSError):
                raise ReaderUnavailableError(f"The process that reads documents does not start: {error}.") from error
            raise
        return cls(process, folder, limit_mib=limits.memory_mib)

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None and self._ending is None

    async def greet(self, timeout_s: float) -> None:
        """Waits until the process is ready. Raises ReaderUnavailableError."""
        try:
            async with asyncio.timeout(timeout_s):
                frame = await self._next()
        except (TimeoutError, _GoneError, FrameError) as error:
            self.kill(because="start")
            await self._process.wait()
            await self._listening
            _log.error("ingestion.reader_does_not_start", output=self._said())
            raise ReaderUnavailableError from error
        self._note_memory(frame.header)

    async def converse(
        self,
        request: Frame,
        assemblies: Sequence[_Assembly],
        limits: SandboxLimits,
        count_tokens: TokenCounter | None = None,
    ) -> None:
        """Sends the request and hands on what the process says of each document, one after the other.

        Where tokens are counted, that is what it says of their reading, and then what it says of their cutting.

        Raises:
            _GoneError: the process ended before.
            _CountingError: `count_tokens` raised.
            ExtractionTimeoutError, ExtractionCrashedError: it is silent, or talks nonsense; the caller must end it.
        """
        self._ask(request)
        for assembly in assemblies:
            await self._listen(assembly, limits, count_tokens)
        for assembly in assemblies:
            if not assembly.is_answered:
                await self._listen(assembly, limits, count_tokens)

    async def _listen(self, assembly: _Assembly, limits: SandboxLimits, count_tokens: TokenCounter | None) -> None:
        """Until the process has read one document, is done with it, or has said what is wrong with it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limits.total_s
        while True:
            left = deadline - loop.time()
            try:
                async with asyncio.timeout(max(0.0, min(limits.stall_s, left))):
                    frame = await self._next()
            except TimeoutError:
                raise _timeout(limits, in_all=left <= limits.stall_s) from None
            except FrameError as error:
                raise ExtractionCrashedError(reason=error.message) from error
            match frame.header.get("is"):
                case "done" | "error":
                    self._note_memory(frame.header)
                    assembly.end(frame.header)
                    return
                case "cut" if count_tokens is not None:
                    self._note_memory(frame.header)
                    await assembly.receive(frame)
                    assembly.end(frame.header)
                    return
                case "read" if count_tokens is not None:
                    return
                case "count" if count_tokens is not None:
                    asked = loop.time()
                    await self._tell_counts(assembly.texts_to_count(frame), count_tokens)
                    deadline += loop.time() - asked
                case "started":
                    self._started = True
                case _:
                    await assembly.receive(frame)

    async def _tell_counts(self, texts: Sequence[str], count_tokens: TokenCounter) -> None:
        try:
            counts = await count_tokens(texts)
        except Exception as error:
            raise _CountingError(error) from error
        self._say(Frame(header={"do": "counts", "counts": counts}))

    def _ask(self, request: Frame) -> None:
        self._started = False
        self._say(request)

    def _say(self, frame: Frame) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it is gone: the next read says so, and why
            self._process.stdin.write(encode_frame(frame))

    async def _next(self) -> Frame:
        assert self._process.stdout is not None
        try:
            frame = await read_frame(self._process.stdout)
        except FrameError:
            # Killed in the middle of a word. A reader that is alive and talks nonsense stays a FrameError.
            if self._killed_for is None and not self._process.stdout.at_eof():
                raise
            frame = None
        if frame is None:
            await self._process.wait()
            await self._listening
            raise _GoneError(started=self._started)
        return frame

    def look_at_memory(self) -> float:
        """Resident memory in MiB now; 0 once it is gone."""
        try:
            self._statistics = self._statistics or psutil.Process(self._process.pid)
            resident = self._statistics.memory_info().rss / MIB
        except psutil.Error:
            return 0.0
        self._last_seen_mib = resident or self._last_seen_mib  # a process that just ended has none
        self.peak_memory_mib = max(self.peak_memory_mib, resident)
        return resident

    def _note_memory(self, header: Mapping[str, Any]) -> None:
        """Takes over what the process says of itself with its last word on a document, or on the last of many."""
        if "memory_mib" not in header:
            return
        self.memory_mib = _number(header.get("memory_mib"))
        self.peak_memory_mib = max(self.peak_memory_mib, _number(header.get("peak_memory_mib")))

    def kill(self, *, because: str) -> None:
        if self._process.returncode is not None:
            return
        self._killed_for = self._killed_for or because
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def end(self) -> asyncio.Task[None]:
        """Kills it (it holds nothing that must be saved), waits and tidies up, once."""
        if self._ending is None:
            self.kill(because="end")
            self._ending = asyncio.create_task(self._tidy_up())
        return self._ending

    async def _tidy_up(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._listening
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def explain(self) -> DragomanError:
        """Why the process ended over a document."""
        code = self._process.returncode
        if self._killed_for == "end":
            return ReaderUnavailableError(SHUTTING_DOWN)
        _log.warning("ingestion.reader_ended", exit_code=code, killed_for=self._killed_for, output=self._said())
        if code == -getattr(signal, "SIGXCPU", 0):
            return ExtractionTimeoutError()
        # SIGKILL that is not ours comes from the kernel when the machine runs out of memory. Libraries that get no
        # memory abort, some without a word; then the last look at the process tells.
        starved = code == -getattr(signal, "SIGKILL", 0) or any(words in self._output for words in _OUT_OF_MEMORY)
        if self._killed_for == "memory" or starved or self._last_seen_mib > NEARLY_ALL * self._limit_mib:
            return ExtractionMemoryError()
        return ExtractionCrashedError(exit_code=code)

    async def _keep_output(self) -> None:
        assert self._process.stderr is not None
        while piece := await self._process.stderr.read(KEPT_OUTPUT_BYTES):
            self._output = (self._output + piece)[-KEPT_OUTPUT_BYTES:]

    def _said(self) -> str:
        return self._output.decode("utf-8", errors="replace").strip()


def _timeout(limits: SandboxLimits, *, in_all: bool) -> ExtractionTimeoutError:
    seconds = limits.total_s if in_all else limits.stall_s
    spent = f"took more than {seconds:g} s" if in_all else f"made no progress for {seconds:g} s"
    return ExtractionTimeoutError(
        f"Reading this document {spent} and was stopped. Split it, or save it anew in its own program."
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


# --- what comes back -------------------------------------------------------------------------------------------------


class _Assembly:
    """Puts the frames of a document together. The process may be in the hands of its document: nothing is believed."""

    def __init__(self, *, max_bytes: int, progress: ReadProgress | None) -> None:
        self._left, self._progress = max_bytes, progress
        self._pieces: list[bytes] = []
        self._pages: list[ExtractedPage] = []
        self._images: list[ExtractedImage] = []
        self._json: bytes | None = None
        self._last_word: Mapping[str, Any] | None = None

    async def receive(self, frame: Frame) -> None:
        """Raises ExtractionMemoryError, ExtractionCrashedError."""
        self._charge(frame)
        try:
            await self._take(frame)
        except (KeyError, TypeError, ValueError) as error:
            raise ExtractionCrashedError(reason="The reader sent something that is no document.") from error

    async def _take(self, frame: Frame) -> None:
        said = frame.header
        match said["is"]:
            case "progress":
                step, share = str(said["step"]), min(1.0, max(0.0, float(said["share"])))
                if self._progress is not None:
                    await self._progress(step, share)
            case "piece":
                self._pieces.append(frame.body)
            case "page":
                self._pages.append(_page(said, self._whole(frame)))
            case "image":
                self._images.append(_image(said, self._whole(frame)))
            case "cut" | "places":
                self._json = self._whole(frame)
            case other:
                raise ValueError(other)

    def texts_to_count(self, frame: Frame) -> list[str]:
        """Raises ExtractionMemoryError, ExtractionCrashedError."""
        self._charge(frame)
        try:
            texts = parse_json(self._whole(frame))
        except (ValueError, RecursionError) as error:
            raise ExtractionCrashedError(reason="The reader sent something that is no text.") from error
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ExtractionCrashedError(reason="The reader sent something that is no text.")
        return texts

    def _charge(self, frame: Frame) -> None:
        self._left -= len(frame.body)
        if self._left < 0:
            raise ExtractionMemoryError(
                "This document holds more text and pictures than can be taken in at once. Split it."
            )

    def _whole(self, frame: Frame) -> bytes:
        whole = b"".join([*self._pieces, frame.body])
        self._pieces.clear()
        return whole

    def end(self, said: Mapping[str, Any]) -> None:
        """The last word on the document: `done` or `error`."""
        self._last_word = said

    @property
    def is_answered(self) -> bool:
        return self._last_word is not None

    def cut_outcome(self) -> bytes | DragomanError | None:
        """What was cut, None where nothing was, or the error as raised in the process."""
        said = self._last_word or {}
        return _error_of(said) if said.get("is") == "error" else self._json

    @property
    def json(self) -> bytes:
        """What nobody vouches for; empty where nothing came."""
        return self._json or b""

    def outcome(self) -> ExtractedDocument | DragomanError:
        """The document, or the error as raised in the process."""
        said = self._last_word or {}
        if said.get("is") == "error":
            return _error_of(said)
        title, metadata, warnings = said.get("title"), said.get("metadata"), said.get("warnings")
        return ExtractedDocument(
            pages=self._pages,
            title=storable(title) if isinstance(title, str) else None,
            metadata=metadata if isinstance(metadata, dict) else {},
            images=self._images,
            warnings=[storable(str(warning)) for warning in warnings] if isinstance(warnings, list) else (),
        )


def _places(sent: bytes) -> list[PagePlace]:
    """Raises ExtractionCrashedError: what came are no rectangles on a page."""
    try:
        found = [
            PagePlace(left=_share(left), top=_share(top), width=_share(width), height=_share(height))
            for left, top, width, height in parse_json(sent)
        ]
    except (TypeError, ValueError, RecursionError) as error:
        raise ExtractionCrashedError(reason="The reader sent something that is no place on a page.") from error
    return found[:MOST_PLACES]


def _share(value: object) -> float:
    """Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(value)
    return float(value)


def _page(said: Mapping[str, Any], body: bytes) -> ExtractedPage:
    number, confidence = said["number"], said["confidence"]
    return ExtractedPage(
        number=None if number is None else int(number),
        markdown=body.decode("utf-8"),
        ocr=bool(said["ocr"]),
        confidence=None if confidence is None else float(confidence),
    )


def _image(said: Mapping[str, Any], body: bytes) -> ExtractedImage:
    mime_type, page = str(said["mime_type"]), said["page"]
    if mime_type not in {"image/png", "image/jpeg", "image/gif", "image/webp"}:
        raise ValueError(mime_type)
    return ExtractedImage(
        data=body,
        mime_type=mime_type,
        width=int(said["width"]),
        height=int(said["height"]),
        page=None if page is None else int(page),
        description=storable(str(said["description"])),
    )


def _error_of(said: Mapping[str, Any]) -> DragomanError:
    """The error as raised in the child: its own class, or the nearest one that a document may raise."""
    names = said.get("classes")
    known = _known_errors()
    chosen = next((known[name] for name in names if name in known), None) if isinstance(names, list) else None
    message, details = said.get("message"), said.get("details")
    return (chosen or ExtractionCrashedError)(
        storable(message) if isinstance(message, str) else None,
        **_plain_details(details if isinstance(details, dict) else {}),
    )


def _plain_details(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: storable(value) if isinstance(value, str) else value
        for name, value in details.items()
        if name not in {"message", "retry_after_s"}
    }


def _known_errors() -> dict[str, type[DragomanError]]:
    return {
        name: value
        for module in (errors, extractor_port, ocr_port)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, DragomanError)
    }
