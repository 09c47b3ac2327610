"""The default answerer: quotes the sentences that answer, word for word, and calls no model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dragoman.deps import Deps
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.generation import nearest, screening
from dragoman.generation.entities import Citation, Draft, GenerationRequest
from dragoman.generation.evidence import (
    Evidence,
    EvidencePassage,
    EvidenceSettings,
    Question,
    QuestionTerm,
    Quote,
    Sentence,
    choose_evidence,
)
from dragoman.generation.lists import asks_for_all, lead_in_of, leads_in, list_around
from dragoman.generation.output import safe
from dragoman.generation.phrases import i_do_not_know, the_source_says
from dragoman.generation.yes_no import asks_yes_or_no
from dragoman.kit.text.markdown import headings_above, is_table_header, is_table_row, line_at, names_only, table_header
from dragoman.kit.text.sentences import split_sentences
from dragoman.ports.search_scope import SearchScope
from dragoman.ports.vector_index import SentenceHit
from dragoman.retrieval.entities import Passage

MODEL = "extractive"
_LIST_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s")
_LOOSE = re.compile(r"\n\s*\n(?=\s*(?:[-*+•]|\(?\d{1,3}[.)])\s)")
_MARKUP = re.compile(r"^\s*(?:[-*+]\s+|\d+[.)]\s+|#{1,6}\s+|>\s+)")


async def weigh_evidence(
    deps: Deps, request: GenerationRequest, scope: SearchScope, version: EmbeddingVersion
) -> Evidence:
    """Which sentences of the passages answer, and how sure that is; from stored sentence vectors."""
    passages = request.found.passages[: request.settings.max_sources]
    sentences = await _sentence_hits(deps, request, passages, scope, version.id)
    candidates = [_evidence_passage(passage, sentences.get(index, ())) for index, passage in enumerate(passages)]
    terms = tuple(QuestionTerm(alternatives=term.alternatives, weight=term.weight) for term in request.found.terms)
    settings = EvidenceSettings(max_sentences=request.settings.max_quotes)
    if request.settings.confidence_threshold is not None:
        settings = EvidenceSettings(
            max_sentences=request.settings.max_quotes, threshold=request.settings.confidence_threshold
        )
    question = Question(language=request.language, terms=terms, text=request.question)
    return choose_evidence(question, candidates, request.found.unrelated, model=version.confidence, settings=settings)


def draft_answer(request: GenerationRequest, evidence: Evidence) -> Draft:
    """The answer: each quoted sentence with the number of its source, or "I don't know" in the asker's language."""
    confidence = round(evidence.confidence, 4)
    if evidence.abstain:
        text, grounding = nearest.offered(request, i_do_not_know(request.language), {"method": "none", "score": None})
        return Draft(
            text=text,
            citations=(),
            answered=False,
            confidence=confidence,
            provider_model=MODEL,
            grounding=grounding,
        )
    passages = request.found.passages
    quotes = _whole_lists(request, evidence.quotes)
    citations = [
        citation_of(passages[quote.passage], quote.start, quote.end, number=number)
        for number, quote in enumerate(quotes, start=1)
    ]
    parts = [
        (safe(request, header), safe(request, words))
        for number, quote in enumerate(quotes, start=1)
        for header, words in (_rendered(passages[quote.passage], quote, number),)
    ]
    text = _joined(parts)
    if asks_yes_or_no(request.question, request.language):
        text = f"{the_source_says(request.language)}{chr(10) * 2 if text.startswith('|') else ' '}{text}"
    return Draft(
        text=text,
        citations=citations,
        answered=True,
        confidence=confidence,
        provider_model=MODEL,
        grounding={"method": "quotation", "score": 1.0, "sentences": _reports(text, parts, quotes)},
    )


def _whole_lists(request: GenerationRequest, quotes: Sequence[Quote]) -> list[Quote]:
    """The quotes, and a list whole where its lead-in, two of its items or a question for all of them was chosen."""
    whole: list[Quote] = []
    for quote in quotes:
        text = request.found.passages[quote.passage].found.chunk.text
        span = list_around(text, quote.start)
        if span is not None and _wants_all(request, text, quote, span, quotes):
            quote = replace(quote, start=span[0], end=span[1])
        if not any(
            quote.passage == other.passage and quote.start < other.end and other.start < quote.end for other in whole
        ):
            whole.append(quote)
    return whole


def _wants_all(
    request: GenerationRequest, text: str, quote: Quote, span: tuple[int, int], quotes: Sequence[Quote]
) -> bool:
    inside = [
        other for other in quotes if other.passage == quote.passage and span[0] <= other.start and other.end <= span[1]
    ]
    return len(inside) > 1 or leads_in(text, quote.start, quote.end) or asks_for_all(request.question, request.language)


