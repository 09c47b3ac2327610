"""A cross-encoder of a few kilobytes, written on the spot: its score is how many words question and passage share.

The ONNX file is encoded by hand, field by field as in onnx.proto3, so that no test needs the package that writes them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

_FLOAT, _INT64 = 1, 7
WORDS = "how long is the warranty of lamp five years returns are free gold partners save lasts".split()  # noqa: SIM905
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def write_tiny_cross_encoder(folder: Path, *, classes: int = 1, file: str = "model.onnx") -> Path:
    """A folder with `tokenizer.json` and the ONNX file. With two classes the second is the relevant one."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder / "tokenizer.json")
    (folder / file).write_bytes(_model(classes))
    return folder


def write_tiny_nli(
    folder: Path, *, labels: Sequence[str] = ("entailment", "neutral", "contradiction"), file: str = "model.onnx"
) -> Path:
    """The same as a model of natural language inference: what shares two words and more is entailed, else it is neutral."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder / "tokenizer.json")
    names = {str(place): label for place, label in enumerate(labels)}
    (folder / "config.json").write_text(json.dumps({"id2label": names}), encoding="utf-8")
    meaning = [label.lower()[:3] for label in labels]
    weight = np.array([[{"ent": 2.0, "neu": -1.0}.get(name, -2.0) for name in meaning]], dtype=np.float32)
    bias = np.array([{"ent": -3.0, "neu": 2.0}.get(name, 0.0) for name in meaning], dtype=np.float32)
    (folder / file).write_bytes(_model_of(weight, bias))
    return folder


def _write_tokenizer(path: Path) -> None:
    pytest.importorskip("tokenizers", reason="needs the extra `pii`")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate([*_SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(path))


def _model(classes: int) -> bytes:
    """words = onehot[ids]; asked and told = sums over the tokens of each part; logit = 2 * asked . told - 3."""
    weight = np.array([[2.0]] if classes == 1 else [[-1.0, 1.0]], dtype=np.float32)
    bias = np.array([-3.0] if classes == 1 else [1.5, -1.5], dtype=np.float32)
    return _model_of(weight, bias)


def _model_of(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> bytes:
    """One logit for each column of `weight`: weight * (asked . told) + bias."""
    classes = weight.shape[1]
    size = len(_SPECIAL) + len(WORDS)
    onehot = np.eye(size, dtype=np.float32)
    onehot[: len(_SPECIAL)] = 0.0
    nodes = [
        _node("Gather", ["onehot", "input_ids"], "words"),
        _node("Cast", ["token_type_ids"], "is_told", to=_FLOAT),
        _node("Unsqueeze", ["is_told", "last"], "told_mask"),
        _node("Mul", ["words", "told_mask"], "told_words"),
        _node("Sub", ["words", "told_words"], "asked_words"),
        _node("ReduceSum", ["told_words", "tokens"], "told", keepdims=0),
        _node("ReduceSum", ["asked_words", "tokens"], "asked", keepdims=0),
        _node("Mul", ["told", "asked"], "common"),
        _node("ReduceSum", ["common", "tokens"], "count", keepdims=1),
        _node("MatMul", ["count", "weight"], "scaled"),
        _node("Add", ["scaled", "bias"], "logits"),
    ]
    tensors = {
        "onehot": onehot,
        "weight": weight,
        "bias": bias,
        "last": np.array([2], dtype=np.int64),
        "tokens": np.array([1], dtype=np.int64),
    }
    names = ("input_ids", "attention_mask", "token_type_ids")
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"tiny"),
            *(_field(5, _tensor(name, values)) for name, values in tensors.items()),
            *(_field(11, _value(name, _INT64, ["pairs", "length"])) for name in names),
            _field(12, _value("logits", _FLOAT, ["pairs", classes])),
        ]
    )
    return _number(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _number(2, 13))


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _node(operator: str, inputs: Sequence[str], output: str, **attributes: int) -> bytes:
    return b"".join(
        [
            *(_field(1, name.encode()) for name in inputs),
            _field(2, output.encode()),
            _field(4, operator.encode()),
            *(
                _field(5, _field(1, key.encode()) + _number(3, value) + _number(20, 2))
                for key, value in attributes.items()
            ),
        ]
    )


def _tensor(name: str, values: NDArray[np.generic]) -> bytes:
    kind = _FLOAT if values.dtype == np.float32 else _INT64
    shape = b"".join(_number(1, size) for size in values.shape)
    return shape + _number(2, kind) + _field(8, name.encode()) + _field(9, values.tobytes())


def _value(name: str, kind: int, shape: Sequence[str | int]) -> bytes:
    sizes = b"".join(
        _field(1, _field(2, size.encode()) if isinstance(size, str) else _number(1, size)) for size in shape
    )
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, kind) + _field(2, sizes)))
