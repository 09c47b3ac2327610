"""Decides whether a question needs the conversation before it, and which words of that conversation it needs.

No model: tables of words for some thirty languages, and the shape of the words. What the assistant said counts little,
since a wrong answer would otherwise lead the next search astray.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from dragoman.kit.text.terms import STOP_WORDS, analyse, base_language, is_code
from dragoman.understanding.reference_words import CHINESE_SMALL, CONTINUING, EXPLETIVE, POINTING, POLITE, TALK

FEW_WORDS: Final = 2  # a question with at most so many words of content leans on what was said before
# How a word weighs; chosen on CAsT 2019 (339 follow-ups that a person completed): of the terms that the person added, four
# words of context hold 0.77, against 0.62 with one decay for every turn. Names: 1.0 to 3.0 are nearly alike.
DECAY_ALONE: Final = 0.7  # behind a turn that stood alone: it may have begun another subject
DECAY_FOLLOW_UP: Final = 0.95  # behind one that went on with what was before it
OPENING: Final = 1.6  # the first turn sets the subject
NAME: Final = 1.8
CODE: Final = 1.5
NOUN: Final = 1.4  # German writes all nouns with capitals
ASSISTANT_SHARE: Final = 0.2
LONGEST_TURN: Final = 2000  # characters that are looked at; a pasted page says no more than its start
TURNS: Final = 24  # things said that are looked at, answers included

# The share of the question completed from history. mtrag-cloud, vectors, recall@5 of the 109 follow-ups that need context: 0.490
# as asked, 0.468 completed, 0.579 mixed (0.502 with a person's rewrite). "short" ones are mostly new subjects: 0.63 with
# 0.35, 0.48 with 0.65; "empty" ones find nothing by themselves.
_WEIGHTS: Final = {"none": 0.0, "short": 0.3, "pointing": 0.5, "continuing": 0.5, "empty": 0.65}

Role = Literal["user", "assistant"]
Reason = Literal["none", "pointing", "continuing", "short", "empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something said before the question; oldest first where several are given."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Whether a question leans on what was said before, and by which sign.

    `empty`: it names nothing ("And then?"). `continuing`: it opens as one that goes on ("And for partners?").
    `pointing`: a pronoun or demonstrative stands for something. `short`: it names hardly anything.
    """

    reason: Reason

    @property
    def weight(self) -> float:
        """The share (0 to 1) of the completed question in the search; the rest is the question as it was asked."""
        return _WEIGHTS[self.reason]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextWord:
    """A word of the conversation that the question does not say itself; `weight` only compares within one result."""

    text: str
    weight: float


def need_of_context(question: str, language: str) -> Need:
    """Whether the question leans on the conversation. 87 % of the follow-ups of CAsT 2019 are seen, 87 % of those seen are some."""
    base = base_language(language)
    content = _size(question, base)
    if content == 0:
        return Need(reason="empty")
    if _continues(question, base):
        return Need(reason="continuing")
    if _points(question, base):
        return Need(reason="pointing")
    return Need(reason="short" if content <= FEW_WORDS else "none")


def knows_language(language: str) -> bool:
    """Whether there are tables for it; without them only short questions are seen as follow-ups."""
    return base_language(language) in POINTING


def context_words(question: str, history: Sequence[Said], language: str, *, limit: int) -> list[ContextWord]:
    """The words of the conversation that tell most of its subject, best first.

    A word weighs by who said it and how long ago, by being said more than once, and by its shape: codes, acronyms and
    names count more. Words that the question says itself are left out, in whatever form.
    """
    base = base_language(language)
    known = {term for word in _words(question) for term in analyse(word, base)}
    found: dict[tuple[str, ...], tuple[float, str]] = {}
    for text, share in _shares(history, base):
        for word in _content(text, base):
            key = tuple(analyse(word, base))
            if not known.issuperset(key):
                weight, written = found.get(key, (0.0, word))
                found[key] = (math.hypot(weight, share * _shape(word, text, base)), written)
    best = sorted(found.values(), key=lambda entry: -entry[0])[:limit]
    return [ContextWord(text=written, weight=round(weight, 4)) for weight, written in best]


