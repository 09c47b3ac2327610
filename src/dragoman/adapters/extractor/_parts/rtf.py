r"""Rewrites the legacy characters of RTF as Unicode ones: `\'83\'5d` in a Shift-JIS font becomes `\u12478?`.

kreuzberg 4.10 reads such bytes as Windows-1252 whatever the font says, so Japanese, Chinese, Korean, Russian, Greek,
Arabic documents of older programs come out as noise. Source: Rich Text Format specification 1.9.1, `\fcharset`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CODEPAGES: Final = {
    128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258",
    177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
_MULTI_BYTE: Final = frozenset({"cp932", "cp949", "gb18030", "big5"})
_TOKEN: Final = re.compile(
    rb"(?P<byte>\\'(?P<hex>[0-9a-fA-F]{2}))|(?P<word>\\(?P<name>[a-z]{1,32})(?P<value>-?\d{1,10})? ?)"
    rb"|(?P<sign>\\[^a-z'])|(?P<open>\{)|(?P<close>\})|(?P<line>[\r\n]+)|(?P<text>[^\\{}\r\n]+)",
    re.IGNORECASE | re.DOTALL,
)
_FONT: Final = re.compile(rb"\{\\f(\d+)(?:[^{}]|\{[^{}]*\})*?\\fcharset(\d+)")
_ANSI: Final = re.compile(rb"\\ansicpg(\d{3,5})")


@dataclass(slots=True)
class _State:
    """What a group inherits: its code page, and how many characters follow `\\u` for programs without Unicode."""

    encoding: str
    fallback: int = 1


def with_unicode_characters(content: bytes) -> bytes:
    """The same document with every legacy character outside ASCII as `\\u`; unchanged where there is none."""
    if b"\\'" not in content and content.isascii():
        return content
    fonts = {int(number): int(charset) for number, charset in _FONT.findall(content)}
    stated = _ANSI.search(content)
    default = _known(f"cp{int(stated[1])}") if stated else "cp1252"
    return _Rewriter({number: _CODEPAGES.get(charset, default) for number, charset in fonts.items()}, default).run(
        content
    )


def _known(encoding: str) -> str:
    if encoding == "cp936":
        return "gb18030"
    if encoding == "cp950":
        return "big5"
    try:
        b"".decode(encoding)
    except LookupError:
        return "utf-8" if encoding == "cp65001" else "cp1252"
    return encoding


class _Rewriter:
    def __init__(self, fonts: dict[int, str], default: str) -> None:
        self._fonts, self._default = fonts, default
        self._state = _State(default)
        self._stack: list[_State] = []
        self._written: list[bytes] = []
        self._waiting = bytearray()  # bytes of the code page that belong together
        self._skip = 0  # characters that repeat a `\u` for old programs

    def run(self, content: bytes) -> bytes:
        at = 0
        while at < len(content):
            found = _TOKEN.match(content, at)
            if found is None:  # a lone backslash at the end
                break
            at = found.end() if found["word"] is None or found["name"] != b"bin" else self._past_binary(found)
            if found["name"] == b"bin" and found["word"]:
                self._flush()
                self._written.append(content[found.start() : at])
            else:
                self._take(found)
        self._flush()
        return b"".join(self._written)

    def _past_binary(self, found: re.Match[bytes]) -> int:
        return found.end() + max(0, int(found["value"] or 0))

    def _take(self, found: re.Match[bytes]) -> None:
        if found["byte"]:
            self._take_byte(int(found["hex"], 16), found[0])
        elif found["text"]:
            self._take_text(found[0])
        elif found["line"]:
            self._written.append(b"" if self._waiting else found[0])
        else:
            self._flush()
            self._written.append(found[0])
            self._follow(found)

    def _take_byte(self, byte: int, source: bytes) -> None:
        if self._skip:
            self._skip -= 1
            self._written.append(source)
        else:
            self._waiting.append(byte)

    def _take_text(self, text: bytes) -> None:
        if self._skip:
            kept = min(self._skip, len(text))
            self._written.append(text[:kept])
            self._skip -= kept
            text = text[kept:]
        if self._waiting and self._state.encoding in _MULTI_BYTE and text and self._is_open():
            self._waiting += text[:1]  # the second byte of a character may be an ASCII one
            text = text[1:]
        if text.isascii():
            if text:
                self._flush()
                self._written.append(text)
        else:
            self._waiting += text

    def _is_open(self) -> bool:
        """Whether the bytes end within a character."""
        try:
            self._waiting.decode(self._state.encoding)
        except UnicodeDecodeError as error:
            return error.end >= len(self._waiting)
        return False

    def _follow(self, found: re.Match[bytes]) -> None:
        name, value = found["name"], found["value"]
        if found["open"]:
            self._stack.append(self._state)
            self._state = _State(self._state.encoding, self._state.fallback)
        elif found["close"]:
            self._state = self._stack.pop() if self._stack else self._state
            self._skip = 0
        elif name == b"f" and value:
            self._state.encoding = self._fonts.get(int(value), self._default)
        elif name == b"plain":
            self._state.encoding = self._default
        elif name == b"uc" and value:
            self._state.fallback = max(0, int(value))
        elif name == b"u" and value:
            self._skip = self._state.fallback

    def _flush(self) -> None:
        if self._waiting:
            text = bytes(self._waiting).decode(self._state.encoding, errors="replace")
            self._waiting.clear()
            fallback = b"?" * self._state.fallback
            for character in text:
                self._written.append(self._escaped(character, fallback))

    @staticmethod
    def _escaped(character: str, fallback: bytes) -> bytes:
        if character.isascii():
            return b"\\" + character.encode() if character in "\\{}" else character.encode()
        units = character.encode("utf-16-le")
        codes = [int.from_bytes(units[at : at + 2], "little") for at in range(0, len(units), 2)]
        return b"".join(b"\\u%d " % (code - 65_536 if code > 32_767 else code) + fallback for code in codes)
