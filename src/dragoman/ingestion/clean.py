"""Cleans the extracted text before it is cut, and measures its quality. Fourth stop of the document path.

Removed is only what nobody would quote: control and zero-width characters, hyphens of line ends, lines that repeat on
most pages. What looks wrong but may be right is counted and left.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from dragoman.ports.extractor import ExtractedPage

BOILERPLATE_LINES: Final = 3  # at the top and at the bottom of a page
BOILERPLATE_SHARE: Final = 0.6  # of the pages that have text
HIGHEST_FIRST_PAGE: Final = 50  # of an excerpt; above it a number that grows with the pages counts something else
FEWEST_PAGES: Final = 3  # a line that stands on both of two pages may be text; a page number is known from two on

_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufff9-\ufffc\ufffe\uffff]")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
_JOINERS: Final = re.compile("[\u200c\u200d]")
_SPACES: Final = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]")
_COMPATIBLE: Final = re.compile("[\ufb00-\ufb4f\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]")  # ligatures, Arabic shapes
# One look for all that only some texts have, above ASCII: each of the patterns would have to read the whole text.
_RARE: Final = re.compile("|".join(part.pattern for part in (_COMPATIBLE, _INVISIBLE, _JOINERS, _SPACES)))
_TRAILING: Final = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_HYPHENATED: Final = re.compile(r"(?<![\w-])([^\W\d_]{2,})[-\u2010\u00ac]\n[ \t]*([^\W\d_]{2,})", re.UNICODE)
_PDF_HYPHEN: Final = re.compile(
    "[\x02\ufffe](?:\n[ \t]*)?|\u00ad\n[ \t]*"
)  # what PDFium writes for a hyphen at the end of a line
_MOJIBAKE: Final = re.compile(
    "[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac[\u0080-\u00bf\u0153\u2122\u201c\u201d\u02dc\u00a6]"
    "|(?:[\u00d0\u00d1][\u0080-\u00bf\u2018-\u201e\u0402-\u040f]){2,}|\u00ef\u00bb\u00bf"
)
_OF_MOJIBAKE: Final = (
    "\u00c2",
    "\u00c3",
    "\u00e2\u20ac",
    "\u00d0",
    "\u00d1",
    "\u00ef\u00bb\u00bf",
)  # it has one of them
_PAGE_NUMBER: Final = re.compile(
    r"\W{0,3}(?:(?:page|seite|p[áa]gina|pagina|side|sida|sivu|strona|strana|стр\.?|страница|σελίδα|صفحة|第|페이지|p\.|s\.)\W{0,2})?"
    r"#(?:\s*(?:/|of|von|de|di|van|av|af|z|из|από|من|の|共)\s*#)?\s*(?:页|頁|ページ|쪽|페이지)?\W{0,3}",
    re.IGNORECASE,
)
_CONJUNCTIONS: Final = frozenset(
    ["und", "oder", "bzw", "sowie", "and", "or", "og", "och", "eller", "en", "of", "et", "ou", "y", "e", "i", "a"]
)  # "Ein- und Ausgang"
_DIGITS: Final = re.compile(r"(?<![A-Za-z\d])\d+(?![A-Za-z])")  # "wombat7" is a name


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedDocument:
    """The pages as they are stored and quoted, and what was seen on the way.

    Attributes:
        quality: counts: `pages`, `empty_pages`, `characters`, `replacement_characters` (U+FFFD), `mojibake_suspects`
            (sequences such as "Ã©"), `removed_boilerplate_lines`, `joined_hyphens`.
    """

    pages: Sequence[ExtractedPage]
    quality: dict[str, int]

    @property
    def text(self) -> str:
        """The whole text, to which all offsets of chunks refer."""
        return whole_text(self.pages)


def whole_text(pages: Iterable[ExtractedPage]) -> str:
    return "\n\n".join(page.markdown for page in pages)


def clean_pages(pages: Sequence[ExtractedPage]) -> CleanedDocument:
    """Cleans a document page by page. Pages that are left without text stay in the list, so that numbers hold.

    Running heads and hyphens at line ends are looked for only where the format has pages. Blocking, about 10 MB/s.
    """
    texts = [_clean_characters(page.markdown) for page in pages]
    paged = [page.number is not None for page in pages]
    texts, removed = _without_boilerplate(texts) if all(paged) else (texts, 0)
    words = Counter(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", "\n".join(texts).lower())) if any(paged) else Counter()
    joined = 0
    cleaned = []
    for page, is_page, text in zip(pages, paged, texts, strict=True):
        written, count = _without_hyphens(text, words) if is_page else (text, 0)
        joined += count
        cleaned.append(replace(page, markdown=_BLANK_LINES.sub("\n\n", written).strip()))
    return CleanedDocument(pages=cleaned, quality=_quality(cleaned, removed, joined))


def broken_characters(text: str) -> tuple[int, int]:
    """How many characters are lost (U+FFFD), and how many places look like UTF-8 read in another encoding."""
    if text.isascii():
        return 0, 0
    mojibake = len(_MOJIBAKE.findall(text)) if any(sign in text for sign in _OF_MOJIBAKE) else 0
    return text.count("\ufffd"), mojibake


def _quality(pages: Sequence[ExtractedPage], removed: int, joined: int) -> dict[str, int]:
    text = whole_text(pages)
    replacements, mojibake = broken_characters(text)
    return {
        "pages": len(pages),
        "empty_pages": sum(not page.markdown for page in pages),
        "characters": len(text),
        "replacement_characters": replacements,
        "mojibake_suspects": mojibake,
        "removed_boilerplate_lines": removed,
        "joined_hyphens": joined,
    }


# --- characters ------------------------------------------------------------------------------------------------------


def _clean_characters(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    is_ascii = text.isascii()
    has_rare = not is_ascii and _RARE.search(text) is not None
    if has_rare:
        text = _COMPATIBLE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    if not is_ascii:
        text = unicodedata.normalize("NFC", text)
    text = _PDF_HYPHEN.sub("", text)
    text = _CONTROLS.sub(" ", text)
    if has_rare:
        text = _JOINERS.sub(lambda found: found[0] if _joiner_matters(text, found.start()) else "", text)
        text = _SPACES.sub(" ", _INVISIBLE.sub("", text))
    has_trailing = " \n" in text or "\t\n" in text or text.endswith((" ", "\t"))
    return _TRAILING.sub("", text) if has_trailing else text


def _joiner_matters(text: str, at: int) -> bool:
    """Joiners change the spelling in Arabic, Indic and Mongolian scripts, and they hold emoji together."""
    around = text[at - 1 : at] + text[at + 1 : at + 2]
    return any(
        "\u0600" <= character <= "\u0dff" or "\u1000" <= character <= "\u18ff" or character >= "\u2190"
        for character in around
        if not "\u3000" <= character <= "\uffef"
    )


# --- hyphens at line ends --------------------------------------------------------------------------------------------


def _without_hyphens(text: str, words: Mapping[str, int]) -> tuple[str, int]:
    """Joins the halves of a word. The document itself decides where a hyphen belongs: `well-known` keeps its own."""
    count = 0

    def join(found: re.Match[str]) -> str:
        nonlocal count
        first, second = found[1], found[2]
        if second in _CONJUNCTIONS:
            return f"{first}- {second}"
        if not second[0].islower():
            return f"{first}-{second}" if second[0].isupper() else found[0]
        whole, compound = (first + second).lower(), f"{first}-{second}".lower()
        if words[compound] > words[whole]:
            return f"{first}-{second}"
        count += 1
        return first + second

    return _HYPHENATED.sub(join, text), count


# --- lines that repeat on most pages ---------------------------------------------------------------------------------


def _without_boilerplate(texts: Sequence[str]) -> tuple[list[str], int]:
    """Removes running heads and feet. Their first appearance stays (it may be the only one of a title or a date)."""
    pages = [text.split("\n") for text in texts]
    edges = [_edges(lines) for lines in pages]
    filled = sum(bool(edge) for edge in edges)
    appearances = Counter(shape for edge in edges for shape in {_shape(lines[at]) for lines, at in edge})
    repeated = {shape for shape, count in appearances.items() if count >= BOILERPLATE_SHARE * filled}
    repeated -= {shape for shape in repeated if "#" in shape and _counts_something_else(shape, edges)}
    if filled < FEWEST_PAGES:
        repeated = {shape for shape in repeated if "#" in shape and filled > 1 and _numbers_pages(shape, edges)}
    numbering = {shape for shape in repeated if _PAGE_NUMBER.fullmatch(shape) or _numbers_pages(shape, edges)}
    seen: set[str] = set()
    removed = 0
    for lines, edge in zip(pages, edges, strict=True):
        for at in sorted({at for _, at in edge}):
            shape = _shape(lines[at])
            if shape not in repeated:
                continue
            if shape in seen or shape in numbering:
                lines[at] = ""
                removed += 1
            seen.add(shape)
    return ["\n".join(lines) for lines in pages], removed


def _edges(lines: list[str]) -> list[tuple[list[str], int]]:
    """The first and last lines of a page that have text; table rows never are running heads."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    edge = filled[:BOILERPLATE_LINES] + filled[-BOILERPLATE_LINES:]
    return [(lines, at) for at in dict.fromkeys(edge) if not lines[at].startswith("|")]


