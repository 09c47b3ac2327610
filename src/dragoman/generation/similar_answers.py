"""What a language model wrote is told again for a question that asks the same in other words.

Questions whose answers are kept stand on shelves with their vectors. A shelf is named by all that an answer depends on
beside the question: tenant, chatbot, its settings and revision of the knowledge, the instructions, the embedding version,
the languages, the filters. Each asker has a shelf of their own for what was written from private documents or within a
conversation; the other answers stand on one that all share.

The vectors only propose. The question must ask the same word by word (`same_question`), and the search that was made for it
must have brought every passage that the answer cites, and as its best one a passage that the answer was written from.
Its sentences are then checked against these passages, and its citations against the database, as those of any answer.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog
from prometheus_client import Counter
from pydantic_core import to_json

from dragoman.deps import Deps
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.generation import rejected_texts
from dragoman.generation.entities import Draft, GenerationRequest
from dragoman.generation.same_question import why_different
from dragoman.inference.ladder import Charged
from dragoman.inference.question_cache import normalised
from dragoman.kit.cache import cache_key
from dragoman.kit.errors import DragomanError
from dragoman.kit.vector_shelves import NearText
from dragoman.knowledge import repository as knowledge
from dragoman.ports.embedder import Vectors
from dragoman.ports.search_scope import SearchScope
from dragoman.retrieval.entities import Passage

_log = structlog.get_logger(__name__)
_MOST_COMPARED: Final = 8  # of the nearest questions; each costs 0.1 ms when it is read for the first time
_MARKER: Final = re.compile(r"\[(\d{1,3}(?:[,;] ?\d{1,3}){0,7})\]")

READS = Counter(
    "dragoman_answer_cache_reads_total",
    "Looks for a remembered answer: `exact`, for the same prompt, then `semantic`. The result is `hit`, `miss`, or why the "
    "nearest question was refused.",
    ["kind", "result"],
)


async def find(
    deps: Deps, request: GenerationRequest, scope: SearchScope, version: EmbeddingVersion
) -> Mapping[str, Any] | None:
    """What was written for a question that asks the same, with the markers of this request's passages; None: nothing.

    Nothing is raised but what the database raises.
    """
    shelves = deps.similar_questions
    if shelves is None or not request.settings.similar_questions:
        return None
    vector = await _vector(deps, request, version)
    if request.standalone is None or vector is None:
        READS.labels("semantic", "not_standalone" if request.standalone is None else "no_vector").inc()
        return None
    circumstances = _circumstances(request, scope, version)
    own, shared = _shelf(circumstances, asker=scope.owner), _shelf(circumstances, asker=None)
    near = await shelves.nearest(
        [own, shared], vector, at_least=request.settings.similar_questions_from, limit=_MOST_COMPARED
    )
    refused = "miss"
    for question in near:
        kept, reason = await _kept(deps, request, scope, question, is_shared=question.shelf == shared)
        if kept is not None:
            READS.labels("semantic", "hit").inc()
            return kept
        refused = reason if refused == "miss" else refused
    READS.labels("semantic", refused).inc()
    return None


async def keep(
    deps: Deps,
    request: GenerationRequest,
    scope: SearchScope,
    version: EmbeddingVersion,
    draft: Draft,
    end: Charged,
    seconds: float,
) -> None:
    """Remember an answer that was just written, if it is whole, supported by its sources, and by the model that was wanted."""
    shelves, answers = deps.similar_questions, deps.answer_cache
    settings = request.settings
    if shelves is None or answers is None or not (settings.cache_answers and settings.similar_questions):
        return
    if request.standalone is None or end.reused is not None or end.finish != "stop" or not _is_sound(request, draft):
        return
    vector = await _vector(deps, request, version)
    if vector is None:
        return
    passages = _passages(request)
    is_shared = not request.history and await _are_shared(deps, scope, passages)
    shelf = _shelf(_circumstances(request, scope, version), asker=None if is_shared else scope.owner)
    written = {
        "text": draft.text,
        "name_of_text": end.remembered_as,
        "written_at": time.time(),
        "chunks": [str(passage.chunk_id) for passage in passages],
        "name": end.name,
        "model": end.model,
        "cost_usd": str(end.cost_usd),
        "seconds": round(seconds, 3),
    }
    question = normalised(request.standalone)
    await answers.put(_answer_key(shelf, question), json.dumps(written).encode())
    await shelves.put(shelf, question, vector)


# ---- finding


async def _kept(
    deps: Deps, request: GenerationRequest, scope: SearchScope, near: NearText, *, is_shared: bool
) -> tuple[Mapping[str, Any] | None, str]:
    """The answer to a question near by as it may be told here; or None, and why not."""
    assert deps.similar_questions is not None
    assert request.standalone is not None
    if refusal := why_different(request.standalone, near.text, request.language):
        return None, refusal.reason
    found = await deps.answer_cache.find(_answer_key(near.shelf, near.text)) if deps.answer_cache else None
    if found is None:
        deps.similar_questions.drop(near)
        return None, "expired"
    kept = json.loads(found)
    text = _with_numbers_of(request, kept)
    if text is None:
        return None, "passages"
    if is_shared and not await _are_shared(deps, scope, _passages(request)):
        return None, "private"
    if await rejected_texts.is_rejected(deps, scope.tenant_id, kept):
        return None, "rejected"
    return {**kept, "text": text}, ""


def _with_numbers_of(request: GenerationRequest, kept: Mapping[str, Any]) -> str | None:
    """The text with the numbers that its sources have in this request; None where one is missing, or another is the best."""
    here = {str(passage.chunk_id): number for number, passage in enumerate(_passages(request), start=1)}
    chunks: Sequence[str] = kept["chunks"]
    if next(iter(here), None) not in chunks:
        return None
    cited = {int(number) for match in _MARKER.finditer(kept["text"]) for number in re.findall(r"\d+", match[1])}
    if any(not 0 < number <= len(chunks) or chunks[number - 1] not in here for number in cited):
        return None

    def renumbered(match: re.Match[str]) -> str:
        numbers = (here[chunks[int(number) - 1]] for number in re.findall(r"\d+", match[1]))
        return f"[{', '.join(map(str, numbers))}]"

    return _MARKER.sub(renumbered, kept["text"])


# ---- keeping


def _is_sound(request: GenerationRequest, draft: Draft) -> bool:
    """Answered, cited, every sentence supported, and nothing on the way skipped or replaced."""
    is_checked = draft.grounding.get("score") is not None and not draft.grounding.get("ungrounded", 1)
    return draft.answered and bool(draft.citations) and is_checked and not draft.degraded and not request.found.degraded


# ---- both


def _passages(request: GenerationRequest) -> Sequence[Passage]:
    return request.found.passages[: request.settings.max_sources]


def _shelf(circumstances: bytes, *, asker: str | None) -> bytes:
    """`asker`: whose shelf; None: the one that all share."""
    return cache_key(circumstances, "shared" if asker is None else f"of {asker}")


def _circumstances(request: GenerationRequest, scope: SearchScope, version: EmbeddingVersion) -> bytes:
    """All that an answer depends on beside its question and its asker."""
    return cache_key(
        "similar answers",
        scope.tenant_id.bytes,
        scope.chatbot_id.bytes,
        str(request.knowledge_revision),
        to_json(replace(scope, owner=None)),
        version.name,
        request.settings.model_dump_json(),
        request.answerer,
        request.system_message,
        str(request.template_version),
        request.language,
        request.asked_in,
        request.translator.name if request.translator else "",
    )


def _answer_key(shelf: bytes, question: str) -> bytes:
    return cache_key("similar answer", shelf, question)


async def _vector(deps: Deps, request: GenerationRequest, version: EmbeddingVersion) -> Vectors | None:
    """Of the question as it stands alone; the search has had it made. None: the embedder is away, or is not asked."""
    if request.standalone is None or request.found.question_vector is None:
        return None
    try:
        return await deps.inference.embed_question(request.context, version.name, request.standalone)
    except DragomanError as error:
        _log.warning("generation.similar_answers_without_vector", code=error.code, reason=error.message)
        return None


async def _are_shared(deps: Deps, scope: SearchScope, passages: Sequence[Passage]) -> bool:
    """Whether all who may ask the chatbot may read what the passages are of."""
    documents = {each.found.chunk.document_id for passage in passages for each in passage.apart}
    async with deps.database.reading(scope.tenant_id) as connection:
        return await knowledge.are_all_shared(connection, tenant_id=scope.tenant_id, document_ids=documents)
