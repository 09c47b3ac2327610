"""Whether two questions ask the same, in other words: a check that rather says no.

Vectors cannot tell: "How do I enable it?" and "How do I disable it?" lie nearer together than most paraphrases. So both
questions are taken apart by the tables of their language and compared: what is asked for (when, who, how much), the
words of content by their stems and synonyms, numbers with their units, names and codes, denials, the prepositions that
change a meaning, who acts, and the order of words where it tells the roles. Whatever one has and the other has not is a
reason to refuse, and is named. A language without tables is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, Literal

from dragoman.generation import facts, negation
from dragoman.generation.facts import Number, fold
from dragoman.generation.number_words import NUMBER_WORDS
from dragoman.generation.question_words import QUESTION_WORDS, QuestionWords
from dragoman.generation.yes_no import asks_yes_or_no
from dragoman.kit.text.terms import analyse, base_language

Reason = Literal[
    "language",
    "asked_for",
    "number",
    "identifier",
    "name",
    "polarity",
    "condition",
    "words",
    "relation",
    "person",
    "tense",
    "roles",
]
"""Why two questions may not be the same: no tables for the language; another thing is asked for; another number, code or
name; one denies; one has a condition more; other words; "from" and "to", "before" and "after"; mine and yours; what was and
what is; who does what to whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """`detail`: the words that differ."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A word of content. `name`: its synonyms' name or its stem; `loose`: the preposition before it, if any."""

    name: str
    written: str
    loose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A question taken apart.

    Attributes:
        asks: what is asked for, `qWhen`; `qYes` for yes or no; "" where it is no question.
        concepts: in the order of the question, each once.
        relations: words that change a meaning, each with the concept behind it.
        skeleton: the question with its concepts left blank.
        persons: who is spoken of: `ours`, `yours`, `theirs`.
        was: auxiliaries that say that it was so.
        cases: of nouns behind an article that tells it, `nominative` or `accusative`, by their concepts' names.
        is_done_to: in a language with fixed order: somebody does something to what is named, "are refunds paid".
    """

    language: str
    asks: str
    concepts: tuple[Concept, ...]
    relations: frozenset[tuple[str, str]]
    skeleton: tuple[str, ...]
    persons: frozenset[str]
    is_done_to: bool
    numbers: tuple[Number, ...]
    denials: int
    lacks: frozenset[str]
    names: frozenset[str]
    was: frozenset[str]
    cases: Mapping[str, str]

    @property
    def names_of_concepts(self) -> frozenset[str]:
        return frozenset(concept.name for concept in self.concepts)


def why_different(one: str, other: str, language: str) -> Refusal | None:
    """Why the two questions may not be answered alike; None: they ask the same."""
    if base_language(language) not in QUESTION_WORDS:
        return Refusal(reason="language", detail=language)
    first, second = read_question(one, language), read_question(other, language)
    return (
        _other_numbers(first, second)
        or _other_polarity(first, second)
        or _other_goal(first, second)
        or _other_words(first, second)
        or _other_relations(first, second)
        or _other_persons(first, second)
        or _other_tense(first, second)
        or _other_roles(first, second)
    )


# --- reading a question ----------------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(r"[^\W_]+(?:[./@:+#-][^\W_]+)*[+#]{0,2}|&")
_NOT: Final = re.compile(r"(?i)\bcan(?:not|['’]t)\b|(?<=\w)n['’]t\b")
_APOSTROPHE: Final = re.compile(r"['’](?=s\b)|['’]")
_ASKING: Final = re.compile("q[A-Z][A-Za-z]*")
_AS_NAME: Final = "_name"
_MODAL_WORDS: Final = frozenset({"may", "can", "must", "will", "might"})
_BEFORE_FIRST: Final = frozenset(["", *".!?¿¡:;,"])
_MODAL: Final = frozenset({"able", "must", "should"})
_ABLE: Final = frozenset({"able"})
_MANNER: Final = "qManner"
_POLITE: Final = "qPolite"
_WITHIN_WORD: Final = re.compile(
    "(?:zuruck|herunter|hoch|weiter|ein|aus|ab|an|auf|um|vor|her|mit|nach|wieder)zu(?=[a-z]{4})"
)
_WITH_HEAD: Final = frozenset({"qWhat", "qMany", "qMuch"})
_PARTED: Final = frozenset(
    [
        "zuruck",
        "hinzu",
        "zusammen",
        "fort",
        "los",
        "teil",
        "dazu",
        "herunter",
        "runter",
        "hoch",
        "weiter",
        "ein",
        "aus",
        "ab",
        "an",
        "auf",
        "um",
        "vor",
        "her",
        "mit",
        "nach",
        "frei",
        "fest",
    ]
)
_LATIN_CODE: Final = re.compile(r"\d")
# Suffixes that make another word and not another form of it, though the stemmer takes them off: customer, customs.
_DERIVED: Final = re.compile(
    r"(?:ers?|ors?|ants?|ances?|ity|ities|ive|ives|ists?|al|als|able|ous|ness|ful|less|ic|ics)$"
)
_SHORTEST_DERIVED: Final = 5


@lru_cache(maxsize=1 << 12)
def read_question(question: str, language: str) -> Reading:
    """The question taken apart; its language must be one of `QUESTION_WORDS`."""
    base = base_language(language)
    tables = _tables(base)
    text = " ".join(unicodedata.normalize("NFKC", question).split())
    plain, surfaces = _plain(_turned(text, base), base)
    asked = _framed(plain, tables)
    tokens = asked.split()
    goals = [token for token in tokens if _ASKING.fullmatch(token) and token != _POLITE]
    is_asking = asks_yes_or_no(text, base) or (
        _POLITE in tokens and bool({"if", "whether", "ob", "si", "ли"} & {*plain.split()})
    )
    asks = goals[0] if goals else "qYes" if is_asking or text.endswith("?") else ""
    numbers = facts.numbers_in(text, base)
    concepts, relations, skeleton = _concepts(tokens, asks, tables, surfaces, base)
    concepts, asks = _goal_in_words(concepts, asks, tables)
    concepts = _without_implied(concepts, asks, tables)
    return Reading(
        language=base,
        asks="qHow" if asks == _MANNER else asks,
        concepts=concepts,
        relations=relations,
        skeleton=skeleton,
        persons=_persons(plain, tables),
        is_done_to=_is_done_to(asked, plain, tables),
        numbers=numbers,
        denials=len(negation.denials_in(text, base)),
        lacks=frozenset(map(fold, negation.lacks(text, base))),
        was=frozenset(word for word in plain.split() if word in tables.was),
        cases=_cases(plain, surfaces, tables, base),
        names=frozenset(fold(word) for name in facts.names_in(text, base) for word in name.words),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """`QuestionWords` made ready."""

    frames: tuple[tuple[re.Pattern[str], str], ...]
    polite: tuple[re.Pattern[str], ...]
    light: frozenset[str]
    guiding: frozenset[str]
    loose: frozenset[str]
    persons: Mapping[str, str]
    was: frozenset[str]
    past: re.Pattern[str]
    speaker: re.Pattern[str]
    others: re.Pattern[str]
    cases: Mapping[str, str]
    being: frozenset[str]
    participle: re.Pattern[str]
    synonyms: Mapping[str, str]
    asked_for: Mapping[str, str]
    implied: Mapping[str, frozenset[str]]
    numbers: frozenset[str]


@cache
def _tables(base: str) -> _Tables:
    words: QuestionWords = QUESTION_WORDS[base]
    frames = tuple((re.compile(pattern.replace("й", "и").replace("ё", "е")), told) for pattern, told in words.frames)
    synonyms: dict[str, str] = {}
    for group in words.synonyms:
        members = group.split()
        for member in members:
            synonyms.setdefault(fold(member), f"={fold(members[0])}")
            synonyms.setdefault(_stem(member, base), f"={fold(members[0])}")
    sides = {"ours": words.ours, "yours": words.yours, "theirs": words.theirs}
    return _Tables(
        frames=frames,
        polite=tuple(pattern for pattern, told in frames if _POLITE in told or not told.strip()),
        light=frozenset(fold(word) if word != _POLITE else word for word in words.light.split()),
        guiding=frozenset(map(fold, words.guiding.split())),
        loose=frozenset(map(fold, words.loose.split())),
        persons={fold(word): side for side, listed in sides.items() for word in listed.split()},
        was=frozenset(word for word in words.past.split("|") if word.isalpha()),
        past=re.compile(words.past),
        speaker=re.compile(words.speaker),
        others=re.compile(words.others),
        cases=dict.fromkeys(words.nominative.split(), "nominative")
        | dict.fromkeys(words.accusative.split(), "accusative"),
        being=frozenset(words.being.split()),
        participle=re.compile(words.participle),
        synonyms=synonyms,
        asked_for={f"={fold(name)}": goal for name, goal in words.asked_for.items()},
        implied={
            goal: frozenset(word if word in _MODAL else f"={fold(word)}" for word in listed.split())
            for goal, listed in words.implied.items()
        },
        numbers=frozenset(NUMBER_WORDS.get(base, {})),
    )


def _turned(text: str, base: str) -> str:
    """What stands before the question put behind it: "On Sundays, when do you open?", "If I cancel, do I get a refund?"."""
    before, comma, asked = text.partition(", ")
    if not comma or asks_yes_or_no(before, base) or before[:1] == "¿":
        return text
    framed, framed_before = (_framed(_plain(part, base)[0], _tables(base)) for part in (asked, before))
    begins = framed.split()[:1]
    if any(_ASKING.fullmatch(word) for word in framed_before.split()):
        return text
    if asks_yes_or_no(asked, base) or (begins and _ASKING.fullmatch(begins[0])):
        return f"{asked} {before}"
    return text


def _plain(text: str, base: str) -> tuple[str, dict[str, str]]:
    """The words without case, accents and signs, and how each was written."""
    if base == "en":
        text = _NOT.sub(lambda match: "can not" if match[0].lower().startswith("can") else " not", text)
    text = _APOSTROPHE.sub(" ", text)
    written: dict[str, str] = {}
    plain: list[str] = []
    for match in _TOKEN.finditer(text):
        token, before = match[0], text[: match.start()].rstrip("\"'“„«( ")
        is_first = before[-1:] in _BEFORE_FIRST
        for part in [token] if _LATIN_CODE.search(token) or "@" in token else re.split(r"[-./:]", token):
            if part:
                word = _folded(part, base, is_name=not is_first and _is_name(part, text, base))
                written.setdefault(word, part)
                plain.append(word)
    if base == "de" and len(plain) > 2 and plain[-1] in _PARTED:
        plain = _joined(plain)
    return " ".join(plain), written


def _is_name(word: str, text: str, base: str) -> bool:
    """Whether a small word is written as a name is: the US, IT, May, plan A."""
    if word == "I" or text.isupper():
        return False
    return (word.isupper() and (base != "de" or len(word) > 1)) or (base != "de" and word.istitle())


def _folded(word: str, base: str, *, is_name: bool) -> str:
    """A small word that is a name is kept apart from the small word."""
    folded = fold(word)
    if base == "de":
        folded = _WITHIN_WORD.sub(lambda match: match[0][:-2], folded)
    tables = _tables(base)
    is_small = folded in _MODAL_WORDS or folded in tables.light | tables.guiding | tables.loose
    return f"{folded}{_AS_NAME}" if is_name and is_small else folded


def _joined(plain: list[str]) -> list[str]:
    """A German verb with the part of it that stands at the end: "setze ich … zurück" is "zurücksetze"."""
    pronouns = {"ich", "wir", "man", "sie"}
    at = next((place for place in range(1, len(plain)) if plain[place] in pronouns), None)
    if at is None:
        return plain
    return [*plain[: at - 1], plain[-1] + plain[at - 1], *plain[at:-1]]


def _framed(plain: str, tables: _Tables) -> str:
    text = plain
    for pattern, told in tables.frames:
        if pattern.search(text):
            text = " ".join(pattern.sub(told, text).split())
    return text


def _concepts(
    tokens: Sequence[str], asks: str, tables: _Tables, surfaces: Mapping[str, str], base: str
) -> tuple[tuple[Concept, ...], frozenset[tuple[str, str]], tuple[str, ...]]:
    found: dict[str, Concept] = {}
    relations: set[tuple[str, str]] = set()
    skeleton: list[str] = []
    waiting: list[str] = []
    loose, seen_goal = "", False
    for token in tokens:
        if token == asks and not seen_goal:
            seen_goal = True
            skeleton.append(token)
            continue
        if token in tables.guiding and surfaces.get(token, token)[0] not in "äÄ":  # "ändere" is not "andere"
            waiting.append(token)
            skeleton.append(token)
            continue
        if token in tables.loose:
            loose = token
        if token in tables.loose or token in tables.light or (token in _ABLE and asks != "qYes"):
            skeleton.append(token)
            continue
        if token.isdecimal() or token in tables.numbers:  # compared as numbers
            skeleton.append("#")
            waiting.append("#")  # and counts the word behind it
            continue
        name = _name(token, tables, surfaces, base)
        skeleton.append("_")
        found.setdefault(name, Concept(name=name, written=surfaces.get(token, token), loose=loose))
        relations |= {(guide, name) for guide in waiting}
        waiting, loose = [], ""
    relations |= {(guide, "") for guide in waiting}
    return tuple(found.values()), frozenset(relations), tuple(skeleton)


def _name(token: str, tables: _Tables, surfaces: Mapping[str, str], base: str) -> str:
    if _ASKING.fullmatch(token) or token in _MODAL:
        return token
    direct = tables.synonyms.get(token)
    if direct is not None:
        return direct
    stem = _stem(surfaces.get(token, token), base)
    return tables.synonyms.get(stem, stem)


def _stem(word: str, base: str) -> str:
    stem = "+".join(analyse(word, base)) or fold(word)
    folded = fold(word)
    if base == "en" and len(folded) > _SHORTEST_DERIVED and (derived := _DERIVED.search(folded)):
        ending = derived[0].removesuffix("s") if not derived[0].endswith("ss") else derived[0]
        if not stem.endswith(ending):
            return f"{stem}~{ending}"
    return stem


def _goal_in_words(concepts: tuple[Concept, ...], asks: str, tables: _Tables) -> tuple[tuple[Concept, ...], str]:
    """ "What is the price of" asks the same as "how much is"."""
    for concept in concepts[:2]:
        goal = tables.asked_for.get(concept.name)
        if goal is not None and asks in {"qWhat", "qMuch", goal}:
            return tuple(other for other in concepts if other is not concept), goal
    return concepts, asks


def _without_implied(concepts: tuple[Concept, ...], asks: str, tables: _Tables) -> tuple[Concept, ...]:
    """ "What discount do I get" is "what is the discount"; "what do I get" is not "what"."""
    left = tuple(concept for concept in concepts if concept.name not in tables.implied.get(asks, ()))
    return left if asks not in _WITH_HEAD or len(left) > 1 else concepts


def _cases(plain: str, surfaces: Mapping[str, str], tables: _Tables, base: str) -> dict[str, str]:
    found: dict[str, str] = {}
    case = None
    for word in plain.split() if tables.cases else ():
        if word in tables.cases:
            case = tables.cases[word]
        elif case is not None and surfaces.get(word, word)[0].isupper():
            found[_name(word, tables, surfaces, base)] = case
            case = None
    return found


def _persons(plain: str, tables: _Tables) -> frozenset[str]:
    text = plain
    for pattern in tables.polite:
        text = pattern.sub(" ", text)
    return frozenset(side for word in text.split() if (side := tables.persons.get(word)))


def _is_done_to(asked: str, plain: str, tables: _Tables) -> bool:
    """Whether what is named is acted upon: by "I", "you" or "we", by whoever asks how to, or in the passive."""
    words = plain.split()
    passive = bool(tables.being & {*words}) and any(tables.participle.fullmatch(word) for word in words)
    acting = any(tables.persons.get(word) in {"ours", "yours"} and word in {"i", "we", "you"} for word in words)
    return passive or acting or "qHow" in asked


# --- comparing two ---------------------------------------------------------------------------------------------------


def _other_numbers(first: Reading, second: Reading) -> Refusal | None:
    if len(first.numbers) == len(second.numbers) and all(
        one.values & other.values and (one.unit == other.unit or None in (one.unit, other.unit))
        for one, other in zip(first.numbers, second.numbers, strict=True)
    ):
        return None
    written = (number.text for reading in (first, second) for number in reading.numbers)
    return Refusal(reason="number", detail=" ".join(written))


def _other_polarity(first: Reading, second: Reading) -> Refusal | None:
    if first.denials != second.denials:
        return Refusal(reason="polarity")
    if lacking := first.lacks ^ second.lacks:
        return Refusal(reason="polarity", detail=" ".join(sorted(lacking)))
    return None


def _other_words(first: Reading, second: Reading) -> Refusal | None:
    own, told = first.names_of_concepts, second.names_of_concepts
    if own == told:
        return None
    only = [concept for concept in first.concepts if concept.name not in told]
    more = [concept for concept in second.concepts if concept.name not in own]
    detail = " ".join(concept.written for concept in (*only, *more))
    if any(_LATIN_CODE.search(concept.written) for concept in (*only, *more)):
        return Refusal(reason="identifier", detail=detail)
    named = first.names | second.names
    if any(fold(concept.written) in named for concept in (*only, *more)):
        return Refusal(reason="name", detail=detail)
    return Refusal(reason="words" if only and more else "condition", detail=detail)


def _other_goal(first: Reading, second: Reading) -> Refusal | None:
    if first.asks == second.asks and first.asks:
        return None
    return Refusal(reason="asked_for", detail=f"{first.asks} {second.asks}".strip())


def _other_relations(first: Reading, second: Reading) -> Refusal | None:
    if first.relations == second.relations:
        return None
    differing = first.relations ^ second.relations
    return Refusal(reason="relation", detail=" ".join(sorted({guide for guide, _ in differing})))


def _other_persons(first: Reading, second: Reading) -> Refusal | None:
    tables = _tables(first.language)
    for one, other in _forms(first, second):
        if any(tables.speaker.fullmatch(a) and tables.others.fullmatch(b) for a, b in ((one, other), (other, one))):
            return Refusal(reason="person", detail=f"{one} {other}")
    if not first.persons or not second.persons or first.persons == second.persons:
        return None
    one_each = len(first.persons) == len(second.persons) == 1
    if first.asks == "qHow" and one_each:  # "how do you" is said of anybody
        return None
    return Refusal(reason="person")


_COMPOUND: Final = frozenset(
    {"of", "for", "in", "on", "at", "fur", "des", "der", "von", "zum", "zur", "de", "del", "para"}
)


def _other_roles(first: Reading, second: Reading) -> Refusal | None:
    """Who does what to whom, as far as the order of words tells it."""
    refused = Refusal(reason="roles")
    if first.language == "en" and first.is_done_to != second.is_done_to and first.asks not in {"qCost", "qYes"}:
        return refused
    if first.language == "ru" and _changed_forms(first, second) > 1:
        return refused
    if sum(case != second.cases.get(noun, case) for noun, case in first.cases.items()) > 1:
        return refused
    if _other_prepositions(first, second):
        return refused
    order = [concept.name for concept in first.concepts]
    places = {concept.name: place for place, concept in enumerate(second.concepts)}
    inverted = [
        (one, other)
        for place, one in enumerate(first.concepts)
        for other in first.concepts[place + 1 :]
        if places[one.name] > places[other.name]
    ]
    if inverted and first.skeleton == second.skeleton:
        return refused
    told = {concept.name: concept for concept in second.concepts}
    if first.asks in _WITH_HEAD and first.concepts and (one := first.concepts[0]).name != second.concepts[0].name:
        other = next(concept for concept in first.concepts if concept.name == second.concepts[0].name)
        if not _is_compound(one, other, told, order, places):
            return refused
    for one, other in inverted:
        if not _is_free(one, other, told, order, places, first, second):
            return Refusal(reason="roles", detail=f"{one.written} {other.written}")
    return None


def _is_free(
    one: Concept,
    other: Concept,
    told: Mapping[str, Concept],
    order: Sequence[str],
    places: Mapping[str, int],
    first: Reading,
    second: Reading,
) -> bool:
    """Whether two words may stand in another order without another meaning. `one` is before `other` in the first only."""
    for concept in (one, other):
        if concept.loose and concept.loose == told[concept.name].loose:
            return True
    if _is_compound(one, other, told, order, places):
        return True
    if first.language == "ru":
        return (
            one.written.casefold() == told[one.name].written.casefold()
            and other.written.casefold() == told[other.name].written.casefold()
        )
    if first.language == "de":  # nouns have capitals: a verb may stand wherever it likes
        return one.written[0].islower() != other.written[0].islower()
    if first.language == "en":
        neighbours = order.index(other.name) - order.index(one.name) == 1 == places[one.name] - places[other.name]
        return first.is_done_to and second.is_done_to and neighbours and _one_is_verb(one, other, told)
    return False


def _is_compound(
    one: Concept, other: Concept, told: Mapping[str, Concept], order: Sequence[str], places: Mapping[str, int]
) -> bool:
    """ "Return policy" in one question, "policy for returns" in the other."""
    if order.index(other.name) - order.index(one.name) == 1 and not other.loose and told[one.name].loose in _COMPOUND:
        return True
    return places[one.name] - places[other.name] == 1 and not told[one.name].loose and other.loose in _COMPOUND


def _one_is_verb(one: Concept, other: Concept, told: Mapping[str, Concept]) -> bool:
    participle = _tables("en").participle
    return any(
        bool(participle.fullmatch(fold(concept.written)))
        != bool(participle.fullmatch(fold(told[concept.name].written)))
        for concept in (one, other)
    )


def _other_prepositions(first: Reading, second: Reading) -> bool:
    """ "¿Qué cliente llama al proveedor?", "¿A qué cliente llama el proveedor?"; and tax "on" a thing, and "with" it."""
    told = {concept.name: concept.loose for concept in second.concepts}
    moved = [
        (_BARE.get(concept.loose, concept.loose), _BARE.get(told[concept.name], told[concept.name]))
        for concept in first.concepts
    ]
    return any(
        before != after
        and ((after, before) in moved or (before and after and _tells_apart(before, after, first.language)))
        for before, after in moved
    )


def _tells_apart(one: str, other: str, language: str) -> bool:
    return language == "ru" or bool({one, other} & _WITH)


_BARE: Final = {
    "al": "a",
    "del": "de",
    "zum": "zu",
    "zur": "zu",
    "im": "in",
    "am": "an",
    "об": "о",
    "во": "в",
}  # in another form
_WITH: Final = frozenset({"with", "mit", "con"})


def _changed_forms(first: Reading, second: Reading) -> int:
    """How many words stand in another form: Russian tells roles by endings."""
    told = {concept.name: concept.written for concept in second.concepts}
    return sum(_is_other_form(concept.written, told[concept.name], first.language) for concept in first.concepts)


def _is_other_form(one: str, other: str, language: str) -> bool:
    return one.casefold() != other.casefold() and _stem(one, language) == _stem(other, language)


def _forms(first: Reading, second: Reading) -> list[tuple[str, str]]:
    """The words that stand in another form, as far as their beginnings tell."""
    told = {concept.name: concept.written.casefold() for concept in second.concepts}
    forms = [(concept.written.casefold(), told[concept.name]) for concept in first.concepts]
    return [(one, other) for one, other in forms if one != other and fold(one)[:_ROOT] == fold(other)[:_ROOT]]


def _other_tense(first: Reading, second: Reading) -> Refusal | None:
    """What was and what is; in a question that something is done in, "paid" and "pay" may be the same."""
    past = _tables(first.language).past
    turned = [
        f"{one} {other}"
        for one, other in _forms(first, second)
        if bool(past.fullmatch(one)) != bool(past.fullmatch(other))
    ]
    if first.was != second.was or (turned and not (first.is_done_to or second.is_done_to)):
        return Refusal(reason="tense", detail=" ".join(turned or sorted(first.was ^ second.was)))
    return None


_ROOT: Final = 3  # letters; the stems of открылся and откроется differ
