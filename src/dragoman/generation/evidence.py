"""Chooses the sentences that answer a question, and says how sure it is that they do. No model call.

The extractive answerer quotes what this module chooses; the other answerers use its confidence to say "I do not know".
A sentence is ranked by its own nearness to the question, its passage's rank score and the question's words it holds.
Confidence is a logistic regression on five readable numbers (`Signals`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dragoman.kit.text.terms import analyse, base_language, is_code
from dragoman.ports.embedder import ConfidenceModel


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionTerm:
    """One token of the question as the keyword index knows it.

    Attributes:
        alternatives: The forms to look for, from `analyse_query`.
        weight: Inverse document frequency in the chatbot's knowledge (BM25's); a term that no chunk holds has the
            greatest.
    """

    alternatives: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: its language (ISO 639-1) and its terms."""

    language: str
    terms: tuple[QuestionTerm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence of a passage.

    Attributes:
        start: Offset into the passage's text.
        end: Offset behind its last character.
        cosine: Nearness to the question; None without sentence vectors.
        context: What a reader needs beside it, such as the header of its table.
    """

    start: int
    end: int
    cosine: float | None
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePassage:
    """A passage found by retrieval.

    Attributes:
        score: The ranking score of `retrieval.fusion`.
        semantic: Its `semantic_score`; None when only keywords were searched.
    """

    score: float
    semantic: float | None
    language: str
    title: str
    heading: str
    text: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSettings:
    """How much to quote and when to give up.

    Attributes:
        max_sentences: The most sentences to quote.
        max_passages: Only this many passages, from the first, are quoted from.
        margin: A further sentence may score this much less than the best one.
        threshold: Below this confidence the answer is "I do not know".
    """

    max_sentences: int = 2
    max_passages: int = 5
    margin: float = 0.15
    threshold: float = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A sentence to quote: index of its passage, offsets into that passage's text, ranking score."""

    passage: int
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Why the confidence is what it is.

    Attributes:
        semantic: Semantic score of the first passage.
        contrast: How far that stands out from the background of the candidates also found.
        coverage: Share of the question's terms, by weight, that the first passage holds; 0 across languages.
        same_language: The first passage is written in the question's language.
        missing_codes: Share of the question's numbers and part numbers that no quoted passage holds.
    """

    semantic: float | None
    contrast: float
    coverage: float
    same_language: bool
    missing_codes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The quotes in reading order, the probability that they answer the question, and whether to abstain instead."""

    quotes: tuple[Quote, ...]
    confidence: float
    abstain: bool
    signals: Signals | None


SENTENCE_COVERAGE_WEIGHT: Final = (
    0.02  # xquad-a en: right passage 0.970 -> 0.975, quote holds the answer 0.902 -> 0.911
)
SHORTEST_NEAR_WORD: Final = 5  # letters; shorter words are near too many others
NEAR_DICE: Final = 0.7  # "discont" and "discount" have 0.8


def choose_evidence(
    question: Question,
    passages: Sequence[EvidencePassage],
    unrelated: float,
    *,
    model: ConfidenceModel,
    settings: EvidenceSettings | None = None,
) -> Evidence:
    """Quotes for a question, or the advice to abstain.

    Args:
        question: What is asked.
        passages: The passages in rank order; none means abstain.
        unrelated: `retrieval.fusion.background` of this search: what an unrelated chunk scores.
        model: Weights of the chatbot's embedding version.
        settings: How much to quote and when to give up.
    """
    settings = settings or EvidenceSettings()
    if not passages:
        return Evidence(quotes=(), confidence=0.0, abstain=True, signals=None)
    quotes = _choose_quotes(question, passages[: settings.max_passages], settings)
    signals = _read_signals(question, passages, quotes, unrelated)
    confidence = estimate_confidence(signals, model)
    abstain = confidence < settings.threshold or not quotes
    return Evidence(quotes=quotes, confidence=confidence, abstain=abstain, signals=signals)


def estimate_confidence(signals: Signals, model: ConfidenceModel) -> float:
    """Probability that the first passage answers the question; with keywords only, the share of terms found."""
    if signals.semantic is None:
        return signals.coverage * (1.0 - signals.missing_codes)
    logit = (
        model.bias
        + model.semantic * signals.semantic
        + model.contrast * signals.contrast
        + model.coverage * signals.coverage
        + model.same_language * signals.same_language
        + model.missing_codes * signals.missing_codes
    )
    return 1.0 / (1.0 + math.exp(min(max(-logit, -60.0), 60.0)))


# --- quotes ----------------------------------------------------------------------------------------------------------


def _choose_quotes(
    question: Question, passages: Sequence[EvidencePassage], settings: EvidenceSettings
) -> tuple[Quote, ...]:
    scored = [
        Quote(passage=index, start=sentence.start, end=sentence.end, score=_sentence_score(question, passage, sentence))
        for index, passage in enumerate(passages)
        for sentence in passage.sentences
    ]
    ranked = sorted(scored, key=lambda quote: -quote.score)[: settings.max_sentences]
    chosen = [quote for quote in ranked if quote.score >= ranked[0].score - settings.margin]
    return tuple(sorted(chosen, key=lambda quote: (quote.passage, quote.start)))


def _sentence_score(question: Question, passage: EvidencePassage, sentence: Sentence) -> float:
    nearness = sentence.cosine if sentence.cosine is not None else passage.semantic or 0.0
    return nearness + passage.score + SENTENCE_COVERAGE_WEIGHT * _coverage(question.terms, _words(passage, sentence))


def _words(passage: EvidencePassage, sentence: Sentence | None = None) -> frozenset[str]:
    """The index terms of a passage, or of one of its sentences under the same title and heading."""
    body = passage.text if sentence is None else f"{sentence.context}\n{passage.text[sentence.start : sentence.end]}"
    return frozenset(analyse(f"{passage.title}\n{passage.heading}\n{body}", passage.language))


def _coverage(terms: Sequence[QuestionTerm], words: frozenset[str]) -> float:
    """Share of the terms, by weight, among the words."""
    total = sum(term.weight for term in terms)
    found = sum(term.weight for term in terms if not words.isdisjoint(term.alternatives))
    return found / total if total > 0.0 else 0.0


def _tolerant_coverage(terms: Sequence[QuestionTerm], words: frozenset[str]) -> float:
    """As `_coverage`, but a misspelt or compounded word counts when a word of the passage is nearly the same."""
    total = sum(term.weight for term in terms)
    pairs = [(word, _letter_pairs(word)) for word in words if len(word) >= SHORTEST_NEAR_WORD]
    found = sum(
        term.weight
        for term in terms
        if not words.isdisjoint(term.alternatives) or any(_nearly_among(form, pairs) for form in term.alternatives)
    )
    return found / total if total > 0.0 else 0.0


def _nearly_among(form: str, words: Sequence[tuple[str, frozenset[str]]]) -> bool:
    """Dice coefficient of the letter pairs (Adamson & Boreham 1974), or one word begins the other."""
    if len(form) < SHORTEST_NEAR_WORD or is_code(form):
        return False
    own = _letter_pairs(form)
    return any(
        word.startswith(form) or form.startswith(word) or 2 * len(own & pairs) >= NEAR_DICE * (len(own) + len(pairs))
        for word, pairs in words
    )


def _letter_pairs(word: str) -> frozenset[str]:
    return frozenset(map("".join, itertools.pairwise(f"^{word}")))


# --- signals ---------------------------------------------------------------------------------------------------------


def _read_signals(
    question: Question, passages: Sequence[EvidencePassage], quotes: Sequence[Quote], unrelated: float
) -> Signals:
    first = passages[0]
    words = _words(first)
    same_language = base_language(first.language) == base_language(question.language)
    seen = words.union(*(_words(passages[index]) for index in {quote.passage for quote in quotes}))
    codes = [term for term in question.terms if any(map(is_code, term.alternatives))]
    missing = sum(seen.isdisjoint(term.alternatives) for term in codes)
    return Signals(
        semantic=first.semantic,
        contrast=0.0 if first.semantic is None else first.semantic - unrelated,
        coverage=_tolerant_coverage(question.terms, words) if same_language or first.semantic is None else 0.0,
        same_language=same_language,
        missing_codes=missing / len(codes) if codes else 0.0,
    )
