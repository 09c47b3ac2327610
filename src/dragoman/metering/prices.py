"""What a model call costs, from the price list in `configs/models.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from dragoman.kit.errors import InvalidSettingError

_MILLION = Decimal(1_000_000)


class Price(BaseModel):
    """US dollars per million tokens for models whose name matches `model` (a trailing `*` matches any ending)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    input: Decimal
    output: Decimal


class _PriceFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prices: list[Price]


@dataclass(frozen=True, slots=True)
class PriceList:
    """The first matching line counts; a model on no line is free."""

    prices: tuple[Price, ...] = ()

    @classmethod
    def load(cls, path: Path) -> PriceList:
        """Raises InvalidSettingError: the file cannot be read as a price list."""
        try:
            content = _PriceFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise InvalidSettingError(f"The price list {path} cannot be read: {error}") from error
        return cls(tuple(content.prices))

    def cost_usd(self, model: str, *, input_tokens: int, output_tokens: int) -> Decimal:
        for price in self.prices:
            if fnmatchcase(model, price.model):
                return (price.input * input_tokens + price.output * output_tokens) / _MILLION
        return Decimal(0)
