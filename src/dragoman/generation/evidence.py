"""Chooses the sentences that answer a question, and says how sure it is that they do. No model call.

The extractive answerer quotes what this module chooses; the other answerers use its confidence to say "I do not know".
Each passage is judged by a logistic regression on readable numbers (`Signals`). A sentence is ranked by its own
nearness to the question, the question's words it holds and the judgement of its passage; the passage of the best one
gives the confidence. The rank of a passage says less: the vectors place a text in the question's language nearer than
one in another that answers, and only the judgement asks such a text for the question's words.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dragoman.generation.names_across import AskedNames
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
    """What is asked: its language (ISO 639-1), its terms, and its words for the names among them."""

    language: str
    terms: tuple[QuestionTerm, ...]
    text: str = ""


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
        score: The ranking score of `retrieval.fusion`; used where there is no semantic score.
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
    threshold: float = 0.42


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A sentence to quote: index of its passage, offsets into that passage's text, ranking score."""

    passage: int
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What speaks for a passage and against it.

    Attributes:
        semantic: Its semantic score.
        contrast: How far that stands out from the background of the candidates also found.
        coverage: Share of the question's terms, by weight, that it holds; 0 across languages.
        same_language: It is written in the question's language.
        missing_codes: Share of the question's numbers and part numbers that it does not hold.
        language: The question's.
        names: Log odds from the question's names that it holds in another alphabet.
    """

    semantic: float | None
    contrast: float
    coverage: float
    same_language: bool
    missing_codes: float
    language: str = ""
    names: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The quotes in reading order, the probability that they answer the question, and whether to abstain instead.

    `signals` are those of the passage with the best quote, which the confidence was estimated from.
    """

    quotes: tuple[Quote, ...]
    confidence: float
    abstain: bool
    signals: Signals | None


# In units of cosine. The figures: how often the quotes hold the answer, on xquad-a en (632 questions) and on the 99
# answerable questions about the sample knowledge, 41 of which are answered in another language only.
SENTENCE_COVERAGE_WEIGHT: Final = 0.02  # xquad-a 0.916 -> 0.921, sample 0.919 without and with; 0.05 is no better
PASSAGE_WEIGHT: Final = 0.015  # for one unit of log odds; xquad-a 0.897 -> 0.921, sample 0.879 -> 0.919; to 0.03 alike
# The sentence beside the best one: xquad-a en 0.921 -> 0.923, mean of eleven other languages to English 0.815 -> 0.819.
ADJACENT_WEIGHT: Final = 0.004
NOVELTY_WEIGHT: Final = 0.03  # for all of the question's terms, of which the sentences chosen before hold none
SAME_STATEMENT: Final = 0.85  # of the terms of the shorter of two sentences
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
    passages = passages[: settings.max_passages]
    names = AskedNames(question.text, question.language)
    signals = [_read_signals(question, names, passage, unrelated) for passage in passages]
    ranked = _rank_sentences(question, passages, [_logit(read, model) for read in signals])
    decisive = signals[ranked[0].passage if ranked else 0]
    confidence = estimate_confidence(decisive, model)
    return Evidence(
        quotes=_choose_quotes(question, ranked, passages, settings),
        confidence=confidence,
        abstain=confidence < settings.threshold or not ranked,
        signals=decisive,
    )


def estimate_confidence(signals: Signals, model: ConfidenceModel) -> float:
    """Probability that the passage answers the question; with keywords only, the share of terms found."""
    if signals.semantic is None:
        return signals.coverage * (1.0 - signals.missing_codes)
    return 1.0 / (1.0 + math.exp(min(max(-_logit(signals, model), -60.0), 60.0)))


def _logit(signals: Signals, model: ConfidenceModel) -> float:
    """Log odds that the passage answers the question; 0, which favours none, with keywords only."""
    if signals.semantic is None:
        return 0.0
    return (
        model.bias
        + model.semantic * signals.semantic
        + model.contrast * signals.contrast
        + model.coverage * signals.coverage
        + model.same_language * signals.same_language
        + model.missing_codes * signals.missing_codes
        + (0.0 if signals.same_language else model.languages.get(signals.language, 0.0))
        + signals.names
    )


# --- quotes ----------------------------------------------------------------------------------------------------------


