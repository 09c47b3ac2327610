"""Suggested questions: what documents and several askers ask, never what one person or a private document says."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from sqlalchemy import text
from tests.api.test_access import SITE, _widget_key

from dragoman.client import Dragoman
from dragoman.feedback.suggestions import questions, repository
from dragoman.feedback.suggestions.entities import FoundText, Suggestion, SuggestionSource
from dragoman.kit.clock import new_id

FAQ = [
    {"question": "Wie lange gilt die Garantie?", "answer": "Fünf Jahre ab der Lieferung des Projektors."},
    {"question": "How long does the warranty last?", "answer": "Five years from delivery of the projector."},
    {"question": "How do I clean the lens of the projector?", "answer": "With a soft and dry cloth."},
]
GUIDE = """# Returns

## How long may goods be returned?

Goods may be returned within 42 days of delivery in their original packaging.

## Postage

The sender pays for the postage.
"""
GOLD = "What discount do gold partners receive?"


async def _suggested(company: Any, *, who: str = "member", **params: Any) -> list[dict[str, str]]:
    path = f"/api/chatbots/{company.chatbot_id}/suggestions/"
    answer = await company.api(who).get(path, params={"limit": 12, **params})
    assert answer.status_code == 200, answer.text
    suggestions: list[dict[str, str]] = answer.json()["suggestions"]
    return suggestions


async def _texts(company: Any, **params: Any) -> list[str]:
    return [each["text"] for each in await _suggested(company, **params)]


async def _asked_yesterday(company: Any) -> None:
    """All that was asked so far was asked yesterday, and answered surely."""
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update turns set created_at = now() - interval '1 day', confidence = 0.9"))


async def test_questions_of_pairs_and_headings_are_suggested(company: Any) -> None:
    await company.know(json.dumps(FAQ), "faq.json")
    await company.know(GUIDE, "guide.md")

    found = {each["text"]: each for each in await _suggested(company)}

    assert set(found) == {each["question"] for each in FAQ} | {"How long may goods be returned?"}
    assert found["Wie lange gilt die Garantie?"] == {
        "text": "Wie lange gilt die Garantie?",
        "language": "de",
        "source": "faq",
    }
    assert found["How long may goods be returned?"]["source"] == "heading"


async def test_the_asked_language_comes_first_and_documents_take_turns(company: Any) -> None:
    await company.know(json.dumps(FAQ), "faq.json")
    await company.know(GUIDE, "guide.md")

    assert (await _texts(company, language="de"))[0] == "Wie lange gilt die Garantie?"
    first_two = await _texts(company, language="en", limit=2)
    assert "How long may goods be returned?" in first_two  # the other one is of the other document
    assert "Wie lange gilt die Garantie?" not in await _texts(company, language="en")


SPANISH = """# Preguntas frecuentes

## Cuenta y acceso

**¿Cuántos usuarios puede tener una cuenta?**
Una cuenta admite hasta 40 usuarios.

**¿Se puede iniciar sesión con la cuenta de la empresa?**
Sí, con OpenID Connect y SAML.
"""
TERMS = """# Warranty terms

## Duration of the warranty

The warranty of every projector lasts five years from the day of delivery.

## Exclusions

