"""A model of natural language inference, in this process: a statement is supported where a passage entails it.

The model is a folder, or a name on the Hugging Face hub. A folder with an ONNX file and `tokenizer.json` runs in ONNX
Runtime (extra `pii` has the tokenizer); anything else in transformers (extra `train`). Its `config.json` says which of its
classes is the entailment. A passage longer than the window is read in overlapping parts, and the best passage counts: the
statement is entailed where one of its sources entails it (SummaC, Laban et al. 2022, takes the maximum in the same way).
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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
from dragoman.ports.judge import JudgeUnavailableError, Statement

_Floats = NDArray[np.float64]
_Pairs = Sequence[tuple[str, str]]
_Score = Callable[[_Pairs], list[float]]

_MAX_CHARACTERS: Final = 24_000  # of a passage; a chunk has a tenth of that
_LONGEST_STATEMENT: Final = 4_000  # characters; of the window it may take a half


class UnusableJudgeModelError(InvalidSettingError):
    """This folder holds no model of natural language inference. It needs `config.json` with the names of its classes, one of
    them `entailment`, and either `tokenizer.json` with an ONNX file, or what transformers saves."""

    code = "judge.unusable_model"


class Settings(BaseModel):
    """Settings of the judge `nli`."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str = Field(
        default="",
        description="A folder, or a name on the Hugging Face hub, such as "
        "`MoritzLaurer/mDeBERTa-v3-base-xnli-multilingual-nli-2mil7` (MIT licence, many languages), which is downloaded at "
        "the first use.",
    )
    backend: Literal["auto", "onnx", "transformers"] = Field(
        default="auto", description="`auto`: ONNX Runtime where the folder holds an ONNX file."
    )
    onnx_file: str | None = Field(
        default=None, description="The ONNX file within the model, such as `onnx/model_quantized.onnx`."
    )
    labels: list[str] | None = Field(
        default=None,
        description='The names of its classes in their order, such as `["contradiction", "entailment", "neutral"]`, for a '
        "model whose `config.json` does not name them.",
    )
    max_tokens: int = Field(default=512, ge=32, description="Of passage and statement together, in one part.")
    overlap_tokens: int = Field(default=64, ge=0, description="How much the parts of a long passage overlap.")
    batch_size: int = Field(default=8, ge=1, le=128, description="Pairs that are computed at once.")
    threads: int | None = Field(default=None, ge=1, le=64, description="Threads of a computation. Empty: all cores.")


class Adapter:
    """The judge `nli`. The model is loaded by the first call; one computation runs at a time."""

    def __init__(self, settings: Settings) -> None:
        if not settings.model:
            raise InvalidSettingError("The judge nli needs `model`: a folder or a name on the hub.")
        self._settings = settings
        self._runs_onnx = runs_onnx(settings, adapter="judge nli", otherwise=("torch", "transformers"))
        self._score: _Score | None = None
        self._guard = threading.Lock()
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="judge")

    @property
    def model(self) -> str:
        return name_of(self._settings)

    async def judge(self, statements: Sequence[Statement]) -> list[float | None]:
        pairs = [
            (with_bytes(passage[:_MAX_CHARACTERS]), with_bytes(one.text[:_LONGEST_STATEMENT]))
            for one in statements
            for passage in one.passages
        ]
        entailed: list[float] = []
        loop = asyncio.get_running_loop()
        for start in range(0, len(pairs), self._settings.batch_size):
            batch = pairs[start : start + self._settings.batch_size]
            entailed += await loop.run_in_executor(self._lane, self._compute, batch)
        found = iter(entailed)
        return [max((next(found) for _ in one.passages), default=None) for one in statements]

    async def close(self) -> None:
        self._lane.shutdown(wait=False, cancel_futures=True)
        with self._guard:
            self._score = None

    def _compute(self, pairs: _Pairs) -> list[float]:
        with self._guard:
            if self._score is None:
                self._score = (_load_onnx if self._runs_onnx else _load_transformers)(self._settings)
            score = self._score
        return score(pairs)


# --- what the classes mean -------------------------------------------------------------------------------------------


def _entailment_of(settings: Settings, config: Mapping[str, Any]) -> int:
    """The place of the class `entailment`. Raises UnusableJudgeModelError: no class is named so."""
    labels = settings.labels
    if labels is None:
        by_place = {int(place): str(name) for place, name in dict(config.get("id2label") or {}).items()}
        labels = [by_place[place] for place in sorted(by_place)]
    names = [re.sub(r"[^a-z]", "", label.lower()) for label in labels]
    found = [place for place, name in enumerate(names) if name in ("entailment", "entail", "entails")]
    if len(found) != 1 or len(names) < 2:
        raise UnusableJudgeModelError(
            f"The classes of this model are {labels}; one of them must be `entailment`. Name them with `labels`."
        )
    return found[0]


