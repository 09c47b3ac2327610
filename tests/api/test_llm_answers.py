"""Answers written by a language model (`scripted`), and each rung of the ladder below it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from dragoman.inference.breaker import CircuitBreaker
from dragoman.inference.service import Limits
from dragoman.metering.prices import Price, PriceList
from dragoman.ports.embedder import EmbedderUnavailableError

QUESTION = "What discount do gold partners receive on projectors?"
Script = Callable[..., None]


@pytest.fixture
async def company(company: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A tenant that knows the handbook and whose chatbot answers by the scripted model, with short waits."""
    monkeypatch.setattr(service.deps.inference, "_limits", Limits(backoff_s=0.001, next_token_timeout_s=0.3))
    await company.know()
    settings = {"answerer": "scripted"}
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    yield company
    service.deps.inference._llms.pop("scripted", None)
    service.deps.inference._breakers.clear()


async def _usage_records(service: Any, company: Any) -> list[Any]:
    await service.deps.inference._usage.flush()
    async with service.deps.database.transaction(company.tenant_id) as connection:
        return list(
            await connection.execute(text("select * from usage_records where purpose <> 'ingestion' order by id"))
        )


async def _turn(service: Any, company: Any) -> Any:
    async with service.deps.database.transaction(company.tenant_id) as connection:
        return (await connection.execute(text("select * from turns"))).one()


async def test_the_models_own_words_are_sent_with_their_citations(company: Any, service: Any, script: Script) -> None:
    script(replies=["Gold partners get 17 percent [1]."])
    answer = await company.ask(QUESTION)
    assert answer["content"] == "Gold partners get 17 percent [1]."
    assert (answer["model"], answer["degraded"], answer["answered"]) == ("scripted", [], True)
    [source] = answer["sources"]
    assert source["number"] == 1
    assert "17 percent" in source["excerpt"]
    assert answer["usage"]["llm_calls"] == 1
    assert answer["usage"]["output_tokens"] == 6
    assert answer["usage"]["input_tokens"] > 20
    assert answer["tokens_used"] == answer["usage"]["input_tokens"] + 6


async def test_citation_markers_that_the_model_invented_are_taken_out(company: Any, script: Script) -> None:
    script(replies=["Seventeen percent [7] for all [1] and [99] more [0]."])
    answer = await company.ask(QUESTION)
    assert answer["content"] == "Seventeen percent  for all [1] and  more ."
    assert [source["number"] for source in answer["sources"]] == [1]
    assert answer["grounding"]["invented"] == 3


async def test_an_answer_without_any_citation_is_labelled(company: Any, script: Script) -> None:
    script(replies=["I just say so."])
    answer = await company.ask(QUESTION)
    assert answer["sources"] == []
    assert answer["degraded"] == ["uncited"]


async def test_a_model_that_says_it_does_not_know_has_not_answered(company: Any, script: Script) -> None:
    script(replies=["I don't know: the documents I have do not answer this question."])
    answer = await company.ask(QUESTION)
    assert (answer["answered"], answer["sources"], answer["degraded"]) == (False, [], [])


async def test_the_rendered_prompt_is_stored_with_references_and_without_the_passages_text(
    company: Any, service: Any, script: Script
) -> None:
    script(replies=["Seventeen percent [1]."])
    answer = await company.ask(QUESTION)
    turn = await _turn(service, company)
    assert turn.prompt_version == "answer@2"
    assert turn.provider_model == "scripted"
    rendered = str(turn.rendered_prompt)
    assert QUESTION in rendered
    assert answer["sources"][0]["chunk_id"] in rendered
    for words in ("17 percent", "original packaging", "five years"):
        assert words not in rendered
        assert words not in str(dict(turn._mapping))


async def test_the_conversation_so_far_is_given_to_the_model(company: Any, service: Any, script: Script) -> None:
    script(replies=["First answer [1].", "Second answer [1]."])
    session_id = await company.open_session()
    await company.ask("What discount do gold partners receive?", session_id=session_id)
    await company.ask("And how long is the warranty?", session_id=session_id)
    async with service.deps.database.transaction(company.tenant_id) as connection:
        prompts = (await connection.execute(text("select rendered_prompt from turns order by id"))).scalars().all()
    roles = [message["role"] for message in prompts[1]]
    assert roles == ["system", "user", "assistant", "user"]
    assert prompts[1][2]["content"] == "First answer [1]."


