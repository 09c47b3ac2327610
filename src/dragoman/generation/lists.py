"""The list that a place in a text belongs to, with the line that leads into it."""

from __future__ import annotations

import re
from typing import Final

from dragoman.kit.text.terms import base_language

_ITEM: Final = re.compile(r"^(?P<indent>[ \t]*)(?:[-*+•]|\(?\d{1,3}[.)])[ \t]+\S")
_BLANK: Final = re.compile(r"^\s*$")
_LEADS_IN: Final = re.compile(r"[:：]\s*$")
MOST_ITEMS: Final = 12
LONGEST_LIST: Final = 1_500  # characters; a longer list is quoted by its best items

LONGEST_LEAD_IN: Final = 120  # characters

Span = tuple[int, int]


def list_around(text: str, start: int) -> Span | None:
    """The whole list in which `start` lies, or which its line leads into: from the line that ends in a colon to the last item.

    None where it is no list of two items or more, or one too long to be quoted whole.
    """
    lines = _lines(text)
    at = next((number for number, (begin, end) in enumerate(lines) if begin <= start < end), None)
    if at is None:
        return None
    if not _is_item(text, lines[at]) and not _continues_item(text, lines, at):
        at = _first_item_below(text, lines, at)
        if at is None:
            return None
    first = last = at
    while first > 0 and _belongs(text, lines, first - 1):
        first -= 1
    while last + 1 < len(lines) and _belongs(text, lines, last + 1):
        last += 1
    items = [number for number in range(first, last + 1) if _is_item(text, lines[number])]
    if not 2 <= len(items) <= MOST_ITEMS:
        return None
    while not _is_item(text, lines[first]):
        first += 1
    while _BLANK.match(text[slice(*lines[last])]):
        last -= 1
    lead = _lead_in(text, lines, first)
    begin, end = lines[first if lead is None else lead][0], lines[last][1]
    words = text[begin:end]
    begin += len(words) - len(words.lstrip())
    end = begin + len(words.strip())
    return (begin, end) if end - begin <= LONGEST_LIST else None


def leads_in(text: str, start: int, end: int) -> bool:
    """Whether this sentence ends with a colon and a list follows it."""
    if not _LEADS_IN.search(text[start:end]):
        return False
    lines = _lines(text)
    at = next((number for number, (begin, stop) in enumerate(lines) if begin <= end - 1 < stop), len(lines) - 1)
    return _first_item_below(text, lines, at) is not None


def lead_in_of(text: str, start: int) -> str:
    """The line that leads into the list of which an item begins at `start`, without its colon; empty where there is none."""
    lines = _lines(text)
    at = next((number for number, (begin, end) in enumerate(lines) if begin <= start < end), None)
    if at is None or not _is_item(text, lines[at]):
        return ""
    while at > 0 and _belongs(text, lines, at - 1):
        at -= 1
    above = _lead_in(text, lines, at)
    if above is None:
        return ""
    line = text[slice(*lines[above])].strip().rstrip(":：").strip()
    return line if len(line) <= LONGEST_LEAD_IN else ""


def asks_for_all(question: str, language: str) -> bool:
    """Whether a question asks for all items of a list, or for the steps of a procedure."""
    pattern = _ASKS_FOR_ALL.get(base_language(language))
    return pattern is not None and pattern.search(question) is not None


_ASKS_FOR_ALL: Final = {
    language: re.compile(pattern, re.IGNORECASE)
    for language, pattern in {
        "en": r"\b(?:list|steps?|procedure|all (?:the|of)|what are|which (?:\w+ ){0,3}are|how (?:do|can|should|to|would) (?:i|we|you|one)?)\b",
        "de": r"\b(?:liste|schritte?|vorgehen|alle|welche[ns]?|wie (?:kann|muss|soll|gehe|richte|stelle|mache|aktualisiere)\w*)\b",
        "es": r"\b(?:lista|pasos?|todos los|todas las|cuáles|cómo (?:puedo|se|debo|hago|configuro))\b",
        "fr": r"\b(?:liste|étapes?|tous les|toutes les|quel(?:le)?s sont|comment)\b",
        "it": r"\b(?:elenco|passaggi|passi|tutti i|tutte le|quali|come (?:posso|si|faccio))\b",
        "pt": r"\b(?:lista|passos|etapas|todos os|todas as|quais|como (?:posso|se|faço))\b",
        "nl": r"\b(?:lijst|stappen|alle|welke|hoe (?:kan|moet|stel|doe))\b",
        "pl": r"\b(?:lista|kroki|wszystkie|jakie są|jak)\b",
        "ru": r"(?:список|шаги|все|какие|как (?:мне|можно|нужно|настроить))",
        "zh": r"(?:哪些|步骤|如何|怎么|怎样|列出|所有)",
        "ja": r"(?:手順|一覧|すべて|どのような|方法)",
        "ar": r"(?:خطوات|قائمة|جميع|ما هي|كيف)",
        "tr": r"(?:adımlar|liste|tüm|hangileri|nelerdir|nasıl)",
    }.items()
}


def _lines(text: str) -> list[Span]:
    spans, start = [], 0
    for line in text.splitlines(keepends=True):
        spans.append((start, start + len(line)))
        start += len(line)
    return spans


def _is_item(text: str, line: Span) -> bool:
    return _ITEM.match(text[slice(*line)]) is not None


def _continues_item(text: str, lines: list[Span], at: int) -> bool:
    """An indented line below an item."""
    line = text[slice(*lines[at])]
    return line[:1] in " \t" and not _BLANK.match(line) and at > 0 and _belongs(text, lines, at - 1)


def _belongs(text: str, lines: list[Span], at: int) -> bool:
    line = text[slice(*lines[at])]
    if _is_item(text, lines[at]):
        return True
    if _BLANK.match(line):  # between two items of a loose list
        near = (at - 1, at + 1)
        return all(0 <= other < len(lines) and _in_item(text, lines, other) for other in near)
    return _in_item(text, lines, at)


def _in_item(text: str, lines: list[Span], at: int) -> bool:
    line = text[slice(*lines[at])]
    return _is_item(text, lines[at]) or (
        line[:1] in " \t" and not _BLANK.match(line) and at > 0 and _is_item(text, lines[at - 1])
    )


def _first_item_below(text: str, lines: list[Span], at: int) -> int | None:
    """The first item below a line that ends with a colon; a blank line may stand between."""
    if not _LEADS_IN.search(text[slice(*lines[at])]):
        return None
    for below in range(at + 1, min(at + 3, len(lines))):
        if _is_item(text, lines[below]):
            return below
        if not _BLANK.match(text[slice(*lines[below])]):
            return None
    return None


def _lead_in(text: str, lines: list[Span], first: int) -> int | None:
    for above in range(first - 1, max(first - 3, -1), -1):
        line = text[slice(*lines[above])]
        if _BLANK.match(line):
            continue
        return above if _LEADS_IN.search(line) and not line.lstrip().startswith("#") else None
    return None