The warranty does not cover lamps that were broken by their owner.
"""


async def test_where_nothing_asks_in_the_language_its_headings_are_suggested(company: Any) -> None:
    await company.know(SPANISH, "preguntas.md")
    await company.know(TERMS, "terms.md")

    found = await _suggested(company, language="en")

    assert {each["text"] for each in found} == {"Warranty terms", "Duration of the warranty", "Exclusions"}
    assert found[-1]["text"] == "Exclusions"  # of one word
    assert {(each["language"], each["source"]) for each in found} == {("en", "topic")}


async def test_another_language_is_suggested_only_where_nothing_is_in_the_asked_one(company: Any) -> None:
    await company.know(SPANISH, "preguntas.md")
    await company.know(TERMS, "terms.md")

    spanish = await _suggested(company, language="es")
    assert {each["language"] for each in spanish} == {"es"}
    assert {each["language"] for each in await _suggested(company, language="fr")} == {"es"}
    assert [each for each in spanish if each["source"] == "faq"] == spanish[:2]


async def test_the_question_of_a_pair_is_suggested_and_not_the_heading_of_its_group(company: Any) -> None:
    await company.know(SPANISH, "preguntas.md")

    assert set(await _texts(company)) == {
        "¿Cuántos usuarios puede tener una cuenta?",
        "¿Se puede iniciar sesión con la cuenta de la empresa?",
    }


async def test_the_headings_of_private_documents_are_not_told(company: Any) -> None:
    await company.know(TERMS, "terms.md", who="member", visibility="private")
    assert await _suggested(company, language="en") == []


async def test_the_order_is_the_same_all_day_and_changes_with_the_knowledge(company: Any) -> None:
    pairs = [{"question": f"What is part {name} for?", "answer": f"It holds {name}."} for name in "ABCDEFGHIJ"]
    await company.know(json.dumps(pairs), "parts.json")

    before = await _texts(company, language="en")
    again = await _texts(company, language="en", who="owner")
    document = await company.know(GUIDE, "guide.md")
    after = await _texts(company, language="en")
    await company.api().delete(f"/api/chatbot/documents/{document['id']}/")

    assert len(before) == 10
    assert before == again
    assert [each for each in after if each in before] != before
    assert "How long may goods be returned?" in after
    assert "How long may goods be returned?" not in await _texts(company, language="en")


async def test_private_documents_and_chat_logs_are_not_told(company: Any) -> None:
    await company.know(GUIDE, "guide.md", who="member", visibility="private")
    said = [
        {"role": "customer", "text": "Hello, can you tell me where my own parcel is now?", "conversation": "1"},
        {"role": "agent", "text": "It lies at the post office of your town.", "conversation": "1"},
    ]
    await company.know(json.dumps(said), "chat.json", content_type="conversation")

    assert await _texts(company) == []


async def test_what_two_people_asked_is_suggested_from_the_next_day_on(company: Any) -> None:
    await company.know()
    await company.ask(GOLD, who="member")
    await company.ask("what discount do gold partners receive", who="second_member")
    assert await _texts(company) == []
    await _asked_yesterday(company)

    [found] = await _suggested(company)

    assert found["text"].lower().startswith("what discount do gold partners")
    assert (found["source"], found["language"]) == ("asked", "en")


async def test_what_one_person_asked_is_not(company: Any) -> None:
    await company.know()
    for _ in range(3):
        await company.ask(GOLD, who="member")
    await _asked_yesterday(company)

    assert await _texts(company) == []


async def test_visitors_count_half_as_they_may_come_back_under_other_names(company: Any) -> None:
    await company.know()
    for number in range(4):
        await company.ask(GOLD, who="member")
        await _asked_yesterday(company)
        async with company.service.deps.database.transaction(company.tenant_id) as connection:
            await connection.execute(
                text("update turns set asker = :name where asker not like 'visitor:%'"), {"name": f"visitor:{number}"}
            )
        assert bool(await _texts(company)) == (number == 3)


async def _both_ask(company: Any, question: str = GOLD) -> dict[str, Any]:
    await company.ask(question, who="member")
    answer: dict[str, Any] = await company.ask(question, who="second_member")
    await _asked_yesterday(company)
    return answer


async def test_what_was_rated_down_is_not(company: Any) -> None:
    await company.know()
    answer = await _both_ask(company)
    assert await _texts(company) == [GOLD]

    rated = await company.api("second_member").post(
        f"/api/chatbot/messages/{answer['id']}/feedback/", json={"rating": "down"}
    )

    assert rated.status_code == 201
    assert await _texts(company) == []


async def test_what_a_private_document_answered_is_not(company: Any) -> None:
    await company.know(who="member", visibility="private")
    await company.ask(GOLD, who="member")
    await company.ask(GOLD, who="member")
    await _asked_yesterday(company)
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update turns set asker = id::text"))

    assert await _texts(company) == []


async def test_what_is_deleted_is_not_told_again(company: Any) -> None:
    document = await company.know()
    await _both_ask(company)
    assert await _texts(company) == [GOLD]

    await company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    assert await _texts(company) == []


async def test_a_conversation_that_is_deleted_counts_no_more(company: Any) -> None:
    await company.know()
    session_id = await company.open_session("member")
    await company.ask(GOLD, who="member", session_id=session_id)
    await company.ask(GOLD, who="second_member")
    await _asked_yesterday(company)
    assert await _texts(company) == [GOLD]

    await company.api("member").delete(f"/api/chatbot/sessions/{session_id}/")
    assert await _texts(company) == []


@pytest.mark.parametrize(
    "question",
    [
        "What discount do gold partners receive, ann.lee@example.com?",
        "What discount do gold partners receive, order 1234567?",
    ],
)
async def test_personal_data_and_numbers_are_not_suggested(company: Any, question: str) -> None:
    await company.know()
    await _both_ask(company, question)

    assert await _texts(company) == []


async def test_a_chatbot_that_keeps_no_text_of_questions_suggests_none_that_were_asked(company: Any) -> None:
    await company.know()
    await _both_ask(company)
    await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": {"query_log": "anonymised"}})

    assert await _texts(company) == []


async def test_the_owners_own_come_first_and_in_the_language(company: Any) -> None:
    await company.know(json.dumps(FAQ), "faq.json")
    own = [
        "Where can I find the nearest shop?",
        "  Wo finde ich den nächsten Laden?  ",
        "How long does the warranty last?",
    ]
    settings = {"settings": {"suggested_questions": own}}
    changed = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=settings)
    assert changed.status_code == 200, changed.text

    found = await _suggested(company)
    assert [each["text"] for each in found[:3]] == [each.strip() for each in own]
    assert {each["source"] for each in found[:3]} == {"owner"}
    assert [each["text"] for each in found].count("How long does the warranty last?") == 1
    assert (await _texts(company, language="de", limit=1)) == ["Wo finde ich den nächsten Laden?"]


@pytest.mark.parametrize("given", [["a question?"] * 13, ["x" * 201], [""], "a question?"])
async def test_wrong_own_questions_are_refused(company: Any, given: Any) -> None:
    body = {"settings": {"suggested_questions": given}}
    refused = await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "tenancy.invalid_chatbot_setting")


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 13}, {"language": "English"}])
async def test_wrong_parameters_are_refused(company: Any, params: dict[str, Any]) -> None:
    answer = await company.api().get(f"/api/chatbots/{company.chatbot_id}/suggestions/", params=params)
    assert answer.status_code == 422


async def test_a_visitor_gets_them_and_another_tenant_does_not(company: Any, other_company: Any) -> None:
    await company.know(json.dumps(FAQ), "faq.json")
    key = await _widget_key(company, str(company.chatbot_id))
    admitted = await company.service.client(Origin=SITE).post("/api/widget/tokens/", json={"key": key["public_key"]})
    visitor = company.service.client(Origin=SITE, Authorization=f"Bearer {admitted.json()['token']}")
    path = f"/api/chatbots/{company.chatbot_id}/suggestions/"

    assert len((await visitor.get(path)).json()["suggestions"]) == 3
    assert (await other_company.api().get(path)).status_code == 404


async def test_the_client_asks_for_them(company: Any) -> None:
    await company.know(json.dumps(FAQ), "faq.json")
    transport = company.api()._transport
    async with Dragoman("http://dragoman.test", company.secrets["member"], transport=transport) as client:
        found = await client.chatbots.suggestions(company.chatbot_id, language="de", limit=1)

    assert [each.text for each in found] == ["Wie lange gilt die Garantie?"]


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("## 3.2 How do I open the lid?", "How do I open the lid?"),
        ("Q: What time is it?", "What time is it?"),
        ("Frage 12: Wann öffnet der Laden?", "Wann öffnet der Laden?"),
        ("质问：保修多久？", "保修多久？"),
        ("**Where is the switch?**", "Where is the switch?"),
        ("كم مدة الضمان؟", "كم مدة الضمان؟"),
        ("Returns: how long?", "Returns: how long?"),
        ("| a | b? |", None),
        ("?", None),
        ("See https://example.com/?q=what?", None),
        ("x" * 161, None),
    ],
)
def test_lines_become_questions_as_a_person_would_ask_them(line: str, question: str | None) -> None:
    found = FoundText(kind="faq", language="en", document_id=new_id(), heading=None, text=line)
    assert [each.text for each in questions.questions_of([found])] == ([question] if question else [])


def test_what_says_the_same_comes_once() -> None:
    pair = [Suggestion(text=text, language="en", source=SuggestionSource.FAQ) for text in ("Why not?", "why, not")]
    assert questions.distinct(pair) == pair[:1]


async def test_a_chatbot_of_ten_thousand_chunks_is_read_within_bounds(company: Any) -> None:
    """As many as the benchmark in the docstring of the service: 100 documents of 100 chunks."""
    deps = company.service.deps
    async with deps.database.transaction(company.tenant_id) as connection:
        values = {"t": company.tenant_id, "b": company.chatbot_id}
        for statement in _MANY:
            await connection.execute(text(statement), values)
    begun = time.perf_counter()
    async with deps.database.transaction(company.tenant_id) as connection:
        found = await repository.list_in_knowledge(
            connection, tenant_id=company.tenant_id, chatbot_id=company.chatbot_id, language="en", seed="x"
        )
    first_s = time.perf_counter() - begun
    durations = []
    for _ in range(21):
        begun = time.perf_counter()
        assert len(await _texts(company, language="en")) == 12
        durations.append(time.perf_counter() - begun)
    print(f"first {first_s * 1000:.0f} ms, then p50 {sorted(durations)[10] * 1000:.1f} ms")

    assert len(found) <= 1200
    assert len({each.document_id for each in found}) == 100
    assert first_s < 5


_MANY = (
    (
        "insert into documents (tenant_id, id, chatbot_id, title, file_name, owner, state) select :t, gen_random_uuid(), "
        ":b, 'Many ' || n, 'many.md', 'user:ada', 'ready' from generate_series(1, 100) n"
    ),
    (
        "insert into document_versions (tenant_id, id, chatbot_id, document_id, number, state, mime_type, size_bytes, "
        "content_hash, blob_key, language) select :t, gen_random_uuid(), :b, id, 1, 'ready', 'text/markdown', 1, 'h', 'k', 'en' "
        "from documents where tenant_id = :t and title like 'Many %'"
    ),
    (
        "update documents set live_version_id = v.id from document_versions v where v.document_id = documents.id "
        "and documents.tenant_id = :t and v.tenant_id = :t and title like 'Many %'"
    ),
    (
        "insert into chunks (tenant_id, chatbot_id, id, document_id, version_id, ordinal, text, language, kind, start_offset, "
        "end_offset, token_count, content_hash) select :t, :b, gen_random_uuid(), document_id, id, n, case when n % 5 = 0 then "
        "'## What does part ' || n || ' of ' || left(id::text, 4) || ' do?' || E'\\n\\n' else '' end || repeat('It holds the "
        "lamp in its place. ', 40), 'en', 'text', 0, 1, 320, 'h' from document_versions, generate_series(1, 100) n "
        "where tenant_id = :t"
    ),
)
