"""Ingests a folder with another library, at its documented defaults, and prints seconds and chunks as JSON.

Run by a Python that has the library, with `src` on its path for the embedder `hashing`, the same as Dragoman's:

    pip install langchain-chroma langchain-community langchain-text-splitters llama-index-core \
        llama-index-vector-stores-chroma llama-index-readers-file haystack-ai chroma-haystack
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dragoman.adapters.embedder.hashing import Adapter, Settings

_EMBEDDER = Adapter(Settings())


def _embed(texts: list[str]) -> list[list[float]]:
    vectors: list[list[float]] = asyncio.run(_EMBEDDER.embed_passages(texts)).tolist()
    return vectors


def langchain(folder: Path, store: str) -> Callable[[], int]:
    """RecursiveCharacterTextSplitter of 1000/200 characters into Chroma on disk."""
    from langchain_chroma import Chroma
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    from langchain_core.embeddings import Embeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    class Hashing(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return _embed(texts)

        def embed_query(self, text: str) -> list[float]:
            return _embed([text])[0]

    def run() -> int:
        documents = DirectoryLoader(str(folder), glob="*.md", loader_cls=TextLoader).load()
        chunks = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(documents)
        index = Chroma(embedding_function=Hashing(), persist_directory=store)
        for first in range(0, len(chunks), 1000):
            index.add_documents(chunks[first : first + 1000])
        return len(chunks)

    return run


def llamaindex(folder: Path, store: str) -> Callable[[], int]:
    """SentenceSplitter (1024 tokens, 200 overlap) into Chroma on disk."""
    import chromadb
    from llama_index.core import SimpleDirectoryReader, StorageContext, VectorStoreIndex
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.vector_stores.chroma import ChromaVectorStore

    class Hashing(BaseEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return _embed([text])[0]

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return _embed(texts)

        def _get_query_embedding(self, query: str) -> list[float]:
            return _embed([query])[0]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return _embed([query])[0]

    def run() -> int:
        documents = SimpleDirectoryReader(str(folder)).load_data()
        nodes = SentenceSplitter().get_nodes_from_documents(documents)
        collection = chromadb.PersistentClient(path=store).get_or_create_collection("bench")
        context = StorageContext.from_defaults(vector_store=ChromaVectorStore(chroma_collection=collection))
        VectorStoreIndex(nodes, storage_context=context, embed_model=Hashing(embed_batch_size=100))
        return len(nodes)

    return run


def haystack(folder: Path, store: str) -> Callable[[], int]:
    """TextFileToDocument, DocumentSplitter (200 words) into Chroma on disk."""
    from haystack import Document, Pipeline, component
    from haystack.components.converters import TextFileToDocument
    from haystack.components.preprocessors import DocumentSplitter
    from haystack.components.writers import DocumentWriter
    from haystack_integrations.document_stores.chroma import ChromaDocumentStore

    @component
    class Hashing:
        @component.output_types(documents=list[Document])
        def run(self, documents: list[Document]) -> dict[str, Any]:
            for document, vector in zip(documents, _embed([d.content or "" for d in documents]), strict=True):
                document.embedding = vector
            return {"documents": documents}

    def run() -> int:
        documents = ChromaDocumentStore(persist_path=store)
        pipeline = Pipeline()
        pipeline.add_component("convert", TextFileToDocument())
        pipeline.add_component("split", DocumentSplitter())
        pipeline.add_component("embed", Hashing())
        pipeline.add_component("write", DocumentWriter(document_store=documents))
        for source, target in (("convert", "split"), ("split", "embed"), ("embed", "write")):
            pipeline.connect(f"{source}.documents", f"{target}.documents")
        written: int = pipeline.run({"convert": {"sources": sorted(folder.glob("*.md"))}})["write"]["documents_written"]
        return written

    return run


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as store:
        run = {"langchain": langchain, "llamaindex": llamaindex, "haystack": haystack}[name](folder, store)
        started = time.perf_counter()
        chunks = run()
        print(json.dumps({"seconds": time.perf_counter() - started, "chunks": chunks}))


main()
