"""The quality report of a document: what was read, what may be wrong with it, and what to do about it.

The score is the weighted geometric mean of six parts between 0 and 1, so that one bad part cannot be made up for by the
others. A part counts as 0.01 at least. Weights:

    0.30  readable   share of the pages that have text and are not garbled
    0.20  encoding   1 less 50 times the share of broken characters (U+FFFD, "Ã©")
    0.15  original   1 less the share of repeated paragraphs; 0.3 at most where another document is nearly the same
    0.15  safe       1 without suspicious content, 0.6 with warnings, 0.1 with a critical finding
    0.10  volume     words / 40, at most 1
    0.10  language   share of the text whose language is known

Readability is shown and not scored: a contract is no worse for being hard to read.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal

from dragoman.ingestion.clean import CleanedDocument, broken_characters
from dragoman.ingestion.latin_signs import VOWELS as _VOWEL
from dragoman.ingestion.latin_signs import latin_signs
from dragoman.ingestion.suspicious import Suspicion, SuspicionKind, suspicions
from dragoman.ports.extractor import ExtractedPage

Severity = Literal["info", "warning", "critical"]

WEIGHTS: Final[Mapping[str, float]] = {
    "readable": 0.30,
    "encoding": 0.20,
    "original": 0.15,
    "safe": 0.15,
    "volume": 0.10,
    "language": 0.10,
}
LOWEST_PART: Final = 0.01
PAGES_LISTED: Final = 50
EXCERPTS_LISTED: Final = 5
SHORTEST_PARAGRAPH: Final = 80  # characters; shorter ones may well be said twice
DUPLICATE_SHARE: Final = 0.1  # of the text; from here on it is worth a finding
BOILERPLATE_SHARE: Final = 0.3  # of the lines
NEAR_DUPLICATE: Final = 0.8  # estimated Jaccard similarity
NOT_ORIGINAL: Final = 0.3  # the part of a document that another one nearly equals
LOW_CONFIDENCE: Final = 0.6  # of the OCR
READABILITY_SAMPLE: Final = 200_000  # characters, in ten windows from the beginning to the end
HARD_LIX: Final = 60.0
FEW_WORDS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarDocument:
    """Another document of the chatbot. `similarity`: 0 to 1, as `near_duplicates.similarity` estimates it."""

    document_id: str
    title: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to know about the document. `pages`: where, the first 50; empty where it concerns all or has no pages."""

    code: str
    severity: Severity
    message: str
    what_to_do: str
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readability:
    """How hard the prose is to read, measured on at most 200,000 characters of it.

    Attributes:
        lix: Björnsson 1968, for any language with spaces: below 30 very easy, 40 easy, 50 medium, 60 hard, above very hard.
        flesch: the reading ease of Flesch 1948 as adapted to the language, about 0 (hard) to 100 (easy).
        formula: which adaptation.
        words_per_sentence: of a script without spaces: two characters count as one word.
    """

    lix: float | None
    flesch: float | None
    formula: str | None
    words_per_sentence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """What is stored with a document version and shown to its owner.

    Attributes:
        score: 0 to 1; the head of the module says how it is made. `parts` are its parts.
        languages: share of the text by language, the largest first.
        counts: pages, empty_pages, ocr_pages, garbled_pages, characters, words, replacement_characters,
            mojibake_suspects, removed_boilerplate_lines, joined_hyphens, duplicate_paragraphs, suspicious.
    """

    score: float
    parts: Mapping[str, float]
    languages: Mapping[str, float]
    counts: Mapping[str, int]
    readability: Readability | None
    similar: Sequence[SimilarDocument]
    findings: Sequence[Finding]
    warnings: Sequence[str] = field(default=())

    def beside(self, similar: Sequence[SimilarDocument]) -> QualityReport:
        """The report of a document that shares much of its text with these."""
        near = [other for other in similar if other.similarity >= NEAR_DUPLICATE]
        if not near:
            return replace(self, similar=tuple(similar))
        parts = {**self.parts, "original": min(self.parts["original"], NOT_ORIGINAL)}
        findings = _worst_first([*self.findings, _near_duplicates(near)])
        return replace(self, score=_score(parts), parts=parts, similar=tuple(similar), findings=findings)

    def to_json(self) -> dict[str, Any]:
        """As it is stored: JSON values only."""
        return {
            "score": self.score,
            "parts": dict(self.parts),
            "languages": dict(self.languages),
            "counts": dict(self.counts),
            "readability": None if self.readability is None else _as_json(self.readability),
            "similar": [_as_json(other) for other in self.similar],
            "findings": [_as_json(finding) for finding in self.findings],
            "warnings": list(self.warnings),
        }


