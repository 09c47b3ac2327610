"""What `ports/llm.py` promises, on every language model."""

from __future__ import annotations

import asyncio
import base64
import codecs
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.kit import registry
from dragoman.kit.errors import DragomanError
from dragoman.ports.llm import (
    ChatMessage,
    Completion,
    LlmOverloadedError,
    LlmRejectedError,
    LlmUnavailableError,
    TextDelta,
    TextRequest,
)
from tests.contract.certificate import self_signed
from tests.contract.conftest import open_adapter, wait_until
from tests.contract.openai_server import run_openai_server


def ask(text: str = "Count: one two three four five six", **fields: Any) -> TextRequest:
    return TextRequest(messages=[ChatMessage(role="user", content=text)], **{"max_tokens": 12, **fields})


@pytest.fixture(params=registry.list_adapters("llm"))
async def llm(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    async with open_adapter("llm", request.param, tmp_path) as adapter:
        yield adapter


async def collect(llm: Any, request: TextRequest) -> tuple[str, Completion]:
    events = [event async for event in llm.stream(request)]
    assert all(isinstance(event, TextDelta) and event.text for event in events[:-1])
    assert isinstance(events[-1], Completion)
    return "".join(event.text for event in events[:-1]), events[-1]


async def test_text_comes_in_pieces_and_ends_with_one_completion(llm: Any) -> None:
    text, completion = await collect(llm, ask())
    assert text.strip()
    assert completion.input_tokens > 0
    assert completion.output_tokens > 0
    assert completion.model


async def test_the_limit_of_tokens_is_kept_and_named_as_the_reason(llm: Any) -> None:
    _, completion = await collect(llm, ask(max_tokens=2))
    assert completion.finish == "length"
    assert completion.output_tokens <= 2


async def test_streams_run_at_the_same_time_without_mixing(llm: Any) -> None:
    answers = await asyncio.gather(*(collect(llm, ask(max_tokens=4)) for _ in range(3)))
    assert len({text for text, _ in answers}) == 1


async def test_a_closed_stream_ends_within_200_ms_and_the_model_still_answers(llm: Any) -> None:
    await collect(llm, ask(max_tokens=1))
    stream = llm.stream(ask(max_tokens=200))
    await anext(stream)
    start = time.perf_counter()
    await stream.aclose()
    assert time.perf_counter() - start < 0.2
    await collect(llm, ask(max_tokens=1))


async def test_a_cancelled_task_ends_within_200_ms(llm: Any) -> None:
    await collect(llm, ask(max_tokens=1))
    task = asyncio.create_task(collect(llm, ask(max_tokens=200)))
    await asyncio.sleep(0.03)
    start = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.perf_counter() - start < 0.2


async def test_any_unicode_may_be_asked(llm: Any) -> None:
    await collect(llm, ask("¿Qué? 保修 ضمان 🙂", max_tokens=2))


async def test_the_text_ends_before_a_stop_word(llm: Any) -> None:
    text, _ = await collect(llm, ask(stop=["three", "3"]))
    assert "three" not in text


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, LlmRejectedError), (401, LlmRejectedError), (429, LlmOverloadedError), (503, LlmUnavailableError)],
)
async def test_a_status_of_the_server_becomes_an_error_of_the_port(status: int, expected: type[DragomanError]) -> None:
    with run_openai_server() as server:
        server.status, server.headers = status, {"retry-after": "3"}
        adapter = _openai(server.url)
        with pytest.raises(expected) as caught:
            await collect(adapter, ask())
        assert type(caught.value) is expected
        assert len(server.requests) == 1
        assert caught.value.retry_after_s == (None if expected is LlmRejectedError else 3.0)
        await adapter.close()


async def test_a_silent_an_absent_and_a_broken_off_server_are_unavailable() -> None:
    with run_openai_server() as server:
        adapter = _openai(server.url, first_token_timeout_s=0.2)
        server.silent_s = 1.0
        with pytest.raises(LlmUnavailableError, match="silent"):
            await collect(adapter, ask())
        server.silent_s, server.broken = 0.0, True
        with pytest.raises(LlmUnavailableError):
            await collect(adapter, ask())
    with pytest.raises(LlmUnavailableError):
        await collect(adapter, ask())
    await adapter.close()


