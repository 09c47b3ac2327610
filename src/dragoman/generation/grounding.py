"""Says of each sentence of an answer which passages support it, how well, and what speaks against it. No download.

For a sentence of the answer every sentence of the sources is a candidate: by their vectors, and within one language by the
words they share. The best ones support it, together with their neighbours. Then what can be checked word by word must
stand there: numbers with their units, dates and identifiers near the supporting sentences, names anywhere in the
passage; and the best sentence must not deny what the answer affirms, or the reverse. Across languages only facts that
survive a translation are looked for, and names are compared by their sound.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

from dragoman.generation import facts, negation
from dragoman.generation.facts import Name, NameIndex, Number
from dragoman.kit.text.sentences import split_sentences
from dragoman.kit.text.terms import analyse, base_language
from dragoman.ports.embedder import Calibration

Reason = Literal["number", "unit", "name", "identifier", "opposite", "unsupported"]
"""Why a sentence is not grounded: a number, unit, name or identifier that its sources do not hold; they say the opposite;
nothing in them says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """A passage as the answer's sentences are compared with it. `sentences`: their places in `text`."""

    text: str
    language: str
    heading: str
    sentences: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A sentence of a source: the place of the source among those given, and the sentence's place in its text."""

    source: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A name that the sources may hold in another language's words.

    Attributes:
        rest: the sentence without it; embedded, it tells: a right name brings the sentence nearer to its source.
        cosine: of the whole sentence with `place`, the best source.
        is_name: nothing but a name is written so; else it may be an ordinary word.
    """

    name: str
    rest: str
    place: Place
    cosine: float
    is_name: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSentence:
    """A sentence of the answer.

    Attributes:
        start, end: its place in the answer's text, markers included.
        score: 0 to 1, how well it is supported.
        support: the sentences of the sources that support it, the best first; empty where it is not grounded.
        reason: why it is not grounded; None where it is.
        detail: the words that are missing in the sources, where that is the reason.
        best: the sentence of the sources that it was compared with, and
        similar_words: the share of its words that stand there; 0 where the languages differ.
        claims: whether it states anything; a question or a lead-in does not.
        doubts: names that `settle` decides on.
        judge: what a judge (`judged.py`) made of it, 0 to 1; then `score` is that; None: it was not asked.
    """

    start: int
    end: int
    score: float
    support: tuple[Place, ...] = ()
    reason: Reason | None = None
    detail: str = ""
    best: Place | None = None
    similar_words: float = 0.0
    claims: bool = True
    doubts: tuple[Doubt, ...] = ()
    judge: float | None = None

    @property
    def is_grounded(self) -> bool:
        return self.reason is None


# Weights of a logistic regression on two numbers, set by hand and not fitted; `python -m benchmarks grounding` measures.
SUPPORT_FROM: Final = 0.5  # a sentence below this score says what its sources do not say
_SAME_LANGUAGE: Final = {"bias": -5.0, "words": 6.0, "similarity": 4.0}
_ACROSS: Final = {"bias": -2.0, "similarity": 4.0}
_WITHOUT_VECTORS: Final = {"bias": -4.0, "words": 8.0}
_REFUTED: Final = 0.2  # share of its score that is left to a sentence with a fact that its sources do not hold
_NEARER_WITHOUT: Final = 0.14  # in log odds of the similarity
_MUCH_NEARER_WITHOUT: Final = 2.0
_MOST_SUPPORT: Final = 3
_DECISIVE_WORDS: Final = 0.85  # share of a sentence's words
_MARGIN: Final = 0.12  # in score: how far below the best a sentence may be that supports as well
_MARKER: Final = re.compile(r"\s*\[\d{1,3}(?:[,;] ?\d{1,3}){0,7}\]")
_CLAIMS_NOTHING: Final = 3  # letters; less is no statement


def split_answer(text: str, language: str) -> list[tuple[int, int]]:
    """The sentences of an answer as places in it, each with the markers that follow it."""
    bare = _MARKER.sub(lambda match: " " * len(match[0]), text)
    spans = split_sentences(bare, language)
    placed = []
    for place, (start, end) in enumerate(spans):
        following = spans[place + 1][0] if place + 1 < len(spans) else len(text)
        marker_end = end
        for match in _MARKER.finditer(text, end, following):
            if text[marker_end : match.start()].strip(" .。।,;:|"):
                break
            marker_end = match.end()
        placed.append((start, marker_end))
    return placed


def without_markers(text: str) -> str:
    return _MARKER.sub("", text)


class Sources:
    """The sources of an answer, with what its sentences are compared with; each part is made when first asked for."""

    def __init__(self, texts: Sequence[SourceText], *, allowed: str = "") -> None:
        """`allowed`: further text that names may come from, such as titles."""
        self.texts = texts
        self._names: dict[int, NameIndex] = {}
        self._allowed = allowed

    @cached_property
    def places(self) -> list[Place]:
        return [
            Place(source=index, start=start, end=end)
            for index, source in enumerate(self.texts)
            for start, end in source.sentences
        ]

    def words_of(self, place: Place) -> str:
        return self.texts[place.source].text[place.start : place.end]

    @cached_property
    def terms(self) -> list[frozenset[str]]:
        return [frozenset(analyse(self.words_of(place), self.texts[place.source].language)) for place in self.places]

    @cached_property
    def heading_terms(self) -> list[frozenset[str]]:
        return [frozenset(analyse(source.heading, source.language)) for source in self.texts]

    def names(self, source: int) -> NameIndex:
        if source not in self._names:
            text = self.texts[source]
            self._names[source] = NameIndex([text.heading, text.text, self._allowed])
        return self._names[source]

    def numbers(self, place: Place) -> tuple[Number, ...]:
        return facts.numbers_in(self.words_of(place), self.texts[place.source].language)


def check_sentence(
    sentence: str,
    language: str,
    sources: Sources,
    cosines: Mapping[Place, float],
    calibration: Calibration,
    *,
    cited: Sequence[int] = (),
) -> CheckedSentence:
    """How well the sources support one sentence of an answer (without markers); its place is from 0.

    Args:
        cosines: of the sentence with sentences of the sources; empty where there are no vectors.
        calibration: what the cosines of this embedding version mean.
        cited: the sources that the answer names for it: of two that support alike they are the better ones.
    """
    whole = CheckedSentence(start=0, end=len(sentence), score=1.0, claims=False)
    if sum(map(str.isalnum, sentence)) < _CLAIMS_NOTHING or sentence.rstrip().endswith(("?", "？", "؟", ":", "：")):
        return whole
    if not sources.places:
        return CheckedSentence(start=0, end=len(sentence), score=0.0, reason="unsupported")
    ranked = _rank(sentence, language, sources, cosines, calibration, cited)
    score, best = ranked[0]
    same = base_language(sources.texts[best.source].language) == base_language(language)
    words = _share(frozenset(analyse(sentence, language)), sources, sources.places.index(best)) if same else 0.0
    if not cosines and not same:
        score = SUPPORT_FROM  # nothing can be said of the meaning; facts can still be compared
    checked = CheckedSentence(start=0, end=len(sentence), score=round(score, 4), best=best, similar_words=words)
    support = tuple(place for other, place in ranked[:_MOST_SUPPORT] if other >= score - _MARGIN)
    nearest = support if score >= SUPPORT_FROM else [place for _, place in ranked[:_MOST_SUPPORT]]
    reason, detail = _refuted(sentence, language, sources, best, nearest if cosines or same else sources.places)
    if reason is not None:
        return replace(checked, score=round(score * _REFUTED, 4), reason=reason, detail=detail)
    if score < SUPPORT_FROM:
        return replace(checked, reason="unsupported")
    doubts = _doubts(sentence, language, sources, best, support, cosines.get(best))
    return replace(checked, support=support if cosines or same else (), doubts=doubts)


def words_decide(sentence: str, language: str, sources: Sources, calibration: Calibration) -> CheckedSentence | None:
    """The check where a sentence of the sources, in the same language, has nearly all words of this one; else None.

    Then vectors would add nothing, and need not be made.
    """
    checked = check_sentence(sentence, language, sources, {}, calibration)
    if not checked.claims:
        return checked
    is_close = checked.best is not None and checked.similar_words >= _DECISIVE_WORDS
    return checked if is_close else None


def settle(checked: CheckedSentence, cosines: Sequence[float], calibration: Calibration) -> CheckedSentence:
    """The sentence without its doubts. `cosines`: of the rest of each doubt with its place.

    Leaving out a wrong name brings the sentence nearer to its source. Across languages, over 104 answers of `python -m
    benchmarks grounding`, 0.70 of the wrong names were found before and 0.25 of the true answers refuted.
    """
    slope = calibration.slope + calibration.contrast
    for doubt, cosine in zip(checked.doubts, cosines, strict=True):
        if slope * (cosine - doubt.cosine) > (_NEARER_WITHOUT if doubt.is_name else _MUCH_NEARER_WITHOUT):
            score = round(checked.score * _REFUTED, 4)
            return replace(checked, score=score, reason="name", detail=doubt.name, support=(), doubts=())
    return replace(checked, doubts=())


def _rank(
    sentence: str,
    language: str,
    sources: Sources,
    cosines: Mapping[Place, float],
    calibration: Calibration,
    cited: Sequence[int],
) -> list[tuple[float, Place]]:
    """Every sentence of the sources with the probability that it supports this one, the best first."""
    terms = frozenset(analyse(sentence, language))
    nearness = _Nearness(cosines, calibration)
    scored = []
    for number, place in enumerate(sources.places):
        source = sources.texts[place.source]
        same = base_language(source.language) == base_language(language)
        shared = _share(terms, sources, number) if same or not cosines else None
        score = _probability(shared, nearness.of(place), is_same=same)
        scored.append((score + (0.02 if place.source in cited else 0.0), score, place))
    scored.sort(key=lambda entry: -entry[0])
    return [(score, place) for _, score, place in scored]


def _share(terms: frozenset[str], sources: Sources, number: int) -> float:
    """Share of the sentence's terms in a source's sentence, with what its neighbours and headings add counted half."""
    if not terms:
        return 0.0
    place = sources.places[number]
    own = terms & sources.terms[number]
    around: set[str] = set(terms & sources.heading_terms[place.source])
    for other in (number - 1, number + 1):
        if 0 <= other < len(sources.places) and sources.places[other].source == place.source:
            around |= terms & sources.terms[other]
    return (len(own) + 0.5 * len(around - own)) / len(terms)


class _Nearness:
    """Cosines as similarity 0 to 1, by the calibration of the embedding version."""

    def __init__(self, cosines: Mapping[Place, float], calibration: Calibration) -> None:
        self._cosines, self._calibration = cosines, calibration

    def of(self, place: Place) -> float | None:
        cosine = self._cosines.get(place)
        if cosine is None:
            return None
        slope = self._calibration.slope + self._calibration.contrast
        return _logistic(slope * (cosine - self._calibration.midpoint))


def _probability(shared: float | None, similarity: float | None, *, is_same: bool) -> float:
    if similarity is None:
        return _logistic(_WITHOUT_VECTORS["bias"] + _WITHOUT_VECTORS["words"] * (shared or 0.0))
    if is_same and shared is not None:
        weights = _SAME_LANGUAGE
        return _logistic(weights["bias"] + weights["words"] * shared + weights["similarity"] * similarity)
    return _logistic(_ACROSS["bias"] + _ACROSS["similarity"] * similarity)


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(min(max(-value, -60.0), 60.0)))


# --- what speaks against a sentence ----------------------------------------------------------------------------------


def _refuted(
    sentence: str, language: str, sources: Sources, best: Place, support: Sequence[Place]
) -> tuple[Reason | None, str]:
    """The first fact of the sentence that its sources do not hold, or hold otherwise."""
    near = _with_neighbours(sources, support)
    return (
        _wrong_identifier(sentence, sources)
        or _wrong_number(sentence, language, sources, best, near)
        or _wrong_name(sentence, language, sources, best, support)
        or _opposite(sentence, language, sources, best)
        or (None, "")
    )


def _with_neighbours(sources: Sources, support: Sequence[Place]) -> list[Place]:
    places = sources.places
    numbers = {places.index(place) for place in support}
    around = {number + step for number in numbers for step in (-1, 0, 1) if 0 <= number + step < len(places)}
    chosen = {place.source for place in support}
    return [places[number] for number in sorted(around) if places[number].source in chosen]


def _wrong_number(
    sentence: str, language: str, sources: Sources, best: Place, near: Sequence[Place]
) -> tuple[Reason, str] | None:
    """A number that is not near; or one that is only near where the best sentence has another that is not told."""
    told = facts.numbers_in(sentence, language)
    if not told:
        return None
    nearest = sources.numbers(best)
    there = [number for place in near for number in sources.numbers(place)]
    known = all(facts.knows_number_words(language, sources.texts[place.source].language) for place in near)
    values = frozenset(value for number in told for value in number.values)
    untold = [number for number in nearest if not number.is_word and not number.values & values]
    for number in told:
        strict = bool(untold) and not number.is_word
        wrong = facts.missing_number(number, nearest if strict else there, words_known=known)
        if wrong == "unit":
            return "unit", number.text
        if wrong is not None:
            return "number", number.text
    return None


def _wrong_identifier(sentence: str, sources: Sources) -> tuple[Reason, str] | None:
    for identifier in facts.identifiers_in(sentence):
        if not any(facts.has_identifier(identifier, f"{source.heading}\n{source.text}") for source in sources.texts):
            return "identifier", identifier
    return None


def _wrong_name(
    sentence: str, language: str, sources: Sources, best: Place, support: Sequence[Place]
) -> tuple[Reason, str] | None:
    """A name of the sources' own language that is not in the passages that support the sentence.

    What may be an ordinary word (a German noun) is taken for a wrong name only where the best sentence has a name that
    this one lacks.
    """
    source = sources.texts[best.source]
    if base_language(source.language) != base_language(language):
        return None
    for name, missing in _names_missing(sentence, language, sources, best, support, translated=False):
        if name.is_sure or (
            len(missing) == len(name.words) and _lacks_name_of(sentence, source.language, sources.words_of(best))
        ):
            return "name", " ".join(missing)
    return None


def _doubts(
    sentence: str, language: str, sources: Sources, best: Place, support: Sequence[Place], cosine: float | None
) -> tuple[Doubt, ...]:
    """The names that are not wholly in the sources, which are in another language."""
    if cosine is None or base_language(sources.texts[best.source].language) == base_language(language):
        return ()
    return tuple(
        Doubt(
            name=" ".join(missing), rest=_left_out(sentence, missing), place=best, cosine=cosine, is_name=name.is_sure
        )
        for name, missing in _names_missing(sentence, language, sources, best, support, translated=True)
    )[:_MOST_DOUBTS]


def _names_missing(
    sentence: str, language: str, sources: Sources, best: Place, support: Sequence[Place], *, translated: bool
) -> Iterator[tuple[Name, list[str]]]:
    """The names with the words of them that the passages lack."""
    where = list(dict.fromkeys(place.source for place in support))
    if not facts.are_comparable(sentence, sources.texts[best.source].text):
        return
    for name in facts.names_in(sentence, language):
        missing = min((_missing(name, sources.names(index), translated=translated) for index in where), key=len)
        if missing:
            yield name, missing


def _left_out(sentence: str, words: Sequence[str]) -> str:
    rest = sentence
    for word in words:
        rest = rest.replace(word, "", 1)
    return " ".join(rest.split())


_MOST_DOUBTS: Final = 6  # of one sentence; each is a text to embed


def _lacks_name_of(sentence: str, source_language: str, source: str) -> bool:
    own = NameIndex([sentence])
    return any(
        len(_missing(name, own, translated=False)) == len(name.words)
        for name in facts.names_in(source, source_language)
    )


def _missing(name: Name, index: NameIndex, *, translated: bool) -> list[str]:
    return [word for word in name.words if len(word) > 1 and not index.has(word, translated=translated)]


def _opposite(sentence: str, language: str, sources: Sources, best: Place) -> tuple[Reason, str] | None:
    words = sources.words_of(best)
    if negation.contradicts(sentence, language, words, sources.texts[best.source].language):
        return "opposite", ""
    return None
