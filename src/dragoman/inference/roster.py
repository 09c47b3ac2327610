"""The adapters of one port by name: each made when it is first asked for, behind a time limit and a breaker of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

from dragoman.inference.breaker import CircuitBreaker
from dragoman.kit.errors import DragomanError


class _Closable(Protocol):
    async def close(self) -> None: ...


T = TypeVar("T", bound=_Closable)


class Roster(Generic[T]):
    """Re-rankers, translators or judges."""

    def __init__(
        self,
        factories: Mapping[str, Callable[[], T]],
        *,
        unknown: Callable[[str, str], DragomanError],
        late: type[DragomanError],
    ) -> None:
        """`unknown` makes the error for a name that is not there, given with those that are; `late` is a time limit's."""
        self._factories = dict(factories)
        self._unknown, self._late = unknown, late
        self._made: dict[str, T] = {}
        self._breakers: dict[str, CircuitBreaker] = {}

    @property
    def names(self) -> list[str]:
        return sorted(self._factories)

    def get(self, name: str) -> T:
        """Raises the error for an unknown name; InvalidSettingError: it cannot be made with these settings."""
        if name not in self._made:
            if name not in self._factories:
                raise self._unknown(name, ", ".join(self.names))
            self._made[name] = self._factories[name]()
        return self._made[name]

    def is_resting(self, name: str) -> bool:
        """Whether it has failed so often that it is left alone."""
        return self._breaker(name).is_open

    @asynccontextmanager
    async def asked(self, name: str, *, timeout_s: float) -> AsyncIterator[None]:
        """Around one use of an adapter: what fails, and may not fail the next time, counts against it.

        Raises:
            CircuitOpenError: it is left alone. The error of the time limit. What is raised within.
        """
        breaker = self._breaker(name)
        breaker.check()
        try:
            async with asyncio.timeout(timeout_s):
                yield
        except TimeoutError as error:
            breaker.failed()
            raise self._late from error
        except DragomanError as error:
            if error.retryable:
                breaker.failed()
            raise
        breaker.succeeded()

    async def close(self) -> None:
        for adapter in self._made.values():
            await adapter.close()

    def _breaker(self, name: str) -> CircuitBreaker:
        return self._breakers.setdefault(name, CircuitBreaker(name))
