"""LangChain and LlamaIndex with the real packages, against the application over TCP.

The packages are not among those of `make test`: langchain-core wants uuid-utils below 1 and LlamaIndex brings 30 more.
`pip install "dragoman[langchain,llama-index]" langchain-openai` lets these tests run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from dragoman.client import ApiError

from .conftest import Company, Service
from .serving import serving

QUESTION = "What discount do gold partners receive?"
_MISSING = "not among the packages of `make test`: see this file's first lines"


@pytest.fixture(scope="module")
async def address(service: Service) -> AsyncIterator[str]:
    async with serving(service) as address:
        yield address


# ---- LangChain


@pytest.fixture
def langchain_retriever(company: Company, address: str) -> Any:
    pytest.importorskip("langchain_core", reason=_MISSING)
    from dragoman.integrations.langchain import DragomanRetriever

    return DragomanRetriever(url=address, api_key=company.secrets["member"], max_results=2)


async def test_langchain_retrieves_with_and_without_await(company: Company, langchain_retriever: Any) -> None:
    document = await company.know(title="Handbook")
    await company.know("# Lunch\n\nGold partners have lunch at noon.\n", "lunch.md")
    found = await langchain_retriever.ainvoke(QUESTION)
    assert await asyncio.to_thread(langchain_retriever.invoke, QUESTION) == found
    assert "17 percent" in found[0].page_content
    assert len(found) == 2
    facts = found[0].metadata
    assert (facts["document_id"], facts["title"], facts["rank"]) == (document["id"], "Handbook", 1)
    assert (facts["source"], facts["language"]) == ("handbook.md", "en")
    assert 0 < facts["similarity_score"] <= 1
    assert UUID(found[0].id) == UUID(facts["chunk_id"])
    assert facts["end"] > facts["start"]


async def test_langchain_narrows_the_search_and_says_why_it_fails(
    company: Company, other_company: Company, langchain_retriever: Any
) -> None:
    await company.know()
    narrowed = langchain_retriever.model_copy(update={"filter": "language:de"})
    assert await narrowed.ainvoke(QUESTION) == []
    foreign = langchain_retriever.model_copy(update={"chatbot_id": str(other_company.chatbot_id)})
    with pytest.raises(ApiError) as refused:
        await foreign.ainvoke(QUESTION)
    assert refused.value.status == 404
    assert company.secrets["member"] not in repr(langchain_retriever)


async def test_langchain_chains_the_retriever(company: Company, langchain_retriever: Any) -> None:
    await company.know()
    chain = langchain_retriever | (lambda documents: documents[0].metadata["source"])
    assert await chain.ainvoke(QUESTION) == "handbook.md"


async def test_chat_openai_asks_streams_and_goes_on(company: Company, address: str) -> None:
    langchain_openai = pytest.importorskip("langchain_openai", reason=_MISSING)
    document = await company.know()
    async with httpx.AsyncClient() as async_http:
        with httpx.Client() as http:
            model = langchain_openai.ChatOpenAI(
                base_url=f"{address}/v1",
                api_key=company.secrets["member"],
                model="dragoman",
                temperature=0,
                http_client=http,
                http_async_client=async_http,
            )
            await _converse(company, model, document["id"])


async def _converse(company: Company, model: Any, document_id: str) -> None:
    answer = await model.ainvoke(QUESTION)
    assert "17 percent" in answer.content
    assert answer.usage_metadata["total_tokens"] == 0
    assert (await asyncio.to_thread(model.invoke, QUESTION)).content == answer.content
    pieces = [piece async for piece in model.astream(QUESTION)]
    assert "".join(piece.content for piece in pieces) == answer.content
    await model.ainvoke([("human", QUESTION), ("ai", answer.content), ("human", "And who receives it?")])
    sessions = (await company.api("member").get("/api/chatbot/sessions/")).json()
    assert sessions["total"] == 3  # one for each question that came alone, the last in one of them
    whole = await model.root_async_client.chat.completions.create(
        model="dragoman", messages=[{"role": "user", "content": QUESTION}]
    )
    assert whole.model_extra["dragoman"]["sources"][0]["doc_id"] == document_id


async def test_openai_embeddings_of_langchain_are_those_of_the_knowledge(company: Company, address: str) -> None:
    langchain_openai = pytest.importorskip("langchain_openai", reason=_MISSING)
    deps = company.service.deps
    async with httpx.AsyncClient() as http:
        embedder = langchain_openai.OpenAIEmbeddings(
            base_url=f"{address}/v1",
            api_key=company.secrets["member"],
            model="dragoman",
            check_embedding_ctx_length=False,
            http_async_client=http,
        )
        [vector] = await embedder.aembed_documents(["Goods may be returned."])
    expected = await deps.inference._embedders[deps.embedding_version_name].embed_passages(["Goods may be returned."])
    assert vector == pytest.approx(expected[0].tolist(), abs=1e-6)


# ---- LlamaIndex


@pytest.fixture
def llamaindex_retriever(company: Company, address: str) -> Any:
    pytest.importorskip("llama_index.core", reason=_MISSING)
    from dragoman.integrations.llamaindex import DragomanRetriever

    return DragomanRetriever(address, company.secrets["member"], max_results=2)


async def test_llamaindex_retrieves_with_and_without_await(company: Company, llamaindex_retriever: Any) -> None:
    from llama_index.core.schema import MetadataMode

    document = await company.know(title="Handbook")
    await company.know("# Lunch\n\nGold partners have lunch at noon.\n", "lunch.md")
    found = await llamaindex_retriever.aretrieve(QUESTION)
    at_once = await asyncio.to_thread(llamaindex_retriever.retrieve, QUESTION)
    assert [(node.node_id, node.score) for node in at_once] == [(node.node_id, node.score) for node in found]
    first = found[0]
    assert len(found) == 2
    assert "17 percent" in first.get_content()
    assert first.score == first.metadata["similarity_score"]
    assert first.node.ref_doc_id == document["id"]
    assert (first.metadata["title"], first.metadata["file_name"]) == ("Handbook", "handbook.md")
    shown = first.node.get_content(MetadataMode.LLM)
    assert "title: Handbook" in shown
    assert document["id"] not in shown


async def test_llamaindex_narrows_the_search(company: Company, address: str, llamaindex_retriever: Any) -> None:
    await company.know()
    narrowed = type(llamaindex_retriever)(address, company.secrets["member"], filter={"language": ["de"]})
    assert await narrowed.aretrieve(QUESTION) == []


# ---- without the frameworks


@pytest.mark.parametrize(("module", "framework"), [("langchain", "langchain_core"), ("llamaindex", "llama_index")])
def test_without_its_framework_a_retriever_says_what_to_install(
    module: str, framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == framework]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, framework, None)
    monkeypatch.delitem(sys.modules, f"dragoman.integrations.{module}", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'dragoman\["):
        importlib.import_module(f"dragoman.integrations.{module}")