def _probabilities(logits: Any, entailment: int, count: int) -> _Floats:
    """Softmax over the classes, the one of the entailment. Raises JudgeUnavailableError, UnusableJudgeModelError."""
    values: _Floats = np.asarray(logits, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != count or values.shape[1] <= entailment:
        raise UnusableJudgeModelError(
            f"This model's output has the shape {values.shape}, not one row of classes a pair."
        )
    if not np.isfinite(values).all():
        raise JudgeUnavailableError("The model of natural language inference gave scores that are no numbers.")
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    entailed: _Floats = powers[:, entailment] / powers.sum(axis=1)
    return entailed


def _best_of_parts(entailed: _Floats, parts: Sequence[int], count: int) -> list[float]:
    """`parts`: to which pair each row belongs."""
    best = [0.0] * count
    for pair, value in zip(parts, entailed, strict=True):
        best[pair] = max(best[pair], float(value))
    return best


# --- ONNX Runtime ----------------------------------------------------------------------------------------------------


def _load_onnx(settings: Settings) -> _Score:
    from tokenizers import Tokenizer  # noqa: PLC0415 - loaded with the model

    try:
        folder = folder_of(settings)
    except Exception as error:
        raise JudgeUnavailableError(f"The model {settings.model!r} cannot be downloaded: {error}") from error
    file = onnx_file_of(folder, settings)
    if file is None:
        raise UnusableJudgeModelError
    entailment = _entailment_of(settings, _config(folder))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    alone = Tokenizer.from_file(str(folder / "tokenizer.json"))
    alone.enable_truncation(settings.max_tokens // 2)
    alone.no_padding()
    tokenizer.enable_truncation(settings.max_tokens, stride=_overlap(settings), strategy="only_first")
    pad = pad_token(tokenizer)
    tokenizer.enable_padding(pad_id=pad[0], pad_token=pad[1])
    session = open_session(file, settings)
    inputs = {entry.name for entry in session.get_inputs()}

    def cut(statement: str) -> str:
        offsets = alone.encode(statement, add_special_tokens=False).offsets
        return statement[: offsets[-1][1]] if offsets else ""

    def score(pairs: _Pairs) -> list[float]:
        rows, parts = [], []
        for pair, whole in enumerate(tokenizer.encode_batch([(passage, cut(said)) for passage, said in pairs])):
            for row in (whole, *whole.overflowing):
                rows.append(row)
                parts.append(pair)
        longest = max(len(row.ids) for row in rows)
        known = {
            "input_ids": _padded([row.ids for row in rows], longest, pad[0]),
            "attention_mask": _padded([row.attention_mask for row in rows], longest, 0),
            "token_type_ids": _padded([row.type_ids for row in rows], longest, 0),
        }
        (output, *_) = session.run(None, {name: known[name] for name in known if name in inputs})
        return _best_of_parts(_probabilities(output, entailment, len(rows)), parts, len(pairs))

    return score


def _overlap(settings: Settings) -> int:
    """Never so much that the parts of a passage beside a long statement would not move on."""
    return min(settings.overlap_tokens, settings.max_tokens // 8)


def _padded(rows: Sequence[Sequence[int]], length: int, fill: int) -> NDArray[np.int64]:
    return np.array([[*row, *[fill] * (length - len(row))] for row in rows], dtype=np.int64)


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UnusableJudgeModelError(f"{folder / 'config.json'} cannot be read: {error}.") from error
    return found


# --- transformers ----------------------------------------------------------------------------------------------------


def _load_transformers(settings: Settings) -> _Score:
    import torch  # noqa: PLC0415 - loaded with the model
    from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415

    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        tokenizer = AutoTokenizer.from_pretrained(settings.model, use_fast=True)
        model = AutoModelForSequenceClassification.from_pretrained(settings.model).eval()
    except (OSError, ValueError) as error:
        raise JudgeUnavailableError(f"The model {settings.model!r} cannot be loaded: {error}") from error
    entailment = _entailment_of(settings, model.config.to_dict())

    def cut(statement: str) -> str:
        half = settings.max_tokens // 2
        found = tokenizer(
            statement, add_special_tokens=False, truncation=True, max_length=half, return_offsets_mapping=True
        )
        offsets = found["offset_mapping"]
        return statement[: offsets[-1][1]] if offsets else ""

    def score(pairs: _Pairs) -> list[float]:
        encoded = tokenizer(
            [passage for passage, _ in pairs],
            [cut(said) for _, said in pairs],
            truncation="only_first",
            max_length=settings.max_tokens,
            stride=_overlap(settings),
            return_overflowing_tokens=True,
            padding=True,
            return_tensors="pt",
        )
        parts = encoded.pop("overflow_to_sample_mapping").tolist()
        with torch.inference_mode():
            logits = model(**encoded).logits.double().numpy()
        return _best_of_parts(_probabilities(logits, entailment, len(parts)), parts, len(pairs))

    return score
