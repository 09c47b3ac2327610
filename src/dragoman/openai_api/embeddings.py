"""Vectors of texts, by the model that a chatbot's own knowledge is embedded with."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from dragoman.deps import Deps
from dragoman.inference.service import CallContext
from dragoman.openai_api import models
from dragoman.openai_api.errors import InvalidParameterError, UnsupportedParameterError
from dragoman.openai_api.schemas import EmbeddingsIn
from dragoman.ports.embedder import EmbedderProfile, Vectors
from dragoman.tenancy.entities import Caller

_MOST_TEXTS: Final = 2048
_TEXTS_PER_CALL: Final = 64
_QUESTIONS_AT_ONCE: Final = 8
_MOST_CHARACTERS: Final = 2_000_000  # of all texts together


async def embed(deps: Deps, caller: Caller, body: EmbeddingsIn) -> dict[str, Any]:
    """The fields of `EmbeddingList`.

    Raises:
        ModelNotFoundError, InvalidParameterError, UnsupportedParameterError.
        EmbedderUnavailableError, EmbedderRejectedError, CircuitOpenError.
        TooManySearchesError: it counts as one search.
    """
    texts = _texts(body)
    version, profile, chatbot_id = await models.find_embedding_model(deps, caller, body.model)
    if body.dimensions not in (None, profile.dimensions):
        raise UnsupportedParameterError(
            f"This model's vectors have {profile.dimensions} dimensions and cannot be shortened.", param="dimensions"
        )
    await deps.limiter.take_searches(caller, caller.asker, chatbot_id)
    tokens = await _count(deps, version, texts)
    _refuse_too_long(tokens, profile, whole_input=isinstance(body.input, str))
    context = CallContext(tenant_id=caller.tenant_id, chatbot_id=chatbot_id, purpose="embeddings_api")
    embed_all = _embed_questions if body.input_type == "query" else _embed_passages
    vectors = await embed_all(deps, context, version, texts)
    data = await asyncio.to_thread(_data, vectors, body.encoding_format or "float")
    total = sum(tokens)
    return {
        "object": "list",
        "data": data,
        "model": version,
        "usage": {"prompt_tokens": total, "total_tokens": total},
    }


def _texts(body: EmbeddingsIn) -> list[str]:
    given: Sequence[Any] = [body.input] if isinstance(body.input, str) else body.input
    if not given:
        raise InvalidParameterError("There is nothing to embed.", param="input")
    if len(given) > _MOST_TEXTS:
        raise InvalidParameterError(f"More than {_MOST_TEXTS} texts in one request.", param="input")
    texts = [each for each in given if isinstance(each, str)]
    if len(texts) < len(given):
        raise UnsupportedParameterError(
            "Numbers of tokens cannot be embedded: they are of another model. Send texts "
            "(LangChain's OpenAIEmbeddings does with `check_embedding_ctx_length=False`).",
            param="input",
        )
    if any(not text for text in texts):
        raise InvalidParameterError("A text is empty.", param="input")
    if sum(map(len, texts)) > _MOST_CHARACTERS:
        raise InvalidParameterError(
            f"The texts are longer than {_MOST_CHARACTERS} characters together. Send them in several requests.",
            param="input",
        )
    return texts


async def _count(deps: Deps, version: str, texts: Sequence[str]) -> list[int]:
    return [
        count
        for start in range(0, len(texts), _TEXTS_PER_CALL)
        for count in await deps.inference.count_tokens(version, texts[start : start + _TEXTS_PER_CALL])
    ]


def _refuse_too_long(tokens: Sequence[int], profile: EmbedderProfile, *, whole_input: bool) -> None:
    for place, count in enumerate(tokens):
        if count > profile.max_tokens:
            raise InvalidParameterError(
                f"A text has {count} tokens; this model reads {profile.max_tokens}. Cut it into pieces.",
                param="input" if whole_input else f"input[{place}]",
            )


async def _embed_passages(deps: Deps, context: CallContext, version: str, texts: Sequence[str]) -> Vectors:
    parts = [
        await deps.inference.embed_passages(context, version, texts[start : start + _TEXTS_PER_CALL])
        for start in range(0, len(texts), _TEXTS_PER_CALL)
    ]
    return np.concatenate(parts)


async def _embed_questions(deps: Deps, context: CallContext, version: str, texts: Sequence[str]) -> Vectors:
    vectors: list[Vectors] = []
    for start in range(0, len(texts), _QUESTIONS_AT_ONCE):
        some = texts[start : start + _QUESTIONS_AT_ONCE]
        vectors += await asyncio.gather(*(deps.inference.embed_question(context, version, text) for text in some))
    return np.stack(vectors)


def _data(vectors: Vectors, encoding: str) -> list[dict[str, Any]]:
    return [
        {"object": "embedding", "index": index, "embedding": _encoded(vector, encoding)}
        for index, vector in enumerate(vectors)
    ]


def _encoded(vector: Vectors, encoding: str) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    numbers: list[float] = vector.tolist()
    return numbers
