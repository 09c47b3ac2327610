"""Gives an answer in the asker's language, sentence by sentence as it is written.

Two things may be in another language: all of an answer that was written in the language of the knowledge (the policy
`translate`), and what is quoted of the sources. They are translated where a translator can, citation markers kept; else a
sentence is labelled with its language. Citations keep the words of the source, and a block of code stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

import structlog

from dragoman.generation.code_blocks import CodeBlocks, Part
from dragoman.generation.entities import Draft, GenerationRequest, Piece
from dragoman.generation.output import safe
from dragoman.generation.phrases import i_do_not_know
from dragoman.kit.errors import DragomanError
from dragoman.kit.text.languages import own_name
from dragoman.ports.language_detector import LanguageDetector
from dragoman.ports.translator import UntranslatableError
from dragoman.understanding.translation import cut_sentences, failure_code

_log = structlog.get_logger(__name__)
_SURE: Final = 0.6  # as for questions
_MARKER: Final = re.compile(r"\s*\[\d{1,3}(?:[,;] ?\d{1,3}){0,7}\]")
_LIKE_A_MARKER: Final = re.compile(r"^\s*(?:\[[\d,; ]{0,30}\]?\s*)*$")
_MARKUP: Final = re.compile(r"^\s*(?:[-*+•]\s+|\d{1,3}[.)]\s+|#{1,6}\s+|>\s+)")
_WORD: Final = re.compile(r"\S+\s*|\s+")
_MAY_END: Final = re.compile(r"[.!?…‽。！？｡．؟۔।॥։።፧៕។;\n]")
_LONGEST_HELD: Final = 2_000  # characters without an end of a sentence


async def in_askers_language(
    detector: LanguageDetector, request: GenerationRequest, written: AsyncGenerator[Piece | Draft, None]
) -> AsyncGenerator[Piece | Draft, None]:
    """The same pieces and draft in the asker's language. What is not translated passes at once.

    Nothing is raised but what `written` raises: `degraded` says what could not be translated.
    """
    speaker = _Speaker(detector, request)
    async with aclosing(written) as events:
        async for event in events:
            if isinstance(event, Piece):
                async for text in speaker.say(event):
                    yield Piece(text=text, is_quoted=event.is_quoted)
                continue
            async for text in speaker.finish():
                yield Piece(text=text)
            yield await speaker.spoken(event)


class _Speaker:
    """Holds words back until their sentence is whole, and says it in the asker's language."""

    def __init__(self, detector: LanguageDetector, request: GenerationRequest) -> None:
        self._detector, self._request = detector, request
        self._is_abroad = request.language != request.asked_in
        self._given: list[str] = []
        self._said: list[str] = []
        self._spans: list[tuple[range, range]] = []  # where a part of the given text stands in what is said
        self._held = ""
        self._blocks = CodeBlocks()
        self._from: set[str] = set()
        self._label = ""
        self._degraded: list[str] = []
        self._is_broken = False

    async def say(self, piece: Piece) -> AsyncGenerator[str, None]:
        self._given.append(piece.text)
        if not self._is_abroad and not piece.is_quoted:
            self._note(piece.text, piece.text)
            yield piece.text
            return
        async for word in self._say_parts(self._blocks.feed(piece.text)):
            yield word

    async def finish(self) -> AsyncGenerator[str, None]:
        async for word in self._say_parts(self._blocks.finish()):
            yield word
        async for word in self._say_held():
            yield word

    async def _say_parts(self, parts: Sequence[Part]) -> AsyncGenerator[str, None]:
        for part in parts:
            if part.is_code:
                async for word in self._say_held():
                    yield word
                self._note(part.text, part.text)
                yield part.text
                continue
            self._held += part.text
            while (sentence := self._whole_sentence()) is not None:
                for word in _WORD.findall(await self._speak(sentence)):
                    yield word

    async def _say_held(self) -> AsyncGenerator[str, None]:
        while self._held:
            for word in _WORD.findall(await self._speak(self._whole_sentence() or self._take(len(self._held)))):
                yield word

    async def spoken(self, draft: Draft) -> Draft:
        """The draft with what was said. Where it was changed after its pieces were sent, its text is what counts."""
        if draft.text.strip() != "".join(self._given).strip():
            self._said, self._spans, self._held, self._label = [], [], "", ""
            self._blocks = CodeBlocks()
            async for _ in self._say_parts(self._blocks.feed(draft.text)):
                pass
            async for _ in self.finish():
                pass
        text = "".join(self._said)
        if text.strip() == draft.text.strip() and not self._degraded:
            return draft
        facts: dict[str, Any] = {}
        if "sentences" in draft.grounding:
            facts["sentences"] = [self._moved(sentence) for sentence in draft.grounding["sentences"]]
        if self._from and self._request.translator is not None:
            names = {"by": self._request.translator.name, "from": sorted(self._from), "to": self._request.asked_in}
            facts["translated"] = names
        degraded = (*draft.degraded, *dict.fromkeys(self._degraded))
        return replace(draft, text=text, grounding={**draft.grounding, **facts}, degraded=degraded)

    def _note(self, given: str, said: str) -> None:
        before = self._spans[-1] if self._spans else (range(0), range(0))
        own, told = (range(one.stop, one.stop + len(text)) for one, text in zip(before, (given, said), strict=True))
        self._spans.append((own, told))
        self._said.append(said)

    def _moved(self, sentence: Mapping[str, Any]) -> dict[str, Any]:
        """A sentence of the given text with its place in what is said."""
        told = [
            told for own, told in self._spans if own.start < sentence["end"] and sentence["start"] < own.stop and told
        ]
        place = {"start": told[0].start, "end": told[-1].stop} if told else {"start": 0, "end": 0}
        return {**sentence, **place}

    # ---- sentences

    def _whole_sentence(self) -> str | None:
        """The first sentence that is held, when what follows it has begun; a line that has ended is whole."""
        if not _MAY_END.search(self._held) and len(self._held) <= _LONGEST_HELD:
            return None
        unknown = i_do_not_know(self._request.language)
        if unknown.startswith(self._held.strip()) and len(self._held.strip()) < len(unknown):
            return None
        if self._held.startswith(unknown):
            return self._take(len(unknown))
        line, newline, _ = self._held.partition("\n")
        sentences = cut_sentences(line, self._request.language) if not line.lstrip().startswith("|") else [line]
        if len(sentences) > 1 and not _LIKE_A_MARKER.match("".join(sentences[1:]) if not newline else ""):
            return self._take(len(sentences[0]))
        if newline:
            return self._take(len(line) + 1)
        return self._take(len(self._held)) if len(self._held) > _LONGEST_HELD else None

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken

    async def _speak(self, sentence: str) -> str:
        said = await self._in_askers_language(sentence)
        self._note(sentence, said)
        return said

    async def _in_askers_language(self, sentence: str) -> str:
        goal = self._request.asked_in
        if sentence.strip() == i_do_not_know(self._request.language):
            return sentence.replace(sentence.strip(), i_do_not_know(goal))
        if not any(character.isalpha() for character in sentence):
            return sentence
        language = self._language_of(sentence)
        if language == goal:
            self._label = ""
            return sentence
        translator = self._request.translator
        if translator is not None and not self._is_broken:
            try:
                said = await translator.translate(sentence, language, goal)
            except DragomanError as error:
                _log.warning("generation.translation_failed", translator=translator.name, code=error.code)
                self._degraded.append(failure_code(error))
                self._is_broken = not isinstance(error, UntranslatableError)  # the next one waits for nothing
            else:
                self._from.add(language)
                self._label = ""
                return safe(self._request, said)
        return self._labelled(sentence, language)

    def _labelled(self, sentence: str, language: str) -> str:
        """`(English) The service …`, once for all sentences of a language that follow each other."""
        if self._label == language:
            return sentence
        self._label = language
        opening = _MARKUP.match(sentence)
        at = opening.end() if opening else len(sentence) - len(sentence.lstrip())
        if sentence.lstrip().startswith("|"):
            return f"({own_name(language)})\n\n{sentence}"
        return f"{sentence[:at]}({own_name(language)}) {sentence[at:]}"

    # ---- languages

    def _language_of(self, sentence: str) -> str:
        """Of a quote what its passage is in; else as it reads, and where that is unsure, what it should be in."""
        words = _words(sentence)
        for passage in self._request.found.passages:
            chunk = passage.found.chunk
            if chunk.language != "und" and words and words in _words(chunk.text):
                return chunk.language
        detected = self._detector.detect(words)
        if detected.code != "und" and detected.confidence >= _SURE:
            return detected.code
        return self._request.language


def _words(text: str) -> str:
    """Text as it is compared: without markers, markup at its beginning, and differences of white space."""
    return " ".join(_MARKUP.sub("", _MARKER.sub("", text)).split())
