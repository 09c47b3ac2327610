"""The wire format of `kit/frames.py`."""

from __future__ import annotations

import asyncio
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.kit.frames import (
    Frame,
    FrameError,
    FrameTooLargeError,
    encode_frame,
    pack_float32,
    read_frame,
    unpack_float32,
)


async def read_all(data: bytes, **options: int) -> list[Frame]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    frames = []
    while (frame := await read_frame(reader, **options)) is not None:
        frames.append(frame)
    return frames


@settings(max_examples=50, deadline=None)
@given(
    header=st.dictionaries(
        st.text(max_size=8), st.text(alphabet=st.characters(), max_size=20) | st.integers(), max_size=4
    ),
    body=st.binary(max_size=64),
)
def test_frames_are_read_as_they_were_written_one_after_another(header: dict[str, str | int], body: bytes) -> None:
    frame = Frame(header=header, body=body)
    assert asyncio.run(read_all(encode_frame(frame) * 2)) == [frame, frame]


@settings(max_examples=100, deadline=None)
@given(data=st.binary(min_size=1, max_size=64))
def test_any_other_bytes_are_a_frame_error(data: bytes) -> None:
    with pytest.raises(FrameError):
        asyncio.run(read_all(data))


async def test_a_frame_cut_at_any_place_is_a_frame_error() -> None:
    data = encode_frame(Frame(header={"id": 1}, body=b"1234"))
    for length in range(1, len(data)):
        with pytest.raises(FrameError):
            await read_all(data[:length])
    assert await read_all(b"") == []


async def test_a_frame_that_announces_too_much_is_refused_before_it_is_read() -> None:
    with pytest.raises(FrameTooLargeError):
        await read_all(struct.pack("<2sHII", b"DG", 1, 4_000_000_000, 4_000_000_000))
    with pytest.raises(FrameTooLargeError):
        encode_frame(Frame(header={}, body=b"x" * 101), max_bytes=100)


@pytest.mark.parametrize("header", [b"[]", b"nothing", b"\xff\xfe\xfd", b"[" * 100_000])
async def test_a_header_that_is_no_json_object_is_a_frame_error(header: bytes) -> None:
    with pytest.raises(FrameError):
        await read_all(struct.pack("<2sHII", b"DG", 1, len(header), 0) + header)


async def test_a_frame_of_another_version_is_a_frame_error() -> None:
    header = json.dumps({}).encode()
    with pytest.raises(FrameError):
        await read_all(struct.pack("<2sHII", b"DG", 2, len(header), 0) + header)


def test_float32_arrays_survive_and_wrong_sizes_do_not() -> None:
    values = np.array([[1.5, -2.25], [np.float32(0.1), 3.0]], dtype=np.float32)
    assert np.array_equal(unpack_float32(pack_float32(values), (2, 2)), values)
    assert unpack_float32(b"", (0, 384)).shape == (0, 384)
    for shape in ((2, 3), (-2, -2), (1, 2)):
        with pytest.raises(FrameError):
            unpack_float32(pack_float32(values), shape)


async def test_texts_of_any_kind_pass_also_a_lone_surrogate() -> None:
    header = {
        "texts": ["plain", "\u65e5\u672c \u20ac", 'a "quote"\n', "half of a pair: \ud83d"],
        "counts": [1, 2.5, None, True],
    }
    for sent in (header, {"texts": ["plain", "\u65e5\u672c"]}):
        reader = asyncio.StreamReader()
        reader.feed_data(encode_frame(Frame(header=sent, body=b"body")))
        frame = await read_frame(reader)
        assert frame is not None
        assert (frame.header, frame.body) == (sent, b"body")
