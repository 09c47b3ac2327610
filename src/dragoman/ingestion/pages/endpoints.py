"""HTTP: pages as pictures, and where on them a text stands."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Response

from dragoman.deps.http import DepsDep
from dragoman.ingestion.pages import service
from dragoman.ingestion.pages.schemas import PagePlacesOut
from dragoman.tenancy import audit
from dragoman.tenancy.http import CallerWhoReadsDocuments

router = APIRouter()

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    # It may be kept, and is asked for each time whether it may still be seen: what is deleted is gone.
    "Cache-Control": "private, no-cache",
}
_PageNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get(
    "/api/chatbot/documents/{document_id}/pages/{page_number}/image/",
    tags=["documents"],
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}, "description": "The page."},
        304: {"description": "It is the one that `If-None-Match` names."},
    },
)
async def get_page_picture(
    document_id: UUID,
    page_number: _PageNumber,
    caller: CallerWhoReadsDocuments,
    deps: DepsDep,
    width: Annotated[int, Query(ge=200, le=2000, description="In pixels; pictures are not made larger.")] = 1000,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Show a page of a PDF or a picture as it looks, as PNG; other documents have no page pictures."""
    viewed = await service.get_page(deps, caller, document_id, page_number)
    audit.note_access(deps.database, caller, "page_picture", subject_id=document_id, page=page_number)
    headers = {**_HEADERS, "ETag": viewed.etag(width)}
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    picture = await service.draw(deps, viewed, width=width)
    return Response(picture, media_type="image/png", headers={**headers, "Content-Disposition": "inline"})


@router.get("/api/chatbot/documents/{document_id}/pages/{page_number}/places/", tags=["documents"])
async def find_page_places(
    document_id: UUID,
    page_number: _PageNumber,
    caller: CallerWhoReadsDocuments,
    deps: DepsDep,
    text: Annotated[str, Query(min_length=1, max_length=4000, description="As quoted: the `excerpt` of a source.")],
    at: Annotated[
        int | None,
        Query(
            ge=0,
            le=2**31 - 1,
            description="Where it begins in the whole text, the `document_start` of a source: of several places the "
            "nearest one is shown.",
        ),
    ] = None,
) -> PagePlacesOut:
    """Find the rectangles on the picture of a page where a quoted text stands."""
    viewed = await service.get_page(deps, caller, document_id, page_number)
    audit.note_access(deps.database, caller, "page_places", subject_id=document_id, page=page_number)
    return PagePlacesOut.of(viewed, await service.find(deps, viewed, text=text, at=at))
