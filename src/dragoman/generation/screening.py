"""What is done about questions and sources that speak to the language model (`kit.text.injection` finds them).

A chatbot that answers from documents has a safe way to go on: it quotes. So a suspicious question is not refused but kept
from every model (`defuse`), and a suspicious sentence of a source is left out of what the model reads. The setting
`injection_screen` says otherwise: `refuse` says no, `flag` only notes it, `off` does not look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal
from uuid import UUID

from prometheus_client import Counter

from dragoman.kit.text import injection
from dragoman.kit.text.injection import Screened
from dragoman.kit.text.sentences import split_sentences
from dragoman.retrieval.entities import Passage
from dragoman.tenancy.settings import ChatbotSettings

Action = Literal["none", "flag", "quote", "refuse"]
LEFT_OUT: Final = "[…]"
_ACTIONS: Final[Mapping[str, Action]] = {"flag": "flag", "defuse": "quote", "refuse": "refuse"}
_SIGNALS_TOLD: Final = 5
_REMEMBERED: Final = 20_000  # chunks

SCREENED = Counter(
    "dragoman_injections_total",
    "Questions and sources that speak to the language model, by what was done.",
    ["place", "action"],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """What a question looks like and what follows from it. `action`: `quote` keeps it from every model."""

    screened: Screened = field(default_factory=Screened)
    action: Action = "none"

    @property
    def may_ask_models(self) -> bool:
        return self.action in ("none", "flag")

    def as_json(self) -> dict[str, Any]:
        """What the answer's `grounding` says."""
        told = [{"kind": signal.kind, "excerpt": signal.excerpt} for signal in self.screened.signals[:_SIGNALS_TOLD]]
        return {"action": self.action, "score": self.screened.score, "signals": told}


def screen_question(settings: ChatbotSettings, question: str) -> Screening:
    if settings.injection_screen == "off":
        return Screening()
    screened = injection.screen_question(question)
    if not screened.is_suspicious:
        return Screening()
    action = _ACTIONS[settings.injection_screen]
    SCREENED.labels("question", action).inc()
    return Screening(screened=screened, action=action)


def is_suspicious(passage: Passage) -> bool:
    """Whether a passage holds sentences that speak to a model. Remembered by chunk, since chunks never change."""
    chunk = passage.found.chunk
    return _defused_chunk(chunk.id, chunk.text, chunk.language) is not None


def speaks_to_models(sentence: str) -> bool:
    return injection.screen_passage(sentence).is_suspicious


def defused(settings: ChatbotSettings, passage: Passage) -> str:
    """The passage's text as a model may read it."""
    chunk = passage.found.chunk
    if settings.injection_screen in ("off", "flag"):
        return chunk.text
    without = _defused_chunk(chunk.id, chunk.text, chunk.language)
    return chunk.text if without is None else without


def said_before(settings: ChatbotSettings, text: str) -> str:
    """A message before the question, as a model may read it: what was kept from models then is kept from them now."""
    return text if settings.injection_screen in ("off", "flag") else defused_line(text)


@lru_cache(maxsize=4096)
def defused_line(text: str) -> str:
    """A title, or what was said before, as a model may read it."""
    return LEFT_OUT if injection.screen_question(text).is_suspicious else text


_by_chunk: dict[tuple[UUID, int], str | None] = {}


def _defused_chunk(chunk_id: UUID, text: str, language: str) -> str | None:
    """The text without its suspicious sentences; None where it has none."""
    key = (chunk_id, hash(text))  # chunks that were merged for a search have the id of their first
    if key in _by_chunk:
        return _by_chunk[key]
    without = _without_suspicious(text, language) if injection.screen_passage(text).is_suspicious else None
    if len(_by_chunk) >= _REMEMBERED:
        _by_chunk.pop(next(iter(_by_chunk)))
    _by_chunk[key] = without
    return without


def _without_suspicious(text: str, language: str) -> str:
    kept: list[str] = []
    at = 0
    for start, end in split_sentences(text, language):
        kept.append(text[at:start])
        kept.append(LEFT_OUT if speaks_to_models(text[start:end]) else text[start:end])
        at = end
    kept.append(text[at:])
    rest = "".join(kept)
    # What speaks to a model only as a whole, over several sentences, is left out as a whole.
    return LEFT_OUT if injection.screen_passage(rest).is_suspicious else rest
