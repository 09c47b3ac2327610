"""Formulas within a line of a DOCX as plain text: kreuzberg 4.10 moves them in front of their paragraph.

Formulas that stand alone are left to it; it writes them as LaTeX. Source of the element names: ECMA-376, part 1, chapter 22.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

_DISPLAYED_OR_INLINE: Final = re.compile(rb"<m:oMathPara\b.*?</m:oMathPara>|<m:oMath>.*?</m:oMath>", re.DOTALL)
_SPACE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/math"
_M: Final = f"{{{_SPACE}}}"
_PREFIX: Final = re.compile(rb"<(?:/)?([A-Za-z0-9]+):|\s([A-Za-z0-9]+):[A-Za-z]+=")
_RAISED: Final = str.maketrans("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ")
_LOWERED: Final = str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")
DEEPEST: Final = 40


def with_inline_formulas_as_text(part: bytes) -> bytes:
    """The part with each formula in a line as a run of text; a formula that cannot be read stays as it is."""
    return _DISPLAYED_OR_INLINE.sub(_as_run, part) if b"<m:oMath>" in part else part


def _as_run(found: re.Match[bytes]) -> bytes:
    if found[0].startswith(b"<m:oMathPara"):
        return found[0]
    names = {name for pair in _PREFIX.findall(found[0]) for name in pair if name} - {b"m", b"xml"}
    spaces = b"".join(b' xmlns:%b="%b"' % (name, name) for name in sorted(names))
    try:
        root = ET.fromstring(b'<m:x xmlns:m="%b"%b>%b</m:x>' % (_SPACE.encode(), spaces, found[0]))  # noqa: S314 - a fragment has no entities
    except ET.ParseError:
        return found[0]
    text = _linear(root, 0)
    return b'<w:r><w:t xml:space="preserve">' + escape(text).encode() + b"</w:t></w:r>" if text.strip() else found[0]


def _linear(element: ET.Element, depth: int) -> str:
    if depth > DEEPEST:
        return ""
    kind = element.tag.removeprefix(_M)
    if kind == "t":
        return element.text or ""
    if kind == "f":
        return f"{_grouped(element, 'num', depth)}/{_grouped(element, 'den', depth)}"
    if kind == "sSup":
        return _part(element, "e", depth) + _script(_part(element, "sup", depth), "^", _RAISED)
    if kind == "sSub":
        return _part(element, "e", depth) + _script(_part(element, "sub", depth), "_", _LOWERED)
    if kind == "sSubSup":
        lowered = _script(_part(element, "sub", depth), "_", _LOWERED)
        return _part(element, "e", depth) + lowered + _script(_part(element, "sup", depth), "^", _RAISED)
    if kind == "rad":
        return f"√{_grouped(element, 'e', depth)}"
    if kind == "d":
        return f"({', '.join(_linear(one, depth + 1) for one in element.findall(f'{_M}e'))})"
    if kind == "nary":
        sign = element.find(f"{_M}naryPr/{_M}chr")
        drawn = sign.get(f"{_M}val", "∫") if sign is not None else "∫"
        return f"{drawn}{_part(element, 'sub', depth)}{_part(element, 'sup', depth)}{_part(element, 'e', depth)}"
    return "".join(_linear(child, depth + 1) for child in element)


def _part(element: ET.Element, name: str, depth: int) -> str:
    found = element.find(f"{_M}{name}")
    return _linear(found, depth + 1) if found is not None else ""


def _grouped(element: ET.Element, name: str, depth: int) -> str:
    text = _part(element, name, depth)
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _script(text: str, sign: str, letters: dict[int, int]) -> str:
    """Raised or lowered digits where Unicode has them, otherwise behind a sign."""
    if all(ord(character) in letters for character in text):
        return text.translate(letters)
    return f"{sign}{text}" if len(text) == 1 else f"{sign}({text})"
