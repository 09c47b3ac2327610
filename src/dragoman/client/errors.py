"""What can go wrong when Dragoman is asked over HTTP.

ClientError
├── ConnectionFailedError   nobody answered, or the connection broke
├── ApiError                the server answered with a problem document
│   └── StreamFailedError   it said so in the middle of an answer
├── DocumentFailedError     a document cannot be read
└── NotReadyInTimeError     a document was not ready in the time given
"""

from __future__ import annotations

from uuid import UUID


class ClientError(Exception):
    """A request to Dragoman failed."""


class ConnectionFailedError(ClientError):
    """The server did not answer.

    Attributes:
        url: the address that was asked.
        reason: what the network said.
    """

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(
            f"No answer from {url}: {reason}. Check that Dragoman runs there, or start it with `dragoman up`."
        )


class ApiError(ClientError):
    """The server answered with an error.

    Attributes:
        status: the HTTP status.
        code: the kind of error as a stable word, e.g. `tenancy.invalid_key`.
        detail: what happened and what to do.
        retry_after_s: seconds to wait before another try, where the server says so.
        request_id: under which the server's log tells more.
    """

    def __init__(
        self, *, status: int, code: str, detail: str, retry_after_s: float | None = None, request_id: str | None = None
    ) -> None:
        self.status, self.code, self.detail = status, code, detail
        self.retry_after_s, self.request_id = retry_after_s, request_id
        super().__init__(detail)


class StreamFailedError(ApiError):
    """The server could not finish an answer that it had begun."""

    def __init__(self, *, code: str, detail: str) -> None:
        super().__init__(status=500, code=code, detail=detail)


class DocumentFailedError(ClientError):
    """A document cannot be read. Attributes `code` and `reason` say why."""

    def __init__(self, document_id: UUID, *, code: str, reason: str) -> None:
        self.document_id, self.code, self.reason = document_id, code, reason
        super().__init__(reason)


class NotReadyInTimeError(ClientError):
    """A document was not searchable within the time given. It is still being read; ask for its status later."""

    def __init__(self, document_id: UUID, *, step: str, timeout_s: float) -> None:
        self.document_id, self.step = document_id, step
        super().__init__(
            f"The document {document_id} was not ready within {timeout_s:.0f} s (it is at the step {step!r}). "
            "It is still being read; `dragoman doctor` tells whether a worker runs."
        )
