"""Writes text with a language model.

Events of a stream, in order of appearance: any number of `TextDelta`, then exactly one `Completion`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from dragoman.kit.errors import DragomanError, UnavailableError


class LlmUnavailableError(UnavailableError):
    """The language model does not answer. The answer was made without it where possible."""

    code = "llm.unavailable"


class LlmOverloadedError(LlmUnavailableError):
    """The language model asks to slow down. Try again after `retry_after_s`."""

    code, status = "llm.overloaded", 429


class LlmRejectedError(DragomanError):
    """The language model refused the request. Check the model's name, the key and the length of the prompt."""

    code, status = "llm.rejected", 502


class LlmEmptyError(DragomanError):
    """The language model ended its answer without a word. Try again, or choose another model."""

    code, status = "llm.empty", 502


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """What to write.

    Attributes:
        messages: at least one, the last from the user.
        max_tokens: the longest text to write, in tokens of the model.
        temperature: 0 (the likeliest words) to 2.
        model: a model of the provider; None for the one in the adapter's settings.
        stop: the text ends before any of these.
    """

    messages: Sequence[ChatMessage]
    max_tokens: int = 1024
    temperature: float = 0.0
    model: str | None = None
    stop: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """The next piece of text, never empty."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The end of the text.

    Attributes:
        model: the model that wrote, as the provider names it.
        input_tokens, output_tokens: as the provider counted; estimated where `is_estimate`.
        finish: `stop` it was done, `length` it reached `max_tokens`.
    """

    model: str
    input_tokens: int
    output_tokens: int
    finish: Literal["stop", "length"]
    is_estimate: bool = False


class Llm(Protocol):
    """A language model behind an API or in this process.

    Closing the iterator (or cancelling its task) stops the model within 200 ms. Errors are raised from the iterator,
    before or between its events.

    Raises:
        LlmUnavailableError: no connection, time-out, 5xx (worth another try).
        LlmOverloadedError: 429, with `retry_after_s` where the provider gives it.
        LlmRejectedError: it refused (another try will not help).
    """

    @property
    def model(self) -> str:
        """The model used when a request names none."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether what it reads stays in this process or on this network; then nothing is masked for it."""
        ...

    def stream(self, request: TextRequest) -> AsyncIterator[TextDelta | Completion]: ...

    async def close(self) -> None: ...
