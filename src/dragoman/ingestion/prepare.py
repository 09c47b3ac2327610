"""From what was extracted to what is stored, without a database: clean pages, then chunks and the quality report."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import TypeAdapter

from dragoman.ingestion.chunk import (
    ChunkDraft,
    ChunkSettings,
    PairSpan,
    chunk_content_hash,
    cut_pages,
)
from dragoman.ingestion.clean import CleanedDocument, clean_pages
from dragoman.ingestion.conversations import read_pairs
from dragoman.ingestion.counting import Counting, CountTokens, count_alone, count_together
from dragoman.ingestion.errors import ExtractionCrashedError
from dragoman.ingestion.near_duplicates import SIGNATURE_BYTES, MinHashSignature, bands, signature, similarity
from dragoman.ingestion.pairs import JSON_TYPES, TABULAR_TYPES
from dragoman.ingestion.pictures import Placement, pictures_of_chunks, take_pictures
from dragoman.ingestion.pii import PiiChoice, Placeholders, examine, mask_file_name, mask_line
from dragoman.ingestion.previous import PreviousChunks
from dragoman.ingestion.quality import NEAR_DUPLICATE, QualityReport, SimilarDocument, report_quality
from dragoman.ingestion.validate import require_text
from dragoman.kit.clock import new_id
from dragoman.kit.threads import run_by_length
from dragoman.knowledge.entities import (
    Chunk,
    DocumentVersion,
    SimilarVersion,
    StoredPage,
)
from dragoman.ports.extractor import ExtractedDocument, ExtractedImage, ExtractedPage
from dragoman.ports.language_detector import DetectedLanguage, LanguageDetector
from dragoman.ports.pii_detector import PiiDetector
from dragoman.tenancy.settings import ChatbotSettings

CutProgress = Callable[[float], Awaitable[None]]

_DETECT_BATCH = 512  # chunks: half a second
_UNSURE_LANGUAGE = 0.5  # below this confidence a chunk takes the language of its document
_NAMING: Final = frozenset({"speakers", "title"})  # what provenance says of people
_LOG_TYPES: Final = TABULAR_TYPES | JSON_TYPES | {"text/plain"}  # exports of conversations come as these
_PAGE_GAP = 2  # characters between pages in the whole text: a blank line


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document before it is cut.

    Attributes:
        extracted: as it came from the reader; hidden characters are seen there only.
        pages: clean, with personal data masked if wanted, without marks of pictures.
        placements: where pictures stood in the whole text.
        pair_spans: question-answer pairs in the whole text.
        unanswered_count: questions in a log that nobody answered.
        described_as: title, file name and labels; the title may come from inside.
        pii: the report on personal data; empty where none was looked for.
        is_masked: personal data was taken out of the pages; `extracted` still holds it.
    """

    extracted: ExtractedDocument
    cleaned: CleanedDocument
    pages: Sequence[ExtractedPage]
    placements: Sequence[Placement]
    pair_spans: Sequence[PairSpan]
    unanswered_count: int
    described_as: dict[str, Any]
    language: str
    pii: dict[str, Any]
    is_masked: bool = False

    @property
    def images(self) -> Sequence[ExtractedImage]:
        return self.extracted.images

    def stored_pages(self) -> list[StoredPage]:
        stored, offset = [], 0
        for ordinal, page in enumerate(self.pages):
            stored.append(
                StoredPage(
                    ordinal=ordinal,
                    number=page.number,
                    text=page.markdown,
                    start_offset=offset,
                    ocr=page.ocr,
                    confidence=page.confidence,
                )
            )
            offset += len(page.markdown) + _PAGE_GAP
        return stored


async def prepare_document(
    extracted: ExtractedDocument,
    path: Path,
    *,
    mime_type: str,
    described_as: dict[str, Any],
    settings: ChatbotSettings,
    language_detector: LanguageDetector,
    pii_detectors: Sequence[PiiDetector],
) -> Prepared:
    """Clean, take the pictures out, find question-answer pairs, look for personal data.

    Args:
        path: the original file, from which exports of conversations are read.

    Raises:
        NoTextFoundError: nothing can be read in it.
    """
    prepared = await run_by_length(
        _length(extracted.pages),
        prepare_text,
        extracted,
        path.read_bytes,
        mime_type=mime_type,
        described_as=described_as,
        language_detector=language_detector,
    )
    return await look_for_personal_data(prepared, settings=settings, pii_detectors=pii_detectors)


