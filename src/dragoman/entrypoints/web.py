"""The web application: its pages and files, as `make web` built them into this package, under `/`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from dragoman.entrypoints.built_files import COMPRESSED, BuiltFile
from dragoman.kit.errors import DragomanError

FOLDER: Final = Path(__file__).resolve().parents[1] / "web"
PAGES: Final = ("", "sign-in", "set-password", "chat", "documents", "search", "insights", "admin", "account")
"""The first words of the addresses of its pages; the application itself leads on from there."""

# Everything comes from files of our own: no inline script or style runs, whatever a document, a question or a model says.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_PAGE_HEADERS: Final = {
    "Cache-Control": "no-cache",  # it names the files of one build: a new one is noticed at once
    "Content-Security-Policy": _POLICY,
    # The API accepts a cookie for a change only if the browser says where the page comes from (`tenancy/cookies.py`).
    "Referrer-Policy": "same-origin",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"  # the names of assets hold hashes of what is in them
_A_WHILE: Final = "public, max-age=3600"


class NoSuchFileError(DragomanError):
    """The web application has no such file. After an update of the server, load the page again."""

    code, status = "web.no_such_file", 404


def web_router(folder: Path | None = None) -> APIRouter:
    """Serves the pages and files of the build in `folder`, or in this package.

    Files are those that are there now: no path is made from a request.
    """
    folder = folder or FOLDER
    router = APIRouter(include_in_schema=False)
    index = folder / "index.html"
    files = {
        path.relative_to(folder).as_posix(): BuiltFile(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (*COMPRESSED, ".json") and path.name not in ("index.html", "widget.js")
    }
    page = BuiltFile(index)

    async def show_page(request: Request) -> Response:
        return page.answer(request, _PAGE_HEADERS)

    async def show_asset(request: Request, name: str) -> Response:
        file = files.get(f"assets/{name}")
        if file is None or not file.path.is_file():  # of an earlier build
            raise NoSuchFileError
        return file.answer(request, {"Cache-Control": _FOR_EVER})

    def show_file(name: str) -> None:
        async def show(request: Request) -> Response:
            return files[name].answer(request, {"Cache-Control": _A_WHILE})

        router.add_api_route(f"/{name}", show, name=f"web_file_{name}")

    for first in PAGES:
        if not index.is_file() and first == "set-password":
            continue  # a plain form stands in for it: `accounts/pages`
        router.add_api_route(f"/{first}", show_page, methods=["GET", "HEAD"], name=f"web_{first or 'start'}")
        if first:
            router.add_api_route(
                f"/{first}/{{rest:path}}", show_page, methods=["GET", "HEAD"], name=f"web_below_{first}"
            )
    router.add_api_route("/assets/{name}", show_asset, methods=["GET", "HEAD"], name="web_asset")
    for name in files:
        if "/" not in name:
            show_file(name)
    return router