def _as_json(part: Readability | SimilarDocument | Finding) -> dict[str, Any]:
    """`asdict` would copy every value deeply."""
    return {each.name: getattr(part, each.name) for each in fields(part)}


def report_quality(
    *,
    pages: Sequence[ExtractedPage],
    cleaned: CleanedDocument,
    chunks: Iterable[tuple[str, str]],
    warnings: Sequence[str] = (),
    active_content: Sequence[Mapping[str, Any]] = (),
    unanswered_count: int = 0,
    may_quote: bool = True,
) -> QualityReport:
    """Measures a document by itself. Blocking; 25 MB of text take some seconds.

    Args:
        pages: As extracted, before cleaning: hidden characters are seen there only.
        cleaned: What `clean_pages` made of them.
        chunks: Text and language ("und": unknown) of each chunk.
        warnings: Of the extractor.
        active_content: Findings of the upload's scan, each with `code`, `severity`, `message`, `what_to_do`.
        unanswered_count: Of the questions in a log that nobody answered.
        may_quote: Findings may show words of `pages`; not where personal data is masked.
    """
    garbled = [at for at, page in enumerate(cleaned.pages) if _is_garbled(page.markdown)]
    empty = [at for at, page in enumerate(cleaned.pages) if not page.markdown.strip()]
    repeated, repeated_share = _repeated_paragraphs(cleaned)
    seen = _suspicious(pages)
    languages = _shares(chunks)
    words = sum(_count_words(page.markdown) for page in cleaned.pages)
    counts = {
        **cleaned.quality,
        "ocr_pages": sum(page.ocr for page in pages),
        "garbled_pages": len(garbled),
        "words": words,
        "duplicate_paragraphs": repeated,
        "suspicious": sum(len(places) for places in seen.values()),
    }
    readability = _readability(cleaned, next(iter(languages), "und"))
    findings = [
        *_page_findings(pages, cleaned, empty, garbled, words),
        *_encoding_findings(cleaned),
        *_repetition_findings(cleaned, repeated, repeated_share),
        *_suspicion_findings(pages, seen, may_quote),
        *_reading_findings(readability, languages, unanswered_count),
        *(_finding_of(entry) for entry in active_content),
    ]
    parts = _parts(cleaned, len({*empty, *garbled}), repeated_share, findings, words, languages)
    return QualityReport(
        score=_score(parts),
        parts=parts,
        languages=languages,
        counts=counts,
        readability=readability,
        similar=(),
        findings=_worst_first(findings),
        warnings=tuple(warnings),
    )


def _worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: ("critical", "warning", "info").index(finding.severity)))


# --- the score -------------------------------------------------------------------------------------------------------


def _parts(
    cleaned: CleanedDocument,
    unreadable_pages: int,
    repeated_share: float,
    findings: Sequence[Finding],
    words: int,
    languages: Mapping[str, float],
) -> dict[str, float]:
    quality = cleaned.quality
    broken = quality["replacement_characters"] + quality["mojibake_suspects"]
    unsafe = {finding.severity for finding in findings if finding.code.startswith(("suspicious.", "active."))}
    parts = {
        "readable": 1 - unreadable_pages / max(1, len(cleaned.pages)),
        "encoding": 1 - 50 * broken / max(1, quality["characters"]),
        "original": 1 - repeated_share,
        "safe": 0.1 if "critical" in unsafe else 0.6 if "warning" in unsafe else 1.0,
        "volume": words / FEW_WORDS,
        "language": 1 - languages.get("und", 0.0) if languages else 0.0,
    }
    return {name: round(min(1.0, max(0.0, part)), 3) for name, part in parts.items()}


def _score(parts: Mapping[str, float]) -> float:
    return round(math.exp(sum(weight * math.log(max(parts[name], LOWEST_PART)) for name, weight in WEIGHTS.items())), 3)


