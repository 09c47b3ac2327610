"""A language model that says what it was told to: for tests, demos and load. Deterministic; a token is a word.

A request whose model is `load:first_token_ms=200,token_ms=20,tokens=40,errors=0.1,hangs=0.01,cuts=0.05` gets an answer of
that kind, so that a chatbot's setting `model` sets it while the service runs; `dragoman eval load` does so.
"""

from __future__ import annotations

import asyncio
import base64
import codecs
import random
import re
from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

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
_LOAD: Final = "load:"
_LOAD_SENTENCE: Final = "This is a scripted answer [1]. "
_HANG_S: Final = 3600.0
_SYSTEM = re.compile(r"\{system(?::(?:own|base64|reversed|rot13))?\}")


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


class Load(BaseModel):
    """How an answer under load comes. Times in milliseconds; `errors`, `hangs`, `cuts`: shares of the calls, 0 to 1.

    An error comes before the first token, a cut after the half of them; one that hangs says nothing for an hour.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_token_ms: float = Field(default=0.0, ge=0, le=600_000)
    token_ms: float = Field(default=0.0, ge=0, le=60_000)
    tokens: int = Field(default=20, ge=1, le=1_000)
    errors: float = Field(default=0.0, ge=0, le=1)
    hangs: float = Field(default=0.0, ge=0, le=1)
    cuts: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.errors + self.hangs + self.cuts > 1.0:
            raise ValueError("the shares of errors, hangs and cuts are more than all calls")
        return self

    @classmethod
    def parse(cls, model: str) -> Load:
        """Raises LlmRejectedError: as of a provider that does not know this model."""
        given = dict(part.partition("=")[::2] for part in model.removeprefix(_LOAD).split(",") if part)
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise LlmRejectedError(f"The model {model!r} is none: {error.errors()[0]['msg']}.") from error


class Settings(BaseModel):
    """Settings of the language model `scripted`."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(default="scripted", description="The name it gives itself.")
    replies: list[Rule | str] = Field(
        default=["This is a scripted answer."],
        description="Rules are tried first, in order; where none matches, the plain replies are given in turn. `{system}` in "
        "a reply stands for the system message, `{system:own}` for its paragraphs between the first and the last, `{system:base64}`, `{system:reversed}` and "
        "`{system:rot13}` for its disguises: "
        "a model that gives away whatever it knows.",
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
        self._chance = random.Random(1)  # the same failures in the same order in every run

    @property
    def model(self) -> str:
        return self._settings.model

    @property
    def is_local(self) -> bool:
        return True

    async def stream(self, request: TextRequest) -> AsyncIterator[TextDelta | Completion]:
        if request.model is not None and request.model.startswith(_LOAD):
            async for event in self._under_load(request, Load.parse(request.model)):
                yield event
            return
        reply = _cut_at_stop(_filled(self._choose_reply(request), request), request)
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

    async def _under_load(self, request: TextRequest, load: Load) -> AsyncIterator[TextDelta | Completion]:
        drawn = self._chance.random()
        if drawn < load.errors:
            raise LlmUnavailableError
        if drawn < load.errors + load.hangs:
            await asyncio.sleep(_HANG_S)
        is_cut = load.errors + load.hangs <= drawn < load.errors + load.hangs + load.cuts
        count = min(load.tokens, request.max_tokens)
        words = _TOKEN.findall(_LOAD_SENTENCE) * (count // 6 + 1)
        for number, word in enumerate(words[:count]):
            if is_cut and number >= count // 2:
                raise LlmUnavailableError
            await asyncio.sleep((load.token_ms if number else load.first_token_ms) / 1000.0)
            yield TextDelta(text=word)
        read = sum(len(message.content.split()) for message in request.messages)
        finish: Literal["stop", "length"] = "stop" if count == load.tokens else "length"
        yield Completion(model=self._settings.model, input_tokens=read, output_tokens=count, finish=finish)

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


def _filled(reply: str, request: TextRequest) -> str:
    if "{system" not in reply:
        return reply
    system = "\n".join(message.content for message in request.messages if message.role == "system")
    said = {
        "{system}": system,
        "{system:own}": "\n\n".join(system.split("\n\n")[1:-1]),
        "{system:base64}": base64.b64encode(system.encode()).decode(),
        "{system:reversed}": system[::-1],
        "{system:rot13}": codecs.encode(system, "rot13"),
    }
    return _SYSTEM.sub(lambda match: said[match[0]], reply)


def _cut_at_stop(reply: str, request: TextRequest) -> str:
    return reply[: min(_find_stops(reply, request), default=len(reply))]


def _find_stops(reply: str, request: TextRequest) -> Iterator[int]:
    for stop in request.stop:
        if stop and (at := reply.find(stop)) >= 0:
            yield at
