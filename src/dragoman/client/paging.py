"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from dragoman.client.transport import Transport

_PAGE_ITEMS = 200


async def pages(
    transport: Transport, path: str, field: str, params: Mapping[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """All items of a list, fetched page by page as they are consumed."""
    offset = 0
    while True:
        page = await transport.request("GET", path, params={**params, "limit": _PAGE_ITEMS, "offset": offset})
        for item in page[field]:
            yield item
        offset += len(page[field])
        if not page[field] or offset >= page["total"]:
            return


async def count(transport: Transport, path: str, params: Mapping[str, Any]) -> int:
    """How many items a list has."""
    page = await transport.request("GET", path, params={**params, "limit": 1})
    return int(page["total"])
