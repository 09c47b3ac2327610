"""Which parts of streamed Markdown are code: blocks between fences, and spans between backticks in a line.

A model's fences are put right on the way: one that is never closed is closed at the end, and citation markers that stand
on the closing fence (where Markdown reads them as code) come to stand below it. Code itself is passed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_LEAD: Final = r"(?P<lead>(?:[ \t]|>|[-*+][ \t]|\d{1,9}[.)][ \t])*)"  # a block may stand in a list or a quotation
_MAY_OPEN: Final = re.compile(_LEAD + r"(?:[-*+]|\d{1,9}[.)]?|`{1,2}|~{1,2}|`{3,}[^`\n]*|~{3,}[^\n]*)?")
_OPENS: Final = re.compile(_LEAD + r"(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*")
_LONGEST_OPENING: Final = 300  # characters of a line that is held back because it may be one
_MARKER: Final = r"[ \t]*\[\d{1,3}(?:[,;] ?\d{1,3}){0,7}\]"
_CLOSES: Final = re.compile(rf"(?P<lead>[ \t>]*)(?P<fence>`{{3,}}|~{{3,}})(?:(?P<markers>(?:{_MARKER})+)\.?)?[ \t]*")
_SPAN: Final = re.compile(r"(?<![`\\])(?P<ticks>`{1,3})(?!`)(?P<code>[^`\n]{1,300})(?<!`)(?P=ticks)(?!`)")
_UNFINISHED_SPAN: Final = re.compile(r"(?<![`\\])`{1,3}(?!`)[^`\n]{0,300}`{0,3}$")


def masked(text: str) -> str:
    """The text with the code between backticks made letters, each in its place: what is searched for stands not in code."""
    if "`" not in text:
        return text
    return _SPAN.sub(lambda match: f"{match['ticks']}{'x' * len(match['code'])}{match['ticks']}", text)


def find_open_span(text: str) -> int | None:
    """Where a backtick stands at the end of the text whose code may still go on."""
    if "`" not in text:
        return None
    found = _UNFINISHED_SPAN.search(_SPAN.sub(lambda match: "x" * len(match[0]), text))
    return found.start() if found else None


def replaced_outside(pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str], text: str) -> str:
    """As `pattern.sub`, where the code between backticks stays as it is."""
    said: list[str] = []
    at = 0
    for match in pattern.finditer(masked(text)):
        said += (text[at : match.start()], replacement(match))
        at = match.end()
    return "".join((*said, text[at:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the text. `ends`: with it a block of code has ended; `indent`: where the block begins in its lines."""

    text: str
    is_code: bool = False
    ends: bool = False
    indent: int = 0


class CodeBlocks:
    """Feed it pieces of Markdown; it returns them as parts that are code or not. A line that may be a fence is held back."""

    def __init__(self) -> None:
        self._fence = ""
        self._lead = ""
        self._held = ""
        self._begins_line = True

    def feed(self, piece: str) -> list[Part]:
        self._held += piece
        parts: list[Part] = []
        while self._held and (found := self._code() if self._fence else self._prose()):
            parts += found
        return parts

    def finish(self) -> list[Part]:
        """What was held back, and the end of a block that has none."""
        line, self._held = self._held, ""
        if not self._fence:
            opened = _OPENS.fullmatch(line) if self._begins_line else None
            if opened is None:
                return [Part(text=line)] if line else []
            self._opened(opened)
            return [self._part(line), self._closing("\n")]
        closed = self._closed(line) if self._begins_line else None
        if closed is not None:
            return self._ended(closed)
        is_whole = self._begins_line and not line
        return [*([self._part(line)] if line else []), self._closing("" if is_whole else "\n")]

    @property
    def is_open(self) -> bool:
        """Whether a block of code has begun and not ended."""
        return bool(self._fence)

    def _prose(self) -> list[Part]:
        line, newline, _ = self._held.partition("\n")
        if not self._begins_line:
            return [Part(text=self._cut(len(line) + len(newline)))]
        if not newline and len(line) <= _LONGEST_OPENING and _MAY_OPEN.fullmatch(line):
            return []
        opened = _OPENS.fullmatch(line) if newline else None
        if opened is None:
            return [Part(text=self._cut(len(line) + len(newline)))]
        self._opened(opened)
        return [self._part(self._cut(len(line) + 1))]

    def _code(self) -> list[Part]:
        line, newline, _ = self._held.partition("\n")
        if not self._begins_line:
            return [self._part(self._cut(len(line) + len(newline)))]
        bare = line.lstrip(" \t>")
        if (
            ">" in self._lead and line and not line.lstrip().startswith(">")
        ):  # the quotation that it stands in has ended
            self._fence = self._lead = ""
            return [Part(text="", is_code=True, ends=True)]
        if not newline and (not bare or bare[0] == self._fence[0]) and len(line) <= _LONGEST_OPENING:
            return []
        closed = self._closed(line)
        if closed is None:
            return [self._part(self._cut(len(line) + len(newline)))]
        self._cut(len(line))
        return self._ended(closed)

    def _opened(self, opened: re.Match[str]) -> None:
        self._fence, self._lead = opened["fence"], opened["lead"]

    def _closed(self, line: str) -> re.Match[str] | None:
        closed = _CLOSES.fullmatch(line)
        return closed if closed and closed["fence"].startswith(self._fence) else None

    def _ended(self, closed: re.Match[str]) -> list[Part]:
        """The closing fence; markers behind it stand below it, where they are no code."""
        end = self._closing("", closed["lead"] + closed["fence"])
        if not closed["markers"]:
            return [end]
        return [end, Part(text=f"\n{' ' * end.indent}{closed['markers'].strip()}")]

    def _closing(self, before: str, fence: str = "") -> Part:
        indent = 0 if ">" in self._lead else len(self._lead)
        lead = re.sub("[^>]", " ", self._lead)  # the number of an item is not said again
        part = Part(text=before + (fence or lead + self._fence), is_code=True, ends=True, indent=indent)
        self._fence = self._lead = ""
        self._begins_line = False
        return part

    def _part(self, text: str) -> Part:
        return Part(text=text, is_code=True)

    def _cut(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        self._begins_line = taken.endswith("\n")
        return taken
