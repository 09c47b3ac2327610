"""Cuts a text into sentences by offsets: the units that are embedded, quoted and cited.

Blocks come first (heading, list item, table row, paragraph), because in Markdown and in extracted PDFs a line break
ends more sentences than a full stop does; then a paragraph is cut at its terminators, and what is still too long to
quote at clause boundaries. Markup (list markers, `#`, `>`, separator rows, fences) lies outside the spans.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

LONGEST_SENTENCE: Final = 400  # characters; a quote above this is no longer read as one
SHORTEST_CLAUSE: Final = 120  # a cut earlier than this leaves fragments that say nothing on their own
UNSTOPPED_LENGTH: Final = (
    80  # Thai, Lao, Khmer and Burmese put a space where a clause ends; pieces are joined up to this
)

Span = tuple[int, int]


def split_sentences(text: str, language: str) -> list[Span]:
    """The sentences of a text as `(start, end)` offsets into it.

    Spans are in order, do not overlap, are not empty, carry no white space at their ends, and together cover all text
    that is not markup. A list item is one sentence, and so is a table row; the row of dashes under a table's header is
    none. A heading stands on its own.

    Args:
        text: Plain text or Markdown.
        language: ISO 639-1 code; decides which full stops end no sentence and whether `;` asks a question.
    """
    base = language.lower()[:2]
    return [
        sentence
        for start, end, whole in _blocks(text)
        for sentence in (_trimmed(text, [(start, end)]) if whole else _paragraph_sentences(text, start, end, base))
    ]


# --- blocks ----------------------------------------------------------------------------------------------------------

_BLANK: Final = re.compile(r"\s*$")
_MARKUP_LINE: Final = re.compile(
    r"\s*(?:\|?\s*:?-{2,}:?\s*(?:\|\s*:?-+:?\s*)*\|?|[-*_=~](?:\s*[-*_=~]){2,}|(?:```|~~~)\s*[\w+-]*|[>\s]*\[!\w+\]|>+)\s*$"
)
_HEADING: Final = re.compile(r"\s{0,3}#{1,6}\s+(?P<body>.*?)(?:\s+#+)?\s*$")
_ITEM: Final = re.compile(r"\s*(?:[-*+•‣◦▪·–]|\(?(?:\d{1,3}|[A-Za-z])[.)])\s+(?:\[[ xX]\]\s+)?(?=\S)")
_QUOTE: Final = re.compile(r"\s*(?:>\s?)+(?=\S)")
_ROW: Final = re.compile(r"\s*\|.*\|\s*$|.*\S\s\|\s\S.*\|.*$")
_FIELD: Final = re.compile(r"\s*[^\s:：][^:：]{0,38}[:：]\s+\S")
SOFT_BREAK_SHARE: Final = 0.6  # a line shorter than this share of its paragraph's longest was ended on purpose


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start, end and whether the block is one sentence as it stands (a heading, a table row, a list item)."""
    paragraph: list[Span] = []
    item = False
    for start, end in _lines(text):
        line = text[start:end]
        if _BLANK.match(line) or _MARKUP_LINE.match(line):
            yield from _paragraphs(text, paragraph, item)
            paragraph, item = [], False
            continue
        heading = _HEADING.match(line)
        if heading or _ROW.match(line):
            yield from _paragraphs(text, paragraph, item)
            paragraph, item = [], False
            body = heading.span("body") if heading else (0, len(line))
            yield start + body[0], start + body[1], True
            continue
        marker = _ITEM.match(line) or _QUOTE.match(line)
        if marker:
            yield from _paragraphs(text, paragraph, item)
            paragraph, item = [], marker.re is _ITEM
        paragraph.append((start + marker.end() if marker else start, end))
    yield from _paragraphs(text, paragraph, item)


def _lines(text: str) -> Iterator[Span]:
    start = 0
    for line in text.splitlines(keepends=True):
        yield start, start + len(line)
        start += len(line)


def _paragraphs(text: str, lines: list[Span], item: bool) -> Iterator[tuple[int, int, bool]]:
    """Joins wrapped lines; a line that was ended on purpose ends its paragraph. A list item stays whole if it may."""
    if not lines:
        return
    if item and lines[-1][1] - lines[0][0] <= LONGEST_SENTENCE:
        yield lines[0][0], lines[-1][1], True
        return
    longest = max(len(text[start:end].rstrip()) for start, end in lines)
    opened = lines[0][0]
    for (start, end), (following, following_end) in itertools.pairwise(lines):
        if _ended_on_purpose(text[start:end], text[following:following_end], longest):
            yield opened, end, False
            opened = following
    yield opened, lines[-1][1], False


def _ended_on_purpose(line: str, following: str, longest: int) -> bool:
    content = line.rstrip()
    if line.rstrip("\r\n").endswith(("  ", "\\")) or content.endswith((":", "：")) or _FIELD.match(following):
        return True
    opens = following.lstrip()[:1]
    return len(content) < SOFT_BREAK_SHARE * longest and not opens.islower()


# --- sentences of a paragraph ----------------------------------------------------------------------------------------

_CLOSERS: Final = "\"'”’»›)\\]}」』）】〉》*_"
_END: Final = re.compile(
    rf"(?P<wide>[。！？｡．]+[{_CLOSERS}]*)"
    rf"|(?P<stop>[.!?…‽]+[{_CLOSERS}]*(?:\s[»”])?)(?=\s|$)"
    rf"|(?P<mark>[؟۔।॥։።፧។៕။\u037e]+[{_CLOSERS}]*)"
)
_GREEK_END: Final = re.compile(rf";[{_CLOSERS}]*(?=\s|$)")
_UNSTOPPED: Final = re.compile("[\u0e01-\u0e7f\u0e81-\u0eff\u1000-\u109f\u1780-\u17ff]")
_CLAUSE: Final = re.compile(r"[;:,—–](?=\s)|[；：，、،؛]")
_SPACE: Final = re.compile(r"\s+")


