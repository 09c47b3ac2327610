# Made from client/usage.py by `python -m dragoman.client.twin`. Change that one.
"""What model calls took, and the budgets that bound them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from dragoman.client.models import Budget, UsageLine
from dragoman.client.sync.paging import pages
from dragoman.client.sync.transport import Transport

_USAGE = "/api/usage/"
_BUDGETS = "/api/budgets/"


class UsageReports:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(
        self,
        *,
        by: str = "day",
        chatbot_id: UUID | str | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
    ) -> Iterator[UsageLine]:
        """Calls, tokens and cost by `day`, `model`, `operation`, `kind`, `chatbot`, `user` or `session`."""
        params: dict[str, Any] = {"by": by}
        if chatbot_id is not None:
            params["chatbot_id"] = str(chatbot_id)
        if first_day is not None:
            params["first_day"] = first_day.isoformat()
        if last_day is not None:
            params["last_day"] = last_day.isoformat()
        for item in pages(self._transport, _USAGE, "lines", params):
            yield UsageLine.model_validate(item)

    def budgets(self) -> list[Budget]:
        """All that bind your tenant, with what is spent of them."""
        found = self._transport.request("GET", _BUDGETS)
        return [Budget.model_validate(item) for item in found["budgets"]]

    def set_budget(self, *, scope: str, period: str, limit_usd: Decimal | float, subject: UUID | str = "") -> Budget:
        """A new budget, or a new limit where scope (`tenant`, `chatbot`, `user`), subject and period have one.

        `subject`: a chatbot's id or an asker's name; empty: each one that has no budget of its own. `period`: `day` or
        `month`.
        """
        body = {"scope": scope, "period": period, "subject": str(subject), "limit_usd": str(limit_usd)}
        return Budget.model_validate(self._transport.request("PUT", _BUDGETS, json=body))

    def delete_budget(self, budget_id: UUID | str) -> None:
        self._transport.request("DELETE", f"{_BUDGETS}{budget_id}/")
