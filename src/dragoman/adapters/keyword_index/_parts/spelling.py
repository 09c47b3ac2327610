"""Words that are spelled nearly like another: Damerau and Levenshtein's distance in its restricted form (Damerau 1964).

Insertions, deletions, substitutions and swaps of neighbours count one each, and no letter is changed twice. All words
are compared at once, a letter at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

SHORTEST: Final = 4  # letters; of shorter words too many are one letter apart
_LONG: Final = 8  # letters from which two errors are allowed
_MOST: Final = 3  # words taken for one


def most_errors(word: str) -> int:
    """How many errors are believed of a word: none in short words, codes and numbers."""
    if len(word) < SHORTEST or not word.isalpha():
        return 0
    return 2 if len(word) >= _LONG else 1


def distances(word: str, others: Sequence[str]) -> NDArray[np.int64]:
    """The distance of each of the others from the word."""
    if not others:
        return np.zeros(0, np.int64)
    letters = np.array(others, dtype=str)
    width = letters.dtype.itemsize // 4
    codes = letters.view(np.uint32).reshape(len(others), width)
    rows: list[NDArray[np.int64]] = [np.broadcast_to(np.arange(width + 1), (len(others), width + 1)).copy()]
    for number, letter in enumerate(map(ord, word)):
        above = rows[-1]
        row = np.empty_like(above)
        row[:, 0] = number + 1
        changed = above[:, :-1] + (codes != letter)
        for place in range(width):
            best = np.minimum(np.minimum(row[:, place], above[:, place + 1]) + 1, changed[:, place])
            if number and place:
                swapped = (codes[:, place - 1] == letter) & (codes[:, place] == ord(word[number - 1]))
                best = np.where(swapped, np.minimum(best, rows[-2][:, place - 1] + 1), best)
            row[:, place + 1] = best
        rows.append(row)
    lengths = np.char.str_len(letters)
    return rows[-1][np.arange(len(others)), lengths]


def likely(word: str, others: Sequence[str], *, errors: int) -> dict[int, list[str]]:
    """Those of the others that are at most `errors` from the word, by their distance. All begin with its first letter."""
    near = sorted({other for other in others if abs(len(other) - len(word)) <= errors and most_errors(other)})
    found: dict[int, list[str]] = {}
    for other, distance in zip(near, distances(word, near).tolist(), strict=True):
        if 0 < distance <= errors:
            found.setdefault(distance, []).append(other)
    return found


def choose(by_document_count: dict[str, int]) -> list[str]:
    """The most frequent of equally likely words."""
    held = [word for word, count in by_document_count.items() if count]
    return sorted(held, key=lambda word: (-by_document_count[word], word))[:_MOST]
