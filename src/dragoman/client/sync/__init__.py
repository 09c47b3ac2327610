"""The synchronous client, made from the asynchronous one by `dragoman.client.twin`."""

from __future__ import annotations

from dragoman.client.sync.api import SyncDragoman

__all__ = ["SyncDragoman"]
