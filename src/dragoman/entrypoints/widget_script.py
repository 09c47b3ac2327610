"""`/widget.js`: the one file that web sites include. It is built with the web application, from `web/widget/`."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from dragoman.entrypoints.built_files import BuiltFile
from dragoman.entrypoints.web import FOLDER

router = APIRouter()

FILE: Final = FOLDER / "widget.js"
_HEADERS: Final = {
    "Cache-Control": "public, max-age=300",  # no hash in its name: a new version is everywhere within five minutes
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@router.get("/widget.js", include_in_schema=False)
async def widget_script(request: Request) -> Response:
    """The widget. Raises WebNotBuiltError."""
    return BuiltFile(FILE).answer(request, _HEADERS)
