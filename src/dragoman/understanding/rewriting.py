"""Completes a question from its conversation: with a language model where the chatbot has one, else from history alone.

One home for search and chat. A question that stands alone is left as it is, without a call.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from dragoman.inference.service import CallContext, Inference, Writer
from dragoman.kit.errors import DragomanError
from dragoman.ports.llm import ChatMessage, TextRequest
from dragoman.understanding import prompts
from dragoman.understanding.entities import Rewritten
from dragoman.understanding.history import Said, context_words, knows_language, need_of_context

_log = structlog.get_logger(__name__)

WORDS: Final = 4  # mtrag-cloud, mixed with the question: 1 word 0.515, 2 0.537, 4 0.553, 6 0.542 (recall@5)
MODEL_WEIGHT: Final = 0.5
TIMEOUT_S: Final = 3.0
_REWRITE_TOKENS: Final = 160
_OTHERWISE_TOKENS: Final = 80  # for each variant
_LONGEST: Final = 400  # characters beyond the question's own: more is an answer, not a question
_LABEL: Final = re.compile(
    r"^\s*(?:[-*•]|\d{1,2}[.)])\s+|^\s*(?:standalone |last |rewritten )?question\s*:\s*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The language model to ask, and a model of its provider or None for its own."""

    writer: Writer | str
    model: str | None = None
    timeout_s: float = TIMEOUT_S


async def rewrite(
    inference: Inference,
    question: str,
    history: Sequence[Said],
    language: str,
    *,
    context: CallContext,
    model: Model | None = None,
) -> Rewritten:
    """The question with what it leaves out.

    With a model, a follow-up costs one short call; when it fails or takes longer than `Model.timeout_s`, history alone
    completes the question and `degraded` says so. Nothing is raised.
    """
    need = need_of_context(question, language)
    said = [each for each in history if each.text.strip()]
    alone = Rewritten(text=question, used=False, method="none", reason=need.reason)
    if not any(each.role == "user" for each in said):
        return alone
    if model is None or (need.reason == "none" and knows_language(language)):
        return _from_history(alone, question, said, language)
    messages = prompts.rewrite_messages(question, said)
    try:
        written = await _ask(inference, context, model, messages, max_tokens=_REWRITE_TOKENS)
    except (DragomanError, TimeoutError) as error:
        _log.warning("understanding.rewrite_failed", model=str(model.writer), code=_code(error))
        fallback = _from_history(alone, question, said, language)
        return replace(fallback, degraded=(f"rewrite_failed:{_code(error)}",))
    text = _one_question(written)
    if not text or len(text) > len(question) + _LONGEST:
        return replace(_from_history(alone, question, said, language), degraded=("rewrite_failed:unusable",))
    if _same(text, question):
        return alone
    return replace(alone, text=text, used=True, method="model", weight=MODEL_WEIGHT, prompt_version=prompts.REWRITE)


def _from_history(alone: Rewritten, question: str, history: Sequence[Said], language: str) -> Rewritten:
    need = need_of_context(question, language)
    if not need.weight:
        return alone
    words = context_words(question, history, language, limit=WORDS)
    if not words:
        return alone
    text = f"{question.rstrip()} {' '.join(word.text for word in words)}"
    return replace(alone, text=text, used=True, method="history", weight=need.weight)


async def ask_otherwise(
    inference: Inference, question: str, count: int, *, context: CallContext, model: Model
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Up to `count` (0 to 4) other wordings of a question by a language model, and what was degraded.

    Wordings with the same words as the question or as another are left out. Nothing is raised: without the model there
    are none, and `multi_query_failed:<code>` says why.
    """
    if count <= 0:
        return (), ()
    messages = prompts.ask_otherwise_messages(question, count)
    try:
        written = await _ask(inference, context, model, messages, max_tokens=_OTHERWISE_TOKENS * count)
    except (DragomanError, TimeoutError) as error:
        _log.warning("understanding.multi_query_failed", model=str(model.writer), code=_code(error))
        return (), (f"multi_query_failed:{_code(error)}",)
    kept = {_words(question): ""}
    for line in written.splitlines():
        text = _one_question(line)
        if text and len(text) <= len(question) + _LONGEST:
            kept.setdefault(_words(text), text)
    variants = tuple(text for text in kept.values() if text)[:count]
    return variants, () if variants else ("multi_query_failed:unusable",)


async def _ask(
    inference: Inference, context: CallContext, model: Model, messages: Sequence[ChatMessage], *, max_tokens: int
) -> str:
    """Raises DragomanError, TimeoutError."""
    request = TextRequest(messages=messages, max_tokens=max_tokens, model=model.model)
    async with asyncio.timeout(model.timeout_s):
        return (await inference.write_text(context, model.writer, request)).text


def _one_question(written: str) -> str:
    """The first line that says something, without the label or the quotation marks that models put around it."""
    line = next((line for line in written.splitlines() if line.strip()), "")
    return _LABEL.sub("", line).strip().strip("\"'“”„«»").strip()


def _words(text: str) -> tuple[str, ...]:
    return tuple(sorted(set(re.findall(r"\w+", text.casefold()))))


def _same(one: str, other: str) -> bool:
    return _words(one) == _words(other)


def _code(error: DragomanError | TimeoutError) -> str:
    return error.code if isinstance(error, DragomanError) else "timeout"
