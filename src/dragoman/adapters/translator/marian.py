"""Marian models, such as those of Helsinki-NLP (OPUS-MT), run by CTranslate2 in 8 bits (extra `translate`).

A model is one of: a folder that CTranslate2 made; a folder as OPUS-MT publishes it (`decoder.yml`, `.npz`, `.spm`); a
checkpoint of transformers, as a folder; or the name of one on the hub. The last three are converted once, and the
result is kept. Only a checkpoint of transformers needs `transformers` and `torch` for that.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dragoman.kit.registry import MissingExtraError
from dragoman.ports.translator import (
    LanguagePair,
    TranslatorUnavailableError,
    UnsupportedPairError,
    UntranslatableError,
)

_LONGEST_TOKENS: Final = 200  # these models were trained on sentences: 512 positions, and worse long before
_MOST_WRITTEN: Final = 3  # times the tokens of the text
_HUB_FILES: Final = ["*.json", "*.spm", "*.model", "*.bin", "*.safetensors", "*.txt", "*.yml", "*.npz"]
_SPM: Final = ("source.spm", "target.spm")
_SHARED_SPM: Final = ("sentencepiece.model", "spm.model", "sentencepiece.bpe.model")
_UNSPACED: Final = frozenset({"zh", "ja", "th", "lo", "km", "my"})

_PUNCTUATION: Final = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "‚": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "–": "-",
        "—": "-",
        "…": "...",
        "\u00a0": " ",
    }
)


class Model(BaseModel):
    """Where the model of a pair is, and what it needs to be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(description="Its folder, or its name on the hub.")
    prefix: str = Field(default="", description="What one for several target languages is told first: `>>spa<<`.")