@pytest.mark.parametrize(
    ("fail_with", "attempts", "code"),
    [("unavailable", 3, "llm.unavailable"), ("overloaded", 3, "llm.overloaded"), ("rejected", 1, "llm.rejected")],
)
async def test_when_the_model_is_away_the_answer_is_quoted_and_says_so(
    company: Any, service: Any, script: Script, fail_with: str, attempts: int, code: str
) -> None:
    script(replies=["Never said."], fail_with=fail_with)
    answer = await company.ask(QUESTION)
    assert "17 percent" in answer["content"]
    assert "Never" not in answer["content"]
    assert answer["sources"]
    assert answer["model"] == "extractive"
    assert answer["degraded"] == [f"scripted_failed:{code}", "extractive"]
    failed = [record for record in await _usage_records(service, company) if record.adapter == "scripted"]
    assert [record.error_code for record in failed] == [code] * attempts


async def test_a_model_that_breaks_off_is_continued_by_quotation_and_says_so(
    company: Any, service: Any, script: Script, events_of: Callable[[Any], list[dict[str, Any]]]
) -> None:
    script(replies=["Gold partners surely get much"], fail_with="unavailable", fail_after_tokens=3)
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/"
    events = events_of(await company.api().post(f"{path}stream/", json={"message": QUESTION}))
    said = "".join(event["content"] for event in events if event["type"] == "token")
    assert said.startswith("Gold partners surely \n\n")
    assert "17 percent" in said
    assert events[-1]["degraded"] == ["scripted_interrupted:llm.unavailable", "extractive"]
    assert [event["type"] for event in events][-2:] == ["source", "complete"]
    stored = (await company.api().get(path)).json()["messages"][1]
    assert (stored["content"], stored["state"]) == (said, "complete")
    calls = [record for record in await _usage_records(service, company) if record.adapter == "scripted"]
    assert len(calls) == 1, "words already sent cannot be taken back: no second attempt"


async def test_citations_of_an_answer_that_broke_off_belong_to_the_markers_in_its_text(
    company: Any, script: Script
) -> None:
    """The model's [2] and the quotation's [1] stand in one text; each must lead to what it was said of."""
    await company.know("# Parking\n\nGold partners park their projectors behind the red building.\n", "parking.md")
    script(replies=["Parking is behind the red building [2] and so on"], fail_with="unavailable", fail_after_tokens=8)
    answer = await company.ask(QUESTION)
    import re

    markers = {int(number) for number in re.findall(r"\[(\d+)\]", answer["content"])}
    numbers = [source["number"] for source in answer["sources"]]
    assert len(numbers) == len(set(numbers))
    assert markers == set(numbers)
    quoted = answer["content"].split("\n\n", 1)[1]
    for source in answer["sources"]:
        if f"[{source['number']}]" in quoted:
            assert source["excerpt"].strip().rstrip(".") in quoted


async def test_a_model_that_falls_silent_is_given_up(company: Any, script: Script) -> None:
    script(replies=["one two three"], delay_ms=2000)
    inference = company.service.deps.inference
    inference._limits = replace(inference._limits, first_token_timeout_s=0.05, attempts=1)
    answer = await company.ask(QUESTION)
    assert answer["degraded"] == ["scripted_failed:inference.llm_timeout", "extractive"]
    assert "17 percent" in answer["content"]


async def test_a_model_that_keeps_failing_is_left_alone(company: Any, service: Any, script: Script) -> None:
    script(replies=["Never."], fail_with="unavailable")
    await company.ask(QUESTION)
    await company.ask(QUESTION)  # three attempts and two: the fifth failure opens the circuit
    before = len(await _usage_records(service, company))
    answer = await company.ask(QUESTION)
    assert answer["degraded"] == ["scripted_failed:inference.circuit_open", "extractive"]
    after = [record for record in (await _usage_records(service, company))[before:] if record.adapter == "scripted"]
    assert after == []


async def test_an_answerer_that_does_not_exist_is_replaced_by_quotation(company: Any) -> None:
    path = f"/api/chatbots/{company.chatbot_id}/"
    await company.api().patch(path, json={"settings": {"answerer": "oracle"}})
    answer = await company.ask(QUESTION)
    assert answer["degraded"] == ["oracle_failed:inference.unknown_model", "extractive"]
    assert "17 percent" in answer["content"]


async def test_an_answerer_whose_settings_are_wrong_is_replaced_by_quotation(company: Any, script: Script) -> None:
    script(replies=["x"], delay_ms="soon")
    answer = await company.ask(QUESTION)
    assert answer["degraded"] == ["scripted_failed:settings.invalid", "extractive"]


