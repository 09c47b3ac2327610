"""The provider models of this installation, from `configs/models.yaml`: which there are, what they can do, what they cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dragoman.kit.errors import InvalidSettingError
from dragoman.metering.prices import Price, PriceList, cost_usd

AUTO: Final = "auto"
"""In place of a model's name: let the router choose among all that are listed."""
_TAKEN: Final = frozenset({AUTO, "extractive"})
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


class ModelPrice(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)

    def cost_usd(self, *, input_tokens: int, output_tokens: int) -> Decimal:
        return cost_usd(self.input, self.output, input_tokens=input_tokens, output_tokens=output_tokens)


class ProviderModel(BaseModel):
    """One model of a provider, as an installation may call it.

    Attributes:
        name: by which chatbots, ladders and usage records know it.
        adapter: of the port `llm`.
        model: the provider's own name; None for the one in the adapter's settings.
        settings: of the adapter, above those of the environment; `${NAME}` stands for a variable of the environment.
        window: tokens of prompt and answer together; None: not known, anything is tried.
        languages: ISO 639-1 codes in which it writes well; empty: all.
        local: whether what it reads stays on this network; None: as its adapter says.
        quality: tier, 1 (simple questions) to 5 (the hardest).
        price: None: the line of `prices` that fits its model, else free.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")
    adapter: str
    model: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    window: int | None = Field(None, ge=256)
    languages: frozenset[str] = frozenset()
    local: bool | None = None
    quality: int = Field(3, ge=1, le=5)
    price: ModelPrice | None = None


class Routing(BaseModel):
    """How calls find another model.

    Attributes:
        fallback: models tried in this order when the one that was named fails.
        hedge_after_ms: a model that is silent for so long gets company: the next one is asked too, and the first to speak
            answers; None: never.
        time_limit_s: after this time without a word no further model is asked; None: each has its own time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fallback: tuple[str, ...] = ()
    hedge_after_ms: float | None = Field(None, gt=0)
    time_limit_s: float | None = Field(None, gt=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    models: list[ProviderModel] = Field(default_factory=list)
    routing: Routing = Routing()
    prices: list[Price] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_sound(self) -> _File:
        names = [model.name for model in self.models]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two models have the name {', '.join(sorted(twice))}")
        if taken := _TAKEN.intersection(names):
            raise ValueError(f"no model may have the name {', '.join(sorted(taken))}")
        if unknown := set(self.routing.fallback).difference(names):
            raise ValueError(f"routing.fallback names {', '.join(sorted(unknown))}, which no model has")
        return self


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The file in use. Without models each answerer is an adapter of the port `llm`, and nothing stands below it."""

    models: tuple[ProviderModel, ...] = ()
    routing: Routing = field(default_factory=Routing)
    prices: PriceList = field(default_factory=PriceList)

    @classmethod
    def load(cls, path: Path, environment: Mapping[str, str]) -> Catalogue:
        """Raises InvalidSettingError: the file cannot be read, or names a variable that is not set."""
        try:
            content = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
            models = tuple(
                model.model_copy(update={"settings": _filled(model.settings, environment)}) for model in content.models
            )
        except (OSError, yaml.YAMLError, ValidationError, KeyError, UnicodeDecodeError) as error:
            reason = f"the variable {error.args[0]} is not set" if isinstance(error, KeyError) else error
            raise InvalidSettingError(f"The list of models {path} cannot be used: {reason}") from error
        return cls(models=models, routing=content.routing, prices=PriceList(tuple(content.prices)))

    def find(self, name: str) -> ProviderModel | None:
        return next((model for model in self.models if model.name == name), None)


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    """Raises KeyError: the variable that is not set."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: environment[found.group(1)], value)
    if isinstance(value, dict):
        return {key: _filled(inner, environment) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, environment) for inner in value]
    return value
