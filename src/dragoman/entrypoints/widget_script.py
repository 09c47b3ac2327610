"""`/widget.js`: the one file that web sites include. It is built with the web application, from `web/widget/`.

`/widget-preview` is the page in which the administration shows it, with a look that is not saved yet.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from dragoman.entrypoints.built_files import BuiltFile
from dragoman.entrypoints.web import FOLDER

router = APIRouter()

FILE: Final = FOLDER / "widget.js"
_HEADERS: Final = {
    "Cache-Control": "public, max-age=300",  # no hash in its name: a new version is everywhere within five minutes
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_PREVIEW: Final = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Widget</title>
  </head>
  <body><script src="/widget.js" data-preview></script></body>
</html>
"""
_PREVIEW_HEADERS: Final = {
    "Cache-Control": "no-cache",
    # Only pages of this server may frame it, and it can ask nobody: `default-src` holds for connections too.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}


@router.get("/widget.js", include_in_schema=False)
async def widget_script(request: Request) -> Response:
    """The widget. Raises WebNotBuiltError."""
    return BuiltFile(FILE).answer(request, _HEADERS)


@router.get("/widget-preview", include_in_schema=False)
async def widget_preview() -> Response:
    """A page with nothing but the widget, which shows what the page around it says."""
    return HTMLResponse(_PREVIEW, headers=_PREVIEW_HEADERS)
