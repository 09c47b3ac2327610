"""What a model call costs, from the price list in `configs/models.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

_MILLION = Decimal(1_000_000)


class Price(BaseModel):
    """US dollars per million tokens for models whose name matches `model` (a trailing `*` matches any ending)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    input: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class PriceList:
    """The first matching line counts; a model on no line is free."""

    prices: tuple[Price, ...] = ()

    def cost_usd(self, model: str, *, input_tokens: int, output_tokens: int) -> Decimal:
        for price in self.prices:
            if fnmatchcase(model, price.model):
                return cost_usd(price.input, price.output, input_tokens=input_tokens, output_tokens=output_tokens)
        return Decimal(0)


def cost_usd(input_price: Decimal, output_price: Decimal, *, input_tokens: int, output_tokens: int) -> Decimal:
    """US dollars at prices for a million tokens."""
    return (input_price * input_tokens + output_price * output_tokens) / _MILLION
