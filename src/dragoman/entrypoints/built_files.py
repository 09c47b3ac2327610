"""Files that `make web` built into this package: sent in the smallest coding that the client takes, as the build wrote it."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import Request, Response

from dragoman.kit.errors import NotFoundError

_CODINGS: Final = (("br", ".br"), ("gzip", ".gz"))  # the smallest first, with what the build adds to the file's name
COMPRESSED: Final = tuple(suffix for _, suffix in _CODINGS)


class WebNotBuiltError(NotFoundError):
    """This server has no web application and no widget: they were not built. Run `make web`, or use the API: /docs describes it."""

    code = "web.not_built"


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A file of the build, with its compressed forms beside it. Each request sees it as it is then."""

    path: Path

    def answer(self, request: Request, headers: Mapping[str, str]) -> Response:
        """The file, or 304 to who has it. Raises WebNotBuiltError."""
        coding, content, tag = self._smallest(_codings_of(request.headers.get("accept-encoding", "")))
        sent = {**headers, "ETag": tag, "Vary": "Accept-Encoding"}
        if tag in _tags_of(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=sent)
        if coding:
            sent["Content-Encoding"] = coding
        media_type = mimetypes.guess_type(self.path.name)[0] or "application/octet-stream"
        return Response(content, media_type=media_type, headers=sent)

    def _smallest(self, accepted: frozenset[str]) -> tuple[str, bytes, str]:
        """Coding (empty: none), content and entity tag."""
        for coding, suffix in _CODINGS:
            if coding in accepted:
                try:
                    return coding, *_read(self.path.with_name(self.path.name + suffix))
                except FileNotFoundError:
                    continue
        try:
            return "", *_read(self.path)
        except FileNotFoundError as error:
            raise WebNotBuiltError from error


def _read(path: Path) -> tuple[bytes, str]:
    """Content and entity tag. Raises FileNotFoundError."""
    state = path.stat()
    return _read_once(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=512)  # a build has some 400 files in three forms, 4 MiB in all; a browser takes one form
def _read_once(path: Path, _changed_ns: int, _bytes: int) -> tuple[bytes, str]:
    content = path.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _codings_of(header: str) -> frozenset[str]:
    """What the client takes by name (RFC 9110, 12.5.3)."""
    parts = (part.lower().replace(" ", "").partition(";") for part in header.split(","))
    return frozenset(coding for coding, _, weight in parts if not _is_zero(weight))


def _is_zero(weight: str) -> bool:
    return weight.startswith("q=0") and not weight.removeprefix("q=0").strip(".0")


def _tags_of(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
