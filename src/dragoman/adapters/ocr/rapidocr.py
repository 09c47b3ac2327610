"""PP-OCRv6 by RapidOCR on ONNX Runtime: Latin script in all its languages, Chinese and Japanese, from one model.

The models lie in the wheel (Apache-2.0), nothing is downloaded. Their alphabet has no Cyrillic, Arabic, Hangul,
Hebrew or Indic letters: those languages are read by the adapter `tesseract`.

RapidOCR turns each line by a classifier that was wrong on every twelfth line of a clean German letter, whose words
were lost. So it is left out: a few lines, read both ways round, tell how the page lies (`_find_position`).
"""

from __future__ import annotations

import importlib.util
import threading
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.pictures import UnreadablePictureError, open_frames
from dragoman.kit.threads import run_to_end
from dragoman.ports.ocr import OcrError, OcrLine, RecognisedText

TALL: Final = 1.5  # height to width from which RapidOCR reads a line from top to bottom
SAMPLE: Final = 6  # lines
SURE: Final = 0.9  # mean confidence at which the position needs no second look
CLEARLY_BETTER: Final = 0.08  # confidence
DOUBTFUL_LINE: Final = 0.75  # a line below it is tried upside down too
DETECTION_SIDE: Final = 1600  # pixels: finds the same lines as 2000 in 60 % of the time; they are read at full size
LINES_AT_ONCE: Final = 2  # a batch of six long lines took 300 MB for its 18,708 letters per position
SMALLEST_SIDE: Final = 12  # pixels; nothing can be read in less

for _package in ("rapidocr", "onnxruntime"):
    if importlib.util.find_spec(_package) is None:  # said when the adapter is chosen, not with the first picture
        raise ModuleNotFoundError(f"No module named {_package!r}", name=_package)


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(default=2, ge=1, le=64, description="Processor cores that one picture may use.")
    longest_side: int = Field(default=2000, ge=500, le=8000, description="Pixels; larger pictures are scaled down.")
    min_confidence: float = Field(default=0.5, ge=0, le=1, description="Lines read with less confidence are left out.")


class Adapter:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rapidocr")
        self._loading = threading.Lock()
        self._engine: Any = None

    async def recognise(self, image: bytes, *, languages: Sequence[str] = ()) -> RecognisedText:  # noqa: ARG002 - one model reads all it can
        """See `Ocr`. The languages make no difference: one model reads all that it knows."""
        return await run_to_end(self._executor, self._recognise, image)

    async def close(self) -> None:
        self._executor.shutdown(wait=False)

    def _recognise(self, image: bytes) -> RecognisedText:
        import numpy as np  # noqa: PLC0415

        try:
            picture = next(open_frames(image, longest_side=100_000))
        except UnreadablePictureError as error:
            raise OcrError(f"The picture cannot be read. {error}") from error
        if min(picture.size) < SMALLEST_SIDE:
            return RecognisedText(lines=())
        full_width = picture.width
        picture.thumbnail((self._settings.longest_side, self._settings.longest_side))
        scale = full_width / picture.width
        pixels = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])  # OpenCV counts blue, green, red
        return self._read(pixels, scale)

    def _read(self, pixels: Any, scale: float) -> RecognisedText:
        engine = self._loaded()
        detected = _detected(engine, pixels)
        if not detected:
            return RecognisedText(lines=())
        position = _find_position(engine, detected)
        if position.turned:
            detected = [_Detected(crop=line.crop[::-1, ::-1], box=line.box, tall=line.tall) for line in detected]
        texts, scores = _recognised(engine, [line.crop for line in detected])
        _read_doubtful_lines_again(engine, detected, texts, scores)
        height, width = pixels.shape[:2]
        lines = [
            OcrLine(
                text=" ".join(unicodedata.normalize("NFC", text).split()),
                confidence=min(1.0, max(0.0, float(score))),
                box=_scaled(_upright_box(line.box, position.rotation, width, height), scale),
            )
            for line, text, score in zip(detected, texts, scores, strict=True)
            if text.strip() and score >= self._settings.min_confidence
        ]
        return RecognisedText(lines=_in_order(lines, position), rotation=position.rotation)

    def _loaded(self) -> Any:
        with self._loading:
            if self._engine is None:
                from rapidocr import RapidOCR  # noqa: PLC0415 - 0.5 s and 100 MB

                self._engine = RapidOCR(
                    params={
                        "Global.log_level": "error",
                        "Global.use_cls": False,
                        "Det.limit_type": "max",
                        "Det.limit_side_len": DETECTION_SIDE,
                        "Rec.rec_batch_num": LINES_AT_ONCE,
                        "EngineConfig.onnxruntime.intra_op_num_threads": self._settings.threads,
                        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                    }
                )
            return self._engine


