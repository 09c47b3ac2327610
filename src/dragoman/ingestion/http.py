"""How uploads arrive over HTTP: refused before they are read where possible, and stopped at the limit where not."""

from __future__ import annotations

import errno
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message

from dragoman.deps import Deps
from dragoman.deps.http import authenticated
from dragoman.ingestion.errors import DocumentTooLargeError, UploadStorageFullError
from dragoman.tenancy import access
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Permission

MIB = 1024 * 1024
FORM_ALLOWANCE_BYTES = 1 * MIB  # for the other fields, and the borders between the parts


class UploadRoute(APIRoute):
    """A route whose body is a file.

    FastAPI reads a form before it asks for permission. Here the caller is checked first, and the body is counted
    while it streams in: it may be as large as the largest document that a chatbot of the tenant accepts.
    """

    files = 1

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_counted(request: Request) -> Response:
            limit = await self._limit(request)
            stated = request.headers.get("content-length", "")
            if stated.isdecimal() and int(stated) > limit:
                raise too_large(limit)
            try:
                return await handle(_CountedRequest(request, limit))
            except HTTPException as error:  # FastAPI's word for whatever goes wrong while a form is read
                if isinstance(error.__cause__, DocumentTooLargeError):
                    raise error.__cause__ from None
                if isinstance(error.__cause__, OSError) and error.__cause__.errno in {errno.ENOSPC, errno.EDQUOT}:
                    raise UploadStorageFullError from error  # the form is kept in the folder for temporary files
                raise

        return handle_counted

    async def _limit(self, request: Request) -> int:
        """Raises the errors of `access.authenticate`, ForbiddenError."""
        deps: Deps = request.app.state.deps
        caller = await authenticated(request)
        access.require(caller, Permission.CONTRIBUTE_DOCUMENTS)
        largest = await tenancy.largest_document_mib(deps.database, caller)
        return largest * MIB * self.files + FORM_ALLOWANCE_BYTES


class ManyFilesRoute(UploadRoute):
    """The same for a request with many files: as large as four of the largest."""

    files = 4


class _CountedRequest(Request):
    def __init__(self, request: Request, limit: int) -> None:
        received = 0
        receive = request.receive

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise too_large(limit)
            return message

        super().__init__(request.scope, counted)


def too_large(limit: int) -> DocumentTooLargeError:
    return DocumentTooLargeError(
        f"The upload is larger than {(limit - FORM_ALLOWANCE_BYTES) / MIB:.0f} MiB, the most accepted at once here. "
        "Split it, or raise the chatbot setting `max_size_mib`.",
        limit_bytes=limit,
    )
