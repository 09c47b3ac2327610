# Made from client/transport.py by `python -m dragoman.client.twin`. Change that one.
"""Sends requests and turns whatever goes wrong into the client's errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from dragoman.client.errors import ApiError, ConnectionFailedError
from dragoman.client.transport import ServerSentEvent

_BUSY = frozenset({429, 503})
_LONGEST_WAIT_S = 30.0

Parts = Sequence[tuple[str, tuple[str, Any, str]]]
"""Files of a form: the field, then name, content (bytes or an open file) and MIME type. A field may come again."""

MakeFiles = Callable[[], Parts]
"""Makes the parts of an upload; called again for another try, as the first has read the file to its end."""


class Transport:
    """One connection pool, one key. A server that says it is busy (429, 503) is asked again, as late as it wishes."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        *,
        timeout_s: float,
        max_retries: int,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url, self._max_retries = url.rstrip("/"), max_retries
        self._http = httpx.Client(
            base_url=self.url,
            headers={"X-API-Key": api_key} if api_key else {},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 5.0)),
            transport=transport,
            verify=self.url.startswith("https:"),  # reading the certificates takes 20 ms
        )

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        files: MakeFiles | None = None,
    ) -> Any:
        """The answer's JSON, None where it has no body.

        Raises:
            ApiError, ConnectionFailedError.
        """
        for attempt in range(self._max_retries + 1):
            response = self._send(method, path, json, params, form, files)
            if response.status_code not in _BUSY or attempt == self._max_retries:
                break
            wished_s = _retry_after_s(response)
            time.sleep(min(2.0**attempt if wished_s is None else wished_s, _LONGEST_WAIT_S))
        if response.is_success:
            return response.json() if response.content else None
        raise _error_of(response)

    def _send(
        self,
        method: str,
        path: str,
        json: Any,
        params: Mapping[str, Any] | None,
        form: Mapping[str, Any] | None,
        files: MakeFiles | None,
    ) -> httpx.Response:
        with self._translated():
            return self._http.request(
                method, path, json=json, params=_given(params), data=_given(form), files=files() if files else None
            )

    @contextmanager
    def open_content(self, path: str, *, params: Mapping[str, Any] | None = None) -> Iterator[httpx.Response]:
        """An answer whose content is read piece by piece, with `iter_bytes`, while the context is open.

        Raises:
            ApiError, ConnectionFailedError; the latter also where it breaks off before its end.
        """
        with self._translated(), self._http.stream("GET", path, params=_given(params)) as response:
            if not response.is_success:
                response.read()
                raise _error_of(response)
            yield response

    def stream_events(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        last_event_id: str | None = None,
    ) -> Generator[ServerSentEvent, None, None]:
        """The server-sent events of an answer, as they arrive.

        Raises:
            ApiError: refused before the stream began. ConnectionFailedError; also where the stream breaks off.
        """
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        with (
            self._translated(),
            self._http.stream(method, path, json=json, params=_given(params), headers=headers) as response,
        ):
            if not response.is_success:
                response.read()
                raise _error_of(response)
            event_id: str | None = None
            data: list[str] = []
            for line in _lines(response):
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "data":
                    data.append(value)
                elif field == "id":
                    event_id = value
                elif not line and data:
                    yield ServerSentEvent(id=event_id, data="\n".join(data))
                    data = []

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise ConnectionFailedError(self.url, "it took too long") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ConnectionFailedError(self.url, str(error) or type(error).__name__) from error


def _lines(response: httpx.Response) -> Iterator[str]:
    """Lines as server-sent events mean them. `aiter_lines` also ends them at signs that stand within a text."""
    rest = b""
    for content in response.iter_bytes():
        *lines, rest = (rest + content).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode()


def _given(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {name: value for name, value in values.items() if value is not None}


def _error_of(response: httpx.Response) -> ApiError:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    detail = problem.get("detail") or f"The server answered {response.status_code} {response.reason_phrase}."
    return ApiError(
        status=response.status_code,
        code=str(problem.get("code") or f"http_{response.status_code}"),
        detail=str(detail),
        retry_after_s=_retry_after_s(response),
        request_id=problem.get("request_id") or response.headers.get("x-request-id"),
    )


def _retry_after_s(response: httpx.Response) -> float | None:
    """Seconds from `Retry-After`; Dragoman sends whole seconds, never a date."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None
