"""Places on a page as the HTTP API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.ingestion.pages.service import PageToView
from dragoman.ports.extractor import PagePlace

_WAY = "From the upper left corner of the page as it is shown, 0 to 1."


class PlaceOut(BaseModel):
    left: float = Field(description=_WAY)
    top: float = Field(description=_WAY)
    width: float = Field(description="Share of the page's width.")
    height: float = Field(description="Share of the page's height.")


class PagePlacesOut(BaseModel):
    document_id: UUID
    page_number: int
    version: int = Field(description="The version that was looked at.")
    places: list[PlaceOut] = Field(
        description="A rectangle for each line; none where the text is not found, as in scans."
    )

    @classmethod
    def of(cls, viewed: PageToView, found: Sequence[PagePlace]) -> PagePlacesOut:
        places = [PlaceOut(left=place.left, top=place.top, width=place.width, height=place.height) for place in found]
        return cls(
            document_id=viewed.version.document_id,
            page_number=viewed.number,
            version=viewed.version.number,
            places=places,
        )
