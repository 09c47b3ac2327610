"""`/widget.js`: the one file that web sites include. It is built with the web application, from `web/widget/`."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from dragoman.entrypoints.web import FOLDER
from dragoman.kit.errors import NotFoundError

router = APIRouter()

FILE: Final = FOLDER / "widget.js"
_HEADERS: Final = {
    "Cache-Control": "public, max-age=300",  # no hash in its name: a new version is everywhere within five minutes
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Encoding",
}


class WidgetNotBuiltError(NotFoundError):
    """The web application of this installation is not built. `make web` builds it, and the widget with it."""

    code = "operations.widget_not_built"


@router.get("/widget.js", include_in_schema=False)
async def widget_script(request: Request) -> Response:
    """The widget. Raises WidgetNotBuiltError."""
    script = await asyncio.to_thread(_script, FILE)
    coding = _coding_of(request.headers.get("accept-encoding", ""))
    tag = f'"{script.digest}{"-gz" if coding else ""}"'
    headers = {**_HEADERS, "ETag": tag}
    if tag in _tags_of(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if coding:
        headers["Content-Encoding"] = coding
    return Response(
        script.compressed if coding else script.content, media_type="text/javascript; charset=utf-8", headers=headers
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    content: bytes
    compressed: bytes
    digest: str


def _script(file: Path) -> _Script:
    """As it is now. Raises WidgetNotBuiltError."""
    try:
        state = file.stat()
    except FileNotFoundError as error:
        raise WidgetNotBuiltError from error
    return _read(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _read(file: Path, _changed_ns: int, _bytes: int) -> _Script:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:32]
    return _Script(content=content, compressed=gzip.compress(content, mtime=0), digest=digest)


def _coding_of(accepted: str) -> str:
    """`gzip` where the client takes it, else nothing."""
    for each in accepted.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() == "gzip":
            return "" if weight.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") else "gzip"
    return ""


def _tags_of(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
