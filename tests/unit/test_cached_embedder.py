"""The embedder of the benchmarks that keeps vectors in a file."""

from __future__ import annotations

from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import numpy as np
import pytest
from benchmarks import cached_embedder
from benchmarks.cached_embedder import Adapter, Settings

from dragoman.adapters.embedder import hashing
from dragoman.ports.embedder import Vectors


async def test_a_vector_is_the_same_after_a_restart_and_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["How do I pay?", "By card.", "How do I pay?"]
    first = Adapter(Settings(folder=tmp_path, adapter="hashing"))
    computed = await first.embed_passages(texts)
    await first.close()

    async def refuse(_self: object, _texts: object) -> Vectors:
        pytest.fail("it was computed again")

    monkeypatch.setattr(hashing.Adapter, "embed_passages", refuse)
    second = Adapter(Settings(folder=tmp_path, adapter="hashing"))
    kept = await second.embed_passages(texts)
    await second.close()
    np.testing.assert_array_equal(kept, computed)
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept[0], kept[2])


async def test_a_question_is_not_taken_for_a_passage_of_the_same_words(tmp_path: Path) -> None:
    adapter = Adapter(Settings(folder=tmp_path, adapter="hashing"))
    assert adapter._key("pay", is_query=True) != adapter._key("pay", is_query=False)
    assert (await adapter.embed_queries([])).shape == (0, adapter.profile.dimensions)
    await adapter.close()


def test_the_written_entry_point_names_the_adapter(tmp_path: Path) -> None:
    environment = cached_embedder.on_path(tmp_path)
    assert environment["PYTHONPATH"].startswith(str(tmp_path))
    [named] = [point for found in distributions(path=[str(tmp_path)]) for point in found.entry_points]
    assert named == EntryPoint("cached", "benchmarks.cached_embedder", "dragoman.adapters.embedder")
    assert named.load() is cached_embedder
