"""Which of the listed models a call goes to, and which stand below it: by difficulty, language, context, price, health."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dragoman.inference.catalogue import ProviderModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a call asks of a model.

    Attributes:
        difficulty: 0 (any model will do) to 1 (the best there is).
        language: ISO 639-1 code of the text to write; None: any.
    """

    difficulty: float = 0.5
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a call in tokens, as they are estimated before it; the answer's at most."""

    prompt_tokens: int
    answer_tokens: int


def order_models(
    models: Sequence[ProviderModel],
    demand: Demand,
    size: Size,
    *,
    cost_of: Callable[[ProviderModel], Decimal],
    is_healthy: Callable[[ProviderModel], bool],
) -> list[ProviderModel]:
    """The models in the order in which they are to be tried: first the cheapest one that is good enough.

    Below it stand the others that are good enough, by price; then the simpler ones, the best first. What does not write
    the language comes after all that does; a model that has just failed several times comes last. One whose window is
    too small is left out, unless that is so of all: then the largest windows remain.
    """
    wanted = _wanted_tier([model.quality for model in models], demand.difficulty)

    def place(model: ProviderModel) -> tuple[bool, bool, bool, Decimal | int, Decimal | int]:
        is_good = model.quality >= wanted
        price = cost_of(model)
        by = (price, -model.quality) if is_good else (-model.quality, price)
        return (not is_healthy(model), not _writes(model, demand.language), not is_good, *by)

    return sorted(_wide_enough(models, size), key=place)


def _wanted_tier(tiers: Sequence[int], difficulty: float) -> int:
    """The tier out of those there are: each takes an equal share of the difficulties."""
    there = sorted(set(tiers))
    if not there:
        return 0
    return there[min(len(there) - 1, int(max(0.0, difficulty) * len(there)))]


def _writes(model: ProviderModel, language: str | None) -> bool:
    return not model.languages or language is None or language in model.languages


def _wide_enough(models: Sequence[ProviderModel], size: Size) -> list[ProviderModel]:
    fitting = [model for model in models if fits(model, size)]
    if fitting:
        return fitting
    widest = max((model.window or 0 for model in models), default=0)
    return [model for model in models if model.window == widest]


def fits(model: ProviderModel, size: Size) -> bool:
    """Whether prompt and answer have room in the model's window."""
    return model.window is None or size.prompt_tokens + size.answer_tokens <= model.window