def _length(pages: Sequence[ExtractedPage]) -> int:
    return sum(len(page.markdown) for page in pages)


def prepare_text(
    extracted: ExtractedDocument,
    read_original: Callable[[], bytes],
    *,
    mime_type: str,
    described_as: dict[str, Any],
    language_detector: LanguageDetector,
) -> Prepared:
    """All of `prepare_document` but personal data. Blocking.

    Args:
        read_original: the bytes of the file; called for the kinds that exports of conversations come as.
    """
    require_text(extracted)
    cleaned = clean_pages(extracted.pages)
    require_text(ExtractedDocument(pages=cleaned.pages))
    plain, placements = take_pictures(cleaned.pages)
    raw = read_original() if mime_type in _LOG_TYPES else None
    paired = read_pairs(plain, mime_type=mime_type, content_type=described_as["content_type"], raw=raw)
    pages = plain if paired is None else paired.pages
    return Prepared(
        extracted=extracted,
        cleaned=replace(cleaned, pages=plain),
        pages=pages,
        placements=placements if pages is plain else (),  # in a text written anew nothing stands where it stood
        pair_spans=() if paired is None else paired.pair_spans,
        unanswered_count=0 if paired is None else paired.unanswered_count,
        described_as=_with_title(described_as, extracted.title),
        language=language_detector.detect(_sample(pages)).code,
        pii={},
    )


async def look_for_personal_data(
    prepared: Prepared, *, settings: ChatbotSettings, pii_detectors: Sequence[PiiDetector]
) -> Prepared:
    """With the report on personal data, and masked, where the chatbot wants that."""
    if settings.pii == "off":
        return prepared
    looking = _Looking(detectors=pii_detectors, language=prepared.language, choice=_choice(settings))
    return await looking.through(prepared)


def _choice(settings: ChatbotSettings) -> PiiChoice:
    mode: Literal["report", "mask"] = "mask" if settings.pii == "mask" else "report"
    return PiiChoice(mode=mode, types=frozenset(settings.pii_types or ()), min_score=settings.pii_min_score)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looking:
    """How personal data is looked for in one document."""

    detectors: Sequence[PiiDetector]
    language: str
    choice: PiiChoice

    async def through(self, prepared: Prepared) -> Prepared:
        """The document with the report, and masked if that is wanted: its text, title, file name and pairs.

        The text is looked at in pieces that end where pictures and pairs begin and end, so that these are found again.
        """
        points = sorted(
            {placement.offset for placement in prepared.placements}
            | {point for span in prepared.pair_spans for point in (span.start, span.end)}
        )
        pieces, page_of = _cut_at(prepared.pages, points)
        examined = await examine(self.detectors, pieces, language=self.language, choice=self.choice)
        report = examined.report.as_json()
        if self.choice.mode == "report":
            return replace(prepared, pii=report)
        pages, moved = _joined_again(prepared.pages, examined.pages, page_of, points)
        names = examined.placeholders
        images = [replace(image, description="") for image in prepared.images]
        described = prepared.described_as
        return replace(
            prepared,
            extracted=replace(prepared.extracted, images=images),
            pages=pages,
            placements=[replace(place, offset=moved[place.offset]) for place in prepared.placements],
            pair_spans=[
                replace(
                    span,
                    start=moved[span.start],
                    end=moved[span.end],
                    question=await self._line(span.question, names),
                    provenance={key: value for key, value in span.provenance.items() if key not in _NAMING},
                )
                for span in prepared.pair_spans
            ],
            described_as={
                **described,
                "title": await self._line(described["title"], names),
                "file_name": await mask_file_name(
                    self.detectors,
                    described["file_name"],
                    language=self.language,
                    choice=self.choice,
                    placeholders=names,
                ),
            },
            pii=report,
            is_masked=True,
        )

    async def _line(self, text: str, placeholders: Placeholders) -> str:
        return await mask_line(
            self.detectors, text, language=self.language, choice=self.choice, placeholders=placeholders
        )


