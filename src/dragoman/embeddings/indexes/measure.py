"""What searches find beside what comparing all finds, on questions made from the stored vectors themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import numpy as np

from dragoman.embeddings.indexes import repository
from dragoman.embeddings.indexes.entities import Times, VectorPlace
from dragoman.kit.clock import Stopwatch
from dragoman.kit.database import Database
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Vectors

RECALL_AT: Final = 10
_MIXED: Final = 0.35  # of the other chunk in a question between two
_NOISE: Final = 0.2  # length of what is added, of 1
_TIE: Final = 1e-6  # half precision: two chunks as near as this are equally right

Nearest = Callable[[Reader, Vectors], Awaitable[Mapping[UUID, float]]]
"""Finds chunks with their distances; more than `RECALL_AT` may come."""


async def make_questions(database: Database, place: VectorPlace, *, count: int) -> Vectors:
    """Vectors as questions have them, shape `(n, d)`: near a chunk, or between two. The same each time.

    A question is no chunk: it lies beside those that answer it. Stored vectors as they are would be found too easily.
    """
    async with database.transaction(place.tenant_id) as connection:
        stored = await repository.sample_vectors(connection, place, count=count)
    if not len(stored):
        return stored
    random = np.random.default_rng(20)
    noise = random.standard_normal(stored.shape).astype(np.float32)
    noise *= _NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
    others = stored[random.permutation(len(stored))]
    mixed = np.where((np.arange(len(stored)) % 2 == 0)[:, None], stored, (1 - _MIXED) * stored + _MIXED * others)
    questions = mixed + noise
    made: Vectors = (questions / np.linalg.norm(questions, axis=1, keepdims=True)).astype(np.float32)
    return made


async def measure(
    database: Database, place: VectorPlace, questions: Vectors, nearest: Nearest
) -> tuple[list[Mapping[UUID, float]], Times]:
    """What is found for each question, and how long it took, each in a transaction of its own, as searches are."""
    found, took = [], []
    for question in questions:
        async with database.reading(place.tenant_id) as connection:
            watch = Stopwatch()
            found.append(await nearest(connection, question))
            took.append(watch.elapsed_ms)
    return found, _times(took)


def recall(found: Sequence[Mapping[UUID, float]], right: Sequence[Mapping[UUID, float]]) -> float:
    """Mean share of the right chunks that were found, 0 to 1; a chunk as near as the last right one is right too."""
    shares = [_share(got, expected) for got, expected in zip(found, right, strict=True) if expected]
    return float(np.mean(shares)) if shares else 1.0


def _share(got: Mapping[UUID, float], expected: Mapping[UUID, float]) -> float:
    best = sorted(got.items(), key=lambda item: (item[1], item[0]))[: len(expected)]
    farthest = max(expected.values())
    return sum(chunk_id in expected or distance <= farthest + _TIE for chunk_id, distance in best) / len(expected)


def _times(took: Sequence[float]) -> Times:
    if not took:
        return Times(p50_ms=0.0, p95_ms=0.0)
    p50, p95 = np.percentile(took, [50, 95])
    return Times(p50_ms=float(p50), p95_ms=float(p95))
