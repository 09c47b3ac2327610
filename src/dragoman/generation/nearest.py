"""What "I don't know" offers: the documents that come nearest, which are no sources of anything said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dragoman.generation.entities import GenerationRequest
from dragoman.generation.output import safe
from dragoman.generation.phrases import nearest_documents
from dragoman.retrieval.entities import Passage

MOST_OFFERED: Final = 3


def offered(request: GenerationRequest, text: str, grounding: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The text with the titles of the nearest documents below it, and the grounding with their ids."""
    documents = [
        {
            "doc_id": str(passage.found.chunk.document_id),
            "title": passage.found.title or passage.found.file_name,
            "similarity_score": round(passage.similarity_score, 4),
        }
        for passage in _best_of_each_document(request)[:MOST_OFFERED]
    ]
    if not documents:
        return text, dict(grounding)
    titles = "\n".join(f"- {safe(request, str(document['title']))}" for document in documents)
    below = f"{nearest_documents(request.language)}\n{titles}"
    return f"{text}\n\n{below}", {**grounding, "nearest_documents": documents}


def _best_of_each_document(request: GenerationRequest) -> list[Passage]:
    best: dict[object, Passage] = {}
    for passage in request.found.passages:
        best.setdefault(passage.found.chunk.document_id, passage)
    return list(best.values())
