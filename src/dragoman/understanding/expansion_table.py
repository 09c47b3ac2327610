"""What is known of names in one chatbot's knowledge, made from what was found in its chunks, and its use on a question.

Conservative: an acronym whose letters all begin words is believed at once, any other find when two chunks tell it. Each
name keeps at most `MOST_NAMES` others, none told by less than `LEAST_SHARE` of the evidence of the best.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Final

from dragoman.kit.text.terms import STOP_WORDS, analyse, base_language
from dragoman.understanding.expansion_patterns import Kind, is_acronym, is_spelt_out
from dragoman.understanding.reference_words import TALK

MOST_NAMES: Final = 3
LEAST_SHARE: Final = 0.2
ENOUGH: Final = 2  # chunks that must tell what the letters do not prove
SHORTEST_LOWER_CASE: Final = 3  # "ad" in a question is rather the word than the acronym
LONGEST_NAME_WORDS: Final = 12
MOST_WORDS: Final = 300  # of a question; in a pasted page names are not looked for to its end

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A find with how many chunks of live shared documents tell it."""

    kind: Kind
    short: str
    long: str
    language: str
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What may stand in place of a question's words.

    Attributes:
        synonyms: by the words as they stand in the question (one word or several), the names that mean the same, best first.
        also_ask: the question in other words: with the best other names. None or one.
    """

    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    also_ask: tuple[str, ...] = ()


_NOTHING: Final = Expansion()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpansionTable:
    """Names by acronym, and acronyms and other names by the terms of a name."""

    by_acronym: Mapping[str, tuple[str, ...]]
    by_name: Mapping[Key, tuple[str, ...]]
    by_signs: Mapping[str, tuple[str, ...]]  # names in scripts without spaces, which stand anywhere in a question
    reach: Mapping[str, int]  # by the first term of a name, how many words a name that begins so has at most
    language_of: Mapping[str, str]  # by a name of an acronym
    languages: tuple[str, ...]

    def expand(self, question: str, language: str) -> Expansion:
        """Other names for what the question names. Empty where nothing is known of it."""
        if not (self.by_acronym or self.by_name or self.by_signs):
            return _NOTHING
        base = base_language(language)
        found = self._names(question, language) | self._acronyms(question, base)
        return Expansion(synonyms=found, also_ask=_otherwise(question, found) if self._speaks(base) else ())

    def _speaks(self, base: str) -> bool:
        """Whether names are told in the question's language: a name within a sentence of another language misleads.

        nDCG@10 of partner-center-a, vectors, all questions in one language to documents in another, with names of that
        other language: en to de 0.440 -> 0.413, fr to de 0.372 -> 0.364, fr to en 0.377 -> 0.356.
        """
        return base == "und" or base in self.languages

    def _acronyms(self, question: str, base: str) -> dict[str, tuple[str, ...]]:
        found = {}
        lowered = _ordinary(base)
        for match in islice(_WORD.finditer(question), MOST_WORDS):
            word = match[0].rstrip(".-/&+")
            names = self.by_acronym.get(acronym_key(word))
            if not names:
                continue
            lower = word.islower() and len(word) >= SHORTEST_LOWER_CASE and word not in lowered
            told = is_acronym(word) or is_acronym(word.removesuffix("s")) or lower  # "Hat" is not HAT
            if told and not question.isupper():
                shown = tuple(name for name in names if name.casefold() not in question.casefold())
                if shown:  # names in the question's own language first
                    found[word] = tuple(sorted(shown, key=lambda name: self.language_of[name] != base))
        return found

    def _names(self, question: str, language: str) -> dict[str, tuple[str, ...]]:
        """Longest first, so that "cloud solution provider" is not also taken for "solution provider"."""
        words = list(islice(_NAME_WORD.finditer(question), MOST_WORDS))
        taken: set[int] = set()
        found: dict[str, tuple[str, ...]] = {}
        for known in dict.fromkeys((base_language(language), *self.languages)):
            terms = [_terms_of(word[0], known) for word in words]
            for at, length, key in self._candidates(terms):
                span = range(at, at + length)
                if not taken.intersection(span):
                    taken.update(span)
                    found[question[words[at].start() : words[at + length - 1].end()]] = self.by_name[key]
        for name, others in self.by_signs.items():
            if name in question and not any(name in longer for longer in found):
                found[name] = others
        return {written: shown for written, names in found.items() if (shown := _unsaid(names, question))}

    def _candidates(self, terms: Sequence[Key]) -> list[tuple[int, int, Key]]:
        """Known names among the words, longest first: the first word's place, the number of words, the terms."""
        found = []
        for at, first in enumerate(terms):
            longest = self.reach.get(first[0], 0) if first else 0
            key: Key = ()
            for length in range(1, min(longest, len(terms) - at) + 1):
                last = terms[at + length - 1]
                key += last
                if last and key in self.by_name:
                    found.append((at, length, key))
        return sorted(found, key=lambda candidate: (-candidate[1], candidate[0]))