def _cut_at(pages: Sequence[ExtractedPage], points: Sequence[int]) -> tuple[list[ExtractedPage], list[int]]:
    """The pages in pieces that end at the points, and for each piece the page it is of."""
    pieces, page_of, offset = [], [], 0
    for number, page in enumerate(pages):
        end = offset + len(page.markdown)
        inner = [point - offset for point in points if offset < point < end]
        for start, stop in pairwise([0, *inner, len(page.markdown)]):
            pieces.append(replace(page, markdown=page.markdown[start:stop]))
            page_of.append(number)
        offset = end + _PAGE_GAP
    return pieces, page_of


def _joined_again(
    pages: Sequence[ExtractedPage], pieces: Sequence[ExtractedPage], page_of: Sequence[int], points: Sequence[int]
) -> tuple[list[ExtractedPage], dict[int, int]]:
    """The pages from their pieces, and where each point is now."""
    texts: list[list[str]] = [[] for _ in pages]
    for piece, number in zip(pieces, page_of, strict=True):
        texts[number].append(piece.markdown)
    joined: list[ExtractedPage] = []
    moved: dict[int, int] = {}
    old = new = 0
    for page, parts in zip(pages, texts, strict=True):
        end = old + len(page.markdown)
        inner = [point for point in points if old < point < end]
        ends = list(accumulate(len(part) for part in parts))
        moved |= {old: new, end: new + ends[-1], **{point: new + at for point, at in zip(inner, ends, strict=False)}}
        joined.append(replace(page, markdown="".join(parts)))
        old, new = end + _PAGE_GAP, new + ends[-1] + _PAGE_GAP
    return joined, moved


def _with_title(described_as: dict[str, Any], found: str | None) -> dict[str, Any]:
    """The title given with the upload wins over that inside the document, that over the file name."""
    if described_as["metadata"].get("title_given") or not found or not found.strip():
        return dict(described_as)
    return {**described_as, "title": found.strip()[:500]}


