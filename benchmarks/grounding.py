"""How well the grounding check finds planted falsehoods: 200 true answers, and what rules make false of them.

A true answer is the sentence of an xquad-a passage that answers a question, in one of its twelve languages: within a
language reworded by rules (a clause left out, numbers written otherwise, two sentences joined), across languages as
people have translated it. Its sources are the passage and others of its article, in the same language or in English. Planted
are a wrong number, a wrong name, a denial, and a sentence of other passages. The rules share no code with the check.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import cached_embedder
from benchmarks.figures import Show
from dragoman.generation.grounding import (
    CheckedSentence,
    Place,
    Sources,
    SourceText,
    check_sentence,
    settle,
    split_answer,
)
from dragoman.kit.text.sentences import split_sentences

_LANGUAGES: Final = ("en", "de", "es", "ru", "ro", "el", "tr", "vi", "zh", "ar", "hi", "th")
_CASED: Final = frozenset({"en", "de", "es", "ru", "ro", "el", "tr", "vi"})
_PAIRS: Final = (
    *((language, language, 8) for language in _LANGUAGES),
    *((language, "en", 8) for language in _LANGUAGES if language != "en"),
    ("en", "de", 8),
    ("en", "es", 8),
)
_SOURCES: Final = 5
_SEED: Final = 5

_NEGATE: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "en": ((r"\b(is|was|are|were|can|could|will|would|has|had|have|should|did)\b", r"\1 not"),),
    "de": ((r"\b(ist|war|sind|waren|wurde|wurden|wird|werden|hat|hatte|hatten|kann|können|konnte)\b", r"\1 nicht"),),
    "es": ((r"\b(es|era|fue|son|eran|fueron|ha|había|han|puede|tiene|tenía|está|estaba)\b", r"no \1"),),
    "ru": ((r"\b(был|была|было|были|является|являются|стал|стала|может|могут|имеет|имел)\b", r"не \1"),),
    "ro": ((r"\b(este|era|sunt|erau|a fost|au fost|are|avea|poate|pot)\b", r"nu \1"),),
    "el": ((r"\b(είναι|ήταν|έχει|είχε|έχουν|μπορεί|μπορούν|υπάρχουν|υπάρχει)\b", r"δεν \1"),),
    "tr": ((r"(?:dır|dir|dur|dür|tır|tir)\.", " değildir."), (r"\bolarak\b", "olmayarak değil"),
           (r"(\w+)(?:mıştır|miştir)\.", r"\1mamıştır."), (r"\bvardır\b", "yoktur")),
    "vi": ((r"\b(là|được|có|bị|đã|phải)\b", r"không \1"),),
    "zh": ((r"(是|有|会|能|被|可以)", r"不\1"),),
    "ar": ((r"\b(كان|كانت|هو|هي)\b", r"لم يكن"), (r"\b(يكون|تكون|يمكن|يوجد|تم)\b", r"لا \1")),
    "hi": ((r"(है|हैं|था|थी|थे)(?=[।,\s]|$)", r"नहीं \1"),),
    "th": ((r"(เป็น|ได้รับ|มี|คือ|ถูก)", r"ไม่\1"),),
}  # fmt: skip
_OPENINGS: Final = {
    "en": "According to the documents, ", "de": "Laut den Unterlagen gilt: ", "es": "Según los documentos, ",
    "ru": "Согласно документам, ", "ro": "Conform documentelor, ", "el": "Σύμφωνα με τα έγγραφα, ",
    "tr": "Belgelere göre ", "vi": "Theo tài liệu, ", "zh": "根据文件，", "ar": "وفقا للوثائق، ", "hi": "दस्तावेजों के अनुसार, ",
    "th": "ตามเอกสาร ",
}  # fmt: skip
_DIGITS: Final = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)?(?![\w]|[.,]\d)")
_CAPITALISED: Final = re.compile(
    r"(?<=[^\W\d_,] )[A-ZÀ-ÖØ-ÞĀ-ŽА-ЯΑ-ΩЁĐŞİ][^\W\d_]{3,}(?: [A-ZÀ-ÖØ-ÞĀ-ŽА-ЯΑ-ΩЁĐŞİ][^\W\d_]{2,})*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A true answer with what it is checked against."""

    text: str
    language: str
    source_language: str
    sources: Sequence[str]
    article: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    kind: str
    answer: Answer
    text: str
    flagged: CheckedSentence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pack:
    """The passages of each language by id, and the questions."""

    passages: dict[str, dict[str, str]]
    questions: dict[str, list[dict[str, object]]]

    def others(self, passage: str) -> list[str]:
        article = passage.split("-", maxsplit=1)[0]
        return [
            other for other in self.passages["en"] if other.split("-", maxsplit=1)[0] == article and other != passage
        ]


