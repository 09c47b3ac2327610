"""A usage record: one model call, who caused it, what it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    id: UUID
    tenant_id: UUID
    chatbot_id: UUID | None
    purpose: str
    adapter: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    latency_ms: float
    error_code: str | None
    created_at: datetime
