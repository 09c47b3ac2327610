"""Writes the answer: with a language model where one is set, else by quotation; and by quotation when the model fails.

weigh the evidence -> (language model | quotation) -> verify each citation against the stored chunk
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import structlog

from dragoman.deps import Deps
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.generation import answer_cache, extractive, judged, nearest, prompts, screening, similar_answers
from dragoman.generation.checked import AnswerChecker
from dragoman.generation.difficulty import difficulty_of
from dragoman.generation.entities import Citation, Draft, GenerationRequest, Piece
from dragoman.generation.evidence import Evidence
from dragoman.generation.leaks import PromptLeakError
from dragoman.generation.outlet import Outlet
from dragoman.generation.phrases import i_do_not_know, i_only_answer_questions
from dragoman.generation.quality import rated
from dragoman.inference.errors import UnknownModelError
from dragoman.inference.ladder import Charged, Fallback
from dragoman.inference.router import Demand
from dragoman.inference.service import Writer
from dragoman.kit.clock import Stopwatch
from dragoman.kit.errors import DragomanError
from dragoman.knowledge import repository as knowledge
from dragoman.ports.llm import TextRequest
from dragoman.ports.search_scope import SearchScope

_log = structlog.get_logger(__name__)
EXTRACTIVE = "extractive"
_WORDS = re.compile(r"\S+\s*|\s+")
_MARKER = re.compile(r"\[(\d{1,3})\]")
_ACTIONS_SAID = {"flag": "flagged", "quote": "quoted", "refuse": "refused"}


async def write_answer(
    deps: Deps, request: GenerationRequest, scope: SearchScope, version: EmbeddingVersion
) -> AsyncGenerator[Piece | Draft, None]:
    """The answer in pieces, then the finished draft with verified citations.

    Raises:
        DatabaseUnavailableError: the evidence cannot be read.
    """
    if request.screening.action == "refuse":
        for part in _refused(request):
            yield part
        return
    evidence = await extractive.weigh_evidence(deps, request, scope, version)
    if request.answerer == EXTRACTIVE or not request.found.passages or not request.screening.may_ask_models:
        draft = rated(await _verified(deps, scope, extractive.draft_answer(request, evidence)))
        for piece in _pieces(draft.text):
            yield piece
        yield _screened(request, draft)
        return
    async with aclosing(_written_by_model(deps, request, scope, version, evidence)) as events:
        async for event in events:
            yield _screened(request, rated(await _verified(deps, scope, event))) if isinstance(event, Draft) else event


def _refused(request: GenerationRequest) -> Iterator[Piece | Draft]:
    """A question that speaks to the model, where the chatbot refuses those."""
    text = i_only_answer_questions(request.language)
    yield from _pieces(text)
    draft = Draft(
        text=text,
        citations=(),
        answered=False,
        confidence=0.0,
        provider_model=extractive.MODEL,
        grounding={"method": "none", "score": None},
    )
    yield _screened(request, draft)


def _screened(request: GenerationRequest, draft: Draft) -> Draft:
    """The draft, which says where somebody spoke to the model instead of asking."""
    told: dict[str, Any] = {}
    degraded: list[str] = []
    if request.screening.action != "none":
        told["question"] = request.screening.as_json()
        if request.screening.action == "refuse" or request.answerer != EXTRACTIVE:
            degraded += [f"injection_{_ACTIONS_SAID[request.screening.action]}"] * (request.screening.action != "flag")
    if request.settings.injection_screen != "off":
        passages = request.found.passages[: request.settings.max_sources]
        if suspicious := [str(passage.chunk_id) for passage in passages if screening.is_suspicious(passage)]:
            told["sources"] = suspicious
    if not told:
        return draft
    return replace(draft, grounding={**draft.grounding, "screened": told}, degraded=(*draft.degraded, *degraded))


async def _written_by_model(
    deps: Deps, request: GenerationRequest, scope: SearchScope, version: EmbeddingVersion, evidence: Evidence
) -> AsyncGenerator[Piece | Draft, None]:
    """The model's own words, each sentence checked; when it fails, quotation takes over and `degraded` says why."""
    request = _packed(deps, request)
    checker = AnswerChecker(deps, request, scope, version)
    outlet = Outlet(request)
    passages = request.found.passages[: request.settings.max_sources]
    written: list[str] = []
    degraded: list[str] = []
    completion: Charged | None = None
    watch = Stopwatch()
    messages = TextRequest(messages=prompts.build_messages(request, passages), model=request.settings.model)
    try:
        stream = answer_cache.stream_text(deps, request, scope, version, _writer(request), messages)
        async with aclosing(stream) as events:
            async for event in events:
                if isinstance(event, Fallback):
                    degraded.append(_gave_way(event.failed, event.code, has_written=event.has_written))
                elif isinstance(event, Charged):
                    completion = event
                elif (safe := outlet.feed(event.text)) and (text := await checker.feed(safe)):
                    written.append(text)
                    yield Piece(text=text)
        rest = await checker.feed(safe) if (safe := outlet.finish()) else ""
        if rest := rest + await checker.finish():
            written.append(rest)
            yield Piece(text=rest)
    except DragomanError as error:
        _log.warning("generation.model_failed", answerer=request.answerer, code=error.code, reason=error.message)
        degraded += ["prompt_leak"] if isinstance(error, PromptLeakError) else []
        if rest := checker.break_off():
            written.append(rest)
            yield Piece(text=rest)
        for part in _quoted_instead(request, evidence, checker, "".join(written), error, degraded):
            yield part
        return
    finally:
        checker.close()
    if checker.removed and not "".join(written).strip():
        for part in _nothing_left(request, evidence, checker, completion):
            yield part
        return
    draft = _model_draft(deps, request, evidence, checker, "".join(written), completion)
    if tail := draft.text[len("".join(written)) :]:
        yield Piece(text=tail)
    if degraded and completion is not None:
        degraded.append(completion.name)  # the rung that answered
    degraded += [f"output_{kind}_removed" for kind in sorted(outlet.removed)]
    draft = replace(
        draft,
        degraded=(*degraded, *draft.degraded),
        reused=completion.reused if completion is not None else None,
        remembered_as=completion.remembered_as if completion is not None else "",
    )
    if completion is not None and not evidence.abstain and request.screening.action == "none":
        await similar_answers.keep(deps, request, scope, version, draft, completion, watch.elapsed_ms / 1000)
    yield draft