def grounding(data: Path, show: Show) -> None:
    """Recall by kind of falsehood, and false alarms, over 200 answers."""
    outcomes = asyncio.run(check_all(data / "xquad-a"))
    true = [each for each in outcomes if each.kind == "true"]
    show("true answers", len(true))
    for group, chosen in _groups():
        of_group = [each for each in outcomes if chosen(each.answer)]
        figures = [
            f"{kind} {_share(each.flagged is not None for each in of_group if each.kind == kind)}"
            for kind in ("number", "name", "denial", "invented, other article", "invented, same article", "true")
        ]
        show(f"flagged, {group}", "; ".join(figures))


def _groups() -> Iterator[tuple[str, Callable[[Answer], bool]]]:
    yield "all", lambda _: True
    yield "within a language", lambda answer: answer.language == answer.source_language
    yield "across languages", lambda answer: answer.language != answer.source_language
    for language in _LANGUAGES:
        yield f"answers in {language}", lambda answer, language=language: answer.language == language


def _share(flags: Iterator[bool]) -> str:
    values = list(flags)
    return f"{sum(values) / len(values):.3f} of {len(values)}" if values else "-"


# ---- answers


async def check_all(folder: Path) -> list[Outcome]:
    chance = random.Random(_SEED)
    pack = _read(folder)
    answers = [answer for pair in _PAIRS for answer in _true_answers(pack, *pair, chance)]
    cases = [case for answer in answers for case in _cases(pack, answer, chance)]
    embedder = cached_embedder.Adapter(cached_embedder.Settings())
    try:
        return [Outcome(kind=kind, answer=answer, text=text, flagged=await _check(embedder, answer, text))
                for kind, answer, text in cases]  # fmt: skip
    finally:
        await embedder.close()


def _read(folder: Path) -> _Pack:
    passages, questions = {}, {}
    for language in _LANGUAGES:
        corpus = map(json.loads, (folder / language / "corpus.jsonl").read_text(encoding="utf-8").splitlines())
        passages[language] = {record["_id"]: record["text"] for record in corpus}
        lines = (folder / language / "queries.jsonl").read_text(encoding="utf-8").split("\n")
        questions[language] = [json.loads(line) for line in lines if line]
    return _Pack(passages=passages, questions=questions)


def _true_answers(
    pack: _Pack, language: str, source_language: str, wanted: int, chance: random.Random
) -> Iterator[Answer]:
    """Sentences that answer questions of different passages, those with a number or a name first."""
    asked = chance.sample(pack.questions[language], len(pack.questions[language]))
    seen: set[str] = set()
    for question in asked:
        if len(seen) == wanted:
            return
        passage = str(question["passage"])
        text = pack.passages[language][passage]
        spans = split_sentences(text, language)
        at = int(question["answer_start"])  # type: ignore[call-overload]
        sentence = next((text[start:end] for start, end in spans if start <= at < end), "")
        if passage in seen or not 40 <= len(sentence) <= 400 or len(spans) < 2:
            continue
        seen.add(passage)
        if language == source_language:
            sentence = _reworded(sentence, language, len(seen), chance)
        others = chance.sample(pack.others(passage), min(_SOURCES - 2, len(pack.others(passage))))
        sources = [pack.passages[source_language][each] for each in (passage, *others)]
        yield Answer(
            text=sentence,
            language=language,
            source_language=source_language,
            sources=sources,
            article=passage.split("-", maxsplit=1)[0],
        )


def _reworded(sentence: str, language: str, turn: int, chance: random.Random) -> str:
    """As a model might put it: one of four rules in turn."""
    if turn % 4 == 0:
        return sentence
    if turn % 4 == 1:
        return _OPENINGS[language] + sentence
    if turn % 4 == 2:
        shorter = re.sub(r"\s*[(（][^)）]*[)）]", "", sentence)
        parts = re.split(r"(?<=[,，،])\s*", shorter)
        kept = "".join(f"{part} " for part in parts[:-1]).rstrip(" ,，،") if len(parts) > 2 else shorter
        return kept if kept.endswith((".", "。", "।")) else kept + "."
    return re.sub(r"(?<=\d)[., ](?=\d{3}(?!\d))", lambda _: chance.choice([" ", ""]), sentence)


