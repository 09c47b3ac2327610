"""What a language model wrote for the very same prompt is not paid for twice; nor for a question that asks the same.

The key of the former is all that the model is told: instructions, conversation, question and the text of each source; so other
knowledge, another asker's documents, another language or another template never meet an answer that was not theirs, and
nobody can read an entry once a source it was made of has gone. The latter is `similar_answers`. Search and the check
against the sources run as always.

Each text has a name, which its turn keeps. When an asker rates the answer down, the text is rejected under that name
(`rejected_texts`): it is told to nobody any more, and the next one who asks has it written anew.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, Literal

from prometheus_client import Counter

from dragoman.deps import Deps
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.generation import rejected_texts, similar_answers
from dragoman.generation.entities import GenerationRequest
from dragoman.generation.similar_answers import READS
from dragoman.inference.ladder import Charged, Fallback, Reused, TextEvent
from dragoman.inference.service import Writer
from dragoman.kit.cache import LayeredCache, cache_key
from dragoman.ports.llm import TextDelta, TextRequest
from dragoman.ports.search_scope import SearchScope

_WORDS: Final = re.compile(r"\S+\s*|\s+")

SAVED_USD = Counter("dragoman_answer_cache_saved_usd_total", "US dollars that answers from the cache would have cost.")
SAVED_SECONDS = Counter(
    "dragoman_answer_cache_saved_seconds_total", "Seconds of language models that were not waited for."
)


async def stream_text(
    deps: Deps,
    request: GenerationRequest,
    scope: SearchScope,
    version: EmbeddingVersion,
    writer: Writer,
    asked: TextRequest,
) -> AsyncGenerator[TextEvent, None]:
    """The model's text, or the one it wrote before for the same; then `Charged`, with `reused` there.

    What broke off, was cut at its longest, or was written by a model that stood in for another is not kept.

    Raises:
        As `Inference.stream_text`.
    """
    cache = deps.answer_cache
    if cache is None or not request.settings.cache_answers:
        stream = deps.inference.stream_text(request.context, writer, asked)
        async with aclosing(stream) as events:
            async for event in events:
                yield event
        return
    key = _key(request, writer, asked)
    if not request.is_fresh and (kept := await _find(deps, cache, key, request, scope, version)) is not None:
        for event in _told_again(*kept):
            yield event
        return
    started, parts, gave_way = time.perf_counter(), [], False
    stream = deps.inference.stream_text(request.context, writer, asked)
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                parts.append(event.text)
            elif isinstance(event, Fallback):
                gave_way = True
            elif not gave_way and event.finish == "stop":
                event = replace(event, remembered_as=key.hex())
                await cache.put(key, _kept("".join(parts), event, time.perf_counter() - started))
            yield event


async def _find(
    deps: Deps,
    cache: LayeredCache,
    key: bytes,
    request: GenerationRequest,
    scope: SearchScope,
    version: EmbeddingVersion,
) -> tuple[Mapping[str, Any], Literal["exact", "semantic"]] | None:
    """A text that was written before, and how it was found."""
    found = await cache.find(key)
    kept = None if found is None else json.loads(found)
    is_rejected = kept is not None and await rejected_texts.is_rejected(deps, scope.tenant_id, kept)
    READS.labels("exact", "miss" if kept is None else "rejected" if is_rejected else "hit").inc()
    if kept is not None and not is_rejected:
        return kept, "exact"
    similar = await similar_answers.find(deps, request, scope, version)
    return None if similar is None else (similar, "semantic")


def _key(request: GenerationRequest, writer: Writer, asked: TextRequest) -> bytes:
    told = [part for message in asked.messages for part in (message.role, message.content)]
    who = (request.context.tenant_id.bytes, str(request.context.chatbot_id), writer.name, asked.model or "")
    return cache_key(*who, str(asked.max_tokens), str(asked.temperature), *told)


def _kept(text: str, end: Charged, seconds: float) -> bytes:
    facts = {
        "text": text,
        "name_of_text": end.remembered_as,
        "written_at": time.time(),
        "name": end.name,
        "model": end.model,
        "cost_usd": str(end.cost_usd),
        "seconds": round(seconds, 3),
    }
    return json.dumps(facts).encode()


def _told_again(kept: Mapping[str, Any], kind: Literal["exact", "semantic"]) -> list[TextEvent]:
    saved = Reused(kind=kind, cost_usd=Decimal(kept["cost_usd"]), seconds=kept["seconds"])
    SAVED_USD.inc(float(saved.cost_usd))
    SAVED_SECONDS.inc(saved.seconds)
    words: list[TextEvent] = [TextDelta(text=match.group(0)) for match in _WORDS.finditer(kept["text"])]
    end = Charged(
        model=kept["model"],
        input_tokens=0,
        output_tokens=0,
        finish="stop",
        name=kept["name"],
        cost_usd=Decimal(0),
        reused=saved,
        remembered_as=kept["name_of_text"],
    )
    return [*words, end]
