"""The set of real documents through the service: uploaded over HTTP, read by jobs, and looked for in their chunks.

Kept beside the repository, not in it: the documents have many licences. `test_document_corpus` reads the same set with
the extractors alone; here everything else that may lose a phrase or a file takes part.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from tests.api.conftest import (  # noqa: F401 - fixtures
    Company,
    MakeCompany,
    make_company,
    service,
    settings_for,
)
from tests.system.test_document_corpus import CORPUS, FOUND_SHARE, LONGEST_S, comparable, entries, everything_in

from dragoman.ports.extractor import ExtractedDocument, ExtractedPage

_CONTROLS: Final = re.compile("[\x01-\x08\x0b-\x1f\x7f\x81-\x9f]")
PAGE: Final = 100  # chunks asked for at once
SHORTEST_ADVICE: Final = 30  # characters: less cannot say what is wrong and what to do
UNHELPFUL: Final = frozenset({"ingestion.crashed", "internal", "jobs.unexpected", "database.unavailable"})

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the set of test documents is not on this machine")


@dataclass(slots=True, kw_only=True)
class Fate:
    """What became of one file.

    Attributes:
        ended: `ready`, `failed` (in the job) or `refused` (at the upload).
        code, message: of the error; empty where it is ready.
        seconds: wall clock from the upload to the end of its job.
        text: of its chunks, each below its headings where they change, and of its pages.
        cpu_s: what this process and its readers computed for it; on a busy machine much less than `seconds` tells.
        is_well: the service answered that it is ready afterwards.
    """

    entry: dict[str, Any]
    ended: str
    code: str = ""
    message: str = ""
    seconds: float = 0.0
    cpu_s: float = 0.0
    text: list[str] = field(default_factory=list)
    is_well: bool = False
    missing: list[str] = field(default_factory=list)
    missing_ocr: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return Path(self.entry["file"]).name

    @property
    def phrases(self) -> list[str]:
        """Without control characters, which cleaning takes out; a page that is a picture has none."""
        if "image_only" in self.entry["tags"]:
            return []
        return [_CONTROLS.sub(" ", phrase.replace("\x00", "")) for phrase in self.entry.get("anchors", [])]

    @property
    def ocr_phrases(self) -> list[str]:
        return list(self.entry.get("ocr_anchors", []))

    def compare(self) -> None:
        whole = "\n".join(self.text)
        # A blank line keeps the table at the end of one piece apart from that at the start of the next.
        pages = [ExtractedPage(number=None, markdown=f"{piece}\n\n") for piece in [whole, *self.text]]
        text, plain = comparable(everything_in(ExtractedDocument(pages=pages))), _plain(whole)
        self.missing = [phrase for phrase in self.phrases if comparable(phrase) not in text]
        self.missing_ocr = [phrase for phrase in self.ocr_phrases if _plain(phrase) not in plain]


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _cpu_s() -> float:
    """Seconds that this process and its living readers have computed."""
    own = psutil.Process()
    spent = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return spent


async def _live_through(company: Company, entry: dict[str, Any]) -> Fate:
    path = CORPUS / entry["file"]
    started, computed = time.monotonic(), _cpu_s()
    uploaded = await company.upload(path.read_bytes(), path.name)
    if uploaded.is_error:
        problem = uploaded.json()
        fate = Fate(entry=entry, ended="refused", code=problem["code"], message=problem["detail"])
    else:
        await company.service.run_jobs()
        fate = await _outcome(company, entry, uploaded.json()["id"])
    fate.seconds, fate.cpu_s = time.monotonic() - started, _cpu_s() - computed
    fate.is_well = (await company.service.client().get("/readyz")).status_code == 200
    return fate


async def _outcome(company: Company, entry: dict[str, Any], document_id: str) -> Fate:
    shown = (await company.api().get(f"/api/chatbot/documents/{document_id}/status/")).json()
    if shown["state"] != "ready":
        return Fate(entry=entry, ended=shown["state"], code=shown["error_code"] or "", message=shown["error"] or "")
    text = [*await _text_of(company, document_id), *await _pages_of(company, document_id)]
    fate = Fate(entry=entry, ended="ready", text=text)
    fate.compare()
    return fate


async def _text_of(company: Company, document_id: str) -> list[str]:
    """The headings and words of each chunk, as searches and citations have them."""
    pieces: list[str] = []
    headings: list[str] = []
    seen, total = 0, 1
    while seen < total:
        listed = await company.api().get(
            f"/api/chatbot/documents/{document_id}/chunks/", params={"limit": PAGE, "offset": seen}
        )
        assert listed.status_code == 200, listed.text
        body = listed.json()
        total, seen = body["total"], seen + max(1, len(body["chunks"]))
        for chunk in body["chunks"]:
            new = [f"# {heading}" for heading in chunk["headings"] if chunk["headings"] != headings]
            headings = chunk["headings"]
            pieces.append("\n".join([*new, chunk["text"]]))
    return pieces


async def _pages_of(company: Company, document_id: str) -> list[str]:
    """The pages as they can be opened from a citation: a phrase may stand where one chunk ends and the next begins."""
    pages: list[str] = []
    while True:
        answer = await company.api().get(f"/api/chatbot/documents/{document_id}/pages/{len(pages) + 1}/")
        if answer.status_code == 404:
            return pages
        pages.append(answer.json()["text"])


def table_of(fates: list[Fate]) -> str:
    lines = ["", f"{'file':45} {'ended':8} {'code':26} {'s':>6} {'cpu s':>6} missing"]
    for one in sorted(fates, key=lambda fate: (fate.entry["format"], fate.name)):
        missing = one.missing + one.missing_ocr
        lines.append(
            f"{one.name[:45]:45} {one.ended:8} {one.code[:26]:26} {one.seconds:6.1f} {one.cpu_s:6.1f} "
            f"{missing or one.message}"
        )
    return "\n".join(lines)


@pytest.fixture(scope="module")
async def archive(make_company: MakeCompany) -> list[Fate]:  # noqa: F811 - the fixture imported above
    company = await make_company()
    assert company.service.settings.ocr == "rapidocr"
    return [await _live_through(company, entry) for entry in entries()]


async def test_each_file_becomes_ready_or_says_what_to_do(archive: list[Fate]) -> None:
    assert len(archive) >= 100
    print(Counter((one.ended, one.code) for one in archive), table_of(archive))
    bad = [
        one
        for one in archive
        if one.ended not in {"ready", "failed", "refused"}
        or (one.ended != "ready" and (one.code in UNHELPFUL or "." not in one.code))
        or (one.ended != "ready" and len(one.message) < SHORTEST_ADVICE)
    ]
    assert not bad, table_of(bad)


async def test_none_hangs_and_the_service_stays_well(archive: list[Fate]) -> None:
    slow = [one for one in archive if one.seconds > LONGEST_S]
    assert not slow, table_of(slow)
    unwell = [one for one in archive if not one.is_well]
    assert not unwell, table_of(unwell)


async def test_the_expected_phrases_are_found_in_the_chunks(archive: list[Fate]) -> None:
    expected = [one for one in archive if one.phrases and one.ended == "ready"]
    unread = [one for one in archive if one.phrases and one.ended != "ready"]
    phrases = sum(len(one.phrases) for one in expected + unread)
    lost = sum(len(one.missing) for one in expected) + sum(len(one.phrases) for one in unread)
    found = [one for one in expected if len(one.missing) <= (1 - FOUND_SHARE) * len(one.phrases)]
    wanting = [one for one in expected if one.missing] + unread
    print(f"phrases {phrases - lost}/{phrases}, files {len(found)}/{len(expected + unread)}", table_of(wanting))
    assert phrases - lost >= 0.97 * phrases, table_of(wanting)
    assert len(found) >= 0.97 * len(expected + unread), table_of(wanting)


async def test_what_is_written_in_pictures_is_found_in_the_chunks(archive: list[Fate]) -> None:
    expected = [one for one in archive if one.ocr_phrases]
    phrases = sum(len(one.ocr_phrases) for one in expected)
    lost = sum(len(one.missing_ocr if one.ended == "ready" else one.ocr_phrases) for one in expected)
    print(f"phrases in pictures {phrases - lost}/{phrases}", table_of(expected))
    assert phrases - lost >= 0.85 * phrases, table_of(expected)