def _shape(line: str) -> str:
    """The line with each number as `#` and without Markdown, so that "Page 1 of 9" equals "Page 2 of 9"."""
    return _DIGITS.sub("#", " ".join(line.strip().lstrip("#*_ ").rstrip("*_ ").split())).casefold()


def _counts_something_else(shape: str, edges: Sequence[Sequence[tuple[list[str], int]]]) -> bool:
    """Whether the lines differ in numbers that are not those of pages: certificates, readings, serial numbers."""
    lines = [lines[at].strip() for edge in edges for lines, at in edge if _shape(lines[at]) == shape]
    if len(set(lines)) == 1 or _PAGE_NUMBER.fullmatch(shape):
        return False
    first = [int(number) for number in _DIGITS.findall(lines[0])]
    return not _numbers_pages(shape, edges) or min(first, default=0) > len(edges) + HIGHEST_FIRST_PAGE


def _numbers_pages(shape: str, edges: Sequence[Sequence[tuple[list[str], int]]]) -> bool:
    """Whether a number in the line grows by one from page to page."""
    numbers = [
        [int(number) for number in _DIGITS.findall(lines[at])]
        for edge in edges
        for lines, at in edge
        if _shape(lines[at]) == shape and len(lines[at]) < 200
    ]
    steps = [
        any(later - earlier == 1 for earlier, later in zip(first, second, strict=False))
        for first, second in pairwise(numbers)
    ]
    return bool(steps) and all(steps)
