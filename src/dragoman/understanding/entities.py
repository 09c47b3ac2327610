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
class Prepared:
    """What to search for a question.

    Attributes:
        text: the question as it was asked.
        rewritten: the question completed from its conversation.
        also_ask: the question in other words; their weights sum up to less than 1.
        synonyms: other names of what the question names, by its words as they stand there.
        degraded: what was skipped or replaced.
    """

    text: str
    rewritten: Rewritten
    also_ask: tuple[FurtherQuestion, ...] = ()
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
