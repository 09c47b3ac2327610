"""Works that need tokens counted: one by itself, many with one call for all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dragoman.ingestion.counting import Counting, count_alone, count_together
from dragoman.kit.threads import run_each


def summing(*rounds: list[str]) -> Counting[int]:
    """Adds up the tokens of its texts; breaks down over the text `bad`."""
    total = 0
    for texts in rounds:
        if "bad" in texts:
            raise ValueError("bad text")
        total += sum((yield texts))
    return total


class Counter:
    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    async def __call__(self, texts: Sequence[str]) -> list[int]:
        self.calls.append(list(texts))
        return [len(text) for text in texts]


@pytest.mark.parametrize("length", [1, 1_000_000])
async def test_one_work_is_sent_the_tokens_of_each_round(length: int) -> None:
    counter = Counter()
    assert await count_alone(summing(["a", "bb"], ["ccc"]), counter, length=length) == 6
    assert counter.calls == [["a", "bb"], ["ccc"]]
    with pytest.raises(ValueError, match="bad text"):
        await count_alone(summing(["a"], ["bad"]), counter, length=length)


async def test_many_works_are_counted_with_one_call_a_round_and_fail_alone() -> None:
    counter = Counter()
    works = [summing(["a"], ["bb", "cc"]), summing(), summing(["ddd"]), summing(["a"], ["bad"])]
    *sums, failed = await count_together(works, counter)
    assert sums == [5, 0, 3]
    assert isinstance(failed, ValueError)
    assert counter.calls == [["a", "ddd", "a"], ["bb", "cc"]]
    assert await count_together([], counter) == []


async def test_a_call_for_each_of_many_gives_the_error_of_each() -> None:
    found = await run_each(lambda number: 6 // number, [1, 0, 3])
    assert (found[0], found[2]) == (6, 2)
    assert isinstance(found[1], ZeroDivisionError)
