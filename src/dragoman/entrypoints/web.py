"""The web application: its pages and files, as `make web` built them into this package, under `/`."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from dragoman.kit.errors import DragomanError

FOLDER: Final = Path(__file__).resolve().parents[1] / "web"
PAGES: Final = ("", "sign-in", "set-password", "chat", "documents", "search", "insights", "admin", "account")
"""The first words of the addresses of its pages; the application itself leads on from there."""

# Everything comes from files of our own: no inline script or style runs, whatever a document, a question or a model says.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_PAGE_HEADERS: Final = {
    "Cache-Control": "no-cache",  # it names the files of one build: a new one is noticed at once
    "Content-Security-Policy": _POLICY,
    # The API accepts a cookie for a change only if the browser says where the page comes from (`tenancy/cookies.py`).
    "Referrer-Policy": "same-origin",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"  # the names of assets hold hashes of what is in them
_A_WHILE: Final = "public, max-age=3600"
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))


class WebNotBuiltError(DragomanError):
    """This server has no web application: it was not built. Run `make web`, or use the API: /docs describes it."""

    code, status = "web.not_built", 404


class NoSuchFileError(DragomanError):
    """The web application has no such file. After an update of the server, load the page again."""

    code, status = "web.no_such_file", 404


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: Path
    media_type: str
    compressed: Mapping[str, Path]

    @classmethod
    def at(cls, path: Path) -> _File:
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        beside = {name: path.with_name(path.name + suffix) for name, suffix in _ENCODINGS}
        return cls(
            path=path, media_type=media_type, compressed={name: file for name, file in beside.items() if file.is_file()}
        )

    def answer(self, request: Request, headers: Mapping[str, str]) -> Response:
        """The smallest of what the browser understands, as the build wrote it."""
        accepted = {part.split(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")}
        encoding = next((name for name in self.compressed if name in accepted), None)
        content = (self.compressed[encoding] if encoding else self.path).read_bytes()
        coded = {"Content-Encoding": encoding} if encoding else {}
        return Response(content, media_type=self.media_type, headers={**headers, **coded, "Vary": "Accept-Encoding"})


def web_router(folder: Path = FOLDER) -> APIRouter:
    """Serves the pages and files of the build in `folder`. Files are those that are there now: no path is made from a request."""
    router = APIRouter(include_in_schema=False)
    index = folder / "index.html"
    files = {
        path.relative_to(folder).as_posix(): _File.at(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".br", ".gz", ".json") and path.name not in ("index.html", "widget.js")
    }
    page = _File.at(index) if index.is_file() else None

    async def show_page(request: Request) -> Response:
        if page is None:
            raise WebNotBuiltError
        return page.answer(request, _PAGE_HEADERS)

    async def show_asset(request: Request, name: str) -> Response:
        file = files.get(f"assets/{name}")
        if file is None:
            raise NoSuchFileError
        return file.answer(request, {"Cache-Control": _FOR_EVER})

    def show_file(name: str) -> None:
        async def show(request: Request) -> Response:
            return files[name].answer(request, {"Cache-Control": _A_WHILE})

        router.add_api_route(f"/{name}", show, name=f"web_file_{name}")

    for first in PAGES:
        if page is None and first == "set-password":
            continue  # a plain form stands in for it: `accounts/pages`
        router.add_api_route(f"/{first}", show_page, methods=["GET", "HEAD"], name=f"web_{first or 'start'}")
        if first:
            router.add_api_route(f"/{first}/{{rest:path}}", show_page, methods=["GET", "HEAD"], name=f"web_below_{first}")
    router.add_api_route("/assets/{name}", show_asset, methods=["GET", "HEAD"], name="web_asset")
    for name in files:
        if "/" not in name:
            show_file(name)
    return router
