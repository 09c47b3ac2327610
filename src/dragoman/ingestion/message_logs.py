"""From the messages of a conversation to pairs: who asks, what answers it, and what says nothing.

Who asks and who answers is decided by these rules, the first that applies:

1. The role or the name says so: user, customer, Kunde, 客户 ...; agent, support, assistant, Berater, 客服 ...
2. Where one speaker is known the others of the conversation are the opposite.
3. Else the first to put a question (other than "How can I help?") asks, or who opens the conversation; the others answer.
4. Where more than two speak and no role is known, as in a group, each question is answered by what others say after it.

Greetings, thanks, offers of help and system lines are dropped. The agent's short question back and its reply become part
of the question. A question to which nobody replied is reported and not indexed.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from dragoman.ingestion.conversation_words import (
    ANSWERERS,
    ASKERS,
    COURTESIES,
    COURTESIES_WITHOUT_SPACES,
    FILLERS,
    OFFER_OF_HELP,
    PROGRAM_LINE,
    SYSTEM,
)
from dragoman.ingestion.pairs import QUESTION_MARKS, Found, add_pair

LONGEST_QUESTION_BACK: Final = 200
LONGEST_ACKNOWLEDGEMENT: Final = 5  # words; "ok, I will try that"
SURE_SHARE: Final = 0.8  # of the lines or of the text, before an ordinary document is read as a log or a FAQ table

Role = Literal["asker", "answerer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of a log. `ref`: its id; `row`: its number in the file or in its conversation."""

    conversation: str
    speaker: str
    text: str
    role: Role | None = None
    time: str = ""
    ref: str = ""
    row: int | None = None
    page: int | None = None
    title: str = ""


_LABEL_WORDS: Final = re.compile(r"[\w-]+")


def role_of(label: str) -> Role | None:
    words = set(_LABEL_WORDS.findall(label.casefold().replace("_", " ")))
    if words & ANSWERERS:
        return "answerer"
    return "asker" if words & ASKERS else None


def _is_system(message: Message) -> bool:
    return message.speaker.casefold() in SYSTEM


def is_surely_log(messages: Sequence[Message]) -> bool:
    """Whether roles of both kinds are stated for nearly all that is said."""
    said = [message for message in messages if message.text and not _is_system(message)]
    roles = Counter(message.role or role_of(message.speaker) for message in said)
    return bool(roles["asker"] and roles["answerer"]) and roles[None] <= (1 - SURE_SHARE) * len(said)


def pairs_of_messages(messages: Iterable[Message]) -> Found | None:
    """The pairs of all conversations of a log, in the order in which the conversations begin."""
    conversations: dict[str, list[Message]] = {}
    for message in messages:
        conversations.setdefault(message.conversation, []).append(message)
    found = Found()
    for conversation in conversations.values():
        said = [
            message
            for message in conversation
            if message.text and not _is_system(message) and not _is_noise(message.text)
        ]
        for exchange in _exchanges(_with_roles(said)):
            _add_exchange(found, exchange)
    return found if found.pairs or found.unanswered else None


def _with_roles(messages: Sequence[Message]) -> list[Message]:
    """The rules that the head of this module states. In a group a message asks if it holds a question mark."""
    known = {message.speaker: message.role or role_of(message.speaker) for message in messages}
    stated = {role for role in known.values() if role}
    if not stated and len(known) > 2:
        return _group_roles(messages)
    if stated == {"answerer"}:
        known = {speaker: role or "asker" for speaker, role in known.items()}
    elif stated == {"asker"}:
        known = {speaker: role or "answerer" for speaker, role in known.items()}
    elif not stated and messages:
        first = next((message for message in messages if _asks(message.text)), messages[0])
        known = {speaker: "asker" if speaker == first.speaker else "answerer" for speaker in known}
    return [replace(message, role=message.role or known[message.speaker] or "answerer") for message in messages]


def _group_roles(messages: Sequence[Message]) -> list[Message]:
    asker = ""
    placed = []
    for message in messages:
        if _asks(message.text):
            asker = message.speaker
        if asker:  # what was said before the first question answers nothing
            placed.append(replace(message, role="asker" if message.speaker == asker else "answerer"))
    return placed