@dataclass(frozen=True, slots=True)
class _Detected:
    """A line found: its pixels as the recogniser takes them, its box in the picture, whether it is taller than wide."""

    crop: Any
    box: tuple[float, float, float, float]
    tall: bool


@dataclass(frozen=True, slots=True)
class _Position:
    """How the page lies. `rotation`: degrees clockwise that turn it upright. `turned`: lines read after half a turn."""

    rotation: int
    turned: bool
    vertical: bool


def _detected(engine: Any, pixels: Any) -> list[_Detected]:
    from rapidocr.main import RapidOCRError  # noqa: PLC0415

    record: dict[str, Any] = {}
    try:
        crops, found = engine.detect_and_crop(pixels, record)
    except RapidOCRError:  # "The text detection result is empty"
        return []
    above = record["padding_1"]["top"]  # a strip wider than 8 times its height gets margins
    lines = []
    for crop, corners in zip(crops, found.boxes, strict=True):
        left, top = (float(side) for side in corners.min(axis=0))
        right, bottom = (float(side) for side in corners.max(axis=0))
        is_tall = bottom - top >= TALL * (right - left)
        lines.append(_Detected(crop, (left, top - above, right, bottom - above), is_tall))
    return lines


def _recognised(engine: Any, crops: Sequence[Any]) -> tuple[list[str], list[float]]:
    import numpy as np  # noqa: PLC0415

    result = engine.recognize_txt([np.ascontiguousarray(crop) for crop in crops])
    return list(result.txts), [float(score) for score in result.scores]


def _find_position(engine: Any, detected: Sequence[_Detected]) -> _Position:
    """Reads the longest lines both ways round. Lines of Chinese and Japanese that run downwards stay as they are."""
    tall = sum(_length(line) for line in detected if line.tall) > sum(_length(line) for line in detected) / 2
    sample = sorted((line for line in detected if line.tall == tall), key=_length, reverse=True)[:SAMPLE]
    texts, scores = _recognised(engine, [line.crop for line in sample])
    turned = False
    if _mean(scores) < SURE:
        turned_texts, turned_scores = _recognised(engine, [line.crop[::-1, ::-1] for line in sample])
        if _mean(turned_scores) > _mean(scores) + CLEARLY_BETTER:
            turned, texts = True, turned_texts
    if not tall:
        return _Position(rotation=180 if turned else 0, turned=turned, vertical=False)
    if not turned and _is_written_downwards("".join(texts)):
        return _Position(rotation=0, turned=False, vertical=True)
    return _Position(rotation=90 if turned else 270, turned=turned, vertical=False)


def _read_doubtful_lines_again(
    engine: Any, detected: Sequence[_Detected], texts: list[str], scores: list[float]
) -> None:
    doubtful = [at for at, score in enumerate(scores) if score < DOUBTFUL_LINE]
    if not doubtful:
        return
    other_texts, other_scores = _recognised(engine, [detected[at].crop[::-1, ::-1] for at in doubtful])
    for at, text, score in zip(doubtful, other_texts, other_scores, strict=True):
        if score > scores[at] + CLEARLY_BETTER and text.strip():
            texts[at], scores[at] = text, score


def _length(line: _Detected) -> float:
    left, top, right, bottom = line.box
    return max(right - left, bottom - top)


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores) if scores else 0.0


def _is_written_downwards(text: str) -> bool:
    """Whether most letters belong to a script that is written downwards too."""
    letters = [letter for letter in text if letter.isalnum()]
    east_asian = sum(unicodedata.name(letter, "").startswith(("CJK", "HIRAGANA", "KATAKANA")) for letter in letters)
    return east_asian > len(letters) / 2


def _upright_box(
    box: tuple[float, float, float, float], rotation: int, width: int, height: int
) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    if rotation == 90:
        return height - bottom, left, height - top, right
    if rotation == 180:
        return width - right, height - bottom, width - left, height - top
    if rotation == 270:
        return top, width - right, bottom, width - left
    return box


def _scaled(box: tuple[float, float, float, float], scale: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = (round(side * scale, 1) for side in box)
    return left, top, right, bottom


def _in_order(lines: Sequence[OcrLine], position: _Position) -> list[OcrLine]:
    """Rows from top to bottom, or columns from right to left."""
    if position.vertical:
        return sorted(lines, key=lambda line: (-line.box[2], line.box[1]))
    rows: list[list[OcrLine]] = []
    for line in sorted(lines, key=_middle):
        if rows and _middle(line) - _middle(rows[-1][0]) < (line.box[3] - line.box[1]) / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.box[0])]


def _middle(line: OcrLine) -> float:
    return (line.box[1] + line.box[3]) / 2
