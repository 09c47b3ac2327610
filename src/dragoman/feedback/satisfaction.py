"""The share of thumbs up, and how far it can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_Z: Final = 1.959964  # 95 %, two-sided


@dataclass(frozen=True, slots=True, kw_only=True)
class Satisfaction:
    """Thumbs up and down."""

    up: int = 0
    down: int = 0

    @property
    def total(self) -> int:
        return self.up + self.down

    @property
    def rate(self) -> float | None:
        """0 to 1; None: nobody has rated."""
        return self.up / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the rate of many more ratings would lie, with a confidence of 95 % (Wilson score interval, 1927)."""
        return wilson_interval(self.up, self.total) if self.total else None

    def __add__(self, other: Satisfaction) -> Satisfaction:
        return Satisfaction(up=self.up + other.up, down=self.down + other.down)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The Wilson score interval of 95 % for a share (Wilson, Probable inference, 1927); `trials` above 0.

    It stays within 0 and 1, and says something sensible of a handful of trials too, where the usual one (Wald) does not.
    """
    share = successes / trials
    spread = _Z**2 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