class Settings(BaseModel):
    """Settings of the translator `marian`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: dict[str, Model] = Field(
        default_factory=dict,
        description="By language pair, the folder of its model or its name on the hub: "
        '`{"en-de": "/models/opus-mt-en-de", "de-en": "Helsinki-NLP/opus-mt-de-en"}`. One for several target languages: '
        '`{"en-es": {"path": "Helsinki-NLP/opus-mt-en-ROMANCE", "prefix": ">>es<<"}}`.',
    )
    directory: Path = Field(
        default=Path(".dragoman/translators"), description="Where converted models are kept: 75 MB each."
    )
    quantization: Literal["int8", "int8_float32", "float32"] = Field(
        default="int8", description="Precision of converted models; `int8` takes a quarter of the memory."
    )
    beam_size: int = Field(default=2, ge=1, le=8, description="Translations that are weighed against each other.")
    threads: int = Field(default=2, ge=1, le=64, description="Threads of one translation.")
    idle_s: float = Field(default=900, gt=0, description="Seconds without work after which a model leaves memory.")

    @field_validator("models", mode="before")
    @classmethod
    def _paths(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        for pair in value:
            if len(str(pair).split("-")) != 2:
                raise ValueError(f"{pair!r} is no language pair; write it as en-de")
        return {pair: {"path": model} if isinstance(model, str) else model for pair, model in value.items()}


@dataclass(slots=True)
class _Loaded:
    """A model in memory with its tokenizers."""

    translator: Any
    source: Any
    target: Any
    adds_eos: bool  # whether CTranslate2 ends the source by itself
    used_at: float


class Adapter:
    """The translator `marian`. A model is loaded by its first text and leaves when idle."""

    def __init__(self, settings: Settings) -> None:
        for package in ("ctranslate2", "sentencepiece"):
            if importlib.util.find_spec(package) is None:
                raise MissingExtraError(f"The translator `marian` needs {package}: pip install 'dragoman[translate]'.")
        self._settings = settings
        self._models = {LanguagePair(*name.split("-")): model for name, model in settings.models.items()}
        self._loaded: dict[LanguagePair, _Loaded] = {}
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="marian")  # one computation at a time: bounded memory
        self._guard = threading.Lock()
        self._leaving: threading.Timer | None = None

    @property
    def placeholder(self) -> str:
        return "XQ{n}"

    def model_of(self, pair: LanguagePair) -> str:
        model = self._models.get(pair)
        return f"marian:{Path(model.path).name}" if model else f"marian:{pair}"

    async def pairs(self) -> frozenset[LanguagePair]:
        return frozenset(self._models)

    async def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        pair = LanguagePair(source, target)
        if pair not in self._models:
            raise UnsupportedPairError(
                f"No Marian model is set for {pair}. Add it to DRAGOMAN_TRANSLATOR_MARIAN_MODELS."
            )
        if not texts:
            return []
        return await asyncio.get_running_loop().run_in_executor(self._lane, self._translate, pair, list(texts))

    async def close(self) -> None:
        self._lane.shutdown(wait=False, cancel_futures=True)
        with self._guard:
            if self._leaving is not None:
                self._leaving.cancel()
            self._loaded.clear()

    # ---- translating, in the lane

    def _translate(self, pair: LanguagePair, texts: list[str]) -> list[str]:
        model = self._get(pair)
        prefix = self._models[pair].prefix.split()
        parts: list[list[str]] = []
        owners: list[int] = []
        for number, text in enumerate(texts):
            for part in _cut(model.source.encode(_plain(text), out_type=str)):
                parts.append([*prefix, *part] if model.adds_eos else [*prefix, *part, "</s>"])
                owners.append(number)
        written = self._write(model, parts)
        gap = "" if pair.target in _UNSPACED else " "
        said = [
            gap.join(words for owner, words in zip(owners, written, strict=True) if owner == number).strip()
            for number in range(len(texts))
        ]
        if not all(said):
            raise UntranslatableError(f"The Marian model of {pair} wrote nothing.")
        return said

    def _write(self, model: _Loaded, parts: list[list[str]]) -> list[str]:
        results = model.translator.translate_batch(
            parts,
            beam_size=self._settings.beam_size,
            max_batch_size=2048,
            batch_type="tokens",
            max_input_length=0,
            max_decoding_length=max(32, _MOST_WRITTEN * max(map(len, parts))),
            disable_unk=True,
        )
        self._stay_awhile()
        return [str(model.target.decode(result.hypotheses[0])) for result in results]

    # ---- loading

    def _get(self, pair: LanguagePair) -> _Loaded:
        with self._guard:
            loaded = self._loaded.get(pair)
        if loaded is None:
            loaded = self._load(pair)
        loaded.used_at = time.monotonic()
        with self._guard:
            self._loaded[pair] = loaded
        return loaded

    def _load(self, pair: LanguagePair) -> _Loaded:
        import ctranslate2  # noqa: PLC0415 - only who translates needs it
        import sentencepiece  # noqa: PLC0415

        folder = self._converted(self._models[pair].path)
        shared = next((folder / name for name in _SHARED_SPM if (folder / name).is_file()), None)
        source, target = ((folder / name) if (folder / name).is_file() else shared for name in _SPM)
        if source is None or target is None:
            raise TranslatorUnavailableError(f"{folder} holds no SentencePiece model (source.spm and target.spm).")
        try:
            return _Loaded(
                translator=ctranslate2.Translator(
                    str(folder), device="cpu", inter_threads=1, intra_threads=self._settings.threads
                ),
                source=sentencepiece.SentencePieceProcessor(model_file=str(source)),
                target=sentencepiece.SentencePieceProcessor(model_file=str(target)),
                adds_eos=_adds_eos(folder),
                used_at=time.monotonic(),
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise TranslatorUnavailableError(f"The model in {folder} cannot be loaded: {error}") from error

    def _converted(self, path: str) -> Path:
        """The folder of CTranslate2's form of this model, made when it is not there."""
        folder = Path(path).expanduser()
        kept = (
            self._settings.directory / hashlib.sha256(f"{path}|{self._settings.quantization}".encode()).hexdigest()[:16]
        )
        if (kept / "model.bin").is_file():
            return kept
        if not folder.is_dir():
            folder = _from_hub(path)
        if (folder / "model.bin").is_file():
            return folder
        if (folder / "decoder.yml").is_file():
            return self._convert(folder, kept, lambda: _converters().OpusMTConverter(str(folder)))
        if (folder / "config.json").is_file():
            return self._convert(folder, kept, lambda: _transformers_converter(folder))
        raise TranslatorUnavailableError(f"{folder} holds no Marian model: no model.bin, decoder.yml or config.json.")

    def _convert(self, folder: Path, kept: Path, converter: Callable[[], Any]) -> Path:
        """Beside its final place first: a process that is killed, or another one, leaves no half of a model there."""
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=kept.parent)) / "model"
        try:
            converter().convert(str(draft), quantization=self._settings.quantization)
            for spm in (*_SPM, *_SHARED_SPM):
                if (folder / spm).is_file():
                    shutil.copy(folder / spm, draft / spm)
            if not kept.exists():
                draft.rename(kept)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise TranslatorUnavailableError(f"The model in {folder} cannot be converted: {error}") from error
        finally:
            shutil.rmtree(draft.parent, ignore_errors=True)
        return kept

    # ---- leaving

    def _stay_awhile(self) -> None:
        with self._guard:
            if self._leaving is None:
                self._start_timer(self._settings.idle_s)

    def _start_timer(self, seconds: float) -> None:
        self._leaving = threading.Timer(seconds, self._leave_when_idle)
        self._leaving.daemon = True
        self._leaving.start()

    def _leave_when_idle(self) -> None:
        with self._guard:
            moment = time.monotonic()
            rests = {pair: loaded.used_at + self._settings.idle_s - moment for pair, loaded in self._loaded.items()}
            for pair, rest in rests.items():
                if rest <= 0:
                    del self._loaded[pair]
            self._leaving = None
            if waiting := [rest for rest in rests.values() if rest > 0]:
                self._start_timer(min(waiting))