@dataclass(slots=True, kw_only=True)
class _Exchange:
    asked: list[Message] = field(default_factory=list)
    back: list[Message] = field(default_factory=list)  # a question back that has no reply yet
    question: list[str] = field(default_factory=list)
    answered: list[Message] = field(default_factory=list)


def _exchanges(messages: Iterable[Message]) -> Iterator[_Exchange]:
    """The asker's turn with the turn that answers it; questions back and their replies belong to the former."""
    current = _Exchange()
    for role, turn in itertools.groupby(messages, key=lambda message: message.role):
        said = list(turn)
        if role == "asker":
            if current.answered:
                if _is_acknowledgement(said):
                    continue
                yield current
                current = _Exchange()
            lead = "\n".join(message.text for message in current.back)
            texts = "\n".join(message.text for message in said)
            current.question.append(f"{lead}\n{texts}" if lead else texts)
            current.asked += [*current.back, *said]
            current.back = []
        elif current.asked:  # an answer to nothing is a broadcast
            if not current.answered and _is_question_back(said):
                current.back += said
            else:
                current.answered += [*current.back, *said]
                current.back = []
    if current.asked:
        yield current


def _add_exchange(found: Found, exchange: _Exchange) -> None:
    asked, answered = exchange.asked, exchange.answered
    messages = [*asked, *answered]
    provenance: dict[str, Any] = {
        "conversation": asked[0].conversation,
        "messages": [message.ref for message in messages if message.ref],
        "rows": [message.row for message in messages if message.row is not None],
        "speakers": list(dict.fromkeys(message.speaker for message in messages if message.speaker)),
        "asked_at": asked[0].time,
        "answered_at": answered[0].time if answered else "",
        "title": asked[0].title,
    }
    provenance = {key: value for key, value in provenance.items() if value}
    answer = "\n\n".join(message.text for message in answered)
    add_pair(found, "\n".join(exchange.question), answer, "conversation", provenance, asked[0].page)


_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_WIDE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")


def _asks(text: str) -> bool:
    return any(mark in text for mark in QUESTION_MARKS) and not OFFER_OF_HELP.search(text)


def _length(text: str) -> int:
    """In words; of scripts without spaces two characters count as one."""
    return len(_WORD.findall(_WIDE.sub(" ", text))) + len(_WIDE.findall(text)) // 2


def _is_acknowledgement(turn: Sequence[Message]) -> bool:
    """A short reply to an answer that asks nothing more."""
    texts = [message.text for message in turn]
    return not any(_asks(text) for text in texts) and sum(map(_length, texts)) <= LONGEST_ACKNOWLEDGEMENT


def _is_question_back(turn: Sequence[Message]) -> bool:
    text = "\n".join(message.text for message in turn)
    return len(text) <= LONGEST_QUESTION_BACK and text.rstrip().endswith(QUESTION_MARKS)


LONGEST_SMALL_TALK: Final = 10  # words


def _is_noise(text: str) -> bool:
    """Greetings, thanks, offers of help (alone or after a greeting), and lines written by the chat program."""
    stripped = text.strip()
    if (
        not any(map(str.isalnum, stripped))
        or PROGRAM_LINE.fullmatch(stripped)
        or COURTESIES_WITHOUT_SPACES.fullmatch(stripped)
    ):
        return True
    sentences = [part for part in re.split(r"(?<=[.!?。！？؟])\s*|\n", stripped) if part.strip()]
    return all(
        _is_small_talk(sentence) or (OFFER_OF_HELP.search(sentence) and len(sentence) <= 120) for sentence in sentences
    )


def _is_small_talk(sentence: str) -> bool:
    """Courtesies and nothing else, but for a name: "Hi Anna", "Vielen Dank, Herr Weber"."""
    if COURTESIES_WITHOUT_SPACES.fullmatch(sentence):
        return True
    words = _WORD.findall(sentence.casefold().replace("’", "'"))
    if not words or len(words) > LONGEST_SMALL_TALK or not any(word in COURTESIES for word in words):
        return False
    strange = [word for word in words if word not in COURTESIES and word not in FILLERS]
    return not strange or (len(strange) <= 2 and words[0] in COURTESIES and len(words) <= 5 and not _asks(sentence))