def _rank_sentences(question: Question, passages: Sequence[EvidencePassage], logits: Sequence[float]) -> list[Quote]:
    """Every sentence, the best first."""
    scored = [
        Quote(
            passage=index,
            start=sentence.start,
            end=sentence.end,
            score=_sentence_score(question, passage, sentence) + PASSAGE_WEIGHT * logits[index],
        )
        for index, passage in enumerate(passages)
        for sentence in passage.sentences
    ]
    return sorted(scored, key=lambda quote: -quote.score)


def _choose_quotes(
    question: Question, ranked: Sequence[Quote], passages: Sequence[EvidencePassage], settings: EvidenceSettings
) -> tuple[Quote, ...]:
    """The best sentence, then what adds most to it; each statement once, though several documents may make it."""
    chosen: list[Quote] = []
    left = [quote for quote in ranked if quote.score >= ranked[0].score - settings.margin][:MOST_COMPARED]
    while left and len(chosen) < settings.max_sentences:
        best = max(left, key=lambda quote: quote.score + _gain(question, quote, chosen, passages))
        left.remove(best)
        if not any(_says_the_same(best, other, passages) for other in chosen):
            chosen.append(best)
    return tuple(sorted(chosen, key=lambda quote: (quote.passage, quote.start)))


MOST_COMPARED: Final = 24


def _gain(question: Question, quote: Quote, chosen: Sequence[Quote], passages: Sequence[EvidencePassage]) -> float:
    """What a sentence adds to those chosen: it goes on where one stopped, or has words of the question that they lack."""
    if not chosen:
        return 0.0
    passage = passages[quote.passage]
    beside = any(
        quote.passage == other.passage
        and not passage.text[min(quote.end, other.end) : max(quote.start, other.start)].strip()
        for other in chosen
    )
    told = [passages[other.passage].text[other.start : other.end] for other in chosen]
    known = frozenset(
        term
        for text, other in zip(told, chosen, strict=True)
        for term in analyse(text, passages[other.passage].language)
    )
    lacking = tuple(term for term in question.terms if known.isdisjoint(term.alternatives))
    total = sum(term.weight for term in question.terms)
    own = frozenset(analyse(passage.text[quote.start : quote.end], passage.language))
    new = sum(term.weight for term in lacking if not own.isdisjoint(term.alternatives))
    return ADJACENT_WEIGHT * beside + (NOVELTY_WEIGHT * new / total if total > 0.0 else 0.0)


def _says_the_same(quote: Quote, other: Quote, passages: Sequence[EvidencePassage]) -> bool:
    """Whether two sentences are of the same words: the same document may have been uploaded under two names."""
    texts = [passages[each.passage].text[each.start : each.end] for each in (quote, other)]
    if " ".join(texts[0].casefold().split()) == " ".join(texts[1].casefold().split()):
        return True
    one, two = (frozenset(analyse(text, passages[quote.passage].language)) for text in texts)
    if quote.passage == other.passage or min(len(one), len(two)) < SHORTEST_NEAR_WORD:
        return False
    codes = {term for term in one ^ two if is_code(term)}
    return not codes and len(one & two) >= SAME_STATEMENT * max(len(one), len(two))


def _sentence_score(question: Question, passage: EvidencePassage, sentence: Sentence) -> float:
    nearness = next((value for value in (sentence.cosine, passage.semantic) if value is not None), passage.score)
    return nearness + SENTENCE_COVERAGE_WEIGHT * _coverage(question.terms, _words(passage, sentence))


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


def _read_signals(question: Question, names: AskedNames, passage: EvidencePassage, unrelated: float) -> Signals:
    words = _words(passage)
    same_language = base_language(passage.language) == base_language(question.language)
    codes = [term for term in question.terms if any(map(is_code, term.alternatives))]
    missing = sum(words.isdisjoint(term.alternatives) for term in codes)
    comparable = same_language or passage.semantic is None
    return Signals(
        semantic=passage.semantic,
        contrast=0.0 if passage.semantic is None else passage.semantic - unrelated,
        coverage=_tolerant_coverage(question.terms, words) if comparable else 0.0,
        same_language=same_language,
        missing_codes=missing / len(codes) if codes else 0.0,
        language=base_language(question.language),
        names=0.0
        if same_language
        else names.evidence((passage.title, passage.heading, passage.text), passage.language),
    )
