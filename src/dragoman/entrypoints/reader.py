"""The process that reads documents, one at a time, for an API or a worker: the other end of `ingestion/sandbox.py`.

It confines itself before it loads anything that parses: bounds on memory, files and processor time, no network where
the system lets it go, a folder of its own, and it dies with its parent. It knows no database and no keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import gc
import json
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from dragoman.kit import registry
from dragoman.kit.errors import DragomanError
from dragoman.kit.frames import Frame, encode_frame, read_frame, to_json_bytes
from dragoman.ports.extractor import (
    EncryptedDocumentError,
    ExtractedDocument,
    ExtractionError,
    Extractor,
    PageRenderer,
    ReadOptions,
)
from dragoman.ports.ocr import Ocr, RecognisedText

if TYPE_CHECKING:
    from dragoman.ingestion.counting import Counting
    from dragoman.ingestion.prepare import CutText
    from dragoman.ingestion.sandbox import Sandbox
    from dragoman.ports.language_detector import LanguageDetector

MIB: Final = 1024 * 1024
PIECE_BYTES: Final = 4 * MIB
MOST_THREADS: Final = 4
OPEN_FILES: Final = 256
FLUSH_S: Final = 0.25  # what is said of many small files may wait so long for more: each word wakes the parent
COLLECT_AFTER: Final = (20_000, 20, 20)  # with Python's own 700 it looks for cycles several times for each small file
PROBE_PIXELS: Final = 64  # opening a document is what counts; its first page is drawn as small as can be
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH", "TESSDATA_PREFIX")
_DETECTOR: Final = "DRAGOMAN_LANGUAGE_DETECTOR"
_PASSED_ON_PREFIXES: Final = ("LC_", "DRAGOMAN_EXTRACTOR_", "DRAGOMAN_OCR_", _DETECTOR)
_OCR: Final = "DRAGOMAN_OCR"  # for the child: the adapter's name
_MODULE: Final = "dragoman.entrypoints.reader"
_STATUS: Final = Path("/proc/self/status")
_HELD: Final = re.compile(r"^VmRSS:\s*(\d+)", re.MULTILINE)  # KiB
_PEAK: Final = re.compile(r"^VmHWM:\s*(\d+)", re.MULTILINE)


# --- for the parent --------------------------------------------------------------------------------------------------


def create_sandbox(
    *,
    ocr: str | None,
    processes: int = 2,
    memory_mib: int = 2048,
    stall_s: float = 60.0,
    total_s: float = 1800.0,
    idle_s: float = 60.0,
) -> Sandbox:
    """A sandbox whose processes run this module. `ocr`: name of the adapter, None for none; the rest as in `SandboxLimits`."""
    from dragoman.ingestion.sandbox import Sandbox, SandboxLimits  # noqa: PLC0415 - the child does without it

    return Sandbox(
        command=[sys.executable, "-m", _MODULE],
        environment={**reader_environment(), _OCR: ocr or ""},
        limits=SandboxLimits(memory_mib=memory_mib, stall_s=stall_s, total_s=total_s),
        processes=processes,
        idle_s=idle_s,
    )


def reader_environment() -> dict[str, str]:
    """The variables that a reader needs, of the environment and the `.env` file: no secret is among them."""
    from dotenv import dotenv_values  # noqa: PLC0415 - the child does without it

    given = {**dotenv_values(".env"), **os.environ}
    kept = {
        name: value
        for name, value in given.items()
        if value is not None and (name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES))
    }
    threads = str(min(MOST_THREADS, os.cpu_count() or 1))
    # Thread pools are as large as the machine unless told; each thread's stack counts against the memory limit.
    kept |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), threads)
    kept |= {"TOKIO_WORKER_THREADS": threads, "OMP_THREAD_LIMIT": threads, "MALLOC_ARENA_MAX": "2"}
    return kept | {"PYTHONPATH": _python_path(), "PYTHONDONTWRITEBYTECODE": "1"}


def _python_path() -> str:
    """The child starts in an empty folder, so relative entries must become absolute."""
    package_root = Path(__file__).resolve().parents[2]
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return os.pathsep.join(dict.fromkeys([*(str(Path(entry).resolve()) for entry in given), str(package_root)]))


# --- the process -----------------------------------------------------------------------------------------------------


def main(
    arguments: Sequence[str] | None = None, *, read: Callable[..., Awaitable[ExtractedDocument]] | None = None
) -> int:
    """Serve one parent until it closes the pipe.

    Args:
        arguments: One: the limits as JSON (`SandboxLimits` and `parent`, a process id).
        read: Reads instead of `reading.read_document`, and is called like it.
    """
    limits = json.loads((arguments if arguments is not None else sys.argv[1:])[0])
    gc.set_threshold(*COLLECT_AFTER)
    source, sink = _own_pipes()
    _confine(limits)
    asyncio.run(_serve(source, sink, limits, _Parts(read)))
    return 0


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Takes the pipes away from standard input and output, so that no library can write between the frames."""
    source, sink = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return source, sink


