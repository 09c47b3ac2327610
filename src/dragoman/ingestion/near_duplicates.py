"""Near duplicates by MinHash: a signature of 512 bytes per document, and keys under which similar ones meet.

MinHash: Broder 1997; the keys: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3. 128 hash values in
21 keys of 6 values each: two documents of Jaccard similarity 0.7 share a key with probability 0.93, of 0.8 with 0.998,
of 0.4 with 0.08. Candidates found by a key are then compared by `similarity` (standard error 0.04).
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from dragoman.kit.threads import SHORT_TEXT

HASHES: Final = 128
SIGNATURE_BYTES: Final = 4 * HASHES
BANDS: Final = 21
ROWS: Final = 6  # per band; two hash values stay unused
SEED: Final = 2024  # part of the format of stored signatures
WORDS_OF_SHINGLE: Final = 5
CHARACTERS_OF_SHINGLE: Final = 8  # in scripts without spaces
WIDE_SHARE: Final = 0.3  # of the letters; above this the text is read as one without spaces
SHINGLES_AT_ONCE: Final = 50_000  # bounds the memory

_WORD: Final = re.compile(r"[^\W_]+")
_WIDE: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_SAMPLE: Final = 20_000  # characters that decide whether the script has spaces


@dataclass(frozen=True, slots=True)
class MinHashSignature:
    """128 unsigned 32-bit numbers, little-endian: 512 bytes. Signatures of all versions of this module are comparable."""

    data: bytes


def signature(text: str) -> MinHashSignature | None:
    """The signature of a text, None where it has no words. Blocking: 25 MB take some 5 s, memory stays bounded."""
    from rensa import RMinHash  # noqa: PLC0415 - loaded with the first document

    minhash = RMinHash(num_perm=HASHES, seed=SEED)
    empty = True
    for batch in _shingles(text):
        minhash.update(batch)
        empty = False
    return None if empty else MinHashSignature(struct.pack(f"<{HASHES}I", *minhash.digest()))


def bands(of: MinHashSignature) -> list[int]:
    """21 keys as signed 64-bit integers (`bigint`). Documents with a key in common are candidates."""
    size = ROWS * 4
    return [
        int.from_bytes(
            hashlib.blake2b(bytes([band]) + of.data[band * size : (band + 1) * size], digest_size=8).digest(),
            "big",
            signed=True,
        )
        for band in range(BANDS)
    ]


def similarity(a: MinHashSignature, b: MinHashSignature) -> float:
    """The estimated share of shingles that two texts have in common (Jaccard), 0 to 1."""
    same = sum(a.data[at : at + 4] == b.data[at : at + 4] for at in range(0, HASHES * 4, 4))
    return same / HASHES


def _shingles(text: str) -> Iterator[list[str]]:
    """Runs of five words; of eight characters where the script has no spaces. Case and punctuation do not count."""
    words: Iterator[str]
    if len(text) <= SHORT_TEXT:
        words = iter(_WORD.findall(text.lower()) if text.isascii() else map(str.casefold, _WORD.findall(text)))
    else:
        words = map(str.casefold, map(_text_of, _WORD.finditer(text)))
    if _has_no_spaces(text):
        return _runs(chain.from_iterable(words), CHARACTERS_OF_SHINGLE, "")
    return _runs(words, WORDS_OF_SHINGLE, " ")


_text_of: Final[Callable[[re.Match[str]], str]] = re.Match.group


def _has_no_spaces(text: str) -> bool:
    middle = len(text) // 2
    sample = text if len(text) <= _SAMPLE else text[: _SAMPLE // 2] + text[middle : middle + _SAMPLE // 2]
    wide = 0 if sample.isascii() else len(_WIDE.findall(sample))
    return wide > 0 and wide > WIDE_SHARE * sum(map(str.isalpha, sample))


def _runs(parts: Iterator[str], length: int, joint: str) -> Iterator[list[str]]:
    """Each run of `length` parts, some at a time; a shorter text is one run."""
    window: list[str] = []
    complete = False
    while batch := list(islice(parts, SHINGLES_AT_ONCE)):
        window += batch
        if runs := list(map(joint.join, zip(*(window[first:] for first in range(length)), strict=False))):
            complete = True
            yield runs
        window = window[1 - length :]
    if window and not complete:
        yield [joint.join(window)]