def _plain(text: str) -> str:
    """Punctuation as in the texts that OPUS models were trained on, and nothing that cannot be encoded."""
    return text.translate(_PUNCTUATION).encode("utf-8", "replace").decode("utf-8").replace("\x00", " ")


def _cut(tokens: list[str]) -> list[list[str]]:
    """Parts of at most `_LONGEST_TOKENS`, cut before a word where there is one."""
    parts = []
    while len(tokens) > _LONGEST_TOKENS:
        starts = [at for at in range(_LONGEST_TOKENS // 2, _LONGEST_TOKENS + 1) if tokens[at].startswith("▁")]
        cut = starts[-1] if starts else _LONGEST_TOKENS
        parts.append(tokens[:cut])
        tokens = tokens[cut:]
    return [*parts, tokens]


def _adds_eos(folder: Path) -> bool:
    config = folder / "config.json"
    return bool(config.is_file() and json.loads(config.read_text(encoding="utf-8")).get("add_source_eos"))


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - only who names a model of the hub needs it
    except ModuleNotFoundError as error:
        raise TranslatorUnavailableError(
            f"{name!r} is no folder here, and a model of the hub needs the package huggingface_hub."
        ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except Exception as error:
        raise TranslatorUnavailableError(f"The model {name!r} cannot be had from the hub: {error}") from error


def _transformers_converter(folder: Path) -> Any:
    if not all(map(importlib.util.find_spec, ("torch", "transformers"))):
        raise TranslatorUnavailableError(
            f"{folder} is a checkpoint of transformers. Convert it where the extra `train` is installed, or there with "
            "`ct2-transformers-converter --model NAME --output_dir FOLDER --quantization int8 --copy_files source.spm "
            "target.spm`, and set that folder."
        )
    return _converters().TransformersConverter(str(folder))


def _converters() -> Any:
    import ctranslate2.converters  # noqa: PLC0415 - only what is not converted yet needs it

    return ctranslate2.converters
