"""Finds in a text what was put there for a machine: hidden characters, instructions to a model, formulas, encoded data.

Signs, not proof: a handbook on security quotes such phrases too. So they lower the score and are shown, and nothing is
removed for them. The phrases are those of `kit.text.injection`, which also screens questions and passages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from dragoman.kit.text import injection

SuspicionKind = Literal["instructions", "hidden_text", "hidden_characters", "bidi", "formula", "encoded", "script_link"]
LONGEST_EXCERPT: Final = 120  # characters
SHORTEST_BLOB: Final = 400  # characters of Base64; shorter ones are keys and checksums
FEWEST_ZERO_WIDTH: Final = 20  # a page copied from the web carries some


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """What was seen and where: `excerpt` with up to 120 characters of it."""

    kind: SuspicionKind
    excerpt: str


def suspicions(text: str) -> Iterator[Suspicion]:
    """All that is suspicious in a text as it was extracted, before hidden characters are cleaned away."""
    yield from _hidden(text)
    lowered = injection.lower_in_place(text)
    distinct = "\n".join(
        set(lowered.split())
    )  # a third of an ordinary text, and what has no space is in it or not in the text at all
    for kind, may_be_in, pattern in _PATTERNS:
        if may_be_in(distinct):
            for found in pattern.finditer(text):
                yield Suspicion(kind=kind, excerpt=" ".join(found[0].split())[:LONGEST_EXCERPT])
    for phrase in injection.phrases(text, lowered, distinct):
        if phrase.weight >= injection.SUSPICIOUS:
            yield Suspicion(kind="instructions", excerpt=phrase.excerpt)


# --- characters nobody sees ------------------------------------------------------------------------------------------

_TAGS: Final = re.compile(
    "(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]{3,}"
)  # flags of regions use them
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{6,}")
_BIDI: Final = re.compile("[\u202d\u202e]")  # overrides; marks and isolates are ordinary in Arabic and Hebrew
_ZERO_WIDTH: Final = re.compile("[\u200b\u2060-\u2064\ufeff]")
_UNSEEN: Final = re.compile(
    "[\u200b\u202d\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0020-\U000e007f\U000e0100-\U000e01ef]"
)


def _hidden(text: str) -> Iterator[Suspicion]:
    if text.isascii() or not _UNSEEN.search(text):
        return
    for found in _TAGS.finditer(text):
        words = "".join(chr(ord(sign) - 0xE0000) for sign in found[0])
        yield Suspicion(kind="hidden_text", excerpt=words[:LONGEST_EXCERPT])
    for found in _SELECTORS.finditer(text):
        yield Suspicion(kind="hidden_text", excerpt=f"{len(found[0])} variation selectors in a row")
    if overrides := len(_BIDI.findall(text)):
        yield Suspicion(kind="bidi", excerpt=f"{overrides} characters that reverse the direction of writing")
    zero_width = len(_ZERO_WIDTH.findall(text))
    if zero_width >= FEWEST_ZERO_WIDTH and zero_width * 200 > len(text):
        yield Suspicion(kind="hidden_characters", excerpt=f"{zero_width} characters without width")


_FORMULA_WORDS: Final = (
    *("@", "cmd", "powershell", "mshta", "rundll32", "msexcel", "hyperlink(", "webservice(", "importxml("),
    *("importdata(", "importhtml(", "importfeed(", "importrange(", "dde(", "call(", "exec(", "register("),
)


def _may_hold_formula(distinct: str) -> bool:
    return any(word in distinct for word in _FORMULA_WORDS)


def _may_hold_blob(distinct: str) -> bool:
    return max(map(len, distinct.split("\n"))) >= SHORTEST_BLOB


def _may_hold_link(distinct: str) -> bool:
    return "](" in distinct


# Kind, a quick look at the distinct words by which most texts are passed over, and the pattern.
_PATTERNS: Final[tuple[tuple[SuspicionKind, Callable[[str], bool], re.Pattern[str]], ...]] = (
    (
        "formula",
        _may_hold_formula,
        re.compile(
            r"(?:^|[|,;\t\"'])[ ]*[=+@-][ ]*(?:(?:cmd|powershell|mshta|rundll32|msexcel)[^\n|]{0,40}\\?\|"
            r"|[^\n|]{0,40}(?:HYPERLINK|WEBSERVICE|IMPORTXML|IMPORTDATA|IMPORTHTML|IMPORTFEED|IMPORTRANGE|DDE|CALL|EXEC|REGISTER)\()"
            r"|(?:^|[|,;\t\"'])[ ]*@[A-Z]{2,20}\(",
            re.MULTILINE | re.IGNORECASE,
        ),
    ),
    (
        "encoded",
        _may_hold_blob,
        re.compile(rf"(?<![A-Za-z0-9+/])(?=[A-Za-z+/]*[0-9])[A-Za-z0-9+/]{{{SHORTEST_BLOB},}}={{0,2}}"),
    ),
    (
        "script_link",
        _may_hold_link,
        re.compile(r"\]\(\s*(?:javascript|vbscript|data:text/html)[^)]{0,80}", re.IGNORECASE),
    ),
)
