"""Which lines of documents are questions, and in which order questions are suggested. Pure functions."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dragoman.feedback.suggestions.entities import FoundText, Suggestion, SuggestionSource
from dragoman.ingestion.conversation_words import QUESTION_NAMES

LONGEST: Final = 160  # characters: what fits on a button
_LONGEST_TOPIC: Final = 80
_SHORTEST: Final = 4
_MARKS: Final = "?？؟;\u037e"
_LEAD: Final = re.compile(r"^(?:#{1,6}\s+|[*_>\-+•]+\s*|\(?\d{1,3}(?:\.\d{1,3})*[.):]\s+|\d+(?:\.\d+)+\s+)+")
_LABEL: Final = re.compile(r"^([^\W\d_]{1,15}(?: [^\W\d_]{1,10})?) ?\d{0,4} ?[.:：)]\s*")
_NOISE: Final = re.compile(r"[|<>{}\[\]\\@]|https?:|\d{5}|[*_`]{2}")
_ORDER: Final = tuple(SuggestionSource)


def questions_of(found: Iterable[FoundText]) -> Iterator[Suggestion]:
    """The questions that stand in these texts, as a person would ask them."""
    for each in found:
        is_faq = each.kind == "faq"
        source = SuggestionSource.FAQ if is_faq else SuggestionSource.HEADING
        lines = [_asked_in_pair(each)] if is_faq else each.text.split("\n")
        if not is_faq and each.heading:
            lines.append(each.heading)
        for line in lines:
            question = _question(line)
            if question is not None and (is_faq or question.endswith(tuple(_MARKS))):
                yield Suggestion(text=question, language=each.language, source=source, document_id=each.document_id)


def _asked_in_pair(pair: FoundText) -> str:
    """Its heading or its first line, whichever asks: the heading may be that of a group of questions."""
    first = pair.text.strip().partition("\n")[0]
    if pair.heading is None or (_asks(first) and not _asks(pair.heading)):
        return first
    return pair.heading


def _asks(line: str) -> bool:
    return (_question(line) or "").endswith(tuple(_MARKS))


def topics_of(found: Iterable[FoundText], *, language: str, seed: str) -> list[Suggestion]:
    """What the sections of these documents are about, in their headings: those of several words first."""
    topics = [
        Suggestion(text=topic, language=each.language, source=SuggestionSource.TOPIC, document_id=each.document_id)
        for each in found
        for line in each.text.split("\n")
        if (topic := _question(line)) is not None and len(topic) <= _LONGEST_TOPIC and topic[0].isalpha()
    ]
    in_order = ordered(topics, language=language, seed=seed)
    return sorted(in_order, key=lambda topic: " " not in topic.text and topic.text.isascii())


def in_language_only(found: Sequence[Suggestion], language: str) -> list[Suggestion]:
    """Those in the language, and the owner's own; all, where none is in it."""
    own = [each for each in found if each.language == language]
    return (
        [*own, *(each for each in found if each not in own and each.source is SuggestionSource.OWNER)]
        if own
        else [*found]
    )


def ordered(candidates: Iterable[Suggestion], *, language: str, seed: str) -> list[Suggestion]:
    """Those in the language first; among them the first of each document, then the second; then by source.

    The same for the same seed. What asks the same in the same words comes once.
    """
    ranked = sorted(candidates, key=lambda each: (_ORDER.index(each.source), _shuffled(each.text, seed)))
    of_document: Counter[object] = Counter()
    placed: list[tuple[bool, int, Suggestion]] = []
    for each in distinct(ranked):
        place = (each.document_id, each.language == language)
        placed.append((each.language != language, of_document[place], each))
        of_document[place] += 1
    return [each for _, _, each in sorted(placed, key=lambda item: item[:2])]  # stable: by source within a round


def distinct(suggestions: Iterable[Suggestion]) -> list[Suggestion]:
    """Without those that only repeat the words of an earlier one."""
    first: dict[str, Suggestion] = {}
    for each in suggestions:
        first.setdefault("".join(sign for sign in each.text.casefold() if sign.isalnum()), each)
    return list(first.values())


def in_language_first(texts: Sequence[Suggestion], language: str) -> list[Suggestion]:
    return sorted(texts, key=lambda each: each.language != language)


def is_fit(text: str) -> bool:
    """Whether this can be shown to strangers as a question: short, plain, and without a number that names somebody."""
    return _SHORTEST <= len(text) <= LONGEST and not _NOISE.search(text) and any(map(str.isalpha, text))


def _question(line: str) -> str | None:
    text = _LEAD.sub("", line.strip()).strip()
    text = re.sub(r"(\*\*|__|`)(.+?)\1", r"\2", text).strip("*_ ")
    label = _LABEL.match(text)
    if label and label[1].casefold() in QUESTION_NAMES:
        text = text[label.end() :]
    text = " ".join(text.split())
    return text if is_fit(text) else None


def _shuffled(text: str, seed: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass")).digest()
