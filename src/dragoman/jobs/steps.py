"""How long each step of a job takes: what `Progress` tells, timed."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from dragoman.kit.clock import Stopwatch


class StepTimes:
    """Of the jobs of one attempt. A job is in a step from when that is told until another one is, or until it ends.

    Jobs that run together are in a step together: each is given the time that all of them took.
    """

    def __init__(self) -> None:
        self._watch = Stopwatch()
        self._now: dict[UUID, tuple[str, float]] = {}
        self._spent_ms: dict[UUID, dict[str, float]] = {}

    def tell(self, job_ids: Iterable[UUID], step: str) -> None:
        """These jobs are in this step now."""
        at = self._watch.elapsed_ms
        for job_id in job_ids:
            current = self._now.get(job_id)
            if current is None or current[0] != step:
                self._end(job_id, at)
                self._now[job_id] = (step, at)

    def finish(self, job_ids: Iterable[UUID]) -> dict[str, dict[str, float]]:
        """Milliseconds by step, by job; jobs that told no step are left out. These jobs have ended."""
        at = self._watch.elapsed_ms
        found = {}
        for job_id in job_ids:
            self._end(job_id, at)
            if spent := self._spent_ms.pop(job_id, None):
                found[str(job_id)] = {step: round(took, 2) for step, took in spent.items()}
        return found

    def _end(self, job_id: UUID, at: float) -> None:
        current = self._now.pop(job_id, None)
        if current is not None:
            step, since = current
            spent = self._spent_ms.setdefault(job_id, {})
            spent[step] = spent.get(step, 0.0) + at - since