def _quoted_instead(
    request: GenerationRequest,
    evidence: Evidence,
    checker: AnswerChecker,
    written: str,
    error: DragomanError,
    earlier: Sequence[str],
) -> Iterator[Piece | Draft]:
    """`earlier`: what the models before the last one could not."""
    draft = extractive.draft_answer(request, evidence)
    failed = str(error.details.get("model", request.answerer))
    rungs = (*earlier, _gave_way(failed, error.code, has_written=bool(written)), EXTRACTIVE)
    if not written:
        yield from _pieces(draft.text)
        yield replace(draft, degraded=(*draft.degraded, *rungs))
        return
    cited = [_cited_sentence(request, evidence, checker, number) for number in checker.cited]
    draft = _numbered_from(draft, max(checker.cited, default=0))
    rest = "\n\n" + draft.text
    checked = checker.facts([citation.number for citation in cited])
    quoted = [
        {**report, "start": report["start"] + len(written) + 2, "end": report["end"] + len(written) + 2}
        for report in draft.grounding.get("sentences", ())
    ]
    yield from _pieces(rest)
    passages = request.found.passages[: request.settings.max_sources]
    yield replace(
        draft,
        text=written + rest,
        citations=[*cited, *draft.citations],
        grounding={**checked, "sentences": [*checked.get("sentences", ()), *quoted]},
        prompt_version=prompts.version_of(request),
        rendered_prompt=prompts.build_references(request, passages),
        degraded=(*draft.degraded, *rungs),
    )


def _packed(deps: Deps, request: GenerationRequest) -> GenerationRequest:
    """The request with as many sources as the model asked first has room for."""
    passages = request.found.passages[: request.settings.max_sources]
    whole = TextRequest(messages=prompts.build_messages(request, passages), model=request.settings.model)
    try:
        window = deps.inference.window(_writer(request), whole)
    except UnknownModelError:  # asking it will say so
        window = None
    fitting = prompts.count_fitting(request, passages, window=window, answer_tokens=whole.max_tokens)
    if fitting == len(passages):
        return request
    return replace(request, settings=request.settings.model_copy(update={"max_sources": fitting}))


def _writer(request: GenerationRequest) -> Writer:
    """The model that is to answer, and those below it."""
    demand = Demand(difficulty=difficulty_of(request), language=request.language)
    return Writer(name=request.answerer, fallback=request.settings.fallback_models, demand=demand)


def _gave_way(model: str, code: str, *, has_written: bool) -> str:
    """A rung of the ladder in `degraded`."""
    return f"{model}_{'interrupted' if has_written else 'failed'}:{code}"


