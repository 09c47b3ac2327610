"""BM25 over chunks that are given with their terms: for adapters that find chunks elsewhere and score them here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from dragoman.adapters.keyword_index._parts.ranking import Token, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What the scope sees: how many chunks, their average length in terms (at least 1), and how many hold each token."""

    chunk_count: int
    average_length: float
    holders: Mapping[Token, int]

    def idf(self, token: Token) -> float:
        held = self.holders.get(token, 0)
        return math.log(1 + (max(self.chunk_count, held) - held + 0.5) / (held + 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedChunk:
    """A chunk and how often it holds each of its terms."""

    chunk_id: UUID
    frequencies: Mapping[str, int]
    length: int

    @classmethod
    def of_terms(cls, chunk_id: UUID, terms: Sequence[str]) -> IndexedChunk:
        return cls(chunk_id=chunk_id, frequencies=Counter(terms), length=len(terms))

    def holds(self, token: Token) -> bool:
        return any(self.frequency(form, is_prefix=token.is_prefix) for form in token.forms)

    def frequency(self, form: str, *, is_prefix: bool) -> int:
        if not is_prefix:
            return self.frequencies.get(form, 0)
        return sum(count for term, count in self.frequencies.items() if term.startswith(form))


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """`score` in single precision, so that equal ones tie whatever the order of addition; `matched` is IDF mass."""

    score: float
    matched: float


class Scorer:
    """Scores chunks for one question. A token's part is that of its best form, a unit's that of its best wording."""

    def __init__(self, collection: Collection, *, k1: float, b: float, synonym_weight: float) -> None:
        self._collection, self._k1, self._b, self._synonym_weight = collection, k1, b, synonym_weight

    def score(self, chunk: IndexedChunk, units: Iterable[Unit], tokens: Sequence[Token]) -> Score:
        score = matched = 0.0
        for unit in units:
            value, mass = self._of_unit(chunk, unit, tokens)
            score, matched = score + value, matched + mass
        return Score(score=float(np.float32(score)), matched=matched)

    def total(self, units: Iterable[Unit], tokens: Sequence[Token]) -> float:
        """The IDF mass of the question."""
        return sum(self._collection.idf(tokens[number]) for unit in units for number in unit.tokens)

    def _of_unit(self, chunk: IndexedChunk, unit: Unit, tokens: Sequence[Token]) -> tuple[float, float]:
        value = mass = 0.0
        own = sum(self._collection.idf(tokens[number]) for number in unit.tokens)
        for number in unit.tokens:
            saturation = self._saturation(chunk, tokens[number])
            if saturation:
                idf = self._collection.idf(tokens[number])
                value, mass = value + idf * saturation, mass + idf * tokens[number].factor
        for others in unit.others:
            other_value, other_mass = self._of_others(chunk, others, own)
            value, mass = max(value, other_value), max(mass, other_mass)
        return value, mass

    def _of_others(self, chunk: IndexedChunk, others: Sequence[Token], most: float) -> tuple[float, float]:
        """Other words count only where the chunk holds all of them, and no more than what they stand for."""
        saturations = [self._saturation(chunk, token) for token in others]
        if not all(saturations):
            return 0.0, 0.0
        idfs = [self._collection.idf(token) for token in others]
        mass = min(sum(idfs), most) * self._synonym_weight
        average = sum(idf * saturation for idf, saturation in zip(idfs, saturations, strict=True)) / sum(idfs)
        return mass * average, mass

    def _saturation(self, chunk: IndexedChunk, token: Token) -> float:
        norm = self._k1 * (1 - self._b + self._b * chunk.length / self._collection.average_length)
        counts = [chunk.frequency(form, is_prefix=token.is_prefix) for form in token.forms]
        best = max(counts, default=0)
        return token.factor * best * (self._k1 + 1) / (best + norm) if best else 0.0
