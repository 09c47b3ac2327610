"""Makes the Markdown of kreuzberg plain: what a reader sees of it, and the tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

LONGEST_CELL: Final = 600  # a longer one holds prose: the table is there for the layout

_FENCE: Final = re.compile(r"^\s*(?:```|~~~)")
_SEPARATOR: Final = re.compile(r"^\|(?:\s*:?-+:?\s*\|)+\s*$")
_IMAGE: Final = re.compile(r"!\[([^\]]*)\]\(((?:[^()\s]|\([^()]*\))*)(?:\s+\"[^\"]*\")?\)")
_LINK: Final = re.compile(
    r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(((?:[^()\s]|\([^()]*\))*)(?:\s+\"(?:[^\"\\]|\\.)*\")?\)"
)
_EMPTY_ITEM: Final = re.compile(r"^\s*[-*]\s*$")
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_ENTITY: Final = re.compile(r"&#(\d{1,6});")
_INLINE_TAG: Final = re.compile(r"</?(?:u|sub|sup|span|b|i|em|strong|br|small|mark)\s*/?>", re.IGNORECASE)
_HIGHLIGHT: Final = re.compile(r"==(?=\S)([^=\n]+)(?<=\S)==")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_ADDRESS: Final = re.compile(r"^(?:mailto|tel):([^?]+)", re.IGNORECASE)


def tidy(markdown: str, *, keep_links: bool) -> str:
    """Markdown without padding, escapes, comments, foreign pictures and link targets."""
    lines = _COMMENT.sub("", markdown.replace("\r\n", "\n")).split("\n")
    text = "\n".join(_tidy_lines(lines, keep_links))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _tidy_lines(lines: Sequence[str], keep_links: bool) -> Iterator[str]:
    fenced = False
    table: list[str] = []
    for line in [*lines, ""]:
        if not fenced and line.startswith("|"):
            table.append(_plain_line(line, keep_links, in_table=True))
            continue
        yield from _tidy_table(table)
        table = []
        if _FENCE.match(line):
            fenced = not fenced
            yield line
        else:
            yield line if fenced else _plain_line(line, keep_links, in_table=False)


def _plain_line(line: str, keep_links: bool, *, in_table: bool) -> str:
    def link(found: re.Match[str]) -> str:
        text, target = found[1].strip(), found[2]
        address = _ADDRESS.match(target)
        shown = address[1] if address else target if keep_links and target.startswith("http") else ""
        return f"{text} ({shown})" if shown and shown not in text else text

    def escape(found: re.Match[str]) -> str:
        kept = (in_table and found[1] == "|") or (found[1] == "#" and not line[: found.start()].strip())
        return found[0] if kept else found[1]

    line = _EMPTY_ITEM.sub("", _IMAGE.sub(lambda found: found[0] if found[2].startswith("image:") else found[1], line))
    line = _LINK.sub(link, line)
    line = _ENTITY.sub(lambda found: chr(int(found[1])) if int(found[1]) <= 0x10FFFF else "", line)
    line = _HIGHLIGHT.sub(r"\1", line).replace("~~", "")
    return _INLINE_TAG.sub("", _ESCAPE.sub(escape, line)).rstrip()


def _tidy_table(rows: Sequence[str]) -> Iterator[str]:
    """Removes the padding of cells; a table of one column or with prose in its cells becomes paragraphs."""
    if not rows:
        return
    cells = [[" ".join(cell.split()) for cell in re.split(r"(?<!\\)\|", row.strip())[1:-1]] for row in rows]
    body = [row for row, line in zip(cells, rows, strict=True) if not _SEPARATOR.match(line)]
    if max(map(len, body), default=0) <= 1 or any(len(cell) > LONGEST_CELL for row in body for cell in row):
        for row in body:
            yield from (part for cell in row if cell for part in ("", cell.replace("\\|", "|")))
        yield ""
        return
    for row, line in zip(cells, rows, strict=True):
        yield "| " + " | ".join("---" for _ in row) + " |" if _SEPARATOR.match(line) else "| " + " | ".join(row) + " |"