async def test_without_its_embedder_search_and_answers_go_by_keywords_and_say_so(
    company: Any, service: Any, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_texts: Any) -> None:
        raise EmbedderUnavailableError

    embedder = service.deps.inference._embedder(service.deps.embedding_version_name)
    monkeypatch.setattr(embedder, "embed_queries", fail)
    found = await company.search("discount for gold partners")
    assert found["degraded"] == ["keyword_only"]
    assert "17 percent" in found["results"][0]["content"]
    assert (await company.search("discount for gold partners", mode="keyword"))["degraded"] == []
    script(replies=["Seventeen percent [1]."])
    assert (await company.ask(QUESTION))["degraded"] == ["keyword_only"]
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"answerer": "extractive"}})
    answer = await company.ask(QUESTION)
    assert answer["degraded"] == ["keyword_only"]
    assert "17 percent" in answer["content"]
    assert answer["usage"]["embedding_calls"] == 0


async def test_with_embedder_and_model_both_away_an_answer_is_still_given(
    company: Any, service: Any, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_texts: Any) -> None:
        raise EmbedderUnavailableError

    embedder = service.deps.inference._embedder(service.deps.embedding_version_name)
    monkeypatch.setattr(embedder, "embed_queries", fail)
    script(replies=["Never."], fail_with="unavailable")
    answer = await company.ask(QUESTION)
    assert answer["degraded"] == ["keyword_only", "scripted_failed:llm.unavailable", "extractive"]
    assert "17 percent" in answer["content"]