def _shares(history: Sequence[Said], language: str) -> Iterator[tuple[str, float]]:
    """What was said with its weight, newest first."""
    recent = history[-TURNS:]
    opening = next((at for at, said in enumerate(recent) if said.role == "user"), None)
    share = 1.0
    for at in range(len(recent) - 1, -1, -1):
        text = recent[at].text[:LONGEST_TURN]
        if recent[at].role == "assistant":
            yield text, share * ASSISTANT_SHARE
            continue
        yield text, share * (OPENING if at == opening else 1.0)
        share *= DECAY_FOLLOW_UP if need_of_context(text, language).weight else DECAY_ALONE


# --- words -----------------------------------------------------------------------------------------------------------

_UNSPACED: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f"
_HAN: Final = re.compile("[\u3400-\u9fff]")
_KANA: Final = re.compile("[\u3040-\u30ff]")
_WORD: Final = re.compile(
    rf"[\u30a0-\u30ff]+|[\u3400-\u9fff々]+|[\uac00-\ud7af]+|[\u0e00-\u0e7f]+|"
    rf"(?:(?![{_UNSPACED}])[\w\u0300-\u036f\u0900-\u0dff\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed])+"
    rf"(?:[-./@:+#&'’](?:(?![{_UNSPACED}])[\w\u0300-\u036f])+)*\+{{0,2}}"
)
_JAPANESE_SMALL: Final = "何 時 場合 方法 為 事 物 者 私 彼 誰 方 今 他 次 同 前 後 上 下 中 人 例 説明 教"


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text))


def _content(text: str, base: str) -> list[str]:
    """The words that name something: no small words, none that only make conversation."""
    skipped = _skipped(base)
    words: list[str] = []
    for word in _words(text):
        if _HAN.search(word):
            words += [part for part in _han_parts(word, base) if part]
        elif _plain(word) not in skipped and not _is_tiny(word) and analyse(word, base):
            words.append(word)
    return words


def _han_parts(word: str, base: str) -> list[str]:
    if base == "ja":
        return [] if word in _JAPANESE_SMALL.split() else [word]
    return [part for part in CHINESE_SMALL.split(word) if len(part) > 1]


def _size(text: str, base: str) -> int:
    """How many words of content; two Han characters are about one."""
    return sum(max(1, len(word) // 2) if _HAN.search(word) else 1 for word in _content(text, base))


def _is_tiny(word: str) -> bool:
    """One letter, or one kana or Hangul syllable."""
    return len(word) == 1 and not word.isdigit()


def _shape(word: str, text: str, base: str) -> float:
    """Names, acronyms and codes tell more of a subject than other words."""
    if is_code(word) and not word.isdigit():
        return CODE
    if len(word) > 1 and word.isupper() and not text.isupper():
        return CODE
    starts = text.lstrip().startswith(word)
    if word[0].isupper() and not starts:
        return NOUN if base == "de" else NAME
    return 1.0


@cache
def _skipped(base: str) -> frozenset[str]:
    tables = (STOP_WORDS, TALK, POINTING)
    return frozenset(_plain(word) for table in tables for word in table.get(base, "").split())


# --- signs -----------------------------------------------------------------------------------------------------------


_UNSPACED_LANGUAGES: Final = frozenset({"zh", "ja", "ko", "th"})  # or with particles on their words
_APOSTROPHE: Final = re.compile("['-]")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().replace("’", "'")


def _points(question: str, base: str) -> bool:
    pointing = _pointing(base)
    if base == "ko":  # particles hang on its words
        return any(word.startswith(tuple(pointing)) for word in _words(question))
    if base in _UNSPACED_LANGUAGES:
        return any(word in question for word in pointing)
    told = EXPLETIVE[base].sub(" ", question) if base in EXPLETIVE else question
    words = [word for word in _words(told) if word not in POLITE.get(base, "").split()]
    return any(part in pointing for word in words for part in _APOSTROPHE.split(_plain(word)))


@cache
def _pointing(base: str) -> frozenset[str]:
    return frozenset(_plain(word) for word in POINTING.get(base, "").split())


def _continues(question: str, base: str) -> bool:
    opening = _opening(base)
    return bool(opening and opening.match(_plain(question).lstrip(" \"'¿¡([.…-")))


@cache
def _opening(base: str) -> re.Pattern[str] | None:
    phrases = [re.escape(_plain(phrase)) for phrase in CONTINUING.get(base, "").split("|") if phrase]
    if not phrases:
        return None
    end = "" if base in _UNSPACED_LANGUAGES else r"(?![\w'])"
    return re.compile(f"(?:{'|'.join(sorted(phrases, key=len, reverse=True))}){end}")
