"""What the embedder `sentence_transformers` makes of a model's own words about itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contract.sentence_model import build_sentence_model

from dragoman.kit import registry
from dragoman.ports.embedder import EmbedderRejectedError

pytest.importorskip("sentence_transformers", reason="needs the extra `train`")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sentence_model(tmp_path_factory.mktemp("model"))


def _create(model: Path | str, **settings: Any) -> Any:
    return registry.create("embedder", "sentence_transformers", {"model": str(model), **settings})


async def test_the_profile_says_what_the_model_is(folder: Path) -> None:
    adapter = _create(folder)
    assert (adapter.profile.dimensions, adapter.profile.max_tokens) == (32, 64)
    name, _, digest = adapter.profile.model.partition("@")
    assert name == "tiny"
    assert len(digest) == 12
    await adapter.close()


async def test_other_weights_in_the_same_folder_are_another_model(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "tiny")
    before = _create(copy).profile.model
    weights = next(copy.rglob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert _create(copy).profile.model != before


async def test_a_family_by_its_name_gets_its_prefixes_and_its_calibration(folder: Path, tmp_path: Path) -> None:
    e5 = _create(shutil.copytree(folder, tmp_path / "my-e5-small"))
    plain = _create(folder, query_prefix="query: ", passage_prefix="passage: ")
    bare = _create(folder)
    query = await e5.embed_queries(["warranty"])
    assert np.allclose(query, await plain.embed_queries(["warranty"]), atol=1e-6)
    assert np.allclose(await e5.embed_passages(["policy"]), await plain.embed_passages(["policy"]), atol=1e-6)
    assert not np.allclose(query, await bare.embed_queries(["warranty"]), atol=1e-3)
    assert e5.profile.calibration.midpoint > 0.8
    assert bare.profile.calibration.midpoint == 0.5


async def test_the_models_own_prompts_count_before_those_of_its_family(tmp_path: Path) -> None:
    own = build_sentence_model(tmp_path, prompts={"query": "question ", "document": ""})
    named = own.rename(own.with_name("some-e5-base"))
    expected = await _create(named, query_prefix="").embed_queries(["question warranty"])
    assert np.allclose(await _create(named).embed_queries(["warranty"]), expected, atol=1e-6)


async def test_settings_cut_dimensions_and_window_and_set_the_calibration(folder: Path) -> None:
    adapter = _create(folder, dimensions=8, max_tokens=16, similarity_midpoint=0.7, similarity_slope=20)
    assert (adapter.profile.dimensions, adapter.profile.max_tokens) == (8, 16)
    assert (adapter.profile.calibration.midpoint, adapter.profile.calibration.slope) == (0.7, 20)
    long = await adapter.embed_passages(["warranty " * 30, "warranty " * 30 + "invoice " * 30])
    assert long.shape == (2, 8)
    assert np.allclose(np.linalg.norm(long, axis=1), 1.0, atol=1e-4)
    assert float(long[0] @ long[1]) > 0.9999


async def test_tokens_are_counted_beyond_the_window(folder: Path) -> None:
    adapter = _create(folder)
    assert await adapter.count_tokens(["warranty " * 100, "warranty"]) == [102, 3]


async def test_a_model_of_word_vectors_works_too(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "warranty": 1, "invoice": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)]).save(str(tmp_path))
    adapter = _create(tmp_path)
    vectors = await adapter.embed_passages(["warranty", "", "warranty " * 600])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    assert float(vectors[0] @ vectors[2]) > 0.999
    assert await adapter.count_tokens(["warranty invoice", "warranty " * 600]) == [2, 600]


async def test_a_model_that_is_not_there_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(EmbedderRejectedError, match="no-such-model"):
        await _create(tmp_path / "no-such-model", allow_download=False).embed_queries(["x"])
