"""From where the request comes that is being served: for audit events, limits and logs, without a parameter on the way."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """Empty where no request is being served: a job, a command.

    Attributes:
        address: of the client; behind a trusted proxy the one that it forwards for.
        user_agent: as the client says, at most 200 characters.
    """

    request_id: str = ""
    address: str = ""
    user_agent: str = ""


_NOWHERE: Final = RequestOrigin()
_origin: ContextVar[RequestOrigin] = ContextVar("request_origin", default=_NOWHERE)

current = _origin.get
begin = _origin.set
