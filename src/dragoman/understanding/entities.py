"""What is understood of a question before anything is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dragoman.understanding.history import Reason

Method = Literal["none", "history", "model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A question that can be understood without its conversation.

    Attributes:
        text: the completed question; the question itself where it stands alone.
        used: whether `text` says more than the question.
        method: who completed it: nobody, the words of the conversation, or a language model.
        reason: by which sign it was taken for a follow-up.
        weight: the share (0 to 1) that the completed question should have in the search beside the one asked.
        prompt_version: of the model's prompt; None where no model wrote it.
        degraded: `rewrite_failed:<code>` where a model should have done it and did not.
    """

    text: str
    used: bool
    method: Method
    reason: Reason = "none"
    weight: float = 0.0
    prompt_version: str | None = None
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherQuestion:
    """The question in other words. `weight` is its share (0 to 1) of the search, beside the question as it was asked."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedQuestion:
    """The question in the language of the knowledge: what is searched and answered in its place.

    Attributes:
        language: that it was translated to.
        completed: with what its conversation adds; "" where that is nothing.
    """

    text: str
    language: str
    completed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What to search for a question.

    Attributes:
        text: the question as it was asked.
        rewritten: the question completed from its conversation.
        translated: the question in the language of the knowledge; None where it is searched as it was asked.
        also_ask: the question in other words; their weights sum up to less than 1.
        synonyms: other names of what the question names, by its words as they stand there.
        degraded: what was skipped or replaced.
    """

    text: str
    rewritten: Rewritten
    translated: TranslatedQuestion | None = None
    also_ask: tuple[FurtherQuestion, ...] = ()
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()

    @property
    def searched(self) -> str:
        """The question as it is searched, without what its conversation adds."""
        return self.translated.text if self.translated else self.text

    @property
    def completed(self) -> str:
        """The same with what its conversation adds; "" where that is nothing."""
        if self.translated:
            return self.translated.completed
        return self.rewritten.text if self.rewritten.used else ""

    @property
    def rewritten_question(self) -> str | None:
        """What was searched, completed and translated; None where that is the question as it was asked."""
        return self.completed or (self.translated.text if self.translated else None)

    def language(self, asked_in: str) -> str:
        """The language of what is searched, of a question asked in `asked_in`."""
        return self.translated.language if self.translated else asked_in