async def _serve(source: BinaryIO, sink: BinaryIO, limits: Mapping[str, Any], parts: _Parts) -> None:
    requests = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), source)
    _send(sink, {"is": "ready", **_memory()})
    while (request := await read_frame(requests)) is not None:
        _send(sink, {"is": "started"})
        if request.header["do"] == "cut":
            if not await _cut_files(request, requests, sink, limits, parts):
                return
            continue
        at = 0
        for file in request.header["files"]:
            _bound_processor_time(float(limits["total_s"]))
            length = file.get("bytes", 0)
            if not await _answer(request.header, file, request.body[at : at + length], sink, parts):
                return
            at += length


async def _answer(
    request: Mapping[str, Any], file: Mapping[str, Any], content: bytes, sink: BinaryIO, parts: _Parts
) -> bool:
    """Does with one file what is asked and says how it ended. False: this process had better not go on."""
    try:
        if "path" in file:
            content = await asyncio.to_thread(Path(file["path"]).read_bytes)
        if request["do"] == "probe":
            await _probe(file, content, parts)
            _send(sink, {"is": "done", **_memory()})
        elif request["do"] in ("show", "find"):
            await _view(request, file, content, sink, parts)
        else:
            _send_document(sink, await _read(file, content, request["options"], sink, parts))
    except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no Exception
        return _send_failure(sink, error)
    return True


def _send_failure(sink: BinaryIO, error: BaseException) -> bool:
    """Says what went wrong with a file. False: this process had better not go on. Raises what ends the process."""
    match error:
        case DragomanError():
            _send_error(sink, error)
        case MemoryError():
            _send(sink, {"is": "error", "classes": ["ExtractionMemoryError"], **_memory()})
            return False
        case RecursionError():
            _send_error(
                sink, ExtractionError("The document is nested too deeply. Save it anew in its own program, or as PDF.")
            )
        case asyncio.CancelledError() | KeyboardInterrupt() | SystemExit() | BrokenPipeError():
            raise error
        case _:
            traceback.print_exception(error)
            starved = "bad_alloc" in str(error) or "memory allocation" in str(error)
            kind = "ExtractionMemoryError" if starved else "ExtractionCrashedError"
            _send(sink, {"is": "error", "classes": [kind], **_memory()})
            return not starved
    return True


