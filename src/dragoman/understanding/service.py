"""Understands a question before anything is searched: what it refers to, in the language of the knowledge, and its other names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from dragoman.deps import Deps
from dragoman.inference.router import Demand
from dragoman.inference.service import CallContext, Writer
from dragoman.kit.errors import DragomanError
from dragoman.kit.text.query_syntax import parse_query
from dragoman.metering.entities import NOBODY, Spender
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Chatbot
from dragoman.tenancy.settings import ChatbotSettings
from dragoman.understanding import expansion
from dragoman.understanding.entities import FurtherQuestion, Prepared, Rewritten, TranslatedQuestion
from dragoman.understanding.expansion_table import Expansion
from dragoman.understanding.history import Said, knows_language
from dragoman.understanding.knowledge_language import knowledge_language
from dragoman.understanding.rewriting import Model, ask_otherwise, rewrite
from dragoman.understanding.translation import failure_code, translator_of

_log = structlog.get_logger(__name__)

_DIFFICULTY: Final = 0.2  # of completing and rewording a question: a small model will do
_NO_MODEL: Final = "extractive"
EXPANSION_WEIGHT: Final = (
    0.35  # nDCG@10 of 30 English questions of partner-center-a, vectors: 0.588 -> 0.583; asked with
)
# the names that the texts do not use 0.504 -> 0.559
OTHERWISE_WEIGHT: Final = 0.4  # of all variants of a model together
LARGEST_SHARE: Final = 0.65  # of everything but the question as it was asked


async def prepare_question(
    deps: Deps,
    chatbot: Chatbot,
    question: str,
    language: str,
    *,
    history: Sequence[Said] = (),
    purpose: str,
    spender: Spender = NOBODY,
    operators: bool = False,
    may_ask_model: bool = True,
) -> Prepared:
    """What to search for a question: it, what it leaves out, and its other names, each with its share of the search.

    complete it from its conversation -> translate it -> (names that the knowledge tells | wordings of a model)

    Args:
        history: what was said before the question, oldest first.
        purpose, spender: of the models' usage records.
        operators: whether its signs (`"a phrase"`, `-forbidden`) mean what they do in a search box. What says so exactly which
            words are meant is not translated.
        may_ask_model: whether a language model may complete and reword it.

    Raises:
        DatabaseUnavailableError.
    """
    asked, settings = question, tenancy.settings_of(chatbot)
    context = CallContext(tenant_id=chatbot.tenant_id, chatbot_id=chatbot.id, purpose=purpose, spender=spender)
    model = _model_of(deps, chatbot, settings) if may_ask_model else None
    rewritten = Rewritten(text=question, used=False, method="none")
    if history and settings.rewrite != "off":
        rewritten = await rewrite(
            deps.inference,
            question,
            history,
            language,
            context=context,
            model=model if settings.rewrite == "auto" else None,
        )
    translated, untranslated = await _translated(
        deps, chatbot, rewritten, question, language, spender=spender, operators=operators
    )
    if translated is not None:
        question, language = translated.text, translated.language
    names = await expansion.expand(deps, chatbot, question, language) if settings.expand_queries else Expansion()
    completed = rewritten.text if translated is None else translated.completed or translated.text
    variants, failed = await _variants(deps, completed, settings.multi_query, context, model)
    also = [FurtherQuestion(text=completed, weight=rewritten.weight)] if rewritten.used else []
    also += [FurtherQuestion(text=text, weight=EXPANSION_WEIGHT) for text in names.also_ask]
    also += [FurtherQuestion(text=text, weight=OTHERWISE_WEIGHT / len(variants)) for text in variants]
    return Prepared(
        text=asked,
        rewritten=rewritten,
        translated=translated,
        also_ask=_shared_out(also),
        synonyms=names.synonyms,
        degraded=(*rewritten.degraded, *untranslated, *failed),
    )


def standalone_question(
    prepared: Prepared, settings: ChatbotSettings, language: str, *, has_history: bool
) -> str | None:
    """The question as it is searched, so that it is understood without its conversation; None where that is not known.

    A follow-up has such a form only where a language model wrote it: words of the conversation that are set behind it
    are enough for a search, and say nothing of what is asked.
    """
    rewritten = prepared.rewritten
    if not has_history:
        return prepared.searched
    if rewritten.method == "model":
        return prepared.completed
    stands_alone = rewritten.method == "none" and rewritten.reason == "none" and not rewritten.degraded
    return prepared.searched if stands_alone and settings.rewrite != "off" and knows_language(language) else None


def _model_of(deps: Deps, chatbot: Chatbot, settings: ChatbotSettings) -> Model | None:
    """The chatbot's language model; None where it answers by quotation."""
    answerer = tenancy.answerer_of(chatbot, deps.default_answerer)
    if answerer == _NO_MODEL:
        return None
    writer = Writer(name=answerer, fallback=settings.fallback_models, demand=Demand(difficulty=_DIFFICULTY))
    return Model(writer=writer, model=settings.model)


async def _translated(
    deps: Deps,
    chatbot: Chatbot,
    rewritten: Rewritten,
    question: str,
    language: str,
    *,
    spender: Spender,
    operators: bool,
) -> tuple[TranslatedQuestion | None, tuple[str, ...]]:
    """The question in the language of the knowledge where the chatbot wants that, and what was degraded.

    Nothing is raised but what the database raises: what cannot be translated is searched as it was asked.
    """
    settings = tenancy.settings_of(chatbot)
    if settings.language_policy != "translate" or (operators and _says_exactly(question)):
        return None, ()
    goal = await knowledge_language(deps, chatbot)
    if goal is None or language in (goal, "und"):
        return None, ()
    translator = translator_of(deps, chatbot, spender)
    if translator is None:
        return None, ("translation_failed:no_translator",)
    try:
        texts = [await translator.translate(question, language, goal)]
        if rewritten.used:
            texts.append(await translator.translate(rewritten.text, language, goal))
    except DragomanError as error:
        _log.warning("understanding.translation_failed", translator=translator.name, code=error.code)
        return None, (failure_code(error),)
    return TranslatedQuestion(text=texts[0], language=goal, completed="".join(texts[1:])), ()


async def _variants(
    deps: Deps, question: str, count: int, context: CallContext, model: Model | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Without a model there are no variants, and none were promised."""
    if count == 0 or model is None:
        return (), ()
    return await ask_otherwise(deps.inference, question, count, context=context, model=model)


def _says_exactly(question: str) -> bool:
    parsed = parse_query(question)
    return parsed.has_conditions or bool(parsed.prefixes)


def _shared_out(also: Sequence[FurtherQuestion]) -> tuple[FurtherQuestion, ...]:
    """The question as it was asked keeps its share, however many others there are."""
    total = sum(further.weight for further in also)
    scale = min(1.0, LARGEST_SHARE / total) if total else 1.0
    return tuple(replace(further, weight=round(further.weight * scale, 4)) for further in also)
