"""A local model file (GGUF) in this process, by llama.cpp (package `xllamacpp`, extra `local-llm`).

llama.cpp asks between two tokens, and between two pieces of the prompt, whether to go on: that is where a closed
stream ends. Its caller is free at once; the model is, after the token or piece in progress.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import secrets
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.registry import MissingExtraError
from dragoman.ports.llm import Completion, LlmRejectedError, LlmUnavailableError, TextDelta, TextRequest


class Settings(BaseModel):
    """Settings of the language model `llama_cpp`."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model_path: Path = Field(description="The model's GGUF file.")
    context_tokens: int = Field(default=4096, ge=256, description="Longest prompt and answer together, in tokens.")
    streams: int = Field(default=1, ge=1, le=16, description="Answers written at the same time; more wait.")
    threads: int | None = Field(
        default=None, ge=1, le=256, description="Threads of the computation. Empty: half of the machine's cores."
    )
    gpu_layers: int = Field(default=0, ge=0, description="Layers kept on a GPU, where there is one.")
    prompt_piece_tokens: int = Field(
        default=64,
        ge=8,
        le=2048,
        description="Tokens of the prompt read at a time. Smaller stops sooner, larger is faster.",
    )


class Adapter:
    """The language model `llama_cpp`. The file is loaded by the first stream."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: Any = None
        self._loading = threading.Lock()
        self._executor = ThreadPoolExecutor(settings.streams, thread_name_prefix="llama-cpp")

    @property
    def model(self) -> str:
        return self._settings.model_path.stem

    @property
    def is_local(self) -> bool:
        return True

    async def stream(self, request: TextRequest) -> AsyncIterator[TextDelta | Completion]:
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()
        stopped = threading.Event()

        def hand_over(event: dict[str, Any] | Exception | None) -> None:
            if not stopped.is_set():
                loop.call_soon_threadsafe(events.put_nowait, event)

        running = self._executor.submit(self._write, request, hand_over, stopped)
        written = _Written(self.model)
        try:
            while (event := await events.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                if text := written.add(event):
                    yield TextDelta(text=text)
        finally:
            stopped.set()
            running.cancel()
        yield written.complete()

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._unload)

    def _write(self, request: TextRequest, hand_over: Any, stopped: threading.Event) -> None:
        def take(line: str) -> bool:
            """One event of llama.cpp; True stops it."""
            if not stopped.is_set():
                hand_over(json.loads(line))
            return stopped.is_set()

        try:
            if not stopped.is_set():
                self._load().handle_chat_completions(_build_request(request), take)
            hand_over(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the stream that waits for it must end with it
            hand_over(error)

    def _load(self) -> Any:
        with self._loading:
            if self._server is None:
                self._server = _start_server(self._settings)
            return self._server

    def _unload(self) -> None:
        with self._loading:
            self._server = None


class _Written:
    """What llama.cpp has brought so far."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._finish: str | None = None
        self._usage: dict[str, Any] = {}

    def add(self, event: dict[str, Any]) -> str:
        if "error" in event:
            raise _translate(event["error"])
        self._usage = event.get("usage") or self._usage
        for choice in event.get("choices", ()):
            self._finish = choice.get("finish_reason") or self._finish
            return str(choice.get("delta", {}).get("content") or "")
        return ""

    def complete(self) -> Completion:
        if self._finish is None:
            raise LlmUnavailableError("The local language model stopped before its answer was complete.")
        return Completion(
            model=self._model,
            input_tokens=int(self._usage.get("prompt_tokens", 0)),
            output_tokens=int(self._usage.get("completion_tokens", 0)),
            finish="length" if self._finish == "length" else "stop",
            is_estimate=not self._usage,
        )


def _start_server(settings: Settings) -> Any:
    if not settings.model_path.is_file():
        raise LlmRejectedError(f"There is no model file {settings.model_path}. Correct the setting `model_path`.")
    try:
        xllamacpp = importlib.import_module("xllamacpp")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "The language model `llama_cpp` needs the extra: install `dragoman[local-llm]`."
        ) from error
    try:
        return xllamacpp.Server(_build_parameters(xllamacpp, settings))
    except (RuntimeError, ValueError) as error:
        raise LlmRejectedError(f"The model file {settings.model_path} cannot be loaded: {error}") from error


def _build_parameters(xllamacpp: Any, settings: Settings) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(settings.model_path)
    parameters.n_ctx = settings.context_tokens * settings.streams
    parameters.n_parallel = settings.streams
    parameters.n_gpu_layers = settings.gpu_layers
    parameters.n_batch = parameters.n_ubatch = settings.prompt_piece_tokens
    # llama.cpp's threads spin while they wait for each other. With 2 on 2 busy cores a token took 3 s, with 1, 15 ms.
    threads = settings.threads or max(1, (os.cpu_count() or 2) // 2)
    for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
        cpu.n_threads, cpu.poll = threads, 0
    parameters.warmup = False
    parameters.verbosity = -1
    parameters.offline = True
    # The package always opens an HTTP port on the loopback address. Nobody knows this key, so nobody can use it.
    parameters.api_keys = [secrets.token_urlsafe(32)]
    parameters.ui = False
    return parameters


def _build_request(request: TextRequest) -> str:
    # `model` is left out: one file, one model. Progress events are what lets a stream stop inside a long prompt.
    body: dict[str, Any] = {
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "stop": list(request.stop),
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
    }
    return json.dumps(body)


def _translate(error: dict[str, Any]) -> LlmRejectedError | LlmUnavailableError:
    message = str(error.get("message", "no reason given"))
    if int(error.get("code", 500)) < 500:
        return LlmRejectedError(f"The local language model refused: {message}")
    return LlmUnavailableError(f"The local language model failed: {message}")
