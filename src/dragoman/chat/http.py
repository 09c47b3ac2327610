"""HTTP: how answers are streamed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from dragoman.chat.running import RunningAnswers

STREAM_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events, one JSON object each."}
}


async def _running_answers(request: Request) -> RunningAnswers:
    running: RunningAnswers = request.app.state.running_answers
    return running


RunningAnswersDep = Annotated[RunningAnswers, Depends(_running_answers)]
