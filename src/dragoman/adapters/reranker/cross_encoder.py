"""A cross-encoder, which reads question and passage together (Nogueira and Cho 2019), in this process.

The model is a folder, or a name on the Hugging Face hub. A folder with an ONNX file and `tokenizer.json` runs in ONNX
Runtime (extra `pii` has the tokenizer); anything else in sentence-transformers (extra `train`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from dragoman.adapters.pair_model import (
    folder_of,
    name_of,
    onnx_file_of,
    open_session,
    pad_token,
    runs_onnx,
    with_bytes,
)
from dragoman.kit.errors import InvalidSettingError
from dragoman.ports.reranker import RerankCandidate, RerankerUnavailableError

Logits = NDArray[np.float64]
_Pairs = Sequence[tuple[str, str]]

_MAX_CHARACTERS_PER_TOKEN: Final = 12  # longer text is cut before it is tokenised: it cannot fit the window
_STEEPEST: Final = 60.0  # of a logit, so that exp does not overflow


class UnusableRerankerModelError(InvalidSettingError):
    """This folder holds no cross-encoder. It needs `tokenizer.json` and an ONNX file, or what sentence-transformers saves."""

    code = "reranker.unusable_model"


class Settings(BaseModel):
    """Settings of the re-ranker `cross_encoder`."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str = Field(
        default="",
        description="A folder, or a name on the Hugging Face hub, such as `cross-encoder/mmarco-mMiniLMv2-L12-H384-v1` "
        "(many languages), which is downloaded at the first use.",
    )
    backend: Literal["auto", "onnx", "sentence_transformers"] = Field(
        default="auto", description="`auto`: ONNX Runtime where the folder holds an ONNX file."
    )
    onnx_file: str | None = Field(
        default=None, description="The ONNX file within the model, such as `onnx/model_quint8_avx2.onnx`."
    )
    depth: int = Field(default=20, ge=1, le=200, description="How many of the best passages are judged.")
    max_tokens: int = Field(default=512, ge=16, description="Of question and passage together; the rest is cut off.")
    batch_size: int = Field(default=8, ge=1, le=128, description="Pairs that are computed at once.")
    threads: int | None = Field(default=None, ge=1, le=64, description="Threads of a computation. Empty: all cores.")
    midpoint: float = Field(default=0.0, description="The model's raw score (logit) that means 0.5.")
    slope: float = Field(default=1.0, gt=0, description="How fast the probability rises with the raw score.")


class Adapter:
    """The re-ranker `cross_encoder`. The model is loaded by the first call; one computation runs at a time."""

    def __init__(self, settings: Settings) -> None:
        if not settings.model:
            raise InvalidSettingError("The re-ranker cross_encoder needs `model`: a folder or a name on the hub.")
        self._settings = settings
        self._runs_onnx = runs_onnx(settings, adapter="re-ranker cross_encoder", otherwise=("sentence_transformers",))
        self._score: Callable[[_Pairs], Logits] | None = None
        self._guard = threading.Lock()
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="rerank")

    @property
    def depth(self) -> int:
        return self._settings.depth

    @property
    def model(self) -> str | None:
        return name_of(self._settings)

    async def rerank(self, question: str, language: str, candidates: Sequence[RerankCandidate]) -> list[float]:  # noqa: ARG002 - of the port
        longest = self._settings.max_tokens * _MAX_CHARACTERS_PER_TOKEN
        asked = with_bytes(question[:longest])
        pairs = [(asked, with_bytes(candidate.text[:longest])) for candidate in candidates]
        # Batches of like length need little padding; one at a time, so that a cancelled search stops soon.
        order = sorted(range(len(pairs)), key=lambda place: len(pairs[place][1]))
        logits = np.zeros(len(pairs))
        loop = asyncio.get_running_loop()
        for start in range(0, len(order), self._settings.batch_size):
            places = order[start : start + self._settings.batch_size]
            logits[places] = await loop.run_in_executor(self._lane, self._compute, [pairs[place] for place in places])
        return self._calibrated(logits)

    async def close(self) -> None:
        self._lane.shutdown(wait=False, cancel_futures=True)
        with self._guard:
            self._score = None

    def _compute(self, pairs: _Pairs) -> Logits:
        with self._guard:
            if self._score is None:
                load = _load_onnx if self._runs_onnx else _load_sentence_transformers
                self._score = load(self._settings)
            score = self._score
        return score(pairs)

    def _calibrated(self, logits: Logits) -> list[float]:
        if not np.isfinite(logits).all():
            raise RerankerUnavailableError("The cross-encoder gave scores that are no numbers.")
        steep = np.clip(self._settings.slope * (logits - self._settings.midpoint), -_STEEPEST, _STEEPEST)
        return [float(value) for value in 1.0 / (1.0 + np.exp(-steep))]


# --- ONNX Runtime ----------------------------------------------------------------------------------------------------


def _load_onnx(settings: Settings) -> Callable[[_Pairs], Logits]:
    from tokenizers import Tokenizer  # noqa: PLC0415 - loaded with the model

    try:
        folder = folder_of(settings)
    except Exception as error:
        raise RerankerUnavailableError(f"The model {settings.model!r} cannot be downloaded: {error}") from error
    file = onnx_file_of(folder, settings)
    if file is None:
        raise UnusableRerankerModelError
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(settings.max_tokens)
    tokenizer.enable_padding(pad_id=pad_token(tokenizer)[0])
    session = open_session(file, settings)
    inputs = {entry.name for entry in session.get_inputs()}

    def score(pairs: _Pairs) -> Logits:
        encoded = tokenizer.encode_batch(list(pairs))
        known = {
            "input_ids": np.array([row.ids for row in encoded], dtype=np.int64),
            "attention_mask": np.array([row.attention_mask for row in encoded], dtype=np.int64),
            "token_type_ids": np.array([row.type_ids for row in encoded], dtype=np.int64),
        }
        (output, *_) = session.run(None, {name: known[name] for name in known if name in inputs})
        return _relevance(output, len(pairs))

    return score


def _relevance(output: Any, count: int) -> Logits:
    """One logit a pair. Of two classes (not relevant, relevant) the difference is the logit."""
    logits: Logits = np.asarray(output, dtype=np.float64).reshape(count, -1)
    if logits.shape[1] not in (1, 2):
        raise UnusableRerankerModelError(
            f"This model has {logits.shape[1]} classes; a cross-encoder for ranking has 1 or 2."
        )
    relevance: Logits = logits[:, -1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]
    return relevance


# --- sentence-transformers -------------------------------------------------------------------------------------------


def _load_sentence_transformers(settings: Settings) -> Callable[[_Pairs], Logits]:
    import torch  # noqa: PLC0415 - loaded with the model
    from sentence_transformers import CrossEncoder  # noqa: PLC0415

    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        model = CrossEncoder(settings.model, max_length=settings.max_tokens, device="cpu")
    except (OSError, ValueError) as error:
        raise RerankerUnavailableError(f"The model {settings.model!r} cannot be loaded: {error}") from error

    def score(pairs: _Pairs) -> Logits:
        raw = model.predict(
            list(pairs),
            batch_size=settings.batch_size,
            show_progress_bar=False,
            activation_fn=torch.nn.Identity(),  # the raw score: calibration is ours
            convert_to_numpy=True,
        )
        return _relevance(raw, len(pairs))

    return score
