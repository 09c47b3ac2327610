"""Checks a model's answer sentence by sentence while it is streamed, and puts its citations right.

feed (the model's text) -> markers filtered -> a sentence ends -> its sources found -> its markers corrected -> sent

The words of a sentence are passed on at once; its markers wait until it has ended. With the setting `remove` the whole
sentence waits, and one that its sources do not support is never sent. A block of code counts as one sentence: its
lines are checked one by one, it is sent as it is, and its markers stand below it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from dragoman.deps import Deps
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.generation import grounding
from dragoman.generation.code_blocks import CodeBlocks, Part, masked, replaced_outside
from dragoman.generation.entities import GenerationRequest
from dragoman.generation.grounding import CheckedSentence, Place, Sources, SourceText
from dragoman.generation.judged import Judging, Verdict, judged
from dragoman.generation.markers import MarkerFilter
from dragoman.generation.phrases import i_do_not_know
from dragoman.kit.errors import DragomanError
from dragoman.kit.telemetry import BoundedWords
from dragoman.kit.text.sentences import split_sentences
from dragoman.kit.text.terms import base_language
from dragoman.ports.embedder import Calibration, Vectors
from dragoman.ports.search_scope import SearchScope
from dragoman.retrieval.entities import Passage

_log = structlog.get_logger(__name__)

SENTENCES = Counter(
    "dragoman_answer_sentences_total",
    "Sentences of language models' answers that state something, by what the check against the sources said. The "
    "hallucination rate is the share that is not `grounded`.",
    ["outcome", "language"],
)
_language_word = BoundedWords("[a-z]{2,3}", most=60)
GROUNDING = Histogram(
    "dragoman_answer_grounding_score",
    "How well language models' answers are supported by their sources, 0 to 1.",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
)

_MARKERS: Final = re.compile(r"\s*\[(\d{1,3}(?:[,;] ?\d{1,3}){0,7})\]")
_BELOW_CODE: Final = re.compile(rf"(?:{_MARKERS.pattern})*")
_MAY_END: Final = re.compile(r"[.!?…。！？।؟۔|]|\n")
_ENDING: Final = re.compile(r"(?:[.!?…。！？।؟۔|]+[\"'”’»)]*)?\s*$")  # a marker stands before it
_LONGEST: Final = 2_000  # characters of a sentence; whatever is longer is cut, so that a piece costs what it is long
_LAST_STOP: Final = re.compile(r"[.!?…。！？।؟۔]+[\"'”’»)]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceReport:
    """A sentence of the answer as the API tells it. `start`, `end`: its place in the answer's text, in characters."""

    start: int
    end: int
    checked: CheckedSentence
    sources: tuple[int, ...]

    def as_json(self, sources: Sequence[int]) -> dict[str, Any]:
        """`sources`: the numbers of the citations that were kept."""
        return {
            "start": self.start,
            "end": self.end,
            "grounded": self.checked.is_grounded,
            "score": self.checked.score,
            "sources": [number for number in self.sources if number in sources],
            "spans": [
                {"number": place.source + 1, "start": place.start, "end": place.end}
                for place in self.checked.support
                if place.source + 1 in self.sources and place.source + 1 in sources
            ],
            "reason": self.checked.reason,
            "detail": self.checked.detail,
            **({} if self.checked.judge is None else {"judge": self.checked.judge}),
            **({} if self.checked.claims else {"claims": False}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    """A whole sentence, its markers included. `code`: the length of the block of code that it begins with, if it is one."""

    text: str
    code: int = 0
    indent: int = 0

    @property
    def numbers(self) -> list[int]:
        return _numbers(self.text[self.code :])

    def with_markers(self, sent: int, right: Sequence[int], keep: Sequence[int]) -> str:
        """What follows the first `sent` characters, with the right markers."""
        if not self.code:
            return _with_markers(self.text[sent:], right, keep=keep)
        at = max(sent, self.code)
        return self.text[sent:at] + _with_markers_below(self.text[at:], right, keep=keep, indent=self.indent)


class AnswerChecker:
    """The answer of one model call. `feed` its text, then `finish`; what they return may be sent."""

    def __init__(self, deps: Deps, request: GenerationRequest, scope: SearchScope, version: EmbeddingVersion) -> None:
        self._deps, self._request, self._scope, self._version = deps, request, scope, version
        self._passages = request.found.passages[: request.settings.max_sources]
        self._blocks = CodeBlocks()
        self._markers = MarkerFilter(len(self._passages))
        self._mode = request.settings.grounding
        self._compared: _Compared | None = None
        self._current = ""  # the sentence that has begun, markers included
        self._sent_of_current = 0
        self._is_code = False  # the current sentence is a block of code
        self._block: Part | None = None  # its end, when that has come; markers may follow
        self._length = 0  # of what was given out
        self._judging = Judging(deps, request, self._passages)
        self._held: deque[tuple[_Sentence, CheckedSentence, Verdict | None]] = deque()  # `remove`: wait for the judge
        self._open: list[tuple[int, Verdict]] = []  # reports of sentences that are sent and not judged yet
        self.reports: list[SentenceReport] = []
        self.removed = 0
        self.by_words = self.lost_vectors = False

    @property
    def invented(self) -> int:
        return self._markers.invented

    @property
    def cited(self) -> list[int]:
        """The sources in the order in which the text cites them."""
        if self._mode == "off":
            return self._markers.cited
        return list(dict.fromkeys(number for report in self.reports for number in report.sources))

    async def feed(self, piece: str) -> str:
        return await self._take_all(self._blocks.feed(piece))

    async def finish(self) -> str:
        """The rest, with what was held back."""
        out = await self._take_all(self._blocks.finish())
        out += await self._end_sentence()
        await self._judging.settle()
        out += self._decide()
        if self.reports:
            GROUNDING.observe(self.score or 0.0)
        return out

    def break_off(self) -> str:
        """What is left of a sentence that will never end; it is not checked. Nothing, where only checked ones are sent."""
        self.close()
        out = self._decide()
        if self._blocks.is_open and self._mode != "remove":  # what follows is no code
            self._current += "".join(part.text for part in self._blocks.finish())
        if self._mode == "off" or not self._current.strip():
            return out + self._current
        rest = "" if self._mode == "remove" else self._current[self._sent_of_current :]
        if self._mode != "remove":
            code_ends = len(self._block.text) if self._block else len(self._current) if self._is_code else 0
            begin = self._length - self._sent_of_current
            unchecked = CheckedSentence(start=0, end=len(self._current), score=0.0, claims=False)
            self.reports.append(
                SentenceReport(
                    start=begin,
                    end=begin + len(self._current),
                    checked=unchecked,
                    sources=tuple(_numbers(self._current[code_ends:])),
                )
            )
        self._current, self._sent_of_current = "", 0
        return out + self._give(rest)

    def close(self) -> None:
        """Stop the judge, where one is still busy."""
        self._judging.close()

    @property
    def lost_judge(self) -> bool:
        return self._judging.is_lost

    @property
    def score(self) -> float | None:
        """The mean over the sentences that state something; None where none does or nothing was checked."""
        scores = [report.checked.score for report in self.reports if report.checked.claims]
        return round(sum(scores) / len(scores), 4) if scores else None

    def best_place(self, number: int) -> Place | None:
        """The sentence of source `number` that supports the answer best."""
        supporting = [
            (report.checked.score, -rank, place)
            for report in self.reports
            for rank, place in enumerate(report.checked.support)
            if place.source + 1 == number and number in report.sources
        ]
        return max(supporting, key=lambda entry: entry[:2])[2] if supporting else None

    def facts(self, citations: Sequence[int]) -> dict[str, Any]:
        """What the answer's `grounding` says."""
        if self._mode == "off":
            return {"method": "markers", "score": None, "cited": len(citations), "invented": self.invented}
        stated = [report for report in self.reports if report.checked.claims]
        ungrounded = sum(not report.checked.is_grounded for report in stated)
        return {
            "method": "words" if self.by_words else "sentences",
            "score": self.score,
            "sentences": [report.as_json(citations) for report in self.reports],
            "ungrounded": ungrounded,
            "removed": self.removed,
            "cited": len(citations),
            "invented": self.invented,
            **self._judging.facts(),
        }

    # ---- the stream

    async def _take_all(self, parts: Sequence[Part]) -> str:
        out = ""
        for part in parts:
            if part.is_code:
                out += await self._take_code(part)
            elif text := self._markers.feed(part.text):
                out += await self._take(text)
        return out

    async def _take_code(self, part: Part) -> str:
        """Code goes out as it is; it is checked when its block has ended."""
        out = self._release()
        if not self._is_code or self._block is not None:
            out += await self._end_sentence()
        if self._mode == "off":
            return out + part.text
        self._is_code = True
        self._current += part.text
        self._block = replace(part, text=self._current) if part.ends else None
        if self._mode == "remove":
            return out
        unsent, self._sent_of_current = self._current[self._sent_of_current :], len(self._current)
        return out + self._give(unsent)

    async def _end_sentence(self) -> str:
        """What is left of the current sentence, which nothing can belong to any more."""
        out = await self._take(rest) if (rest := self._markers.finish()) else ""
        if self._current.strip():
            out += await self._close(self._current)
            self._current, self._sent_of_current = "", 0
        self._is_code, self._block = False, None
        return out

    async def _leave_code(self) -> str:
        """Ends a block of code with the markers below it, when something else has begun there."""
        assert self._block is not None
        marked = _BELOW_CODE.match(self._current, len(self._block.text))
        end = marked.end() if marked else len(self._block.text)
        sentence, rest = self._current[:end], self._current[end:]
        if not rest.strip():
            return ""
        out = await self._close(sentence)
        has_markers = bool(self.reports and self.reports[-1].sources)
        is_joined = rest.startswith("\n") and not rest.startswith("\n\n")
        self._current = "\n" + rest if has_markers and is_joined else rest
        self._sent_of_current, self._is_code, self._block = 0, False, None
        return out

    async def _take(self, text: str) -> str:
        if self._mode == "off":
            return text
        out = self._release()
        self._current += text
        if self._is_code:
            out += await self._leave_code()
            if self._is_code:
                return out
        while (end := self._first_end()) is not None:
            sentence, self._current = self._current[:end], self._current[end:]
            out += await self._close(sentence)
            self._sent_of_current = 0
        return out + self._give(self._sendable())

    def _first_end(self) -> int | None:
        """Where the first sentence ends, when another has begun behind it, or it has become too long to be one."""
        head = self._current[:_LONGEST]
        if _MAY_END.search(head):
            spans = grounding.split_answer(masked(head), self._request.language)
            if len(spans) > 1:
                return spans[0][1]
        if len(self._current) < _LONGEST:
            return None
        return max(head.rfind(" "), self._sent_of_current, 0) or _LONGEST

    def _sendable(self) -> str:
        """What may go out of a sentence that has not ended: its words before the first marker."""
        if self._mode == "remove":
            return ""
        bare = masked(self._current)
        marker = _MARKERS.search(bare)
        upto = marker.start() if marker else len(_ENDING.sub("", bare))
        text = self._current[self._sent_of_current : upto]
        self._sent_of_current = max(upto, self._sent_of_current)
        return text

    def _give(self, text: str) -> str:
        self._length += len(text)
        return text

    async def _close(self, text: str) -> str:
        """Check a whole sentence; what of it was not sent yet, with its markers put right."""
        block = self._block if self._is_code else None
        sentence = _Sentence(text=text, code=len(block.text) if block else 0, indent=block.indent if block else 0)
        words = replaced_outside(_MARKERS, lambda _: "", text).strip()
        checked = await (self._check_code(block.text) if block else self._check(words))
        verdict = self._judging.ask(words, checked, _right_sources(sentence.numbers, checked))
        if self._mode == "remove":
            self._held.append((sentence, checked, verdict))
            return self._release()
        out = self._give(self._settled(sentence, checked))
        if verdict is None:
            self._count(checked)
        else:
            self._open.append((len(self.reports) - 1, verdict))
        return out

    def _release(self) -> str:
        """The sentences that were held back and that no judge has to say anything of any more, in their order."""
        out = ""
        while self._held and not (self._held[0][2] and self._held[0][2].may_wait):
            sentence, checked, verdict = self._held.popleft()
            checked = judged(checked, verdict.score if verdict else None)
            self._count(checked)
            out += self._give(self._settled(sentence, checked))
        return out

    def _decide(self) -> str:
        """All that the judge was asked, when it has said what it will say."""
        for place, verdict in self._open:
            self.reports[place] = replace(
                self.reports[place], checked=judged(self.reports[place].checked, verdict.score)
            )
            self._count(self.reports[place].checked)
        self._open.clear()
        return self._release()

    def _count(self, checked: CheckedSentence) -> None:
        if checked.claims:
            outcome = "grounded" if checked.is_grounded else "removed" if self._mode == "remove" else "ungrounded"
            SENTENCES.labels(outcome, _language_word(base_language(self._request.language))).inc()

    def _settled(self, sentence: _Sentence, checked: CheckedSentence) -> str:
        if self._mode == "remove" and not checked.is_grounded:
            self.removed += 1
            return ""
        own = sentence.numbers
        right = _right_sources(own, checked)
        unsent = sentence.text[self._sent_of_current :]
        if set(right) != set(own):
            unsent = sentence.with_markers(self._sent_of_current, right, [number for number in own if number in right])
        if self._length == 0:
            unsent = unsent.lstrip()
        begin = self._length - self._sent_of_current
        whole = sentence.text[: self._sent_of_current] + unsent
        lead = len(whole) - len(whole.lstrip())
        self.reports.append(
            SentenceReport(start=begin + lead, end=begin + len(whole.rstrip()), checked=checked, sources=tuple(right))
        )
        return unsent

    # ---- the check

    async def _check_code(self, block: str) -> CheckedSentence:
        """A block of code between its fences: supported where each of its lines that says something is."""
        lines = block.strip().split("\n")[1:-1]
        checked = [one for line in lines if (one := await self._check(line.strip())).claims]
        if not checked:
            return CheckedSentence(start=0, end=len(block), score=1.0, claims=False)
        worst = min(checked, key=lambda one: (one.is_grounded, one.score))
        support = tuple(dict.fromkeys(place for one in checked for place in one.support))
        score = sum(one.score for one in checked) / len(checked)
        return replace(worst, score=round(score, 4), support=support if worst.is_grounded else ())

    async def _check(self, sentence: str) -> CheckedSentence:
        if not sentence or i_do_not_know(self._request.language) in sentence:
            return CheckedSentence(start=0, end=len(sentence), score=1.0, claims=False)
        if self._compared is None:
            self._compared = _Compared(self._passages, self._version.calibration)
        sources, calibration = self._compared.sources, self._compared.calibration
        language = self._request.language
        decided = grounding.words_decide(sentence, language, sources, calibration)
        if decided is not None:
            return decided
        if self._request.found.question_vector is None:  # the embedder is away, or keywords alone are wanted
            self.by_words = True
            return grounding.check_sentence(sentence, language, sources, {}, calibration)
        try:
            cosines = await self._cosines(sentence)
            checked = grounding.check_sentence(sentence, language, sources, cosines, calibration)
            if checked.doubts:
                without = [(await self._cosines(doubt.rest)).get(doubt.place, doubt.cosine) for doubt in checked.doubts]
                checked = grounding.settle(checked, without, calibration)
        except DragomanError as error:
            _log.warning("generation.grounding_by_words", code=error.code, reason=error.message)
            self.by_words = self.lost_vectors = True
            checked = grounding.check_sentence(sentence, language, sources, {}, calibration)
        return checked

    async def _cosines(self, sentence: str) -> Mapping[Place, float]:
        """Of the sentence with every stored sentence of the passages; of a passage without any, with the passage."""
        assert self._compared is not None
        context = replace(self._request.context, purpose="grounding")
        vector = await self._deps.inference.embed_question(context, self._version.name, sentence)
        chunk_ids = [passage.chunk_id for passage in self._passages]
        async with self._deps.database.reading(self._scope.tenant_id) as connection:
            index, scope, version = self._deps.vector_index, self._scope, self._version.id
            hits = await index.score_sentences(
                connection, scope=scope, embedding_version=version, query=vector, chunk_ids=chunk_ids
            )
            lacking = list(set(chunk_ids) - {hit.chunk_id for hit in hits})
            whole = (
                await index.vectors(connection, scope=scope, embedding_version=version, chunk_ids=lacking)
                if lacking
                else {}
            )
        return self._compared.cosines({(hit.chunk_id, hit.start): hit.cosine for hit in hits}, whole, vector)


class _Compared:
    """The passages as the check wants them."""

    def __init__(self, passages: Sequence[Passage], calibration: Calibration) -> None:
        chunks = [passage.found.chunk for passage in passages]
        self._chunk_ids = [chunk.id for chunk in chunks]
        self.calibration = calibration
        self.sources = Sources(
            [
                SourceText(
                    text=chunk.text,
                    language=chunk.language,
                    heading="\n".join((passage.found.title, *chunk.heading_path)),
                    sentences=split_sentences(chunk.text, chunk.language),
                )
                for passage, chunk in zip(passages, chunks, strict=True)
            ]
        )

    def cosines(
        self, hits: Mapping[tuple[UUID, int], float], whole: Mapping[UUID, Vectors], vector: Vectors
    ) -> dict[Place, float]:
        of_chunks = {chunk_id: float(own @ vector) for chunk_id, own in whole.items()}
        found: dict[Place, float] = {}
        for place in self.sources.places:
            chunk_id = self._chunk_ids[place.source]
            cosine = hits.get((chunk_id, place.start), of_chunks.get(chunk_id))
            if cosine is not None:
                found[place] = cosine
        return found


# ---- markers


def _numbers(text: str) -> list[int]:
    found = (int(number) for match in _MARKERS.finditer(masked(text)) for number in re.findall(r"\d+", match[1]))
    return list(dict.fromkeys(found))


def _right_sources(own: Sequence[int], checked: CheckedSentence) -> list[int]:
    """The sources of a sentence: those of its own that support it; where none does, the best that does."""
    supporting = list(dict.fromkeys(place.source + 1 for place in checked.support))
    if not checked.claims or not supporting:
        return list(own)
    return [number for number in own if number in supporting] or supporting[:1]


def _with_markers(unsent: str, right: Sequence[int], *, keep: Sequence[int]) -> str:
    """The text with these markers: wrong ones taken out, missing ones set before the stop that ends it, if that is unsent."""

    text, missing = _kept(unsent, right, keep)
    if not missing:
        return text
    body = text.rstrip()
    space = text[len(body) :]
    if body.endswith("|"):
        return f"{body[:-1].rstrip()} {missing} |{space}"
    stop = _LAST_STOP.search(masked(body))
    at = stop.start() if stop else len(body)
    return f"{body[:at].rstrip()} {missing}{body[at:]}{space}"


def _with_markers_below(tail: str, right: Sequence[int], *, keep: Sequence[int], indent: int) -> str:
    """What follows a block of code, with these markers in a line of their own."""
    text, missing = _kept(tail, right, keep)
    body = text.rstrip()
    if not missing:
        return text
    begin = f"\n{' ' * indent}" if not body else ""
    return f"{body}{begin}{missing}{text[len(body) :]}"


def _kept(text: str, right: Sequence[int], keep: Sequence[int]) -> tuple[str, str]:
    """The text with those of its markers that are right, and the markers that it lacks."""

    def kept(match: re.Match[str]) -> str:
        numbers = [number for number in map(int, re.findall(r"\d+", match[1])) if number in keep]
        space = match[0][: len(match[0]) - len(match[0].lstrip())]
        return f"{space}[{', '.join(map(str, numbers))}]" if numbers else ""

    return replaced_outside(_MARKERS, kept, text), "".join(f"[{number}]" for number in right if number not in keep)
