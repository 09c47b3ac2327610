"""Any model of sentence-transformers, from a folder or by its name on the hub (extra `train`).

Code that comes with a model is never run. The model is loaded by the first call or by the first look at the profile,
which needs its dimensions; a model by name is downloaded then, once.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import importlib.util
import math
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dragoman.adapters.embedder._parts.lane import Lane
from dragoman.adapters.embedder._parts.safe_text import make_safe
from dragoman.kit.registry import MissingExtraError
from dragoman.ports.embedder import Calibration, ConfidenceModel, EmbedderProfile, EmbedderRejectedError, Vectors

# A computation is padded to its longest text: many short ones, or a few chunks.
_TEXTS, _CHARACTERS = 32, 16_000
_COUNT_SLICE_TEXTS: Final = 64
_CHARACTERS_A_TOKEN: Final = 32  # a window never averages more; what lies beyond is not even tokenised
_UNKNOWN_WINDOW: Final = 512

_ANY_MODEL: Final = Calibration(midpoint=0.5, slope=12.0)
# Measured on multilingual-e5-small. What places the cosines is the temperature in training, 0.01 for all of the family.
_E5: Final = Calibration(midpoint=0.825, slope=38.8, contrast=87.6, typical_background=0.77)


class _Family(NamedTuple):
    name: re.Pattern[str]
    query_prefix: str
    passage_prefix: str
    calibration: Calibration


# For models whose own configuration has no prompts; from their model cards. The first that fits counts.
_FAMILIES: Final = (
    _Family(
        re.compile(r"\be5-.*instruct", re.IGNORECASE),
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ",
        "",
        _E5,
    ),
    _Family(re.compile(r"\be5-", re.IGNORECASE), "query: ", "passage: ", _E5),
    _Family(
        re.compile(r"\bbge-.*-en\b", re.IGNORECASE),
        "Represent this sentence for searching relevant passages: ",
        "",
        _ANY_MODEL,
    ),
    _Family(re.compile(r"\bbge-.*-zh\b", re.IGNORECASE), "为这个句子生成表示以用于检索相关文章：", "", _ANY_MODEL),
)


class Settings(BaseModel):
    """Settings of the embedder `sentence_transformers`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1, description="Folder of the model, or its name on the hub.")
    revision: str | None = Field(default=None, description="Its revision on the hub. Empty: the newest.")
    allow_download: bool = Field(default=True, description="Fetch a model by name when this machine does not have it.")
    device: str = Field(default="cpu", description="Where it computes, as PyTorch calls it: `cpu`, `cuda`, `mps`.")
    threads: int | None = Field(
        default=None, ge=1, le=64, description="PyTorch's threads, in the whole process. Empty: as many as cores."
    )
    dimensions: int | None = Field(
        default=None, ge=1, le=4000, description="Cut vectors to this length, for models trained for it. Empty: whole."
    )
    max_tokens: int | None = Field(
        default=None, ge=16, description="Longest text it reads, in its tokens. Empty: what the model says."
    )
    query_prefix: str | None = Field(
        default=None,
        description="Put before each question. Empty: the model's prompt, or that of its family (e5, bge).",
    )
    passage_prefix: str | None = Field(default=None, description="Put before each passage. Empty: as for questions.")
    similarity_midpoint: float | None = Field(
        default=None, description="Cosine that becomes a similarity score of 0.5. Empty: that of its family, or 0.5."
    )
    similarity_slope: float = Field(
        default=12.0, gt=0, description="Steepness of the similarity score around it, where the midpoint is set."
    )


