"""Talks JSON to a server that an operator has set, tries again where that helps, and leaves it alone while it is away."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx

from dragoman.kit import tracing
from dragoman.kit.errors import DragomanError, UnavailableError
from dragoman.kit.retry_after import parse_retry_after

_WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_BACKOFF_S: Final = (0.2, 1.0, 3.0)
_LONGEST_WAIT_S: Final = 10.0  # whoever calls holds a transaction open; a job that meets an outage comes again anyway
_REST_S: Final = 10.0
LONGEST_REMOVAL_S: Final = 5.0  # somebody waits for the deletion, and what a server keeps is removed by a check
_SHOWN: Final = 300  # characters of what a server says about an error


class ServiceAwayError(UnavailableError):
    """A server outside does not answer, or is overloaded. Check that it runs and that its address is right."""

    code = "outside_service.away"
    is_outage = True


class ServiceRefusedError(DragomanError):
    """A server outside refuses a request. Check its address, its key and its version."""

    code, status = "outside_service.refused", 502


class ServiceLacksError(ServiceRefusedError):
    """A server outside does not know what it was asked for."""

    code = "outside_service.not_found"


class JsonService:
    """One server, by its base address.

    After a call that it did not answer, it is asked nothing for `_REST_S`, so that a server that hangs costs one
    time-out and not one for each request.
    """

    def __init__(self, name: str, base_url: str, *, headers: Mapping[str, str], timeout_s: float) -> None:
        """`name` is told in errors: never an address, which may hold a password. `timeout_s` is of calls that name none."""
        self._name, self._timeout_s = name, timeout_s
        self._client = httpx.AsyncClient(base_url=base_url.rstrip("/"), headers=dict(headers), trust_env=False)
        self._away_until = 0.0

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        timeout_s: float | None = None,
        tries: int = 1,
        query: Mapping[str, str | int] | None = None,
        lines: bytes | None = None,
    ) -> Any:
        """What the server answers, parsed; None for an empty answer. `lines` is a body of JSON lines instead of `body`.

        Raises:
            ServiceAwayError: no answer, or it asks to come later, in all the tries.
            ServiceRefusedError: any other error, or an answer that is no JSON.
            ServiceLacksError: status 404.
        """
        if time.monotonic() < self._away_until:
            raise self._away("It did not answer a moment ago.", retry_after_s=self._away_until - time.monotonic())
        content: dict[str, Any] = {"json": body} if lines is None else {"content": lines}
        kind = {} if lines is None else {"Content-Type": _LINES}
        for number in range(tries):
            try:
                answer = await self._client.request(
                    method,
                    path,
                    params=dict(query or {}),
                    timeout=timeout_s or self._timeout_s,
                    headers={**kind, **tracing.outgoing_headers()},
                    **(content if body is not None or lines else {}),
                )
            except httpx.HTTPError as error:
                failure, wait_s = self._away(type(error).__name__), None
            else:
                if answer.status_code not in _WORTH_ANOTHER_TRY:
                    return self._read(answer)
                wait_s = parse_retry_after(answer.headers)
                failure = self._away(f"Status {answer.status_code}: {answer.text[:_SHOWN]}", retry_after_s=wait_s)
            if number == tries - 1 or (wait_s or 0.0) > _LONGEST_WAIT_S:
                break
            await asyncio.sleep(wait_s or _BACKOFF_S[min(number, len(_BACKOFF_S) - 1)] * random.uniform(0.8, 1.2))
        self._away_until = time.monotonic() + min(_REST_S, wait_s or _REST_S)
        raise failure

    async def close(self) -> None:
        await self._client.aclose()

    def _away(self, reason: str, *, retry_after_s: float | None = None) -> ServiceAwayError:
        return ServiceAwayError(f"{self._name} does not answer. {reason}", retry_after_s=retry_after_s)

    def _read(self, answer: httpx.Response) -> Any:
        if answer.status_code == 404:
            raise ServiceLacksError(f"{self._name} answers with status 404: {answer.text[:_SHOWN]}")
        if not answer.is_success:
            raise ServiceRefusedError(
                f"{self._name} answers with status {answer.status_code}: {answer.text[:_SHOWN]}",
                upstream_status=answer.status_code,
            )
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise ServiceRefusedError(f"{self._name} answers with something that is no JSON.") from error


_LINES: Final = "application/x-ndjson"
