"""Says how well passages support the sentences of an answer: an opinion beside the check of facts, words and vectors.

An adapter is one of two kinds. A `Judge` has a model of its own. A `PromptedJudge` has a language model judge: it writes
the requests and reads the replies, and inference, where every model call passes, sends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dragoman.kit.errors import UnavailableError
from dragoman.ports.llm import TextRequest


class JudgeUnavailableError(UnavailableError):
    """The judge does not answer, or not so that it can be read; the built-in check decides alone. Check its settings."""

    code = "judge.unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A sentence of an answer with the passages that it is to be judged by.

    Attributes:
        text: the sentence, without markers.
        language: of the sentence; ISO 639-1 or `und`.
        passages: what it cites, else the passage nearest to it, each with title and headings above it; may be in another
            language; at least one.
    """

    text: str
    language: str
    passages: tuple[str, ...]


class Judge(Protocol):
    """An adapter of the port `judge` that has a model of its own. Methods may be called concurrently."""

    @property
    def model(self) -> str:
        """What its usage records name as the model."""
        ...

    async def judge(self, statements: Sequence[Statement]) -> list[float | None]:
        """The probability (0 to 1) that its passages support each statement, in the order given: 0.5 and more means that
        they do. None: it cannot say. No statements give no probabilities.

        Raises:
            JudgeUnavailableError; InvalidSettingError: it has no usable model.
        """
        ...

    async def close(self) -> None: ...


@runtime_checkable
class PromptedJudge(Protocol):
    """An adapter of the port `judge` that has a language model judge. It holds no connection and keeps no state."""

    @property
    def answerer(self) -> str | None:
        """The answerer to ask where a chatbot names none; None for the chatbot's own."""
        ...

    def write_requests(self, statements: Sequence[Statement]) -> list[TextRequest]:
        """What to ask the model. The requests do not depend on each other and may be sent at the same time."""
        ...

    def read_replies(self, replies: Sequence[str], statements: Sequence[Statement]) -> list[float | None]:
        """The probabilities, as from `Judge.judge`, out of the replies in the order of the requests; None for a statement
        of which a reply says nothing that can be read.

        Raises:
            JudgeUnavailableError: nothing at all can be read.
        """
        ...

    async def close(self) -> None: ...
