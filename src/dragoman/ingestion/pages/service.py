"""Pictures of pages, and where a quoted text stands on them: made in the sandboxed process, remembered for a while.

A version never changes, so what is made of one is good as long as it is read; who may see it is asked each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_json

from dragoman.deps import Deps
from dragoman.ingestion.errors import ExtractionTimeoutError
from dragoman.ingestion.local_copy import local_copy
from dragoman.kit.cache import cache_key
from dragoman.kit.text.letters import letters_of
from dragoman.knowledge import service as knowledge
from dragoman.knowledge.entities import DocumentVersion, StoredPage
from dragoman.ports.extractor import PagePlace
from dragoman.tenancy.entities import Caller

_LONGEST_S: Final = 60.0  # with the wait for a free process; a page is drawn in 0.1 s, a map in some seconds
_PLACES: Final = TypeAdapter(list[PagePlace])


@dataclass(frozen=True, slots=True, kw_only=True)
class PageToView:
    """A page that the caller may see, and the version whose original shows it."""

    version: DocumentVersion
    page: StoredPage
    number: int

    def etag(self, *parts: object) -> str:
        """Names what is shown of the page: the same text for the same bytes."""
        return f'"{cache_key(self.version.id.bytes, str(self.number), *map(str, parts)).hex()[:32]}"'


async def get_page(deps: Deps, caller: Caller, document_id: UUID, number: int) -> PageToView:
    """Raises DocumentNotFoundError, PageNotFoundError, NoPagePictureError, PagePictureForbiddenError."""
    version, page = await knowledge.get_page_to_picture(deps, caller, document_id, number)
    return PageToView(version=version, page=page, number=number)


async def draw(deps: Deps, viewed: PageToView, *, width: int) -> bytes:
    """The page as PNG.

    Raises:
        ExtractionError and its kinds, ReaderUnavailableError, NoSpaceToReadError.
    """

    async def drawn() -> tuple[bytes, bool]:
        async with _original(deps, viewed.version) as path:
            picture = await deps.sandbox.show_page(
                path,
                mime_type=viewed.version.mime_type,
                file_name=path.name,
                number=viewed.number,
                width=width,
            )
        return picture, True

    picture, _ = await deps.page_views.get(_key(viewed, "picture", str(width)), drawn)
    return picture


async def find(deps: Deps, viewed: PageToView, *, text: str, at: int | None) -> Sequence[PagePlace]:
    """Where the text stands on the page, a rectangle for each line; none where it cannot be found. Raises as `draw`.

    Args:
        at: where the text begins in the whole text of the document, as citations say it.
    """
    near = None if at is None else len(letters_of(viewed.page.text[: max(0, at - viewed.page.start_offset)]))

    async def found() -> tuple[bytes, bool]:
        async with _original(deps, viewed.version) as path:
            places = await deps.sandbox.find_on_page(
                path,
                mime_type=viewed.version.mime_type,
                file_name=path.name,
                number=viewed.number,
                text=text,
                near=near,
            )
        return to_json(places), True

    encoded, _ = await deps.page_views.get(_key(viewed, "places", text, str(near)), found)
    return _PLACES.validate_json(encoded)


def _key(viewed: PageToView, *parts: str) -> bytes:
    return cache_key(viewed.version.id.bytes, str(viewed.number), *parts)


@asynccontextmanager
async def _original(deps: Deps, version: DocumentVersion) -> AsyncIterator[Path]:
    try:
        async with asyncio.timeout(_LONGEST_S), local_copy(deps, version.blob_key) as path:
            yield path
    except TimeoutError as error:
        raise ExtractionTimeoutError(
            "Showing this page took too long and was stopped. Try again, or download the document."
        ) from error
