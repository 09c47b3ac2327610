"""Writes a graph in ONNX's file format, which is a protocol buffer, without the package `onnx`.

Field numbers are those of `onnx.proto3` (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from numpy.typing import NDArray

_TYPES: Final = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}
_IR_VERSION, _OPERATORS = 8, 18  # readable by ONNX Runtime 1.15 and later
_OWN_OPERATORS: Final = "com.microsoft"  # ONNX Runtime's


class Graph:
    """A graph that grows node by node. Values are known by their names."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def add(
        self,
        operator: str,
        *inputs: str,
        attributes: Mapping[str, float] | None = None,
        outputs: int = 1,
        is_own: bool = False,
    ) -> list[str]:
        """Adds a node and returns the names of its outputs. `is_own`: an operator of ONNX Runtime, not of ONNX."""
        names = [f"value-{len(self._nodes)}-{at}" for at in range(outputs)]
        parts = [_field(1, name) for name in inputs] + [_field(2, name) for name in names]
        parts += [_field(3, f"node-{len(self._nodes)}"), _field(4, operator)]
        parts += [_field(5, _write_attribute(name, value)) for name, value in (attributes or {}).items()]
        if is_own:
            parts.append(_field(7, _OWN_OPERATORS))
        self._nodes.append(_field(1, b"".join(parts)))
        return names

    def keep(self, values: NDArray[Any]) -> str:
        """Adds a constant and returns its name."""
        name = f"constant-{len(self._constants)}"
        shape = b"".join(_number(1, size) for size in values.shape)
        content = _field(8, name) + _field(9, values.tobytes())
        self._constants.append(_field(5, shape + _number(2, _TYPES[values.dtype.name]) + content))
        return name

    def write(self, *, name: str, inputs: Mapping[str, Sequence[int | str]], output: str) -> bytes:
        """The file. `inputs`: their shapes, of float32, sizes that vary as names."""
        parts = [*self._nodes, _field(2, name), *self._constants]
        parts += [_field(11, _write_value(each, shape)) for each, shape in inputs.items()]
        parts.append(_field(12, _write_value(output, None)))
        operators = _field(8, _field(1, "") + _number(2, _OPERATORS))
        own = _field(8, _field(1, _OWN_OPERATORS) + _number(2, 1))
        return b"".join([_number(1, _IR_VERSION), operators, own, _field(7, b"".join(parts))])


def _write_attribute(name: str, value: float) -> bytes:
    if isinstance(value, int):
        return _field(1, name) + _number(3, value) + _number(20, 2)
    return _field(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, 1)


def _write_value(name: str, shape: Sequence[int | str] | None) -> bytes:
    tensor = _number(1, _TYPES["float32"])
    if shape is not None:
        sizes = [_field(2, size) if isinstance(size, str) else _number(1, size) for size in shape]
        tensor += _field(2, b"".join(_field(1, size) for size in sizes))
    return _field(1, name) + _field(2, _field(1, tensor))


def _field(number: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers as two's complement
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
