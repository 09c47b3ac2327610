"""What `ports/judge.py` promises, on every judge; one that has a language model judge is asked through inference."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dragoman.adapters.llm import scripted
from dragoman.inference.judging import Judges
from dragoman.inference.service import CallContext, Inference, Writer
from dragoman.kit import registry
from dragoman.kit.errors import InvalidSettingError
from dragoman.metering.entities import UsageRecord
from dragoman.metering.prices import PriceList
from dragoman.ports.judge import Statement
from tests.contract.conftest import open_adapter
from tests.contract.tiny_cross_encoder import write_tiny_nli

CONTEXT = CallContext(tenant_id=uuid4(), chatbot_id=uuid4(), purpose="test")
WARRANTY = "Warranty\nThe warranty of the lamp lasts five years."
SUPPORTED = Statement(text="The lamp warranty lasts five years.", language="en", passages=(WARRANTY,))
UNSUPPORTED = Statement(text="Gold partners save.", language="en", passages=(WARRANTY,))
STATEMENTS = [
    SUPPORTED,
    Statement(text="x", language="und", passages=("",)),
    Statement(text="保証は五年間です。\x00 \ud800", language="ja", passages=(WARRANTY, "保証は五年間です。\ud800")),
    Statement(text="x" * 50_000, language="en", passages=("y " * 50_000,)),
    UNSUPPORTED,
]
_GRADES = "1: 9\n2: 0\n3: 8\n4: 0\n5: 1"


class _Kept(list[UsageRecord]):
    def add(self, record: UsageRecord) -> None:
        self.append(record)


class Through:
    """The judge as the checks ask it, with the records it leaves."""

    def __init__(self, adapter: Any) -> None:
        self.records = _Kept()
        inference = Inference(
            embedders={},
            llms={"scripted": lambda: scripted.Adapter(scripted.Settings(replies=[_GRADES]))},
            prices=PriceList(()),
            usage=self.records,  # type: ignore[arg-type]
        )
        self._judges = Judges(factories={"this": lambda: adapter}, inference=inference)

    async def __call__(self, statements: Sequence[Statement]) -> list[float | None]:
        return await self._judges.judge(
            CONTEXT, "this", statements, answerer=None, writer=Writer(name="scripted"), model=None
        )


@pytest.fixture(params=registry.list_adapters("judge"))
async def judge(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Through]:
    async with open_adapter("judge", request.param, tmp_path) as adapter:
        yield Through(adapter)


async def test_every_statement_gets_a_probability_in_the_order_given(judge: Through) -> None:
    found = await judge(STATEMENTS)
    assert len(found) == len(STATEMENTS)
    assert all(score is None or 0.0 <= score <= 1.0 for score in found)
    assert found[0] is not None
    assert found[-1] is not None
    assert found[0] >= 0.5 > found[-1]


async def test_no_statements_give_no_probabilities(judge: Through) -> None:
    assert await judge([]) == []


async def test_a_call_is_written_down_for_what_it_was(judge: Through) -> None:
    await judge([SUPPORTED, UNSUPPORTED])
    assert {record.purpose for record in judge.records} == {"judge"}
    assert all(record.input_tokens > 0 for record in judge.records)
    assert {record.kind for record in judge.records} <= {"judge", "llm"}


async def test_answers_are_judged_at_the_same_time_without_mixing(judge: Through) -> None:
    alone = await judge(STATEMENTS)
    together = await asyncio.gather(*(judge(STATEMENTS) for _ in range(4)))
    for found in together:
        assert [score is None for score in found] == [score is None for score in alone]
        assert [score or 0 for score in found] == pytest.approx([score or 0 for score in alone], abs=1e-6)


# --- natural language inference's own


def nli(folder: Path, **settings: Any) -> Any:
    pytest.importorskip("tokenizers", reason="needs the extra `pii`")
    return registry.create("judge", "nli", {"model": str(folder), **settings})


@pytest.mark.parametrize(
    "labels",
    [
        ("entailment", "neutral", "contradiction"),
        ("CONTRADICTION", "ENTAILMENT", "NEUTRAL"),
        ("contradiction", "neutral", "entailment"),
        ("entailment", "not_entailment"),
    ],
)
async def test_the_models_own_config_says_which_class_is_the_entailment(tmp_path: Path, labels: Sequence[str]) -> None:
    adapter = nli(write_tiny_nli(tmp_path, labels=labels))
    supported, unsupported = await adapter.judge([SUPPORTED, UNSUPPORTED])
    await adapter.close()
    assert supported > 0.9
    assert unsupported < 0.1


async def test_classes_without_names_are_named_by_the_setting(tmp_path: Path) -> None:
    folder = write_tiny_nli(tmp_path, labels=("contradiction", "entailment", "neutral"))
    names = {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    (folder / "config.json").write_text(json.dumps({"id2label": names}), encoding="utf-8")
    unnamed = nli(folder)
    with pytest.raises(InvalidSettingError, match="`labels`"):
        await unnamed.judge([SUPPORTED])
    named = nli(folder, labels=["contradiction", "entailment", "neutral"])
    assert (await named.judge([SUPPORTED]))[0] > 0.9
    for adapter in (unnamed, named):
        await adapter.close()


async def test_one_passage_that_entails_it_is_enough(tmp_path: Path) -> None:
    adapter = nli(write_tiny_nli(tmp_path))
    alone, among = await adapter.judge(
        [SUPPORTED, replace(SUPPORTED, passages=("Returns are free.", WARRANTY, "Gold partners save."))]
    )
    await adapter.close()
    assert among == pytest.approx(alone)


async def test_a_passage_longer_than_the_window_is_read_to_its_end(tmp_path: Path) -> None:
    adapter = nli(write_tiny_nli(tmp_path), max_tokens=64)
    long = Statement(text=SUPPORTED.text, language="en", passages=("nothing " * 2_000 + WARRANTY,))
    (found,) = await adapter.judge([long])
    await adapter.close()
    assert found > 0.9


async def test_batches_do_not_change_the_scores(tmp_path: Path) -> None:
    folder = write_tiny_nli(tmp_path, file="onnx/model.onnx")
    one, many = nli(folder, batch_size=1, threads=1), nli(folder, onnx_file="onnx/model.onnx", batch_size=64)
    assert await one.judge(STATEMENTS) == pytest.approx(await many.judge(STATEMENTS))
    for adapter in (one, many):
        await adapter.close()


async def test_a_folder_without_a_model_is_named_as_such(tmp_path: Path) -> None:
    adapter = nli(tmp_path, backend="onnx")
    with pytest.raises(InvalidSettingError, match=r"tokenizer\.json"):
        await adapter.judge([SUPPORTED])
    await adapter.close()


def test_it_needs_a_model() -> None:
    with pytest.raises(InvalidSettingError, match="model"):
        registry.create("judge", "nli", {})


async def test_a_transformer_trained_here_judges_by_its_own_classes(tmp_path: Path) -> None:
    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            pytest.skip("needs the extra `train`")
    folder = _train(tmp_path)
    adapter = registry.create("judge", "nli", {"model": str(folder), "backend": "transformers", "max_tokens": 64})
    said = [Statement(text=statement, language="en", passages=(premise,)) for premise, statement, _ in _PAIRS]
    found = await adapter.judge(said)
    long = await adapter.judge([replace(said[0], passages=("returns " * 300 + _PAIRS[0][0],))])
    await adapter.close()
    assert [score >= 0.5 for score in found] == [label == "entailment" for *_, label in _PAIRS]
    assert 0.0 <= long[0] <= 1.0


_PAIRS = [
    (f"the {thing} lasts {years} years", f"{said} years", label)
    for thing in ("lamp", "warranty")
    for years, other in (("five", "two"), ("two", "five"))
    for said, label in (
        (f"{thing} {years}", "entailment"),
        (f"{thing} {other}", "contradiction"),
        (f"partners save {years}", "neutral"),
    )
]


def _train(folder: Path) -> Path:
    """A transformer of two layers that has learned `_PAIRS` by heart, with classes in an order of its own."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(1)
    write_tiny_nli(folder / "words")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "words" / "tokenizer.json"),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    labels = ["contradiction", "entailment", "neutral"]
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=64, initializer_range=0.2,
        id2label=dict(enumerate(labels)), label2id={label: place for place, label in enumerate(labels)},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    encoded = tokenizer([p for p, *_ in _PAIRS], [s for _, s, _ in _PAIRS], padding=True, return_tensors="pt")
    goal = torch.tensor([labels.index(label) for *_, label in _PAIRS])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(300):
        optimizer.zero_grad()
        loss = model(**encoded, labels=goal).loss
        loss.backward()
        optimizer.step()
        if loss.item() < 0.02:
            break
    model.eval().save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder / "model"