async def _cut_files(
    request: Frame, requests: asyncio.StreamReader, sink: BinaryIO, limits: Mapping[str, Any], parts: _Parts
) -> bool:
    """Reads small files and cuts them together. False: this process had better not go on."""
    from dragoman.ingestion.counting import count_together  # noqa: PLC0415 - after the confinement
    from dragoman.ingestion.prepare import cut_as_json  # noqa: PLC0415

    works: list[Counting[CutText]] = []
    at, flushed = 0, time.monotonic()
    _bound_processor_time(float(limits["total_s"]))
    for file in request.header["files"]:
        content = request.body[at : at + file["bytes"]]
        at += file["bytes"]
        try:
            extracted = await _read(file, content, request.header["options"], sink, parts)
            if extracted.images:
                _send(sink, {"is": "done", **_memory()})
                continue
            works.append(_cutting(file, content, extracted, request.header["settings"], parts))
        except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no Exception
            if not _send_failure(sink, error):
                return False
            continue
        is_late = time.monotonic() - flushed > FLUSH_S
        _send(sink, {"is": "read"}, more_follows=not is_late)
        flushed = time.monotonic() if is_late else flushed

    async def count(texts: Sequence[str]) -> list[int]:
        _send_in_pieces(sink, {"is": "count"}, to_json_bytes(texts))
        sink.flush()
        answer = await read_frame(requests)
        if answer is None:
            raise BrokenPipeError
        counts: list[int] = answer.header["counts"]
        return counts

    for outcome in await count_together(works, count, in_thread=False):
        try:
            if isinstance(outcome, Exception):
                raise outcome
            _send_in_pieces(sink, {"is": "cut"}, cut_as_json(outcome))
        except BaseException as error:  # noqa: BLE001
            if not _send_failure(sink, error):
                return False
    sink.flush()
    return True


def _cutting(
    file: Mapping[str, Any],
    content: bytes,
    extracted: ExtractedDocument,
    settings: Mapping[str, Any],
    parts: _Parts,
) -> Counting[CutText]:
    from dragoman.ingestion.chunk import ChunkSettings  # noqa: PLC0415 - after the confinement
    from dragoman.ingestion.prepare import cut_text, prepare_text  # noqa: PLC0415
    from dragoman.ingestion.storable import storable_document  # noqa: PLC0415

    about, detector = file["about"], parts.language_detector
    prepared = prepare_text(
        storable_document(extracted),
        lambda: content,
        mime_type=file["mime_type"],
        described_as=about["described_as"],
        language_detector=detector,
    )
    return cut_text(
        prepared, settings=ChunkSettings(**settings), findings=about["findings"], language_detector=detector
    )


async def _read(
    file: Mapping[str, Any], content: bytes, options: Mapping[str, Any], sink: BinaryIO, parts: _Parts
) -> ExtractedDocument:
    from dragoman.ingestion.reading import read_document  # noqa: PLC0415 - after the confinement

    async def progress(step: str, share: float) -> None:
        if step != "extracting" or "path" in file:  # out of a small file the text is taken at once
            _send(sink, {"is": "progress", "step": step, "share": share})

    return await (parts.read or read_document)(
        content,
        mime_type=file["mime_type"],
        file_name=file["file_name"],
        extractors=parts.extractors,
        ocr=parts.ocr,
        options=ReadOptions(**{**options, "ocr_languages": tuple(options["ocr_languages"])}),
        progress=progress,
    )


async def _probe(file: Mapping[str, Any], content: bytes, parts: _Parts) -> None:
    """Opens the document. Only a password matters here: what else is wrong, its reading will say."""
    mime_type, file_name = file["mime_type"], file["file_name"]
    extractor = parts.extractors[mime_type]
    try:
        if isinstance(extractor, PageRenderer):
            await extractor.render_page(content, mime_type=mime_type, number=1, longest_side=PROBE_PIXELS)
        else:
            await extractor.extract(content, mime_type=mime_type, file_name=file_name)
    except EncryptedDocumentError:
        raise
    except ExtractionError:
        return


