"""What `ports/translator.py` promises, on every translator; one that has a language model translate is asked through inference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from dragoman.adapters.llm import scripted
from dragoman.inference.service import CallContext, Inference
from dragoman.inference.translating import Translators
from dragoman.kit import registry
from dragoman.metering.prices import PriceList
from dragoman.ports.translator import (
    LanguagePair,
    TranslatorUnavailableError,
    UnsupportedPairError,
    UntranslatableError,
)
from tests.contract.conftest import open_adapter
from tests.contract.tiny_marian import ENGLISH_GERMAN, write_tiny_marian

CONTEXT = CallContext(tenant_id=uuid4(), chatbot_id=uuid4(), purpose="test")


@dataclass(frozen=True)
class Known:
    """What a translator must be able to do: texts of a pair, and a word that each translation must hold."""

    source: str
    target: str
    texts: tuple[tuple[str, str], ...]


KNOWN = {
    "apertium": Known(
        "en", "es", (("The house is red.", "roja"), ("How much is the car?", "coche"), ("42 days [1]", "días"))
    ),
    "llm": Known("en", "de", (("The house is red.", "Haus"), ("A red house.", "Haus"))),
    "marian": Known(
        "en", "de", (("the warranty lasts five years .", "Garantie"), ("goods are returned .", "zurückgegeben"))
    ),
}


class _Kept(list[Any]):
    def add(self, record: Any) -> None:
        self.append(record)


@dataclass(frozen=True)
class Ready:
    name: str
    adapter: Any
    through: Translators
    records: _Kept

    async def translate(self, texts: list[str], source: str, target: str) -> list[str]:
        return await self.through.translate(CONTEXT, "this", texts, source, target)


@pytest.fixture(params=registry.list_adapters("translator"))
async def ready(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ready]:
    async with open_adapter("translator", request.param, tmp_path) as adapter:
        records = _Kept()
        inference = Inference(
            embedders={},
            llms={"scripted": lambda: scripted.Adapter(scripted.Settings(replies=["Das Haus ist rot."]))},
            prices=PriceList(()),
            usage=records,  # type: ignore[arg-type]
        )
        through = Translators(
            factories={"this": lambda: adapter},
            inference=inference,
            default_answerer="scripted",
        )
        yield Ready(request.param, adapter, through, records)


async def test_each_text_is_translated_in_the_order_given(ready: Ready) -> None:
    known = KNOWN[ready.name]
    said = await ready.translate([text for text, _ in known.texts], known.source, known.target)
    assert len(said) == len(known.texts)
    for translation, (text, word) in zip(said, known.texts, strict=True):
        assert word in translation
        assert translation != text


async def test_the_pairs_that_it_names_are_those_it_does(ready: Ready) -> None:
    known, pairs = KNOWN[ready.name], await ready.adapter.pairs()
    assert pairs is None or LanguagePair(known.source, known.target) in pairs
    if pairs is not None:
        with pytest.raises(UnsupportedPairError):
            await ready.translate(["house"], "xx", "yy")


async def test_no_texts_give_none_and_no_call(ready: Ready) -> None:
    known = KNOWN[ready.name]
    assert await ready.translate([], known.source, known.target) == []
    assert ready.records == []


async def test_texts_are_translated_at_the_same_time(ready: Ready) -> None:
    known = KNOWN[ready.name]
    text, word = known.texts[0]
    answers = await asyncio.gather(*(ready.translate([text], known.source, known.target) for _ in range(4)))
    assert len(answers) == 4
    assert all(word in said for [said] in answers)


async def test_hostile_texts_give_text_or_an_error_of_the_port(ready: Ready) -> None:
    known = KNOWN[ready.name]
    for text in (
        "; rm -rf /",
        "$(id) `id` | cat",
        "^a/b$ [x] {y} <z> \\ @ *",
        "日本語 🙂",
        "\ud800 \x00 house",
        "-l",
        "a" * 3000,
    ):
        with suppress(UntranslatableError):
            [said] = await ready.translate([text], known.source, known.target)
            assert said


async def test_its_placeholder_holds_a_number(ready: Ready) -> None:
    style = ready.adapter.placeholder
    assert style.format(n=1) != style.format(n=2)


# --- apertium --------------------------------------------------------------------------------------------------------


async def test_apertium_translates_both_ways(tmp_path: Path) -> None:
    async with open_adapter("translator", "apertium", tmp_path) as apertium:
        assert await apertium.translate(["The house is red.", "I have two cats."], "en", "es") == [
            "La casa es roja.",
            "Tengo dos gatos.",
        ]
        [english] = await apertium.translate(["La casa es roja y grande."], "es", "en")
        assert {"house", "red", "big"} <= set(english.lower().strip(".").split())


async def test_apertium_that_is_not_installed_says_what_to_do() -> None:
    absent = registry.create("translator", "apertium", {"program": "apertium-that-is-not-there"})
    with pytest.raises(TranslatorUnavailableError, match="apt install apertium"):
        await absent.pairs()


async def test_apertium_that_nobody_waits_for_any_more_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    program, started = tmp_path / "apertium", tmp_path / "started"
    program.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {started}.new\nmv {started}.new {started}\nwait\n")
    program.chmod(0o755)
    slow = registry.create("translator", "apertium", {"program": str(program)})
    waiting = asyncio.create_task(slow.pairs())
    async with asyncio.timeout(20):
        while not started.exists():
            await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    child = int(started.read_text())
    async with asyncio.timeout(20):
        while _runs(child):
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_apertium_that_fails_says_what_it_complained_of(tmp_path: Path) -> None:
    program = tmp_path / "apertium"
    program.write_text("#!/bin/sh\necho 'the mode is broken' >&2\nexit 3\n")
    program.chmod(0o755)
    broken = registry.create("translator", "apertium", {"program": str(program)})
    with pytest.raises(TranslatorUnavailableError, match="ended with 3: the mode is broken"):
        await broken.pairs()


# --- marian ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for package in ("ctranslate2", "sentencepiece"):
        pytest.importorskip(package, reason="needs the extra `translate`")
    return write_tiny_marian(tmp_path / "opus")


def _marian(folder: Path, models: dict[str, Any], **more: Any) -> Any:
    return registry.create("translator", "marian", {"models": models, "directory": folder / "converted", **more})


async def test_a_marian_model_has_learned_what_it_was_trained_on(model: Path, tmp_path: Path) -> None:
    marian = _marian(tmp_path, {"en-de": str(model)})
    said = await marian.translate([source for source, _ in ENGLISH_GERMAN], "en", "de")
    assert said == [target for _, target in ENGLISH_GERMAN]
    await marian.close()


async def test_a_text_longer_than_the_model_loses_nothing(model: Path, tmp_path: Path) -> None:
    marian = _marian(tmp_path, {"en-de": str(model)})
    [said] = await marian.translate([" ".join(["the warranty lasts five years ."] * 200)], "en", "de")
    assert said == " ".join(["die Garantie dauert fünf Jahre ."] * 200)
    await marian.close()


async def test_what_was_converted_is_kept_and_can_be_named_itself(model: Path, tmp_path: Path) -> None:
    first = _marian(tmp_path, {"en-de": str(model)})
    await first.translate(["the warranty"], "en", "de")
    await first.close()
    [kept] = (tmp_path / "converted").iterdir()
    (model / "model.npz").unlink()
    for path in (model, kept):
        again = _marian(tmp_path, {"en-de": str(path)})
        assert await again.translate(["the warranty"], "en", "de") == ["die Garantie"]
        await again.close()


async def test_a_marian_model_leaves_memory_when_idle_and_comes_back(model: Path, tmp_path: Path) -> None:
    marian = _marian(tmp_path, {"en-de": str(model)}, idle_s=0.05)
    await marian.translate(["the warranty"], "en", "de")
    assert marian._loaded
    async with asyncio.timeout(20):
        while marian._loaded:
            await asyncio.sleep(0.02)
    assert await marian.translate(["the warranty"], "en", "de") == ["die Garantie"]
    await marian.close()


async def test_a_folder_that_holds_no_model_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    marian = _marian(tmp_path, {"en-de": str(tmp_path / "empty")})
    with pytest.raises(TranslatorUnavailableError, match="holds no Marian model"):
        await marian.translate(["the warranty"], "en", "de")
    await marian.close()


async def test_a_language_pair_that_is_none_is_refused() -> None:
    pytest.importorskip("ctranslate2", reason="needs the extra `translate`")
    with pytest.raises(ValueError, match="write it as en-de"):
        registry.create("translator", "marian", {"models": {"english": "x"}})


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
async def test_a_checkpoint_of_transformers_is_converted_and_the_hub_is_asked_for_names(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers", reason="needs the extra `train`")
    hub = pytest.importorskip("huggingface_hub", reason="needs the extra `train`")
    checkpoint = _trained_checkpoint(model, tmp_path / "checkpoint")
    asked: list[str] = []
    monkeypatch.setattr(hub, "snapshot_download", lambda name, **_: asked.append(name) or str(checkpoint))
    marian = _marian(tmp_path, {"en-de": "Helsinki-NLP/opus-mt-en-de"})
    said = await marian.translate([source for source, _ in ENGLISH_GERMAN], "en", "de")
    assert asked == ["Helsinki-NLP/opus-mt-en-de"]
    assert said == [target for _, target in ENGLISH_GERMAN]
    await marian.close()


def _trained_checkpoint(opus: Path, folder: Path) -> Path:
    """A MarianMTModel of transformers, trained by gradient descent until it knows the pairs."""
    import json
    import shutil

    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir()
    for name in ("source.spm", "target.spm"):
        shutil.copy(opus / name, folder / name)
    pieces: set[str] = set()
    for side, name in enumerate(("source.spm", "target.spm")):
        processor = sentencepiece.SentencePieceProcessor(model_file=str(opus / name))
        pieces |= {piece for pair in ENGLISH_GERMAN for piece in processor.encode(pair[side], out_type=str)}
    vocabulary = {piece: number for number, piece in enumerate(["</s>", "<unk>", *sorted(pieces), "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    tokenizer = MarianTokenizer(
        source_spm=str(folder / "source.spm"), target_spm=str(folder / "target.spm"), vocab=str(folder / "vocab.json"),
        source_lang="en", target_lang="de",
    )  # fmt: skip
    torch.manual_seed(7)
    pad = vocabulary["<pad>"]
    trained = MarianMTModel(
        MarianConfig(
            vocab_size=len(vocabulary), d_model=64, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4,
            decoder_attention_heads=4, encoder_ffn_dim=128, decoder_ffn_dim=128, max_position_embeddings=64, dropout=0.0,
            pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad, forced_eos_token_id=0, activation_function="swish",
            scale_embedding=True, static_position_embeddings=True, add_bias_logits=False,
        )
    )  # fmt: skip
    batch = tokenizer(
        [source for source, _ in ENGLISH_GERMAN],
        text_target=[target for _, target in ENGLISH_GERMAN],
        return_tensors="pt",
        padding=True,
    )
    labels = batch["labels"].masked_fill(batch["labels"] == pad, -100)
    optimiser = torch.optim.Adam(trained.parameters(), lr=3e-3)
    for _ in range(200):
        loss = trained(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            trained.get_input_embeddings().weight[pad] = 0.0  # Marian's decoder begins with nothing
    assert loss.item() < 0.05
    trained.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
