"""An answer as it grows, which any number of readers follow, each at its own pace and from where it left off.

What is kept is the text and the few events beside it, not a queue for each reader: a reader that was slow, or comes
back, gets what it has not had as few large pieces. So a slow reader costs no memory, and never holds up the model.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self
from uuid import UUID

from dragoman.chat.errors import InvalidEventIdError

_PIECE_BYTES = 16 * 1024  # read at once; beyond the socket's own buffer nothing is gained
_MOST_DIGITS = 12


class PieceKind(StrEnum):
    STATUS = "status"
    TOKEN = "token"  # noqa: S105 - of text
    SOURCE = "source"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How much of an answer somebody has had.

    Attributes:
        text: bytes of its text in UTF-8.
    """

    text: int = 0
    statuses: int = 0
    sources: int = 0
    is_end: bool = False

    @property
    def total(self) -> int:
        """Grows with each piece of one answer."""
        return self.text + self.statuses + self.sources + self.is_end

    def __str__(self) -> str:
        return f"{self.text}.{self.statuses}.{self.sources}{'.end' if self.is_end else ''}"

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """The position that an event id names; the beginning where there is none. Raises InvalidEventIdError."""
        if not text:
            return cls()
        numbers = text.removesuffix(".end").split(".")
        if len(numbers) != 3 or not all(
            each.isascii() and each.isdigit() and len(each) < _MOST_DIGITS for each in numbers
        ):
            raise InvalidEventIdError
        said, statuses, sources = map(int, numbers)
        return cls(text=said, statuses=statuses, sources=sources, is_end=text.endswith(".end"))

    def after(self, kind: PieceKind, data: str) -> Position:
        match kind:
            case PieceKind.TOKEN:
                return replace(self, text=self.text + len(_utf8(data)))
            case PieceKind.STATUS:
                return replace(self, statuses=self.statuses + 1)
            case PieceKind.SOURCE:
                return replace(self, sources=self.sources + 1)
            case PieceKind.END:
                return replace(self, is_end=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a reader gets. `data`: of a token its words, of others the event as JSON. `position`: when it was had."""

    kind: PieceKind
    data: str
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """Which answer. `message_id` is the id under which it will be stored."""

    tenant_id: UUID
    session_id: UUID
    message_id: UUID


class LiveAnswer:
    """An answer as far as it is written. One writes, any number read."""

    def __init__(self, key: AnswerKey, *, is_resumable: bool = False) -> None:
        self.key, self.is_resumable = key, is_resumable
        self.is_lost = False
        self._text = bytearray()
        self._marks: list[tuple[int, PieceKind, str]] = []  # events beside the text, each behind so many bytes of it
        self._end: str | None = None
        self._position = Position()
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def position(self) -> Position:
        """Of its end, as far as it is written."""
        return self._position

    @property
    def is_over(self) -> bool:
        """Nothing more will come: it has ended, or who writes it was lost."""
        return self._end is not None or self.is_lost

    # ---- writing

    def tell(self, kind: PieceKind, data: str) -> None:
        """Add a piece. What comes after the end is not heard."""
        if self._end is not None or not data:
            return
        if kind is PieceKind.TOKEN:
            self._text += _utf8(data)
        elif kind is PieceKind.END:
            self._end = data
        else:
            self._marks.append((len(self._text), kind, data))
        self._position = self._position.after(kind, data)
        self._ring()

    def hear(self, piece: Piece) -> bool:
        """Add what is new in a piece that was told elsewhere; False: something before it is missing."""
        before, mine = _begin_of(piece), self._position
        if piece.position.total <= mine.total:
            return True
        if piece.kind is PieceKind.TOKEN and before.text <= mine.text:
            is_next = (before.statuses, before.sources) == (mine.statuses, mine.sources)
            data = _utf8(piece.data)[mine.text - before.text :].decode()
        else:
            is_next, data = before == mine, piece.data
        if is_next:
            self.tell(piece.kind, data)
        return is_next

    def lose(self) -> None:
        """Who writes it does not answer any more."""
        self.is_lost = True
        self._ring()

    def _ring(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    # ---- reading

    def place_of(self, after: Position) -> Position:
        """Where a reader stands here who had so much of the answer, perhaps while it was written.

        A stored answer tells no statuses; and what a reader says that it had may be anything.
        """
        told = [kind for _, kind, _ in self._marks]
        return Position(
            text=min(after.text, len(self._text)),
            statuses=min(after.statuses, told.count(PieceKind.STATUS)),
            sources=min(after.sources, told.count(PieceKind.SOURCE)),
            is_end=after.is_end,
        )

    def read(self, after: Position) -> Sequence[Piece]:
        """What comes after a position, about 16 KiB of it at most; nothing: there is no more yet."""
        pieces: list[Piece] = []
        at, size = after, 0
        for begin, kind, data in self._marks[after.statuses + after.sources :]:
            while at.text < begin and size < _PIECE_BYTES:
                at, size = self._take_text(pieces, at, begin, size)
            if size >= _PIECE_BYTES:
                return pieces
            at = at.after(kind, data)
            pieces.append(Piece(kind=kind, data=data, position=at))
            size += len(data)
        while at.text < len(self._text) and size < _PIECE_BYTES:
            at, size = self._take_text(pieces, at, len(self._text), size)
        if self._end is not None and not at.is_end and at.text >= len(self._text) and size < _PIECE_BYTES:
            pieces.append(Piece(kind=PieceKind.END, data=self._end, position=at.after(PieceKind.END, self._end)))
        return pieces

    def _take_text(self, pieces: list[Piece], at: Position, end: int, size: int) -> tuple[Position, int]:
        end = min(end, at.text + _PIECE_BYTES)
        while end < len(self._text) and self._text[end] & 0xC0 == 0x80:  # not within a character
            end -= 1
        words = self._text[at.text : end].decode("utf-8", "replace")
        at = replace(at, text=end)
        pieces.append(Piece(kind=PieceKind.TOKEN, data=words, position=at))
        return at, size + len(words)

    async def changes(self, after: Position, *, timeout_s: float) -> bool:
        """Wait until there is more than this, or nothing will come; False: not within the time."""
        if self.is_over or self._position.total > after.total:
            return True
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(timeout_s):
                await waiting
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiting)
        return True


def as_json(pieces: Sequence[Piece]) -> bytes:
    """Pieces as they go through Valkey."""
    return json.dumps([[piece.kind.value, piece.data, str(piece.position)] for piece in pieces]).encode()


def from_json(data: bytes) -> list[Piece]:
    return [
        Piece(kind=PieceKind(kind), data=words, position=Position.parse(position))
        for kind, words, position in json.loads(data)
    ]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a broken model may send half a character


def _begin_of(piece: Piece) -> Position:
    at = piece.position
    match piece.kind:
        case PieceKind.TOKEN:
            return replace(at, text=at.text - len(_utf8(piece.data)))
        case PieceKind.STATUS:
            return replace(at, statuses=at.statuses - 1)
        case PieceKind.SOURCE:
            return replace(at, sources=at.sources - 1)
        case PieceKind.END:
            return replace(at, is_end=False)
