"""Dragoman as a retriever of LangChain: `DragomanRetriever(url=…, api_key=…).invoke("…")`. Needs `dragoman[langchain]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, SecretStr

from dragoman.client import Dragoman, Passage, SyncDragoman

try:
    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "LangChain is not installed. Install it with: pip install 'dragoman[langchain]'"
    ) from error


class DragomanRetriever(BaseRetriever):
    """The passages of a chatbot's documents that are nearest to a question, as LangChain documents.

    Their `id` is that of the chunk. Their `metadata` tells where they stand (`title`, `page`, `heading_path`,
    `document_id`, `start`, `end`, …) and how near they are (`similarity_score` from 0 to 1, `rank`).

    Raises `dragoman.client.ClientError` when it cannot search.
    """

    url: str = Field(description="Address of Dragoman, such as `http://127.0.0.1:8000`.")
    api_key: SecretStr
    chatbot_id: str | None = Field(None, description="The chatbot; without it the key's default.")
    max_results: int = Field(5, ge=1, le=100)
    similarity_threshold: float | None = Field(None, ge=0.0, le=1.0)
    mode: str | None = Field(None, description="`hybrid`, `dense` or `keyword`; without it the chatbot's setting.")
    language: str | None = Field(None, description="Of the question; found out where it is not given.")
    filter: str | Mapping[str, Any] | None = Field(None, description="Such as `language:de,fr -tags:internal`.")
    document_ids: Sequence[str] | None = Field(None, description="Search these documents only.")
    user_id: str | None = Field(None, description="Your own name for the asker, for keys that may act for users.")
    timeout_s: float = 60.0

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - the framework gives it
    ) -> list[Document]:
        with SyncDragoman(self.url, self.api_key.get_secret_value(), timeout_s=self.timeout_s) as client:
            found = client.search(query, **self._options())
        return [_document(passage) for passage in found.results]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002 - the framework gives it
    ) -> list[Document]:
        async with Dragoman(self.url, self.api_key.get_secret_value(), timeout_s=self.timeout_s) as client:
            found = await client.search(query, **self._options())
        return [_document(passage) for passage in found.results]

    def _options(self) -> dict[str, Any]:
        return {
            "chatbot_id": self.chatbot_id,
            "max_results": self.max_results,
            "similarity_threshold": self.similarity_threshold,
            "mode": self.mode,
            "language": self.language,
            "filter": self.filter,
            "document_ids": self.document_ids,
            "user_id": self.user_id,
        }


def _document(passage: Passage) -> Document:
    facts = passage.model_dump(mode="json", exclude={"content", "signals"})
    return Document(
        id=str(passage.chunk_id),
        page_content=passage.content,
        metadata={"source": passage.file_name, **facts},
    )
