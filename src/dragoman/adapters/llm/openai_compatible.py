"""Any server that speaks OpenAI's `/chat/completions`: OpenAI, Mistral, Featherless, Ollama, vLLM, llama.cpp."""

from __future__ import annotations

import asyncio
import ipaddress
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import openai
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dragoman.kit import tracing
from dragoman.kit.errors import DragomanError
from dragoman.kit.retry_after import parse_retry_after
from dragoman.ports.llm import (
    Completion,
    LlmOverloadedError,
    LlmRejectedError,
    LlmUnavailableError,
    TextDelta,
    TextRequest,
)

_WORTH_ANOTHER_TRY = frozenset({408, 409, 425})
_BYTES_PER_TOKEN = 4  # English prose, GPT-4's tokenizer; only where the server sends no usage

_T = TypeVar("_T")


class Settings(BaseModel):
    """Settings of the language model `openai_compatible`."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = Field(description="Address of the API, e.g. `https://api.openai.com/v1`.")
    api_key: SecretStr | None = Field(default=None, description="Its key, where it wants one.")
    model: str = Field(min_length=1, description="Name of the model used when a request names none.")
    request_usage: bool = Field(default=True, description="Ask for token counts; off for servers that refuse it.")
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="Name of the limit in the request; OpenAI's reasoning models want the second."
    )
    connect_timeout_s: float = Field(default=5.0, gt=0, description="Longest wait for a connection, in seconds.")
    first_token_timeout_s: float = Field(default=30.0, gt=0, description="Longest wait for the first text, in seconds.")
    next_token_timeout_s: float = Field(default=15.0, gt=0, description="Longest wait between two pieces, in seconds.")


class Adapter:
    """The language model `openai_compatible`. Tries once: trying again is the caller's business (`inference`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = openai.AsyncOpenAI(
            base_url=settings.base_url,
            # The client insists on a key; servers without keys ignore it.
            api_key=settings.api_key.get_secret_value() if settings.api_key else "none",
            timeout=openai.Timeout(settings.first_token_timeout_s, connect=settings.connect_timeout_s),
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"request": [tracing.join]}),
        )

    @property
    def model(self) -> str:
        return self._settings.model

    @property
    def is_local(self) -> bool:
        return _is_near(self._settings.base_url)

    async def stream(self, request: TextRequest) -> AsyncIterator[TextDelta | Completion]:
        options = self._build_options(request)
        first, later = self._settings.first_token_timeout_s, self._settings.next_token_timeout_s
        chunks = await _within(first, lambda: self._client.chat.completions.create(**options))
        written = _Written(model=request.model or self._settings.model)
        try:
            while True:
                chunk = await _within(later if written.pieces else first, lambda: anext(chunks, None))
                if chunk is None:
                    break
                if text := written.add(chunk):
                    yield TextDelta(text=text)
        finally:
            # Closing the connection is what stops the server.
            await chunks.close()
        yield written.complete(request)

    async def close(self) -> None:
        await self._client.close()

    def _build_options(self, request: TextRequest) -> dict[str, Any]:
        options: dict[str, Any] = {
            "model": request.model or self._settings.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "temperature": request.temperature,
            "stream": True,
            self._settings.max_tokens_field: request.max_tokens,
        }
        if request.stop:
            options["stop"] = list(request.stop)
        if self._settings.request_usage:
            options["stream_options"] = {"include_usage": True}
        return options


class _Written:
    """What a stream has brought so far."""

    def __init__(self, model: str) -> None:
        self._model = model
        self.pieces = 0
        self._bytes = 0
        self._finish: str | None = None
        self._usage: tuple[int, int] | None = None

    def add(self, chunk: ChatCompletionChunk) -> str:
        self._model = chunk.model or self._model
        if chunk.usage is not None:
            self._usage = (chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0)
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self._finish = choice.finish_reason or self._finish
        text = choice.delta.content or "" if choice.delta else ""
        self.pieces += bool(text)
        self._bytes += len(text.encode("utf-8", "replace"))
        return text

    def complete(self, request: TextRequest) -> Completion:
        """The end of the stream.

        Raises:
            LlmUnavailableError: it broke off, so that the text may be half of one.
        """
        if self._finish is None and self._usage is None:
            raise LlmUnavailableError("The language model's answer broke off.")
        prompt_bytes = sum(len(m.content.encode("utf-8", "replace")) for m in request.messages)
        estimate = (math.ceil(prompt_bytes / _BYTES_PER_TOKEN), math.ceil(self._bytes / _BYTES_PER_TOKEN))
        input_tokens, output_tokens = self._usage or estimate
        return Completion(
            model=self._model,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            finish="length" if self._finish == "length" else "stop",
            is_estimate=self._usage is None,
        )


async def _within(timeout_s: float, call: Callable[[], Awaitable[_T]]) -> _T:
    try:
        async with asyncio.timeout(timeout_s):
            return await call()
    except TimeoutError as error:
        raise LlmUnavailableError(f"The language model was silent for {timeout_s:g} seconds.") from error
    except openai.OpenAIError as error:
        raise _translate(error) from error
    except (ValueError, AttributeError, TypeError) as error:
        raise LlmUnavailableError("The language model's server sent something that is no answer.") from error


def _translate(error: openai.OpenAIError) -> DragomanError:
    if isinstance(error, openai.APIStatusError):
        return _translate_status(error)
    if isinstance(error, openai.APIConnectionError):
        return LlmUnavailableError(f"The language model's server cannot be reached: {error.__cause__ or error}")
    # An error event inside the stream: the request was accepted, so that it is the server which failed.
    return LlmUnavailableError(f"The language model's server reported an error: {error}")


def _translate_status(error: openai.APIStatusError) -> DragomanError:
    if error.status_code == 429:
        return LlmOverloadedError(retry_after_s=parse_retry_after(error.response.headers))
    if error.status_code >= 500 or error.status_code in _WORTH_ANOTHER_TRY:
        return LlmUnavailableError(
            f"The language model's server answered with status {error.status_code}.",
            retry_after_s=parse_retry_after(error.response.headers),
        )
    return LlmRejectedError(f"The language model refused with status {error.status_code}: {error.message}")


def _is_near(base_url: str) -> bool:
    """Loopback and private addresses, and names that only a local network knows."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
