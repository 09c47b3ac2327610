"""What models that read two texts together share, in ONNX Runtime or in a library of their makers.

The model is a folder, or a name on the Hugging Face hub. A folder with an ONNX file and `tokenizer.json` runs in ONNX
Runtime (extra `pii` has the tokenizer); anything else where the adapter says (extra `train`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from dragoman.kit.registry import MissingExtraError


class PairModelSettings(Protocol):
    """Of the settings of an adapter, what is looked at here."""

    @property
    def model(self) -> str: ...

    @property
    def backend(self) -> str: ...

    @property
    def onnx_file(self) -> str | None: ...

    @property
    def threads(self) -> int | None: ...


def with_bytes(text: str) -> str:
    """Half a character (a lone surrogate), which has no bytes in UTF-8 and which tokenizers refuse, becomes `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def name_of(settings: PairModelSettings) -> str:
    """As it stands in usage records: of a folder its last part."""
    return Path(settings.model).name if Path(settings.model).is_dir() else settings.model


def runs_onnx(settings: PairModelSettings, *, adapter: str, otherwise: Sequence[str]) -> bool:
    """Whether it runs in ONNX Runtime. `adapter`: as errors call it; `otherwise`: the packages of the other library.

    Raises:
        MissingExtraError: the packages of what it runs in are not installed.
    """
    onnx = _wants_onnx(settings, otherwise)
    names, extra = (("onnxruntime", "tokenizers"), "pii") if onnx else (tuple(otherwise), "train")
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(
                f"The {adapter} needs the package {name!r} for this model. Install the extra `{extra}`."
            )
    return onnx


def _wants_onnx(settings: PairModelSettings, otherwise: Sequence[str]) -> bool:
    if settings.backend != "auto":
        return settings.backend == "onnx"
    folder = Path(settings.model)
    if folder.is_dir():
        return settings.onnx_file is not None or next(_onnx_files(folder), None) is not None
    return settings.onnx_file is not None or importlib.util.find_spec(otherwise[-1]) is None


def folder_of(settings: PairModelSettings) -> Path:
    """Where the model's files lie; those of a name on the hub are downloaded, unless an earlier download has them.

    Raises:
        Exception: the hub is out of reach, or has no such model.
    """
    if Path(settings.model).is_dir():
        return Path(settings.model)
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - comes with tokenizers

    wanted = ["tokenizer.json", "config.json", settings.onnx_file or "onnx/model.onnx"]
    return Path(snapshot_download(settings.model, allow_patterns=wanted))


def onnx_file_of(folder: Path, settings: PairModelSettings) -> Path | None:
    """The ONNX file of a model that has its tokenizer beside it; None: something is missing."""
    file = folder / settings.onnx_file if settings.onnx_file else next(_onnx_files(folder), None)
    return file if file is not None and file.is_file() and (folder / "tokenizer.json").is_file() else None


def _onnx_files(folder: Path) -> Iterator[Path]:
    for place in (folder, folder / "onnx"):
        yield from sorted(place.glob("*.onnx"), key=lambda file: (file.name != "model.onnx", file.name))


def open_session(file: Path, settings: PairModelSettings) -> Any:
    import onnxruntime  # noqa: PLC0415 - loaded with the model

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if settings.threads is not None:
        options.intra_op_num_threads = settings.threads
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def pad_token(tokenizer: Any) -> tuple[int, str]:
    """RoBERTa's padding is 1, BERT's 0: as the tokenizer says itself, else by the name of the token."""
    if tokenizer.padding is not None:
        return int(tokenizer.padding["pad_id"]), str(tokenizer.padding["pad_token"])
    named = ((tokenizer.token_to_id(name), name) for name in ("[PAD]", "<pad>"))
    return next(((found, name) for found, name in named if found is not None), (0, "[PAD]"))
