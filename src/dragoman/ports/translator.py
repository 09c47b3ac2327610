"""Translates sentences from one language to another.

An adapter is one of two kinds. A `Translator` translates by itself. A `PromptedTranslator` has a language model do it: it
writes the requests and reads the replies, and inference, where every model call passes, sends them. Languages are ISO
639-1 codes in lower case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dragoman.kit.errors import DragomanError, UnavailableError
from dragoman.ports.llm import TextRequest


class TranslatorUnavailableError(UnavailableError):
    """The translator does not answer; what was to be translated is shown in its own language. Check its settings."""

    code = "translator.unavailable"


class UnsupportedPairError(DragomanError):
    """The translator has nothing for these two languages. `dragoman translators` lists the pairs that it has."""

    code, status = "translator.unsupported_pair", 422


class UntranslatableError(DragomanError):
    """The translator made nothing usable of this text; it is shown in its own language."""

    code, status = "translator.untranslatable", 422


@dataclass(frozen=True, slots=True, order=True)
class LanguagePair:
    """From which language to which."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


class Translator(Protocol):
    """An adapter of the port `translator` that translates by itself. Methods may be called concurrently."""

    @property
    def placeholder(self) -> str:
        """How a word is written that shall come out as it went in, with `{n}` for its number: `XQ{n}`.

        What engines keep differs. Who translates checks what came of it: nothing is promised here.
        """
        ...

    async def pairs(self) -> frozenset[LanguagePair] | None:
        """What it can do now, as it is installed; None: any pair.

        Raises:
            TranslatorUnavailableError.
        """
        ...

    def model_of(self, pair: LanguagePair) -> str:
        """What its usage records name as the model."""
        ...

    async def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """The translation of each text, in the order given; no texts give none.

        A text is a sentence or a few, on one line, and never empty. Nothing is left out silently: a text that is too
        long for the model is translated in parts.

        Raises:
            UnsupportedPairError: `pairs` does not hold this one.
            TranslatorUnavailableError: the model or the program cannot be used now.
            UntranslatableError: nothing usable came of a text.
        """
        ...

    async def close(self) -> None: ...


@runtime_checkable
class PromptedTranslator(Protocol):
    """An adapter of the port `translator` that has a language model translate. It keeps no state."""

    @property
    def placeholder(self) -> str:
        """As of a `Translator`."""
        ...

    async def pairs(self) -> frozenset[LanguagePair] | None:
        """As of a `Translator`."""
        ...

    @property
    def answerer(self) -> str | None:
        """The `llm` adapter to ask; None for the one that the installation answers with."""
        ...

    def write_requests(self, texts: Sequence[str], source: str, target: str) -> list[TextRequest]:
        """One request for each text, in the order given; they may be sent at the same time."""
        ...

    def read_replies(self, replies: Sequence[str], texts: Sequence[str]) -> list[str]:
        """The translations out of the replies in the order of the requests.

        Raises:
            UntranslatableError: a reply holds none.
        """
        ...

    async def close(self) -> None: ...
