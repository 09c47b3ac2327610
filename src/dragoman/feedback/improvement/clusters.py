"""Groups questions that ask about the same thing, in any language: by the angles between their vectors.

Average linkage, merged bottom-up as long as two groups are alike enough on average. The nearest-neighbour chain
(Murtagh, A survey of recent advances in hierarchical clustering, 1983; Müllner, arXiv:1109.2378) finds these merges in
time and memory that grow with the square of the number of questions.

Vectors of one model share a direction, so that all their cosines are high (of the built-in model 0.7 to 1.0). Without it
the cosines of unrelated questions lie around 0 with every model (Mu and Viswanath, All-but-the-top, 2018). Few questions
share more than that with each other; so the direction is measured together with `BACKGROUND`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

ALIKE_FROM: Final = 0.45
"""Mean cosine, without the shared direction, from which two groups are one; measured: see docs/benchmarks.md."""

BACKGROUND: Final = (
    *("What will the weather be like tomorrow?", "How long do potatoes have to boil?", "Who won the match last night?"),
    *("How do I change a bicycle tyre?", "Which film should we watch?", "When does the library open?"),
    *("Wie wird man Mitglied im Verein?", "Was kostet eine Fahrkarte nach Wien?", "Warum ist der Himmel blau?"),
    *("Wo kann ich hier parken?", "Comment enlever une tache de vin ?", "Quelle est la capitale du Pérou ?"),
    *("Où se trouve la sortie ?", "Quand sème-t-on les carottes ?", "¿Qué síntomas tiene la gripe?"),
    *(
        "¿Cuánto dura el vuelo?",
        "¿Quién escribió esta canción?",
        "¿Dónde se vota el domingo?",
        "明日は何時に起きますか。",
    ),
    *("猫は何を食べますか。", "怎么去火车站？", "这本书多少钱？", "Сколько лет этому дому?", "Как приготовить борщ?"),
    *("كيف أتعلم العزف على العود؟", "متى يبدأ شهر رمضان؟", "Quanto pesa un elefante?", "Bu akşam ne yapalım?"),
)
"""Questions about anything, in many languages."""

Floats = NDArray[np.float32]


def clusters_of(
    vectors: Floats, weights: Sequence[int], background: Floats, *, alike_from: float = ALIKE_FROM
) -> list[list[int]]:
    """The places of the questions of each group, the most central one first; the heaviest group first.

    Args:
        vectors: of shape `(questions, dimensions)`, each of length 1.
        weights: how often each question was asked.
        background: vectors of `BACKGROUND`, by the same model.
    """
    if not len(vectors):
        return []
    cosines = _cosines(_without_shared_direction(vectors, background))
    groups = _linked(cosines, np.asarray(weights, dtype=np.float64), alike_from)
    ordered = [_central_first(cosines, group, weights) for group in groups]
    return sorted(ordered, key=lambda group: (-sum(weights[place] for place in group), group[0]))


def _without_shared_direction(vectors: Floats, background: Floats) -> Floats:
    """Less the mean of all, of length 1 again."""
    centred = vectors - np.concatenate([vectors, background]).mean(axis=0, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(lengths, np.float32(1e-9)), dtype=np.float32)


def _cosines(vectors: Floats) -> Floats:
    return np.asarray(vectors @ vectors.T, dtype=np.float32)


def _linked(cosines: Floats, weights: NDArray[np.float64], alike_from: float) -> list[list[int]]:
    """Groups by average linkage. A group lives at the place of one of its questions; -inf: nothing lives there."""
    likeness = cosines.astype(np.float64)
    np.fill_diagonal(likeness, -np.inf)
    sizes = weights.copy()
    members: list[list[int]] = [[place] for place in range(len(cosines))]
    alive = np.ones(len(cosines), dtype=bool)
    for start in range(len(cosines)):
        chain = [start] if alive[start] and likeness[start].max() >= alike_from else []
        while chain:
            last, before = chain[-1], chain[-2] if len(chain) > 1 else None
            nearest = int(np.argmax(likeness[last]))
            if likeness[last, nearest] < alike_from:
                break  # the union that stands here has nobody near
            if before is not None and likeness[last, before] >= likeness[last, nearest]:
                _merge(likeness, sizes, members, alive, into=before, gone=last)
                del chain[-1]
                chain = chain if len(chain) == 1 else chain[:-1]
            else:
                chain.append(nearest)
    return [sorted(members[place]) for place in np.flatnonzero(alive)]


def _merge(
    likeness: NDArray[np.float64],
    sizes: NDArray[np.float64],
    members: list[list[int]],
    alive: NDArray[np.bool_],
    *,
    into: int,
    gone: int,
) -> None:
    """Average linkage: the likeness of a union is the mean of its parts' by their sizes (Lance and Williams, 1967)."""
    whole = sizes[into] + sizes[gone]
    mean = (sizes[into] * likeness[into] + sizes[gone] * likeness[gone]) / whole
    likeness[into], likeness[:, into] = mean, mean
    likeness[gone], likeness[:, gone] = -np.inf, -np.inf
    likeness[into, into] = -np.inf
    sizes[into] = whole
    members[into] += members[gone]
    alive[gone] = False


def _central_first(cosines: Floats, group: Sequence[int], weights: Sequence[int]) -> list[int]:
    """By their mean likeness to the questions of the group, as often as these were asked."""
    inner = cosines[np.ix_(group, group)] @ np.asarray([weights[place] for place in group], dtype=np.float32)
    return [group[place] for place in np.argsort(-inner, kind="stable")]
