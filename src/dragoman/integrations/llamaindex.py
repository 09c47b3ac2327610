"""Dragoman as a retriever of LlamaIndex: `DragomanRetriever(url, api_key).retrieve("…")`. Needs `dragoman[llama-index]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from dragoman.client import Dragoman, Passage, SyncDragoman

try:
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "LlamaIndex is not installed. Install it with: pip install 'dragoman[llama-index]'"
    ) from error

_FOR_THE_MODEL: Final = {"title", "page", "heading_path"}
"""What of the metadata a model is shown with the text; the rest is for programs."""


class DragomanRetriever(BaseRetriever):
    """The passages of a chatbot's documents that are nearest to a question, as nodes of LlamaIndex.

    A node's `id_` is that of the chunk, its `ref_doc_id` that of the document, and its score the `similarity_score` from
    0 to 1. Its `metadata` tells where it stands (`title`, `page`, `heading_path`, `start`, `end`, …).

    Raises `dragoman.client.ClientError` when it cannot search.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        chatbot_id: UUID | str | None = None,
        max_results: int = 5,
        similarity_threshold: float | None = None,
        mode: str | None = None,
        language: str | None = None,
        filter: str | Mapping[str, Any] | None = None,  # noqa: A002 - as the API says
        document_ids: Sequence[UUID | str] | None = None,
        user_id: str | None = None,
        timeout_s: float = 60.0,
        **settings: Any,
    ) -> None:
        """The options are those of `dragoman.client.Dragoman.search`; `settings` go to LlamaIndex's own retriever."""
        super().__init__(**settings)
        self._address: dict[str, Any] = {"url": url, "api_key": api_key, "timeout_s": timeout_s}
        self._options: dict[str, Any] = {
            "chatbot_id": chatbot_id,
            "max_results": max_results,
            "similarity_threshold": similarity_threshold,
            "mode": mode,
            "language": language,
            "filter": filter,
            "document_ids": document_ids,
            "user_id": user_id,
        }

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        with SyncDragoman(**self._address) as client:
            found = client.search(query_bundle.query_str, **self._options)
        return [_node(passage) for passage in found.results]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        async with Dragoman(**self._address) as client:
            found = await client.search(query_bundle.query_str, **self._options)
        return [_node(passage) for passage in found.results]


def _node(passage: Passage) -> NodeWithScore:
    metadata = passage.model_dump(mode="json", exclude={"content", "signals"})
    kept_back = [name for name in metadata if name not in _FOR_THE_MODEL]
    node = TextNode(
        id_=str(passage.chunk_id),
        text=passage.content,
        metadata=metadata,
        excluded_llm_metadata_keys=kept_back,
        excluded_embed_metadata_keys=kept_back,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=str(passage.document_id))},
    )
    return NodeWithScore(node=node, score=passage.similarity_score)