async def _view(
    request: Mapping[str, Any], file: Mapping[str, Any], content: bytes, sink: BinaryIO, parts: _Parts
) -> None:
    from dragoman.ingestion import page_view  # noqa: PLC0415 - after the confinement

    asked = {"mime_type": file["mime_type"], "extractors": parts.extractors, **request["page"]}
    if request["do"] == "show":
        shown = await page_view.show_page(content, **asked)
        about = {"is": "image", "mime_type": "image/png", "width": 0, "height": 0, "page": None, "description": ""}
        _send_in_pieces(sink, about, shown)
    else:
        places = await page_view.find_on_page(content, **asked)
        boxes = [(place.left, place.top, place.width, place.height) for place in places]
        _send_in_pieces(sink, {"is": "places"}, to_json_bytes(boxes))
    _send(sink, {"is": "done", **_memory()})


# --- the parts it reads with -----------------------------------------------------------------------------------------


class _Parts:
    """Extractors and OCR, each made when first needed: a Markdown file waits for no PDF library."""

    def __init__(self, read: Callable[..., Awaitable[ExtractedDocument]] | None) -> None:
        self.read = read
        self.extractors = Extractors()
        self.ocr = _LateOcr(name) if (name := os.environ.get(_OCR)) else None

    @functools.cached_property
    def language_detector(self) -> LanguageDetector:
        """The one that is set; loaded with the first file that is cut."""
        from dragoman.entrypoints.settings import Settings, adapter_settings  # noqa: PLC0415 - after the confinement

        name = os.environ.get(_DETECTOR) or Settings.model_fields["language_detector"].default
        detector: LanguageDetector = registry.create(
            "language_detector", name, adapter_settings("language_detector", name)
        )
        return detector


class Extractors(Mapping[str, Extractor]):
    """By MIME type. The more special extractor wins: `kreuzberg`, which reads most, is asked last."""

    def __init__(self) -> None:
        names = sorted(registry.list_adapters("extractor"), key=lambda name: (name != "kreuzberg", name))
        self._waiting = names  # the last is asked first
        self._by_type: dict[str, Extractor] = {}

    def __getitem__(self, mime_type: str) -> Extractor:
        while mime_type not in self._by_type and self._waiting:
            self._load(self._waiting.pop())
        return self._by_type[mime_type]

    def __iter__(self) -> Iterator[str]:
        self._load_all()
        return iter(self._by_type)

    def __len__(self) -> int:
        self._load_all()
        return len(self._by_type)

    def _load_all(self) -> None:
        while self._waiting:
            self._load(self._waiting.pop())

    def _load(self, name: str) -> None:
        from dragoman.entrypoints.settings import adapter_settings  # noqa: PLC0415 - after the confinement

        extractor: Extractor = registry.create("extractor", name, adapter_settings("extractor", name))
        for mime_type in extractor.mime_types:
            self._by_type.setdefault(mime_type, extractor)