# ---- falsehoods


def _cases(pack: _Pack, answer: Answer, chance: random.Random) -> Iterator[tuple[str, Answer, str]]:
    yield "true", answer, answer.text
    for kind, false in (
        ("number", _wrong_number(answer, chance)),
        ("name", _wrong_name(pack, answer, chance)),
        ("denial", _denied(answer)),
        ("invented, other article", _invented(pack, answer, chance, same=False)),
        ("invented, same article", _invented(pack, answer, chance, same=True)),
    ):
        if false is not None and false != answer.text:
            yield kind, answer, false


def _wrong_number(answer: Answer, chance: random.Random) -> str | None:
    """Another number, as large; every other time one that the sources hold elsewhere, if they do."""
    found = list(_DIGITS.finditer(answer.text))
    if not found:
        return None
    match = chance.choice(found)
    elsewhere = [number for source in answer.sources for number in _DIGITS.findall(source)]
    alike = [other for other in elsewhere if len(other) == len(match[0]) and other not in answer.text]
    if alike and chance.random() < 0.5:
        false = chance.choice(alike)
    else:
        false = re.sub(r"\d(?!.*\d)", lambda digit: str((int(digit[0]) + chance.randint(1, 8)) % 10 or 1), match[0])
    return answer.text[: match.start()] + false + answer.text[match.end() :]


def _names(text: str, language: str, english: str) -> list[re.Match[str]]:
    """Words in capitals; where nouns have them as well, those that the English text has too."""
    found = list(_CAPITALISED.finditer(text)) if language in _CASED else []
    return [match for match in found if language != "de" or match[0].split()[0] in english]


def _wrong_name(pack: _Pack, answer: Answer, chance: random.Random) -> str | None:
    english = " ".join(text for name, text in pack.passages["en"].items() if name.startswith(f"{answer.article}-"))
    found = _names(answer.text, answer.language, english)
    if not found:
        return None
    match, sources = chance.choice(found), " ".join(answer.sources)
    everything = " ".join(pack.passages["en"].values())
    others = {
        other[0]
        for passage, text in pack.passages[answer.language].items()
        if passage.split("-", maxsplit=1)[0] != answer.article
        for other in _names(text, answer.language, everything)
        if not any(word[:4] in sources for word in other[0].split())
    }
    false = chance.choice(sorted(others))
    return answer.text[: match.start()] + false + answer.text[match.end() :]


def _denied(answer: Answer) -> str | None:
    for pattern, replacement in _NEGATE[answer.language]:
        false, count = re.subn(pattern, replacement, answer.text, count=1)
        if count:
            return false
    return None


def _invented(pack: _Pack, answer: Answer, chance: random.Random, *, same: bool) -> str | None:
    """A sentence of a passage that is not among the sources."""
    source = pack.passages[answer.source_language]
    places = [
        passage
        for passage, text in source.items()
        if (passage.split("-", maxsplit=1)[0] == answer.article) == same and text not in answer.sources
    ]
    if not places:
        return None
    text = pack.passages[answer.language][chance.choice(places)]
    sentences = [text[start:end] for start, end in split_sentences(text, answer.language) if end - start >= 40]
    return chance.choice(sentences) if sentences else None


# ---- the check


async def _check(embedder: cached_embedder.Adapter, answer: Answer, text: str) -> CheckedSentence | None:
    """The first sentence of the answer that is not grounded."""
    texts = [
        SourceText(
            text=source, language=answer.source_language, heading="",
            sentences=split_sentences(source, answer.source_language),
        )
        for source in answer.sources
    ]  # fmt: skip
    sources = Sources(texts)
    stored = await embedder.embed_passages([sources.words_of(place) for place in sources.places])
    spans = split_answer(text, answer.language)
    vectors = await embedder.embed_queries([text[start:end] for start, end in spans])
    for (start, end), vector in zip(spans, vectors, strict=True):
        cosines: dict[Place, float] = dict(zip(sources.places, (stored @ vector).tolist(), strict=True))
        checked = check_sentence(text[start:end], answer.language, sources, cosines, embedder.profile.calibration)
        if checked.doubts:
            rests = await embedder.embed_queries([doubt.rest for doubt in checked.doubts])
            at = [sources.places.index(doubt.place) for doubt in checked.doubts]
            cosines_without = [float(stored[number] @ rest) for number, rest in zip(at, rests, strict=True)]
            checked = settle(checked, cosines_without, embedder.profile.calibration)
        if not checked.is_grounded:
            return checked
    return None
