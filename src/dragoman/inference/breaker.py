"""A circuit breaker (Nygard, Release It!, 2007): a model that keeps failing is left alone for a while."""

from __future__ import annotations

import time

from prometheus_client import Gauge

from dragoman.inference.errors import CircuitOpenError

BREAKER_OPEN = Gauge(
    "dragoman_breaker_open",
    "1: this model failed too often, and only a call now and then tries whether it is back.",
    ["model"],
    multiprocess_mode="livemax",
)


class CircuitBreaker:
    """Opens after `threshold` failures in a row; after `rest_s` one call may try, and its outcome decides."""

    def __init__(self, model: str = "", *, threshold: int = 5, rest_s: float = 10.0) -> None:
        self._model = model
        self._threshold, self._rest_s = threshold, rest_s
        self._failures = 0
        self._opened_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._threshold and time.monotonic() - self._opened_at < self._rest_s

    def check(self) -> None:
        """Raises CircuitOpenError while the circuit is open; lets one trial through when the rest is over."""
        if self.is_open:
            raise CircuitOpenError(retry_after_s=self._rest_s - (time.monotonic() - self._opened_at))
        if self._failures >= self._threshold:
            self._opened_at = time.monotonic()  # this caller is the trial; the others wait for its outcome

    def succeeded(self) -> None:
        if self._failures >= self._threshold:
            BREAKER_OPEN.labels(self._model).set(0)
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= self._threshold:
            self._opened_at = time.monotonic()
            BREAKER_OPEN.labels(self._model).set(1)
