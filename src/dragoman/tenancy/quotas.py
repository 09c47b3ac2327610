"""The limits that can be set, and which of them holds: a chatbot's, else its tenant's, else the installation's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

MOST: Final = 1_000_000


def _quota(what: str) -> Any:
    return Field(None, ge=0, le=MOST, description=f"{what}; 0 for no limit, null for that of the installation.")


class Quotas(BaseModel):
    """What a tenant sets for itself. None: not set here; 0: no limit.

    Limits of one asker may be above those of the installation. Those of the whole tenant can only be below: they protect
    the other tenants.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    messages_per_minute: int | None = _quota("Messages of one asker in a minute, who may not manage chatbots")
    messages_per_minute_managers: int | None = _quota("The same for those who may manage chatbots")
    messages_per_minute_key: int | None = _quota("Messages of one API key in a minute, whomever it acts for")
    messages_per_minute_tenant: int | None = _quota("Messages of all of the tenant in a minute")
    searches_per_minute: int | None = _quota("Searches of one asker in a minute, who may not manage chatbots")
    searches_per_minute_managers: int | None = _quota("The same for those who may manage chatbots")
    searches_per_minute_key: int | None = _quota("Searches of one API key in a minute, whomever it acts for")
    searches_per_minute_tenant: int | None = _quota("Searches of all of the tenant in a minute")
    documents_per_day: int | None = _quota("Uploads in 24 hours of one who may not manage documents")
    documents_per_day_managers: int | None = _quota("The same for those who may manage documents")
    documents_per_day_tenant: int | None = _quota("Uploads of all of the tenant in 24 hours")
    streams: int | None = _quota(
        "Streams of one asker at the same time, of answers and of documents' events, who may not manage chatbots"
    )
    streams_managers: int | None = _quota("The same for those who may manage chatbots")
    streams_tenant: int | None = _quota("Streams of all of the tenant at the same time")


class EffectiveQuotas(BaseModel):
    """Which limits hold. 0: no limit."""

    model_config = ConfigDict(frozen=True)

    messages_per_minute: int
    messages_per_minute_managers: int
    messages_per_minute_key: int
    messages_per_minute_tenant: int
    searches_per_minute: int
    searches_per_minute_managers: int
    searches_per_minute_key: int
    searches_per_minute_tenant: int
    documents_per_day: int
    documents_per_day_managers: int
    documents_per_day_tenant: int
    streams: int
    streams_managers: int
    streams_tenant: int

    def lowered_by(self, tenant: Quotas) -> EffectiveQuotas:
        """With what a tenant sets."""
        values = self.model_dump()
        for name, set_to in tenant.model_dump(exclude_none=True).items():
            values[name] = _lower(set_to, values[name]) if name.endswith("_tenant") else set_to
        return EffectiveQuotas(**values)

    def replaced_by(self, chatbot_settings: Mapping[str, Any]) -> EffectiveQuotas:
        """With what a chatbot sets."""
        known = type(self).model_fields
        own = {name: value for name, value in chatbot_settings.items() if name in known and value is not None}
        return self.model_copy(update=own) if own else self


def _lower(one: int, other: int) -> int:
    """The lower of two limits, of which 0 is none."""
    return min(one, other) if one and other else one or other