# --- pages -----------------------------------------------------------------------------------------------------------

_MARKUP: Final = b"|#*_`~>:=-"
_ASCII: Final = bytes(range(128))
_NO_LETTERS: Final = bytes(code for code in range(128) if not chr(code).isalnum())
_PRIVATE: Final = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd]")
_GLYPH_NAMES: Final = re.compile(r"\(cid:\d+\)|/G[0-9A-F]{2}(?=/G)")
_SPACED_LETTERS: Final = re.compile(r"(?<!\S)[A-Za-z](?: [A-Za-z]){7,}(?!\S)")
_FIRST_SPACED_LETTERS: Final = re.compile(" [A-Za-z](?: [A-Za-z]){6}")  # begins with a sign that is searched for fast
FEWEST_SIGNS: Final = 50


def _is_garbled(text: str) -> bool:
    """Text that nobody could read: broken characters, glyph numbers, letters set apart, hardly a letter at all."""
    raw = "".join(text[:50_000].split()).encode("utf-8", "surrogatepass").translate(None, _MARKUP)
    signs = raw.decode("utf-8", "surrogatepass")
    if len(signs) < FEWEST_SIGNS:
        return False
    replacements, mojibake = broken_characters(signs)
    if (
        replacements > len(signs) * 0.02
        or mojibake > len(signs) * 0.02
        or (not signs.isascii() and len(_PRIVATE.findall(signs)) > len(signs) * 0.1)
    ):
        return True
    unreadable = 0
    if _FIRST_SPACED_LETTERS.search(text):
        unreadable += sum(len(found[0]) for found in _SPACED_LETTERS.finditer(text))
    if "(cid:" in text or "/G" in text:
        unreadable += sum(len(found[0]) for found in _GLYPH_NAMES.finditer(text))
    return unreadable > len(text) * 0.3 or _count_letters(raw) < len(signs) * 0.4


def _count_letters(raw: bytes) -> int:
    """Letters and digits of a text without underscores: counted in its bytes, of which most texts have one a sign."""
    beyond_ascii = raw.translate(None, _ASCII).decode("utf-8", "surrogatepass")
    plain = len(raw.translate(None, _NO_LETTERS)) - len(raw.translate(None, _ASCII))
    return plain + sum(map(str.isalnum, beyond_ascii))


def _numbers(pages: Sequence[ExtractedPage], places: Iterable[int]) -> tuple[int, ...]:
    numbers = dict.fromkeys(number for at in places if (number := pages[at].number) is not None)
    return tuple(numbers)[:PAGES_LISTED]


def _page_findings(
    pages: Sequence[ExtractedPage], cleaned: CleanedDocument, empty: Sequence[int], garbled: Sequence[int], words: int
) -> Iterable[Finding]:
    if empty and len(cleaned.pages) > 1:
        yield Finding(
            code="pages.empty",
            severity="warning" if len(empty) * 5 > len(cleaned.pages) else "info",
            message=f"{len(empty)} of {len(cleaned.pages)} pages have no text.",
            what_to_do="If they hold scanned text, switch OCR on for this chatbot and process the document again.",
            pages=_numbers(cleaned.pages, empty),
        )
    if garbled:
        yield Finding(
            code="pages.garbled",
            severity="critical" if len(garbled) * 2 > len(cleaned.pages) else "warning",
            message=f"The text of {len(garbled)} of {len(cleaned.pages)} pages cannot be read.",
            what_to_do="Export the document again with embedded fonts, or process it with OCR for all pages.",
            pages=_numbers(cleaned.pages, garbled),
        )
    unsure = [at for at, page in enumerate(pages) if page.confidence is not None and page.confidence < LOW_CONFIDENCE]
    if unsure:
        yield Finding(
            code="pages.ocr_unsure",
            severity="warning",
            message=f"The text recognition was unsure on {len(unsure)} pages.",
            what_to_do="Compare the text with the scan, or scan again with 300 dpi, straight and with contrast.",
            pages=_numbers(pages, unsure),
        )
    if words < FEW_WORDS:
        yield Finding(
            code="text.little",
            severity="warning",
            message=f"The document has {words} words only.",
            what_to_do="Check that it is the right file; what it says may be better kept as part of another document.",
        )