def _paragraph_sentences(text: str, start: int, end: int, base: str) -> list[Span]:
    sentences: list[Span] = []
    opened = start
    for cut in [*sorted(set(_sentence_ends(text, start, end, base)) - {end}), end]:
        if cut == end or (_says_something(text[opened:cut]) and _says_something(text[cut:end])):
            sentences += _pieces(text, opened, cut)
            opened = cut
    return _trimmed(text, sentences)


def _says_something(piece: str) -> bool:
    """Digits and signs alone are no sentence: embedded, "1455-1536)." was nearest to 401 of 632 Chinese questions."""
    return sum(map(str.isalpha, piece)) >= 2


def _sentence_ends(text: str, start: int, end: int, base: str) -> Iterator[int]:
    for match in _END.finditer(text, start, end):
        if match["wide"]:
            if match["wide"][-1] not in "」』）" or not text[match.end() : match.end() + 1].isalpha():
                yield match.end()  # 「雨？」と言った is one sentence
        elif match["mark"] or _stop_ends_sentence(text, start, match, base):
            yield match.end()
    if base == "el":
        for match in _GREEK_END.finditer(text, start, end):
            yield match.end()


def _stop_ends_sentence(text: str, start: int, match: re.Match[str], base: str) -> bool:
    """Whether this full stop (or `!`, `?`) closes a sentence, or an abbreviation, an initial, an ordinal."""
    rest = text[match.end() : match.end() + 20].lstrip().lstrip("\"'“‘«„([*_¿¡")
    if rest[:1].islower():
        return False
    if match["stop"].rstrip("\"'”’»›)]}*_ \u00a0\u202f") != ".":
        return True
    word = re.split(r"[\s(\[\"'“„«/]", text[max(start, match.start() - 24) : match.start()])[-1]
    if not word or word.isdigit():
        ordinal = base in _ORDINAL_LANGUAGES and len(word) in (1, 2) and rest[:1].isalpha()
        return not ordinal and not (word.isdigit() and not text[start : match.start() - len(word)].strip())
    initial = len(word) == 1 and word.isalpha()  # J. Smith, z. B., c. 1455
    if word.lower() in _ALSO_WORDS and not rest[:1].isdigit():
        return True
    return not initial and "." not in word and word.lower() not in _ABBREVIATIONS


def _pieces(text: str, start: int, end: int) -> list[Span]:
    """The sentence itself, or its clauses when it is too long to quote."""
    if len(_UNSTOPPED.findall(text, start, end)) > (end - start) * 0.3:
        return _unstopped_pieces(text, start, end)
    pieces: list[Span] = []
    while end - start > LONGEST_SENTENCE:
        window = (start + SHORTEST_CLAUSE, start + LONGEST_SENTENCE)
        cut = _last_end(_CLAUSE, text, *window) or _last_end(_SPACE, text, *window) or window[1]
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def _unstopped_pieces(text: str, start: int, end: int) -> list[Span]:
    """Clauses between spaces, joined until each is long enough to mean something."""
    pieces: list[Span] = []
    for gap in _SPACE.finditer(text, start, end):
        if gap.start() - start >= UNSTOPPED_LENGTH and end - gap.end() >= UNSTOPPED_LENGTH // 2:
            pieces.append((start, gap.start()))
            start = gap.end()
    pieces.append((start, end))
    return [
        (at, min(at + LONGEST_SENTENCE, stop)) for left, stop in pieces for at in range(left, stop, LONGEST_SENTENCE)
    ]


def _last_end(pattern: re.Pattern[str], text: str, start: int, end: int) -> int | None:
    return max((match.end() for match in pattern.finditer(text, start, end)), default=None)


def _trimmed(text: str, spans: list[Span]) -> list[Span]:
    trimmed = []
    for start, end in spans:
        content = text[start:end]
        left = start + len(content) - len(content.lstrip())
        right = start + len(content.rstrip())
        if left < right:
            trimmed.append((left, right))
    return trimmed


_ORDINAL_LANGUAGES: Final = frozenset(
    {"cs", "da", "de", "et", "fi", "hr", "hu", "lv", "nb", "nn", "no", "pl", "sk", "sl", "sr", "tr"}
)
_ABBREVIATED: Final = (
    # titles and references that are followed by what they belong to
    "mr mrs ms dr prof st hr fr rev gen sen rep gov capt sgt col lt maj hon messrs mt ft vs cf al approx ca dept est "
    "fig figs no nos nr nrs vol vols p pp par para sec ch art ed eds incl excl max min tel ext abs bzw ggf evtl inkl "
    "exkl zzgl vgl sog usf str bsp allg mio mrd std stk abb aufl bd hrsg jh mind ungef "
    "m mm mme mlle av env éd cie chap réf sr sra srta sres ud uds dña ej pág págs núm aprox dott dr.ssa sig es ecc "
    "ing avv egr spett blz bijv evt resp mw dhr enz bl.a f.eks t.ex s.k osv kl ul ur str tzn tzw np itp dyr inż "
    "mgr ks св ул пр г гг рис стр руб коп тыс млн млрд им проф акад см ср напр обл д др κ κα αρ σελ τηλ βλ π.χ κ.λπ "
    "vd vb bkz örn prof doç yrd av sn"
)
_ALSO_WORDS: Final = frozenset({"no", "art", "par", "sec", "min", "max", "ed", "est", "fig", "figs"})
_ABBREVIATIONS: Final = frozenset(_ABBREVIATED.split())
