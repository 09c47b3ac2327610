"""Follow-ups are completed by a model where there is one, and by the words of the conversation where it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from dragoman.adapters.llm import scripted
from dragoman.inference.service import CallContext, Inference, Limits
from dragoman.metering.entities import UsageRecord
from dragoman.metering.prices import PriceList
from dragoman.ports.llm import Completion, TextDelta, TextRequest
from dragoman.understanding import prompts
from dragoman.understanding.history import Said
from dragoman.understanding.rewriting import Model, ask_otherwise, rewrite

CONTEXT = CallContext(tenant_id=uuid4(), chatbot_id=uuid4(), purpose="test")
HISTORY = [
    Said(role="user", text="How do I claim market development funds?"),
    Said(role="assistant", text="File the form in the portal."),
]
MODEL = Model(writer="scripted", timeout_s=0.5)


class Llm(scripted.Adapter):
    """Remembers what it was asked."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(scripted.Settings(**settings))
        self.requests: list[TextRequest] = []

    async def stream(self, request: TextRequest) -> AsyncIterator[TextDelta | Completion]:
        self.requests.append(request)
        async for event in super().stream(request):
            yield event


class Records(list[UsageRecord]):
    """In place of the buffer that writes to the database."""

    def add(self, record: UsageRecord) -> None:
        self.append(record)


def inference_with(llm: Llm) -> Inference:
    return Inference(
        embedders={},
        llms={"scripted": lambda: llm},
        prices=PriceList(()),
        usage=Records(),  # type: ignore[arg-type]
        limits=Limits(attempts=1, backoff_s=0.001),
    )


def llm_saying(*replies: str, **settings: Any) -> Llm:
    return Llm(replies=list(replies), **settings)


# --- follow-ups ------------------------------------------------------------------------------------------------------


async def test_without_a_model_the_words_of_the_conversation_complete_the_question() -> None:
    llm = llm_saying("never asked")
    got = await rewrite(inference_with(llm), "And for partners?", HISTORY, "en", context=CONTEXT)
    assert (got.used, got.method, got.reason, got.degraded) == (True, "history", "continuing", ())
    assert got.text.startswith("And for partners? ")
    assert {"market", "development", "funds"} <= set(got.text.split())
    assert 0 < got.weight < 1
    assert llm.requests == []


async def test_a_model_writes_the_complete_question() -> None:
    llm = llm_saying('Question: "How do partners claim market development funds?"')
    got = await rewrite(inference_with(llm), "And for partners?", HISTORY, "en", context=CONTEXT, model=MODEL)
    assert (got.text, got.method) == ("How do partners claim market development funds?", "model")
    assert got.prompt_version == prompts.REWRITE
    [request] = llm.requests
    assert "User: How do I claim market development funds?" in request.messages[-1].content
    assert "And for partners?" in request.messages[-1].content


async def test_a_question_that_stands_alone_costs_no_call() -> None:
    llm = llm_saying("never asked")
    question = "How do I reset the password of the partner portal?"
    got = await rewrite(inference_with(llm), question, HISTORY, "en", context=CONTEXT, model=MODEL)
    assert (got.text, got.used, got.method, got.weight) == (question, False, "none", 0.0)
    assert llm.requests == []


async def test_the_first_question_of_a_conversation_is_left_as_it_is() -> None:
    llm = llm_saying("never asked")
    for history in ([], [Said(role="assistant", text="Hello! How can I help?")], [Said(role="user", text=" ")]):
        got = await rewrite(inference_with(llm), "And for partners?", history, "en", context=CONTEXT, model=MODEL)
        assert (got.text, got.used) == ("And for partners?", False)
    assert llm.requests == []


async def test_a_model_decides_for_languages_without_tables() -> None:
    llm = llm_saying("Je, washirika wanaombaje fedha za maendeleo ya soko?")
    question = "Je, washirika wanaombaje hizo katika mwaka ujao?"
    got = await rewrite(inference_with(llm), question, HISTORY, "sw", context=CONTEXT, model=MODEL)
    assert got.method == "model"


async def test_a_model_that_repeats_the_question_changes_nothing() -> None:
    llm = llm_saying("Who approves them?")
    got = await rewrite(inference_with(llm), "Who approves them?", HISTORY, "en", context=CONTEXT, model=MODEL)
    assert (got.text, got.used) == ("Who approves them?", False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"fail_with": "unavailable"}, "rewrite_failed:llm.unavailable"),
        ({"fail_with": "rejected"}, "rewrite_failed:llm.rejected"),
        ({"delay_ms": 5000.0}, "rewrite_failed:timeout"),
        ({"replies": ["\n\n"]}, "rewrite_failed:llm.empty"),
        ({"replies": ["Well, that depends. " * 60]}, "rewrite_failed:unusable"),
    ],
)
async def test_when_the_model_fails_history_alone_completes_the_question(settings: dict[str, Any], told: str) -> None:
    model = Model(writer="scripted", timeout_s=0.05)
    llm = Llm(**settings)
    got = await rewrite(inference_with(llm), "And for partners?", HISTORY, "en", context=CONTEXT, model=model)
    assert (got.method, got.degraded) == ("history", (told,))
    assert "funds" in got.text


async def test_an_unknown_model_is_no_reason_to_fail() -> None:
    model = Model(writer="no_such_adapter")
    got = await rewrite(inference_with(Llm()), "And for partners?", HISTORY, "en", context=CONTEXT, model=model)
    assert got.method == "history"
    assert got.degraded[0].startswith("rewrite_failed:")


def test_the_prompt_is_bounded_however_long_the_conversation_is() -> None:
    history = [Said(role="user", text="word " * 5000) for _ in range(50)]
    messages = prompts.rewrite_messages("And then? " * 1000, history)
    assert sum(len(message.content) for message in messages) < 6000


# --- other wordings --------------------------------------------------------------------------------------------------


async def test_other_wordings_are_told_apart_and_counted() -> None:
    llm = llm_saying(
        "1. How are MDF claimed?\n2) Claimed how, MDF are?\n\n- Where can a partner apply for funds?\n* Apply for funds!\nx y z"
    )
    got, degraded = await ask_otherwise(inference_with(llm), "How do I claim MDF?", 3, context=CONTEXT, model=MODEL)
    assert got == ("How are MDF claimed?", "Where can a partner apply for funds?", "Apply for funds!")
    assert degraded == ()
    assert "Write 3 variants" in llm.requests[0].messages[0].content


async def test_the_question_itself_is_no_other_wording() -> None:
    llm = llm_saying("How do I claim MDF?\nhow do i claim mdf")
    got, degraded = await ask_otherwise(inference_with(llm), "How do I claim MDF?", 2, context=CONTEXT, model=MODEL)
    assert (got, degraded) == ((), ("multi_query_failed:unusable",))


async def test_no_variants_wanted_is_no_call() -> None:
    llm = llm_saying("never asked")
    assert await ask_otherwise(inference_with(llm), "MDF?", 0, context=CONTEXT, model=MODEL) == ((), ())
    assert llm.requests == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"fail_with": "overloaded"}, "multi_query_failed:llm.overloaded"),
        ({"delay_ms": 5000.0}, "multi_query_failed:timeout"),
    ],
)
async def test_without_the_model_there_are_no_other_wordings(settings: dict[str, Any], told: str) -> None:
    model = Model(writer="scripted", timeout_s=0.05)
    got = await ask_otherwise(inference_with(Llm(**settings)), "How do I claim MDF?", 2, context=CONTEXT, model=model)
    assert got == ((), (told,))