def _encoding_findings(cleaned: CleanedDocument) -> Iterable[Finding]:
    replaced, mojibake = cleaned.quality["replacement_characters"], cleaned.quality["mojibake_suspects"]
    if replaced:
        yield Finding(
            code="text.replacement_characters",
            severity="warning",
            message=f"{replaced} characters were lost before or while the text was read; � stands in their place.",
            what_to_do="Save the original as UTF-8 and upload it again.",
            pages=_numbers(cleaned.pages, (at for at, page in enumerate(cleaned.pages) if "\ufffd" in page.markdown)),
        )
    if mojibake:
        yield Finding(
            code="text.mojibake",
            severity="warning",
            message=f'{mojibake} places look as if they had been saved in the wrong encoding, such as "Ã©" for "é".',
            what_to_do="Open the original in the program it comes from, save it as UTF-8 and upload it again.",
        )


# --- repetition ------------------------------------------------------------------------------------------------------


def _repeated_paragraphs(cleaned: CleanedDocument) -> tuple[int, float]:
    """How many paragraphs stand in the document already, and their share of its characters."""
    seen: set[bytes] = set()
    repeated = characters = total = 0
    for page in cleaned.pages:
        for paragraph in page.markdown.split("\n\n"):
            total += len(paragraph)
            if len(paragraph) < SHORTEST_PARAGRAPH:
                continue
            words = " ".join(paragraph.casefold().split())
            key = hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=12).digest()
            if key in seen:
                repeated += 1
                characters += len(paragraph)
            seen.add(key)
    return repeated, characters / max(1, total)


def _repetition_findings(cleaned: CleanedDocument, repeated: int, repeated_share: float) -> Iterable[Finding]:
    if repeated_share >= DUPLICATE_SHARE:
        yield Finding(
            code="text.repeated",
            severity="warning" if repeated_share > 0.3 else "info",
            message=f"{repeated} paragraphs ({repeated_share:.0%} of the text) stand in the document more than once.",
            what_to_do="Remove the repetitions: they take places among the passages that an answer is made of.",
        )
    removed = cleaned.quality["removed_boilerplate_lines"]
    lines = sum(page.markdown.count("\n") + 1 for page in cleaned.pages if page.markdown)
    if removed > BOILERPLATE_SHARE * (removed + lines):
        yield Finding(
            code="text.boilerplate",
            severity="info",
            message=f"{removed} lines that repeat on most pages were removed, {removed / (removed + lines):.0%} of all.",
            what_to_do="Nothing, if they were running heads and feet; else upload the document without them.",
        )


def _near_duplicates(near: Sequence[SimilarDocument]) -> Finding:
    names = ", ".join(f'"{other.title}" ({other.similarity:.0%})' for other in near[:EXCERPTS_LISTED])
    return Finding(
        code="document.near_duplicate",
        severity="warning",
        message=f"Nearly the same text is there already: {names}.",
        what_to_do="Keep one of them: upload the newer as a replacement of the older, or delete the copy.",
    )


# --- suspicious content ----------------------------------------------------------------------------------------------

_ADVICE: Final[Mapping[SuspicionKind, tuple[Severity, str, str]]] = {
    "instructions": (
        "warning",
        "{count} places speak to a language model as if to steer it: {excerpts}.",
        "Read them. If nobody in your organisation wrote them on purpose, reject the document.",
    ),
    "hidden_text": (
        "critical",
        "{count} places hold text that readers cannot see but models can: {excerpts}.",
        "Reject the document, or have its author say what the hidden text is for.",
    ),
    "hidden_characters": (
        "info",
        "{count} pages hold many invisible characters ({excerpts}). They were removed.",
        "Nothing, if the text was copied from the web.",
    ),
    "bidi": (
        "warning",
        "{count} pages reverse the direction of writing ({excerpts}), by which text can look other than it is.",
        "Compare the text with what you see in the original.",
    ),
    "formula": (
        "warning",
        "{count} cells hold formulas that fetch or run something when a spreadsheet opens them: {excerpts}.",
        "Do not open an export of this text in a spreadsheet program before they are removed.",
    ),
    "encoded": (
        "info",
        "{count} long pieces of encoded data stand in the text.",
        "Remove them: they answer no question, and what they hold is not checked.",
    ),
    "script_link": (
        "warning",
        "{count} links run a script: {excerpts}.",
        "Remove them from the original; they are never shown as links.",
    ),
}