class Adapter:
    """The embedder `sentence_transformers`."""

    def __init__(self, settings: Settings) -> None:
        if importlib.util.find_spec("sentence_transformers") is None:
            raise MissingExtraError(
                "The embedder `sentence_transformers` needs its package: pip install 'dragoman[train]'."
            )
        self._settings = settings
        self._loaded: _Loaded | None = None
        self._loading = threading.Lock()
        # PyTorch divides each computation among its own threads.
        self._query_lane = self._open_lane("embed-queries", is_query=True)
        self._passage_lane = self._open_lane("embed-passages", is_query=False)
        self._token_lane = ThreadPoolExecutor(1, thread_name_prefix="count-tokens")

    @property
    def profile(self) -> EmbedderProfile:
        """Blocks while the model is loaded, the first time.

        Raises:
            EmbedderRejectedError: it cannot be loaded.
        """
        return self._get_model().profile

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return await self._query_lane.embed(texts) if texts else await self._make_no_vectors()

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return await self._passage_lane.embed(texts) if texts else await self._make_no_vectors()

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the model reads a passage: with its prefix and marks."""
        counts: list[int] = []
        for start in range(0, len(texts), _COUNT_SLICE_TEXTS):
            part = texts[start : start + _COUNT_SLICE_TEXTS]
            counts += await asyncio.get_running_loop().run_in_executor(self._token_lane, self._count_slice, part)
        return counts

    async def close(self) -> None:
        self._query_lane.close()
        self._passage_lane.close()
        self._token_lane.shutdown(wait=False, cancel_futures=True)
        self._loaded = None

    def _open_lane(self, name: str, *, is_query: bool) -> Lane:
        return Lane(
            lambda texts: self._compute(texts, is_query=is_query),
            name=name,
            threads=1,
            max_texts=_TEXTS,
            max_characters=_CHARACTERS,
        )

    async def _make_no_vectors(self) -> Vectors:
        model = await asyncio.to_thread(self._get_model)
        return np.empty((0, model.profile.dimensions), dtype=np.float32)

    def _compute(self, texts: Sequence[str], *, is_query: bool) -> Iterator[tuple[Sequence[int], Vectors]]:
        yield range(len(texts)), self._get_model().encode(texts, is_query=is_query)

    def _count_slice(self, texts: Sequence[str]) -> list[int]:
        return self._get_model().count_tokens(texts)

    def _get_model(self) -> _Loaded:
        with self._loading:
            if self._loaded is None:
                self._loaded = _load(self._settings)
            return self._loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """A loaded model. Its tokenizer for counting is a copy: one that cuts and one that does not cannot be shared."""

    model: Any
    counter: Any
    profile: EmbedderProfile
    query_prefix: str
    passage_prefix: str

    def encode(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        longest = _CHARACTERS_A_TOKEN * self.profile.max_tokens
        vectors = self.model.encode(
            [make_safe(text[:longest]) for text in texts],
            prompt=self.query_prefix if is_query else self.passage_prefix,
            batch_size=_TEXTS,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        found = np.asarray(vectors, dtype=np.float32)
        found[~found.any(axis=1), 0] = 1.0  # a model of word vectors makes nothing of nothing
        return found

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        prepared = [self.passage_prefix + make_safe(text) for text in texts]
        if not callable(self.counter):  # of a model of word vectors
            return [len(found.ids) for found in self.counter.encode_batch(prepared)]
        return [len(ids) for ids in self.counter(prepared, truncation=False, verbose=False)["input_ids"]]


def _load(settings: Settings) -> _Loaded:
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415  2 s
    from sentence_transformers import (  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        SentenceTransformer,
    )

    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        model = SentenceTransformer(
            settings.model,
            revision=settings.revision,
            device=settings.device,
            truncate_dim=settings.dimensions,
            local_files_only=not settings.allow_download,
            trust_remote_code=False,
        )
    except Exception as error:  # transformers, the hub's client and PyTorch each have errors of their own
        raise EmbedderRejectedError(f"The embedding model {settings.model!r} cannot be loaded: {error}") from error
    counter = copy.deepcopy(model.tokenizer)
    window = _set_window(model, settings.max_tokens)
    family = next((each for each in _FAMILIES if each.name.search(settings.model)), None)
    calibration = _choose_calibration(settings, family)
    # The tokenizer takes on its padding and its length with the first text, which two threads must not do at once.
    dimensions = len(model.encode("warm", show_progress_bar=False))
    return _Loaded(
        model=model,
        counter=counter,
        profile=EmbedderProfile(
            model=_name(settings, model),
            dimensions=dimensions,
            max_tokens=window,
            calibration=calibration,
            confidence=ConfidenceModel.from_calibration(calibration),
        ),
        query_prefix=_choose_prefix(settings.query_prefix, model, ("query",), family and family.query_prefix),
        passage_prefix=_choose_prefix(
            settings.passage_prefix, model, ("passage", "document", "corpus"), family and family.passage_prefix
        ),
    )


def _set_window(model: Any, wanted: int | None) -> int:
    """The tokens that it reads of a text from now on."""
    own = model.max_seq_length
    if own is None or not math.isfinite(own):
        own = _UNKNOWN_WINDOW
    window = min(wanted or int(own), int(own))
    if callable(model.tokenizer):
        model.max_seq_length = window
    else:
        model.tokenizer.enable_truncation(window)
    return window


def _choose_calibration(settings: Settings, family: _Family | None) -> Calibration:
    if settings.similarity_midpoint is not None:
        return Calibration(midpoint=settings.similarity_midpoint, slope=settings.similarity_slope)
    return family.calibration if family else _ANY_MODEL


def _name(settings: Settings, model: Any) -> str:
    """The model's name and what tells its revisions apart: a folder's weights may be replaced under the same name."""
    folder = Path(settings.model)
    if folder.is_dir():
        return f"{folder.resolve().name}@{_digest_weights(folder)[:12]}"
    configuration = getattr(getattr(model[0], "auto_model", None), "config", None)
    revision = settings.revision or getattr(configuration, "_commit_hash", None)
    return f"{settings.model}@{revision[:12]}" if revision else settings.model


def _digest_weights(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.bin")]):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _choose_prefix(wanted: str | None, model: Any, names: Sequence[str], of_family: str | None) -> str:
    """What is set, else the model's own prompt, else that of its family."""
    if wanted is not None:
        return wanted
    own = next((prompt for name in names if (prompt := model.prompts.get(name))), None)
    return own or of_family or ""
