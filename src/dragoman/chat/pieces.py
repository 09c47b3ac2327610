"""Events of an answer as they go to readers: their kind, and their words or their JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from dragoman.chat.entities import AnswerEvent, Complete, Source, Status, Token
from dragoman.chat.live_answer import Piece, PieceKind
from dragoman.chat.schemas import CompleteEvent, ErrorEvent, SourceEvent, SourceOut, StatusEvent
from dragoman.kit.errors import DragomanError
from dragoman.kit.heartbeat import HEARTBEAT

_LINE_ENDS: Final = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))
"""What many clients take for the end of a line, and JSON does not escape."""


def of_event(event: AnswerEvent, message_id: UUID) -> tuple[PieceKind, str]:
    match event:
        case Token():
            return PieceKind.TOKEN, event.content
        case Status():
            return PieceKind.STATUS, _json(StatusEvent(stage=event.stage, message_id=message_id))
        case Source():
            return of_source(SourceOut.of(event.citation))
        case Complete():
            return PieceKind.END, _json(CompleteEvent.of_complete(event))


def of_error(error: DragomanError) -> tuple[PieceKind, str]:
    return PieceKind.END, _json(ErrorEvent(code=error.code, detail=error.message))


def of_source(source: SourceOut) -> tuple[PieceKind, str]:
    return PieceKind.SOURCE, _json(SourceEvent(**source.model_dump()))


def of_end(event: CompleteEvent) -> tuple[PieceKind, str]:
    return PieceKind.END, _json(event)


def server_sent(pieces: Sequence[Piece], *, include_sources: bool) -> bytes:
    """Pieces as server-sent events; nothing new is a comment that keeps the connection open."""
    if not pieces:
        return HEARTBEAT
    text = "".join(
        f"id: {piece.position}\ndata: {_data(piece)}\n\n"
        for piece in pieces
        if include_sources or piece.kind is not PieceKind.SOURCE
    )
    for sign, escaped in _LINE_ENDS:
        text = text.replace(sign, escaped)
    return text.encode("utf-8", "replace")


def _data(piece: Piece) -> str:
    if piece.kind is PieceKind.TOKEN:
        return f'{{"type": "token", "content": {json.dumps(piece.data, ensure_ascii=False)}}}'
    return piece.data


def _json(event: BaseModel) -> str:
    fields = event.model_dump(mode="json")
    ordered = {"type": fields.pop("type"), **fields}  # the type first, as the examples of the contract have it
    return json.dumps(ordered, ensure_ascii=False)
