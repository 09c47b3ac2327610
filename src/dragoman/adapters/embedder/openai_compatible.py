"""Embeddings from any server that speaks OpenAI's `/embeddings`: OpenAI, Mistral, Ollama, vLLM, llama.cpp, TEI."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import openai
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dragoman.kit import tracing
from dragoman.kit.retry_after import parse_retry_after
from dragoman.ports.embedder import (
    Calibration,
    ConfidenceModel,
    EmbedderProfile,
    EmbedderRejectedError,
    EmbedderUnavailableError,
    Vectors,
)

_WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429})
_ASCII_WORD = re.compile(r"[A-Za-z]+")
_ASCII_MARK = re.compile(r"[!-~]")


class Settings(BaseModel):
    """Settings of the embedder `openai_compatible`."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = Field(description="Address of the API, e.g. `http://localhost:11434/v1`.")
    api_key: SecretStr | None = Field(default=None, description="Its key, where it wants one.")
    model: str = Field(min_length=1, description="Name of the embedding model there.")
    dimensions: int = Field(ge=1, le=4000, description="Length of the vectors it returns.")
    request_dimensions: bool = Field(default=False, description="Ask for vectors of this length, where offered.")
    max_tokens: int = Field(default=512, ge=16, description="Longest text it reads whole, in its tokens.")
    query_prefix: str = Field(default="", description="Put before each question, where the model was trained so.")
    passage_prefix: str = Field(default="", description="Put before each passage, where the model was trained so.")
    max_batch: int = Field(default=64, ge=1, le=2048, description="Texts in one request.")
    timeout_s: float = Field(default=30.0, gt=0, description="Longest wait for one request, in seconds.")
    similarity_midpoint: float = Field(default=0.5, description="Cosine that becomes a similarity score of 0.5.")
    similarity_slope: float = Field(default=12.0, gt=0, description="Steepness of the similarity score around it.")


class Adapter:
    """The embedder `openai_compatible`. Tries once: trying again is the caller's business (`inference`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = openai.AsyncOpenAI(
            base_url=settings.base_url,
            # The client insists on a key; servers without keys ignore it.
            api_key=settings.api_key.get_secret_value() if settings.api_key else "none",
            timeout=settings.timeout_s,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"request": [tracing.join]}),
        )
        calibration = Calibration(midpoint=settings.similarity_midpoint, slope=settings.similarity_slope)
        self._profile = EmbedderProfile(
            model=settings.model,
            dimensions=settings.dimensions,
            max_tokens=settings.max_tokens,
            calibration=calibration,
            confidence=ConfidenceModel.from_calibration(calibration),
        )

    @property
    def profile(self) -> EmbedderProfile:
        return self._profile

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return await self._embed(texts, self._settings.query_prefix)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return await self._embed(texts, self._settings.passage_prefix)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        prefix = _estimate_tokens(self._settings.passage_prefix)
        return [prefix + _estimate_tokens(text) for text in texts]

    async def close(self) -> None:
        await self._client.close()

    async def _embed(self, texts: Sequence[str], prefix: str) -> Vectors:
        done: list[Vectors] = [np.empty((0, self._settings.dimensions), dtype=np.float32)]
        # Many servers refuse an empty text; a space stands for it.
        prepared = [prefix + self._cut(text, prefix) or " " for text in texts]
        for start in range(0, len(prepared), self._settings.max_batch):
            done.append(await self._request(prepared[start : start + self._settings.max_batch]))
        return np.concatenate(done)

    def _cut(self, text: str, prefix: str) -> str:
        room = self._settings.max_tokens - _estimate_tokens(prefix)
        text = text.encode("utf-8", "replace").decode("utf-8")
        while text and (count := _estimate_tokens(text)) > room:
            text = text[: min(len(text) - 1, max(0, len(text) * room // count))]
        return text

    async def _request(self, texts: list[str]) -> Vectors:
        options: dict[str, Any] = {"dimensions": self._settings.dimensions} if self._settings.request_dimensions else {}
        try:
            # Plain floats: not every server knows the client's default, base64.
            response = await self._client.embeddings.create(
                model=self._settings.model, input=texts, encoding_format="float", **options
            )
            rows = [item.embedding for item in sorted(response.data, key=lambda item: item.index)]
            vectors = np.asarray(rows, dtype=np.float32)
        except openai.OpenAIError as error:
            raise _translate(error) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise EmbedderRejectedError("The embedding server answered with no list of vectors.") from error
        return self._normalise(vectors, len(texts))

    def _normalise(self, vectors: Vectors, count: int) -> Vectors:
        expected = (count, self._settings.dimensions)
        if vectors.shape != expected:
            raise EmbedderRejectedError(
                f"The embedding server returned vectors of shape {vectors.shape} where {expected} was expected. "
                f"Correct the setting `dimensions`."
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths)) or not np.all(lengths > 0):
            raise EmbedderRejectedError("The embedding server returned a vector without direction.")
        normalised: Vectors = vectors / lengths
        return normalised


def _translate(error: openai.OpenAIError) -> EmbedderUnavailableError | EmbedderRejectedError:
    if isinstance(error, openai.APIStatusError):
        if error.status_code >= 500 or error.status_code in _WORTH_ANOTHER_TRY:
            return EmbedderUnavailableError(
                f"The embedding server answered with status {error.status_code}.",
                retry_after_s=parse_retry_after(error.response.headers),
            )
        return EmbedderRejectedError(f"The embedding server refused with status {error.status_code}: {error.message}")
    if isinstance(error, openai.APIConnectionError):
        return EmbedderUnavailableError(f"The embedding server cannot be reached: {error.__cause__ or error}")
    return EmbedderRejectedError(f"The embedding server answered with something unexpected: {error}")


def _estimate_tokens(text: str) -> int:
    """A guess on the safe side: 3 letters or one mark or digit a token in ASCII, 2 bytes of UTF-8 a token elsewhere."""
    words = sum(math.ceil(len(word) / 3) for word in _ASCII_WORD.findall(text))
    letters = sum(len(word) for word in _ASCII_WORD.findall(text))
    marks = len(_ASCII_MARK.findall(text)) - letters
    other_bytes = sum(len(c.encode("utf-8", "replace")) for c in text if not c.isascii())
    return words + marks + math.ceil(other_bytes / 2)
