"""Spans of model calls, by OpenTelemetry's semantic conventions for generative AI (`gen_ai.*`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from opentelemetry.trace import Span

from dragoman.kit import tracing
from dragoman.metering.entities import UsageRecord
from dragoman.ports.llm import ChatMessage

_OPERATIONS: Final = {
    "llm": "chat",
    "embedder": "embeddings",
}  # those that the conventions name; others keep the port's


def start(*, kind: str, name: str, model: str, purpose: str, tokens: int | None = None) -> Span:
    """A span of one call.

    Args:
        kind: the port. name: of the adapter, the listed model or the embedding version. model: the provider's.
        tokens: that it may write at most.
    """
    if not tracing.is_traced():
        return tracing.start_nothing()
    operation = _OPERATIONS.get(kind, kind)
    span = tracing.start(
        f"{operation} {model or name}",
        kind=tracing.CLIENT,
        gen_ai__operation__name=operation,
        gen_ai__provider__name=name,
        gen_ai__request__model=model or name,
        dragoman__purpose=purpose,
    )
    if tokens is not None:
        span.set_attribute("gen_ai.request.max_tokens", tokens)
    return span


def end(span: Span, record: UsageRecord, *, said: Sequence[str] | None = None) -> None:
    """What the call took, as its usage record says, and what was written, where spans may hold text."""
    if not span.is_recording():
        return
    span.set_attribute("gen_ai.response.model", record.model)
    span.set_attribute("gen_ai.usage.input_tokens", record.input_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", record.output_tokens)
    span.set_attribute("dragoman.cost_usd", float(record.cost_usd))
    span.set_attribute("dragoman.tenant_id", str(record.tenant_id))
    if said:
        answer = [{"role": "assistant", "parts": [{"type": "text", "content": "".join(said)}]}]
        span.set_attribute("gen_ai.output.messages", json.dumps(answer, ensure_ascii=False))
    tracing.finish(span, record.error_code)


def show_question(span: Span, messages: Sequence[ChatMessage]) -> None:
    """What the model is told, where spans may hold text."""
    if tracing.shows_text():
        told = [{"role": each.role, "parts": [{"type": "text", "content": each.content}]} for each in messages]
        span.set_attribute("gen_ai.input.messages", json.dumps(told, ensure_ascii=False))
