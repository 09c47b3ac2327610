"""What a language model wrote is told again for the very same prompt, and for no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from dragoman.inference.service import Limits
from dragoman.metering.prices import Price, PriceList

QUESTION = "What discount do gold partners receive on projectors?"
Script = Callable[..., None]


@pytest.fixture
async def company(company: Any, service: Any, monkeypatch: pytest.MonkeyPatch, script: Script) -> AsyncIterator[Any]:
    """A tenant whose chatbot answers by the scripted model, which has a price and gives its replies in turn."""
    prices = PriceList((Price(model="scripted*", input=Decimal(10), output=Decimal(10)),))
    monkeypatch.setattr(service.deps.inference, "_prices", prices)
    monkeypatch.setattr(service.deps.inference, "_limits", Limits(backoff_s=0.001))
    script(replies=[f"Answer {number}: 17 percent [1]." for number in range(1, 9)])
    await company.know()
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"answerer": "scripted"}})
    yield company
    service.deps.inference._llms.pop("scripted", None)
    service.deps.inference._breakers.clear()


async def test_the_same_question_is_paid_for_once(company: Any) -> None:
    first, second = await company.ask(QUESTION), await company.ask(QUESTION)
    assert second["content"] == first["content"] == "Answer 1: 17 percent [1]."
    assert [source["chunk_id"] for source in second["sources"]] == [source["chunk_id"] for source in first["sources"]]
    assert (first["usage"]["llm_calls"], first["usage"]["cached_calls"]) == (1, 0)
    assert first["usage"]["cost_usd"] > 0
    assert (second["usage"]["llm_calls"], second["usage"]["cached_calls"]) == (0, 1)
    assert second["usage"]["cost_usd"] == 0
    assert (second["model"], second["degraded"]) == ("scripted", [])


@pytest.mark.parametrize(
    "change", ["knowledge", "question", "conversation", "instructions", "template", "other documents", "language"]
)
async def test_another_prompt_gets_an_answer_of_its_own(company: Any, change: str) -> None:
    await company.ask(QUESTION)
    question, session_id, body = QUESTION, None, {}
    match change:
        case "knowledge":
            await company.know(
                "# Discounts\n\nGold partners receive a discount of 19 percent on projectors.\n", "new.md"
            )
        case "question":
            question = "What discount do silver partners receive on projectors?"
        case "conversation":
            session_id = await company.open_session()
            await company.ask("How long is the warranty?", session_id=session_id)
        case "instructions":
            path = f"/api/chatbots/{company.chatbot_id}/"
            await company.api().patch(path, json={"settings": {"prompt": "Be brief."}})
        case "template":
            path = f"/api/chatbots/{company.chatbot_id}/prompts/"
            await company.api().post(path, json={"text": "Be kind. {{ unknown }}"})
        case "other documents":
            document = await company.know("# Discounts\n\nPartners get 17 percent in gold on projectors.\n", "b.md")
            session_id = await company.open_session(document_ids=[document["id"]])
        case "language":
            question = "Welchen Rabatt bekommen Goldpartner auf Projektoren?"
    answer = await company.ask(question, session_id=session_id, **body)
    assert not answer["content"].startswith("Answer 1:")
    assert answer["usage"]["cached_calls"] == 0


async def test_of_a_deleted_document_nothing_is_told_again(company: Any) -> None:
    document = await company.know("# Secret\n\nThe secret discount of platinum partners is 44 percent.\n", "s.md")
    question = "What is the secret discount of platinum partners?"
    first = await company.ask(question)
    await company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    second = await company.ask(question)
    assert second["content"] != first["content"]
    assert second["usage"]["cached_calls"] == 0


async def test_another_tenant_meets_no_answer_of_this_one(company: Any, other_company: Any) -> None:
    await other_company.know()
    path = f"/api/chatbots/{other_company.chatbot_id}/"
    await other_company.api().patch(path, json={"settings": {"answerer": "scripted"}})
    first, other = await company.ask(QUESTION), await other_company.ask(QUESTION)
    assert other["usage"]["cached_calls"] == 0
    assert other["content"] != first["content"]


async def test_an_answer_written_again_is_new_and_takes_the_place_of_the_old_one(company: Any) -> None:
    session_id = await company.open_session()
    first = await company.ask(QUESTION, session_id=session_id)
    path = f"/api/chatbot/sessions/{session_id}/messages/{first['id']}/regenerate/"
    again = (await company.api().post(path, json={})).json()
    assert again["content"] == "Answer 2: 17 percent [1]."
    assert (await company.ask(QUESTION))["content"] == again["content"]


async def test_an_answer_that_was_rated_down_is_told_to_nobody_any_more(company: Any) -> None:
    first = await company.ask(QUESTION)
    told = await company.ask(QUESTION, who="member")
    assert told["content"] == first["content"]
    rating = f"/api/chatbot/messages/{told['id']}/feedback/"
    assert (await company.api("member").post(rating, json={"rating": "up"})).status_code == 201
    assert (await company.ask(QUESTION))["content"] == first["content"]
    assert (await company.api("member").post(rating, json={"rating": "down"})).status_code == 200
    anew = await company.ask(QUESTION)
    assert (anew["content"], anew["usage"]["cached"]) == ("Answer 2: 17 percent [1].", None)
    again = await company.ask(QUESTION, who="member")
    assert (again["content"], again["usage"]["cached"]) == (anew["content"], "exact")


async def test_a_chatbot_can_do_without(company: Any) -> None:
    path = f"/api/chatbots/{company.chatbot_id}/"
    await company.api().patch(path, json={"settings": {"cache_answers": False}})
    assert (await company.ask(QUESTION))["content"] != (await company.ask(QUESTION))["content"]


async def test_with_the_model_away_or_the_money_gone_what_it_wrote_before_is_told(company: Any, script: Script) -> None:
    first = await company.ask(QUESTION)
    script(replies=["Never."], fail_with="unavailable")
    body = {"scope": "tenant", "period": "day", "limit_usd": 0}
    await company.api().put("/api/budgets/", json=body)
    second = await company.ask(QUESTION)
    assert (second["content"], second["degraded"]) == (first["content"], [])


@pytest.mark.parametrize("how", [{"fail_with": "unavailable", "fail_after_tokens": 2}, {"fail_with": "rejected"}])
async def test_what_failed_or_broke_off_is_not_kept(
    company: Any, script: Script, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    script(replies=["One two three [1]."], **how)
    await company.ask(QUESTION)
    for name in ("FAIL_WITH", "FAIL_AFTER_TOKENS"):
        monkeypatch.delenv(f"DRAGOMAN_LLM_SCRIPTED_{name}", raising=False)
    script(replies=["Whole: 17 percent [1]."])
    assert (await company.ask(QUESTION))["content"] == "Whole: 17 percent [1]."


async def test_the_stream_of_a_remembered_answer_says_the_same(
    company: Any, events_of: Callable[[Any], list[dict[str, Any]]]
) -> None:
    first = await company.ask(QUESTION)
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/stream/"
    events = events_of(await company.api().post(path, json={"message": QUESTION}))
    assert "".join(event["content"] for event in events if event["type"] == "token") == first["content"]
    assert events[-1]["usage"]["cached_calls"] == 1
