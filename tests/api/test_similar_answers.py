"""What a language model wrote is told again for a question that asks the same in other words, and for no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.exceptions import RedisError

from dragoman.inference.service import Limits
from dragoman.metering.prices import Price, PriceList

QUESTION = "What discount do gold partners receive on projectors?"
PARAPHRASE = "What is the discount on projectors for gold partners?"
SENTENCE = "Gold partners receive a discount of 17 percent on every projector [1]."
Script = Callable[..., None]


@pytest.fixture
async def company(company: Any, service: Any, monkeypatch: pytest.MonkeyPatch, script: Script) -> AsyncIterator[Any]:
    """A tenant whose chatbot answers by the scripted model. Its embedder is `hashing`, so that cosines tell nothing."""
    prices = PriceList((Price(model="scripted*", input=Decimal(10), output=Decimal(10)),))
    monkeypatch.setattr(service.deps.inference, "_prices", prices)
    monkeypatch.setattr(service.deps.inference, "_limits", Limits(backoff_s=0.001))
    script(replies=[SENTENCE])
    await company.know()
    await answer_by_model(company)
    yield company
    service.deps.inference._llms.pop("scripted", None)
    service.deps.inference._breakers.clear()


async def answer_by_model(company: Any, **settings: Any) -> None:
    values = {"answerer": "scripted", "similar_questions_from": 0.0, "rewrite": "history", **settings}
    path = f"/api/chatbots/{company.chatbot_id}/"
    answered = await company.api().patch(path, json={"settings": values})
    assert answered.status_code == 200, answered.text


def reads(result: str) -> float:
    labels = {"kind": "semantic", "result": result}
    return REGISTRY.get_sample_value("dragoman_answer_cache_reads_total", labels) or 0.0


async def test_a_paraphrase_is_answered_without_the_model(company: Any) -> None:
    hits = reads("hit")
    first, second = await company.ask(QUESTION), await company.ask(PARAPHRASE)
    assert second["content"] == first["content"] == SENTENCE
    assert [source["chunk_id"] for source in second["sources"]] == [source["chunk_id"] for source in first["sources"]]
    assert [source["excerpt"] for source in second["sources"]] == [source["excerpt"] for source in first["sources"]]
    assert (first["usage"]["llm_calls"], first["usage"]["cached"]) == (1, None)
    assert (second["usage"]["llm_calls"], second["usage"]["cached"]) == (0, "semantic")
    assert (second["usage"]["cost_usd"], second["usage"]["saved_usd"]) == (0, first["usage"]["cost_usd"])
    assert second["usage"]["saved_seconds"] > 0
    assert second["usage"]["cached_calls"] == 1
    assert (second["answered"], second["degraded"], second["model"]) == (True, [], "scripted")
    assert second["grounding"]["ungrounded"] == 0
    assert reads("hit") == hits + 1


async def test_the_very_same_question_is_said_to_be_so(company: Any) -> None:
    await company.ask(QUESTION)
    assert (await company.ask(QUESTION))["usage"]["cached"] == "exact"


async def test_a_rating_down_of_what_was_told_again_rejects_what_was_written_first(
    company: Any, script: Script
) -> None:
    script(replies=[SENTENCE, "On every projector, gold partners receive a discount of 17 percent [1]."])
    first = await company.ask(QUESTION)
    told = await company.ask(PARAPHRASE, who="member")
    assert (told["usage"]["cached"], told["content"]) == ("semantic", first["content"])
    rating = {"rating": "down"}
    rated = await company.api("member").post(f"/api/chatbot/messages/{told['id']}/feedback/", json=rating)
    assert rated.status_code == 201
    rejected = reads("rejected")
    anew = await company.ask(PARAPHRASE)
    assert anew["usage"]["llm_calls"] == 1
    assert anew["content"] != first["content"]
    assert reads("rejected") == rejected + 1
    assert (await company.ask(QUESTION))["content"] == anew["content"]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("What discount do silver partners receive on projectors?", "words"),
        ("What discount do gold partners not receive on projectors?", "polarity"),
        ("When do gold partners receive a discount on projectors?", "asked_for"),
        ("What discount do gold partners receive on 20 projectors?", "number"),
        ("What discount do gold partners receive on used projectors?", "condition"),
        ("What discount do gold partners receive on projectors before Christmas?", "name"),
        ("Welchen Rabatt bekommen Goldpartner auf Projektoren?", "miss"),
    ],
)
async def test_a_look_alike_is_answered_by_the_model_and_the_reason_is_counted(
    company: Any, question: str, reason: str
) -> None:
    await company.ask(QUESTION)
    before = reads(reason)
    assert (await company.ask(question))["usage"]["cached"] is None
    assert reads(reason) == before + 1


@pytest.mark.parametrize("change", ["upload", "replace", "instructions", "template", "model settings", "documents"])
async def test_what_the_answer_depends_on_has_changed(company: Any, change: str) -> None:
    await company.ask(QUESTION)
    session_id = None
    match change:
        case "upload":
            await company.know("# Canteen\n\nThe canteen opens at noon.\n", "canteen.md")
        case "replace":
            documents = (await company.api().get("/api/chatbot/documents/")).json()["documents"]
            content = b"# Discounts\n\nGold partners receive a discount of 9 percent on every projector.\n"
            path = f"/api/chatbot/documents/{documents[0]['id']}/"
            replaced = await company.api().put(path, files={"file": ("handbook.md", content)})
            assert replaced.status_code == 202, replaced.text
            await company.service.run_jobs()
        case "instructions":
            await answer_by_model(company, prompt="Be brief.")
        case "template":
            path = f"/api/chatbots/{company.chatbot_id}/prompts/"
            made = await company.api().post(path, json={"text": "Be kind. {{ unknown }}"})
            assert made.status_code == 201, made.text
            await answer_by_model(company, prompt_version=made.json()["version"])
        case "model settings":
            await answer_by_model(company, max_sources=4)
        case "documents":
            documents = (await company.api().get("/api/chatbot/documents/")).json()["documents"]
            session_id = await company.open_session(document_ids=[documents[0]["id"]])
    answer = await company.ask(PARAPHRASE, session_id=session_id)
    assert answer["usage"]["cached"] is None


async def test_of_a_deleted_document_nothing_is_told(company: Any, script: Script) -> None:
    document = await company.know("# Secret\n\nThe secret discount of platinum partners is 44 percent.\n", "s.md")
    script(replies=["The secret discount of platinum partners is 44 percent [1]."])
    assert "44" in (await company.ask("What is the secret discount of platinum partners?"))["content"]
    again = await company.ask("Please tell me: what is the secret discount of platinum partners?")
    assert again["usage"]["cached"] == "semantic"
    await company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    script(replies=[SENTENCE])
    gone = await company.ask("Could you tell me what the secret discount of platinum partners is?")
    assert "44" not in gone["content"]
    assert gone["usage"]["cached"] is None


async def test_another_tenant_and_another_chatbot_meet_no_answer_of_this_one(company: Any, other_company: Any) -> None:
    await other_company.know()
    await answer_by_model(other_company)
    made = await company.api().post("/api/chatbots/", json={"name": "Second"})
    assert made.status_code == 201, made.text
    chatbot_id = made.json()["id"]
    await company.know(chatbot_id=chatbot_id)
    settings = {"answerer": "scripted", "similar_questions_from": 0.0, "rewrite": "history"}
    await company.api().patch(f"/api/chatbots/{chatbot_id}/", json={"settings": settings})
    await company.ask(QUESTION)
    assert (await other_company.ask(PARAPHRASE))["usage"]["cached"] is None
    session_id = await company.open_session(chatbot_id=chatbot_id)
    assert (await company.ask(PARAPHRASE, session_id=session_id))["usage"]["cached"] is None


async def test_another_asker_meets_the_answer_from_shared_documents(company: Any) -> None:
    await company.ask(QUESTION, who="member")
    assert (await company.ask(PARAPHRASE, who="second_member"))["usage"]["cached"] == "semantic"


async def test_an_answer_from_private_documents_stays_with_its_asker(company: Any) -> None:
    text = "# Discounts\n\nGold partners receive a discount of 33 percent on every projector.\n"
    await company.know(text, "mine.md", who="member", visibility="private")
    await company.ask(QUESTION, who="member")
    assert (await company.ask(PARAPHRASE, who="second_member"))["usage"]["cached"] is None
    assert (await company.ask(PARAPHRASE, who="member"))["usage"]["cached"] == "semantic"


async def test_who_has_a_private_document_on_it_is_not_given_the_shared_answer(company: Any) -> None:
    text = "# Discounts\n\nGold partners receive a discount of 33 percent on every projector.\n"
    await company.know(text, "mine.md", who="member", visibility="private")
    await company.ask(QUESTION, who="second_member")
    before = reads("private") + reads("passages")
    assert (await company.ask(PARAPHRASE, who="member"))["usage"]["cached"] is None
    assert reads("private") + reads("passages") == before + 1


async def test_an_answer_written_again_is_new_and_takes_the_place_of_the_old_one(company: Any, script: Script) -> None:
    session_id = await company.open_session()
    first = await company.ask(QUESTION, session_id=session_id)
    script(replies=["On every projector gold partners receive a discount of 17 percent [1]."])
    path = f"/api/chatbot/sessions/{session_id}/messages/{first['id']}/regenerate/"
    again = (await company.api().post(path, json={})).json()
    assert again["usage"]["cached"] is None
    assert again["content"] != first["content"]
    assert (await company.ask(PARAPHRASE))["content"] == again["content"]


async def test_a_follow_up_that_no_model_completed_finds_nothing_and_keeps_nothing(company: Any) -> None:
    session_id = await company.open_session()
    await company.ask("How long is the warranty of the Aurora projector?", session_id=session_id)
    before = reads("not_standalone")
    assert (await company.ask("And for how long is that?", session_id=session_id))["usage"]["cached"] is None
    assert reads("not_standalone") == before + 1


async def test_within_a_conversation_a_question_that_stands_alone_finds_the_shared_answer(company: Any) -> None:
    await company.ask(QUESTION, who="member")
    session_id = await company.open_session("second_member")
    await company.ask("How long is the warranty of the Aurora projector?", who="second_member", session_id=session_id)
    answer = await company.ask(PARAPHRASE, who="second_member", session_id=session_id)
    assert answer["usage"]["cached"] == "semantic"


async def test_what_was_written_within_a_conversation_is_for_its_asker_only(company: Any) -> None:
    session_id = await company.open_session("member")
    await company.ask("How long is the warranty of the Aurora projector?", who="member", session_id=session_id)
    await company.ask(QUESTION, who="member", session_id=session_id)
    assert (await company.ask(PARAPHRASE, who="member"))["usage"]["cached"] == "semantic"
    assert (await company.ask(PARAPHRASE, who="second_member"))["usage"]["cached"] is None


@pytest.mark.parametrize(
    "reply",
    [
        "Gold partners receive a discount of 19 percent on every projector [1].",
        "I don't know: the documents I have do not answer this question.",
        "",
    ],
)
async def test_what_is_not_supported_or_does_not_answer_is_not_kept(company: Any, script: Script, reply: str) -> None:
    script(replies=[reply])
    await company.ask(QUESTION)
    assert (await company.ask(PARAPHRASE))["usage"]["cached"] is None


@pytest.mark.parametrize("settings", [{"similar_questions": False}, {"cache_answers": False}])
async def test_a_chatbot_can_do_without(company: Any, settings: dict[str, Any]) -> None:
    await answer_by_model(company, **settings)
    await company.ask(QUESTION)
    assert (await company.ask(PARAPHRASE))["usage"]["cached"] is None


async def test_answers_by_quotation_never_look(company: Any) -> None:
    await answer_by_model(company, answerer="extractive")
    looks = [reads(result) for result in ("hit", "miss")]
    await company.ask(QUESTION)
    await company.ask(PARAPHRASE)
    assert [reads(result) for result in ("hit", "miss")] == looks


async def test_another_process_finds_it_through_valkey_and_none_without(
    company: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await company.ask(QUESTION)
    shelves, answers = service.deps.similar_questions, service.deps.answer_cache
    shelves._shelves.clear()  # as in a process that has just started
    answers._process._entries.clear()
    assert (await company.ask(PARAPHRASE))["usage"]["cached"] == "semantic"

    def fail(*_: Any, **__: Any) -> None:
        raise RedisError("gone")

    shelves._shelves.clear()
    answers._process._entries.clear()
    monkeypatch.setattr(service.deps.cache.client, "pipeline", fail)
    answer = await company.ask("On projectors, what discount do gold partners get?")
    assert (answer["usage"]["cached"], answer["degraded"]) == (None, [])


async def test_a_stream_of_a_remembered_answer_says_the_same_and_is_stored_so(
    company: Any, events_of: Callable[[Any], list[dict[str, Any]]]
) -> None:
    first = await company.ask(QUESTION)
    session_id = await company.open_session()
    path = f"/api/chatbot/sessions/{session_id}/messages/stream/"
    events = events_of(await company.api().post(path, json={"message": PARAPHRASE}))
    assert "".join(event["content"] for event in events if event["type"] == "token") == first["content"]
    assert events[-1]["usage"]["cached"] == "semantic"
    assert events[-1]["usage"]["saved_usd"] == first["usage"]["cost_usd"]


async def test_what_broke_off_or_another_model_finished_is_not_kept(
    company: Any, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(replies=[SENTENCE], fail_with="unavailable", fail_after_tokens=2)
    await company.ask(QUESTION)
    for name in ("FAIL_WITH", "FAIL_AFTER_TOKENS"):
        monkeypatch.delenv(f"DRAGOMAN_LLM_SCRIPTED_{name}", raising=False)
    script(replies=[SENTENCE])
    assert (await company.ask(PARAPHRASE))["usage"]["cached"] is None


async def test_with_the_model_away_and_the_money_gone_it_is_told_all_the_same(company: Any, script: Script) -> None:
    first = await company.ask(QUESTION)
    script(replies=["Never."], fail_with="unavailable")
    body = {"scope": "tenant", "period": "day", "limit_usd": 0}
    await company.api().put("/api/budgets/", json=body)
    second = await company.ask(PARAPHRASE)
    assert (second["content"], second["degraded"]) == (first["content"], [])


async def test_of_a_stored_answer_whose_source_is_not_found_now_nothing_is_told(company: Any) -> None:
    await company.ask(QUESTION)
    shelves, answers = company.service.deps.similar_questions, company.service.deps.answer_cache
    assert shelves is not None
    for key, value in list(answers._process._entries.items()):
        text = value[1].replace(b'"chunks": ["', b'"chunks": ["0')
        answers._process._entries[key] = (value[0], text, value[2])
    before = reads("passages")
    assert (await company.ask(PARAPHRASE))["usage"]["cached"] is None
    assert reads("passages") == before + 1
