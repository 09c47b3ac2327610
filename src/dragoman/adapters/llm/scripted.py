"""A language model that says what it was told to: for tests and demos. Deterministic; a token is a word."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dragoman.kit.errors import DragomanError
from dragoman.ports.llm import (
    Completion,
    LlmOverloadedError,
    LlmRejectedError,
    LlmUnavailableError,
    TextDelta,
    TextRequest,
)

_TOKEN = re.compile(r"\s*\S+\s*")


class Rule(BaseModel):
    """A reply to every last user message in which the pattern is found."""

    model_config = ConfigDict(extra="forbid")

    pattern: str = Field(description="Regular expression, searched in the last user message, case ignored.")
    reply: str = Field(description="What is then written.")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern


class Settings(BaseModel):
    """Settings of the language model `scripted`."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(default="scripted", description="The name it gives itself.")
    replies: list[Rule | str] = Field(
        default=["This is a scripted answer."],
        description="Rules are tried first, in order; where none matches, the plain replies are given in turn.",
    )
    delay_ms: float = Field(default=0.0, ge=0, description="Pause before each token, in milliseconds.")
    fail_with: Literal["unavailable", "overloaded", "rejected"] | None = Field(
        default=None, description="The error that ends every stream."
    )
    fail_after_tokens: int = Field(default=0, ge=0, description="Tokens written before that error.")
    retry_after_s: float | None = Field(default=None, ge=0, description="The wait that an `overloaded` error asks for.")


class Adapter:
    """The language model `scripted`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rules = [reply for reply in settings.replies if isinstance(reply, Rule)]
        self._plain = [reply for reply in settings.replies if isinstance(reply, str)]
        self._given = 0

    @property
    def model(self) -> str:
        return self._settings.model

    async def stream(self, request: TextRequest) -> AsyncIterator[TextDelta | Completion]:
        reply = _cut_at_stop(self._choose_reply(request), request)
        tokens = _TOKEN.findall(reply)
        written = 0
        for token in tokens[: request.max_tokens]:
            self._fail_when_due(written)
            await asyncio.sleep(self._settings.delay_ms / 1000.0)
            yield TextDelta(text=token)
            written += 1
        if self._settings.fail_with is not None:
            raise self._error(self._settings.fail_with)
        yield Completion(
            model=request.model or self._settings.model,
            input_tokens=sum(len(message.content.split()) for message in request.messages),
            output_tokens=written,
            finish="length" if written < len(tokens) else "stop",
        )

    async def close(self) -> None:
        """Nothing is held."""

    def _choose_reply(self, request: TextRequest) -> str:
        question = next((m.content for m in reversed(request.messages) if m.role == "user"), "")
        for rule in self._rules:
            if re.search(rule.pattern, question, re.IGNORECASE):
                return rule.reply
        if not self._plain:
            return ""
        self._given += 1
        return self._plain[(self._given - 1) % len(self._plain)]

    def _fail_when_due(self, written: int) -> None:
        if self._settings.fail_with is not None and written >= self._settings.fail_after_tokens:
            raise self._error(self._settings.fail_with)

    def _error(self, kind: str) -> DragomanError:
        if kind == "overloaded":
            return LlmOverloadedError(retry_after_s=self._settings.retry_after_s)
        return LlmRejectedError() if kind == "rejected" else LlmUnavailableError()


def _cut_at_stop(reply: str, request: TextRequest) -> str:
    return reply[: min(_find_stops(reply, request), default=len(reply))]


def _find_stops(reply: str, request: TextRequest) -> Iterator[int]:
    for stop in request.stop:
        if stop and (at := reply.find(stop)) >= 0:
            yield at
