"""The synchronous client is what the asynchronous one makes: one source, two colours."""

from __future__ import annotations

import asyncio
import inspect

import pytest

import dragoman.client
from dragoman.client import Dragoman, FileContent, SyncDragoman, twin


def test_the_synchronous_client_is_fresh() -> None:
    made = {name: twin.tidy(name, text) for name, text in twin.make().items()}
    there = {path.name: path.read_text(encoding="utf-8") for path in twin.FOLDER.glob("*.py")}
    stale = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    assert not stale, "the synchronous client is stale: run `make fix`"


def test_both_clients_have_the_same_parts_with_the_same_methods() -> None:
    """Whatever can be done with one can be done with the other, with the same arguments."""
    both = Dragoman("http://x", "dgm_x"), SyncDragoman("http://x", "dgm_x")
    parts = [vars(client).keys() for client in both]
    assert parts[0] == parts[1]
    compared = 0
    for part in ["", *(name for name in parts[0] if not name.startswith("_"))]:
        one, other = (getattr(client, part) if part else client for client in both)
        for name, method in inspect.getmembers(one, callable):
            if not name.startswith("_"):
                assert (
                    inspect.signature(method).parameters.keys()
                    == inspect.signature(getattr(other, name)).parameters.keys()
                )
                assert not inspect.iscoroutinefunction(getattr(other, name))
                compared += 1
    both[1].close()
    asyncio.run(both[0].close())
    assert compared > 60


def test_values_are_shared() -> None:
    from dragoman.client.sync import documents

    assert documents.FileContent is FileContent


def test_what_has_no_counterpart_is_noticed() -> None:
    source = "import asyncio\n\nasync def f() -> None:\n    await asyncio.gather()\n"
    with pytest.raises(twin.NotSynchronousError, match=r"asyncio\.gather"):
        twin._twin("odd", {"odd": source}, {"odd"})


def test_all_that_is_public_is_exported() -> None:
    assert "SyncDragoman" in dragoman.client.__all__
    assert all(hasattr(dragoman.client, name) for name in dragoman.client.__all__)
