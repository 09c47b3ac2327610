"""Stops a language model that is about to reveal its instructions, before the words are sent.

Three things are looked for in what it writes, letters and digits only, so that spacing and punctuation hide nothing:
- the canary, a mark that stands in the instructions and nowhere else: as it is, backwards, in ROT13, hexadecimal, Base64;
- a long run of the instructions themselves, in the same disguises. What every installation tells its models is given away by
  48 characters. What the chatbot's owner wrote may be meant to be said, so that only 160 of it count, or four fifths of a
  short text, and nothing that stands in quotation marks or behind a colon ("end with: contact us at …");
- what the owner's text calls secret (`the password is 'Piano'`), in the same disguises.
What stands in the sources as well is no secret. Paraphrases and translations of the instructions are not recognised.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

from prometheus_client import Counter

from dragoman.kit.errors import DragomanError

LEAKS = Counter("dragoman_prompt_leaks_total", "Answers stopped because they began to reveal their prompt.", ["what"])

_GRAM: Final = 16  # letters and digits; shorter runs occur by chance
_LONGEST_RUN: Final = 48
_LONGEST_OWN_RUN: Final = 160
_SHORTEST_OWN_RUN: Final = 40
_LONGEST_OWN_RUN_OF_SIGNS: Final = 60
_SHORTEST_OWN_RUN_OF_SIGNS: Final = 24  # in scripts where a character is a syllable or a word
_HELD_OWN_RUN: Final = 24
_LONGEST_DISGUISED: Final = 4_000  # characters of an owner's text whose disguises are known too
_MEANT_TO_BE_SAID: Final = re.compile(r"[\"'“„«‘][^\"'”“»’\n]{20,}[\"'”“»’]|[:：]\s*[^\n]{20,}")
_REMEMBERED: Final = 1_000  # of the letters and digits written before; more than any run or secret has
_HEAD: Final = 8  # of the canary's letters and digits: enough to be sure
_SEPARATORS: Final = re.compile(r"[\W_]+")
_SIGNS: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class PromptLeakError(DragomanError):
    """The language model began to reveal its instructions and was stopped; the answer goes on by quotation. Nothing needs to be done, but look at what was asked."""

    code, status = "generation.prompt_leak", 502


@dataclass(frozen=True, slots=True)
class _Watched:
    """What is looked for in one system message."""

    rules: frozenset[str]
    own: frozenset[str]
    either: frozenset[str]
    longest_own: int
    canary: re.Pattern[str] | None
    canary_beginnings: frozenset[str]
    secrets: tuple[str, ...]


class LeakGuard:
    """Feed it what a model writes; it returns what may be sent.

    Raises:
        PromptLeakError: from `feed` and `finish`; what is held then must not be sent.
    """

    def __init__(
        self,
        system_message: str,
        *,
        rules: Sequence[str],
        canary: str,
        may_say: Iterable[str],
        known: Callable[[], str],
    ) -> None:
        """`rules`: the parts of the message that every installation has. `may_say`: parts that answers may have.

        `known`: texts that the asker may see anyway, read only where something is suspected.
        """
        self._watched = _watch(system_message, tuple(rules), canary, tuple(may_say))
        self._known = known
        self._written = ""  # in lower case, letters and digits only
        self._tail = ""  # as it is written, in lower case
        self._held = ""
        self._run = self._own_run = 0

    def feed(self, piece: str) -> str:
        self._held += piece
        fresh = _letters(piece)
        self._look_for_canary(fresh)
        self._look_for_runs(fresh)
        if self._watched.secrets:
            self._look_for_secrets(piece)
        if self._is_open():
            return ""
        safe, self._held = self._held, ""
        return safe

    def finish(self) -> str:
        """What was held back: a beginning that led to nothing."""
        self._look_for_secrets(" ")
        safe, self._held = self._held, ""
        return safe

    def _look_for_canary(self, fresh: str) -> None:
        pattern = self._watched.canary
        if pattern is not None and pattern.search(self._written[1 - _HEAD :] + fresh):
            self._stop("canary")

    def _look_for_runs(self, fresh: str) -> None:
        begin = min(len(self._written), _REMEMBERED)
        self._written = written = self._written[-_REMEMBERED:] + fresh
        watched = self._watched
        ends = range(max(begin, _GRAM - 1) + 1, len(written) + 1)
        looked_at: Iterable[int] = ends
        if len(ends) > 2 * _HELD_OWN_RUN and not (self._run or self._own_run):
            # Of what counts so many grams follow each other that one of these is among them; all at the end are looked at.
            looked_at = chain(ends[:: _HELD_OWN_RUN - _GRAM], ends[-_HELD_OWN_RUN:])
        if watched.either.isdisjoint([written[end - _GRAM : end] for end in looked_at]):
            if ends:
                self._run = self._own_run = 0
            return
        for end in ends:
            gram = written[end - _GRAM : end]
            if gram in watched.rules:
                self._run = max(self._run + 1, _GRAM)
            else:
                self._run = 0
            self._own_run = max(self._own_run + 1, _GRAM) if self._run or gram in watched.own else 0
            if self._run >= _LONGEST_RUN or self._own_run >= watched.longest_own:
                self._stop_unless_known(written[end - max(self._run, self._own_run) : end])

    def _look_for_secrets(self, piece: str) -> None:
        longest = max(map(len, self._watched.secrets), default=0)
        self._tail = (self._tail + piece.lower())[-longest - len(piece) - 1 :]
        for secret in self._watched.secrets:
            for found in re.finditer(rf"(?<!\w){re.escape(secret)}(?!\w)", self._tail):
                if found.end() < len(self._tail) and not _holds(self._known().lower(), secret):
                    self._stop("secret")
            if len(secret) > _HEAD and _letters(secret) in self._written and not _holds(self._known().lower(), secret):
                self._stop("secret")

    def _is_open(self) -> bool:
        """Whether what was written last may be the beginning of something that must not be sent."""
        if self._run or self._own_run >= _HELD_OWN_RUN:
            return True
        if any(self._written[-length:] in self._watched.canary_beginnings for length in range(3, _HEAD)):
            return True
        return any(_ends_like(self._tail, secret) for secret in self._watched.secrets)

    def _stop_unless_known(self, run: str) -> None:
        if run in _letters(self._known()):
            self._run = self._own_run = 0
        else:
            self._stop("instructions")

    def _stop(self, what: str) -> None:
        LEAKS.labels(what).inc()
        raise PromptLeakError(what=what)


def _letters(text: str) -> str:
    return _SEPARATORS.sub("", text.casefold())


def _holds(text: str, secret: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text) is not None


def _ends_like(tail: str, secret: str) -> bool:
    """Whether the text ends with a beginning of the secret that stands where a word begins, or with all of it."""
    for length in range(min(len(secret), len(tail)), 0, -1):
        if tail.endswith(secret[:length]):
            before = tail[-length - 1 : -length]
            return not (before.isalnum() or before == "_")
    return False


@lru_cache(maxsize=64)
def _watch(system_message: str, rules: tuple[str, ...], canary: str, may_say: tuple[str, ...]) -> _Watched:
    own_text = system_message
    for text in (*rules, *may_say):
        own_text = own_text.replace(text, "\n\0\n")
    parts = _MEANT_TO_BE_SAID.sub("\n\0\n", own_text).split("\0")
    rule_grams = _rule_grams(rules)
    is_short = len(own_text) <= _LONGEST_DISGUISED
    own_grams = frozenset(
        gram
        for part in parts
        for form in (_whole_disguises(part) if is_short else (part,))
        for gram in _grams(_letters(form))
    )
    own_length = max(
        len(_letters(part)) for part in parts
    )  # a line of the built-in template with a name is another part
    forms = [_letters(form) for form in _disguises(canary)] if canary else []
    heads = "|".join(re.escape(part) for form in forms for part in (form[:_HEAD], form[-_HEAD:]))
    signs = len(_SIGNS.findall(own_text)) * 3 > len(own_text)
    return _Watched(
        rules=rule_grams,
        own=own_grams - rule_grams,
        either=own_grams | rule_grams,
        longest_own=min(
            _LONGEST_OWN_RUN_OF_SIGNS if signs else _LONGEST_OWN_RUN,
            max(_SHORTEST_OWN_RUN_OF_SIGNS if signs else _SHORTEST_OWN_RUN, own_length * 4 // 5),
        ),
        canary=re.compile(heads) if heads else None,
        canary_beginnings=frozenset(form[:length] for form in forms for length in range(3, _HEAD)),
        secrets=tuple(dict.fromkeys(form.lower() for secret in _secrets(own_text) for form in _disguises(secret))),
    )


@lru_cache(maxsize=8)
def _rule_grams(rules: tuple[str, ...]) -> frozenset[str]:
    """They are the same for all chatbots."""
    return frozenset(gram for text in rules for form in _whole_disguises(text) for gram in _grams(_letters(form)))


def _whole_disguises(text: str) -> Iterator[str]:
    """A longer text as it may stand within a whole that was disguised."""
    text = text.strip()
    yield text
    yield text[::-1]
    yield codecs.encode(text, "rot13")
    raw = text.encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        yield encoded[(shift * 4 + 2) // 3 : len(encoded) - 1]


def _grams(text: str) -> Iterator[str]:
    return (text[at : at + _GRAM] for at in range(len(text) - _GRAM + 1))


def _disguises(secret: str) -> Iterator[str]:
    """A short text as it is, and as a model may be asked to write it. Base64 has three forms, by what stands before."""
    yield secret
    if len(secret) < 4:
        return
    yield secret[::-1]
    yield codecs.encode(secret, "rot13")
    raw = secret.encode()
    yield raw.hex()
    yield raw.hex(" ")
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        whole = encoded[(shift * 4 + 2) // 3 : len(encoded) - 1]  # what does not depend on its neighbours
        if len(whole) >= _HEAD:
            yield whole


# ---- what an owner's text calls secret

_CALLED_SECRET: Final = re.compile(
    r"\b(?:secret|password|passphrase|passcode|api key|credentials?|confidential)\b|(?:do not|don'?t|never) (?:reveal|share|disclose|tell)"
    r"|geheim|passwort|kennwort|vertraulich|mot de passe|confidentiel|contraseña|confidencial|secreto|senha|segreto|riservat|парол|секрет|конфиденциальн|密码|秘密|机密|パスワード|비밀|كلمة السر|सरي|पासवर्ड",
    re.IGNORECASE,
)
_VALUE: Final = re.compile(
    r"[\"'“”„‘’«»「『]([^\"'“”„‘’«»「」『』\n]{2,60})[\"'“”‘’«»」』]|(?<![\w@.])([\w.+-]{1,40}@[\w-]{1,40}\.[\w.]{2,20}\w)|\b(?=\w*\d)(?=\w*[A-Za-z])(\w{5,40})\b"
)


def _secrets(text: str) -> Iterator[str]:
    """Quoted words, mail addresses and codes in sentences that speak of secrets, or stand next to one that does."""
    sentences = re.split(r"(?<=[.!?。！？\n])\s*", text)
    for at, sentence in enumerate(sentences):
        if _CALLED_SECRET.search(" ".join(sentences[max(0, at - 1) : at + 2])):
            for found in _VALUE.finditer(sentence):
                yield next(filter(None, found.groups()))
