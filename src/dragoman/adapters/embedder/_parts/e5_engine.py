"""multilingual-e5-small in ONNX Runtime: the encoder with weights and activations of 8 bits, made from the packed file.

Weights are rounded for each output to -63..63: within these, no processor's integer arithmetic overflows (AVX2 without
VNNI adds products in 16 bits). Activations are rounded for each token, so that one token's large values cost others no
precision, and what a text becomes does not depend on its neighbours. The file's rounding to 4 bits is the coarser one.

The rounding makes the model chaotic: a difference in the last bit somewhere ends as a cosine of 0.9985 between two
computations of the same text. So texts are only computed together where they have equally many tokens, without padding;
their arithmetic is then bit for bit what it is for one alone.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dragoman.adapters.embedder._parts.e5_file import E5File, Floats, expand_blocks, open_e5_file
from dragoman.adapters.embedder._parts.e5_tokenizer import Tokenizer
from dragoman.adapters.embedder._parts.onnx_file import Graph
from dragoman.ports.embedder import EmbedderRejectedError, Vectors

_WEIGHT_LEVELS: Final = 63
_ACTIVATION_LEVELS: Final = 127
_ZERO: Final = 128  # what 0 is among activations, stored as unsigned bytes


class Engine:
    """The loaded model: 0.5 s of one core and about 100 MB. May be used by several threads, each computes alone.

    Raises:
        EmbedderRejectedError: the packed file cannot be read, or ONNX Runtime refuses its graph.
    """

    def __init__(self) -> None:
        self._file = file = open_e5_file()
        self._tokenizer = Tokenizer(file)
        self._words = file.map_blocks("emb.word").reshape(-1, file.width // 32)
        kind = file.read_floats("emb.type")[: file.width]  # of the two kinds of segment the model knows the first
        self._places = file.read_floats("emb.pos").reshape(-1, file.width) + kind
        self._session = _open_session(_write_graph(file))
        _return_memory()

    def count_tokens(self, text: str, *, is_query: bool = False) -> int:
        """Of the whole text, with prefix and marks."""
        return len(self._tokenizer.encode(text, is_query=is_query))

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Iterator[tuple[list[int], Vectors]]:
        """Places among the texts and their normalised vectors, as they become ready. What lies beyond the window is cut."""
        groups: dict[int, list[tuple[int, list[int]]]] = {}
        for place, text in enumerate(texts):
            ids = self._tokenizer.encode(text, is_query=is_query)
            if len(ids) > self._file.window:
                ids = [*ids[: self._file.window - 1], self._file.end]
            groups.setdefault(len(ids), []).append((place, ids))
        for group in groups.values():
            yield [place for place, _ in group], self._compute([ids for _, ids in group])

    def _compute(self, ids: list[list[int]]) -> Vectors:
        texts, length, width = len(ids), len(ids[0]), self._file.width
        # Rows of the mapped file, expanded here: the graph holds no copy of the 250,000 words.
        words = expand_blocks(self._words[np.array(ids).reshape(-1)]).reshape(texts, length, width)
        hidden: Floats = self._session.run(None, {"words": words + self._places[:length]})[0]
        means: Vectors = hidden.mean(axis=1)
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        return means


def _open_session(graph: bytes) -> Any:
    import onnxruntime  # noqa: PLC0415  70 MB of library

    options = onnxruntime.SessionOptions()
    # Threads compute different texts: nothing has to be divided, and no thread waits for another.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise EmbedderRejectedError(
            f"ONNX Runtime refuses the embedding model ({error}). Install onnxruntime 1.20 or later, or set the engine "
            f'of the embedder to "c".'
        ) from error


def _write_graph(file: E5File) -> bytes:
    """BERT's encoder (Devlin et al. 2018) from the sum of the embeddings to the last hidden states."""
    encoder = _Encoder(file)
    hidden = encoder.normalise("words", None, "emb.ln")
    for layer in range(file.layers):
        hidden = encoder.attend(hidden, f"l{layer}")
        hidden = encoder.feed_forward(hidden, f"l{layer}")
    return encoder.graph.write(name="e5", inputs={"words": ("texts", "tokens", file.width)}, output=hidden)


