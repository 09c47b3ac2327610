"""An answer as it grows: whoever reads it, from wherever and however slowly, reads the same."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.chat.errors import InvalidEventIdError
from dragoman.chat.live_answer import AnswerKey, LiveAnswer, Piece, PieceKind, Position, as_json, from_json

KEY = AnswerKey(tenant_id=uuid4(), session_id=uuid4(), message_id=uuid4())
Told = list[tuple[PieceKind, str]]

_words = st.text(min_size=1, max_size=12).filter(lambda text: text.encode("utf-8", "replace").decode() == text)
_before = st.lists(
    st.one_of(st.tuples(st.just(PieceKind.TOKEN), _words), st.just((PieceKind.STATUS, "{}"))), max_size=30
)
_sources = st.lists(st.just((PieceKind.SOURCE, '{"number": 1}')), max_size=4)


@st.composite
def _tellings(draw: st.DrawFn) -> Told:
    """Statuses and tokens, then sources, then the end."""
    return [*draw(_before), *draw(_sources), (PieceKind.END, '{"type": "complete"}')]


def _answer(told: Told) -> LiveAnswer:
    answer = LiveAnswer(KEY)
    for kind, data in told:
        answer.tell(kind, data)
    return answer


def _merged(pieces: Told) -> Told:
    """With neighbouring words put together, as a reader who comes late gets them."""
    merged: Told = []
    for kind, data in pieces:
        if kind is PieceKind.TOKEN and merged and merged[-1][0] is PieceKind.TOKEN:
            merged[-1] = (kind, merged[-1][1] + data)
        else:
            merged.append((kind, data))
    return merged


def _plain(pieces: list[Piece]) -> Told:
    return _merged([(piece.kind, piece.data) for piece in pieces])


def _read_on(answer: LiveAnswer, after: Position) -> list[Piece]:
    found: list[Piece] = []
    while pieces := answer.read(after):
        found += pieces
        after = pieces[-1].position
    return found


@given(_tellings(), st.data())
def test_a_reader_that_comes_back_again_and_again_gets_all_of_it_once(told: Told, data: st.DataObject) -> None:
    answer, had, after = LiveAnswer(KEY), [], Position()
    for kind, words in told:
        answer.tell(kind, words)
        if data.draw(st.booleans()):  # it reads now, perhaps loses a part, and tells how far it came
            pieces = answer.read(after)
            kept = data.draw(st.integers(0, len(pieces)))
            had += pieces[:kept]
            after = had[-1].position if had else after
            after = answer.place_of(Position.parse(str(after)))
    had += _read_on(answer, after)
    assert _plain(had) == _merged(told)


@given(_tellings(), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12))
def test_what_goes_through_valkey_in_parts_that_overlap_is_heard_once(told: Told, parts: list[tuple[int, int]]) -> None:
    answer = _answer(told)
    positions = [Position(), *(piece.position for piece in _one_by_one(told))]
    mirror = LiveAnswer(KEY)
    for begin, length in parts:
        start = positions[min(begin, len(positions) - 1)]
        for piece in from_json(as_json(_read_on(answer, start)[: length + 1])):
            mirror.hear(piece)  # what does not follow on what it has heard is left out
        heard, whole = _plain(_read_on(mirror, Position())), _merged(told)
        assert "".join(data for _, data in whole).startswith("".join(data for _, data in heard))
    for piece in _read_on(answer, Position()):
        assert mirror.hear(piece)
    assert _plain(_read_on(mirror, Position())) == _merged(told)
    assert mirror.is_over


def _one_by_one(told: Told) -> list[Piece]:
    answer, after, found = LiveAnswer(KEY), Position(), []
    for kind, data in told:
        answer.tell(kind, data)
        found += (pieces := answer.read(after))
        after = pieces[-1].position
    return found


def test_a_piece_that_does_not_follow_on_what_was_heard_is_not_taken() -> None:
    answer = _answer([(PieceKind.TOKEN, "one "), (PieceKind.STATUS, "{}"), (PieceKind.TOKEN, "two")])
    first, status, second = answer.read(Position())
    mirror = LiveAnswer(KEY)
    assert not mirror.hear(second)
    assert not mirror.hear(status)
    assert [mirror.hear(piece) for piece in (first, first, status, second)] == [True] * 4
    assert mirror.read(Position()) == [first, status, second]


def test_a_slow_reader_gets_few_large_pieces_cut_between_characters() -> None:
    answer = LiveAnswer(KEY)
    for number in range(20_000):
        answer.tell(PieceKind.TOKEN, f"wörd {number} 🙂 ")
    answer.tell(PieceKind.END, "{}")
    pieces = _read_on(answer, Position())
    assert len(pieces) < 40
    assert max(len(piece.data.encode()) for piece in pieces) <= 16 * 1024
    assert "".join(piece.data for piece in pieces[:-1]) == "".join(f"wörd {number} 🙂 " for number in range(20_000))


def test_nothing_comes_after_the_end() -> None:
    answer = _answer([(PieceKind.TOKEN, "all"), (PieceKind.END, "{}")])
    before = answer.position
    answer.tell(PieceKind.TOKEN, "more")
    assert answer.position == before
    assert answer.read(before) == []


async def test_readers_wait_for_news_and_are_told_when_none_will_come() -> None:
    answer = LiveAnswer(KEY)
    assert not await answer.changes(Position(), timeout_s=0.01)
    waiting = [asyncio.create_task(answer.changes(Position(), timeout_s=30)) for _ in range(3)]
    await asyncio.sleep(0)
    answer.tell(PieceKind.TOKEN, "now")
    assert await asyncio.gather(*waiting) == [True] * 3
    last = asyncio.create_task(answer.changes(answer.position, timeout_s=30))
    await asyncio.sleep(0)
    answer.lose()
    assert await last


@pytest.mark.parametrize("text", ["yesterday", "1.2", "1.2.3.4", "-1.0.0", "1.٢.0", "1.2.3.fin", "9999999999999.0.0"])
def test_an_event_id_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidEventIdError):
        Position.parse(text)


def test_whatever_a_reader_says_that_it_had_it_gets_something_of_this_answer_only() -> None:
    answer = _answer([(PieceKind.STATUS, "{}"), (PieceKind.TOKEN, "wörds"), (PieceKind.END, "{}")])
    for text in ("99999.99.99", "2.0.0", "0.9.0", "3.1.7", "0.0.0"):
        pieces = _read_on(answer, answer.place_of(Position.parse(text)))
        assert pieces[-1].kind is PieceKind.END
