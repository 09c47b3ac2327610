"""The set of real documents, read as an upload is read: what it must find, what must fail, and how long it may take.

Kept beside the repository, not in it: the documents have many licences.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import pytest

from dragoman.kit import registry
from dragoman.kit.errors import DragomanError
from dragoman.kit.text.markdown import cells_of
from dragoman.ports.extractor import ExtractedDocument, Extractor

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "documents"
LONGEST_S: Final = 60.0
FOUND_SHARE: Final = 0.8  # of the phrases of a file, for the file to count as found
OFFICE: Final = "application/vnd.openxmlformats-officedocument"
OPEN: Final = "application/vnd.oasis.opendocument"
TYPES: Final = {
    "pdf": "application/pdf", "docx": f"{OFFICE}.wordprocessingml.document", "md": "text/markdown",
    "docm": f"{OFFICE}.wordprocessingml.document", "xlsx": f"{OFFICE}.spreadsheetml.sheet",
    "xlsm": f"{OFFICE}.spreadsheetml.sheet", "pptx": f"{OFFICE}.presentationml.presentation",
    "doc": "application/msword", "xls": "application/vnd.ms-excel", "odt": f"{OPEN}.text",
    "ods": f"{OPEN}.spreadsheet", "odp": f"{OPEN}.presentation", "rtf": "application/rtf",
    "epub": "application/epub+zip", "html": "text/html", "txt": "text/plain", "csv": "text/csv",
    "eml": "message/rfc822", "msg": "application/vnd.ms-outlook", "json": "application/json",
}  # fmt: skip

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the set of test documents is not on this machine")


@dataclass(slots=True)
class Reading:
    """How one file was read. `reason`: the code of its error; `crash`: what was no error of ours."""

    entry: dict[str, Any]
    seconds: float = 0.0
    document: ExtractedDocument | None = None
    reason: str = ""
    crash: str = ""
    missing: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.entry["file"]).removeprefix("files/")

    @property
    def phrases(self) -> list[str]:
        return [phrase.replace("\x00", "") for phrase in self.entry.get("anchors", [])]


def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CORPUS / "MANIFEST.jsonl").read_text().splitlines()]


def extractors() -> dict[str, Extractor]:
    made = [registry.create("extractor", name) for name in registry.list_adapters("extractor")]
    return {mime_type: one for one in made for mime_type in one.mime_types}


async def read(entry: dict[str, Any], by_type: dict[str, Extractor], *, with_images: bool = False) -> Reading:
    reading = Reading(entry)
    extractor = by_type.get(TYPES.get(entry["format"], ""))
    if extractor is None:
        reading.reason = "no extractor"
        return reading
    content = (CORPUS / entry["file"]).read_bytes()
    started = time.monotonic()
    try:
        async with asyncio.timeout(LONGEST_S):
            reading.document = await extractor.extract(
                content, mime_type=TYPES[entry["format"]], file_name=reading.name, with_images=with_images
            )
    except DragomanError as error:
        reading.reason = error.code
    except Exception as error:  # noqa: BLE001 - a crash is what is looked for
        reading.crash = f"{type(error).__name__}: {error}"
    reading.seconds = time.monotonic() - started
    text = comparable(everything_in(reading.document)) if reading.document else ""
    reading.missing = [phrase for phrase in reading.phrases if comparable(phrase) not in text]
    return reading


def comparable(text: str) -> str:
    """Words only: the phrases were taken from plain text, without the signs of Markdown."""
    text = re.sub("[\x02\ufffe\u00ad]\\s*", "", text)  # as cleaning joins hyphenated words
    text = re.sub(r"^\s*\|[\s|:-]+\|\s*$", " ", text, flags=re.MULTILINE)
    text = re.sub(r"^\s*\d+\. ", " ", text, flags=re.MULTILINE)
    text = (
        re.sub(r"(?<!\\)[|]", " ", text).replace("*", "").replace("\x80", "€")
    )  # some phrases were taken in the wrong encoding
    words = unicodedata.normalize("NFKC", text).replace("\\", "").casefold().split()
    return " ".join(word for word in words if not re.fullmatch(r"[#>`~=+-]+", word))


def everything_in(document: ExtractedDocument) -> str:
    """The text, and again as some of the phrases were taken from the files.

    Tables by columns, and without numbers (the strings of a workbook stand apart from them), or not at all (charts);
    the title of a slide behind its text.
    """
    text = "\n".join(page.markdown for page in document.pages)
    views = [re.sub(r"\A(#[^\n]*)\n(.*)", r"\2 \1", page.markdown, flags=re.DOTALL) for page in document.pages]
    views.append(re.sub(r"^(?:\|.*\||\*\*.*\*\*)$", "", text, flags=re.MULTILINE))
    for rows in re.findall(r"(?:^\|.*\|$\n?){3,}", text, flags=re.MULTILINE):
        cells = [cells_of(row) for row in rows.strip().split("\n") if not re.fullmatch(r"[\s|:-]+", row)]
        views += [" ".join(column) for column in zip_longest(*cells, fillvalue="")]
        views.append(" ".join(cell for row in cells for cell in row if not cell.isdigit()))
    return "\n".join([text, *views])


def table_of(readings: list[Reading]) -> str:
    lines = ["", f"{'file':45} {'read':24} {'s':>5} missing"]
    for one in sorted(readings, key=lambda reading: (reading.entry["format"], reading.name)):
        state = one.crash or one.reason or "read"
        lines.append(f"{one.name[:45]:45} {state[:24]:24} {one.seconds:5.1f} {one.missing if one.document else ''}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def readings() -> list[Reading]:
    async def run() -> list[Reading]:
        by_type = extractors()
        return [await read(entry, by_type) for entry in entries()]

    return asyncio.run(run())


def test_each_file_is_read_or_refused_with_a_reason_in_time(readings: list[Reading]) -> None:
    assert len(readings) >= 100
    crashed = [one for one in readings if one.crash or one.seconds > LONGEST_S]
    assert not crashed, table_of(crashed)


def test_the_expected_phrases_are_found(readings: list[Reading]) -> None:
    expected = [one for one in readings if one.phrases]
    phrases = sum(len(one.phrases) for one in expected)
    found = phrases - sum(len(one.missing) for one in expected)
    files = [one for one in expected if len(one.missing) <= (1 - FOUND_SHARE) * len(one.phrases)]
    per_format = Counter(one.entry["format"] for one in expected)
    hit = Counter(one.entry["format"] for one in files)
    print(f"phrases {found}/{phrases}, files {len(files)}/{len(expected)}", dict(per_format), "found", dict(hit))
    lost = [one for one in expected if one.missing]
    print(table_of(lost))
    assert found >= 0.97 * phrases, table_of(lost)
    assert len(files) >= 0.97 * len(expected), table_of(lost)


def test_a_password_is_the_reason_for_what_asks_for_one(readings: list[Reading]) -> None:
    locked = [
        one for one in readings if one.entry.get("password") or ("encrypted" in one.entry["tags"] and not one.phrases)
    ]
    refused = [one for one in locked if one.reason == "extractor.encrypted"]
    assert len(locked) >= 5
    assert len(refused) == len(locked), table_of(locked)