EMPTY: Final = ExpansionTable(by_acronym={}, by_name={}, by_signs={}, reach={}, language_of={}, languages=())

_SIGN: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f"
_KATAKANA: Final = re.compile("[\u30a0-\u30ff]+")
_NO_BEGINNING: Final = " ・ーのをにはがでとへもや的和与是及或个了从对把被"
SHORTEST_SIGNS: Final = 4
SHORTEST_KATAKANA: Final = 7  # "パートナー" alone names nothing
_WORD: Final = re.compile(rf"(?:(?![{_SIGN}])[\w&+./-])+")
_NAME_WORD: Final = re.compile(rf"[{_SIGN}]+|(?:(?![{_SIGN}])\w)+(?:[-'’/&.](?:(?![{_SIGN}])\w)+)*")


def _otherwise(question: str, names: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The question with each name replaced by its best other one."""
    if not names:
        return ()
    longest_first = sorted(names, key=len, reverse=True)
    written = re.compile(
        "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" if word.isascii() else re.escape(word) for word in longest_first)
    )
    changed = written.sub(lambda match: names[match[0]][0], question)
    return (changed,) if changed != question else ()


@lru_cache(maxsize=1 << 15)
def _terms_of(word: str, language: str) -> Key:
    return tuple(analyse(word, language))


def _unsaid(names: Sequence[str], question: str) -> tuple[str, ...]:
    words = {match[0].casefold() for match in _WORD.finditer(question)}
    return tuple(name for name in names if name.casefold() not in words)


def _ordinary(base: str) -> frozenset[str]:
    return frozenset(STOP_WORDS.get(base, "").split()) | frozenset(TALK.get(base, "").split())


def acronym_key(word: str) -> str:
    """One key for MDF, mdf, MDFs and M.D.F."""
    plain = word.replace(".", "")
    if len(plain) > 3 and plain[-1] == "s" and plain[-2].isupper():
        plain = plain[:-1]
    return plain.casefold()


# --- making it -------------------------------------------------------------------------------------------------------


def make_table(told: Iterable[Told]) -> ExpansionTable:
    """Weighs what the chunks tell."""
    finds = list(told)
    names = _names_of_acronyms(finds)
    by_acronym = {key: tuple(_best(variants)) for key, variants in names.items()}
    shorts: dict[str, Counter[str]] = defaultdict(Counter)
    for find in finds:
        shorts[acronym_key(find.short)][find.short] += find.chunks
    pairs = [
        (name, shorts[key].most_common(1)[0][0], names[key][name].language, names[key][name].chunks)
        for key, kept in by_acronym.items()
        for name in kept
    ]
    for find in _aliases(finds):
        pairs += [
            (find.short, find.long, find.language, find.chunks),
            (find.long, find.short, find.language, find.chunks),
        ]
    by_name: dict[Key, Counter[str]] = defaultdict(Counter)
    by_signs: dict[str, Counter[str]] = defaultdict(Counter)
    for name, other, language, chunks in pairs:
        if re.search(f"[{_SIGN}]", name):
            by_signs[name][other] += chunks
        elif terms := tuple(analyse(name, language)):
            by_name[terms][other] += chunks
    return ExpansionTable(
        by_acronym={key: kept for key, kept in by_acronym.items() if kept},
        by_name={key: _first(others) for key, others in by_name.items()},
        by_signs={key: _first(by_signs[key]) for key in sorted(by_signs, key=len, reverse=True)},
        reach=_reach(by_name),
        language_of={name: variants[name].language for variants in names.values() for name in variants},
        languages=tuple(sorted({find.language for find in finds})),
    )


def _reach(names: Iterable[Key]) -> dict[str, int]:
    """Small words have no term: a name of four terms may be written in twice as many words."""
    reach: dict[str, int] = {}
    for name in names:
        reach[name[0]] = max(reach.get(name[0], 0), min(2 * len(name), LONGEST_NAME_WORDS))
    return reach


def _first(others: Counter[str]) -> tuple[str, ...]:
    return tuple(name for name, _ in others.most_common(MOST_NAMES))


@dataclass(slots=True)
class _Name:
    """One long form, in the spelling told most often."""

    terms: Key
    language: str
    chunks: int
    proven: bool


def _names_of_acronyms(finds: Sequence[Told]) -> dict[str, dict[str, _Name]]:
    """By acronym, the long forms by their usual spelling; only those told well enough."""
    spelt: dict[tuple[str, Key], Counter[str]] = defaultdict(Counter)
    language: dict[tuple[str, Key], str] = {}
    proven: set[tuple[str, Key]] = set()
    for find in (*(find for find in finds if find.kind == "acronym"), *_from_tails(finds)):
        if find.long.split()[0].casefold() in STOP_WORDS.get(base_language(find.language), "").split():
            continue  # "sich an Ihren Supportkonto-Manager" holds the letters of SAM, but no name begins so
        terms = tuple(analyse(find.long, find.language))
        place = (acronym_key(find.short), terms)
        if terms:
            spelt[place][find.long] += find.chunks
            language.setdefault(place, find.language)
            if is_spelt_out(find.short, find.long):
                proven.add(place)
    names: dict[str, dict[str, _Name]] = defaultdict(dict)
    for (key, terms), spellings in spelt.items():
        chunks = spellings.total()
        if chunks >= ENOUGH or (key, terms) in proven:
            usual = spellings.most_common(1)[0][0]
            names[key][usual] = _Name(
                terms=terms, language=language[key, terms], chunks=chunks, proven=(key, terms) in proven
            )
    return names


def _best(names: Mapping[str, _Name]) -> list[str]:
    """The names told best, for each language; without those that are a part or an extension of a better one."""
    kept: list[str] = []
    strongest = max((name.chunks for name in names.values()), default=0)
    per_language: Counter[str] = Counter()
    for written, name in sorted(names.items(), key=lambda item: (-item[1].chunks, not item[1].proven, item[0])):
        overlaps = any(_overlap(name.terms, names[other].terms) for other in kept)
        weak = name.chunks < LEAST_SHARE * strongest
        if not (overlaps or weak) and per_language[name.language] < MOST_NAMES:
            kept.append(written)
            per_language[name.language] += 1
    return kept[: 2 * MOST_NAMES]


def _overlap(one: Key, other: Key) -> bool:
    return set(one) <= set(other) or set(other) <= set(one)


def _from_tails(finds: Sequence[Told]) -> list[Told]:
    """Long forms whose letters do not fit: the longest end that `ENOUGH` of the tails before an acronym share."""
    tails: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for find in finds:
        if find.kind == "tail":
            tails[acronym_key(find.short), find.language].append(find)
    found = []
    for (_, language), alike in tails.items():
        ends: Counter[str] = Counter()
        for find in alike:
            for end in _ends(find.long):
                ends[end.casefold()] += find.chunks
        most = max(ends.values(), default=0)
        enough = max(ENOUGH, most / 2)
        shared = sorted((end for end, chunks in ends.items() if chunks >= enough), key=len, reverse=True)
        name = next((trimmed for end in shared if (trimmed := _without_small(_as_written(end, alike), language))), "")
        if name and not is_acronym(name):
            found.append(
                Told(kind="acronym", short=alike[0].short, long=name, language=language, chunks=ends[name.casefold()])
            )
    return found


def _ends(tail: str) -> list[str]:
    """The ends of a tail that may be the name, by words or, without spaces, by signs; katakana words are not cut."""
    if not re.search(f"[{_SIGN}]", tail):
        words = tail.split()
        return [" ".join(words[at:]) for at in range(len(words))]
    cuts = [
        at
        for at in range(len(tail))
        if tail[at] not in _NO_BEGINNING and not (at and _KATAKANA.match(tail[at]) and _KATAKANA.match(tail[at - 1]))
    ]
    ends = [tail[at:] for at in cuts]
    return [end for end in ends if len(end) >= (SHORTEST_KATAKANA if _KATAKANA.fullmatch(end) else SHORTEST_SIGNS)]


def _as_written(end: str, alike: Sequence[Told]) -> str:
    written = next(find.long for find in alike if find.long.casefold().endswith(end))
    return written[len(written) - len(end) :]


def _without_small(name: str, language: str) -> str:
    """Without the small words before it; `""` where fewer than two terms are left, which is rarely a name."""
    small = STOP_WORDS.get(base_language(language), "").split()
    words = name.split()
    while words and (words[0].casefold() in small or not any(sign.isalnum() for sign in words[0])):
        words.pop(0)
    if base_language(language) != "de":  # its nouns are all capitals
        capital = next((at for at, word in enumerate(words) if word[0].isupper()), 0)
        words = words[capital:] if len(words) - capital > 1 else words  # "sea Soporte Premier" begins with the verb
    left = " ".join(words)
    return left if len(analyse(left, language)) >= 2 else ""


def _aliases(finds: Sequence[Told]) -> list[Told]:
    """Other names that enough chunks tell, counting spellings of the same words together."""
    by_terms: dict[tuple[Key, Key], list[Told]] = defaultdict(list)
    for find in finds:
        if find.kind == "alias":
            place = (tuple(analyse(find.short, find.language)), tuple(analyse(find.long, find.language)))
            by_terms[place].append(find)
    return [
        Told(
            kind="alias", short=alike[0].short, long=alike[0].long, language=alike[0].language,
            chunks=sum(find.chunks for find in alike),
        )
        for (one, other), alike in by_terms.items()
        if one and other and one != other and sum(find.chunks for find in alike) >= ENOUGH and _tells(alike[0])
    ]  # fmt: skip


def _tells(alias: Told) -> bool:
    """Whether an alias is more than two ordinary words: "provider, also called distributor" holds in one sentence only."""
    names = (alias.short, alias.long)
    return any(len(name.split()) > 1 or name[:1].isupper() or re.match(f"[{_SIGN}]", name) for name in names)
