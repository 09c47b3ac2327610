"""Texts of many calls, computed together by a bounded number of threads.

A free thread takes what waits at that moment; nothing waits for texts that may still come. So one call alone is computed
at once, and the more calls wait, the more of them are one computation of the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from dragoman.ports.embedder import Vectors

# What an engine makes of some texts: places among them and the vectors of these places, as they become ready.
Computation = Callable[[Sequence[str]], Iterable[tuple[Sequence[int], Vectors]]]


@dataclass(slots=True, kw_only=True)
class _Call:
    texts: Sequence[str]
    vectors: dict[int, Vectors] = field(default_factory=dict)
    taken: int = 0
    answer: Future[Vectors] = field(default_factory=Future)


class Lane:
    """Calls take turns, text by text. Of a cancelled call nothing more is taken.

    Args:
        compute: the engine; called by several threads at a time where `threads` says so.
        name: of the threads.
        threads: computations at a time.
        max_texts: texts in one computation.
        max_characters: characters in one computation, unless a single text has more.
        niceness: how far the threads step back behind others of the machine, 0 to 19 (Linux).
    """

    def __init__(
        self,
        compute: Computation,
        *,
        name: str,
        threads: int,
        max_texts: int,
        max_characters: int,
        niceness: int = 0,
    ) -> None:
        self._compute = compute
        self._threads = threads
        self._max_texts = max_texts
        self._max_characters = max_characters
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_step_back, initargs=(niceness,))
        self._guard = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._started = 0  # threads that take texts until none waits
        self._computing = 0  # those of them that are inside the engine

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text, of which there is at least one. Raises what the engine raises."""
        call = _Call(texts=texts)
        with self._guard:
            self._waiting.append(call)
            for _ in range(min(self._threads - self._started, len(texts))):
                self._pool.submit(self._work)
                self._started += 1
        return await asyncio.wrap_future(call.answer)

    def close(self) -> None:
        """Waiting calls are cancelled; a computation under way ends by itself."""
        with self._guard:
            for call in self._waiting:
                call.answer.cancel()
            self._waiting.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self) -> None:
        while batch := self._take():
            try:
                self._run(batch)
            finally:
                with self._guard:
                    self._computing -= 1

    def _take(self) -> list[tuple[_Call, int]]:
        """Texts for one computation, each as its call and its place in it. Empty: this thread ends."""
        batch: list[tuple[_Call, int]] = []
        room = self._max_characters
        with self._guard:
            waiting = sum(len(call.texts) - call.taken for call in self._waiting if not call.answer.done())
            share = min(self._max_texts, math.ceil(waiting / (self._threads - self._computing)))
            while self._waiting and len(batch) < share:
                call = self._waiting[0]
                if call.answer.done():  # cancelled, or failed with another of its texts
                    self._waiting.popleft()
                    continue
                room -= len(call.texts[call.taken])
                if batch and room < 0:
                    break
                batch.append((call, call.taken))
                call.taken += 1
                self._waiting.popleft()
                if call.taken < len(call.texts):
                    self._waiting.append(call)
            if batch:
                self._computing += 1
            else:
                self._started -= 1
        return batch

    def _run(self, batch: list[tuple[_Call, int]]) -> None:
        try:
            for places, vectors in self._compute([call.texts[at] for call, at in batch]):
                for place, vector in zip(places, vectors, strict=True):
                    self._hand_out(*batch[place], vector)
        except BaseException as error:  # noqa: BLE001 - the engine's error belongs to the calls, not to the thread
            for call, _ in batch:
                self._fail(call, error)

    def _hand_out(self, call: _Call, at: int, vector: Vectors) -> None:
        with self._guard:  # other threads compute other texts of the same call
            call.vectors[at] = vector
            if len(call.vectors) == len(call.texts) and _is_awaited(call):
                call.answer.set_result(np.stack([call.vectors[at] for at in range(len(call.texts))]))

    def _fail(self, call: _Call, error: BaseException) -> None:
        with self._guard:
            if _is_awaited(call):
                call.answer.set_exception(error)


def _is_awaited(call: _Call) -> bool:
    """Whether somebody still waits. From then on the call cannot be cancelled: its answer must follow at once."""
    return not call.answer.done() and call.answer.set_running_or_notify_cancel()


def _step_back(niceness: int) -> None:
    # Elsewhere it would hold for the whole process. Where a sandbox forbids it, passages only are less polite.
    if niceness and sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + niceness)