def _numbered_from(draft: Draft, taken: int) -> Draft:
    """The quotation with numbers above those the model has used: one text must not hold one number for two sources."""
    own = {citation.number for citation in draft.citations}

    def shifted(match: re.Match[str]) -> str:
        number = int(match.group(1))
        return f"[{number + taken}]" if number in own else match.group(0)

    longer = len(str(taken + len(own))) - 1  # a marker may need one more digit, which moves what follows
    reports = draft.grounding.get("sentences", ()) if not longer else ()
    return replace(
        draft,
        text=_MARKER.sub(shifted, draft.text),
        citations=[replace(citation, number=citation.number + taken) for citation in draft.citations],
        grounding={**draft.grounding, "sentences": [_renumbered(report, taken) for report in reports]},
    )


def _renumbered(report: Mapping[str, Any], taken: int) -> dict[str, Any]:
    return {
        **report,
        "sources": [number + taken for number in report["sources"]],
        "spans": [{**span, "number": span["number"] + taken} for span in report["spans"]],
    }


def _model_draft(
    deps: Deps,
    request: GenerationRequest,
    evidence: Evidence,
    checker: AnswerChecker,
    text: str,
    completion: Charged | None,
) -> Draft:
    passages = request.found.passages[: request.settings.max_sources]
    model = completion.model if completion else deps.inference.llm_model(request.answerer)
    answered = bool(text.strip()) and i_do_not_know(request.language) not in text
    citations = [_cited_sentence(request, evidence, checker, number) for number in checker.cited] if answered else []
    confidence = round(evidence.confidence, 4)
    grounding = checker.facts([citation.number for citation in citations])
    degraded = ["uncited"] if answered and not citations else []
    if checker.removed:
        degraded.append(f"sentences_removed:{checker.removed}")
    if checker.lost_vectors:
        degraded.append("grounding_by_words")
    if checker.lost_judge:
        degraded.append(judged.UNAVAILABLE)
    if not answered and text.strip():
        text, grounding = nearest.offered(request, text, grounding)
    return Draft(
        text=text,
        citations=citations,
        answered=answered,
        confidence=confidence,
        provider_model=model,
        grounding=grounding,
        prompt_version=prompts.version_of(request),
        rendered_prompt=prompts.build_references(request, passages),
        degraded=tuple(degraded),
    )


def _nothing_left(
    request: GenerationRequest, evidence: Evidence, checker: AnswerChecker, completion: Charged | None
) -> Iterator[Piece | Draft]:
    """The quotation, where no sentence of the model was supported."""
    draft = extractive.draft_answer(request, evidence)
    yield from _pieces(draft.text)
    degraded = (*draft.degraded, f"sentences_removed:{checker.removed}", EXTRACTIVE)
    passages = request.found.passages[: request.settings.max_sources]
    yield replace(
        draft,
        degraded=degraded,
        provider_model=completion.model if completion else draft.provider_model,
        remembered_as=completion.remembered_as if completion else "",
        grounding={**draft.grounding, "removed": checker.removed},
        prompt_version=prompts.version_of(request),
        rendered_prompt=prompts.build_references(request, passages),
    )


def _cited_sentence(request: GenerationRequest, evidence: Evidence, checker: AnswerChecker, number: int) -> Citation:
    """The cited passage, with the sentence in it that supports the answer, or else stands nearest to the question."""
    passage = request.found.passages[number - 1]
    if (place := checker.best_place(number)) is not None:
        return extractive.citation_of(passage, place.start, place.end, number=number)
    quotes = [quote for quote in evidence.quotes if quote.passage == number - 1]
    if quotes:
        best = max(quotes, key=lambda quote: quote.score)
        return extractive.citation_of(passage, best.start, best.end, number=number)
    return extractive.citation_of(passage, 0, len(passage.found.chunk.text), number=number)


async def _verified(deps: Deps, scope: SearchScope, draft: Draft) -> Draft:
    """Read each cited chunk again and keep the citations whose quote stands there, in a document that is still live."""
    if not draft.citations:
        return draft
    async with deps.database.reading(scope.tenant_id) as connection:
        stored = await knowledge.list_live_chunks(
            connection,
            tenant_id=scope.tenant_id,
            chatbot_id=scope.chatbot_id,
            chunk_ids=[citation.chunk_id for citation in draft.citations],
            reader=scope.owner,
        )
    real = [
        citation
        for citation in draft.citations
        if citation.chunk_id in stored
        and stored[citation.chunk_id].chunk.text[citation.start : citation.end] == citation.quote
    ]
    if len(real) == len(draft.citations):
        return draft
    return replace(draft, citations=real, degraded=(*draft.degraded, "citations_dropped"))


def _pieces(text: str) -> list[Piece]:
    """Word by word, as a model would send it."""
    return [Piece(text=match.group(0), is_quoted=True) for match in _WORDS.finditer(text)]