_NOT_QUOTED: Final = "not quoted, as personal data is masked here"


def _suspicious(pages: Sequence[ExtractedPage]) -> dict[SuspicionKind, list[tuple[int, Suspicion]]]:
    seen: dict[SuspicionKind, list[tuple[int, Suspicion]]] = {}
    for at, page in enumerate(pages):
        for suspicion in suspicions(page.markdown):
            seen.setdefault(suspicion.kind, []).append((at, suspicion))
    return seen


def _suspicion_findings(
    pages: Sequence[ExtractedPage], seen: Mapping[SuspicionKind, Sequence[tuple[int, Suspicion]]], may_quote: bool
) -> Iterable[Finding]:
    for kind, places in seen.items():
        severity, message, advice = _ADVICE[kind]
        excerpts = list(dict.fromkeys(suspicion.excerpt for _, suspicion in places))[:EXCERPTS_LISTED]
        shown = ", ".join(f"“{excerpt}”" for excerpt in excerpts) if may_quote else _NOT_QUOTED
        yield Finding(
            code=f"suspicious.{kind}",
            severity=severity,
            message=message.format(count=len(places), excerpts=shown),
            what_to_do=advice,
            pages=_numbers(pages, (at for at, _ in places)),
        )


def _finding_of(entry: Mapping[str, Any]) -> Finding:
    """Of the upload's scan; its code is shown under `active.`."""
    severity: Severity = entry["severity"] if entry["severity"] in ("info", "warning", "critical") else "warning"
    code = str(entry["code"])
    return Finding(
        code=code if code.startswith("active.") else f"active.{code}",
        severity=severity,
        message=str(entry["message"]),
        what_to_do=str(entry["what_to_do"]),
    )


# --- language and readability ----------------------------------------------------------------------------------------

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_WIDE: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_SENTENCE: Final = re.compile(r"[.!?…]+(?=[\s\"'’”»)]|$)|[。！？؟۔।॥።]|\n{2,}")
_VOWELS: Final = re.compile(f"[{_VOWEL}]+")
_VOWELS_ALONE: Final = bytes.maketrans(b"c-", b"  ")
_CYRILLIC_VOWEL: Final = re.compile("[аеёиоуыэюя]")
_WITHOUT_VOWEL: Final = re.compile(rf"(?<!\S)[^\s{_VOWEL}]+(?!\S)")
LONG_WORD: Final = 6  # letters; LIX counts words of more
# Reading ease = constant - per sentence * words per sentence - per word * syllables per word.
_FLESCH: Final[Mapping[str, tuple[str, float, float, float]]] = {
    "en": ("Flesch 1948", 206.835, 1.015, 84.6),
    "de": ("Amstad 1978", 180.0, 1.0, 58.5),
    "es": ("Fernández Huerta 1959", 206.84, 1.02, 60.0),
    "fr": ("Kandel and Moles 1958", 207.0, 1.015, 73.6),
    "it": ("Franchina and Vacca 1972", 206.0, 1.0, 65.0),
    "pt": ("Martins et al. 1996", 248.835, 1.015, 84.6),
    "nl": ("Douma 1960", 206.84, 0.93, 77.0),
    "ru": ("Oborneva 2006", 206.835, 1.3, 60.1),
}


def _count_words(text: str) -> int:
    if (raw := latin_signs(text)) is not None:
        return len(raw.split())
    spaced, wide = _WIDE.subn(" ", text)
    return len(_WORD.findall(spaced)) + wide // 2


def _shares(chunks: Iterable[tuple[str, str]]) -> dict[str, float]:
    lengths: Counter[str] = Counter()
    for text, language in chunks:
        lengths[language] += len(text)
    total = sum(lengths.values())
    return {language: round(length / total, 3) for language, length in lengths.most_common()} if total else {}


