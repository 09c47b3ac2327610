"""Translates questions and answers for a chatbot: sentence by sentence, with its glossary, its markers and its markup kept.

One home for search and chat, beside the rewriting of follow-ups. Every call goes through `inference.translating`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dragoman.deps import Deps
from dragoman.inference.service import CallContext
from dragoman.inference.translating import Translators
from dragoman.kit.errors import DragomanError
from dragoman.kit.text.sentences import split_sentences
from dragoman.metering.entities import NOBODY, Spender
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Chatbot
from dragoman.tenancy.settings import GlossaryTerm
from dragoman.understanding.glossary import MARKERS, Protected, keeps_numbers, protect

UNSPACED: Final = frozenset({"zh", "ja", "th", "lo", "km", "my"})
# What stands around the words of a sentence and is set back as it was: markers of citations with the full stop behind them.
_TAIL: Final = re.compile(rf"(?:\s*{MARKERS.pattern})+[.!?…。！？]?\s*$")
_HEAD: Final = re.compile(r"^\s*(?:[-*+•]\s+|\d{1,3}[.)]\s+|#{1,6}\s+|>\s+)?")
_RULE: Final = re.compile(r"^[\s|:-]+$")  # the line under a table's header


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTranslator:
    """A chatbot's translator with its glossary."""

    translators: Translators
    name: str
    context: CallContext
    glossary: Sequence[GlossaryTerm] = ()

    async def translate(self, text: str, source: str, target: str) -> str:
        """The text in another language; lines, list markers, tables and citation markers as they were.

        Raises:
            UnsupportedPairError, UntranslatableError, and what else `Translators.translate` raises.
        """
        if source == target:
            return text
        parts = [part for line in text.splitlines(keepends=True) for part in _parts(line, source, target)]
        wanted = [number for number, part in enumerate(parts) if part.words]
        said = await self.sentences([parts[number].words for number in wanted], source, target)
        translated = dict(zip(wanted, said, strict=True))
        return "".join(f"{part.head}{translated.get(number, '')}{part.tail}" for number, part in enumerate(parts))

    async def sentences(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translations of single sentences, each with its kept words as they shall be. Raises as `translate`."""
        style = self.translators.placeholder(self.name)
        protected = [protect(text, self.glossary, target, style) for text in texts]
        said = await self._call([each for each in protected if each.has_words], source, target)
        results: list[str] = []
        for text, each in zip(texts, protected, strict=True):
            if not each.has_words:
                results.append(_untranslated(each))
                continue
            restored = each.restore(said[each.text])
            if restored is None or not keeps_numbers(_untranslated(each), restored):
                restored = await self._carefully(text, source, target, style)
            results.append(restored)
        return results

    async def _call(self, protected: Sequence[Protected], source: str, target: str) -> dict[str, str]:
        asked = list(dict.fromkeys(each.text for each in protected))
        if not asked:
            return {}
        said = await self.translators.translate(self.context, self.name, asked, source, target)
        return dict(zip(asked, said, strict=True))

    async def _carefully(self, text: str, source: str, target: str, style: str) -> str:
        """Once more with the numbers kept as well; and if words are lost still, what stands between them, piece by piece."""
        each = protect(text, self.glossary, target, style, numbers=True)
        if not each.has_words:
            return _untranslated(each)
        restored = each.restore((await self._call([each], source, target))[each.text])
        if restored is not None:
            return restored
        pieces = each.pieces()
        words = [piece.strip() for piece, is_kept in pieces if not is_kept and _has_letters(piece)]
        said = dict(
            zip(words, await self.translators.translate(self.context, self.name, words, source, target), strict=True)
        )
        return "".join(
            piece if is_kept or not _has_letters(piece) else piece.replace(piece.strip(), said[piece.strip()])
            for piece, is_kept in pieces
        )


def translator_of(deps: Deps, chatbot: Chatbot, spender: Spender = NOBODY) -> TextTranslator | None:
    """The chatbot's translator, or the installation's; None where there is none. `spender`: who its calls are for."""
    settings = tenancy.settings_of(chatbot)
    name = settings.translator if "translator" in chatbot.settings else deps.default_translator
    if name is None:
        return None
    context = CallContext(tenant_id=chatbot.tenant_id, chatbot_id=chatbot.id, purpose="translate", spender=spender)
    return TextTranslator(translators=deps.translators, name=name, context=context, glossary=settings.glossary)


def failure_code(error: DragomanError) -> str:
    """How an answer names that something was not translated."""
    return f"translation_failed:{error.code}"


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence, between what is set back as it was."""

    head: str
    words: str
    tail: str


def _parts(line: str, source: str, target: str) -> list[_Part]:
    content = line.rstrip("\r\n")
    end = line[len(content) :]
    if not _has_letters(content) or _RULE.match(content):
        return [_Part(line, "", "")]
    if content.lstrip().startswith("|"):
        cells = [part for cell in re.split(r"((?<!\\)\|)", content) for part in _sentence_parts(cell, source, target)]
        return [*cells, _Part("", "", end)]
    return [*_sentence_parts(content, source, target), _Part("", "", end)]


def _sentence_parts(text: str, source: str, target: str) -> list[_Part]:
    """The sentences of a line, each with the white space, list marker and citation markers around it."""
    if not _has_letters(text):
        return [_Part(text, "", "")]
    head = _HEAD.match(text)
    start = head.end() if head else 0
    parts: list[_Part] = []
    before = text[:start]
    for sentence in cut_sentences(text[start:], source):
        tail = _TAIL.search(sentence)
        words = sentence[: tail.start()] if tail else sentence
        stripped = words.strip()
        if not _has_letters(stripped):
            before += sentence
            continue
        left = words[: len(words) - len(words.lstrip())]
        right = words[len(words.rstrip()) :] + (tail[0] if tail else "")
        parts.append(_Part(before + left, stripped, _spaced(right, source, target)))
        before = ""
    return [*parts, _Part(before, "", "")] if before or not parts else parts


def cut_sentences(text: str, language: str) -> list[str]:
    """The text in sentences that together are the text; markers behind a full stop belong to the sentence before them."""
    starts = [start for start, _ in split_sentences(text, language)][1:]
    cuts: list[int] = [0]
    for start in starts:
        marker = re.compile(rf"(?:{MARKERS.pattern}\s*)+").match(text, start)
        cut = marker.end() if marker else start
        if cuts[-1] < cut < len(text):
            cuts.append(cut)
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _spaced(tail: str, source: str, target: str) -> str:
    """Sentences stand side by side as the language that is written to does it."""
    if source in UNSPACED and target not in UNSPACED and not tail[-1:].isspace():
        return f"{tail} "
    if target in ("zh", "ja") and tail == " ":
        return ""
    return tail


def _untranslated(protected: Protected) -> str:
    """The text with what shall stand for its kept words, as it should come out but for the language."""
    return "".join(piece for piece, _ in protected.pieces())


def _has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)
