"""Documents whose answers are rated down more often than chance explains.

Of `total` rated answers `down` were rated down. A document cited in `rated` of them would, if it had no part in it, be cited
in about `rated * down / total` of those. How likely it is to meet as many as there are, or more, is the tail of the
hypergeometric distribution (Fisher's exact test, one-sided, 1922). Among many documents some look bad by accident: the
share of false alarms among those told is held below `FALSE_ALARMS` (Benjamini and Hochberg, 1995).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

FALSE_ALARMS: Final = 0.05
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misleading(Generic[_Key]):
    """Attributes:
    rated, down: answers that cite it, and how many of them were rated down.
    expected: how many of them would be by the rate of all.
    chance: how likely as many or more are by chance.
    """

    key: _Key
    rated: int
    down: int
    expected: float
    chance: float


def find_misleading(
    counts: Mapping[_Key, tuple[int, int]], *, total: int, down: int, false_alarms: float = FALSE_ALARMS
) -> list[Misleading[_Key]]:
    """Those that stand out, the least likely by chance first.

    Args:
        counts: by document, the rated answers that cite it, and how many of them were rated down.
        total, down: the same of all rated answers.
    """
    tested = sorted(
        (
            Misleading(
                key=key,
                rated=rated,
                down=bad,
                expected=rated * down / total,
                chance=chance_of(bad, rated=rated, total=total, down=down),
            )
            for key, (rated, bad) in counts.items()
            if rated
        ),
        key=lambda each: each.chance,
    )
    told = max(
        (place for place, each in enumerate(tested, start=1) if each.chance <= false_alarms * place / len(tested)),
        default=0,
    )
    return tested[:told]


def chance_of(bad: int, *, rated: int, total: int, down: int) -> float:
    """The probability of `bad` or more among `rated` answers drawn from `total`, of which `down` are bad."""
    most = min(rated, down)
    if bad <= max(0, rated + down - total):
        return 1.0
    whole = _log_choices(total, rated)
    terms = (
        math.exp(_log_choices(down, k) + _log_choices(total - down, rated - k) - whole) for k in range(bad, most + 1)
    )
    return min(1.0, math.fsum(terms))


def _log_choices(n: int, k: int) -> float:
    if not 0 <= k <= n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
