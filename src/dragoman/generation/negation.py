"""Whether a sentence says that something is so, or that it is not: words of negation in the main languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from dragoman.generation.facts import fold
from dragoman.kit.text.terms import base_language

# Words that deny the statement that they stand in, folded as names are.
_DENYING: Final = {
    "en": "not no never none nobody nothing neither nor cannot n't nowhere",
    "de": "nicht kein keine keinen keinem keiner keines nie niemals niemand niemanden nichts weder nirgends",
    "es": "no nunca jamas nadie nada ningun ninguna ninguno tampoco ni",
    "fr": "ne n' pas jamais aucun aucune personne rien ni",
    "it": "non mai nessun nessuno nessuna niente nulla ne",
    "pt": "nao nunca jamais ninguem nada nenhum nenhuma nem",
    "nl": "niet geen nooit niemand niets noch",
    "pl": "nie nigdy nikt nic zaden zadna zadne ani",
    "cs": "ne neni nejsou nikdy nikdo nic zadny zadna zadne ani",
    "sv": "inte ej aldrig ingen inget inga varken",
    "da": "ikke aldrig ingen intet hverken",
    "no": "ikke aldri ingen intet verken",
    "ru": "не нет ни никогда никто ничего никакои никаких нельзя",
    "uk": "не немае ні ніколи ніхто нічого ніякии",
    "ro": "nu n- niciodata nimeni nimic niciun nicio nici",
    "tr": "degil degildir degildi yok yoktu hicbir asla yoktur",
    "el": "δεν δε μην μη ποτε κανεις κανενας καμια κανενα τιποτα ουτε οχι",
    "vi": "khong chang chua",
    "ar": "لا لم لن ليس ليست ليسوا لست",
    "hi": "नहीं नही न मत",
    "id": "tidak bukan belum tanpa",
    "fi": "ei eivat en emme ette et",
    "hu": "nem ne soha senki semmi",
    "he": "לא אין אינו אינה בלי",
    "fa": "نیست نه هیچ",
}  # fmt: skip
_UNSPACED_DENYING: Final = {
    "zh": re.compile("不(?!仅|但|过|断|同|久|止|少|只|得不)|没有|没(?!收|落)|并非|从未|尚未"),
    "ja": re.compile("ない(?!し)|なかっ|ません|ず(?=、|に)"),
    "th": re.compile("ไม่(?!ว่า|นาน|เพียง|เกิน)|มิได้|มิใช่|ไร้"),
    "ko": re.compile("않|없|아니|못"),
}
# Words that deny without "not": what says the same with "not" in another wording or language does not contradict.
_LACKING: Final = {
    "en": "without unable except lack lacks lacked lacking fail fails failed failing refuse refused refuses unlike hardly "
    "barely rarely seldom few deny denied prevent prevented absence impossible illegal unlikely reject rejected "
    "neglected instead unknown uncertain unclear few",
    "de": "ohne ausser unmoglich mangel fehlt fehlte fehlen kaum selten anstatt statt verweigerte lehnte wenige unbekannt "
    "unklar keinerlei",
    "es": "sin excepto salvo falta imposible apenas rara negar nego rechazo rechazaron desconocido",
    "ru": "без кроме невозможно едва отказ отказался отказались неизвестно неясно",
    "ro": "fara exceptia imposibil abia rar necunoscut",
    "tr": "olmadan disinda olmayan",
    "el": "χωρις εκτος αδυνατο αρνηθηκε αδυνατουν αγνωστο",
    "fr": "sans sauf impossible guere inconnu",
}  # fmt: skip
_LACKING_PATTERNS: Final = {
    "tr": re.compile(
        r"\w{2,}(?:maz|mez|mazlar|mezler|madan|meden|mayan|meyen|maması|memesi|amadı|emedi)\w*(?!\w)|\w+s[ıiuü]z(?!\w)",
        re.IGNORECASE,
    ),
    "vi": re.compile(r"(?<!\w)(?:thiếu|trừ)(?!\w)", re.IGNORECASE),
    "zh": re.compile("没|未|无|非|缺|除"),
    "th": re.compile("ไร้|ปราศจาก|ยกเว้น"),
    "ar": re.compile("(?<!\\w)(?:غير|دون|بدون|عدم|بلا|سوى|إلا)(?!\\w)"),
    "hi": re.compile("बिना|अलावा|असफल|के सिवा"),
    "cs": re.compile(r"(?<!\w)ne[a-zěščřžýáíéúů]{3,}", re.IGNORECASE),
}
_CONTRACTED: Final = re.compile(r"\w+n['’]t(?!\w)", re.IGNORECASE)
_TURKISH: Final = re.compile(
    r"\w{2,}(?:ma|me)(?:dı|di|mış|miş|mıştır|miştir|dılar|diler|maktadır|mektedir)(?!\w)|\w{2,}(?:mıyor|miyor|muyor|müyor)\w*",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[^\s\d.,;:!?।()\[\]\"“”„«»…–—-]+")
_NOT_ONLY: Final = re.compile(
    r"\bnot (?:only|just|merely|least)\b|\bno (?:longer than|less than|fewer than|more than|later than|doubt|matter)\b|\bnot until\b|\bno\. ?\d"
    r"|\bnicht nur\b|\bnicht zuletzt\b|\bno s[oó]lo\b|\bne \w+ que\b|\bне только\b|\bnu (?:doar|numai)\b|\bόχι μόνο\b"
    r"|không chỉ|không những|ليس فقط|न केवल|\bsadece\b.{1,40}\bdeğil\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=1 << 12)
def denials_in(text: str, language: str) -> tuple[int, ...]:
    """Where words stand that deny; "not only" and the like deny nothing."""
    base = base_language(language)
    text = _NOT_ONLY.sub(lambda match: " " * len(match[0]), text)
    if pattern := _UNSPACED_DENYING.get(base):
        return tuple(match.start() for match in pattern.finditer(text))
    denying = _words(base)
    places = [
        match.start()
        for match in _WORD.finditer(text)
        if fold(match[0]).strip("'’") in denying or fold(match[0]).partition("’")[0] + "'" in denying
    ]
    if base == "en":
        places += [match.start() for match in _CONTRACTED.finditer(text)]
    if base == "tr":
        places += [match.start() for match in _TURKISH.finditer(text)]
    return tuple(sorted(set(places)))


def is_known(language: str) -> bool:
    """Whether the words of negation of the language are known."""
    base = base_language(language)
    return base in _DENYING or base in _UNSPACED_DENYING


def lacks(text: str, language: str) -> frozenset[str]:
    """The words of the text that deny by another word than "not": "without", "unable", "fails"."""
    base = base_language(language)
    soft = _lacking(base)
    found = {word for match in _WORD.finditer(text) if (word := fold(match[0])) in soft} if soft else set()
    if pattern := _LACKING_PATTERNS.get(base):
        found |= {match[0] for match in pattern.finditer(text)}
    return frozenset(found)


@lru_cache(maxsize=64)
def _lacking(base: str) -> frozenset[str]:
    return frozenset(map(fold, _LACKING.get(base, "").split()))


def contradicts(sentence: str, language: str, source: str, source_language: str) -> bool:
    """Whether one of the two denies what the other says.

    Within a language the words beside a denial tell what it denies. Across languages a sentence with a denial and one
    without any contradict each other.
    """
    if not (is_known(language) and is_known(source_language)):
        return False
    own, other = denials_in(sentence, language), denials_in(source, source_language)
    if base_language(language) == base_language(source_language):
        lacking, lacking_other = lacks(sentence, language), lacks(source, language)
        more = lacking_other - lacking, lacking - lacking_other
        return (not more[0] and _denies_what_is_said(sentence, own, source, other, language, least=1)) or (
            not more[1] and _denies_what_is_said(source, other, sentence, own, language, least=2)
        )
    return bool(own) != bool(other) and not (lacks(source, source_language) if own else lacks(sentence, language))


_BESIDE: Final = 3  # words on each side of a denial that tell what it denies
_CLAUSE: Final = re.compile(r"[,;:()–—،।](?=\s|$)")
_SHORT: Final = 3  # letters; shorter words tell nothing


def _denies_what_is_said(
    text: str, denials: Sequence[int], said: str, other_denials: Sequence[int], language: str, *, least: int
) -> bool:
    """Whether the text denies something in words that stand in the other without a denial beside them."""
    denied = [_beside(said, place, language) for place in other_denials]
    words = _stems(said, language)
    for place in denials:
        beside = _beside(text, place, language)
        if any(beside & near for near in denied):
            continue
        spoken_of = len(beside & words)
        if spoken_of >= least and spoken_of >= 0.5 * len(beside):
            return True
    return False


def _beside(text: str, place: int, language: str) -> frozenset[str]:
    if base_language(language) in _UNSPACED_DENYING:
        return _stems(text[max(place - 3, 0) : place], language) | _stems(text[place + 1 : place + 7], language)
    before = _WORD.findall(_CLAUSE.split(text[:place])[-1])[-_BESIDE:]
    after = _WORD.findall(_CLAUSE.split(text[place:])[0])[: _BESIDE + 1]  # the first one denies
    return _stems(" ".join((*before, *after[1:])), language)


def _stems(text: str, language: str) -> frozenset[str]:
    base = base_language(language)
    if base in _UNSPACED_DENYING:
        size = 3 if base == "th" else 2
        return frozenset(text[at : at + size] for at in range(len(text) - size + 1) if text[at : at + size].isalpha())
    denying = _words(base)
    words = (fold(match[0]) for match in _WORD.finditer(text))
    return frozenset(word[:5] for word in words if len(word) >= _SHORT and word not in denying)


@lru_cache(maxsize=64)
def _words(base: str) -> frozenset[str]:
    return frozenset(map(fold, _DENYING.get(base, "").split()))