class _LateOcr:
    """The OCR that is set, loaded with the first picture."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ocr: Ocr | None = None

    async def recognise(self, image: bytes, *, languages: Sequence[str] = ()) -> RecognisedText:
        if self._ocr is None:
            from dragoman.entrypoints.settings import adapter_settings  # noqa: PLC0415 - after the confinement

            self._ocr = registry.create("ocr", self._name, adapter_settings("ocr", self._name))
        return await self._ocr.recognise(image, languages=languages)


# --- what is sent ----------------------------------------------------------------------------------------------------


def _send(sink: BinaryIO, header: Mapping[str, Any], body: bytes = b"", *, more_follows: bool = False) -> None:
    """A frame; one that more follow at once may wait for them."""
    sink.write(encode_frame(Frame(header=header, body=body)))
    if not more_follows:
        sink.flush()


def _send_document(sink: BinaryIO, document: ExtractedDocument) -> None:
    for page in document.pages:
        about = {"is": "page", "number": page.number, "ocr": page.ocr, "confidence": page.confidence}
        # A lone surrogate is no character; the database would refuse it.
        _send_in_pieces(sink, about, page.markdown.encode("utf-8", errors="replace"))
    for image in document.images:
        about = {"is": "image", "mime_type": image.mime_type, "width": image.width, "height": image.height}
        _send_in_pieces(sink, about | {"page": image.page, "description": image.description}, image.data)
    _send(
        sink,
        {
            "is": "done",
            "title": document.title,
            "metadata": json.loads(json.dumps(document.metadata, default=str)),
            "warnings": list(document.warnings),
            **_memory(),
        },
    )


def _send_in_pieces(sink: BinaryIO, about: Mapping[str, Any], body: bytes) -> None:
    last = max(0, (len(body) - 1) // PIECE_BYTES * PIECE_BYTES)
    for start in range(0, last, PIECE_BYTES):
        _send(sink, {"is": "piece"}, body[start : start + PIECE_BYTES], more_follows=True)
    _send(sink, about, body[last:], more_follows=True)


def _send_error(sink: BinaryIO, error: DragomanError) -> None:
    classes = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, DragomanError)]
    details = json.loads(json.dumps(error.details, default=str))
    said = {"is": "error", "classes": classes, "message": error.message, "details": details}
    _send(sink, said | _memory())


def _memory() -> dict[str, float]:
    """What this process holds now, and the most that it ever held, in MiB."""
    if _STATUS.exists():  # `getrusage` would count what the parent held before it became this program
        status = _STATUS.read_text()
        held, peak = (int(found[1]) / 1024 if (found := line.search(status)) else 0.0 for line in (_HELD, _PEAK))
        return {"memory_mib": held, "peak_memory_mib": max(held, peak)}
    import psutil  # noqa: PLC0415 - after the confinement

    resident = psutil.Process().memory_info().rss / MIB
    return {"memory_mib": resident, "peak_memory_mib": max(resident, _peak_mib())}


def _peak_mib() -> float:
    with contextlib.suppress(ImportError):  # no such module on Windows
        import resource  # noqa: PLC0415

        unit = MIB if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return 0.0


# --- the confinement -------------------------------------------------------------------------------------------------

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_MAPPED_MIB: Final = 64  # the code of libraries: part of what a process holds, but not of what the system bounds
_MORE_LIKELY_KILLED: Final = "500"  # when the machine runs out of memory, a reader goes before a database


def _confine(limits: Mapping[str, Any]) -> None:
    os.umask(0o077)
    if os.name == "posix":
        _bound_resources(limits)
        os.nice(5)  # questions are answered first
    if sys.platform == "linux":
        _die_with(int(limits["parent"]))
        _leave_network()


def _bound_resources(limits: Mapping[str, Any]) -> None:
    import resource  # noqa: PLC0415 - no such module on Windows

    memory, file = int(limits["memory_mib"]) * MIB, int(limits["file_mib"]) * MIB
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, file)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    if sys.platform == "linux":  # elsewhere it counts something else, and the parent watches
        _lower(resource.RLIMIT_DATA, memory - min(_MAPPED_MIB * MIB, memory // 4))


def _lower(kind: int, value: int) -> None:
    import resource  # noqa: PLC0415

    _, hard = resource.getrlimit(kind)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _bound_processor_time(seconds: float) -> None:
    """Ends the process when this document takes more, should the parent not be there to do it."""
    if os.name != "posix":
        return
    import resource  # noqa: PLC0415 - no such module on Windows

    used = resource.getrusage(resource.RUSAGE_SELF)
    bound = int(used.ru_utime + used.ru_stime + seconds * MOST_THREADS) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (bound if hard == resource.RLIM_INFINITY else min(bound, hard), hard))


def _die_with(parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
    with contextlib.suppress(OSError):  # not permitted in some containers
        Path("/proc/self/oom_score_adj").write_text(_MORE_LIKELY_KILLED)


def _leave_network() -> None:
    """Moves into an empty network of its own. Where the system does not let it go, it stays: no reader uses the network."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        with contextlib.suppress(OSError):  # names only; what it may open is decided by the true ids
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


if __name__ == "__main__":
    sys.exit(main())