def _readability(cleaned: CleanedDocument, language: str) -> Readability | None:
    """None where there is hardly any prose."""
    prose = _prose(cleaned)
    found = _prose_of_latin(prose) or _prose_of_any(prose)
    count = found.words + found.wide // 2
    if count < FEW_WORDS:
        return None
    per_sentence = count / max(1, found.sentences)
    if found.wide > found.words:
        return Readability(lix=None, flesch=None, formula=None, words_per_sentence=round(per_sentence, 1))
    lix = per_sentence + 100 * found.long_words / found.words
    formula = _FLESCH.get(language)
    flesch = None
    if formula:
        _, constant, by_sentence, by_word = formula
        flesch = round(constant - by_sentence * per_sentence - by_word * found.syllables / found.words, 1)
    return Readability(
        lix=round(lix, 1),
        flesch=flesch,
        formula=formula[0] if formula else None,
        words_per_sentence=round(per_sentence, 1),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prose:
    """What the formulas count. `wide`: signs of scripts without spaces. `sentences`: those of two words and more."""

    words: int
    wide: int
    sentences: int
    long_words: int
    syllables: int


def _prose_of_any(prose: str) -> _Prose:
    spaced, wide = _WIDE.subn(" ", prose)
    words = _WORD.findall(spaced)
    is_sentence = _has_two_words if wide == 0 else lambda part: _count_words(part) > 1
    return _Prose(
        words=len(words),
        wide=wide,
        sentences=sum(map(is_sentence, _SENTENCE.split(prose))),
        long_words=sum(map(LONG_WORD.__lt__, map(len, words))),
        syllables=_syllables(words),
    )


def _has_two_words(part: str) -> bool:
    first = _WORD.search(part)
    return first is not None and _WORD.search(part, first.end()) is not None


def _prose_of_latin(prose: str) -> _Prose | None:
    """The same in a fifth of the time; None where a sign is beyond Latin-1 and the punctuation of its languages."""
    raw = latin_signs(prose)
    if raw is None:
        return None
    words = raw.split()
    vowels = raw.translate(_VOWELS_ALONE)
    return _Prose(
        words=len(words),
        wide=0,
        sentences=sum(b" " in sentence.strip() for sentence in raw.split(b"\n")),
        long_words=sum(map(LONG_WORD.__lt__, map(len, words))),
        syllables=len(vowels.split()) + len(words) - len(raw.translate(None, b"c-").split()),
    )


def _prose(cleaned: CleanedDocument) -> str:
    """The text without headings, tables and code; of a long one ten windows."""
    whole = cleaned.text
    if len(whole) > READABILITY_SAMPLE:
        width, step = READABILITY_SAMPLE // 10, len(whole) // 10
        whole = "\n\n".join(whole[at * step : at * step + width] for at in range(10))
    return "\n".join(line for line in whole.split("\n") if not line.startswith(("|", "#", "```", "    ")))


def _syllables(words: Sequence[str]) -> int:
    """Groups of vowels, at least one a word; in Cyrillic each vowel is a syllable. A silent English e counts too."""
    text = " ".join(words).lower()
    cyrillic = len(_CYRILLIC_VOWEL.findall(text))
    if cyrillic:
        text = " ".join(word for word in text.split(" ") if not _CYRILLIC_VOWEL.search(word))
    return cyrillic + len(_VOWELS.findall(text)) + len(_WITHOUT_VOWEL.findall(text))


def _reading_findings(
    readability: Readability | None, languages: Mapping[str, float], unanswered_count: int
) -> Iterable[Finding]:
    if readability and readability.lix is not None and readability.lix > HARD_LIX:
        yield Finding(
            code="text.hard_to_read",
            severity="info",
            message=f"The text is very hard to read (LIX {readability.lix:.0f}).",
            what_to_do="If its answers are to be quoted to customers, add a page that says the same in short sentences.",
        )
    if languages.get("und", 0.0) > 0.3:
        yield Finding(
            code="text.unknown_language",
            severity="info",
            message=f"The language of {languages['und']:.0%} of the text cannot be told.",
            what_to_do="Nothing, if it consists of numbers, codes or names.",
        )
    if unanswered_count:
        yield Finding(
            code="conversations.unanswered",
            severity="info",
            message=f"{unanswered_count} questions have no answer in the document and were left out.",
            what_to_do="Answer them in a FAQ and upload that: somebody has asked them.",
        )
