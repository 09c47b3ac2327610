"""What `ports/reranker.py` promises, on every re-ranker; one that has a language model judge is asked through inference."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dragoman.adapters.llm import scripted
from dragoman.inference.reranking import Rerankers
from dragoman.inference.service import CallContext, Inference
from dragoman.kit import registry
from dragoman.kit.errors import InvalidSettingError
from dragoman.metering.prices import PriceList
from dragoman.ports.reranker import RerankCandidate
from tests.contract.conftest import open_adapter
from tests.contract.tiny_cross_encoder import write_tiny_cross_encoder

CONTEXT = CallContext(tenant_id=uuid4(), chatbot_id=uuid4(), purpose="test")
QUESTION = "How long is the warranty of the lamp?"


def candidate(text: str, **fields: Any) -> RerankCandidate:
    made = RerankCandidate(
        text=text, title="", heading_path=(), language="en", score=0.8, similarity=0.5, dense=0.8, keyword=1.0
    )
    return replace(made, **fields)


ANSWER = candidate("The warranty of the lamp is five years.", similarity=0.9, sentence_cosines=(0.9,))
OTHER = candidate("Returns are free.", similarity=0.2, sentence_cosines=(0.7,))
CANDIDATES = [
    ANSWER,
    candidate("", similarity=0.5),
    candidate("x" * 50_000, similarity=0.4),
    candidate("保証は五年間です。\x00 \ud800", language="ja", similarity=0.3, dense=None, keyword=None),
    OTHER,
]


class _Kept(list[Any]):
    def add(self, record: Any) -> None:
        self.append(record)


@pytest.fixture(params=registry.list_adapters("reranker"))
async def rerank(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    async with open_adapter("reranker", request.param, tmp_path) as adapter:
        inference = Inference(
            embedders={},
            llms={"scripted": lambda: scripted.Adapter(scripted.Settings(replies=[_GRADES]))},
            prices=PriceList(()),
            usage=_Kept(),  # type: ignore[arg-type]
        )
        through = Rerankers(
            factories={"this": lambda: adapter},
            inference=inference,
            default_answerer="scripted",
        )

        async def call(question: str, candidates: Sequence[RerankCandidate], language: str = "en") -> list[float]:
            return await through.rerank(CONTEXT, "this", question, language, candidates)

        yield call


_GRADES = '[{"id": 1, "grade": 9}, {"id": 2, "grade": 1}, {"id": 3, "grade": 0}, {"id": 4, "grade": 0}, {"id": 5, "grade": 0}]'


async def test_every_candidate_gets_a_probability_in_the_order_given(rerank: Any) -> None:
    scores = await rerank(QUESTION, CANDIDATES)
    assert len(scores) == len(CANDIDATES)
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert scores[0] > scores[-1]


async def test_no_candidates_give_no_probabilities(rerank: Any) -> None:
    assert await rerank(QUESTION, []) == []


@pytest.mark.parametrize("question", ["", " ", "?", "x" * 100_000, "\x00\ud800", "保証は何年ですか"])
async def test_any_question_can_be_asked(rerank: Any, question: str) -> None:
    assert len(await rerank(question, CANDIDATES, "und")) == len(CANDIDATES)


async def test_searches_run_at_the_same_time_without_mixing(rerank: Any) -> None:
    alone = await rerank(QUESTION, CANDIDATES)
    together = await asyncio.gather(*(rerank(QUESTION, CANDIDATES) for _ in range(4)))
    assert all(scores == pytest.approx(alone, abs=1e-6) for scores in together)


@pytest.mark.parametrize("name", registry.list_adapters("reranker"))
async def test_it_says_how_many_candidates_it_wants(name: str, tmp_path: Path) -> None:
    async with open_adapter("reranker", name, tmp_path) as adapter:
        assert adapter.depth >= 0
        assert (adapter.depth == 0) == (name == "none")


# --- the cross-encoder's own


def cross_encoder(folder: Path, **settings: Any) -> Any:
    pytest.importorskip("tokenizers", reason="needs the extra `pii`")
    return registry.create("reranker", "cross_encoder", {"model": str(folder), **settings})


async def test_one_and_two_classes_mean_the_same(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="needs the extra `pii`")
    scores = []
    for classes in (1, 2):
        adapter = cross_encoder(write_tiny_cross_encoder(tmp_path / str(classes), classes=classes))
        scores.append(await adapter.rerank(QUESTION, "en", CANDIDATES))
        await adapter.close()
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


async def test_the_calibration_says_which_raw_score_means_a_half(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="needs the extra `pii`")
    folder = write_tiny_cross_encoder(tmp_path)
    plain, moved = cross_encoder(folder), cross_encoder(folder, midpoint=-3.0, slope=0.5)
    assert (await plain.rerank(QUESTION, "en", [OTHER]))[0] == pytest.approx(0.047, abs=1e-3)  # nothing shared: -3
    assert (await moved.rerank(QUESTION, "en", [OTHER]))[0] == pytest.approx(0.5)
    for adapter in (plain, moved):
        await adapter.close()


async def test_a_chosen_file_within_the_folder_is_used(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="needs the extra `pii`")
    folder = write_tiny_cross_encoder(tmp_path, file="onnx/model_int8.onnx")
    for adapter in (cross_encoder(folder), cross_encoder(folder, onnx_file="onnx/model_int8.onnx")):
        assert len(await adapter.rerank(QUESTION, "en", [ANSWER])) == 1
        await adapter.close()


async def test_batches_do_not_change_the_scores(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="needs the extra `pii`")
    folder = write_tiny_cross_encoder(tmp_path)
    one, many = cross_encoder(folder, batch_size=1), cross_encoder(folder, batch_size=64, threads=1)
    assert await one.rerank(QUESTION, "en", CANDIDATES) == pytest.approx(await many.rerank(QUESTION, "en", CANDIDATES))
    for adapter in (one, many):
        await adapter.close()


async def test_a_folder_without_a_model_is_named_as_such(tmp_path: Path) -> None:
    adapter = cross_encoder(tmp_path, backend="onnx")
    with pytest.raises(InvalidSettingError, match=r"tokenizer\.json"):
        await adapter.rerank(QUESTION, "en", [ANSWER])
    await adapter.close()


def test_a_cross_encoder_needs_a_model() -> None:
    with pytest.raises(InvalidSettingError, match="model"):
        registry.create("reranker", "cross_encoder", {})


async def test_a_model_of_sentence_transformers_ranks_too(tmp_path: Path) -> None:
    if importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("needs the extra `train`")
    folder = _small_transformer(tmp_path)
    adapter = registry.create("reranker", "cross_encoder", {"model": str(folder), "backend": "sentence_transformers"})
    scores = await adapter.rerank(QUESTION, "en", [ANSWER, OTHER])
    assert len(scores) == 2
    assert all(0.0 <= score <= 1.0 for score in scores)
    await adapter.close()


def _small_transformer(folder: Path) -> Path:
    """Untrained, of one layer: that it loads and scores is what is tested."""
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    write_tiny_cross_encoder(folder / "words")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "words" / "tokenizer.json"),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=1,
    )
    model = folder / "model"
    BertForSequenceClassification(config).save_pretrained(model)
    tokenizer.save_pretrained(model)
    return model
