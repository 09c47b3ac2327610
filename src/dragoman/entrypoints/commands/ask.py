"""`dragoman ask` and `dragoman chat`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from dragoman.entrypoints.commands import connection
from dragoman.entrypoints.commands.connection import Server
from dragoman.entrypoints.commands.options import ChatbotId, Home, Json, Key, Url
from dragoman.entrypoints.commands.terminal import ExitCode, err, print_json, print_line, report

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from dragoman.client import CompleteEvent, Dragoman, SourceEvent, StreamEvent

_LANGUAGE_HELP = "Taken where the question's own language cannot be told."
_CHAT_HELP = (
    "/new starts a new conversation, /quit ends. Ctrl-C stops an answer, or the chat when nothing is being answered."
)


def ask(
    question: Annotated[str, typer.Argument(help="The question, in any language.")],
    language: Annotated[str | None, typer.Option(help=_LANGUAGE_HELP)] = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Ask a question: the answer as it is written, then its sources.

    Exit code 1 when the documents do not answer. With --json the events of the stream, one a line.
    """

    async def body(client: Dragoman) -> bool:
        session = await client.sessions.create(chatbot_id=await connection.chatbot_id_of(client, chatbot))
        return await _answer(client.messages.stream(session.id, question, language=language), as_json=as_json)

    answered = connection.run(Server(url=url, api_key=api_key, home=home, json=as_json), body)
    return ExitCode.OK if answered else ExitCode.FAILED


def chat(
    language: Annotated[str | None, typer.Option(help=_LANGUAGE_HELP)] = None,
    chatbot: ChatbotId = None,
    url: Url = None,
    api_key: Key = None,
    home: Home = None,
    as_json: Json = False,
) -> ExitCode:
    """Talk with a chatbot in one conversation, which it remembers.

    Questions may also be piped in, one a line. With --json the events of all answers, one a line.
    """
    server = Server(url=url, api_key=api_key, home=home, json=as_json)
    with asyncio.Runner() as runner:  # one loop for the whole chat; the prompt waits outside it
        connecting = connection.connected(server)
        client = runner.run(connecting.__aenter__())
        try:
            talk = _Talk(client=client, chatbot=chatbot, language=language, as_json=as_json)
            return _converse(runner, talk)
        finally:
            runner.run(_leave(connecting))


async def _leave(connecting: contextlib.AbstractAsyncContextManager[Dragoman]) -> None:
    await connecting.__aexit__(None, None, None)


@dataclass(slots=True, kw_only=True)
class _Talk:
    """A conversation; its session is opened with the first question."""

    client: Dragoman
    chatbot: str | None
    language: str | None
    as_json: bool
    session_id: str | None = None

    async def say(self, question: str) -> bool:
        if self.session_id is None:
            chatbot_id = await connection.chatbot_id_of(self.client, self.chatbot)
            self.session_id = str((await self.client.sessions.create(chatbot_id=chatbot_id)).id)
        events = self.client.messages.stream(self.session_id, question, language=self.language)
        return await _answer(events, as_json=self.as_json)


def _converse(runner: asyncio.Runner, talk: _Talk) -> ExitCode:
    is_terminal = sys.stdin.isatty() and not talk.as_json
    if is_terminal:
        with contextlib.suppress(ImportError):  # line editing and history, where Python was built with it
            import readline  # noqa: F401, PLC0415
        print_line(_CHAT_HELP, style="dim")
    while True:
        try:
            line = (input("> ") if is_terminal else sys.stdin.readline() or _end_of_input()).strip()
        except EOFError:
            return ExitCode.OK
        if line == "/quit":
            return ExitCode.OK
        if line == "/new":
            talk.session_id = None
            if is_terminal:
                print_line("A new conversation.", style="dim")
        elif line.startswith("/"):
            err().print(_CHAT_HELP, markup=False)
        elif line:
            _take_turn(runner, talk, line)


def _end_of_input() -> str:
    raise EOFError


def _take_turn(runner: asyncio.Runner, talk: _Talk, question: str) -> None:
    """Answer one question. What goes wrong with it is told and does not end the conversation."""
    try:
        runner.run(talk.say(question))
    except KeyboardInterrupt:
        err().print("\nStopped.")
    except Exception as error:
        if report(error, as_json=talk.as_json) is None:
            raise


# ---- printing an answer


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What a stream has brought."""

    started: float = field(default_factory=time.monotonic)
    first_words_ms: float | None = None
    sources: list[SourceEvent] = field(default_factory=list)
    complete: CompleteEvent | None = None


async def _answer(events: AsyncGenerator[StreamEvent, None], *, as_json: bool) -> bool:
    """Print an answer as it comes; whether the documents answered.

    Raises:
        StreamFailedError: the server gave up in the middle.
    """
    seen = _Seen()
    async with aclosing(_checked(events, as_json=as_json)) as checked:
        async for event in checked:
            if as_json:
                print_json(event.model_dump(mode="json"))
            _note(event, seen, as_json=as_json)
    if not as_json:
        _show_end(seen)
    return seen.complete is not None and seen.complete.answered


async def _checked(events: AsyncGenerator[StreamEvent, None], *, as_json: bool) -> AsyncGenerator[StreamEvent, None]:
    from dragoman.client import ErrorEvent, StreamFailedError  # noqa: PLC0415 -- 100 ms

    async with aclosing(events) as stream:
        async for event in stream:
            if isinstance(event, ErrorEvent):
                if as_json:
                    print_json(event.model_dump(mode="json"))
                raise StreamFailedError(code=event.code, detail=event.detail)
            yield event


def _note(event: StreamEvent, seen: _Seen, *, as_json: bool) -> None:
    match event.type:
        case "token":
            if seen.first_words_ms is None:
                seen.first_words_ms = (time.monotonic() - seen.started) * 1000
            if not as_json:
                sys.stdout.write(event.content)
                sys.stdout.flush()
        case "source":
            seen.sources.append(event)
        case "complete":
            seen.complete = event


def _show_end(seen: _Seen) -> None:
    print_line("\n")
    for source in seen.sources:
        place = [source.title or source.file_name]
        if source.page is not None:
            place.append(f"page {source.page}")
        if source.heading_path:
            place.append(" > ".join(source.heading_path))
        print_line(f"[{source.number}] {', '.join(place)}", style="bold")
        print_line(f"    “{' '.join(source.excerpt.split())}”", style="dim")
    if seen.complete is not None:
        print_line(_facts(seen, seen.complete), style="dim")


def _facts(seen: _Seen, complete: CompleteEvent) -> str:
    total_ms = complete.timings.get("total", 0.0)
    stages = ", ".join(f"{name} {value:.0f}" for name, value in complete.timings.items() if name != "total")
    parts = [f"{total_ms:.0f} ms ({stages})"]
    if seen.first_words_ms is not None:
        parts.append(f"first words after {seen.first_words_ms:.0f} ms")
    parts += [f"${complete.usage.cost_usd:.4f}", complete.model, complete.language]
    if complete.confidence is not None:
        parts.append(f"confidence {complete.confidence:.2f}")
    return " · ".join([*parts, *complete.degraded])
