# Made from client/paging.py by `python -m dragoman.client.twin`. Change that one.
"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dragoman.client.sync.transport import Transport

_PAGE_ITEMS = 200


def pages(transport: Transport, path: str, field: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All items of a list, fetched page by page as they are consumed."""
    offset = 0
    while True:
        page = transport.request("GET", path, params={**params, "limit": _PAGE_ITEMS, "offset": offset})
        for item in page[field]:
            yield item
        offset += len(page[field])
        if not page[field] or offset >= page["total"]:
            return


def count(transport: Transport, path: str, params: Mapping[str, Any]) -> int:
    """How many items a list has."""
    page = transport.request("GET", path, params={**params, "limit": 1})
    return int(page["total"])