class _Encoder:
    """Adds the parts of the encoder to a graph, with the weights of the file."""

    def __init__(self, file: E5File) -> None:
        self.graph = Graph()
        self._file = file
        self._axis = self.graph.keep(np.array([-1], dtype=np.int64))
        self._thirds = self.graph.keep(np.full(3, file.width, dtype=np.int64))
        self._level = self.graph.keep(np.array(1.0 / _ACTIVATION_LEVELS, dtype=np.float32))
        self._zero = self.graph.keep(np.array(_ZERO, dtype=np.uint8))

    def attend(self, hidden: str, layer: str) -> str:
        joined = self._multiply(hidden, [f"{layer}.q", f"{layer}.k", f"{layer}.v"])
        queries, keys, values = self.graph.add("Split", joined, self._thirds, attributes={"axis": -1}, outputs=3)
        heads = {"num_heads": self._file.heads}
        [context] = self.graph.add("MultiHeadAttention", queries, keys, values, attributes=heads, is_own=True)
        return self.normalise(hidden, self._multiply(context, [f"{layer}.ao"]), f"{layer}.aln")

    def feed_forward(self, hidden: str, layer: str) -> str:
        [active] = self.graph.add("Gelu", self._multiply(hidden, [f"{layer}.fi"]), is_own=True)
        return self.normalise(hidden, self._multiply(active, [f"{layer}.fo"]), f"{layer}.oln")

    def normalise(self, hidden: str, change: str | None, name: str) -> str:
        """Layer norm of the sum."""
        weights = (self.graph.keep(self._file.read_floats(f"{name}.{part}")) for part in "wb")
        if change is None:
            attributes = {"epsilon": self._file.epsilon, "axis": -1}
            [normal] = self.graph.add("LayerNormalization", hidden, *weights, attributes=attributes)
        else:
            attributes = {"epsilon": self._file.epsilon}
            [normal] = self.graph.add(
                "SkipLayerNormalization", hidden, change, *weights, attributes=attributes, is_own=True
            )
        return normal

    def _multiply(self, hidden: str, names: Sequence[str]) -> str:
        """The hidden states times the matrices of these names side by side, plus their biases, in integers."""
        weights, scales = _round_weights(np.concatenate([self._file.read_weights(f"{name}.w") for name in names]))
        bias = np.concatenate([self._file.read_floats(f"{name}.b") for name in names])
        rounded, largest = self._round_activations(hidden)
        constants = [self.graph.keep(weights), self._level, self.graph.keep(scales), self._zero]
        [products] = self.graph.add("MatMulIntegerToFloat", rounded, *constants, is_own=True)
        [scaled] = self.graph.add("Mul", products, largest)
        [moved] = self.graph.add("Add", scaled, self.graph.keep(bias))
        return moved

    def _round_activations(self, hidden: str) -> tuple[str, str]:
        """Each token's values as bytes, in parts of its largest one, and that one. No token has zeros only."""
        [sizes] = self.graph.add("Abs", hidden)
        [largest] = self.graph.add("ReduceMax", sizes, self._axis, attributes={"keepdims": 1})
        [parts] = self.graph.add("Div", hidden, largest)
        [rounded] = self.graph.add("QuantizeLinear", parts, self._level, self._zero)
        return rounded, largest


def _round_weights(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Weights of shape `(outputs, inputs)` as whole numbers of shape `(inputs, outputs)`, and each output's scale."""
    scales = np.abs(weights).max(axis=1, keepdims=True) / np.float32(_WEIGHT_LEVELS)
    rounded = np.rint(weights / np.maximum(scales, np.float32(1e-30))).astype(np.int8)
    return np.ascontiguousarray(rounded.T), scales[:, 0]


def _return_memory() -> None:
    """What building the graph needed goes back to the system at once."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
