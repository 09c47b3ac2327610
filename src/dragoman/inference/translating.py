"""Translators by name, behind a time-out, retries, a breaker and usage records; what was translated lately is remembered.

Kept per tenant: how fast a translation comes would tell that another tenant has had the same text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dragoman.inference.errors import TranslatorTimeoutError, UnknownTranslatorError
from dragoman.inference.roster import Roster
from dragoman.inference.service import CallContext, Inference
from dragoman.kit.cache import LayeredCache, cache_key
from dragoman.kit.errors import DragomanError
from dragoman.kit.tracing import span
from dragoman.ports.translator import (
    LanguagePair,
    PromptedTranslator,
    Translator,
    TranslatorUnavailableError,
    UnsupportedPairError,
    UntranslatableError,
)

AnyTranslator = Translator | PromptedTranslator
PURPOSE: Final = "translate"
BRIDGE: Final = "en"  # most pairs that exist have English on one side


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationLimits:
    """Bounds of a translation, in seconds. `requests_at_once`: to a language model."""

    timeout_s: float = 10.0
    prompted_timeout_s: float = 20.0
    attempts: int = 2
    backoff_s: float = 0.2
    requests_at_once: int = 4


class Translators:
    """Translators by name, each made when it is first asked for."""

    def __init__(
        self,
        *,
        factories: Mapping[str, Callable[[], AnyTranslator]],
        inference: Inference,
        default_answerer: str,
        cache: LayeredCache | None = None,
        limits: TranslationLimits | None = None,
    ) -> None:
        """`default_answerer` is the `llm` adapter that translates where a translator names none.

        Without `cache` each text is translated anew.
        """
        self._roster = Roster(factories, unknown=_unknown, late=TranslatorTimeoutError)
        self._inference, self._default_answerer = inference, default_answerer
        self._cache = cache
        self._limits = limits or TranslationLimits()

    @property
    def names(self) -> list[str]:
        return self._roster.names

    async def pairs(self, name: str) -> frozenset[LanguagePair] | None:
        """What this translator can do by itself; None: any pair.

        Raises:
            UnknownTranslatorError, InvalidSettingError, TranslatorUnavailableError.
        """
        return await self._roster.get(name).pairs()

    def placeholder(self, name: str) -> str:
        """How a word is written that it shall keep, as of the port. Raises as `pairs`."""
        return self._roster.get(name).placeholder

    async def translate(
        self, context: CallContext, name: str, texts: Sequence[str], source: str, target: str
    ) -> list[str]:
        """The translations in the order given; of texts translated lately without a call of the translator.

        Where it has no such pair, it goes through English.

        Raises:
            UnsupportedPairError, UntranslatableError, TranslatorUnavailableError, CircuitOpenError,
            UnknownTranslatorError, UnknownModelError, InvalidSettingError;
            LlmUnavailableError, LlmOverloadedError, LlmRejectedError: the language model that translates.
        """
        translator = self._roster.get(name)
        said = list(texts)
        for pair in await self._route(name, translator, LanguagePair(source, target)):
            said = await self._step(replace(context, purpose=PURPOSE), name, translator, said, pair)
        return said

    async def close(self) -> None:
        await self._roster.close()

    async def _route(self, name: str, translator: AnyTranslator, wanted: LanguagePair) -> list[LanguagePair]:
        """The pair itself, or the two that lead through English; nothing where both languages are the same."""
        if wanted.source == wanted.target:
            return []
        known = await translator.pairs()
        if known is None or wanted in known:
            return [wanted]
        route = [LanguagePair(wanted.source, BRIDGE), LanguagePair(BRIDGE, wanted.target)]
        if not known.issuperset(route):
            raise UnsupportedPairError(f"The translator {name!r} cannot translate {wanted}.")
        return route

    async def _step(
        self, context: CallContext, name: str, translator: AnyTranslator, texts: list[str], pair: LanguagePair
    ) -> list[str]:
        if self._cache is None:
            return await self._call(context, name, translator, texts, pair)

        async def compute(missing: Sequence[int]) -> list[bytes]:
            said = await self._call(context, name, translator, [texts[at] for at in missing], pair)
            return [text.encode("utf-8", "surrogatepass") for text in said]

        keys = [cache_key(context.tenant_id.bytes, name, pair.source, pair.target, text) for text in texts]
        values = await self._cache.get_many(keys, compute)
        return [value.decode("utf-8", "surrogatepass") for value in values]

    async def _call(
        self, context: CallContext, name: str, translator: AnyTranslator, texts: list[str], pair: LanguagePair
    ) -> list[str]:
        """Tries again what may help: a language model has been tried again by `Inference` already."""
        if not texts:
            return []
        prompted = isinstance(translator, PromptedTranslator)
        attempts = 1 if prompted else self._limits.attempts
        timeout_s = self._limits.prompted_timeout_s if prompted else self._limits.timeout_s
        for attempt in range(1, attempts + 1):
            try:
                async with self._roster.asked(name, timeout_s=timeout_s):
                    with span("inference.translate", translator=name, texts=len(texts), pair=str(pair)):
                        return await self._once(context, name, translator, texts, pair)
            except TranslatorTimeoutError:
                raise
            except DragomanError as error:
                if not error.retryable or attempt == attempts or self._roster.is_resting(name):
                    raise
                await asyncio.sleep(self._limits.backoff_s * attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _once(
        self, context: CallContext, name: str, translator: AnyTranslator, texts: list[str], pair: LanguagePair
    ) -> list[str]:
        if isinstance(translator, PromptedTranslator):
            said = await self._by_text(context, translator, texts, pair)
        else:
            said = await self._alone(context, name, translator, texts, pair)
        if len(said) != len(texts) or not all(text.strip() for text in said):
            raise UntranslatableError(f"The translator {name!r} did not return one translation for each text.")
        return said

    # ---- those that translate by themselves

    async def _alone(
        self, context: CallContext, name: str, translator: Translator, texts: list[str], pair: LanguagePair
    ) -> list[str]:
        """One record for all texts of a call. Four characters are a token."""
        tokens = sum(map(len, texts)) // 4
        model = translator.model_of(pair)
        async with self._inference.metered(
            context, kind="translator", name=name, model=model, estimate=2 * tokens
        ) as taken:
            taken.input_tokens = tokens
            try:
                said = await translator.translate(texts, pair.source, pair.target)
            except DragomanError:
                raise
            except Exception as error:
                raise TranslatorUnavailableError(f"The translator {name!r} failed: {error!r}") from error
            taken.output_tokens = sum(map(len, said)) // 4
        return said

    # ---- those that have a language model translate

    async def _by_text(
        self, context: CallContext, translator: PromptedTranslator, texts: list[str], pair: LanguagePair
    ) -> list[str]:
        answerer = translator.answerer or self._default_answerer
        requests = translator.write_requests(texts, pair.source, pair.target)
        replies = await self._inference.write_all(context, answerer, requests, at_once=self._limits.requests_at_once)
        return translator.read_replies(replies, texts)


def _unknown(name: str, known: str) -> UnknownTranslatorError:
    return UnknownTranslatorError(f"There is no translator {name!r}. Choose one of: {known}.")