async def test_a_pause_between_two_words_that_is_too_long_is_unavailable() -> None:
    with run_openai_server() as server:
        server.delay_s = 0.5
        adapter = _openai(server.url, next_token_timeout_s=0.1)
        with pytest.raises(LlmUnavailableError, match="silent"):
            await collect(adapter, ask())
        await adapter.close()


async def test_tokens_are_estimated_where_the_server_sends_no_usage() -> None:
    with run_openai_server() as server:
        server.usage = False
        adapter = _openai(server.url)
        _, completion = await collect(adapter, ask())
        assert completion.is_estimate
        assert completion.output_tokens > 0
        await adapter.close()


async def test_closing_the_stream_closes_the_connection_to_the_server() -> None:
    with run_openai_server() as server:
        server.words = tuple(f"word{number} " for number in range(200))
        adapter = _openai(server.url)
        stream = adapter.stream(ask(max_tokens=200))
        await anext(stream)
        await stream.aclose()
        await wait_until(lambda: server.left_early == 1)
        await adapter.close()


async def test_scripted_rules_replies_and_errors_are_given_as_written() -> None:
    replies = [{"pattern": "warranty", "reply": "Two years."}, "first", "second"]
    adapter = registry.create("llm", "scripted", {"replies": replies})
    questions = ("Warranty?", "a", "b", "c")
    assert [(await collect(adapter, ask(q)))[0] for q in questions] == ["Two years.", "first", "second", "first"]
    failing = registry.create(
        "llm", "scripted", {"replies": ["a b c"], "fail_with": "overloaded", "fail_after_tokens": 2, "retry_after_s": 4}
    )
    seen = []
    with pytest.raises(LlmOverloadedError) as caught:
        async for event in failing.stream(ask()):
            seen.append(event)
    assert len(seen) == 2
    assert caught.value.retry_after_s == 4


async def test_a_missing_model_file_is_a_clear_refusal(tmp_path: Path) -> None:
    adapter = registry.create("llm", "llama_cpp", {"model_path": tmp_path / "none.gguf"})
    with pytest.raises(LlmRejectedError, match="model_path"):
        await collect(adapter, ask())
    await adapter.close()


def _openai(url: str, **settings: Any) -> Any:
    return registry.create("llm", "openai_compatible", {"base_url": url, "model": "tiny", **settings})


async def test_a_provider_whose_certificate_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    """Somebody between us and the provider has a certificate too, that no authority signed."""
    with run_openai_server(tls=self_signed(tmp_path)) as server:
        adapter = _openai(server.url, api_key="sk-never-sent")
        with pytest.raises(LlmUnavailableError):
            await collect(adapter, ask())
        await adapter.close()
        assert server.requests == []


def test_a_server_on_this_network_is_local_and_any_other_is_not() -> None:
    for url in ("http://localhost:11434/v1", "http://10.1.2.3/v1", "http://[::1]:8000/v1", "http://ollama:11434/v1"):
        assert _openai(url).is_local, url
    for url in ("https://api.openai.com/v1", "https://8.8.8.8/v1", "https://llm.example.org/v1"):
        assert not _openai(url).is_local, url
    assert registry.create("llm", "scripted", {}).is_local


async def test_scripted_gives_away_its_system_message_where_it_is_told_to() -> None:
    system = "Rules.\n\nThe owner's.\n\nMore rules."
    messages = [ChatMessage(role="system", content=system), ChatMessage(role="user", content="a")]
    for form, said in (
        ("{system}", system),
        ("{system:own}", "The owner's."),
        ("{system:reversed}", system[::-1]),
        ("{system:rot13}", codecs.encode(system, "rot13")),
        ("{system:base64}", base64.b64encode(system.encode()).decode()),
    ):
        adapter = registry.create("llm", "scripted", {"replies": [f"It is {form}"]})
        assert (await collect(adapter, TextRequest(messages=messages)))[0] == f"It is {said}"