def _sample(pages: Sequence[ExtractedPage], characters: int = 4000) -> str:
    """Text from the beginning and the middle: title pages are often in another language."""
    whole = "\n".join(page.markdown for page in pages)
    middle = len(whole) // 2
    return (
        whole
        if len(whole) <= characters
        else whole[: characters // 2] + "\n" + whole[middle : middle + characters // 2]
    )


# ---- cutting


@dataclass(frozen=True, slots=True, kw_only=True)
class CutChunk:
    """A chunk with its language. `pictures`: those that belong to it, by their numbers in the document."""

    draft: ChunkDraft
    language: str
    pictures: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CutText:
    """All that is kept of what a document says; a reader hands it back where it did all of this itself.

    Attributes:
        described_as, language, pii: as in `Prepared`.
        signature: that of `near_duplicates`, in hexadecimal; None where there are no words.
        quality: the report, as if it were the only document.
    """

    pages: Sequence[StoredPage]
    described_as: dict[str, Any]
    language: str
    chunks: Sequence[CutChunk]
    signature: str | None
    quality: QualityReport
    pii: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A version that was read, and its chunks."""

    text: CutText
    chunks: Sequence[Chunk]

    @classmethod
    def of(cls, text: CutText, version: DocumentVersion, image_ids: Sequence[UUID] = ()) -> Cut:
        """`image_ids`: of the pictures of the document, in their order."""
        return cls(text=text, chunks=[_chunk_of(chunk, version, image_ids) for chunk in text.chunks])

    @property
    def title(self) -> str:
        return str(self.text.described_as["title"])

    @property
    def signature(self) -> MinHashSignature | None:
        return None if self.text.signature is None else MinHashSignature(bytes.fromhex(self.text.signature))

    @property
    def bands(self) -> list[int]:
        return [] if (own := self.signature) is None else bands(own)

    def report(self, candidates: Sequence[SimilarVersion]) -> QualityReport:
        """The quality report. Candidates for near-duplicates count where they are alike enough."""
        return self.text.quality.beside([alike for other in candidates if (alike := self._compared(other)) is not None])

    def _compared(self, other: SimilarVersion) -> SimilarDocument | None:
        if (own := self.signature) is None:
            return None
        share = similarity(own, MinHashSignature(data=other.signature))
        if share < NEAR_DUPLICATE:
            return None
        return SimilarDocument(document_id=str(other.document_id), title=other.title, similarity=round(share, 3))


async def cut_document(
    prepared: Prepared,
    *,
    version: DocumentVersion,
    image_ids: Sequence[UUID],
    before: Sequence[Chunk],
    settings: ChatbotSettings,
    max_tokens: int,
    count_tokens: CountTokens,
    language_detector: LanguageDetector,
    progress: CutProgress | None = None,
) -> Cut:
    """Cut a document into chunks.

    Args:
        image_ids: of its pictures, in their order.
        before: the chunks of the version that is being replaced; where its text still stands, the cuts stay.
        max_tokens: never exceeded.
        progress: told the share that is done, 0 to 1.
    """
    cutting = _cutting(prepared, before=before, settings=chunk_settings(settings, max_tokens))
    counted = count_tokens if progress is None else _telling(count_tokens, prepared, progress)
    length = _length(prepared.pages)
    drafts = await count_alone(cutting, counted, length=length)
    detected = _of_whole(prepared, drafts) or await _detected(drafts, language_detector, progress)
    text = await run_by_length(length, _finished, prepared, drafts, detected, findings_of(version))
    return Cut.of(text, version, image_ids)


async def cut_small_documents(
    documents: Sequence[tuple[Prepared, DocumentVersion]],
    *,
    settings: ChatbotSettings,
    max_tokens: int,
    count_tokens: CountTokens,
    language_detector: LanguageDetector,
) -> list[Cut | Exception]:
    """Cut many new and small documents without pictures at once; the outcome of each."""

    sizes = chunk_settings(settings, max_tokens)
    works = [
        cut_text(prepared, settings=sizes, findings=findings_of(version), language_detector=language_detector)
        for prepared, version in documents
    ]
    texts = await count_together(works, count_tokens)
    return [
        text if isinstance(text, Exception) else Cut.of(text, version)
        for text, (_, version) in zip(texts, documents, strict=True)
    ]


def cut_text(
    prepared: Prepared,
    *,
    settings: ChunkSettings,
    findings: Sequence[Mapping[str, Any]],
    language_detector: LanguageDetector,
) -> Counting[CutText]:
    """Cut a new and small document. `findings`: of the structural scan, when it was uploaded."""
    drafts = yield from _cutting(prepared, before=(), settings=settings)
    detected = _of_whole(prepared, drafts) or language_detector.detect_many([draft.text for draft in drafts])
    return _finished(prepared, drafts, detected, findings)


def cut_as_json(text: CutText) -> bytes:
    return _cut_text_type().dump_json(text)


def cut_from_json(data: bytes) -> CutText:
    """What a reader handed back; it may be in the hands of its document, so nothing is believed.

    Raises:
        ExtractionCrashedError: it is not what `cut_as_json` makes of a document without pictures.
    """
    try:
        text = _cut_text_type().validate_json(data)
        signed = text.signature is None or len(bytes.fromhex(text.signature)) == SIGNATURE_BYTES
    except ValueError as error:
        raise ExtractionCrashedError(reason="The reader sent something that is no document.") from error
    if not signed or any(chunk.pictures for chunk in text.chunks) or _holds_zero(data):
        raise ExtractionCrashedError(reason="The reader sent something that cannot be stored.")
    return text


def _holds_zero(data: bytes) -> bool:
    """A zero byte in JSON, not a text that speaks of one. The pattern alone takes a third of a millisecond a page."""
    return rb"\u0000" in data and _ZERO.search(data) is not None


_ZERO: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


@lru_cache(maxsize=1)
def _cut_text_type() -> TypeAdapter[CutText]:
    return TypeAdapter(CutText)


def chunk_settings(settings: ChatbotSettings, max_tokens: int) -> ChunkSettings:
    return ChunkSettings(
        target_tokens=settings.chunk_tokens, max_tokens=max_tokens, overlap_tokens=settings.chunk_overlap_tokens
    )


def findings_of(version: DocumentVersion) -> Sequence[Mapping[str, Any]]:
    """What the structural scan found in the file when it was uploaded."""
    findings: Sequence[Mapping[str, Any]] = version.quality.get("findings", [])
    return findings


def _cutting(prepared: Prepared, *, before: Sequence[Chunk], settings: ChunkSettings) -> Counting[list[ChunkDraft]]:
    previous = PreviousChunks.of(
        [chunk.text for chunk in before], [(chunk.start_offset, chunk.end_offset) for chunk in before]
    )
    return cut_pages(
        prepared.pages,
        title=prepared.described_as["title"],
        language=prepared.language,
        settings=settings,
        pair_spans=prepared.pair_spans,
        previous=previous if before else None,
    )


def _telling(count_tokens: CountTokens, prepared: Prepared, progress: CutProgress) -> CountTokens:
    """`count_tokens` that tells how far the cutting is: most of a text is counted once, some of it again in parts."""
    length = max(1, _length(prepared.pages))
    counted = 0

    async def count(texts: Sequence[str]) -> list[int]:
        nonlocal counted
        counts = await count_tokens(texts)
        counted += sum(map(len, texts))
        await progress(0.2 * min(1.0, counted / length))
        return counts

    return count


def _of_whole(prepared: Prepared, drafts: Sequence[ChunkDraft]) -> list[DetectedLanguage]:
    """The language of the only chunk is that of the document; nothing where there are more."""
    return [DetectedLanguage(code=prepared.language, confidence=1.0)] if len(drafts) == 1 else []


async def _detected(
    drafts: Sequence[ChunkDraft], language_detector: LanguageDetector, progress: CutProgress | None
) -> list[DetectedLanguage]:
    """The language of each, in pieces: of the 14,000 chunks of a text of 25 MB they take 16 s, most of the cutting."""
    detected: list[DetectedLanguage] = []
    for first in range(0, len(drafts), _DETECT_BATCH):
        if progress is not None:
            await progress(0.2 + 0.7 * first / len(drafts))
        texts = [draft.text for draft in drafts[first : first + _DETECT_BATCH]]
        detected += await run_by_length(sum(map(len, texts)), language_detector.detect_many, texts)
    return detected


def _finished(
    prepared: Prepared,
    drafts: Sequence[ChunkDraft],
    detected: Sequence[DetectedLanguage],
    findings: Sequence[Mapping[str, Any]],
) -> CutText:
    shown = pictures_of_chunks(drafts, prepared.placements)
    chunks = [
        CutChunk(
            draft=draft,
            language=found.code if found.confidence >= _UNSURE_LANGUAGE and found.code != "und" else prepared.language,
            pictures=tuple(numbers),
        )
        for draft, found, numbers in zip(drafts, detected, shown, strict=True)
    ]
    own = signature("\n\n".join(page.markdown for page in prepared.pages))
    return CutText(
        pages=prepared.stored_pages(),
        described_as=prepared.described_as,
        language=prepared.language,
        chunks=chunks,
        signature=None if own is None else own.data.hex(),
        quality=report_quality(
            pages=prepared.extracted.pages,
            cleaned=prepared.cleaned,
            chunks=[(chunk.draft.text, chunk.language) for chunk in chunks],
            warnings=prepared.extracted.warnings,
            active_content=findings,
            unanswered_count=prepared.unanswered_count,
            may_quote=not prepared.is_masked,
        ),
        pii=prepared.pii,
    )


def _chunk_of(chunk: CutChunk, version: DocumentVersion, image_ids: Sequence[UUID]) -> Chunk:
    draft = chunk.draft
    return Chunk(
        id=new_id(),
        document_id=version.document_id,
        version_id=version.id,
        ordinal=draft.ordinal,
        text=draft.text,
        language=chunk.language,
        kind=draft.kind,
        heading_path=draft.heading_path,
        page=draft.page,
        start_offset=draft.start,
        end_offset=draft.end,
        token_count=draft.token_count,
        content_hash=chunk_content_hash(
            draft.text, draft.heading_path
        ),  # what a reader says of it would not be believed
        image_ids=tuple(image_ids[number] for number in chunk.pictures),
        provenance=dict(draft.provenance),
    )
