"""Plain text and Markdown in any encoding."""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.kit.threads import run_by_length
from dragoman.ports.extractor import ExtractedDocument, ExtractedPage, ExtractionError

MIME_TYPES: Final = frozenset({"text/plain", "text/markdown"})

_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\n(?P<fields>(?:[^\n]*\n){0,60}?)(?:---|\.\.\.)[ \t]*\n")
_FRONT_MATTER_TITLE: Final = re.compile(r"^title:[ \t]*['\"]?(?P<title>[^\n]*?)['\"]?[ \t]*$", re.MULTILINE)
_FIRST_HEADING: Final = re.compile(r"^#[ \t]+(?P<title>[^\n]+?)[ \t#]*$", re.MULTILINE)
_BRACKETED: Final = re.compile(r"\s*(?:【[^】\n]{1,60}】|[■◆●▼□◇§][^\S\n]*\S[^\n]{0,60})\s*")
_NUMBERED: Final = re.compile(r"\s*(?:\d{1,2}\.)+\d{0,2}\s+(?=\S)")


class Settings(BaseModel):
    """No choice is needed for most uses."""

    model_config = ConfigDict(extra="forbid")

    detect_headings: bool = Field(
        default=True, description="Whether lines in capitals and bracketed lines of a plain text become headings."
    )


class Adapter:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def mime_types(self) -> frozenset[str]:
        return MIME_TYPES

    async def extract(
        self,
        content: bytes,
        *,
        mime_type: str,
        file_name: str,
        with_images: bool = False,  # noqa: ARG002 - text holds no pictures
    ) -> ExtractedDocument:
        return await run_by_length(len(content), self._extract, content, mime_type, file_name)

    def _extract(self, content: bytes, mime_type: str, file_name: str) -> ExtractedDocument:
        try:
            decoded = decode_text(content)
        except BinaryContentError as error:
            raise ExtractionError(f"{file_name} holds binary data, not text.", file_name=file_name) from error
        text = decoded.text.replace("\r\n", "\n").replace("\r", "\n")
        title = None
        if mime_type == "text/markdown":
            text, title = _without_front_matter(text)
        elif self._settings.detect_headings:
            text = _with_headings(text)
        page = ExtractedPage(number=None, markdown=text)
        return ExtractedDocument(
            pages=[page], title=title or _first_heading(text), metadata={"encoding": decoded.encoding}
        )


def _without_front_matter(text: str) -> tuple[str, str | None]:
    block = _FRONT_MATTER.match(text)
    if not block:
        return text, None
    title = _FRONT_MATTER_TITLE.search(block["fields"])
    return text[block.end() :], title["title"].strip() or None if title else None


def _first_heading(text: str) -> str | None:
    """The top heading, where it stands before any other text (a later one names a part, not the whole)."""
    found = _FIRST_HEADING.search(text)
    return found["title"].strip() if found and not text[: found.start()].strip() else None


def _with_headings(text: str) -> str:
    """Marks what a reader of plain text takes for a heading: the first line is the title, the others its sections."""
    lines = text.split("\n")
    marked = list(lines)
    opened = False
    last = max((at for at, line in enumerate(lines) if line.strip()), default=0)
    for at, line in enumerate(lines):
        before = lines[at - 1] if at else ""
        after = lines[at + 1] if at + 1 < len(lines) else ""
        if (
            line.strip()
            and not before.strip()
            and (_looks_like_heading(line, after) or (not opened and at < last and _looks_like_title(line, after)))
        ):
            marked[at] = f"{'##' if opened else '#'} {line.strip()}"
        opened = opened or bool(line.strip())
    return "\n".join(marked)


def _looks_like_title(line: str, after: str) -> bool:
    """A short first line that stands alone and is no sentence."""
    alone = not after.strip() and 3 <= len(line.strip()) <= 80
    return alone and line.strip()[-1].isalnum() and not line.lstrip().startswith(("#", "|", ">", "-", "*", "{", "["))


def _looks_like_heading(line: str, after: str) -> bool:
    if line.lstrip().startswith(("#", "|", ">", "```")):
        return False
    if _BRACKETED.fullmatch(line):
        return True
    words = _NUMBERED.sub("", line).strip()
    letters = sum(map(str.isalpha, words))
    in_capitals = words.isupper() and letters >= 3 and len(words) <= 80 and not words.endswith((".", ",", ";", ":"))
    return in_capitals and not (after.strip() and after.strip().isupper())
