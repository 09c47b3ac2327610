"""Ranks the same texts and vectors with another library's hybrid search, as its documentation sets it up.

    quality_peers.py (langchain | llamaindex | haystack | txtai) FOLDER

FOLDER holds pack.json and vectors.npz (benchmarks/quality.py writes them); rankings and seconds are printed as JSON. Run by
a Python that has the libraries (torch first, in the build for CPUs, or txtai brings another):

    pip install torch --index-url https://download.pytorch.org/whl/cpu
    pip install langchain-classic langchain-community langchain-chroma rank_bm25 llama-index-core \
        llama-index-retrievers-bm25 haystack-ai txtai

Their own numbers of candidates (4, 2, 10 and 3) cannot fill ten documents, so each is asked twice, for as many as are
measured and for as many as Dragoman considers; the better ranking is the one to compare with. Questions beyond
`measured_twice` (those across languages) are asked once.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

DEPTHS = (10, 50)
_DOCUMENTS = 10

Rank = Callable[[str, int], Sequence[int]]
"""From a question and a number of candidates of each arm to the places of passages, best first."""


class Pack:
    """Passages (several may be of one document) and questions, each with a vector of length 1."""

    def __init__(self, folder: Path) -> None:
        content = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
        self.texts: list[str] = content["texts"]
        self.documents: list[str] = content["documents"]
        self.questions: list[str] = content["questions"]
        self.measured_twice: int = content["measured_twice"]
        vectors = np.load(folder / "vectors.npz")
        self.vectors, self.question_vectors = vectors["passages"], vectors["questions"]
        self._of_text = dict(zip(self.texts, self.vectors, strict=True))
        self._of_question = dict(zip(self.questions, self.question_vectors, strict=True))

    def embed_passages(self, texts: Sequence[str]) -> Any:
        return np.array([self._of_text[text] for text in texts])

    def embed_question(self, text: str) -> Any:
        return self._of_question[text]


def langchain(pack: Pack, store: str) -> Rank:
    """EnsembleRetriever of BM25Retriever and Chroma, weights 0.5 and 0.5."""
    from langchain_chroma import Chroma
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_community.retrievers import BM25Retriever
    from langchain_core.embeddings import Embeddings

    class Given(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            vectors: list[list[float]] = pack.embed_passages(texts).tolist()
            return vectors

        def embed_query(self, text: str) -> list[float]:
            vector: list[float] = pack.embed_question(text).tolist()
            return vector

    metadata = [{"place": place} for place in range(len(pack.texts))]
    words = BM25Retriever.from_texts(pack.texts, metadatas=metadata)
    index = Chroma(embedding_function=Given(), persist_directory=store)
    for first in range(0, len(pack.texts), 1000):
        index.add_texts(pack.texts[first : first + 1000], metadatas=metadata[first : first + 1000])
    by_depth = {}
    for depth in DEPTHS:
        arms = [words.model_copy(update={"k": depth}), index.as_retriever(search_kwargs={"k": depth})]
        by_depth[depth] = EnsembleRetriever(retrievers=arms, weights=[0.5, 0.5], id_key="place")

    def rank(question: str, depth: int) -> list[int]:
        return [found.metadata["place"] for found in by_depth[depth].invoke(question)]

    return rank


def llamaindex(pack: Pack, store: str) -> Rank:
    """QueryFusionRetriever (reciprocal_rerank, num_queries=1) of BM25Retriever and VectorStoreIndex."""
    del store  # its own default keeps everything in memory
    from llama_index.core import VectorStoreIndex
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.schema import TextNode
    from llama_index.retrievers.bm25 import BM25Retriever

    class Given(BaseEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            vector: list[float] = pack.embed_passages([text])[0].tolist()
            return vector

        def _get_query_embedding(self, query: str) -> list[float]:
            vector: list[float] = pack.embed_question(query).tolist()
            return vector

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

    nodes = [
        TextNode(text=text, metadata={"place": place}, excluded_embed_metadata_keys=["place"])
        for place, text in enumerate(pack.texts)
    ]
    index = VectorStoreIndex(nodes, embed_model=Given())
    by_depth = {}
    for depth in DEPTHS:
        arms = [
            index.as_retriever(similarity_top_k=depth),
            BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=depth),
        ]
        by_depth[depth] = QueryFusionRetriever(
            arms, similarity_top_k=depth, num_queries=1, mode="reciprocal_rerank", use_async=False, llm=MockLLM()
        )

    def rank(question: str, depth: int) -> list[int]:
        return [found.node.metadata["place"] for found in by_depth[depth].retrieve(question)]

    return rank


def haystack(pack: Pack, store: str) -> Rank:
    """DocumentJoiner (reciprocal_rank_fusion) of InMemoryBM25Retriever and InMemoryEmbeddingRetriever."""
    del store
    from haystack import Document, Pipeline
    from haystack.components.joiners import DocumentJoiner
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    documents = InMemoryDocumentStore()
    documents.write_documents(
        [
            Document(id=str(place), content=text, embedding=vector.tolist())
            for place, (text, vector) in enumerate(zip(pack.texts, pack.vectors, strict=True))
        ]
    )
    pipeline = Pipeline()
    pipeline.add_component("words", InMemoryBM25Retriever(documents))
    pipeline.add_component("vectors", InMemoryEmbeddingRetriever(documents))
    pipeline.add_component("join", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
    pipeline.connect("words", "join")
    pipeline.connect("vectors", "join")

    def rank(question: str, depth: int) -> list[int]:
        asked = {
            "words": {"query": question, "top_k": depth},
            "vectors": {"query_embedding": pack.embed_question(question).tolist(), "top_k": depth},
        }
        return [int(found.id) for found in pipeline.run(asked)["join"]["documents"]]

    return rank


def txtai(pack: Pack, store: str) -> Rank:
    """Embeddings(hybrid=True), whose arms consider ten times as many as are asked for."""
    del store
    from txtai import Embeddings

    is_indexing = True

    def transform(texts: list[str]) -> Any:
        return pack.embed_passages(texts) if is_indexing else np.array([pack.embed_question(text) for text in texts])

    embeddings = Embeddings(method="external", transform=transform, hybrid=True)
    embeddings.index((place, text, None) for place, text in enumerate(pack.texts))
    is_indexing = False

    def rank(question: str, depth: int) -> list[int]:
        return [place for place, _ in embeddings.search(question, depth)]

    return rank


def main() -> None:
    build = {"langchain": langchain, "llamaindex": llamaindex, "haystack": haystack, "txtai": txtai}[sys.argv[1]]
    pack = Pack(Path(sys.argv[2]))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as store:
        rank = build(pack, store)
        rank(pack.questions[0], DEPTHS[0])  # the first call is slower
        rankings: dict[int, list[list[str]]] = {}
        seconds: dict[int, float] = {}
        for depth in DEPTHS:
            asked = pack.questions if depth == DEPTHS[0] else pack.questions[: pack.measured_twice]
            if not asked:
                continue
            started = time.perf_counter()
            found = [rank(question, depth) for question in asked]
            seconds[depth] = time.perf_counter() - started
            rankings[depth] = [
                list(dict.fromkeys(pack.documents[place] for place in places))[:_DOCUMENTS] for places in found
            ]
    print(json.dumps({"rankings": rankings, "seconds": seconds}))


main()