async def test_usage_and_cost_follow_the_price_list(
    company: Any, service: Any, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = PriceList((Price(model="scripted*", input="2.5", output="10"),))  # type: ignore[arg-type]
    monkeypatch.setattr(service.deps.inference, "_prices", prices)
    script(replies=["Seventeen percent [1]."])
    answer = await company.ask(QUESTION)
    usage = answer["usage"]
    expected = (usage["input_tokens"] * 2.5 + usage["output_tokens"] * 10) / 1_000_000
    assert usage["cost_usd"] == pytest.approx(expected)
    assert expected > 0.0
    records = await _usage_records(service, company)
    by_adapter = {record.adapter: record for record in records}
    record = by_adapter["scripted"]
    assert (record.model, record.purpose, record.error_code) == ("scripted", "answer", None)
    assert (record.input_tokens, record.output_tokens) == (usage["input_tokens"], usage["output_tokens"])
    assert float(record.cost_usd) == pytest.approx(expected)
    assert record.latency_ms >= 0.0
    question = next(record for record in records if record.purpose == "question")
    assert (question.model, float(question.cost_usd)) == ("hashing-256", 0.0)


async def test_the_chatbots_own_instructions_are_part_of_the_prompt(company: Any, service: Any, script: Script) -> None:
    path = f"/api/chatbots/{company.chatbot_id}/"
    await company.api().patch(path, json={"settings": {"prompt": "Always be brief and formal."}})
    script(replies=["Seventeen percent [1]."])
    await company.ask(QUESTION)
    assert "Always be brief and formal." in str((await _turn(service, company)).rendered_prompt)


async def test_a_breaker_lets_one_trial_through_after_its_rest() -> None:
    breaker = CircuitBreaker(threshold=1, rest_s=0.02)
    breaker.failed()
    assert breaker.is_open
    await asyncio.sleep(0.03)
    assert not breaker.is_open


# ---- grounding


async def _set(company: Any, **settings: Any) -> None:
    response = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
    assert response.status_code == 200, response.text


TRUE, FALSE = "Gold partners receive a discount of 17 percent.", "Gold partners receive a discount of 71 percent."


async def test_each_sentence_of_the_answer_says_what_supports_it(company: Any, script: Script) -> None:
    script(replies=[f"{TRUE[:-1]} [1]. {FALSE[:-1]} [1]."])
    answer = await company.ask(QUESTION)
    first, second = answer["grounding"]["sentences"]
    [source] = answer["sources"]
    assert answer["content"][first["start"] : first["end"]] == f"{TRUE[:-1]} [1]."
    assert (first["grounded"], first["sources"], first["reason"]) == (True, [1], None)
    assert first["spans"][0] == {"number": 1, "start": source["start"], "end": source["end"]}
    assert answer["content"][second["start"] : second["end"]] == f"{FALSE[:-1]} [1]."
    assert (second["grounded"], second["reason"], second["detail"]) == (False, "number", "71")
    assert second["score"] < first["score"]
    assert answer["grounding"]["ungrounded"] == 1
    assert answer["degraded"] == []


async def test_a_forgotten_marker_is_added_and_a_wrong_one_corrected(company: Any, script: Script) -> None:
    await company.know("# Parking\n\nVisitors park their cars behind the red building near the river.\n", "parking.md")
    script(replies=[f"{TRUE} Visitors park their cars behind the red building."])
    answer = await company.ask(QUESTION)
    first, second = answer["grounding"]["sentences"]
    numbers = {source["number"]: source["title"] for source in answer["sources"]}
    assert len(numbers) == 2
    assert answer["content"].count("[") == 2
    assert "17 percent" in next(s["excerpt"] for s in answer["sources"] if s["number"] == first["sources"][0])
    wrong = second["sources"][0]
    script(replies=[f"{TRUE[:-1]} [{wrong}]."])
    path = f"/api/chatbots/{company.chatbot_id}/"
    settings = (await company.api().get(path)).json()["settings"]
    await company.api().patch(path, json={"settings": {**settings, "cache_answers": False}})
    corrected = await company.ask(f"Tell me: {QUESTION}")
    assert corrected["content"] == f"{TRUE[:-1]} [{first['sources'][0]}]."
    assert [source["number"] for source in corrected["sources"]] == first["sources"]


async def test_with_remove_a_sentence_without_support_is_never_sent(
    company: Any, script: Script, events_of: Callable[[Any], list[dict[str, Any]]]
) -> None:
    await _set(company, grounding="remove")
    script(replies=[f"{FALSE} {TRUE[:-1]} [1]. The moon is made of old cheese [1]."])
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/"
    events = events_of(await company.api().post(f"{path}stream/", json={"message": QUESTION}))
    said = "".join(event["content"] for event in events if event["type"] == "token")
    assert said.strip() == f"{TRUE[:-1]} [1]."
    assert (events[-1]["grounding"]["removed"], events[-1]["grounding"]["ungrounded"]) == (2, 0)
    assert events[-1]["degraded"] == ["sentences_removed:2"]
    assert (await company.api().get(path)).json()["messages"][1]["content"] == said


async def test_where_nothing_is_left_of_the_models_answer_the_sources_are_quoted(company: Any, script: Script) -> None:
    await _set(company, grounding="remove")
    script(replies=[FALSE])
    answer = await company.ask(QUESTION)
    assert "17 percent" in answer["content"]
    assert "71" not in answer["content"]
    assert answer["degraded"] == ["sentences_removed:1", "extractive"]
    assert answer["grounding"]["method"] == "quotation"


async def test_grounding_can_be_switched_off(company: Any, service: Any, script: Script) -> None:
    await _set(company, grounding="off")
    script(replies=[FALSE])
    answer = await company.ask(QUESTION)
    assert answer["content"] == FALSE
    assert answer["grounding"] == {"method": "markers", "score": None, "cited": 0, "invented": 0}
    assert "grounding" not in {record.purpose for record in await _usage_records(service, company)}


async def test_ungrounded_sentences_are_counted(company: Any, script: Script) -> None:
    from dragoman.generation.checked import SENTENCES

    before = {name: SENTENCES.labels(name, "en")._value.get() for name in ("grounded", "ungrounded")}
    script(replies=[f"{TRUE} {FALSE}"])
    await company.ask(QUESTION)
    assert SENTENCES.labels("grounded", "en")._value.get() == before["grounded"] + 1
    assert SENTENCES.labels("ungrounded", "en")._value.get() == before["ungrounded"] + 1


async def test_a_model_that_does_not_know_offers_the_nearest_documents(company: Any, script: Script) -> None:
    unknown = "I don't know: the documents I have do not answer this question."
    script(replies=[unknown])
    answer = await company.ask(QUESTION)
    assert answer["content"].startswith(f"{unknown}\n\nThe nearest documents:\n- ")
    assert len(answer["nearest_documents"]) == 1
    assert answer["sources"] == []


async def test_a_sentence_that_never_ends_is_checked_in_parts(company: Any, script: Script) -> None:
    words = " ".join(f"word{number}" for number in range(900))
    script(replies=[f"{words} Gold partners get 17 percent [1]."])
    answer = await company.ask(QUESTION)
    assert answer["content"].startswith(words[:500])
    sentences = answer["grounding"]["sentences"]
    assert max(one["end"] - one["start"] for one in sentences) <= 2_000
    assert [one["start"] for one in sentences] == sorted(one["start"] for one in sentences)
    assert sentences[-1]["end"] == len(answer["content"])
    assert [source["number"] for source in answer["sources"]] == [1]