def _reports(text: str, parts: Sequence[tuple[str, str]], quotes: Sequence[Quote]) -> list[dict[str, Any]]:
    """Each quotation as a sentence of the answer: where it stands, and which place of its source it is."""
    reports, at = [], 0
    for number, ((_, words), quote) in enumerate(zip(parts, quotes, strict=True), start=1):
        start = text.index(words, at)
        at = start + len(words)
        reports.append(
            {
                "start": start,
                "end": at,
                "grounded": True,
                "score": 1.0,
                "sources": [number],
                "spans": [{"number": number, "start": quote.start, "end": quote.end}],
                "reason": None,
                "detail": "",
            }
        )
    return reports


def citation_of(passage: Passage, start: int, end: int, *, number: int) -> Citation:
    chunk, found = passage.found.chunk, passage.found
    return Citation(
        number=number,
        chunk_id=chunk.id,
        document_id=chunk.document_id,
        title=found.title,
        file_name=found.file_name,
        external_id=found.external_id,
        page=chunk.page,
        heading_path=chunk.heading_path,
        language=chunk.language,
        quote=chunk.text[start:end],
        start=start,
        end=end,
        similarity_score=round(passage.similarity_score, 4),
        document_start=chunk.offset_in_document(start),
        images=chunk.image_ids,
    )


async def _sentence_hits(
    deps: Deps, request: GenerationRequest, passages: Sequence[Passage], scope: SearchScope, version: int
) -> dict[int, tuple[SentenceHit, ...]]:
    """The stored sentences of each passage with their cosines; none where the chatbot keeps no sentence vectors."""
    vector = request.found.question_vector
    if vector is None or not passages:
        return {}
    async with deps.database.reading(scope.tenant_id) as connection:
        hits = await deps.vector_index.score_sentences(
            connection,
            scope=scope,
            embedding_version=version,
            query=vector,
            chunk_ids=[passage.chunk_id for passage in passages],
        )
    index = {passage.chunk_id: position for position, passage in enumerate(passages)}
    grouped: dict[int, tuple[SentenceHit, ...]] = {}
    for hit in hits:
        grouped[index[hit.chunk_id]] = (*grouped.get(index[hit.chunk_id], ()), hit)
    return grouped


def _evidence_passage(passage: Passage, hits: Sequence[SentenceHit]) -> EvidencePassage:
    chunk = passage.found.chunk
    places: list[tuple[int, int, float | None]] = [(hit.start, hit.end, hit.cosine) for hit in hits] or [
        (start, end, None) for start, end in split_sentences(chunk.text, chunk.language)
    ]
    commands = screening.is_suspicious(passage)
    quotable = [
        (start, end, cosine)
        for start, end, cosine in places
        if not names_only(line_at(chunk.text, start))
        and not is_table_header(chunk.text, start)
        and not (commands and screening.speaks_to_models(chunk.text[start:end]))
    ]
    return EvidencePassage(
        score=passage.score,
        semantic=passage.semantic,
        language=chunk.language,
        title=passage.found.title,
        heading=" > ".join(chunk.heading_path),
        text=chunk.text,
        sentences=tuple(
            Sentence(start=start, end=end, cosine=cosine, context=_context(chunk.text, start))
            for start, end, cosine in quotable
        ),
    )


def _context(text: str, start: int) -> str:
    """What a reader needs beside a sentence: the headings within its chunk, the header of its table."""
    return "\n".join((*headings_above(text, start), table_header(text, start)))


def _rendered(passage: Passage, quote: Quote, number: int) -> tuple[str, str]:
    """A quote as (table header or empty, text with its marker)."""
    text = passage.found.chunk.text
    words = text[quote.start : quote.end].strip()
    if is_table_row(words):
        return table_header(text, quote.start), f"{words[:-1].rstrip()} [{number}] |"
    if _is_list(words):
        return "", f"{_LOOSE.sub(chr(10), words)} [{number}]"
    plain = " ".join(_MARKUP.sub("", words).split())
    lead_in = lead_in_of(text, quote.start)
    headings = headings_above(text, quote.start)[-1:] or passage.found.chunk.heading_path[-1:]
    subject = [lead_in] if lead_in else headings
    if subject and _LIST_ITEM.match(line_at(text, quote.start)):
        plain = f"{subject[0]}: {plain}"  # an item of a list says nothing without what the list is about
    return "", f"{plain} [{number}]"


def _is_list(words: str) -> bool:
    return sum(_LIST_ITEM.match(line) is not None for line in words.splitlines()) > 1


def _joined(parts: Sequence[tuple[str, str]]) -> str:
    """Sentences one after the other; table rows as a table under their header."""
    blocks: list[str] = []
    last_header = None
    for header, words in parts:
        is_row = words.startswith("|")
        if _is_list(words):
            blocks.append(words)
            last_header = ""
            continue
        if is_row and header and header == last_header:
            blocks[-1] += f"\n{words}"
        elif is_row and header:
            columns = max(header.count("|") - 1, 1)
            blocks.append(f"{header}\n|{' --- |' * columns}\n{words}")
        elif is_row or last_header is not None or not blocks:
            blocks.append(words)
        else:
            blocks[-1] += f" {words}"
        last_header = header if is_row else None
    return "\n\n".join(blocks)
