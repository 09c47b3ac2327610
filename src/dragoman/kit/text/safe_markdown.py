"""Makes Markdown that a machine wrote safe to show: no HTML, no images, links to known hosts only.

The text stays Markdown. `<` that would open a tag becomes `&lt;`; an image is replaced by its description (its address
would be fetched at once, and carry away what stands in it); a link that is not known keeps its words and loses its
address; a bare address is written `hxxps://…`; a link's definition (`[1]: …`) is taken apart. Code between backticks and
in fences is left as it is, since Markdown shows it as text: only what is certain to be code counts as such.

`SafeMarkdown` does it for a text that is still being written, and holds back what may yet become one of these things.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

IsKnown = Callable[[str], bool]
_LONGEST_LABEL: Final = 400  # characters between brackets
_LONGEST_TARGET: Final = 2_000
_LONGEST_CODE: Final = 300
_PLAIN: Final = re.compile(r"[^<\[\]!`~:\\&./\n]*")

_LABEL: Final = r"(?:[^\[\]\\\n]|\\.|\[[^\[\]\n]{0,200}\]){0,400}"
_TARGET: Final = r"\(\s{0,9}(?:<(?P<angled>[^<>\n]{0,2000})>|(?P<target>(?:[^\s()\\]|\\.|\([^\s()]{0,500}\)){0,2000}))(?P<title>\s[^\n]{0,300}?)?\s{0,9}\)"
_TOKEN: Final = re.compile(
    rf"(?P<code>(?<![`\\])(?P<ticks>`{{1,3}})(?!`)[^`|\n]{{1,{_LONGEST_CODE}}}(?<!`)(?P=ticks)(?!`))"
    rf"|(?P<image>!(?<!\\!)\[(?P<alt>{_LABEL})\]{_TARGET.replace('<angled>', '<image_angled>').replace('<target>', '<image_target>').replace('<title>', '<image_title>')})"
    rf"|(?P<link>(?<!\\)\[(?P<label>{_LABEL})\]{_TARGET})"
    r"|(?P<opening>\](?=[(\[:]))"
    r"|(?P<tag><(?=[A-Za-z/!?]))"
    r"|(?P<address>(?<![\w/.@-])(?:https?|ftp|ftps|ws|wss|file)://[^\s<>\[\]`|\"']{1,2000}|(?<![\w/.@-])www\.[^\s<>\[\]`|\"']{1,2000})",
    re.IGNORECASE,
)
_FENCE: Final = re.compile(r"(?P<fence>`{3,}|~{3,})(?P<info>[^\n|]*)")
_ITEM: Final = re.compile(r"(?P<mark>[-*+]|(?P<number>\d{1,9})[.)])(?P<gap> {1,4})(?=[^\s])")
_NESTED: Final = re.compile(r"[-*+>]|\d{1,9}[.)]")
_RULE: Final = re.compile(r"(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}")
_MAY_HOLD_FENCE: Final = re.compile(r"(?:[\s>]|[-*+]\s|\d{1,9}[.)]\s)*(?:`{3,}[^`]*$|~~~)")
# The end of a text that may become more than it is, the earliest such place counting.
_UNFINISHED: Final = (
    re.compile(r"!$"),
    re.compile(r"<$"),
    re.compile(r"(?:^|(?<=\n)) *[`~]+[^\n]*$"),
    re.compile(r"(?:^|(?<=\n)) +$"),
    re.compile(rf"(?<![`\\])`{{1,3}}(?!`)[^`|\n]{{0,{_LONGEST_CODE}}}`{{0,3}}$"),
    re.compile(rf"(?<!\\)!?(?<!\\)\[{_LABEL}(?:\[[^\[\]\n]{{0,200}}|\]|\\)?$"),
    re.compile(rf"(?<!\\)!?(?<!\\)\[{_LABEL}\]\([^\n]{{0,{_LONGEST_TARGET}}}$"),
    re.compile(r"(?<![\w/.@-])(?:h|ht|htt|https?|https?:|https?:/|f|ft|ftps?|ftps?:|ftps?:/|fi|fil|file|file:|file:/|w|ws|wss?:|wss?:/|ww|www)$", re.IGNORECASE),
    re.compile(r"(?<![\w/.@-])(?:(?:https?|ftps?|wss?|file)://|www\.)[^\s<>\[\]`|\"']{0,2000}$", re.IGNORECASE),
    re.compile(r"\]$"),
)  # fmt: skip
_BEGINNING: Final = re.compile(r"(?<![\w/.@-])(?:(?:https?|ftps?|wss?|file)://|www\.)", re.IGNORECASE)
_TRAILING: Final = re.compile(r"[.,;:!?*_~)]+$")
# One of these is in every whole text that is not shown as it is; citation markers such as [1, 2] are none.
_CHANGED: Final = re.compile(
    r"<|\[(?!\d{1,3}(?:[,;] ?\d{1,3}){0,7}\](?![(\[:]))|\](?=[(\[:])|`|~~~|\r|://|www\.", re.IGNORECASE
)
_SPECIAL: Final = re.compile(r"[<\[\]!`~\\\r]")
_SPECIAL_END: Final = re.compile(
    r"(?:[hfw]|ht|htt|http|https|ft|ftp|fi|fil|file|ww|ws|www|wss|ftps|:|/)$", re.IGNORECASE
)
_LONGEST_END: Final = 6  # of what `_SPECIAL_END` finds, with a line's end


@dataclass(slots=True)
class _Items:
    """The list items that a line is certain to stand in, by where their text begins. Whatever is unsure ends them all."""

    offsets: list[tuple[int, str]] = field(default_factory=list)
    follows_blank: bool = True
    is_known: bool = True  # False: something may be a fence or not; whether a later one opens or ends it is never known

    def take(self, line: str) -> None:
        """A whole line that is no code."""
        text = line.lstrip(" ")
        indent = len(line) - len(text)
        if not text.strip(" "):
            self.follows_blank = True
            return
        if not self.is_known or "\t" in line or _MAY_HOLD_FENCE.match(line):
            self.is_known = False
            return
        before, self.offsets = self.offsets, [each for each in self.offsets if each[0] <= indent]
        item = _ITEM.match(text)
        base = self.offsets[-1][0] if self.offsets else 0
        if item is not None and indent - base <= 3 and not _RULE.fullmatch(text):
            kind = item["mark"][-1]
            sibling = before[len(self.offsets) :][:1]
            begins = self.follows_blank or item["number"] in (None, "1") or (sibling and sibling[0][1] == kind)
            if _NESTED.match(text[item.end() :]):  # several begin in one line
                self.is_known = False
            elif begins:
                self.offsets.append((indent + item.end(), kind))
        self.follows_blank = False

    def holds(self, indent: int) -> int | None:
        """Where the text of the item begins whose fence may stand here; None: it is not certain to be a fence."""
        inside = [0] * (indent == 0) + [offset for offset, _ in self.offsets if offset <= indent]
        return inside[-1] if self.is_known and inside and indent - inside[-1] <= 3 else None


def _is_plain(piece: str) -> bool:
    """Whether nothing in a piece, nor what may follow it, can make it anything but text."""
    return not (
        _SPECIAL.search(piece)
        or _SPECIAL_END.search(piece[-_LONGEST_END:])
        or "://" in piece
        or "www." in piece.lower()
    )


def sanitise(text: str, is_known: IsKnown) -> str:
    """A whole text, made safe to show. `is_known`: whether a link may lead to this address."""
    if not _CHANGED.search(text):
        return text
    safe = SafeMarkdown(is_known)
    return safe.feed(text) + safe.finish()


@dataclass(slots=True)
class SafeMarkdown:
    """Feed it pieces of a text; it returns what may be sent. `removed` counts `image`, `link` and `html`."""

    is_known: IsKnown
    removed: Counter[str] = field(default_factory=Counter)
    _held: str = ""
    _fence: str = ""
    _begins_line: bool = True
    _has_stray_tick: bool = False
    _is_empty_line: bool = True
    _before: str = ""  # the character before what is held
    _line: str = ""  # the beginning of a line of prose that is sent in parts
    _offset: int = 0  # of the list item that the fence stands in
    _items: _Items = field(default_factory=_Items)

    def feed(self, piece: str) -> str:
        if not self._held and not self._fence and _is_plain(piece) and not self._ends_in_indent(piece):
            self._note_line(piece)
            self._note_items(piece)
            return piece
        self._held += piece.replace("\r", " ")  # in Markdown a line ends with it, here with \n only
        return self._drain(is_last=False)

    def _ends_in_indent(self, piece: str) -> bool:
        body = piece.rstrip(" ")
        return body != piece and (body.endswith("\n") or (not body and self._begins_line))

    def finish(self) -> str:
        """What was held back."""
        return self._drain(is_last=True)

    def _drain(self, *, is_last: bool) -> str:
        said: list[str] = []
        while self._held:
            before = len(self._held)
            taken = self._fenced(is_last=is_last) if self._fence or self._begins_line else None
            if taken is None:
                taken = self._prose(is_last=is_last)
            if len(self._held) == before:
                break
            said.append(taken)
        return "".join(said)

    def _note_line(self, raw: str) -> None:
        if not raw:
            return
        self._begins_line = raw.endswith("\n")
        self._before = raw[-1:]
        first, *others = raw.split("\n")
        self._is_empty_line = self._is_empty_line and not first.strip()
        for line in others:
            if self._is_empty_line:  # it ends the paragraph, and what was open in it
                self._has_stray_tick = False
            self._is_empty_line = not line.strip()

    def _note_items(self, raw: str) -> None:
        *lines, rest = (self._line + raw).split("\n")
        for line in lines:
            self._items.take(line)
        self._line = rest[:_LONGEST_LABEL]

    def _cut(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        self._note_line(taken)
        return taken

    # ---- fences

    def _fenced(self, *, is_last: bool) -> str | None:
        """The next line where it opens, continues or ends a fence; `""`: more must come; None: it is no such line."""
        if self._fence and not self._begins_line:
            end = self._held.find("\n") + 1
            return self._cut(end or len(self._held))
        line, newline, _ = self._held.partition("\n")
        mark = line.lstrip(" \t")[:1]
        if not self._fence and line.lstrip(" ")[:1] not in ("`", "~"):
            return None
        if self._offset and line.strip(" ") and not line.startswith(" " * self._offset):
            self._fence, self._offset, self._items.is_known = "", 0, False  # the item has ended, and its fence with it
            return None
        if not newline and not is_last and (not self._fence or not line.strip() or mark == self._fence[0]):
            return ""
        if self._fence:
            bare = line.strip(" \t")
            indent = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip(" ")) - self._offset
            if indent <= 3 and len(bare) >= len(self._fence) and not bare.strip(self._fence[0]):
                self._fence, self._offset = "", 0
            return self._cut(len(line) + len(newline))
        indent = len(line) - len(line.lstrip(" "))
        offset = self._items.holds(indent)
        opened = _FENCE.fullmatch(line.lstrip(" ")) if offset is not None else None
        if opened is None or (opened["fence"][0] == "`" and "`" in opened["info"]) or not newline:
            return None
        assert offset is not None
        self._fence, self._offset = opened["fence"], offset
        self._items.offsets = [each for each in self._items.offsets if each[0] <= offset]
        return self._cut(len(line) + 1)

    # ---- everything else

    def _prose(self, *, is_last: bool) -> str:
        """Up to the end of the line, or as far as it is sure what the text is."""
        end = self._held.find("\n") + 1
        line = self._held[: end or len(self._held)]
        text, begin = self._before + line, len(self._before)
        upto = len(text) if end or is_last else _sure(text, begin)
        said: list[str] = []
        at = begin
        for match in _TOKEN.finditer(text, begin):
            if match.start() >= upto:
                break
            if match.end() > upto:
                upto = match.start()
                break
            said += (self._plain(text[at : match.start()]), self._replaced(match))
            at = match.end()
        said.append(self._plain(text[at:upto]))
        self._note_items(self._cut(upto - begin))
        return "".join(said)

    def _plain(self, text: str) -> str:
        """A backtick without its partner: the next one may be its, lines later, so that nothing is sure to be code."""
        self._has_stray_tick = self._has_stray_tick or "`" in text
        return text

    def _safe(self, text: str) -> str:
        safe = _TOKEN.sub(self._replaced, text)
        self._plain(safe)
        return safe

    def _replaced(self, match: re.Match[str]) -> str:
        kind = match.lastgroup
        if match["code"] is not None:
            if not self._has_stray_tick:
                return match[0]
            ticks = len(match["ticks"])
            return f"{match['ticks']}{self._safe(match[0][ticks:-ticks])}{match['ticks']}"
        if match["image"] is not None:
            self.removed["image"] += 1
            return self._safe(_words(match["alt"]))
        if match["link"] is not None:
            return self._link(match)
        if match["tag"] is not None:
            self.removed["html"] += 1
            return "&lt;"
        if match["opening"] is not None:
            return "] "
        assert kind is not None
        return self._address(match[0])

    def _link(self, match: re.Match[str]) -> str:
        target = match["angled"] if match["angled"] is not None else match["target"]
        label = self._safe(match["label"])
        if _is_web(target) and self.is_known(_read_target(target)):
            return f"[{label}]({target})"
        self.removed["link"] += 1
        return label

    def _address(self, found: str) -> str:
        tail = _TRAILING.search(found)
        address, rest = (found[: tail.start()], tail[0]) if tail else (found, "")
        if len(_BEGINNING.findall(address)) == 1 and self.is_known(html.unescape(address)):
            return found
        self.removed["link"] += 1
        return _BEGINNING.sub(_disarmed, address) + rest


def _disarmed(beginning: re.Match[str]) -> str:
    """`hxxps://` for `https://`: readable, and nothing that a program makes a link of."""
    scheme = beginning[0].lower().removesuffix("://")
    if scheme == "www.":
        return "hxxp://www."
    return f"{scheme.replace('http', 'hxxp') if scheme.startswith('http') else f'x-{scheme}'}://"


def _sure(text: str, begin: int) -> int:
    """How far it is sure what an unfinished line is that begins at `begin`."""
    found = (pattern.search(text, begin) for pattern in _UNFINISHED)
    return min((match.start() for match in found if match), default=len(text))


def _words(alt: str) -> str:
    return " ".join(alt.split())


def _read_target(target: str) -> str:
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", target)).strip()


def _is_web(target: str) -> bool:
    """Whether it is the plain address of a web page: what needs decoding to be one is none."""
    return re.fullmatch(r"https?://[^\s<>\"'`\\\x00-\x20]+", target, re.IGNORECASE) is not None


# ---- which addresses are known

_ANY_ADDRESS: Final = re.compile(r"(?:https?://|www\.)[^\s<>\[\]`|\"']+", re.IGNORECASE)


class KnownAddresses:
    """Addresses whose host occurs in the texts of the sources, or was allowed.

    What follows `?` or `#` must stand in a source too, as it is: that is where a made-up address would carry words away.
    An allowed host also allows its subdomains, with anything behind it.
    """

    def __init__(self, sources: Callable[[], Iterable[str]], allowed_hosts: Iterable[str] = ()) -> None:
        """`sources` are read when the first link is seen: most answers have none."""
        self._sources = sources
        self._allowed = tuple(host.lower() for host in allowed_hosts)
        self._addresses: frozenset[str] | None = None
        self._hosts: frozenset[str] = frozenset()

    def __call__(self, address: str) -> bool:
        host = _host_of(address)
        if not host:
            return False
        if any(host == allowed or host.endswith(f".{allowed}") for allowed in self._allowed):
            return True
        if self._addresses is None:
            found = [
                _TRAILING.sub("", html.unescape(match[0]))
                for source in self._sources()
                for match in _ANY_ADDRESS.finditer(source)
            ]
            self._addresses, self._hosts = frozenset(found), frozenset(filter(None, map(_host_of, found)))
        if host not in self._hosts:
            return False
        return address in self._addresses or not re.search("[?#@]", address)


def _host_of(address: str) -> str:
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        return (parts.hostname or "").removeprefix("www.").rstrip(".").lower()
    except ValueError:
        return ""
